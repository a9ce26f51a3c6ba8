"""Who attacks, and with what: requests that cost their sender little, how they are sent, and clients that watch.

Knows the wire only. The providers that mean harm are in `hostile`; what must hold is in `test_under_attack`. Run as a
program it reads ten paced streams and tells how far apart their events came: in a process of its own, so that nothing of
the attack's own work counts.
"""

import json
import random
import re
import selectors
import socket
import sys
import threading
import time
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
from hostile import BROKEN, bytes_or, encoded

MB = 1_000_000
GENERATION = re.compile(rb"x-generation-id: (\S+)")
# An attack may be served, be refused, or fail at its provider; large ones are turned away while a worker holds much.
ANY = frozenset({200, 400, 401, 402, 404, 413, 422, 429, 502, 503, 504})
REFUSED = frozenset({400, 413, 429})
SERVED = frozenset({200, 429})


@dataclass(frozen=True)
class Attack:
    """A request that costs its sender little, and how it may be answered."""

    name: str
    body: bytes
    path: str = "/v1/chat/completions"
    headers: tuple = ()
    # Leaves after so many seconds.
    leaves: float | None = None
    # So many at a time.
    times: int = 1
    # The statuses that an answer may have.
    expected: frozenset = ANY


def chat(model, messages=None, **more) -> dict:
    return {"model": model, "messages": messages or [{"role": "user", "content": "hello"}], **more}


def filled(body: dict, member: str, items: str) -> bytes:
    """The body with a list of these items."""
    return encoded(body)[:-1] + f',"{member}":[{items}]}}'.encode()


