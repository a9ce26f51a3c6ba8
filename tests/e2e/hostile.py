"""Providers that mean harm, in OpenAI's format, by sockets of which every byte is theirs."""

import json
import re
import time

import h2.config
import h2.connection
import h2.events
from harness import step_back
from sockets import Server, read_head

MB = 1_000_000
# Of a request's body, at least as much as any of its ways looks at.
KEPT = 4096
# The operator's key at the provider that shows what it was sent.
ECHOED = "sk-echoed-0123456789abcdef"


def encoded(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def bytes_or(text) -> str:
    return text.decode() if isinstance(text, bytes) else text


EVENT = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%s"}}]}'
# In the midst of a stream in the client's own format.
BROKEN = {
    "utf-8": b"data: " + EVENT.encode() % b"\xff\xfe\xfd" + b"\n\n",
    "json": b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x"}\n\n',
    "nonsense": b"data: }{\n\n",
}


class Hostile:
    """A provider that means harm, in OpenAI's format; the first part of the path is how."""

    def __init__(self):
        self.server = Server(self._serve)

    def base_url(self, way) -> str:
        return f"http://127.0.0.1:{self.server.port}/{way}/v1"

    def _serve(self, connection):
        step_back()
        connection.settimeout(30)
        head, body = read_head(connection)
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        read, kept = len(body), bytearray(body[:KEPT])
        while read < length and (piece := connection.recv(1 << 20)):
            read += len(piece)
            kept += piece[: KEPT - len(kept)]
        way = re.match(rb"POST /(\w+)", head)[1].decode()
        for piece in getattr(self, way)(head, bytes(kept)):
            connection.sendall(piece)
        if way == "unfinished":
            connection.recv(1)

    @staticmethod
    def whole(status, body) -> list:
        head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\n"
        return [f"{head}content-length: {len(body)}\r\n\r\n".encode() + body]

    @staticmethod
    def streamed(*parts) -> list:
        return [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n", *parts]

    def sink(self, _, __):
        """Takes whatever comes."""
        return self.whole(200, b"{}")

    def unfinished(self, _, __):
        begun = b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"'
        yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" + begun
        for _ in range(31):
            yield b"a" * MB

    def echo(self, head, body):
        status = re.search(rb'"user":"(\d+)"', body)
        key = re.search(rb"(?i)authorization: Bearer (\S+)", head)[1].decode()
        message = f"The key {key} (beginning with {key[:12]}) is not known here."
        return self.whole(int(status[1]) if status else 401, encoded({"error": {"message": message, "type": key, "code": key}}))

    def huge(self, _, body):
        usage = {"prompt_tokens": 2**64 - 1, "completion_tokens": 2**64 - 1, "total_tokens": 2**64 - 1}
        choice = {"index": 0, "finish_reason": "stop"}
        about = {"id": "c", "created": 1, "model": "m"}
        if b'"stream":true' not in body:
            message = {"role": "assistant", "content": "hi"}
            answer = {**about, "object": "chat.completion", "choices": [{**choice, "message": message}], "usage": usage}
            return self.whole(200, encoded(answer))
        last = {**about, "object": "chat.completion.chunk", "choices": [{**choice, "delta": {}}], "usage": usage}
        return self.streamed(b"data: " + (EVENT % "hi").encode() + b"\n\ndata: " + encoded(last) + b"\n\ndata: [DONE]\n\n")

    def broken(self, _, body):
        (kind,) = [kind for kind in BROKEN if f'"model":"{kind}"'.encode() in body]
        good = b"data: " + (EVENT % "good").encode() + b"\n\n"
        yield from self.streamed(good)
        # So that the good one is through before.
        time.sleep(0.2)
        yield BROKEN[kind] + good + b"data: [DONE]\n\n"


TRAILERS = [("set-cookie", "session=of-the-provider"), ("authorization", "Bearer back"), ("x-crosspoint-retry", "1")]


class Trailing:
    """A provider over HTTP/2 that ends its streams in trailers, and keeps those of requests."""

    def __init__(self):
        self.seen = []
        self.server = Server(self._serve)

    def _serve(self, wire):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        wire.sendall(connection.data_to_send())
        while piece := wire.recv(1 << 16):
            for event in connection.receive_data(piece):
                self._take(connection, event)
            wire.sendall(connection.data_to_send())

    def _take(self, connection, event):
        match event:
            case h2.events.DataReceived():
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.TrailersReceived():
                self.seen += [bytes_or(name) for name, _ in event.headers]
            case h2.events.StreamEnded():
                connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/event-stream")])
                finish = EVENT.replace('"delta"', '"finish_reason":"stop","delta"') % " there"
                body = f"data: {EVENT % 'hi'}\n\ndata: {finish}\n\ndata: [DONE]\n\n"
                connection.send_data(event.stream_id, body.encode())
                connection.send_headers(event.stream_id, TRAILERS, end_stream=True)
