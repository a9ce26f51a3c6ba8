"""Buffered requests at endpoints that accept them and say nothing.

`timeouts.total` is shared by the attempts that are possible: 8 s are 4 s for each of two.
"""

import json
import time

import judges
import pytest
from clients import RawClient, chat_body, endpoint, sdk, talk

# What comes at a deadline comes with the next tick, later on a busy machine; without it, `timeouts.total` ends the wait.
LATE = 3.5
# Envoy sets its timers from the time at which its loop woke.
EARLY = 0.1
ORDER = {"provider": {"order": ["openai", "anthropic"]}}


@pytest.fixture(scope="module")
def config(simulator):
    good = "claude-sonnet-4-5"
    models = {
        # The last one takes longer than Envoy's deadline for an attempt, if not to its first token.
        "fails/slow": [endpoint("openai", "gpt-4o!status=500"), endpoint("anthropic", f"{good}!token_delay=400;tokens=12")],
        "silent/good": [endpoint("openai", "gpt-4o!no_headers;tokens=6"), endpoint("anthropic", good)],
        "headers/good": [endpoint("openai", "gpt-4o!silent;tokens=2"), endpoint("anthropic", good)],
        "silent/silent": [endpoint("openai", "gpt-4o!no_headers;tokens=3"), endpoint("anthropic", f"{good}!no_headers;tokens=3")],
        "slow/alone": [endpoint("openai", "gpt-4o!delay=5000;tokens=4")],
        "again/good": [endpoint("openai", "gpt-4o!no_headers;tokens=5", timeouts={"first_token": "700ms"}), endpoint("anthropic", good)],
        "always/breaks": [endpoint("openai", "gpt-4o!error_at=3;tokens=9;token_delay=100", stream_upstream="always"), endpoint("anthropic", good)],
        "always/stalls": [endpoint("openai", "gpt-4o!stall_at=3;tokens=9", stream_upstream="always"), endpoint("anthropic", good)],
    }
    for provider, model in {"openai": "gpt-4o", "anthropic": good, "bedrock": "anthropic.claude-sonnet-4-5-v1:0", "gemini": "gemini-2.5-flash"}.items():
        for mode in ("always", "never"):
            models[f"{mode}/{provider}"] = [endpoint(provider, f"{model}!tokens=20", stream_upstream=mode)]
    return {
        "providers": simulator.providers(),
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        "timeouts": {"total": "8s", "stall": "3s"},
    }


@pytest.fixture(scope="module")
def gateway(module_gateway, config):
    return module_gateway(config)


def timed(gateway, model, **more):
    begin = time.monotonic()
    response = gateway.chat(model, **{**ORDER, **more})
    return response, time.monotonic() - begin


def lines(receipt):
    return [(line["provider"], line["outcome"], line.get("error_type")) for line in receipt["attempts"]]


FAILED_OVER = [("openai", "error", "timeout"), ("anthropic", "success", None)]


def test_the_last_endpoint_is_not_cut_at_the_deadline_of_an_attempt(gateway):
    response, took = timed(gateway, "fails/slow")
    assert response.status_code == 200, response.text
    assert 4.3 <= took < 8, took
    body = response.json()
    judges.answer(body)
    assert body["object"] == "chat.completion" and body["choices"][0]["finish_reason"] in ("stop", "length")
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert [line[:2] for line in lines(receipt)] == [("openai", "error"), ("anthropic", "success")]
    assert receipt["tokens"]["completion_source"] == "provider"


def test_an_endpoint_without_headers_is_left_after_its_share(gateway):
    response, took = timed(gateway, "silent/good")
    assert response.status_code == 200 and 4 - EARLY <= took < 4 + LATE, took
    assert lines(gateway.receipt(response.headers["x-generation-id"])) == FAILED_OVER


def test_an_endpoint_that_sent_headers_only_is_left_at_its_own_deadline(gateway):
    response, took = timed(gateway, "headers/good")
    assert response.status_code == 200 and 4 - EARLY <= took < 4 + LATE, took
    assert lines(gateway.receipt(response.headers["x-generation-id"])) == FAILED_OVER


def test_when_all_are_silent_there_is_one_clean_error(gateway):
    response, took = timed(gateway, "silent/silent")
    assert response.status_code == 504 and took < 8 + LATE, took
    assert judges.error(response.json())["metadata"]["error_type"] == "timeout"
    assert [line[1:] for line in lines(gateway.receipt(response.headers["x-generation-id"]))] == [("error", "timeout")] * 2


def test_the_only_endpoint_has_all_the_time(gateway):
    response, took = timed(gateway, "slow/alone", provider={})
    assert response.status_code == 200 and took >= 5
    assert lines(gateway.receipt(response.headers["x-generation-id"])) == [("openai", "success", None)]


def test_an_endpoint_that_was_silent_is_left_at_the_deadline_for_a_first_token(gateway, simulator):
    first, took = timed(gateway, "again/good")
    assert first.status_code == 200 and took >= 3.9, took
    time.sleep(1)
    simulator.reset()
    second, took = timed(gateway, "again/good")
    # Envoy's deadline is the longest one of the plan, which is the last endpoint's share now.
    assert second.status_code == 200 and took < 4 + LATE, took
    assert [json.loads(request["body_text"]).get("stream") for request in simulator.requests("openai")] == [True]
    assert lines(gateway.receipt(second.headers["x-generation-id"])) == FAILED_OVER


@pytest.mark.parametrize("provider", ["openai", "anthropic", "bedrock", "gemini"])
def test_a_folded_answer_is_the_buffered_one(gateway, provider):
    folded, buffered = (
        gateway.chat(f"{mode}/{provider}", "hello there").json() for mode in ("always", "never")
    )
    for body in (folded, buffered):
        judges.answer(body)
    one, other = (body["choices"][0] for body in (folded, buffered))
    assert one["message"]["content"] == other["message"]["content"]
    assert one["finish_reason"] == other["finish_reason"]
    for name in ("prompt_tokens", "completion_tokens", "total_tokens", "cost"):
        assert folded["usage"][name] == buffered["usage"][name], name


def test_the_sdk_reads_a_folded_answer(gateway):
    reply = talk(sdk(gateway), False, model="always/openai", messages=[{"role": "user", "content": "hello"}])
    assert reply.text and reply.finish in ("stop", "length") and reply.usage


def test_a_stall_after_the_first_token_breaks_the_connection_behind_the_document(gateway):
    """Envoy lets no filter end an answer that its provider has not ended."""
    with RawClient(gateway, 20) as client:
        client.request(chat_body("always/stalls", **ORDER))
        received = client.read_all()
    assert received.startswith(b"HTTP/1.1 200") and b'"error_type":"timeout"' in received
    assert not received.endswith(b"0\r\n\r\n")


def test_an_error_after_the_first_token_stands_in_the_document(gateway):
    response, took = timed(gateway, "always/breaks")
    assert response.status_code == 200 and took < 5
    body = response.json()
    assert body["choices"][0]["finish_reason"] == "error" and body["choices"][0]["message"]["content"]
    assert body["error"]["metadata"]["error_type"]
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] == "cut" and lines(receipt)[0][0] == "openai"
