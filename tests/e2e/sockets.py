"""A server of bare connections, for peers that no library would play."""

import contextlib
import socket
import threading


class Server:
    """Gives each connection to `serve`, in a thread of its own, and closes it when that returns or the peer is gone."""

    def __init__(self, serve):
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Takes no more connections."""
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection, contextlib.suppress(OSError):
            self._serve(connection)


def read_head(connection) -> tuple[bytes, bytes]:
    """The head of a request, and what came with it of the body."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(1 << 16)
        if not piece:
            raise ConnectionError("it ended within the head")
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest
