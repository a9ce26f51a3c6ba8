"""Refusals move on to the next of `models`, and whoever asks sees why a request went where it went."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import judges
import pytest
from clients import PICO_USD, endpoint, events, sdk, talk
from harness import HTTP, SIMULATED

PROVIDERS = {name: SIMULATED[name] for name in ("openai", "anthropic", "bedrock")}
SHOW = {"X-Crosspoint-Metadata": "enabled"}
streamed = pytest.mark.parametrize("streamed", [False, True])

# What a provider says that will not: by the model's id.
ERRORS = {
    "long": (400, {"type": "invalid_request_error", "code": "context_length_exceeded"}, "context_length_exceeded"),
    "moderated": (400, {"type": "invalid_request_error", "code": "content_policy_violation"}, "content_policy_violation"),
    "odd": (400, {"type": "invalid_request_error", "code": "unsupported_parameter", "param": "seed"}, "invalid_request"),
    "large": (413, {"type": "invalid_request_error", "code": None}, "payload_too_large"),
}


class Unwilling(BaseHTTPRequestHandler):
    """An OpenAI-compatible provider that refuses: with an error, or with an answer that a filter has stopped."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = request["model"]
        self.server.asked.append(name)
        if name in ERRORS:
            status, error, _ = ERRORS[name]
            return self.say(status, "application/json", json.dumps({"error": {"message": "I will not.", "param": None, **error}}))
        answer = {"id": "c-1", "created": 1, "model": name, "object": "chat.completion"}
        finish = {"filtered": "content_filter", "silent": None}[name]
        usage = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
        message = {"role": "assistant", "content": ""}
        if not request.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return self.say(200, "application/json", json.dumps({**answer, "choices": [choice], "usage": usage}))
        chunk = {**answer, "object": "chat.completion.chunk"}
        chunks = [
            {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish or "stop"}]},
            {**chunk, "choices": [], "usage": usage},
        ]
        self.say(200, "text/event-stream", "".join(f"data: {json.dumps(one)}\n\n" for one in chunks) + "data: [DONE]\n\n")

    def say(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def unwilling():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unwilling)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator, unwilling):
    base = f"http://127.0.0.1:{unwilling.server_address[1]}/v1"
    providers = {**simulator.providers(), "unwilling": {"dialect": "openai-chat", "base_url": base}}
    good = {"endpoints": [endpoint("bedrock", PROVIDERS["bedrock"])]}
    models = {
        f"bad/{name}": {"endpoints": [endpoint("unwilling", name), endpoint("anthropic", f"{PROVIDERS['anthropic']}!tokens=1")]}
        for name in [*ERRORS, "filtered", "silent"]
    }
    models["bad/sizes"] = {"endpoints": [
        endpoint("unwilling", "long", context_length=1000),
        endpoint("openai", "gpt-4o!status=500", context_length=1000),
        endpoint("bedrock", f"{PROVIDERS['bedrock']}!tokens=2", context_length=9000),
    ]}
    models["alone/silent"] = {"endpoints": [endpoint("unwilling", "silent")]}
    models["all/three"] = {"endpoints": [endpoint(provider, model) for provider, model in PROVIDERS.items()]}
    models["all/failing"] = {"endpoints": [
        endpoint("openai", "gpt-4o!status=503"), endpoint("anthropic", f"{PROVIDERS['anthropic']}!status=400"),
    ]}
    models["last/limited"] = {"endpoints": [endpoint("bedrock", f"{PROVIDERS['bedrock']}!status=429")]}
    for provider, model in PROVIDERS.items():
        models[f"cut/{provider}"] = {"endpoints": [endpoint(provider, f"{model}!error_at=3;hold=200")]}
    return module_gateway({"providers": providers, "models": {"good/one": good, **{
        name: model if isinstance(model, dict) else {"endpoints": model} for name, model in models.items()
    }}})


def order(*providers):
    return {"provider": {"order": list(providers)}}


def tried(receipt):
    return [(line["provider"], line.get("error_type")) for line in receipt["attempts"]]


