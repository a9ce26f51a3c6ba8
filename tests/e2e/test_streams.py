"""What becomes of a stream that has begun: the client leaves, the provider fails, cuts it or falls silent."""

import time

import judges
import openai
import pytest
from clients import PICO_USD, RawClient, assert_nothing_left, chat_body, endpoint, events, fold, Reply, sdk, serves
from harness import SIMULATED, wait_until

# What the table of providers knows of these; of the others it knows nothing.
POLICY = {"openai": "stops", "anthropic": "stops", "azure": "stops", "cohere": "stops", "mistral": "bills_all"}
# By the model's own vocabulary, or not.
OUR_COUNTS = ("tokenizer", "estimate")
# Tokens that come in one piece with an error were not delivered yet, so the error is told before the stream begins; a cut
# overtakes those that Envoy is still writing. So what goes wrong waits a moment, also for an Envoy on a busy machine.
HOLD = "hold=200"
KINDS = {
    "good": "tokens=12",
    "slow": "tokens=1000;token_delay=10",
    "very-slow": "tokens=3;first_delay=60000",
    "error": f"tokens=12;error_at=5;{HOLD}",
    "garbage": f"tokens=12;garbage_at=5;{HOLD}",
    "stall": "tokens=12;stall_at=5",
    "no-done": "tokens=12;no_done",
    **{f"cut-{at}": f"tokens=6;{HOLD};cut_at={at}" for at in range(8)},
    **{f"reset-{at}": f"tokens=6;{HOLD};reset_at={at}" for at in range(8)},
    **{f"cut-bytes-{at}": f"tokens=6;{HOLD};chunk=1;cut_at={at}" for at in (0, 1, 3)},
}

providers = pytest.mark.parametrize("provider", SIMULATED)


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    return module_gateway({
        "providers": simulator.providers(),
        "models": {
            f"{provider}/{kind}": {"endpoints": [endpoint(provider, f"{model}!{directives}")]}
            for provider, model in SIMULATED.items()
            for kind, directives in KINDS.items()
        },
        "timeouts": {"first_token": "60s", "stall": "2s", "total": "120s"},
    })


def partial(body: bytes) -> tuple[Reply, list]:
    """The whole events of a stream that may end anywhere."""
    whole = body[: body.rfind(b"\n\n") + 2]
    reply, seen = Reply(), events(whole) if whole else []
    for event in seen:
        if event != "[DONE]" and "error" not in event:
            fold(reply, event)
    return reply, seen


def read(gateway, model):
    """A stream by its bytes: status, headers, body, and whether it came to a proper end."""
    with RawClient(gateway) as client:
        client.request(chat_body(model, stream=True), "connection: close")
        received = client.read_all()
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    ended = True
    if headers.get("transfer-encoding") == "chunked":
        body, ended = dechunk(body)
    return int(lines[0].split()[1]), headers, body, ended


def dechunk(body: bytes) -> tuple[bytes, bool]:
    out = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return out, True
        out += rest[:length]
        body = rest[length + 2:]
    return out, False


@providers
def test_a_cancelled_stream_is_billed(gateway, simulator, provider):
    simulator.reset()
    stream = sdk(gateway).chat.completions.with_raw_response.create(
        model=f"{provider}/slow", messages=[{"role": "user", "content": "one two three"}], stream=True
    )
    generation_id = stream.headers["x-generation-id"]
    chunks = stream.parse()
    seen = [choice.delta.content for chunk, _ in zip(chunks, range(10)) for choice in chunk.choices]
    chunks.close()
    receipt = gateway.receipt(generation_id)
    assert (receipt["outcome"], receipt["state"], receipt["provider"]) == ("cancelled", "final", provider)
    assert receipt["on_cancel"] == POLICY.get(provider, "unknown")
    tokens = receipt["tokens"]
    assert tokens["completion_source"] in OUR_COUNTS
    assert len([text for text in seen if text]) <= tokens["delivered"] < 1000
    # Who goes on writing bills what such a completion usually comes to.
    goes_on = receipt["on_cancel"] == "bills_all"
    assert tokens["completion"] == (1000 if goes_on else tokens["delivered"])
    assert tokens["prompt"] > 0
    assert receipt["cost_pico_usd"] == sum(tokens[kind] * price for kind, price in PICO_USD.items()) > 0
    assert [line["outcome"] for line in receipt["attempts"]] == ["cancelled"]
    assert wait_until(lambda: simulator.counters()[provider]["disconnects"] == 1), "the provider goes on"
    written = simulator.counters()[provider]["tokens_written_at_disconnects"]
    # Every word of the simulator's is a token to it, and at least one to us.
    assert tokens["delivered"] >= written - 5


@providers
def test_a_client_that_leaves_before_the_first_token(gateway, simulator, provider):
    simulator.reset()
    with RawClient(gateway) as client:
        client.request(chat_body(f"{provider}/very-slow", stream=True))
        assert wait_until(lambda: simulator.requests(provider))
    assert wait_until(lambda: simulator.counters()[provider]["disconnects"] == 1)
    receipts = wait_until(lambda: [one for one in gateway.receipts() if one["model"] == f"{provider}/very-slow"])
    assert [one["outcome"] for one in receipts] == ["cancelled"]
    assert receipts[0]["state"] == "final"


