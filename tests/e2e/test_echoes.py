"""Providers that repeat every header that they were sent: no caller, receipt or log of a real Envoy has the credential."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from chaos import SSE, chunk
from clients import assert_nothing_left, endpoint

SECRETS = {
    "ECHO_KEY": "sk-proj-Zk3vQ8xY/w+T5rNmB2dHcJ7f",
    "ECHO_ID": "AKIAEXAMPLEIDOFNOBODY",
    "ECHO_SECRET": "hTq0+ZbX/9sLrVwPnEyKdUjGmCaFxR2o",
    "ECHO_TOKEN": "IQoJb3JpZ2luX2VjE" + "aBcDeFgH0/+=" * 40,
}
OWN = "sk-ant-of-the-caller-5Gh7Kq2Zx"
PLAIN = {"key": {"env": "ECHO_KEY"}}
SIGNED = {"key": {"aws": {
    "region": "us-east-1", "access_key_id": {"env": "ECHO_ID"}, "secret_access_key": {"env": "ECHO_SECRET"},
    "session_token": {"env": "ECHO_TOKEN"},
}}}
CREDENTIALS = {"authorization", "x-api-key", "x-goog-api-key", "api-key"}
# How each dialect says what went wrong.
BODIES = {
    "openai-chat": lambda said: {"error": {"message": said, "type": said, "code": said}},
    "openai-responses": lambda said: {"error": {"message": said, "type": "t", "code": said}},
    "anthropic-messages": lambda said: {"type": "error", "error": {"type": said, "message": said}},
    "gemini": lambda said: {"error": {"message": said, "status": said}},
    "bedrock-converse": lambda said: {"__type": said, "message": said},
    "cohere-v2": lambda said: {"message": said},
    "ollama": lambda said: {"error": said},
}
FORMS = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "escaped": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(b"x" + text.encode()).decode(),
}


class Echo:
    """Answers every request as the test wants, with all that it was sent."""

    def __init__(self):
        self.status, self.form, self.begun, self.seen = 500, str, None, []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (Door,), {"echo": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    echo: Echo

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        echo, dialect = self.echo, self.path.split("/")[1]
        echo.seen.append(dict(self.headers))
        # What is secret comes first: a message is cut.
        headers = sorted(self.headers.items(), key=lambda header: header[0].lower() not in CREDENTIALS)
        body = BODIES[dialect](echo.form("; ".join(f"{name}={value}" for name, value in headers)))
        if echo.begun is None:
            return self.reply(echo.status, "application/json", json.dumps(body).encode())
        name = "event: error\n" if dialect == "anthropic-messages" else ""
        event = f"{name}data: {json.dumps(body)}\n\n".encode()
        self.reply(200, SSE, b"".join([chunk("one")] * echo.begun) + event)

    def reply(self, status, kind, body):
        self.send_response(status)
        for name, value in (("content-type", kind), ("content-length", len(body)), ("x-echo", self.headers["authorization"])):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def echo():
    echo = Echo()
    yield echo
    echo.server.shutdown()


@pytest.fixture(scope="module")
def gateway(module_gateway, echo):
    providers = {
        dialect: {"dialect": dialect, "base_url": f"{echo.url}/{dialect}", **PLAIN, "byok": True} for dialect in BODIES
    }
    providers["signed"] = {"dialect": "bedrock-converse", "base_url": f"{echo.url}/bedrock-converse", **SIGNED}
    gateway = module_gateway({
        "providers": providers,
        "models": {f"echo/{name}": {"endpoints": [endpoint(name, "m")]} for name in providers},
    }, env=SECRETS)
    yield gateway
    assert_nothing_left(gateway)
    kept = gateway.access_log.read_text() + gateway.log.read_text()
    assert_unseen(kept)


def assert_unseen(shown: str, *more: str):
    for secret in (*SECRETS.values(), OWN, *more):
        parts = {secret[at:at + 8] for at in range(len(secret) - 7)}
        for before in ("", "x", "xx"):
            # Without the letters at either end, which a neighbour has a part in.
            inner = base64.b64encode((before + secret).encode()).decode()[4:-4]
            parts |= {inner[at:at + 12] for at in range(len(inner) - 11)}
        found = [part for part in parts if part in shown or part.replace("+", "-").replace("/", "_") in shown]
        assert not found, (found[:3], shown[:2000])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model", [*BODIES, "signed"])
def test_an_error_shows_no_credential(gateway, echo, model, form):
    for status in (400, 401, 403, 429, 500):
        for headers in ({}, {"x-provider-key": f"{model}={OWN}"}) if model != "signed" else ({},):
            echo.status, echo.form, echo.begun = status, FORMS[form], None
            response = gateway.chat(f"echo/{model}", headers=headers)
            assert response.status_code >= 400
            error = response.json()["error"]
            sent = {name.lower(): value for name, value in echo.seen[-1].items()}
            signature = sent.get("authorization", "").partition("Signature=")[2]
            assert any(secret in str(sent) for secret in (OWN, *SECRETS.values())), sent
            assert_unseen(response.text + str(response.headers), *[signature] * bool(signature))
            refused = "x-provider-key" in error["message"] or "the gateway's credential" in error["message"]
            assert refused or "[credential]" in error["message"], error
            assert refused or status not in (401, 403), error


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("model", "begun"), [("openai-chat", 0), ("openai-chat", 2), ("anthropic-messages", 0)])
def test_an_error_in_a_stream_shows_no_credential(gateway, echo, model, form, begun):
    echo.form, echo.begun = FORMS[form], begun
    response = gateway.chat(f"echo/{model}", stream=True)
    assert "error_type" in response.text and "[credential]" in response.text
    assert_unseen(response.text + str(response.headers))
