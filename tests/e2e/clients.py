"""How the tests talk to the gateway: the real OpenAI SDK, and sockets where bytes matter."""

import json
import socket
import time
from dataclasses import dataclass, field

import judges
import openai
from harness import HTTP, PATIENCE, Gateway, wait_until

# The simulator counts a header that starts so as a leak.
CLIENT_KEY = "client-key-of-a-test"

PRICE = {"prompt": "3", "completion": "15"}
PICO_USD = {"prompt": 3_000_000, "completion": 15_000_000}


def endpoint(provider: str, model: str, **more) -> dict:
    return {"provider": provider, "model": model, "price": PRICE, **more}


def sdk(gateway: Gateway, **options) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", **{"api_key": CLIENT_KEY, "max_retries": 0, "timeout": PATIENCE, **options})


@dataclass
class Reply:
    """An answer, whether it came in one piece or as a stream."""

    # The exchange's; where bytes are passed on as they came, the answer itself has the provider's.
    id: str = ""
    model: str = ""
    provider: str = ""
    text: str = ""
    reasoning: str = ""
    details: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    finish: str | None = None
    native_finish: str | None = None
    usage: dict | None = None
    chunks: list = field(default_factory=list)

    def message(self) -> dict:
        """The turn to send back."""
        message = {"role": "assistant", "content": self.text or None}
        if self.calls:
            message["tool_calls"] = self.calls
        if self.details:
            message["reasoning_details"] = self.details
        return message


def _reasoning(message: dict) -> str:
    # Where bytes are passed on as they came, so is the name that the provider has for it.
    return message.get("reasoning") or message.get("reasoning_content") or ""


def talk(client: openai.OpenAI, stream: bool, **request) -> Reply:
    """Asks by the SDK, has every piece of the answer judged, and folds it."""
    create = client.chat.completions.with_raw_response.create
    if not stream:
        response = create(**request)
        body = response.parse().to_dict()
        judges.answer(body)
        (choice,) = body["choices"]
        message = choice["message"]
        return Reply(
            id=response.headers["x-generation-id"],
            model=body["model"], provider=body.get("provider"), text=message["content"] or "",
            reasoning=_reasoning(message), details=message.get("reasoning_details") or [],
            calls=message.get("tool_calls") or [], finish=choice["finish_reason"],
            native_finish=choice.get("native_finish_reason"), usage=body.get("usage"),
        )
    response = create(stream=True, stream_options={"include_usage": True}, **request)
    reply = Reply(id=response.headers["x-generation-id"])
    for chunk in response.parse():
        fold(reply, chunk.to_dict())
    return reply


def fold(reply: Reply, chunk: dict, nulls=False):
    """Takes one more chunk. `nulls`: its provider writes them where OpenAI never would, and they are passed on."""
    for choice in chunk["choices"] if nulls else ():
        choice["delta"] = {name: value for name, value in choice["delta"].items() if value is not None}
    judges.chunk(chunk)
    reply.chunks.append(chunk)
    reply.model, reply.provider = chunk["model"], chunk.get("provider")
    if chunk.get("usage"):
        assert reply.usage is None, "the counts came twice"
        reply.usage = chunk["usage"]
    for choice in chunk["choices"]:
        delta = choice["delta"]
        assert delta.get("role") in (None, "assistant")
        reply.text += delta.get("content") or ""
        reply.reasoning += _reasoning(delta)
        reply.details += delta.get("reasoning_details") or []
        for call in delta.get("tool_calls") or []:
            if call["index"] == len(reply.calls):
                reply.calls.append({"id": call["id"], "type": "function", "function": {"name": "", "arguments": ""}})
            for name, piece in call["function"].items():
                reply.calls[call["index"]]["function"][name] += piece or ""
        if choice["finish_reason"]:
            assert reply.finish is None, "the finish came twice"
            reply.finish, reply.native_finish = choice["finish_reason"], choice.get("native_finish_reason")


def events(body: str | bytes) -> list:
    """The data of all events of a stream; `[DONE]` stays a string."""
    text = body if isinstance(body, str) else body.decode()
    assert text.endswith("\n\n"), f"the stream ends inside an event: {text[-200:]!r}"
    blocks = [block.split("\n") for block in text.split("\n\n")]
    data = ["\n".join(line[5:].lstrip() for line in block if line.startswith("data:")) for block in blocks]
    return [one if one == "[DONE]" else json.loads(one) for one in data if one]


def stream(gateway: Gateway, model: str, text="hello", nulls=False, **more) -> tuple[Reply, list]:
    """A streamed answer, by its bytes: folded, and event by event. It must end as it should."""
    response = gateway.chat(model, text, stream=True, **more)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    all_events = events(response.content)
    assert all_events.count("[DONE]") == 1 and all_events[-1] == "[DONE]", all_events[-2:]
    reply = Reply(id=response.headers["x-generation-id"])
    for event in all_events[:-1]:
        fold(reply, event, nulls)
    return reply, all_events


class RawClient:
    """A connection of which every byte is ours."""

    def __init__(self, gateway: Gateway, timeout=PATIENCE):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout)

    def send(self, *parts: bytes):
        for part in parts:
            self.socket.sendall(part)

    def request(self, body: bytes, *headers: str, path="/v1/chat/completions", method="POST"):
        lines = [f"{method} {path} HTTP/1.1", "host: gateway", "content-type: application/json",
                 f"content-length: {len(body)}", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode(), body)

    def read_until(self, mark: bytes) -> bytes:
        received = b""
        while mark not in received:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError(received)
            received += piece
        return received

    def read_all(self) -> bytes:
        """Everything until the gateway closes; a reset ends it too."""
        received = b""
        try:
            while piece := self.socket.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
        return received

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def chat_body(model: str, text="hello", **more) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()


def serves(gateway: Gateway, model: str) -> bool:
    """The gateway answers as it should, on connections that reach both workers."""
    return all(gateway.chat(model).status_code == 200 for _ in range(6))


def open_exchanges(gateway: Gateway) -> int:
    """How many exchanges all workers hold."""
    (gauge,) = HTTP.get(f"{gateway.admin}/stats?filter=crosspoint.exchanges_open&format=json").json()["stats"] or [{"value": 0}]
    return gauge["value"]


def assert_nothing_left(gateway: Gateway):
    """No worker holds an exchange any more. Each of them reports every half second, so the gauge is watched for longer."""
    calm_since = time.monotonic()

    def is_calm():
        nonlocal calm_since
        if open_exchanges(gateway):
            calm_since = time.monotonic()
        return time.monotonic() - calm_since > 1.3

    assert wait_until(is_calm), "exchanges stay open"
