"""Endpoints that accept and say nothing: each has a deadline of its own, and clients that wait may be told so.

The filter looks at what waits every half second. What comes at a deadline may come later by that, and by what a busy
machine adds, which is a lot less than `LATE`; who kept to another deadline, or to none, would come later than `LATE`.
"""

import json
import time

import judges
import pytest
from clients import RawClient, chat_body, endpoint, sdk, stream, talk

LATE = 8.0
# Envoy sets its timers from the time at which its loop woke, which is a little before an attempt's clock begins.
EARLY = 0.05
COMMENT = b": crosspoint processing\n\n"

# The three kinds of silence, and the provider's status in the receipt.
SILENT = {"no_headers": None, "silent": 200, "keep_alive=100": 200}


def within(seconds: str) -> dict:
    return {"timeouts": {"first_token": seconds}}


def kind(directives: str) -> str:
    return directives.partition("=")[0]


@pytest.fixture(scope="module")
def config(simulator):
    models = {
        f"{kind(directives)}/first": [
            endpoint("openai", f"gpt-4o!{directives}", **within("700ms")),
            endpoint("anthropic", "claude-sonnet-4-5", **within("3s")),
        ]
        for directives in SILENT
    }
    for directives in SILENT:
        # Its neighbour may take far longer.
        longer = "6s" if directives == "no_headers" else "20s"
        models[f"{kind(directives)}/uneven"] = [
            endpoint("openai", f"gpt-4o!{directives};tokens=3", **within("500ms")),
            endpoint("anthropic", "claude-sonnet-4-5!token_delay=2500;tokens=1", **within(longer)),
        ]
        models[f"{kind(directives)}/alone"] = [endpoint("openai", f"gpt-4o!{directives};tokens=2", **within("900ms"))]
    return {
        "providers": simulator.providers(),
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        "timeouts": {"first_token": "40s", "total": "60s"},
    }


@pytest.fixture(scope="module")
def gateway(module_gateway, config):
    return module_gateway(config)


ORDER = {"provider": {"order": ["openai", "anthropic"]}}


def timed(work):
    begin = time.monotonic()
    return work(), time.monotonic() - begin


def lines(receipt):
    return [(line["provider"], line["outcome"], line.get("error_type")) for line in receipt["attempts"]]


@pytest.mark.parametrize("directives", SILENT)
def test_silence_moves_on_within_the_deadline(gateway, directives):
    reply, _ = stream(gateway, f"{kind(directives)}/first", "hello there", **ORDER)
    assert reply.text.startswith("You said: hello there") and reply.finish == "stop"
    receipt = gateway.receipt(reply.id)
    # Where no headers come, at that of the neighbour.
    deadline = 3000 if directives == "no_headers" else 700
    assert deadline - EARLY * 1000 <= receipt["attempts"][0]["duration_ms"] < deadline + LATE * 1000
    assert receipt["outcome"] == "success" and receipt["provider"] == "anthropic"
    assert lines(receipt) == [("openai", "error", "timeout"), ("anthropic", "success", None)]
    assert receipt["attempts"][0].get("status") == SILENT[directives]


@pytest.mark.parametrize("directives", ["silent", "keep_alive=100"])
def test_an_endpoint_whose_headers_came_has_a_deadline_of_its_own(gateway, directives):
    """And the slow one behind it is not cut at the deadline of the fast one."""
    (reply, _), took = timed(lambda: stream(gateway, f"{kind(directives)}/uneven", **ORDER))
    assert reply.finish == "stop"
    assert 0.5 + 2.5 - EARLY <= took < 0.5 + 2.5 + LATE, took
    receipt = gateway.receipt(reply.id)
    assert lines(receipt) == [("openai", "error", "timeout"), ("anthropic", "success", None)]
    assert 500 - EARLY * 1000 <= receipt["attempts"][0]["duration_ms"] < 500 + LATE * 1000
    assert receipt["attempts"][1]["first_token_ms"] >= 2400


def test_an_endpoint_without_headers_is_left_at_the_longest_deadline_of_the_plan(gateway):
    (reply, _), took = timed(lambda: stream(gateway, "no_headers/uneven", **ORDER))
    assert reply.finish == "stop"
    assert 6 + 2.5 - EARLY <= took < 6 + 2.5 + LATE, took
    assert lines(gateway.receipt(reply.id)) == [("openai", "error", "timeout"), ("anthropic", "success", None)]


