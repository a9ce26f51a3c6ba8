"""A provider that the simulator is not: it reads whatever comes without keeping it, and answers only when it may."""

import json
import threading

from harness import PATIENCE
from sockets import Server

MIB = 1 << 20
ANSWER = json.dumps({
    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}).encode()


class Provider:
    """Takes any request, and answers when it may; or begins an answer of 31 MiB that does not end."""

    def __init__(self):
        self.may_answer = threading.Event()
        self.asked = 0
        self.server = Server(self._serve)

    def base_url(self, path):
        return f"http://127.0.0.1:{self.server.port}/{path}"

    def _serve(self, connection):
        buffer = bytearray(256 * 1024)
        with connection.makefile("rb") as reader:
            while target := reader.readline():
                length = 0
                while (line := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                while length > 0:
                    length -= reader.readinto(memoryview(buffer)[:min(length, len(buffer))]) or length
                self.asked += 1
                if b"endless" in target:
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n")
                    for _ in range(31):
                        connection.sendall(b" " * MIB)
                    self.may_answer.wait(PATIENCE)
                    return
                self.may_answer.wait(PATIENCE)
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n\r\n"
                connection.sendall(head.encode() + ANSWER)

    def close(self):
        self.may_answer.set()
        self.server.close()
