"""What a provider sends and a strict client could not read, as OpenAI's SDK and a socket see it."""

import json

import openai
import pytest
from chaos import GO, SSE, Chaos, chunk
from clients import RawClient, assert_nothing_left, chat_body, endpoint, events, sdk
from harness import wait_until
from test_streams import dechunk

# In members that nobody looks at, in lines that only a client reads, and in what is no JSON at all.
BROKEN = {
    "member": b'data: {"system_fingerprint":"rotten\xff","choices":[]}\n\n',
    "comment": b": rotten\xff\ndata: {\"choices\":[]}\n\n",
    "id": b"id: rotten\xff\ndata: {\"choices\":[]}\n\n",
    "event": b"event: rotten\xff\ndata: {\"choices\":[]}\n\n",
    "json": b'data: {"rotten":1,"choices":[\n\n',
    "documents": b'data: {"rotten":1,"choices":[]} {}\n\n',
    "list": b'data: ["rotten",null,null,null,null,null,null]\n\n',
}
DONE = b"data: [DONE]\n\n"
WHOLE = json.dumps({
    "id": "c", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "?",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "one"}, "finish_reason": "stop"}],
}).encode()
SCRIPTS = {
    **{f"before-{name}": [SSE, broken, chunk("one"), DONE] for name, broken in BROKEN.items()},
    **{f"after-{name}": [SSE, chunk("one"), GO, broken, chunk("two", "stop"), DONE] for name, broken in BROKEN.items()},
    "goes-on": [SSE, chunk("one"), GO, BROKEN["member"], *[chunk("more"), 0.05] * 400, DONE],
    "empty": [SSE, chunk("one"), b"data:\n\n", b"event: ping\n\n", chunk(" two", "stop"), DONE],
    "whole-not-utf8": ["application/json", WHOLE.replace(b"?", b"rotten\xff")],
    "whole-and-more": ["application/json", WHOLE + b"}"],
    "whole-cut": ["application/json", WHOLE[:-1]],
}
kinds = pytest.mark.parametrize("kind", BROKEN)


@pytest.fixture(scope="module")
def chaos():
    with Chaos(**SCRIPTS) as chaos:
        yield chaos


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator, chaos):
    gateway = module_gateway({
        "providers": {**simulator.providers(), "chaos": chaos.provider()},
        "models": {
            **{f"alone/{name}": {"endpoints": [endpoint("chaos", name)]} for name in SCRIPTS},
            **{f"both/{name}": {"endpoints": [endpoint("chaos", name), endpoint("openai", "gpt-4o!tokens=3")]}
               for name in SCRIPTS},
        },
    })
    yield gateway
    assert_nothing_left(gateway)


def ask(gateway, model, stream):
    # Health must not route around what is to be seen.
    return gateway.chat(model, stream=stream, provider={"order": ["chaos", "openai"]})


@kinds
def test_an_event_that_does_not_hold_fails_over_before_the_first_token(gateway, kind):
    response = ask(gateway, f"both/before-{kind}", stream=True)
    assert b"rotten" not in response.content and events(response.content)[-1] == "[DONE]"
    attempts = gateway.receipt(response.headers["x-generation-id"])["attempts"]
    assert [(one["provider"], one["outcome"]) for one in attempts] == [("chaos", "error"), ("openai", "success")]


@kinds
def test_an_event_that_does_not_hold_ends_a_stream_with_an_event(gateway, chaos, kind):
    stream = sdk(gateway).chat.completions.with_raw_response.create(
        model=f"alone/after-{kind}", messages=[{"role": "user", "content": "hello"}], stream=True
    )
    seen = []
    # Not a UnicodeDecodeError, nor one of JSON.
    with pytest.raises(openai.APIError, match="the provider sent|the response holds"):
        for one in stream.parse():
            seen.append(one.choices[0].delta.content)
            chaos.go()
    assert seen == ["one"]
    # A client that leaves because of the event has left all the same.
    receipt = gateway.receipt(stream.headers["x-generation-id"])
    assert receipt["outcome"] in ("cut", "cancelled") and receipt["attempts"][0]["outcome"] == "cut"


@kinds
def test_a_stream_that_does_not_hold_comes_to_a_proper_end(gateway, chaos, kind):
    with RawClient(gateway) as client:
        client.request(chat_body(f"alone/after-{kind}", stream=True), "connection: close")
        received = client.read_until(b'"one"')
        chaos.go()
        received += client.read_all()
    body, ended = dechunk(received.partition(b"\r\n\r\n")[2])
    assert ended
    last = events(body)[-1]
    assert last["error"]["code"] == 502 and last["choices"][0]["finish_reason"] == "error"
    assert b"rotten" not in body and b"two" not in body


def test_a_provider_that_goes_on_is_left(gateway, chaos):
    with RawClient(gateway) as client:
        client.request(chat_body("alone/goes-on", stream=True), "connection: close")
        received = client.read_until(b'"one"')
        chaos.go()
        received += client.read_all()
    assert b'"finish_reason":"error"' in received and b"more" not in received
    assert wait_until(lambda: "goes-on" in chaos.left), "the provider goes on"


def test_an_event_without_data_reaches_no_client(gateway):
    stream = sdk(gateway).chat.completions.create(
        model="alone/empty", messages=[{"role": "user", "content": "hello"}], stream=True
    )
    assert [one.choices[0].delta.content for one in stream] == ["one", " two"]


@pytest.mark.parametrize("kind", ["not-utf8", "and-more", "cut"])
def test_a_whole_answer_that_does_not_hold_fails_over(gateway, kind):
    response = ask(gateway, f"both/whole-{kind}", stream=False)
    attempts = gateway.receipt(response.headers["x-generation-id"])["attempts"]
    assert [(one["provider"], one["outcome"]) for one in attempts] == [("chaos", "error"), ("openai", "success")]
    response = ask(gateway, f"alone/whole-{kind}", stream=False)
    assert response.status_code == 502 and "rotten" not in response.text
    assert response.json()["error"]["code"] == 502
