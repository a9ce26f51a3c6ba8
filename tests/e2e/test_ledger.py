"""Statistics by model and provider, and the redact middleware, in a real Envoy."""

import re
from collections import defaultdict

import pytest
from clients import Reply, chat_body, endpoint, sdk, stream, talk
from harness import HTTP, wait_until

PROVIDERS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "bedrock": "anthropic.claude-sonnet-4-5-v1:0"}
SAMPLE = re.compile(r'^(?:envoy_)?(crosspoint_[a-z_]+)(?:\{(.*)\})? (\S+)$', re.MULTILINE)

ways = pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])


def config(simulator, **more):
    models = {f"sim/{name}": [endpoint(name, model)] for name, model in PROVIDERS.items()}
    models["over/one"] = [endpoint("anthropic", "claude-sonnet-4-5!status=500"), endpoint("openai", "gpt-4o")]
    models["all/down"] = [endpoint("bedrock", f"{PROVIDERS['bedrock']}!status=400")]
    models["slow/one"] = [endpoint("anthropic", "claude-sonnet-4-5!tokens=999;token_delay=10")]
    models["one/byte"] = [endpoint("bedrock", f"{PROVIDERS['bedrock']}!chunk=1")]
    return {
        "providers": simulator.providers(),
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        **more,
    }


def samples(gateway) -> dict:
    """name -> {labels: value}"""
    found = defaultdict(dict)
    for name, labels, value in SAMPLE.findall(gateway.prometheus()):
        found[name][tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))] = float(value)
    return found


def labels(**values):
    return tuple(sorted(values.items()))


def test_statistics_by_model_and_provider(start_gateway, simulator):
    gateway = start_gateway(config(simulator))
    receipts = []
    for _ in range(3):
        for name in PROVIDERS:
            receipts.append(stream(gateway, f"sim/{name}")[0].id)
    for _ in range(2):
        response = gateway.chat("over/one", provider={"order": ["anthropic", "openai"]})
        receipts.append(response.headers["x-generation-id"])
    assert gateway.chat("all/down").status_code == 400
    for name in ("no/such", "no/other", 'evil";model="x'):
        assert gateway.chat(name).status_code == 404
    assert gateway.chat("").status_code == 404
    assert HTTP.get(f"{gateway.url}/v1/models").status_code == 200
    receipts = [gateway.receipt(one) for one in receipts]

    found = samples(gateway)
    requests = found["crosspoint_requests"]
    for name in PROVIDERS:
        assert requests[labels(model=f"sim/{name}", provider=name, outcome="success")] == 3
    assert requests[labels(model="over/one", provider="openai", outcome="success")] == 2
    assert requests[labels(model="unknown", provider="none", outcome="refused")] == 4
    assert sum(requests.values()) == 9 + 2 + 1 + 4
    assert not [key for key in requests if "evil" in str(key) or "no/such" in str(key)]

    attempts = found["crosspoint_attempts"]
    assert attempts[labels(model="over/one", provider="anthropic", outcome="error")] == 2
    assert attempts[labels(model="over/one", provider="openai", outcome="success")] == 2
    assert sum(attempts.values()) == 9 + 4 + 1
    assert found["crosspoint_failovers"] == {labels(model="over/one", provider="openai"): 2}

    errors = found["crosspoint_errors"]
    assert errors[labels(model="unknown", provider="none", type="not_found")] == 4
    assert sum(value for key, value in errors.items() if ("model", "all/down") in key) == 1

    for kind, member in (("input", "prompt"), ("output", "completion")):
        for name in PROVIDERS:
            expected = sum(one["tokens"][member] for one in receipts if one["model"] == f"sim/{name}")
            assert found["crosspoint_tokens"][labels(model=f"sim/{name}", provider=name, type=kind)] == expected > 0
    assert sum(found["crosspoint_cost_pico_usd"].values()) == sum(one["cost_pico_usd"] for one in receipts)

    def first_tokens():
        counts = samples(gateway)["crosspoint_time_to_first_token_ms_count"]
        return counts if sum(counts.values()) else None

    # Envoy merges its histograms every five seconds.
    counts = wait_until(first_tokens)
    assert {key: counts[key] for key in counts if ("model", "over/one") not in key} == {
        labels(model=f"sim/{name}", provider=name): 3 for name in PROVIDERS
    }


def test_a_cancelled_request_is_counted(start_gateway, simulator):
    gateway = start_gateway(config(simulator))
    with HTTP.stream("POST", f"{gateway.url}/v1/chat/completions", content=chat_body("slow/one", stream=True)) as response:
        next(response.iter_bytes())
    receipt = gateway.receipt(response.headers["x-generation-id"])
    key = labels(model="slow/one", provider="anthropic", outcome="cancelled")
    assert wait_until(lambda: samples(gateway)["crosspoint_requests"].get(key) == 1)
    tokens = samples(gateway)["crosspoint_tokens"]
    assert tokens[labels(model="slow/one", provider="anthropic", type="output")] == receipt["tokens"]["completion"] > 0


@pytest.fixture(scope="module")
def redacting(module_gateway, simulator):
    rules = [
        {"pattern": "[a-z]+@[a-z]+\\.example", "mask": "[mail]"},
        {"literal": "naïve words follow", "mask": "***"},
        {"pattern": "[0-9]{4} [0-9]{4} [0-9]{4}", "mask": "[card]"},
    ]
    return module_gateway(config(simulator, middleware=[{"redact": {"rules": rules}}]))


@ways
@pytest.mark.parametrize("model", ["sim/openai", "sim/anthropic", "sim/bedrock", "one/byte"])
def test_what_is_redacted_straddles_deltas(redacting, model, streamed):
    """The simulator sends each word by itself, so a phrase of three stands in three deltas."""
    text = "mail bob@corp.example or 1234 5678 9012 now"
    reply = talk(sdk(redacting), streamed, model=model, messages=[{"role": "user", "content": text}])
    assert reply.text == "You said: mail [mail] or [card] now and *** —"[: len(reply.text)]
    assert "bob" not in reply.text and "5678" not in reply.text and "naïve" not in reply.text
    assert reply.finish == "stop"
    assert redacting.receipt(reply.id)["tokens"]["completion_source"] == "provider"


@ways
def test_what_merely_begins_like_it_is_not_lost(redacting, streamed):
    text = "bob@corp 1234 5678"
    reply: Reply = talk(sdk(redacting), streamed, model="sim/anthropic", messages=[{"role": "user", "content": text}])
    assert reply.text.startswith("You said: bob@corp 1234 5678 and ***")


def test_a_cut_stream_gives_out_what_was_held_back(redacting):
    """The last words may be the beginning of a match; they come all the same when nothing follows."""
    reply, _ = stream(redacting, "sim/bedrock", "x", stop=" follow")
    assert reply.text == "You said: x and naïve words"
