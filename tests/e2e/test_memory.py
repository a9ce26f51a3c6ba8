"""What workers hold: bodies that add up to several times their memory, at endpoints that are slow or do not end.

No VM may die of it (the gateway is looked over when it stops), and ordinary requests and streams go on.
"""

import contextlib
import json
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from clients import RawClient, assert_nothing_left, chat_body, endpoint, serves
from harness import PATIENCE, wait_until
from providers import MIB, Provider

# One below the rendered cap of 32 MiB.
LONG = 30 * MIB
# 2 GiB at each of two workers.
CLIENTS = 140


@pytest.fixture(scope="module")
def only_provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(only_provider):
    only_provider.may_answer.clear()
    only_provider.asked = 0
    yield only_provider
    only_provider.may_answer.set()


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator, only_provider):
    providers = {
        "slow": {"dialect": "openai-chat", "base_url": only_provider.base_url("slow/v1")},
        "endless": {"dialect": "openai-chat", "base_url": only_provider.base_url("endless/v1")},
        **simulator.providers(),
    }
    return module_gateway({
        "providers": providers,
        "models": {
            # The second one is why the request is held while the first one is waited for.
            "m/slow": {"endpoints": [endpoint("slow", "m"), endpoint("anthropic", "claude-sonnet-4-5", quantization="fp8")]},
            "m/endless": {"endpoints": [endpoint("endless", "m")]},
            "m/good": {"endpoints": [endpoint("openai", "gpt-4o")]},
            "m/paced": {"endpoints": [endpoint("openai", "gpt-4o!tokens=3000;token_delay=100")]},
        },
    })


class Stream:
    """A paced stream, read by a thread of its own: when pieces of it came."""

    def __init__(self, gateway):
        self.client = RawClient(gateway, timeout=PATIENCE)
        self.client.request(chat_body("m/paced", stream=True, max_tokens=3000))
        self.client.read_until(b"data:")
        self.arrivals = [time.monotonic()]
        self.stopped = self.cut = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with contextlib.suppress(OSError):
            while self.client.socket.recv(65536):
                self.arrivals.append(time.monotonic())
        self.cut = not self.stopped

    def stop(self):
        seen = len(self.arrivals)
        goes_on = wait_until(lambda: self.cut or len(self.arrivals) > seen)
        assert goes_on and not self.cut, "the stream was cut"
        self.stopped = True
        self.client.socket.shutdown(socket.SHUT_RDWR)
        self.reader.join()


@contextlib.contextmanager
def streams(gateway):
    """Eight streams, which reach both workers, go on all the while, and ordinary requests are served."""
    running = [Stream(gateway) for _ in range(8)]
    try:
        yield
        assert serves(gateway, "m/good")
    finally:
        for stream in running:
            stream.stop()


def images(model, size):
    """A request with five images that are `size` bytes of base64 together."""
    url = "data:image/png;base64," + "iVBORw0K" * (size // 5 // 8)
    parts = [{"type": "text", "text": "What are these?"}] + [{"type": "image_url", "image_url": {"url": url}}] * 5
    order = {"order": ["slow", "anthropic"]} if model == "m/slow" else {}
    return json.dumps({"model": model, "messages": [{"role": "user", "content": parts}], "provider": order}).encode()


def post(gateway, body, declared=True):
    """The head and the body of what comes back, whether or not all was sent; None where it was lost with the connection."""
    with RawClient(gateway, timeout=2 * PATIENCE) as client:
        length = f"content-length: {len(body)}" if declared else "transfer-encoding: chunked"
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{length}\r\nconnection: close\r\n\r\n"
        with contextlib.suppress(OSError):
            client.send(head.encode())
            if declared:
                # A refusal comes before anything of the body is sent, as a rule.
                client.socket.settimeout(random.uniform(0.05, 0.3))
                with contextlib.suppress(TimeoutError):
                    if client.socket.recv(1, socket.MSG_PEEK):
                        return read(client)
                client.socket.settimeout(2 * PATIENCE)
            view = memoryview(body)
            for at in range(0, len(body), MIB):
                piece = view[at:at + MIB]
                client.send(piece) if declared else client.send(f"{len(piece):x}\r\n".encode(), piece, b"\r\n")
            if not declared:
                client.send(b"0\r\n\r\n")
        return read(client)


def read(client):
    with contextlib.suppress(OSError):
        head, _, body = client.read_all().partition(b"\r\n\r\n")
        return head.decode() if not head else (head.decode(), body)
    return None


def judge(replies, allowed):
    """How many came with each status; a refusal says when to come again."""
    statuses = {}
    for reply in replies:
        status = None
        if reply:
            head, body = reply
            status = int(head.split(" ")[1])
            if status == 429:
                assert "retry-after: 5" in head
                assert b'"error_type":"gateway_full"' in body, body[:300]
        statuses[status] = statuses.get(status, 0) + 1
    assert set(statuses) <= {*allowed, None}, statuses
    return statuses


def refusals(gateway):
    return gateway.stats().get("wasmcustom.crosspoint.memory_refusals", 0)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_requests_of_4_gib_wait_at_a_slow_endpoint(gateway, provider, declared):
    body = images("m/slow", LONG)
    before = refusals(gateway)
    with streams(gateway), ThreadPoolExecutor(CLIENTS) as pool:
        waiting = [pool.submit(post, gateway, body, declared) for _ in range(CLIENTS)]
        # Many are refused before any of those that wait is answered.
        assert wait_until(lambda: provider.asked >= 12 and sum(one.done() for one in waiting) > 40)
        assert serves(gateway, "m/good")
        held = provider.asked
        provider.may_answer.set()
        statuses = judge((one.result() for one in waiting), [200, 429])
    assert statuses[200] >= held >= 12, statuses
    assert refusals(gateway) - before == CLIENTS - statuses[200] > 0
    assert_nothing_left(gateway)


def test_answers_of_2_gib_do_not_end(gateway, provider):
    body = chat_body("m/endless")
    with streams(gateway), ThreadPoolExecutor(70) as pool:
        waiting = [pool.submit(post, gateway, body) for _ in range(70)]
        # Those for which there is no room are answered though their provider does not end.
        assert wait_until(lambda: provider.asked == 70 and sum(one.done() for one in waiting) >= 20)
        assert serves(gateway, "m/good")
        provider.may_answer.set()
        statuses = judge((one.result() for one in waiting), [429, 502])
    assert statuses[429] >= 20 and statuses[502] >= 12, statuses
    assert_nothing_left(gateway)


def test_requests_of_30_mib_of_members_are_refused_one_after_the_other(gateway):
    member = b'"a":1,'
    body = b"{" + member * (LONG // len(member)) + b'"model":"m/good"}'
    with streams(gateway), ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(post, gateway, body) for _ in range(6)]
        statuses = judge((one.result() for one in waiting), [400, 429])
    assert statuses[400] >= 1, statuses
    assert_nothing_left(gateway)
