"""What a VM leaves behind that dies: a line in the ledger for all that it had open, and each charged once.

The filter is the one that is shipped, but for its memory: a limit is written into the module, and requests that wait at a
slow endpoint use it up.
"""

import contextlib
import hashlib
import json
import time

import pytest
from clients import RawClient, chat_body, endpoint
from harness import HTTP, PATIENCE, WASM, Gateway, wait_until
from providers import Provider

KEY = {"authorization": "Bearer key-of-ann"}
PAGE = 64 << 10
# What the filter's memory may be here, and what is to fill it.
MOST = 32 << 20
LONG = 100_000


def limited(module: bytes, most: int) -> bytes:
    """The module with a limit to its memory, in bytes."""

    def number(at):
        value = shift = 0
        while True:
            byte = module[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    def encoded(value):
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(out + bytes([value]))

    at = 8
    while at < len(module):
        kind, (length, begin) = module[at], number(at + 1)
        if kind == 5:
            least, _ = number(begin + 2)
            section = b"\x01\x01" + encoded(least) + encoded(most // PAGE)
            return module[:at] + b"\x05" + encoded(len(section)) + section + module[begin + length:]
        at = begin + length
    raise AssertionError("the module has no memory")


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def gateway(tmp_path, simulator, provider):
    wasm = tmp_path / "limited.wasm"
    wasm.write_bytes(limited(WASM.read_bytes(), MOST))
    config = {
        "providers": {"slow": {"dialect": "openai-chat", "base_url": provider.base_url("slow/v1")}, **simulator.providers()},
        "models": {
            # The second one is why the request is held while the first one is waited for.
            "m/slow": {"endpoints": [endpoint("slow", "m"), endpoint("openai", "gpt-4o")]},
            "m/paced": {"endpoints": [endpoint("openai", "gpt-4o!tokens=3000;token_delay=100")]},
            "m/good": {"endpoints": [endpoint("openai", "gpt-4o")]},
        },
        "keys": [{"name": "ann", "sha256": hashlib.sha256(b"key-of-ann").hexdigest(), "budget": {"day": 100_000}}],
    }
    gateway = Gateway(tmp_path, config, wasm=wasm, concurrency=1)
    yield gateway
    # Not `stop`: that a VM dies is what is tried.
    gateway.kill()


def usage(gateway) -> int:
    answer = HTTP.get(f"{gateway.url}/v1/key", headers=KEY).raise_for_status()
    return round(float(answer.json()["data"]["usage"]) * 1e12)


def fill(gateway, waiting, died):
    """Requests that wait at the slow endpoint, until there is no room left."""
    body = chat_body("m/slow", "a" * LONG, provider={"order": ["slow", "openai"]})
    for _ in range(2 * MOST // LONG):
        if died():
            return
        with contextlib.suppress(OSError):
            client = waiting.enter_context(RawClient(gateway))
            client.request(body, f"authorization: {KEY['authorization']}")


def test_all_that_a_dead_vm_had_open_has_a_receipt_and_is_charged_once(gateway):
    header = f"authorization: {KEY['authorization']}"
    with RawClient(gateway, timeout=PATIENCE) as stream, RawClient(gateway) as reading:
        stream.request(chat_body("m/paced", stream=True, max_tokens=3000), header)
        stream.read_until(b"data:")
        length = f"content-length: {LONG}"
        reading.send(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{header}\r\n{length}\r\n\r\n{{".encode())
        assert wait_until(lambda: usage(gateway) > 0)
        with contextlib.ExitStack() as waiting:
            fill(gateway, waiting, gateway.broken_lines)
            stream.read_all()
    assert gateway.broken_lines()
    assert wait_until(lambda: gateway.chat("m/good", headers=KEY).status_code == 200, pause=0.5)

    def died():
        return [receipt for receipt in gateway.receipts() if receipt["state"] == "open"]

    assert wait_until(lambda: len([one for one in died() if one["cost_pico_usd"]]) == 1), died()
    (streamed,) = [one for one in died() if one["cost_pico_usd"]]
    assert streamed["key"] == "ann" and streamed["model"] == "m/paced"
    assert [one for one in died() if one["model"] == "" and one["key"] == "ann"], "the one that was being read has no line"

    def finals():
        return sum(one["cost_pico_usd"] for one in gateway.receipts() if one["state"] == "final")

    # What the receipt says was known half a second before it was charged, at most.
    step = 15 * 15_000_000
    time.sleep(3)
    charged = usage(gateway) - finals()
    assert streamed["cost_pico_usd"] - step <= charged <= streamed["cost_pico_usd"]
    before = usage(gateway), finals()
    assert gateway.chat("m/good", headers=KEY).status_code == 200
    assert wait_until(lambda: finals() > before[1])
    assert wait_until(lambda: usage(gateway) - before[0] == finals() - before[1])
    assert wait_until(lambda: gateway.stats()["wasmcustom.crosspoint.exchanges_open"] == 0)