def empty_messages(model, size) -> bytes:
    return filled({"model": model}, "messages", ",".join(["{}"] * (size // 3)))


def duplicates(model, size) -> bytes:
    """One member, again and again."""
    return encoded(chat(model))[:-1] + b',"user":"x"' * (size // 11) + b"}"


def images(model, size, **more) -> bytes:
    url = "data:image/png;base64," + "iVBORw0K" * (size // 5 // 8)
    part = {"type": "image_url", "image_url": {"url": url}}
    return encoded(chat(model, [{"role": "user", "content": [part] * 5}], **more))


def reversed_results(model, size) -> bytes:
    """Calls, and their results in the opposite order."""
    count = size // 128
    call = '{{"id":"c{0}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}'
    calls = ",".join(call.format(at) for at in range(count))
    results = ",".join(f'{{"role":"tool","tool_call_id":"c{at}","content":"x"}}' for at in reversed(range(count)))
    begun = f'{{"role":"user","content":"go"}},{{"role":"assistant","tool_calls":[{calls}]}},{results}'
    return filled({"model": model}, "messages", begun)


def inputs(size) -> bytes:
    return encoded({"model": "sim/embed", "input": ["a"] * (size // 4)})


def names(size) -> list:
    return [f"nobody{at}" for at in range(size // 14)]


# Unreadable, twice, and not even text.
OWN_KEYS = [
    ("x-provider-key: ???",), ("x-provider-key: openai=a", "x-provider-key: openai=b"), ("x-provider-key: \xff\xfe",),
]  # fmt: skip


def small() -> list:
    """Attacks with bodies of up to 1 MB."""
    over = 2**64 - 1
    both = {"max_tokens": 30_000, "max_completion_tokens": 1}
    return [
        Attack("empty messages, 1 MB", empty_messages("sim/openai", MB), expected=REFUSED),
        Attack("duplicate members, 1 MB", duplicates("sim/openai", MB)),
        Attack("images, 1 MB", images("sim/anthropic", MB)),
        *(Attack(f"reversed results for {name}, 1 MB", reversed_results(f"sim/{name}", MB), expected=SERVED)
          for name in ("gemini", "ollama")),
        *(Attack(f"provider.{name}, 1 MB", encoded(chat("many/endpoints", provider={name: names(MB)})), expected=REFUSED)
          for name in ("only", "order", "ignore")),
        Attack("hints, 1 MB", encoded(chat("crosspoint/auto", plugins=[{"id": "auto-router", "hints": names(MB)}])),
               expected=REFUSED),
        Attack("inputs, 1 MB", inputs(MB), "/v1/embeddings", expected=REFUSED),
        Attack("both limits", encoded(chat("calm/openai", **both))),
        Attack("a limit beyond all numbers", encoded(chat("calm/anthropic", max_tokens=over))),
        *(Attack(f"empty by a stop sequence, stream {stream}", encoded(chat("calm/openai", stop=["You"], stream=stream)))
          for stream in (False, True)),
        *(Attack(f"echoed key, {status}", encoded(chat("echo/key", user=str(status)))) for status in (400, 401, 402, 500)),
        *(Attack(f"broken stream, {kind}", encoded(chat(f"broken/{kind}", stream=True))) for kind in BROKEN),
        *(Attack(f"too many tokens, stream {stream}", encoded(chat("huge/usage", stream=stream))) for stream in (False, True)),
        Attack("a silent endpoint, buffered", encoded(chat("silent/one", provider={"sort": "price"})), expected=SERVED),
        *(Attack(f"bad own key {at}", encoded(chat("calm/openai")), headers=headers, expected=REFUSED)
          for at, headers in enumerate(OWN_KEYS)),
        *(Attack(f"left after {leaves} s", encoded(chat("calm/slow", stream=stream)), leaves=leaves)
          for leaves in (0.0, 0.05, 0.3) for stream in (False, True)),
    ]  # fmt: skip


def large() -> list:
    """Attacks with bodies at the limit, and answers there."""
    limit = 31 * MB
    return [
        Attack("empty messages, 12.9 MB", empty_messages("sim/openai", 12_900_000), expected=REFUSED),
        Attack("duplicate members, 31 MB", duplicates("sim/openai", limit), times=12),
        Attack("images at a slow endpoint, 31 MB", images("sim/waiting", limit), times=40),
        Attack("images at a slow endpoint, 31 MB, streamed", images("sim/waiting", limit, stream=True), times=20),
        *(Attack(f"reversed results for {name}, 7.35 MB", reversed_results(f"sim/{name}", 7_350_000))
          for name in ("gemini", "ollama")),
        Attack("inputs, 12 MB", inputs(12 * MB), "/v1/embeddings", expected=REFUSED),
        Attack("an unfinished answer, 31 MB", encoded(chat("unfinished/answer", provider={"sort": "price"})), times=40),
        Attack("images, left", images("sim/anthropic", limit), leaves=0.2),
    ]  # fmt: skip


@dataclass
class Answered:
    """What came back: nothing at all where the gateway closed, or the client left, before there was a head."""

    status: int | None
    generation: str | None
    raw: bytes
    # It was refused before all of it was sent: what the gateway closed with may have overtaken the answer.
    early: bool = False

    def body(self) -> bytes:
        head, _, rest = self.raw.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" not in head.lower():
            return rest
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            body, rest = body + rest[:length], rest[length + 2:]
        return body


def head_of(attack: Attack, key: str, path=None) -> bytes:
    lines = [f"POST {path or attack.path} HTTP/1.1", "host: gateway", f"authorization: Bearer {key}", "connection: close",
             "content-type: application/json", f"content-length: {len(attack.body)}", *attack.headers, "", ""]  # fmt: skip
    return "\r\n".join(lines).encode("latin-1")


def ask(port, attack: Attack, key: str, path=None, patience=120.0) -> Answered:
    """Sends it on a connection of its own, and reads what comes. A client that leaves does so without a word."""
    received, early = bytearray(), False
    with socket.create_connection(("127.0.0.1", port), patience) as connection:
        try:
            connection.sendall(head_of(attack, key, path))
            connection.sendall(attack.body)
        except (BrokenPipeError, ConnectionResetError):
            # The answer may still be there.
            early = True
        if attack.leaves is not None:
            connection.settimeout(max(attack.leaves, 0.001))
        try:
            while piece := connection.recv(1 << 16):
                received += piece
        except ConnectionResetError:
            # Of a long body the kernel may hold the rest.
            early = early or len(attack.body) > 1 << 20
        except TimeoutError:
            if attack.leaves is None:
                raise
    status = received[9:12]
    found = GENERATION.search(received)
    return Answered(int(status) if status else None, found and found[1].decode(), bytes(received), early)


def ask_with_trailers(port, key: str) -> tuple[Answered, list]:
    """A request over HTTP/2 that ends in trailers; its answer, and the trailers of that."""
    body = encoded(chat("trailing/provider", stream=True))
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    status, generation, received, trailers = None, None, b"", []
    with socket.create_connection(("127.0.0.1", port), 120) as wire:
        connection.initiate_connection()
        connection.send_headers(1, [
            (":method", "POST"), (":scheme", "http"), (":path", "/v1/chat/completions"), (":authority", "gateway"),
            ("authorization", f"Bearer {key}"), ("content-type", "application/json"), ("te", "trailers"),
        ])  # fmt: skip
        connection.send_data(1, body)
        connection.send_headers(1, [("authorization", "Bearer of-a-trailer"), ("x-crosspoint-retry", "1")], end_stream=True)
        wire.sendall(connection.data_to_send())
        over = False
        while not over and (piece := wire.recv(1 << 16)):
            for event in connection.receive_data(piece):
                match event:
                    case h2.events.ResponseReceived():
                        headers = {bytes_or(name): bytes_or(value) for name, value in event.headers}
                        status, generation = int(headers[":status"]), headers.get("x-generation-id")
                    case h2.events.DataReceived():
                        received += event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, 1)
                    case h2.events.TrailersReceived():
                        trailers += [(bytes_or(name), bytes_or(value)) for name, value in event.headers]
                    case h2.events.StreamEnded() | h2.events.StreamReset() | h2.events.ConnectionTerminated():
                        over = True
            wire.sendall(connection.data_to_send())
    return Answered(status, generation, received), trailers


class Paced:
    """A stream that is read as it comes, again from its beginning when it has ended."""

    def __init__(self, port, key, model, selector):
        self.port, self.key, self.model, self.selector = port, key, model, selector
        self.gaps, self.ids, self.cut = [], [], 0
        self.open()

    def open(self):
        attack = Attack("", encoded(chat(self.model, stream=True)))
        self.tail, self.last = b"", None
        self.socket = socket.create_connection(("127.0.0.1", self.port), 120)
        self.socket.sendall(head_of(attack, self.key) + attack.body)
        self.selector.register(self.socket, selectors.EVENT_READ, self)

    def read(self, now, goes_on):
        try:
            piece = self.socket.recv(1 << 16)
        except ConnectionResetError:
            piece = b""
        if piece:
            if self.last is not None:
                self.gaps.append(now - self.last)
            elif found := GENERATION.search(piece):
                self.ids.append(found[1].decode())
            self.last, self.tail = now, (self.tail + piece)[-200:]
            return True
        self.selector.unregister(self.socket)
        self.socket.close()
        self.cut += b"data: [DONE]" not in self.tail
        if goes_on:
            self.open()
        return goes_on


def watch(port, key, model) -> dict:
    """Ten paced streams, again and again, until standard input ends; each to its end."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    selector = selectors.DefaultSelector()
    streams = [Paced(port, key, model, selector) for _ in range(10)]
    open_streams = len(streams)
    while open_streams:
        for ready, _ in selector.select():
            open_streams -= not ready.data.read(time.monotonic(), not over.is_set())
    return {
        "gaps_ms": sorted(round(1000 * gap, 1) for one in streams for gap in one.gaps),
        "ids": [id for one in streams for id in one.ids], "cut": sum(one.cut for one in streams),
    }  # fmt: skip


class Attacks:
    """What many attackers take their attacks from: each one once, and then any until the time is up."""

    def __init__(self, once, others, seconds, seed=1):
        self.chance, self.lock = random.Random(seed), threading.Lock()
        self.once, self.all = self.chance.sample(once, len(once)), [*once, *others]
        self.deadline = time.monotonic() + seconds

    def __iter__(self):
        while True:
            with self.lock:
                if not self.once and time.monotonic() > self.deadline:
                    return
                taken = self.once.pop() if self.once else self.chance.choice(self.all)
            yield taken


if __name__ == "__main__":
    print(json.dumps(watch(int(sys.argv[1]), *sys.argv[2:])))