def shown(response, is_stream: bool) -> dict:
    """The metadata of an answer; in a stream it is in the last chunk and in no other."""
    if not is_stream:
        return response.json()["openrouter_metadata"]
    *others, last, done = events(response.content)
    assert done == "[DONE]" and not any("openrouter_metadata" in one for one in others)
    judges.chunk(last)
    assert last["choices"] == []
    return last["openrouter_metadata"]


@streamed
@pytest.mark.parametrize("name", ERRORS)
def test_what_a_model_will_not_do_another_does(gateway, simulator, unwilling, name, streamed):
    simulator.reset()
    more = {"models": [f"bad/{name}", "good/one"], **order("unwilling")}
    reply = talk(sdk(gateway), streamed, model=f"bad/{name}", messages=[{"role": "user", "content": "hello there"}], extra_body=more)
    assert reply.text.startswith("You said") and reply.finish == "stop" and reply.model == "good/one"
    receipt = gateway.receipt(reply.id)
    assert tried(receipt) == [("unwilling", ERRORS[name][2]), ("bedrock", None)]
    assert (receipt["model"], receipt["served_model"], receipt["strategy"]) == (f"bad/{name}", "good/one", "fallback")
    assert receipt["passed_over"] == [
        {"provider": "anthropic", "model": f"{PROVIDERS['anthropic']}!tokens=1", "reason": ERRORS[name][2]},
    ]
    assert simulator.requests("anthropic") == []


@streamed
@pytest.mark.parametrize("name", ERRORS)
def test_without_another_model_the_refusal_comes_back(gateway, simulator, name, streamed):
    simulator.reset()
    response = gateway.chat(f"bad/{name}", stream=streamed, **order("unwilling"))
    assert response.status_code == ERRORS[name][0]
    assert judges.error(response.json())["metadata"]["error_type"] == ERRORS[name][2]
    assert (response.headers["x-crosspoint-provider"], response.headers["x-crosspoint-model"]) == ("unwilling", f"bad/{name}")
    assert response.headers["x-crosspoint-attempts"] == "1"
    assert simulator.requests("anthropic") == []


@streamed
def test_an_answer_that_a_filter_stopped_moves_on(gateway, streamed):
    response = gateway.chat("bad/filtered", stream=streamed, models=["good/one"], **order("unwilling"))
    assert response.status_code == 200 and "content_filter" not in response.text and "You" in response.text
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert tried(receipt) == [("unwilling", "content_policy_violation"), ("bedrock", None)]
    alone = gateway.chat("bad/filtered", stream=streamed, **order("unwilling"))
    assert alone.status_code == 200 and "content_filter" in alone.text
    assert alone.headers["x-crosspoint-attempts"] == "1"


@streamed
def test_a_prompt_that_is_too_long_goes_to_who_takes_more(gateway, streamed):
    response = gateway.chat("bad/sizes", stream=streamed, **order("unwilling", "openai", "bedrock"))
    assert response.status_code == 200, response.text
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert tried(receipt) == [("unwilling", "context_length_exceeded"), ("bedrock", None)]


def test_refusals_do_not_hurt_an_endpoint(gateway, unwilling):
    del unwilling.asked[:]
    for _ in range(8):
        assert gateway.chat("bad/long", **order("unwilling")).status_code == 400
    assert len(unwilling.asked) == 8
    shown = HTTP.get(f"{gateway.url}/v1/models/bad/long/endpoints").json()["data"]["endpoints"]
    assert {one["status"] for one in shown} == {0}


@streamed
def test_the_last_error_is_told_with_those_before_it(gateway, streamed):
    response = gateway.chat(
        "all/failing", stream=streamed, models=["last/limited"], headers=SHOW, **order("openai", "anthropic", "bedrock")
    )
    assert response.status_code == 429, response.text
    error = judges.error(response.json())
    assert error["metadata"]["provider_name"] == "bedrock"
    previous = [(one["provider"], one["code"], one["status"]) for one in error["metadata"]["previous_errors"]]
    assert previous == [("openai", "provider_overloaded", 503), ("anthropic", "invalid_request", 400)]
    metadata = response.json()["openrouter_metadata"]
    assert (metadata["strategy"], metadata["attempt"]) == ("fallback", 3)
    assert [(one["model"], one["status"]) for one in metadata["attempts"]] == [
        ("all/failing", 503), ("all/failing", 400), ("last/limited", 429),
    ]
    assert not any(one["selected"] for one in metadata["endpoints"]["available"])


