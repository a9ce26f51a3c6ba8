"""An endpoint fails before its first token: the client sees only the next one, and the receipt says why."""

import json
import time

import judges
import pytest
from clients import CLIENT_KEY, endpoint, sdk, stream, talk
from harness import SIMULATED, free_port

# Who takes over from whom.
NEXT = dict(zip(SIMULATED, [*SIMULATED][1:] + [*SIMULATED][:1]))
# Those whose order and fallbacks are chosen among.
PROVIDERS = {name: SIMULATED[name] for name in ("openai", "anthropic", "bedrock")}

# What the simulator does wrong -> the error_type and the provider's status in the receipt.
BOTH = {
    "status=401": ("provider_unavailable", 401),
    "status=402": ("payment_required", 402),
    "status=403": (None, 403),
    "status=404": ("provider_unavailable", 404),
    "status=429": ("rate_limit_exceeded", 429),
    "status=429;retry_after=7": ("rate_limit_exceeded", 429),
    "status=500": ("provider_unavailable", 500),
    "status=502": ("provider_unavailable", 502),
    "status=503": ("provider_overloaded", 503),
    "html": ("provider_unavailable", 502),
    "html;status=503": ("provider_overloaded", 503),
    "error_200": (None, 200),
    "empty": ("provider_unavailable", 200),
    "garbage": ("provider_unavailable", 200),
    "gzip": ("provider_unavailable", 200),
    "reset": ("provider_unavailable", None),
    "reset_at=0": ("provider_unavailable", ...),
    "cut_at=0": ("provider_unavailable", ...),
    "delay=50;status=500;chunk=1": ("provider_unavailable", 500),
}
BUFFERED = {
    "error_at=0": (None, ...),
    "cut_at=2": ("provider_unavailable", 200),
    "reset_at=2": ("provider_unavailable", 200),
    "garbage_at=2": ("provider_unavailable", 200),
}
STREAMED = {
    "error_at=0": (None, 200),
    "error_at=0;chunk=1": (None, 200),
    "silent": ("timeout", 200),
    "no_headers": ("timeout", None),
    "stall_at=0": ("timeout", 200),
    "first_delay=20000": ("timeout", 200),
}
CASES = [(way, directives, *expected)
         for way, cases in ((False, {**BOTH, **BUFFERED}), (True, {**BOTH, **STREAMED}))
         for directives, expected in cases.items()]
REFUSALS = {"status=400": "invalid_request", "status=413": "payload_too_large", "status=422": "unprocessable"}

# Those have fewer words than there are statuses, and the word in the body says more: provider, directives -> the ones that
# mean the same.
SAID = {
    ("anthropic", "status=422"): "status=400",
    ("gemini", "status=402"): "status=429",
    ("gemini", "status=413"): "status=400",
    ("gemini", "status=422"): "status=400",
}

# What a client may see in headers; everything else is a provider's.
HEADERS = {
    "content-type", "content-length", "transfer-encoding", "date", "server", "cache-control", "retry-after",
    "x-generation-id", "x-crosspoint-provider", "x-crosspoint-model", "x-crosspoint-attempts",
    "x-envoy-upstream-service-time",
}
# What only the simulated providers say, outside of the message of an error.
FOREIGN = ["sim-cookie", "cloudflare", "req_", "amzn", "html", "request_id", '"param"']


def bad_model(provider: str, directives: str) -> str:
    return f"bad/{provider}/{[*BOTH, *BUFFERED, *STREAMED, *REFUSALS].index(directives)}"


def bad(provider: str, directives: str) -> dict:
    # Each has a health record of its own, and a deadline that only those who are silent miss.
    silent = {"timeouts": {"first_token": "400ms"}} if STREAMED.get(directives, [None])[0] == "timeout" else {}
    return endpoint(provider, f"{SIMULATED[provider]}!{directives}", **silent)


def good(provider: str) -> dict:
    # Where no headers come, its deadline is the one that is kept to.
    return endpoint(provider, SIMULATED[provider], timeouts={"first_token": "3s"})


