"""Bodies of all sizes, with the limits that we render and with Envoy's own: served, or refused cleanly."""

import contextlib
import itertools
import json
import socket
import threading
import time

import httpx
import judges
import pytest
from clients import RawClient, assert_nothing_left, chat_body, endpoint, events, serves
from harness import HTTP, SIMULATED, wait_until

MIB = 1 << 20
MEMORY = "wasmcustom.crosspoint.memory_bytes"
SIZES = {"2": 2 * MIB, "40": 40 * MIB}
# One of each way to frame a stream.
FRAMINGS = ("openai", "bedrock", "ollama")

providers = pytest.mark.parametrize("provider", SIMULATED)
ways = pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])


@pytest.fixture(scope="module")
def config(simulator):
    kinds = {"plain": "", **{name: f"!bytes={size}" for name, size in SIZES.items()}, "many": "!tokens=30000"}
    return {
        "providers": simulator.providers(),
        "models": {
            f"{provider}/{kind}": {"endpoints": [endpoint(provider, f"{model}{directives}")]}
            for provider, model in SIMULATED.items()
            for kind, directives in kinds.items()
        } | {"over/big": {"endpoints": [endpoint("anthropic", f"claude-sonnet-4-5!bytes={40 * MIB};times=1000000"),
                                        endpoint("openai", "gpt-4o")]}},
    }


@pytest.fixture(scope="module")
def rendered(module_gateway, config):
    """What `render` makes: caps of 32 MiB, and Envoy's limits above them."""
    return module_gateway(config)


@pytest.fixture(scope="module")
def default(module_gateway, config):
    """A configuration made by hand: no limit is named anywhere, so Envoy's are 1 MiB and ours a little less."""

    def patch(tree):
        (listener,) = tree["static_resources"]["listeners"]
        del listener["per_connection_buffer_limit_bytes"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
        del route["request_body_buffer_limit"]
        gateway = manager["http_filters"][0]["typed_config"]["config"]["configuration"]
        value = json.loads(gateway["value"])
        del value["config"]["limits"]
        gateway["value"] = json.dumps(value)

    return module_gateway(config, patch=patch)


@pytest.fixture(params=["rendered", "default"])
def gateway(request):
    return request.getfixturevalue(request.param)


def ask(gateway, model, size, stream=False, chunked=False):
    body = chat_body(model, "a" * size, stream=stream)
    content = (body[at:at + 65536] for at in range(0, len(body), 65536)) if chunked else body
    try:
        return HTTP.post(f"{gateway.url}/v1/chat/completions", content=content)
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        # Envoy answers before the body is there, and closes; the answer may be lost with what was still being sent.
        return None


def assert_clean(response, status):
    assert response.status_code == status, response.text[:500]
    if status == 413 and response.text == "Payload Too Large":
        # Envoy's own: the piece that it read at once was larger than its limit, and no filter is asked about that.
        return "payload_too_large"
    return judges.error(response.json())["metadata"]["error_type"]


# How it comes is the same to every format.
@ways
@pytest.mark.parametrize(
    ("provider", "chunked"), [*((name, False) for name in SIMULATED), *((name, True) for name in FRAMINGS)]
)
def test_a_request_of_5_mb(rendered, default, simulator, provider, streamed, chunked):
    simulator.reset()
    response = ask(rendered, f"{provider}/plain", 5 * MIB, streamed, chunked)
    assert response.status_code == 200, response.text
    (recorded,) = simulator.requests(provider)
    assert recorded["body_text"].count("a" * 5 * MIB) == 1
    assert dict(recorded["headers"])["content-length"] == str(len(recorded["body_text"]))
    response = ask(default, f"{provider}/plain", 5 * MIB, streamed, chunked)
    if response is not None:
        assert assert_clean(response, 413) == "payload_too_large"
    assert len(simulator.requests(provider)) == 1
    assert serves(default, f"{provider}/plain")


def images(model, size, stream):
    """A request with five images that are `size` bytes of base64 together."""
    url = "data:image/png;base64," + "iVBORw0K" * (size // 5 // 8)
    parts = [{"type": "text", "text": "What are these?"}] + [{"type": "image_url", "image_url": {"url": url}}] * 5
    return json.dumps({"model": model, "messages": [{"role": "user", "content": parts}], "stream": stream}).encode()


def memory(gateway):
    """What the filter's VM has taken, as of its next report: one comes every half second."""
    seen = []
    wait_until(lambda: seen.append(gateway.stats().get(MEMORY, 0)), seconds=1.2, pause=0.1)
    return max(seen)


def test_a_request_of_20_mb_of_images_takes_little_memory(start_gateway, simulator):
    """At most 2.5 times its size, whatever the formats, and nothing more for those that follow. Other streams go on."""
    size = 20_000_000
    config = {
        "providers": simulator.providers(),
        "models": {f"{name}/big": {"endpoints": [endpoint(name, model)]} for name, model in SIMULATED.items()} | {
            "every/big": {"endpoints": [endpoint(name, model) for name, model in SIMULATED.items()]},
            "openai/slow": {"endpoints": [endpoint("openai", "gpt-4o!tokens=6000;token_delay=50")]},
        },
    }
    gateway = start_gateway(config, concurrency=1)
    serves(gateway, "openai/big")
    before = memory(gateway)

    def ask_big(model, stream):
        response = HTTP.post(f"{gateway.url}/v1/chat/completions", content=images(model, size, stream))
        assert response.status_code == 200, response.text[:500]

    with RawClient(gateway) as other:
        other.request(chat_body("openai/slow", stream=True))
        other.read_until(b"data:")
        arrivals = []
        reader = threading.Thread(target=lambda: arrivals.extend(arrivals_of(other)), daemon=True)
        reader.start()
        ask_big("anthropic/big", False)
        once = memory(gateway)
        assert once - before <= 2.5 * size, f"{(once - before) / size:.2f} times its size"
        for model in (*(f"{name}/big" for name in SIMULATED), "every/big"):
            for stream in (False, True):
                ask_big(model, stream)
        assert memory(gateway) == once
        other.socket.shutdown(socket.SHUT_RDWR)
        reader.join()
    # Some tens of milliseconds each; the rest is for a machine that is busy otherwise. All of them take a lot longer.
    assert max(later - sooner for sooner, later in itertools.pairwise(arrivals)) < 8
    assert_nothing_left(gateway)


def arrivals_of(client):
    """When pieces of an answer came, until it ended or was cut off from here."""
    with contextlib.suppress(ConnectionResetError):
        while client.socket.recv(65536):
            yield time.monotonic()


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_request_of_40_mb(gateway, chunked):
    response = ask(gateway, "anthropic/plain", 40 * MIB, chunked=chunked)
    if response is not None:
        assert assert_clean(response, 413) == "payload_too_large"
    assert serves(gateway, "anthropic/plain")


def test_a_declared_length_that_is_too_large_is_refused_before_it_is_sent(gateway):
    with RawClient(gateway) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
        head = client.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("size", [900, 959, 960, 1020, 1024, 1030])
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_requests_about_the_default_limit(default, provider, size):
    for stream in (False, True):
        response = ask(default, f"{provider}/plain", size * 1024, stream)
        # The provider says what it was told, which may be too long as an answer.
        assert response.status_code in (200, 413, 502), response.text[:500]
        if response.status_code != 200:
            assert_clean(response, response.status_code)
            assert size >= 959


@pytest.mark.parametrize("size", [900, 950, 960, 1000, 1023, 1024, 1100])
def test_answers_about_the_default_limit(default, simulator, size):
    """Writing more than Envoy's limit into a held body would crash Envoy."""
    for provider in SIMULATED:
        simulator.fault(provider, f"bytes={size * 1024}")
        for stream in (False, True):
            response = default.chat(f"{provider}/plain", stream=stream)
            if response.status_code == 200:
                assert text_of(response, stream) == "x" * (size * 1024)
            else:
                assert_clean(response, 502)
                assert size >= 900
    simulator.reset()
    assert serves(default, "openai/plain")


def text_of(response, streamed):
    if not streamed:
        body = response.json()
        judges.answer(body)
        return body["choices"][0]["message"]["content"]
    parts = [event["choices"][0]["delta"].get("content") or ""
             for event in events(response.content)[:-1] if event["choices"]]
    return "".join(parts)


@ways
@pytest.mark.parametrize(
    ("provider", "size"), [*((name, "2") for name in SIMULATED), *((name, "40") for name in FRAMINGS)]
)
def test_an_answer_in_one_piece(gateway, rendered, simulator, provider, streamed, size):
    """A buffered answer, and a stream with one giant event."""
    response = gateway.chat(f"{provider}/{size}", stream=streamed)
    receipt = gateway.receipt(response.headers["x-generation-id"])
    if gateway is rendered and size == "2":
        assert response.status_code == 200, response.text[:500]
        assert text_of(response, streamed) == "x" * SIZES[size]
        assert receipt["outcome"] == "success"
    else:
        assert assert_clean(response, 502) == "provider_unavailable"
        assert "limits.response_body" in response.json()["error"]["message"]
        assert receipt["outcome"] == "error"
    assert serves(gateway, f"{provider}/plain")


@providers
def test_a_long_stream_needs_no_limit(gateway, default, provider):
    """What is bounded is one event, not the length of the answer: this one is longer than every buffer."""
    response = gateway.chat(f"{provider}/many", stream=True, max_tokens=50000)
    assert response.status_code == 200
    assert len(response.content) > MIB
    assert len(text_of(response, True).split()) == 30000
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] == "success" and receipt["tokens"]["completion"] == 30000


def test_a_client_that_reads_slowly(gateway, default):
    """Envoy's back pressure reaches the provider; nothing piles up and nothing is lost."""
    with RawClient(gateway) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.request(chat_body("anthropic/many", stream=True, max_tokens=50000), "connection: close")
        head = client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        received = client.read_all()
    assert received.endswith(b"0\r\n\r\n")
    assert b"data: [DONE]" in received[-100:]


def test_an_oversized_answer_fails_over(gateway):
    response = gateway.chat("over/big", provider={"order": ["anthropic", "openai"]})
    assert response.status_code == 200
    assert response.headers["x-crosspoint-provider"] == "openai"


def test_headers_that_are_too_large(gateway):
    with RawClient(gateway) as client:
        client.request(chat_body("openai/plain"), "connection: close", "x-large: " + "a" * 100_000)
        assert client.read_all().startswith(b"HTTP/1.1 431")
    assert serves(gateway, "openai/plain")


def test_nothing_is_left_open(gateway):
    assert_nothing_left(gateway)