@providers
def test_an_error_in_the_middle_is_the_last_event(gateway, provider):
    status, headers, body, ended = read(gateway, f"{provider}/error")
    assert status == 200 and ended
    reply, seen = partial(body)
    assert len(reply.text.split()) == 5
    last = seen[-1]
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["metadata"]["provider_name"] == provider
    assert "[DONE]" not in seen
    assert last["id"] == headers["x-generation-id"]
    receipt = gateway.receipt(headers["x-generation-id"])
    assert (receipt["outcome"], receipt["status"]) == ("cut", 200)
    assert receipt["error_type"] == last["error"]["metadata"]["error_type"]
    assert receipt["tokens"]["completion"] >= 5
    assert receipt["tokens"]["completion_source"] in OUR_COUNTS
    # Insured: the client has got `finish_reason: "error"`.
    assert (receipt["cost_pico_usd"], receipt["insured_pico_usd"] > 0) == (0, True)


@providers
def test_the_sdk_raises_the_error_in_the_middle(gateway, provider):
    stream = sdk(gateway).chat.completions.create(
        model=f"{provider}/error", messages=[{"role": "user", "content": "x"}], stream=True
    )
    text = ""
    with pytest.raises(openai.APIError) as raised:
        for chunk in stream:
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert len(text.split()) == 5
    assert raised.value.message


@providers
def test_garbage_in_the_middle_shows_nothing_of_it(gateway, provider):
    status, headers, body, ended = read(gateway, f"{provider}/garbage")
    assert status == 200 and ended
    reply, seen = partial(body)
    assert len(reply.text.split()) == 5
    assert seen[-1]["choices"][0]["finish_reason"] == "error"
    # All of it is events of ours.
    assert body.endswith(b"\n\n") and all(block.startswith(b"data: ") for block in body.split(b"\n\n")[:-1])
    assert gateway.receipt(headers["x-generation-id"])["outcome"] == "cut"


@providers
def test_a_stall_after_the_first_token_ends_with_an_error_event(gateway, simulator, provider):
    simulator.reset()
    began = time.monotonic()
    status, headers, body, _ = read(gateway, f"{provider}/stall")
    assert status == 200 and time.monotonic() - began < 30, "not at the deadline"
    reply, seen = partial(body)
    assert len(reply.text.split()) == 5
    assert seen[-1]["error"]["metadata"]["error_type"] == "timeout"
    assert "[DONE]" not in seen
    receipt = gateway.receipt(headers["x-generation-id"])
    assert (receipt["outcome"], receipt["error_type"]) == ("cut", "timeout")
    assert receipt["tokens"]["completion"] >= 5
    assert wait_until(lambda: simulator.counters()[provider]["disconnects"] == 1)


@providers
def test_a_provider_without_a_last_event(gateway, provider):
    """`[DONE]`, `message_stop`: the finish has come, so nothing is missing."""
    if provider == "bedrock":
        pytest.skip("Bedrock has no such event")
    status, headers, body, ended = read(gateway, f"{provider}/no-done")
    reply, seen = partial(body)
    receipt = gateway.receipt(headers["x-generation-id"])
    assert status == 200 and ended
    # The last event of Responses is the finish.
    assert reply.finish or provider == "responses" and receipt["outcome"] == "cut"
    if receipt["outcome"] == "success":
        assert seen[-1] == "[DONE]"
    else:
        assert seen[-1]["choices"][0]["finish_reason"] == "error"


@providers
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("cut", "reset"))])
def test_a_stream_that_the_provider_cuts(gateway, provider, kind):
    """Before the first token it is a clean error; after it the client keeps what it has, and no end is feigned."""
    at = int(kind.rpartition("-")[2])
    status, headers, body, ended = read(gateway, f"{provider}/{kind}")
    receipt = gateway.receipt(headers["x-generation-id"])
    if status != 200:
        assert status == 502 and ended
        assert at <= 1 or kind.startswith("reset"), "tokens were there to be delivered"
        assert receipt["outcome"] == "error" and receipt["status"] == 502
        return
    reply, seen = partial(body)
    assert at > 0
    if kind.startswith("cut"):
        # The cut may overtake the last token; a reset, any.
        assert min(at, 6) - 1 <= len(reply.text.split()) <= min(at, 6)
    assert "[DONE]" not in seen
    assert not ended or seen[-1]["choices"][0]["finish_reason"] == "error"
    assert (receipt["outcome"], receipt["status"]) == ("cut", 200)
    insured = receipt.get("insured_pico_usd", 0)
    assert receipt["tokens"]["completion"] >= 1 and receipt["cost_pico_usd"] + insured > 0
    assert (insured > 0) == ended
    assert [line["outcome"] for line in receipt["attempts"]] == ["cut"]


@providers
def test_streams_side_by_side_keep_their_own(gateway, provider):
    """Many streams of one worker at once: none gets a word or a count of another."""
    from concurrent.futures import ThreadPoolExecutor

    def one(number):
        words = " ".join(f"w{number}x{part}" for part in range(1 + number % 7))
        model = "good" if number % 2 else "slow"
        with sdk(gateway).chat.completions.create(
            model=f"{provider}/{model}", messages=[{"role": "user", "content": words}], stream=True, max_tokens=20
        ) as stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        return text.startswith(f"You said: {words}"[: len(text)]) and len(text.split()) == (12 if number % 2 else 20)

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(one, range(48)))


def test_nothing_is_left_open(gateway):
    assert_nothing_left(gateway)
    assert serves(gateway, "openai/good")
    receipts = gateway.receipts()
    assert {one["state"] for one in receipts} == {"final"}
    assert len({one["id"] for one in receipts}) == len(receipts)
    judges.answer(gateway.chat("openai/good").json())
