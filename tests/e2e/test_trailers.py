"""Trailers, which only HTTP/2 carries here: none passes, from a client to a provider or back."""

import json
import socket

import h2.config
import h2.connection
import h2.events
import pytest
from clients import assert_nothing_left, chat_body, endpoint, events
from sockets import Server

# What a client would like a provider to see, and a provider a client.
TRAILERS = [
    ("authorization", "Bearer of-the-trailers"),
    ("set-cookie", "a=b"),
    ("x-crosspoint-retry", "1"),
    ("x-generation-id", "gen-evil"),
    ("grpc-status", "0"),
]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class Peer:
    """One end of a connection: what has come on each stream, and how it ended."""

    def __init__(self, connection: socket.socket, client: bool):
        self.socket = connection
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding="utf-8"))
        self.streams = {}
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def send(self, stream: int, headers: list, pieces: list, trailers: list):
        self.h2.send_headers(stream, headers)
        for piece in pieces:
            self.h2.send_data(stream, piece)
        self.h2.send_headers(stream, trailers, end_stream=True)
        self.flush()

    def next_ended(self):
        """The next stream that has come to its end; None when the connection has."""
        while received := self.socket.recv(65536):
            ended = [event for event in self.h2.receive_data(received) if self.take(event)]
            self.flush()
            if ended:
                return ended[0].stream_id
        return None

    def take(self, event) -> bool:
        of_stream = getattr(event, "stream_id", None) or 0
        stream = self.streams.setdefault(of_stream, {"headers": {}, "body": b"", "trailers": None})
        match event:
            case h2.events.RequestReceived() | h2.events.ResponseReceived():
                stream["headers"] = dict(event.headers)
            case h2.events.DataReceived():
                stream["body"] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.TrailersReceived():
                stream["trailers"] = list(event.headers)
        return isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset))


class Provider:
    """An OpenAI-compatible provider that speaks HTTP/2 without TLS and ends every answer with trailers."""

    def __init__(self):
        self.requests = []
        self.url = f"http://127.0.0.1:{Server(self.serve).port}/v1"

    def serve(self, connection):
        peer = Peer(connection, client=False)
        while stream := peer.next_ended():
            request = peer.streams.pop(stream)
            self.requests.append(request)
            asked = json.loads(request["body"])
            status, kind, pieces = answer(asked)
            peer.send(stream, [(":status", status), ("content-type", kind)], pieces, TRAILERS)


def answer(asked: dict) -> tuple:
    if asked["model"] == "failing":
        return "500", "application/json", [b'{"error":{"message":"no","code":500}}']
    choice = {"index": 0, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE}
    if not asked.get("stream"):
        whole["choices"] = [{**choice, "message": {"role": "assistant", "content": "good"}}]
        return "200", "application/json", [json.dumps(whole).encode()]
    chunk = {**whole, "object": "chat.completion.chunk", "choices": [{**choice, "delta": {"content": "good"}}]}
    return "200", "text/event-stream", [b"data: %s\n\n" % json.dumps(chunk).encode(), b"data: [DONE]\n\n"]


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def gateway(module_gateway, provider):
    def patch(tree):
        for cluster in tree["static_resources"]["clusters"]:
            for options in cluster.get("typed_extension_protocol_options", {}).values():
                if "explicit_http_config" in options:
                    options["explicit_http_config"] = {"http2_protocol_options": {}}

    return module_gateway({
        "providers": {
            name: {"dialect": "openai-chat", "base_url": provider.url, "cluster": name} for name in ("one", "two")
        },
        "models": {
            "sim/good": {"endpoints": [endpoint("one", "good")]},
            "sim/over": {"endpoints": [endpoint("one", "failing"), endpoint("two", "good")]},
            "sim/failing": {"endpoints": [endpoint("one", "failing")]},
        },
    }, patch=patch)


def ask(gateway, model, stream, trailers) -> dict:
    headers = [
        (":method", "POST"), (":path", "/v1/chat/completions"), (":scheme", "http"), (":authority", "gateway"),
        ("content-type", "application/json"),
    ]
    body = chat_body(model, stream=stream, provider={"order": ["one", "two"]})
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as connection:
        client = Peer(connection, client=True)
        client.send(1, headers, [body[:9], body[9:]], trailers)
        assert client.next_ended() == 1
        return client.streams[1]


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
@pytest.mark.parametrize(("model", "status", "attempts"), [
    ("sim/good", "200", 1), ("sim/over", "200", 2), ("sim/failing", "502", 1),
])
def test_no_trailer_passes(gateway, provider, model, status, attempts, stream):
    provider.requests.clear()
    got = ask(gateway, model, stream, TRAILERS)
    assert got["headers"][":status"] == status, got
    # Envoy writes no trailers where none are left, and ends the stream all the same.
    assert got["trailers"] is None
    assert got["headers"]["x-generation-id"] != "gen-evil"
    assert [request["trailers"] for request in provider.requests] == [None] * attempts
    assert all("of-the-trailers" not in str(request) for request in provider.requests)
    if status == "200" and stream:
        assert events(got["body"])[-1] == "[DONE]" and b"good" in got["body"]
    elif status == "200":
        assert json.loads(got["body"])["choices"][0]["message"]["content"] == "good"
    receipt = gateway.receipt(got["headers"]["x-generation-id"])
    assert len(receipt["attempts"]) == attempts
    assert_nothing_left(gateway)