@pytest.fixture(scope="module")
def config(simulator):
    providers = simulator.providers()
    openai = providers["openai"]
    providers["refusing"] = {**openai, "dialect": "openai-chat", "base_url": f"http://127.0.0.1:{free_port()}/v1"}
    providers["nameless"] = {**openai, "dialect": "openai-chat", "base_url": "http://no-such-host.invalid/v1"}
    models = {
        bad_model(provider, directives): [bad(provider, directives), good(NEXT[provider])]
        for provider in SIMULATED
        for directives in {**BOTH, **BUFFERED, **STREAMED, **REFUSALS}
    }
    for name in ("refusing", "nameless"):
        models[f"unreachable/{name}"] = [endpoint(name, "gpt-4o"), endpoint("anthropic", "claude-sonnet-4-5")]
        models[f"alone/{name}"] = [endpoint(name, "gpt-4o-alone")]
    models["all/down"] = [
        endpoint("refusing", "gpt-4o-down"), bad("anthropic", "status=529;tokens=1"), bad("bedrock", "status=429;tokens=1"),
        bad("openai", "error_200;tokens=1"),
    ]
    models["all/good"] = [endpoint(provider, model) for provider, model in PROVIDERS.items()]
    models["one/empty"] = [bad("anthropic", "empty;tokens=9")]
    models["two/keys"] = [
        endpoint("openai", "gpt-4o!status=401;tokens=2"), endpoint("openai", "gpt-4o!status=401;tokens=3"),
        endpoint("bedrock", PROVIDERS["bedrock"]),
    ]
    return {
        "providers": providers,
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        "timeouts": {"first_token": "20s", "total": "60s"},
    }


@pytest.fixture(scope="module")
def gateway(module_gateway, config):
    return module_gateway(config)


def order(*providers, **more):
    return {"provider": {"order": list(providers), "allow_fallbacks": False, **more}}


def assert_nothing_foreign(response):
    foreign = {name for name in response.headers if name not in HEADERS}
    assert not foreign, foreign
    seen = f"{response.headers} {response.text}"
    assert response.headers["server"] == "envoy"
    assert not [word for word in FOREIGN if word in seen], seen


def lines(receipt):
    return [(line["provider"], line["outcome"]) for line in receipt["attempts"]]


@pytest.mark.parametrize("provider", SIMULATED)
@pytest.mark.parametrize(("streamed", "directives", "error_type", "status"), CASES)
def test_the_next_endpoint_serves(gateway, simulator, provider, streamed, directives, error_type, status):
    simulator.reset()
    heir = NEXT[provider]
    response = gateway.chat(bad_model(provider, directives), "hello there", stream=streamed, **order(provider, heir))
    assert response.status_code == 200, response.text
    assert_nothing_foreign(response)
    assert "You" in response.text and "error" not in response.text
    assert response.headers["x-crosspoint-provider"] == heir
    assert response.headers["x-crosspoint-attempts"] == "2"
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] == "success" and receipt["provider"] == heir
    assert lines(receipt) == [(provider, "error"), (heir, "success")]
    failed = receipt["attempts"][0]
    if (provider, directives) in SAID:
        error_type, _ = BOTH[SAID[provider, directives]]
    assert failed["error_type"] == error_type or error_type is None and failed["error_type"], failed
    if status is not ...:
        assert failed.get("status") == status
    (recorded,) = simulator.requests(heir)
    judges.provider_request(recorded)
    assert len(simulator.requests(provider)) == 1


@pytest.mark.parametrize("provider", SIMULATED)
def test_the_client_sees_one_whole_stream(gateway, provider):
    reply, _ = stream(gateway, bad_model(provider, "error_at=0"), "hello there", **order(provider, NEXT[provider]))
    assert reply.text.startswith("You said: hello there and") and reply.finish == "stop"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["refusing", "nameless"])
def test_an_unreachable_provider(gateway, name, streamed):
    response = gateway.chat(f"unreachable/{name}", stream=streamed, **order(name, "anthropic"))
    assert response.status_code == 200, response.text
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert lines(receipt) == [(name, "error"), ("anthropic", "success")]
    assert receipt["attempts"][0]["error_type"] == "provider_unavailable"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["refusing", "nameless"])
def test_an_unreachable_provider_alone(gateway, name, streamed):
    response = gateway.chat(f"alone/{name}", stream=streamed)
    assert response.status_code == 502, response.text
    judges.error(response.json())
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert (receipt["outcome"], receipt["status"]) == ("error", 502)
    assert lines(receipt) == [(name, "error")]


