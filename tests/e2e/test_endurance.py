"""What must not bring Envoy down: a thousand requests, providers that die, noise from either side.

E2E_GARBAGE_SECONDS is how long the noise lasts (20; minutes for a thorough run), E2E_SEED what it is made of.
"""

import json
import os
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from clients import RawClient, assert_nothing_left, chat_body, endpoint, events, open_exchanges, serves
from harness import PATIENCE, SIMULATED, Simulator, free_port, wait_until
from sockets import Server, read_head

# Models that think, where the usual one of their provider does not.
THINKING = {
    **SIMULATED, "openai": "reasoning-content", "gemini": "gemini-2.5-flash", "cohere": "command-a-reasoning-08-2025",
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
GARBAGE_SECONDS = float(os.environ.get("E2E_GARBAGE_SECONDS", "20"))
SEED = int(os.environ.get("E2E_SEED", "1"))


class Recordings:
    """Real answers of the simulator, as the bytes of a whole HTTP response, to be spoiled."""

    def __init__(self):
        self.answers = {}

    def record(self, gateway, simulator):
        """Asks every provider what the gateway has asked it."""
        function = {"name": "f", "description": "d", "parameters": SCHEMA}
        more = {"tools": [{"type": "function", "function": function}], "reasoning": {"max_tokens": 1024}, "max_tokens": 3000}
        for name in SIMULATED:
            for stream in (False, True):
                asked = gateway.chat(f"{name}/thinking", "use a tool in parallel, then explain", stream, **more)
                assert asked.status_code == 200, asked.text
                # What comes later counts receipts, so this one is to be there before.
                gateway.receipt(asked.headers["x-generation-id"])
                recorded = simulator.requests(name)[-1]
                headers = {key: value for key, value in recorded["headers"] if key not in ("host", "content-length")}
                url = f"http://{simulator.addresses[name]}{recorded['path']}"
                answer = httpx.post(url, content=recorded["body_text"].encode(), headers=headers).raise_for_status()
                self.answers[name, stream] = (answer.headers["content-type"], answer.content)


def noise(chance, most) -> bytes:
    return chance.randbytes(chance.randrange(most))


def spoil(chance, body: bytes) -> bytes:
    """A body with something wrong somewhere, mostly still well-formed around it."""
    body = bytearray(body)
    for _ in range(chance.choice([0, 1, 1, 2, 5, 40])):
        at = chance.randrange(len(body) or 1)
        match chance.randrange(7):
            case 0 if body:
                body[at] ^= 1 << chance.randrange(8)
            case 1:
                body[at:at] = noise(chance, 40)
            case 2:
                del body[at:at + chance.randrange(60)]
            case 3:
                other = chance.randrange(len(body) or 1)
                body[at:at] = body[other:other + chance.randrange(400)]
            case 4:
                body[at:at + 1] = chance.choice(
                    [b"null", b"-1", b"99999999999999999999", b'""', b"[]", b"{}", b"\\ud800", b"\n\n"]
                )
            case 5:
                del body[at:]
                body += b"x"
            case 6:
                body[at:at + 4] = chance.randbytes(4)
    return bytes(body)


def broken_provider(chance, recordings, name) -> Server:
    """A provider that does not wait for the whole request, and sends what `spoiled_response` gives."""

    def serve(connection):
        connection.settimeout(5)
        read_head(connection)
        for piece in spoiled_response(chance, recordings, name):
            connection.sendall(piece)

    return Server(serve)


def spoiled_response(chance, recordings, name):
    """What a broken provider sends: mostly HTTP with a spoiled body, sometimes no HTTP at all."""
    kind, body = recordings.answers[name, chance.random() < 0.7]
    if chance.random() < 0.1:
        yield noise(chance, 3000)
        return
    body = spoil(chance, body) if chance.random() < 0.9 else noise(chance, 5000)
    odd = ["500 x", "429 x", "204 x", "304 x", "101 x", "100 x", "400 x", "302 x", "999 x", "200"]
    status = chance.choice(["200 OK"] * 12 + odd)
    kind = chance.choice([kind] * 6 + ["text/html", "application/json", "text/event-stream", "", "\xff\xfe",
                                       "application/vnd.amazon.eventstream", "multipart/mixed; boundary=x"])
    extra = chance.choice([""] * 6 + [
        "content-encoding: gzip\r\n", "retry-after: 99999999999999\r\n", "retry-after: NaN\r\n", "x-crosspoint-retry: 1\r\n",
        "x-crosspoint-retry: 1\r\nx-generation-id: gen-forged\r\n", "set-cookie: a=b\r\n", "x: \xff\r\n",
        "x: " + "y" * 50000 + "\r\n", "x-envoy-overloaded: true\r\n", ":status: 200\r\n", "trailer: x\r\n",
    ])
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{extra}".encode("latin-1")
    match chance.randrange(4):
        case 0:
            yield head + b"connection: close\r\n\r\n"
            yield from pieces(chance, body)
        case 1:
            length = len(body) + chance.choice([0, 0, -3, 5, 1 << 40])
            yield head + f"content-length: {length}\r\n\r\n".encode()
            yield from pieces(chance, body)
        case 2:
            yield head + b"transfer-encoding: chunked\r\n\r\n"
            for piece in pieces(chance, body):
                yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
            yield chance.choice([b"0\r\n\r\n", b"0\r\ntrailer: x\r\n\r\n", b"zz\r\n", b""])
        case 3:
            yield head + b"\r\n"


def pieces(chance, body: bytes):
    size = chance.choice([1, 7, 100, 1 << 20])
    if size == 1:
        body = body[:600]
    yield from (body[at:at + size] for at in range(0, len(body), size))


@pytest.fixture(scope="module")
def mortal(tmp_path_factory):
    """A simulator of our own, to be killed, at ports that it can come back to."""
    ports = {name: free_port() for name in (*SIMULATED, "control")}

    class Mortal:
        def start(self):
            self.simulator = Simulator(tmp_path_factory.mktemp("mortal"), ports)

    mortal = Mortal()
    mortal.start()
    yield mortal
    mortal.simulator.check()
    mortal.simulator.terminate()


@pytest.fixture(scope="module")
def gateway(module_gateway, mortal):
    recordings = Recordings()
    chance = random.Random(SEED)
    providers = mortal.simulator.providers()
    models = {f"{provider}/plain": [endpoint(provider, model)] for provider, model in SIMULATED.items()}
    for provider, model in SIMULATED.items():
        models[f"{provider}/thinking"] = [endpoint(provider, THINKING[provider])]
        # The simulator writes an answer as a whole before it sends the first event, so these are few and far between.
        models[f"{provider}/slow"] = [endpoint(provider, f"{model}!tokens=600;token_delay=100")]
        chaos = broken_provider(random.Random(chance.random()), recordings, provider)
        dialect = providers[provider]["dialect"]
        providers[f"chaos-{provider}"] = {"dialect": dialect, "base_url": f"http://127.0.0.1:{chaos.port}"}
        models[f"{provider}/chaos"] = [endpoint(f"chaos-{provider}", model)]
        models[f"{provider}/chaos-then-plain"] = [endpoint(f"chaos-{provider}", model), endpoint("openai", "gpt-4o")]
    models["over/one"] = [endpoint("anthropic", "claude-sonnet-4-5!error_at=0"), endpoint("bedrock", SIMULATED["bedrock"])]
    models["all/down"] = [endpoint("anthropic", "claude-sonnet-4-5!status=529"), endpoint("openai", "gpt-4o!status=500")]
    gateway = module_gateway({
        "providers": providers,
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        # Deadlines have tests of their own: here a busy machine may miss none.
        "timeouts": {"first_token": "60s", "stall": "60s", "total": "120s"},
    })
    recordings.record(gateway, mortal.simulator)
    return gateway


def generation(head: bytes) -> str:
    """The id of an exchange, by the beginning of its answer."""
    return head.decode().split("x-generation-id: ")[1].split("\r\n")[0]


def final_receipts(gateway):
    receipts = gateway.receipts()
    assert {one["state"] for one in receipts} == {"final"}
    ids = [one["id"] for one in receipts]
    assert len(set(ids)) == len(ids)
    return {one["id"]: one for one in receipts}


def test_the_gauge_shows_what_is_open(gateway):
    with RawClient(gateway) as client:
        client.request(chat_body("anthropic/slow", stream=True))
        head = client.read_until(b"data: ")
        assert wait_until(lambda: open_exchanges(gateway))
    assert_nothing_left(gateway)
    assert gateway.receipt(generation(head))["outcome"] == "cancelled"


def test_a_thousand_requests_leave_a_thousand_receipts(gateway):
    before = final_receipts(gateway)

    def cancelled(model):
        with RawClient(gateway) as client:
            client.request(chat_body(model, stream=True))
            head = client.read_until(b"data: ")
        return generation(head), "cancelled"

    def asked(expected, outcome, model, **more):
        response = http.post(f"{gateway.url}/v1/chat/completions", content=chat_body(model, **more))
        assert response.status_code == expected, response.text
        if more.get("stream") is True and expected == 200:
            assert events(response.content)[-1] == "[DONE]"
        return response.headers["x-generation-id"], outcome

    kinds = [lambda name=name, stream=stream: asked(200, "success", f"{name}/plain", stream=stream)
             for name in SIMULATED for stream in (False, True)]
    kinds += [lambda name=name: cancelled(f"{name}/slow") for name in SIMULATED]
    kinds += [
        lambda: asked(200, "success", "over/one", stream=True),
        lambda: asked(404, "refused", "no/such"),
        lambda: asked(400, "refused", "openai/plain", stream="yes"),
    ]
    with httpx.Client(timeout=PATIENCE, limits=httpx.Limits(max_connections=40)) as http, ThreadPoolExecutor(20) as pool:
        outcomes = dict(pool.map(lambda number: kinds[number % len(kinds)](), range(1000)))
    assert len(outcomes) == 1000
    assert wait_until(lambda: len(gateway.receipts()) >= len(before) + 1000)
    # One too many would be there by then.
    assert_nothing_left(gateway)
    receipts = final_receipts(gateway)
    assert set(receipts) - set(before) == set(outcomes)
    wrong = {one: (receipts[one]["outcome"], outcome) for one, outcome in outcomes.items() if receipts[one]["outcome"] != outcome}
    assert not wrong


def test_a_provider_that_is_killed_and_comes_back(gateway, mortal):
    def stream(model):
        with RawClient(gateway) as client:
            client.request(chat_body(model, stream=True), "connection: close")
            return client.read_all()

    many = 4 * len(SIMULATED)
    with ThreadPoolExecutor(many) as pool:
        running = [pool.submit(stream, f"{name}/slow") for name in SIMULATED for _ in range(4)]
        assert wait_until(lambda: gateway.stats().get("http.crosspoint.downstream_rq_active", 0) >= many)
        assert wait_until(lambda: all(mortal.simulator.counters()[name]["requests"] >= 4 for name in SIMULATED))
        mortal.simulator.check()
        mortal.simulator.kill()
        bodies = [one.result() for one in running]
    assert not any(b"[DONE]" in body for body in bodies)
    for name in SIMULATED:
        for stream_too in (False, True):
            response = gateway.chat(f"{name}/plain", stream=stream_too)
            assert response.status_code == 502, response.text
            assert response.json()["error"]["metadata"]["error_type"] == "provider_unavailable"
    mortal.start()
    for name in SIMULATED:
        assert wait_until(lambda: gateway.chat(f"{name}/plain").status_code == 200)
        assert serves(gateway, f"{name}/plain")
    final_receipts(gateway)
    assert_nothing_left(gateway)


def until(deadline, work, least, threads=8):
    """Has threads do `work(chance)` until the time is up and each has done it `least` times."""

    def loop(number):
        chance, done = random.Random(f"{SEED}/{number}"), 0
        while time.monotonic() < deadline or done < least:
            work(chance)
            done += 1

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(loop, range(threads)))


def test_noise_from_clients(gateway):
    whole = chat_body("anthropic/plain", stream=True)

    def work(chance):
        try:
            with RawClient(gateway, timeout=3) as client:
                attack(chance, client)
        except (OSError, EOFError):
            pass

    def attack(chance, client):
        match chance.randrange(9):
            case 0:
                client.send(noise(chance, 2000))
            case 1:
                # Any body under a good head.
                client.request(chance.choice([noise(chance, 3000), spoil(chance, whole)]))
                client.read_until(b"\r\n\r\n")
            case 2:
                # Left after some bytes of a good request, wherever they end.
                head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(whole)}\r\n\r\n"
                request = head.encode() + whole
                client.send(request[: chance.randrange(len(request))])
            case 3:
                # Left after some bytes of the answer.
                client.request(chat_body(chance.choice(["openai", "anthropic", "bedrock"]) + "/slow", stream=True))
                client.socket.recv(chance.randrange(1, 4000))
            case 4:
                # A byte at a time.
                client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
                for byte in whole[: chance.randrange(len(whole))]:
                    client.send(b"1\r\n", bytes([byte]), b"\r\n")
            case 5:
                # Chunks and trailers, good and bad.
                client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
                client.send(f"{len(whole):x}\r\n".encode(), whole, b"\r\n")
                ends = [b"0\r\n\r\n", b"0\r\nx-crosspoint-retry: 1\r\n\r\n", b"zz\r\n", b"ffffffffffffffff\r\n", b""]
                client.send(chance.choice(ends))
                client.socket.recv(100)
            case 6:
                # Headers of any kind.
                names = [b"authorization", b"content-type", b"x-crosspoint-retry", b"x-envoy-max-retries", b"traceparent", b"x"]
                lines = b"".join(chance.choice(names) + b": " + noise(chance, 60) + b"\r\n" for _ in range(5))
                client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n", lines, b"\r\n{}")
                client.socket.recv(100)
            case 7:
                # Several requests at once on one connection, the last of them torn.
                client.request(whole)
                client.request(chat_body("openai/plain"))
                client.send(b"POST /v1/chat")
                client.socket.recv(100)
            case 8:
                # Half closed.
                client.request(whole[:-5])
                client.socket.shutdown(socket.SHUT_WR)
                client.socket.recv(100)

    until(time.monotonic() + GARBAGE_SECONDS / 2, work, least=13)
    gateway.check()
    assert all(serves(gateway, f"{name}/plain") for name in SIMULATED)
    assert_nothing_left(gateway)
    final_receipts(gateway)