@pytest.mark.parametrize("directives", SILENT)
def test_silence_of_the_only_endpoint_is_one_clean_error(gateway, directives):
    response, took = timed(lambda: gateway.chat(f"{kind(directives)}/alone", stream=True))
    assert response.status_code == 504, response.text
    # Its clock began before ours.
    assert 0.8 <= took < 0.9 + LATE, took
    assert judges.error(response.json())["metadata"]["error_type"] == "timeout"
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert (receipt["outcome"], receipt["status"], receipt["error_type"]) == ("error", 504, "timeout")
    assert lines(receipt) == [("openai", "error", "timeout")]


def test_a_refused_retry_is_one_clean_error(start_gateway, config):
    def patch(tree):
        for cluster in tree["static_resources"]["clusters"]:
            cluster["circuit_breakers"]["thresholds"][0]["max_retries"] = 0

    gateway = start_gateway(config, patch=patch)
    for directives in ("silent", "keep_alive=100"):
        response, took = timed(lambda: gateway.chat(f"{kind(directives)}/uneven", stream=True, **ORDER))
        assert response.status_code == 504, response.text
        assert took < 0.5 + LATE, took
        assert judges.error(response.json())["metadata"]["error_type"] == "timeout"
        receipt = gateway.receipt(response.headers["x-generation-id"])
        assert (receipt["outcome"], receipt["status"]) == ("error", 504)
        assert lines(receipt) == [("openai", "error", "timeout")]


@pytest.mark.parametrize("directives", SILENT)
def test_a_silent_endpoint_is_left_by_both_workers(start_gateway, config, simulator, directives):
    """It is asked by at most those who came before its deadline, and the others see nothing of it."""
    endpoints = [
        {**endpoint("openai", f"gpt-4o!{directives};tokens=7", **within("500ms")), "price": {"prompt": "0.01", "completion": "0"}},
        endpoint("anthropic", "claude-sonnet-4-5", **within("3s")),
    ]
    gateway = start_gateway({**config, "models": {"m": {"endpoints": endpoints}}})
    simulator.reset()
    clients = [RawClient(gateway) for _ in range(6)]
    for client in clients:
        client.request(chat_body("m", stream=True), "connection: close")
    for client in clients:
        assert b"[DONE]" in client.read_all()
    # The copy of the record that a worker may plan with.
    time.sleep(0.2)
    asked = len(simulator.requests("openai"))
    assert 1 <= asked <= 6
    replies = [stream(gateway, "m")[0] for _ in range(20)]
    assert len(simulator.requests("openai")) == asked
    for reply in replies:
        assert lines(gateway.receipt(reply.id)) == [("anthropic", "success", None)]


def test_history_shortens_the_deadline_and_what_is_slow_but_alive_is_not_cut(start_gateway, config, simulator):
    endpoints = [endpoint("openai", "gpt-4o!tokens=1"), endpoint("anthropic", "claude-sonnet-4-5!tokens=1")]
    timeouts = {"first_token": "40s", "adaptive": {"factor": 3, "min": "3s"}}
    gateway = start_gateway({**config, "models": {"m": {"endpoints": endpoints}}, "timeouts": timeouts})
    for name in ("openai", "anthropic"):
        for _ in range(22):
            stream(gateway, "m", provider={"order": [name]})
    # Two ticks: what went well is written by tick.
    time.sleep(1)
    try:
        for directives in SILENT:
            simulator.reset()
            simulator.fault("openai", directives)
            (reply, _), took = timed(lambda: stream(gateway, "m", **ORDER))
            assert lines(gateway.receipt(reply.id)) == [("openai", "error", "timeout"), ("anthropic", "success", None)]
            assert 3 - EARLY <= took < 3 + LATE, (directives, took)
        simulator.reset()
        simulator.fault("openai", "first_delay=1500;tokens=1")
        reply, _ = stream(gateway, "m", **ORDER)
        assert lines(gateway.receipt(reply.id)) == [("openai", "success", None)]
    finally:
        simulator.reset()


