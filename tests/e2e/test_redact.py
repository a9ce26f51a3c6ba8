"""The redact middleware, in a real Envoy."""

import pytest
from clients import Reply, endpoint, sdk, stream, talk

PROVIDERS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "bedrock": "anthropic.claude-sonnet-4-5-v1:0"}

ways = pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])


def config(simulator, **more):
    models = {f"sim/{name}": [endpoint(name, model)] for name, model in PROVIDERS.items()}
    models["one/byte"] = [endpoint("bedrock", f"{PROVIDERS['bedrock']}!chunk=1")]
    return {
        "providers": simulator.providers(),
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        **more,
    }


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
