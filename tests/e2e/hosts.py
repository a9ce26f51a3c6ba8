"""Vertex, and Bedrock's native API: front doors with their own paths, credentials and frames.

What they let in goes on to the simulator's Anthropic or Gemini, which judges it as strictly as ever, and what that answers
comes back. Signatures of service accounts are checked by `cryptography`, and frames are as botocore reads them.
"""

import base64
import json
import re
import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from harness import PATIENCE

ACCOUNT = (Path(__file__).parents[1] / "support/service_account.json").read_text()
PROJECT = "/v1/projects/p/locations/r"
# What Anthropic's own SDK says to either (`anthropic/_constants.py`); ours is what the hosts document.
SDK_VERSION = "2026-10-21"
# How long the pieces of a stream shall be, which the doors keep to as the simulator does.
CHUNK = re.compile(r"chunk=(\d+)")
# What Bedrock calls the failures of Claude: by their type in an answer's body, and in the midst of a stream.
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
EXCEPTIONS = {
    "invalid_request_error": "ValidationException",
    "authentication_error": "AccessDeniedException",
    "permission_error": "AccessDeniedException",
    "not_found_error": "ResourceNotFoundException",
    "rate_limit_error": "ThrottlingException",
    "overloaded_error": "ServiceUnavailableException",
    "timeout_error": "ModelTimeoutException",
    "api_error": "InternalServerException",
}
METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"
BEDROCK_KEY = "bedrock-key-of-a-test"
ENVIRONMENT = {"GOOGLE_ACCOUNT": ACCOUNT, "BEDROCK_KEY": BEDROCK_KEY}


def unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims(assertion: str) -> dict:
    """What a JWT says, once its signature is that of the account's key."""
    head, body, signature = assertion.split(".")
    account = json.loads(ACCOUNT)
    key = load_pem_private_key(account["private_key"].encode(), None).public_key()
    key.verify(unbase64(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(unbase64(head)) == {"alg": "RS256", "typ": "JWT", "kid": account["private_key_id"]}
    said = json.loads(unbase64(body))
    assert said["iss"] == account["client_email"]
    return said


def frame(payload: bytes, kind: str = "event", name: str = "chunk") -> bytes:
    """A message of AWS's event stream."""
    headers = b""
    for key, value in ((f":{kind}-type", name), (":content-type", "application/json"), (":message-type", kind)):
        headers += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


class Hosts:
    """The front doors, on one port. `fetches` are the requests for tokens; `refusing` has them refused."""

    def __init__(self, simulator):
        self.simulator, self.fetches, self.refusing, self.problems = simulator, [], False, []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (Door,), {"hosts": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def providers(self) -> dict:
        """The hosted formats, as a configuration has them; their keys are in `ENVIRONMENT`."""
        account = {"google": {"service_account": {"env": "GOOGLE_ACCOUNT"}, "token_url": f"{self.url}/token"}}
        vertex = {"base_url": f"{self.url}{PROJECT}", "key": account}
        return {
            "gemini-vertex": {"dialect": "gemini-vertex", **vertex},
            "anthropic-vertex": {"dialect": "anthropic-vertex", **vertex},
            "anthropic-bedrock": {
                "dialect": "anthropic-bedrock", "base_url": self.url, "key": {"env": "BEDROCK_KEY"},
            },
        }

    def close(self):
        self.server.shutdown()
        assert not self.problems, self.problems


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hosts: Hosts

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve()

    def do_POST(self):
        self.serve()

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            self.route(urlsplit(self.path), body)
        except ConnectionError:
            # The gateway left.
            self.close_connection = True
        except Exception as problem:
            self.hosts.problems.append(f"{self.command} {self.path}: {problem!r}")
            self.reply(400, {"error": {"code": 400, "message": repr(problem), "status": "INVALID_ARGUMENT"}})

    def route(self, url, body):
        if (self.command, url.path) == ("GET", METADATA):
            assert self.headers["metadata-flavor"] == "Google" and not body
            return self.token("machine")
        assert self.command == "POST"
        if url.path == "/token":
            return self.exchange(body)
        if vertex := re.fullmatch(rf"{PROJECT}/publishers/(google|anthropic)/models/([^/:]+):(\w+)", url.path):
            return self.vertex(*vertex.groups(), url.query, body)
        bedrock = re.fullmatch(r"/model/([^/]+)/(invoke|invoke-with-response-stream)", url.path)
        self.bedrock(*bedrock.groups(), json.loads(body))

    def exchange(self, body):
        form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        assert form.keys() == {"grant_type", "assertion"}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        said = claims(form["assertion"])
        assert said["aud"] == f"{self.hosts.url}/token"
        assert said["scope"] == "https://www.googleapis.com/auth/cloud-platform"
        assert said["exp"] - said["iat"] == 3600 and abs(said["iat"] - time.time()) < 60
        self.token("account")

    def token(self, kind):
        self.hosts.fetches.append(kind)
        if self.hosts.refusing:
            return self.reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        self.reply(200, {"access_token": f"ya29.{kind}", "expires_in": 3599, "token_type": "Bearer"})

    def vertex(self, publisher, model, operation, query, body):
        if self.headers["authorization"] not in ("Bearer ya29.account", "Bearer ya29.machine"):
            message = "Request had invalid authentication credentials."
            return self.reply(401, {"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED"}})
        request, model = json.loads(body), unquote(model)
        if publisher == "google":
            assert all(turn["role"] in ("user", "model") for turn in request["contents"])
            query = f"?{query}" if query else ""
            return self.forward("gemini", f"/models/{quote(model, safe='')}:{operation}{query}", request, {})
        assert "model" not in request and request.pop("anthropic_version") in ("vertex-2023-10-16", SDK_VERSION)
        assert "anthropic-version" not in self.headers
        streams = {"rawPredict": False, "streamRawPredict": True}[operation]
        assert request.get("stream", False) == streams and not query
        self.claude(request, model)

    def bedrock(self, model, operation, request):
        if self.headers["authorization"] != f"Bearer {BEDROCK_KEY}":
            return self.reply(403, {"message": "The security token included in the request is invalid."})
        assert not {"model", "stream"} & request.keys()
        assert request.pop("anthropic_version") in ("bedrock-2023-05-31", SDK_VERSION)
        if operation == "invoke":
            return self.claude(request, unquote(model), bedrock=True)
        self.claude({**request, "stream": True}, unquote(model), bedrock=True)

    def claude(self, request, model, bedrock=False):
        headers = {"anthropic-version": "2023-06-01"}
        self.forward("anthropic", "/messages", {"model": model, **request}, headers, bedrock)

    def forward(self, provider, path, request, headers, bedrock=False):
        key = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}[provider]
        headers = {**headers, key: f"sim-{provider}-key"}
        url = self.hosts.simulator.base_url(provider) + path
        with httpx.stream("POST", url, json=request, headers=headers, timeout=PATIENCE, trust_env=False) as answer:
            if not answer.headers["content-type"].startswith("text/event-stream"):
                return self.whole(answer, bedrock)
            kind = "application/vnd.amazon.eventstream" if bedrock else "text/event-stream"
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            size = CHUNK.search(f"{path} {request.get('model')}")
            for piece in self.wrap(answer.iter_lines()) if bedrock else answer.iter_bytes():
                step = int(size[1]) if size else len(piece)
                for part in (piece[at:at + step] for at in range(0, len(piece), step)):
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

    def whole(self, answer, bedrock):
        """An answer in one piece; of a failure Bedrock has its own form."""
        body = json.loads(answer.read())
        if not bedrock or answer.status_code == 200:
            return self.reply(answer.status_code, body)
        self.reply(answer.status_code, {"message": body["error"]["message"]}, EXCEPTIONS[body["error"]["type"]])

    @staticmethod
    def wrap(lines):
        for line in lines:
            if line.startswith("data:"):
                event = json.loads(line[5:])
                if event["type"] == "error":
                    exception = EXCEPTIONS[event["error"]["type"]]
                    message = json.dumps({"message": event["error"]["message"]}).encode()
                    yield frame(message, "exception", exception[0].lower() + exception[1:])
                    continue
                if event["type"] == "message_stop":
                    event["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": 7, "outputTokenCount": 8}
                inner = base64.b64encode(json.dumps(event).encode()).decode()
                yield frame(json.dumps({"bytes": inner, "p": "abcdefgh"}).encode())

    def reply(self, status, body, exception=None):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if exception:
            self.send_header("x-amzn-errortype", exception)
        self.end_headers()
        self.wfile.write(body)