@streamed
@pytest.mark.parametrize("header", ["X-Crosspoint-Metadata", "X-OpenRouter-Metadata", "X-OpenRouter-Experimental-Metadata"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_who_asks_sees_the_endpoints_and_the_attempts(gateway, simulator, provider, header, streamed):
    simulator.reset()
    (ignored, other) = [name for name in PROVIDERS if name != provider]
    preferences = {"provider": {"order": [provider], "ignore": [ignored]}}
    response = gateway.chat("all/three", stream=streamed, headers={header: "Enabled"}, **preferences)
    assert response.status_code == 200, response.text
    metadata = shown(response, streamed)
    assert metadata["requested"] == "all/three" and metadata["strategy"] == "direct" and metadata["attempt"] == 1
    assert metadata["summary"] == f"available=2, excluded=1, selected={provider}" and metadata["is_byok"] is False
    endpoints = metadata["endpoints"]
    assert [(one["provider"], one["selected"]) for one in endpoints["available"]] == [(provider, True), (other, False)]
    assert endpoints["available"][0]["reason"] == "order" and endpoints["total"] == 3
    assert [(one["provider"], one["field"]) for one in endpoints["excluded"]] == [(ignored, "provider.ignore")]
    assert metadata["attempts"] == [{"provider": provider, "model": "all/three", "status": 200}]
    assert response.headers["x-crosspoint-model"] == "all/three"
    (recorded,) = simulator.requests(provider)
    assert not [name for name in dict(recorded["headers"]) if "metadata" in name.lower()]
    plain = gateway.chat("all/three", stream=streamed, headers={header: "disabled"}, **preferences)
    assert "openrouter_metadata" not in plain.text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_sdk_reads_a_stream_with_token_counts_and_metadata(gateway, provider):
    chunks = list(sdk(gateway, default_headers=SHOW).chat.completions.create(
        model="all/three", messages=[{"role": "user", "content": "hello"}], stream=True,
        stream_options={"include_usage": True}, extra_body=order(provider),
    ))
    assert sum(chunk.usage is not None for chunk in chunks) == 1
    assert chunks[-1].to_dict()["openrouter_metadata"]["attempts"][-1]["provider"] == provider
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices).startswith("You said")


def test_an_error_that_was_never_routed_shows_who_is_excluded(gateway):
    response = gateway.chat("all/three", provider={"only": ["nobody"]}, headers=SHOW)
    assert response.status_code == 404
    metadata = response.json()["openrouter_metadata"]
    assert metadata["attempt"] == 0 and metadata["endpoints"]["total"] == 3 and "attempts" not in metadata
    assert {one["reason"] for one in metadata["endpoints"]["excluded"]} == {"allowed_providers"}
    assert "openrouter_metadata" not in gateway.chat("no/such", headers=SHOW).text


@streamed
def test_nobody_pays_for_an_answer_without_tokens_or_reason(gateway, streamed):
    response = gateway.chat("alone/silent", stream=streamed)
    assert response.status_code == 200
    receipt = gateway.receipt(response.headers["x-generation-id"])
    prompt = 7 * PICO_USD["prompt"]
    # The stream says why it ended, as one must to be complete.
    expected = (prompt, 0) if streamed else (0, prompt)
    assert (receipt["cost_pico_usd"], receipt.get("insured_pico_usd", 0)) == expected


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nobody_pays_for_an_answer_that_ends_with_an_error(gateway, provider):
    response = gateway.chat(f"cut/{provider}", stream=True, headers=SHOW)
    last = events(response.content)[-1]
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["openrouter_metadata"]["attempts"][0]["error_type"] == last["error"]["metadata"]["error_type"]
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] == "cut" and receipt["cost_pico_usd"] == 0 and receipt["insured_pico_usd"] > 0
