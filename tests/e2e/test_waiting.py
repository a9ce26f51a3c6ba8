"""A stage that waits for a callout, in a real Envoy: no configuration can name one, so the filter is one of `guard.rs`."""

import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from chaos import GO, SSE, Chaos, chunk
from clients import RawClient, assert_nothing_left, chat_body, endpoint, events
from harness import ROOT, wait_until
from test_streams import dechunk

GUARDED = Path(os.environ.get(
    "CROSSPOINT_GUARDED", ROOT / "target/wasm32-wasip1/guard/examples/guard.wasm"
))
DONE = b"data: [DONE]\n\n"
END = chunk("[ask at the end]", "stop") + DONE
FLOOD = 8_000_000
WINDOW = 2**31 - 1
SCRIPTS = {
    "first": [SSE, chunk("[ask]"), 0.2, chunk(" two", "stop") + DONE],
    "middle": [SSE, chunk("one "), 0.2, chunk("[ask]"), 0.2, chunk(" two"), 0.2, chunk("", "stop") + DONE],
    "end": [SSE, chunk("one "), 0.2, END],
    "seen": [SSE, chunk("one "), GO, END],
    "long": [SSE, chunk("one "), *[chunk("x" * 50_000)] * 60, END],
    "flood": [SSE, *[chunk("x" * 50_000)] * (FLOOD // 50_000), chunk("", "stop") + DONE],
    "whole": ["application/json", json.dumps({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "one [ask]"}, "finish_reason": "stop"}],
    }).encode()],
}


class Guard:
    """Says `status` and `+` to whoever asks, once `open` is set. `asked` counts."""

    def __init__(self):
        self.open, self.asked, self.status = threading.Event(), 0, 200
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (Door,), {"guard": self}))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self, status=200, opened=True):
        self.asked, self.status = 0, status
        (self.open.set if opened else self.open.clear)()


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    guard: Guard

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.guard.asked += 1
        self.guard.open.wait(30)
        self.send_response(self.guard.status)
        self.send_header("content-length", "1")
        self.end_headers()
        self.wfile.write(b"+")


@pytest.fixture(scope="module")
def chaos():
    with Chaos(**SCRIPTS) as chaos:
        yield chaos


@pytest.fixture(scope="module")
def guard():
    guard = Guard()
    yield guard
    guard.open.set()
    guard.server.shutdown()