@pytest.mark.parametrize("provider", SIMULATED)
@pytest.mark.parametrize(("directives", "error_type"), REFUSALS.items())
@pytest.mark.parametrize("streamed", [False, True])
def test_the_callers_own_fault_is_returned_at_once(gateway, simulator, provider, directives, error_type, streamed):
    simulator.reset()
    model = bad_model(provider, directives)
    response = gateway.chat(model, stream=streamed, **order(provider, NEXT[provider]))
    directives = SAID.get((provider, directives), directives)
    error_type = REFUSALS[directives]
    assert response.status_code == int(directives[-3:]), response.text
    assert_nothing_foreign(response)
    error = judges.error(response.json())
    assert error["metadata"]["error_type"] == error_type
    assert error["metadata"]["provider_name"] == provider
    assert "previous_errors" not in error["metadata"]
    assert simulator.requests(NEXT[provider]) == []
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert lines(receipt) == [(provider, "error")] and receipt["cost_pico_usd"] == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_all_endpoints_down_is_one_clean_error(gateway, simulator, streamed):
    simulator.reset()
    response = gateway.chat("all/down", stream=streamed, **order("refusing", "anthropic", "bedrock", "openai"))
    assert response.status_code >= 500, response.text
    assert_nothing_foreign(response)
    error = judges.error(response.json())
    assert error["code"] == response.status_code
    previous = error["metadata"]["previous_errors"]
    assert [(one["provider"], one["code"]) for one in previous] == [
        ("refusing", "provider_unavailable"), ("anthropic", "provider_overloaded"), ("bedrock", "rate_limit_exceeded"),
    ]
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] == "error" and receipt["status"] == response.status_code
    assert [line["outcome"] for line in receipt["attempts"]] == ["error"] * 4
    assert receipt["cost_pico_usd"] == 0 and "provider" not in receipt


def test_retry_after_reaches_the_client(gateway):
    response = gateway.chat(bad_model("openai", "status=429;retry_after=7"), **order("openai"))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"


@pytest.mark.parametrize("streamed", [False, True])
def test_an_empty_completion_is_given_out_when_nobody_else_can_be_asked(gateway, streamed):
    reply = talk(sdk(gateway), streamed, model="one/empty", messages=[{"role": "user", "content": "x"}])
    assert (reply.text, reply.finish) == ("", "stop")


def test_a_key_that_was_refused_is_not_shown_again(gateway, simulator):
    simulator.reset()
    response = gateway.chat("two/keys", provider={"order": ["openai", "bedrock"]})
    assert response.status_code == 200
    assert len(simulator.requests("openai")) == 1
    assert lines(gateway.receipt(response.headers["x-generation-id"])) == [("openai", "error"), ("bedrock", "success")]


def test_fallback_models(gateway):
    body = {"models": ["no/such", bad_model("openai", "status=500"), "all/good"]}
    response = gateway.chat("all/down", **body, provider={"only": ["openai"]})
    assert response.status_code == 200, response.text
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["model"] == "all/down" and receipt["served_model"] == "all/good"
    assert [line["model"] for line in receipt["attempts"]] == ["gpt-4o!error_200;tokens=1", "gpt-4o!status=500", "gpt-4o"]
    unknown = gateway.chat("no/such")
    assert unknown.status_code == 404
    judges.error(unknown.json())


@pytest.mark.parametrize(("preferences", "allowed"), [
    ({"only": ["bedrock"]}, {"bedrock"}),
    ({"ignore": ["openai", "anthropic"]}, {"bedrock"}),
    ({"order": ["anthropic"]}, {"anthropic"}),
    ({"order": ["bedrock", "openai"], "allow_fallbacks": False}, {"bedrock"}),
    ({}, set(PROVIDERS)),
])
def test_preferences_choose_the_provider(gateway, preferences, allowed):
    served = {gateway.chat("all/good", provider=preferences).headers["x-crosspoint-provider"] for _ in range(12)}
    assert served <= allowed, served
    if len(allowed) > 1:
        assert len(served) > 1, "equal prices share the load"


def test_without_fallbacks_there_is_one_attempt(gateway, simulator):
    simulator.reset()
    response = gateway.chat(bad_model("openai", "status=500"), provider={"only": ["openai"], "allow_fallbacks": False})
    assert response.status_code == 502
    assert len(simulator.requests("openai")) == 1