def test_noise_from_providers(gateway):
    seen = set()
    allowed = {"content-type", "content-length", "transfer-encoding", "date", "server", "cache-control", "retry-after",
               "x-generation-id", "x-crosspoint-provider", "x-crosspoint-model", "x-crosspoint-attempts",
               "x-envoy-upstream-service-time", "connection"}

    # Longer than any deadline of the gateway: who waits so long waits for ever.
    http = httpx.Client(timeout=2 * PATIENCE, verify=False)

    def work(chance):
        name, kind = chance.choice(list(SIMULATED)), chance.choice(["chaos", "chaos", "chaos-then-plain"])
        stream = chance.random() < 0.6
        order = [f"chaos-{name}", "openai"]
        more = {"provider": {"order": order}, "reasoning": {"max_tokens": 1024}, "max_tokens": 3000}
        body = chat_body(f"{name}/{kind}", stream=stream, **more)
        received = b""
        with http.stream("POST", f"{gateway.url}/v1/chat/completions", content=body) as response:
            try:
                for piece in response.iter_bytes():
                    received += piece
                complete = True
            except (httpx.RemoteProtocolError, httpx.ReadError):
                complete = False
            except httpx.ReadTimeout:
                pytest.fail(f"{name}/{kind}, stream {stream}: {response.headers} and then {received[-300:]!r} hangs")
        assert set(response.headers) <= allowed, response.headers
        assert response.headers["x-generation-id"].startswith("gen-0")
        if response.headers["content-type"].startswith("text/event-stream"):
            seen.add("stream")
            # A passed-on stream may hold noise inside of its events, but it is made of events.
            assert not complete or received.endswith(b"\n\n"), received[-300:]
        else:
            seen.add(response.status_code)
            if complete and response.status_code != 200:
                assert json.loads(received)["error"]["code"] == response.status_code

    until(time.monotonic() + GARBAGE_SECONDS / 2, work, least=20)
    assert {"stream", 502} <= seen, seen
    gateway.check()
    assert all(serves(gateway, f"{name}/plain") for name in SIMULATED)
    assert_nothing_left(gateway)
    final_receipts(gateway)
