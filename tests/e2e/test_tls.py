"""Providers behind TLS: the rendered clusters speak it, and check whom they speak it with."""

import socket
import ssl
import threading

import pytest
import trustme
from harness import free_port


class Terminator:
    """Ends TLS in front of a simulated provider."""

    def __init__(self, certificate, target: str):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)
        self.target = target.rsplit(":", 1)
        self.names = []
        self.context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.server = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                plain, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        try:
            client = self.context.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            return
        upstream = socket.create_connection((self.target[0], int(self.target[1])))
        for source, sink in ((client, upstream), (upstream, client)):
            threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def start(start_gateway, simulator, authority, tmp_path):
    """Starts a gateway before a provider at https://`host` that shows a certificate for `name`."""

    def start(host, name, trusted=authority):
        terminator = Terminator(authority.issue_cert(name), simulator.addresses["anthropic"])
        ca_file = tmp_path / "ca.pem"
        trusted.cert_pem.write_to_path(ca_file)
        providers = simulator.providers()
        providers["anthropic"]["base_url"] = f"https://{host}:{terminator.port}/v1"
        endpoints = [{"provider": "anthropic", "model": "claude-sonnet-4-5"}]
        config = {"providers": providers, "models": {"a/b": {"endpoints": endpoints}}}
        return start_gateway(config, arguments=["--ca-file", str(ca_file)]), terminator

    return start


@pytest.mark.parametrize(("host", "names"), [("localhost", ["localhost"]), ("127.0.0.1", [None])])
def test_a_trusted_provider_is_served(start, host, names):
    gateway, terminator = start(host, host)
    reply = gateway.chat("a/b")
    assert reply.status_code == 200, reply.text
    assert terminator.names == names


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_for_another_name_gets_no_request(start, simulator, host):
    simulator.reset()
    gateway, _ = start(host, "elsewhere.example")
    assert gateway.chat("a/b").status_code == 502
    assert simulator.requests("anthropic") == []


def test_a_certificate_of_an_unknown_authority_gets_no_request(start, simulator):
    simulator.reset()
    gateway, _ = start("localhost", "localhost", trusted=trustme.CA())
    assert gateway.chat("a/b").status_code == 502
    assert simulator.requests("anthropic") == []
