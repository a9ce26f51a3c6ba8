"""What a caller may say about routing, each member of `provider` by itself, and how health moves the choice."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import judges
import pytest
from clients import endpoint
from harness import PATIENCE, wait_until

MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "bedrock": "anthropic.claude-sonnet-4-5-v1:0"}
# USD per million tokens, and what an operator says of the endpoint.
FACTS = {
    "openai": ("1", {"zdr": True, "quantization": "fp8", "region": "us-east5"}),
    "anthropic": ("3", {"data_collection": "allow", "zdr": False, "supported_parameters": ["max_tokens"],
                        "region": "eu-west-1"}),
    "bedrock": ("2", {"data_collection": "deny", "context_length": 1000, "max_completion_tokens": 500}),
}


def offer(provider, directives="", price="1", **more):
    model = MODELS[provider] + (f"!{directives}" if directives else "")
    prices = {"prompt": price, "completion": price, **more.pop("prices", {})}
    return endpoint(provider, model, **{"price": prices, **more})


@pytest.fixture(scope="module")
def config(simulator):
    cached = {"prices": {"cache_read": "0.1"}}
    models = {
        "r/facts": [offer(provider, price=price, **facts) for provider, (price, facts) in FACTS.items()],
        "r/other": [offer("bedrock", "tokens=3", price="0.5")],
        "r/free": [offer("openai", "tokens=4", price="0"), offer("anthropic", "tokens=4", price="1")],
        "r/speed": [
            # What one of them needs is far from what the other does, and the limits of the test are far from both.
            offer("openai", "first_delay=900;tokens=200", price="1"),
            offer("anthropic", "first_delay=20;token_delay=40;tokens=20", price="2"),
        ],
        "r/cached": [offer(provider, "tokens=5", **cached) for provider in MODELS],
        "r/limited": [offer("openai", "status=429;retry_after=90", price="1"), offer("bedrock", "tokens=6", price="9")],
        "r/failing": [offer("openai", "status=500;tokens=7", price="1"), offer("bedrock", "tokens=7", price="2")],
        "r/down": [
            offer("openai", "status=500;tokens=8", price="1"), offer("anthropic", "tokens=8", price="1"),
            offer("bedrock", "tokens=8", price="1"),
        ],
    }
    return {
        "providers": simulator.providers(),
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
    }


@pytest.fixture(scope="module")
def gateway(module_gateway, config):
    return module_gateway(config)


def served(gateway, model="r/facts", provider=None, times=1, **more):
    """Who answered, each time."""
    who = []
    for _ in range(times):
        response = gateway.chat(model, provider=provider, **more)
        assert response.status_code == 200, response.text
        who.append(response.headers["x-crosspoint-provider"])
    return who


@pytest.mark.parametrize(("provider", "expected"), [
    ({"order": ["bedrock", "anthropic"]}, {"bedrock"}),
    ({"order": ["nobody", "Anthropic"]}, {"anthropic"}),
    ({"only": ["anthropic"]}, {"anthropic"}),
    ({"only": ["openai/us-east5"]}, {"openai"}),
    ({"only": ["openai/fp8"]}, {"openai"}),
    ({"ignore": ["openai", "bedrock"]}, {"anthropic"}),
    ({"data_collection": "deny", "ignore": ["openai"]}, {"bedrock"}),
    ({"data_collection": "allow", "only": ["anthropic"]}, {"anthropic"}),
    ({"zdr": True}, {"openai"}),
    ({"region": "eu"}, {"anthropic"}),
    ({"region": ["ap", "us"]}, {"openai"}),
    ({"region": {"only": ["eu-west-1"]}}, {"anthropic"}),
    ({"quantizations": ["fp8", "int4"]}, {"openai"}),
    ({"quantizations": ["unknown"], "sort": "price"}, {"bedrock"}),
    ({"sort": "price"}, {"openai"}),
    ({"sort": {"by": "price", "partition": "model"}, "ignore": ["openai"]}, {"bedrock"}),
    ({"max_price": {"prompt": 2, "completion": "2.5"}, "ignore": ["openai"]}, {"bedrock"}),
    ({"max_price": {"prompt": 1, "request": 0, "image": 0}}, {"openai"}),
    ({"allow_fallbacks": False, "order": ["bedrock"]}, {"bedrock"}),
    (None, {"openai", "anthropic", "bedrock"}),
])
def test_a_preference_chooses(gateway, provider, expected):
    assert set(served(gateway, provider=provider, times=4)) <= expected


@pytest.mark.parametrize(("provider", "excluded_by", "code"), [
    ({"only": ["nobody"]}, "allowed_providers", "constraint_filtered"),
    ({"ignore": list(MODELS)}, "allowed_providers", "constraint_filtered"),
    ({"order": ["nobody"], "allow_fallbacks": False}, "allowed_providers", "constraint_filtered"),
    ({"data_collection": "deny", "only": ["anthropic"]}, "data_policy:training", "privacy_restricted"),
    ({"zdr": True, "ignore": ["openai"]}, "data_policy:zdr", "privacy_restricted"),
    ({"quantizations": ["fp4"]}, "quantization", "constraint_filtered"),
    ({"region": {"only": "ap"}}, "data_region", "constraint_filtered"),
    ({"max_price": {"completion": 0.5}}, "max_price", "constraint_filtered"),
    ({"require_parameters": True, "only": ["anthropic"]}, "require_parameters", "constraint_filtered"),
])
def test_an_exclusion_says_who_and_why(gateway, provider, excluded_by, code):
    response = gateway.chat("r/facts", provider=provider, seed=7)
    assert response.status_code == 404, response.text
    error = judges.error(response.json())
    availability = error["availability"]
    assert availability["code"] == code and availability["retryable"] is False
    assert availability["requested_models"] == ["r/facts"]
    assert availability["affected_providers"] == sorted(MODELS)
    assert excluded_by in availability["excluded_by"]
    assert {one["provider"] for one in availability["endpoints"]} == set(MODELS)
    assert all(one["detail"] in error["message"] for one in availability["endpoints"])


@pytest.mark.parametrize("provider", [
    {"enforce_distillable_text": True}, {"sort": "uptime"}, {"max_price": {"audio": 1}}, {"zdr": "yes"}, {"quantizations": ["q8"]},
    {"region": 1},
])
def test_what_is_not_honoured_is_refused(gateway, provider):
    response = gateway.chat("r/facts", provider=provider)
    assert response.status_code == 400
    assert f"provider.{next(iter(provider))}" in judges.error(response.json())["message"]


def test_the_region_of_the_envoy_comes_first(start_gateway, config):
    local = {**config, "routing": {"prefer_local_region": True}}

    def patch(bootstrap):
        bootstrap["node"] = {"locality": {"region": "eu-west-2"}}

    gateway = start_gateway(local, patch=patch)
    assert served(gateway, times=4) == ["anthropic"] * 4
    response = gateway.chat("r/facts")
    assert gateway.receipt(response.headers["x-generation-id"])["attempts"][0]["reason"] == "region"
    # What a caller says of regions counts before that, and he may say that he does not care.
    assert served(gateway, provider={"region": "us"}) == ["openai"]
    assert served(gateway, provider={"region": [], "sort": "price"}) == ["openai"]


def test_an_envoy_that_does_not_know_its_region_says_so(start_gateway, config):
    gateway = start_gateway({**config, "routing": {"prefer_local_region": True}})
    assert served(gateway, provider={"sort": "price"}) == ["openai"]
    assert "config.routing.prefer_local_region: this Envoy does not know its region" in gateway.log.read_text()


@pytest.mark.parametrize("needs", [
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]},
    {"text": "word " * 1200},
    {"max_tokens": 600},
])
def test_who_is_known_not_to_fit_comes_last(gateway, needs):
    unfit = "anthropic" if "tools" in needs else "bedrock"
    other = "bedrock" if "tools" in needs else "anthropic"
    # The one that does not fit is the cheaper one where it can be.
    response = gateway.chat("r/facts", provider={"only": [unfit, other], "sort": "price"}, **needs)
    assert response.headers["x-crosspoint-provider"] == other, response.text


def test_models_stand_one_after_the_other_or_in_one_row(gateway):
    models = {"models": ["r/other"]}
    assert served(gateway, provider={"sort": {"by": "price", "partition": "model"}}, **models) == ["openai"]
    assert served(gateway, provider={"sort": {"by": "price", "partition": "none"}}, **models) == ["bedrock"]
    assert served(gateway, provider={"sort": "price"}, route="sort", **models) == ["bedrock"]


def test_variants_of_a_model(gateway):
    assert set(served(gateway, "r/facts:floor", times=3)) == {"openai"}
    assert set(served(gateway, "r/free:free", times=3)) == {"openai"}
    assert gateway.chat("r/facts:free").json()["error"]["availability"]["excluded_by"] == ["max_price"]
    assert gateway.chat("r/facts:unheard").status_code == 404


def test_speed_that_was_measured_decides(gateway):
    for provider in ("openai", "anthropic"):
        served(gateway, "r/speed", {"only": [provider]}, times=6, stream=True)
    first = {}

    def known():
        # What went well is written by tick, and a worker looks again after a moment.
        for name, provider in {
            "latency": {"sort": "latency"},
            "throughput": {"sort": {"by": "throughput"}},
            "slow start": {"preferred_max_latency": 0.4},
            "slow flow": {"preferred_min_throughput": {"p50": 80}, "sort": "price"},
        }.items():
            first[name] = served(gateway, "r/speed", provider)[0]
        return first == {
            "latency": "anthropic", "throughput": "openai", "slow start": "anthropic", "slow flow": "openai",
        }

    assert wait_until(known), first
    # At either worker.
    assert wait_until(lambda: served(gateway, "r/speed:nitro") == ["openai"])


def test_a_session_stays_where_its_prompt_is_cached(gateway):
    homes = set()
    for session in range(6):
        (home,) = set(served(gateway, "r/cached", times=5, session_id=f"s{session}"))
        assert served(gateway, "r/cached", text="else", session_id=f"s{session}") == [home]
        assert served(gateway, "r/cached", headers={"x-session-id": f"s{session}"}) == [home]
        homes.add(home)
    assert len(homes) > 1
    # Without a name a conversation is known by its beginning.
    turns = [{"role": "user", "content": "Hello."}]
    seen = set()
    for _ in range(4):
        response = gateway.chat("r/cached", messages=turns)
        seen.add(response.headers["x-crosspoint-provider"])
        turns += [{"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go on."}]
    assert len(seen) == 1
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["attempts"][0]["reason"] == "sticky"


def test_who_asked_for_a_pause_is_left_alone(gateway, simulator):
    simulator.reset()
    served(gateway, "r/limited", {"sort": "price"}, times=1)
    time.sleep(0.15)
    assert set(served(gateway, "r/limited", {"sort": "price"}, times=8)) == {"bedrock"}
    # Whichever worker was asked.
    assert len(simulator.requests("openai")) == 1


def clients_of_workers(gateway):
    """A client with one open connection at each worker."""
    def connections():
        return {
            name: value for name, value in gateway.stats().items()
            if name.startswith("listener.") and "worker_" in name and name.endswith("downstream_cx_total")
            and "admin" not in name
        }

    clients = {}
    for _ in range(64):
        before = connections()
        client = httpx.Client(trust_env=False, timeout=PATIENCE, limits=httpx.Limits(max_connections=1))
        client.get(f"{gateway.url}/v1/providers")
        (worker,) = [name for name, value in connections().items() if value > before[name]]
        if worker in clients:
            client.close()
        else:
            clients[worker] = client
        if len(clients) == len(before):
            break
    assert len(clients) == 2, clients
    return list(clients.values())


def test_an_outage_that_one_worker_finds_moves_the_other_within_a_second(gateway, simulator):
    finder, other = clients_of_workers(gateway)

    def attempts(client):
        body = {"model": "r/failing", "provider": {"sort": "price"}, "messages": [{"role": "user", "content": "hello"}]}
        response = client.post(f"{gateway.url}/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        return int(response.headers["x-crosspoint-attempts"])

    # Both workers have looked at the endpoint's health before.
    attempts(other)
    assert wait_until(lambda: attempts(finder) == 1)
    simulator.reset()
    # Until then it may have a view of its own. It asks nobody meanwhile, so what it knows then it has from the other.
    time.sleep(1)
    # One of these may be the trial.
    assert sum(attempts(other) > 1 for _ in range(20)) <= 1
    assert len(simulator.requests("openai")) <= 1


def test_failover_takes_hardly_longer_than_the_failed_attempt(gateway):
    over = []
    for _ in range(15):
        response = gateway.chat("r/failing", provider={"order": ["openai", "bedrock"]})
        receipt = gateway.receipt(response.headers["x-generation-id"])
        over.append(receipt["duration_ms"] - sum(line["duration_ms"] for line in receipt["attempts"]))
    assert statistics.median(over) < 5, over
    print(f"failover costs {statistics.median(over)} ms over the attempts themselves, {max(over)} ms at most")


def test_under_load_nobody_notices_that_one_provider_is_down(gateway):
    body = {"model": "r/down", "messages": [{"role": "user", "content": "hello"}]}

    def ask(count):
        # A client of its own: to share one between threads breaks connections now and then.
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            return [client.post(f"{gateway.url}/v1/chat/completions", json=body) for _ in range(count)]

    begin = time.monotonic()
    with ThreadPoolExecutor(24) as pool:
        answers = [answer for some in pool.map(ask, [25] * 80) for answer in some]
    rate = len(answers) / (time.monotonic() - begin)
    failed = [answer.text for answer in answers if answer.status_code != 200]
    assert not failed, f"{len(failed)} at {rate:.0f}/s, as {failed[0]}"
    attempts = sum(int(answer.headers["x-crosspoint-attempts"]) for answer in answers) / len(answers)
    assert attempts < 1.1, f"{attempts} attempts each, at {rate:.0f}/s"
    refused = {name: value for name, value in gateway.stats().items() if "retry_overflow" in name and value}
    assert not refused, refused
    print(f"{rate:.0f} requests/s, {attempts:.4f} attempts each")
