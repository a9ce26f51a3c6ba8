"""A provider whose every byte, and pause between them, is a test's: what no simulator of a sane provider would send."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SSE = "text/event-stream"
GO = object()


class Chaos:
    """Answers a request for the model `name` with the script of that name: its content type, then pieces of the body
    (bytes), pauses between them (seconds), and places where it waits for a test to say `go` (`GO`). `left` has the scripts
    whose gateway went away."""

    def __init__(self, **scripts):
        self.scripts, self.left, self.going = scripts, [], threading.Semaphore(0)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (Door,), {"chaos": self}))
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def go(self):
        """The client has what was sent so far."""
        self.going.release()

    def provider(self, dialect="openai-chat") -> dict:
        return {"dialect": dialect, "base_url": self.base_url, "key": {"env": "OPENAI_API_KEY"}}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chaos: Chaos

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content_type, *steps = self.chaos.scripts[request["model"]]
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for step in steps:
                if isinstance(step, bytes):
                    self.wfile.write(f"{len(step):x}\r\n".encode() + step + b"\r\n")
                elif step is GO:
                    self.chaos.going.acquire(timeout=30)
                else:
                    time.sleep(step)
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            self.chaos.left.append(request["model"])
            self.close_connection = True


def chunk(text: str, finish=None) -> bytes:
    """An event of OpenAI's chat."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice],
    }).encode() + b"\n\n"