@pytest.mark.parametrize("preferences", [{"only": ["nobody"]}, {"ignore": list(PROVIDERS)}])
def test_preferences_that_exclude_everything(gateway, preferences):
    response = gateway.chat("all/good", provider=preferences)
    assert response.status_code == 404
    judges.error(response.json())


@pytest.mark.parametrize("threshold", ["max_retries", "max_requests", "max_pending_requests"])
def test_a_retry_that_envoy_refuses_leaves_our_own_error(start_gateway, config, simulator, threshold):
    def patch(tree):
        for cluster in tree["static_resources"]["clusters"]:
            cluster["circuit_breakers"]["thresholds"][0][threshold] = 0

    gateway = start_gateway(config, patch=patch)
    for provider in PROVIDERS:
        for directives in ("status=429", "status=500", "error_at=0", "reset", "silent", "html"):
            simulator.reset()
            response = gateway.chat(
                bad_model(provider, directives), stream=True, **order(provider, NEXT[provider])
            )
            assert response.status_code in (429, 502, 503, 504), response.text
            assert_nothing_foreign(response)
            judges.error(response.json())
            receipt = gateway.receipt(response.headers["x-generation-id"])
            # Where the very first attempt was refused, there was none.
            assert receipt["outcome"] == ("error" if receipt["attempts"] else "refused")
            assert [line["outcome"] for line in receipt["attempts"]] == ["error"] * len(receipt["attempts"])
            if threshold == "max_retries":
                assert lines(receipt) == [(provider, "error")]
            assert simulator.requests(NEXT[provider]) == []


def test_a_buffered_answer_that_never_comes(start_gateway, config):
    config = {**config, "timeouts": {"total": "2s"}}
    gateway = start_gateway(config)
    for directives in ("silent", "no_headers"):
        response = gateway.chat(bad_model("anthropic", directives), **order("anthropic", "bedrock"))
        assert response.status_code == 200, response.text
        receipt = gateway.receipt(response.headers["x-generation-id"])
        assert receipt["attempts"][0]["error_type"] == "timeout"
        assert lines(receipt) == [("anthropic", "error"), ("bedrock", "success")]


def test_a_wrong_provider_key_is_no_fault_of_the_caller(start_gateway, config):
    gateway = start_gateway(config, env={"ANTHROPIC_API_KEY": "sk-ant-wrong-secret"})
    response = gateway.chat("all/good", provider={"only": ["anthropic"]}, headers={"authorization": f"Bearer {CLIENT_KEY}"})
    assert response.status_code == 502, response.text
    assert "sk-ant-wrong-secret" not in response.text
    judges.error(response.json())
    response = gateway.chat("all/good", provider={"order": ["anthropic", "openai"]})
    assert response.status_code == 200


def test_an_outage_is_known_to_both_workers_within_a_second(start_gateway, config, simulator):
    """Three failures, wherever they happened; then nobody asks the endpoint first any more."""
    # The dearer endpoint would hardly ever be drawn while the cheaper one is healthy.
    endpoints = [
        {**bad("anthropic", "status=500;tokens=4"), "price": {"prompt": "0.01", "completion": "0.01"}},
        endpoint("openai", "gpt-4o"),
    ]
    gateway = start_gateway({**config, "models": {"m": {"endpoints": endpoints}}})

    def attempts():
        simulator.reset()
        replies = [gateway.chat("m") for _ in range(8)]
        assert all(reply.status_code == 200 for reply in replies)
        return len(simulator.requests("anthropic"))

    first = attempts()
    assert 3 <= first <= 6, first
    time.sleep(1)
    assert attempts() == 0
    receipt = gateway.receipt(gateway.chat("m").headers["x-generation-id"])
    assert [(line["provider"], line["reason"]) for line in receipt["attempts"]] == [("openai", "price")]


def test_bodies_of_failed_attempts_are_those_of_their_own_dialect(gateway, simulator):
    """Envoy replays the request; each attempt writes its own body, headers and credential."""
    simulator.reset()
    response = gateway.chat("all/down", **order("anthropic", "bedrock", "openai"))
    assert response.status_code >= 500
    for provider, header in (("anthropic", "x-api-key"), ("bedrock", "authorization"), ("openai", "authorization")):
        (recorded,) = simulator.requests(provider)
        judges.provider_request(recorded)
        headers = dict(recorded["headers"])
        assert f"sim-{provider}-key" in headers[header]
        assert f"sim-{provider}-key" in json.dumps(recorded["headers"])