def started(module_gateway, chaos, guard, limit):
    """A gateway whose listener holds `limit` bytes for a client (None: what is rendered), and whose sockets hold little."""

    def patch(tree):
        (listener,) = tree["static_resources"]["listeners"]
        listener["socket_options"] = [{"level": 1, "name": 7, "int_value": 16384, "state": "STATE_LISTENING"}]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        if limit:
            listener["per_connection_buffer_limit_bytes"] = limit
            gateway = manager["http_filters"][0]["typed_config"]["config"]["configuration"]
            value = json.loads(gateway["value"])
            value["config"].pop("limits", None)
            gateway["value"] = json.dumps(value)
        tree["static_resources"]["clusters"].append({
            "name": "guard", "type": "STATIC", "connect_timeout": "5s",
            "load_assignment": {"cluster_name": "guard", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": "127.0.0.1", "port_value": guard.server.server_port}}}}]}]},
        })

    return module_gateway({
        "providers": {"chaos": chaos.provider()},
        "models": {f"alone/{name}": {"endpoints": [endpoint("chaos", name)]} for name in SCRIPTS},
    }, patch=patch, wasm=GUARDED)


LIMITS = {"32k": 32 << 10, "1m": 1 << 20, "rendered": None}


@pytest.fixture(scope="module", params=LIMITS)
def gateway(request, module_gateway, chaos, guard):
    gateway = started(module_gateway, chaos, guard, LIMITS[request.param])
    yield gateway
    assert_nothing_left(gateway)


def text(body: bytes) -> str:
    return "".join(choice["delta"].get("content") or "" for one in events(body) if one != "[DONE]" for choice in one["choices"])


@pytest.mark.parametrize(("name", "expected"), [
    ("first", "[ask]+ two"), ("middle", "one [ask]+ two"), ("end", "one [ask at the end]+"),
])
def test_a_stream_waits_and_loses_nothing(gateway, guard, name, expected):
    guard.reset()
    response = gateway.chat(f"alone/{name}", stream=True)
    assert text(response.content) == expected and events(response.content)[-1] == "[DONE]"
    assert gateway.receipt(response.headers["x-generation-id"])["outcome"] == "success"


def test_a_whole_answer_waits(gateway, guard):
    guard.reset()
    response = gateway.chat("alone/whole")
    assert response.json()["choices"][0]["message"]["content"] == "one [ask]+"
    assert gateway.receipt(response.headers["x-generation-id"])["outcome"] == "success"


def test_an_objection_at_the_end(gateway, guard):
    guard.reset(status=403)
    response = gateway.chat("alone/whole")
    assert (response.status_code, response.json()["error"]["message"]) == (400, "the guard objects")
    response = gateway.chat("alone/end", stream=True)
    last = events(response.content)[-1]
    assert last["error"]["message"] == "the guard objects" and last["choices"][0]["finish_reason"] == "error"


class Multiplexing:
    """A client of HTTP/2 with windows so large that what it does not read waits in the connection, which concerns every
    stream of it."""

    def __init__(self, gateway):
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2, self.bodies, self.ended = h2.connection.H2Connection(config), {}, set()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", gateway.port))
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.h2.increment_flow_control_window(WINDOW - 65_535)
        self.send()

    def send(self):
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, model, **more) -> int:
        number = self.h2.get_next_available_stream_id()
        names = {":method": "POST", ":path": "/v1/chat/completions", ":scheme": "http", ":authority": "gateway"}
        self.h2.send_headers(number, [*names.items(), ("content-type", "application/json")])
        self.h2.send_data(number, chat_body(model, **more), end_stream=True)
        self.bodies[number] = b""
        self.send()
        return number

    def read_until(self, done):
        while not done():
            piece = self.socket.recv(65536)
            assert piece, "the gateway has closed the connection"
            for event in self.h2.receive_data(piece):
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended.add(event.stream_id)
                elif isinstance(event, h2.events.StreamReset):
                    raise AssertionError(f"stream {event.stream_id} was reset: {event.error_code}")
            self.send()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@pytest.mark.parametrize("name", ["first", "end", "whole"])
def test_a_client_that_does_not_read_while_the_end_waits(gateway, guard, name):
    """Envoy tells every stream of a connection when its client ceases to read and when it goes on, also one of which an
    attempt holds the end, whose upstream is gone by then: it died of that."""
    guard.reset(opened=False)
    with Multiplexing(gateway) as client:
        waiting = client.ask(f"alone/{name}", stream=name != "whole")
        assert wait_until(lambda: guard.asked)
        # The end of the answer is there, too.
        time.sleep(0.6)
        flood = client.ask("alone/flood", stream=True)
        time.sleep(1)
        gateway.check()
        client.read_until(lambda: len(client.bodies[flood]) > 3 * FLOOD // 4)
        time.sleep(0.2)
        guard.open.set()
        client.read_until(lambda: {waiting, flood} <= client.ended)
        body = client.bodies[waiting]
    gateway.check()
    if name == "whole":
        assert json.loads(body)["choices"][0]["message"]["content"] == "one [ask]+"
    else:
        assert text(body).endswith({"first": "[ask]+ two", "end": "[ask at the end]+"}[name])
        assert events(body)[-1] == "[DONE]"


def test_a_client_that_reads_slowly_loses_nothing(gateway, guard):
    guard.reset(opened=False)
    client = RawClient.__new__(RawClient)
    client.socket = socket.socket()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.socket.settimeout(20)
    client.socket.connect(("127.0.0.1", gateway.port))
    with client:
        client.request(chat_body("alone/long", stream=True), "connection: close")
        received = client.read_until(b"one ")
        time.sleep(0.5)
        guard.open.set()
        received += client.read_all()
    body, ended = dechunk(received.partition(b"\r\n\r\n")[2])
    assert ended and text(body).endswith("[ask at the end]+") and events(body)[-1] == "[DONE]"


def test_a_client_that_leaves_while_the_end_waits(gateway, chaos, guard):
    guard.reset(opened=False)
    with RawClient(gateway) as client:
        client.request(chat_body("alone/seen", stream=True))
        client.read_until(b"one ")
        chaos.go()
        assert wait_until(lambda: guard.asked)
    assert_nothing_left(gateway)
    guard.open.set()