@pytest.fixture(scope="module")
def waiting(module_gateway, config):
    """Comments after one second, and every second."""
    slow = {
        "comes": "token_delay=3600;tokens=1", "errs": "keep_alive=100", "stays": "silent",
        "cut": "stall_at=1;token_delay=3600;tokens=2",
    }
    models = {
        f"wait/{name}": {"endpoints": [
            endpoint("openai", f"gpt-4o!{directives}", **within("40s" if name == "comes" else "5s")),
            endpoint("anthropic", "claude-sonnet-4-5"),
        ]}
        for name, directives in slow.items()
    }
    timeouts = {"first_token": "40s", "total": "60s",
                "waiting_comment": {"after": "1s", "early": True}}
    return module_gateway({**config, "models": models, "timeouts": timeouts})


def arrivals(gateway, model: str) -> tuple[bytes, list]:
    """The whole response, and when each comment came."""
    with RawClient(gateway) as client:
        begin, received, times = time.monotonic(), b"", []
        client.request(chat_body(model, stream=True, **ORDER), "connection: close")
        while piece := client.socket.recv(65536):
            received += piece
            if COMMENT in piece:
                times.append(time.monotonic() - begin)
        return received, times


def test_comments_come_on_time_and_the_answer_follows(waiting):
    received, times = arrivals(waiting, "wait/comes")
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"text/event-stream" in head
    # The last one may be due when the answer comes.
    assert len(times) in (2, 3) and all(at <= came for at, came in enumerate(times, 1)), times
    assert b"[DONE]" in body and b'"stop"' in body and b"error" not in body
    (identity,) = [line.split(b": ")[1].decode() for line in head.split(b"\r\n") if line.startswith(b"x-generation-id")]
    receipt = waiting.receipt(identity)
    assert (receipt["outcome"], receipt["status"], receipt["provider"]) == ("success", 200, "openai")
    assert lines(receipt) == [("openai", "success", None)]
    assert 3500 <= receipt["first_token_ms"] < 3600 + LATE * 1000
    assert receipt["tokens"]["completion_source"] == "provider"


def test_the_sdk_passes_comments_over(waiting):
    reply = talk(sdk(waiting), True, model="wait/comes", messages=[{"role": "user", "content": "hello"}],
                 extra_body=ORDER)
    assert reply.text and reply.finish == "stop" and reply.usage


def test_what_misses_its_deadline_after_comments_ends_in_an_error_event(waiting):
    received, times = arrivals(waiting, "wait/errs")
    head, _, _ = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and len(times) >= 3, times
    event = received[received.index(b"data: "):].split(b"\n")[0][6:]
    chunk = json.loads(event)
    assert chunk["choices"][0]["finish_reason"] == "error"
    assert chunk["error"]["metadata"]["error_type"] == "timeout", chunk
    (identity,) = [line.split(b": ")[1].decode() for line in head.split(b"\r\n") if line.startswith(b"x-generation-id")]
    receipt = waiting.receipt(identity)
    assert (receipt["outcome"], receipt["status"], receipt["error_type"]) == ("error", 200, "timeout")
    assert lines(receipt) == [("openai", "error", "timeout")]
    assert receipt["cost_pico_usd"] == 0 and "tokens" not in receipt


def test_the_sdk_reads_the_error_after_comments(waiting):
    openai = pytest.importorskip("openai")
    with pytest.raises(openai.APIError) as told:
        talk(sdk(waiting), True, model="wait/errs", messages=[{"role": "user", "content": "hello"}], extra_body=ORDER)
    assert "first token" in str(told.value)


def test_where_no_body_has_begun_the_chance_of_a_failover_is_kept(waiting):
    reply, _ = stream(waiting, "wait/stays", **ORDER)
    assert lines(waiting.receipt(reply.id)) == [("openai", "error", "timeout"), ("anthropic", "success", None)]


def test_a_client_that_leaves_after_comments(waiting):
    with RawClient(waiting) as client:
        client.request(chat_body("wait/errs", stream=True, **ORDER))
        received = client.read_until(COMMENT)
    (identity,) = [line.split(b": ")[1].decode() for line in received.split(b"\r\n") if line.startswith(b"x-generation-id")]
    receipt = waiting.receipt(identity)
    assert receipt["outcome"] == "cancelled" and lines(receipt) == [("openai", "cancelled", None)]
