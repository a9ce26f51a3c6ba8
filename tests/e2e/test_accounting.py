"""Two thousand exchanges of every kind: one receipt each, and in it what the providers say they generated and charge."""

import hashlib
import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest
from clients import endpoint
from harness import HTTP, MODELS, PATIENCE, run_tool, wait_until

EXCHANGES = 2000
CLIENTS = 16
# Read from the simulator before it forgets: it keeps the last thousand of each provider.
BATCH = 500
PROVIDERS = ["openai", "anthropic", "bedrock", "gemini", "mistral", "cohere", "ollama"]
# As the simulator does it.
GOES_ON = {"bedrock", "gemini"}
# The last one has used its budget up before long.
KEYS = {"ann": "cp-key-of-ann", "bob": "cp-key-of-bob", "poor": "cp-key-of-poor"}
BUDGETS = {"ann": "1000", "bob": "1000", "poor": "0.02"}
# USD per million tokens, and so pico-USD per token, times a million.
PRICES = {name: {"prompt": str(1 + at), "completion": str(10 + at)} for at, name in enumerate(PROVIDERS)}
# What goes wrong before the first token, so that another provider answers.
FAULTS = ["status=500", "status=429", "error_200", "reset", "error_at=0", "empty", "cut_at=0", "html", "garbage"]
LIMIT = 60
LOCAL = threading.local()


def offer(provider, directives=""):
    model = MODELS[provider] + (f"!{directives}" if directives else "")
    return endpoint(provider, model, price=PRICES[provider])


def config(simulator):
    models = {f"ok/{name}": [offer(name)] for name in PROVIDERS}
    for at, fault in enumerate(FAULTS):
        # Each kind of fault at another provider than who comes after it.
        models[f"over/{at}"] = [offer(PROVIDERS[at % 7], fault), offer(PROVIDERS[(at + 1) % 7])]
    for name in PROVIDERS:
        models[f"cut/{name}"] = [offer(name, f"tokens=20;cut_at={5 + len(name) % 4}")]
        models[f"down/{name}"] = [offer(name, "status=503")]
        models[f"slow/{name}"] = [offer(name, f"tokens={LIMIT};token_delay=3")]
    providers = simulator.providers()
    return {
        "providers": {
            name: {**providers[name], "on_cancel": "bills_all" if name in GOES_ON else "stops"} for name in PROVIDERS
        },
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        "keys": [
            {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), "budget": {"month": BUDGETS[name]}}
            for name, key in KEYS.items()
        ],
    }


def own_client():
    """This thread's client. One that leaves closes its connection, so the next one may meet the other worker."""
    if not hasattr(LOCAL, "client"):
        LOCAL.client = httpx.Client(trust_env=False)
    return LOCAL.client


class Asked:
    """One request, as a client sends it."""

    def __init__(self, number, dice):
        self.number = number
        self.mark = f"exchange-{number}-of-all"
        self.kind = dice.choices(
            ["ok", "over", "cut", "down", "slow", "leave", "bad_model", "bad_body", "bad_key"],
            [40, 15, 8, 5, 3, 20, 3, 3, 3],
        )[0]
        self.key = dice.choices(list(KEYS), [45, 45, 10])[0]
        self.stream = dice.random() < 0.6
        provider = dice.choice(PROVIDERS)
        model = {
            "over": f"over/{dice.randrange(len(FAULTS))}", "leave": f"slow/{provider}", "bad_model": "no/such",
        }.get(self.kind, f"{self.kind}/{provider}")
        words = " ".join(dice.choices(["one", "two", "three", "four"], k=dice.randrange(1, 30)))
        self.body = {
            "model": model, "stream": self.stream, "max_tokens": LIMIT,
            "messages": [{"role": "user", "content": f"{self.mark} {words}"}],
        }
        if self.kind == "bad_body":
            self.body["messages"] = 7
        # Nobody may choose another than who comes first.
        self.body["provider"] = {"allow_fallbacks": True, "sort": "price"}
        # When this client leaves: after so many reads, or so many seconds without one.
        self.reads = dice.randrange(0, 12)
        self.seconds = dice.random() * 0.15
        self.id = None
        self.status = None

    def send(self, gateway):
        key = "cp-no-key" if self.kind == "bad_key" else KEYS[self.key]
        headers = {"authorization": f"Bearer {key}"}
        url = f"{gateway.url}/v1/chat/completions"
        leaves = self.kind == "leave"
        timeout = httpx.Timeout(PATIENCE, read=self.seconds if leaves and self.reads == 0 else PATIENCE)
        try:
            with own_client().stream("POST", url, json=self.body, headers=headers, timeout=timeout) as response:
                self.status = response.status_code
                self.id = response.headers.get("x-generation-id")
                for count, _ in enumerate(response.iter_raw()):
                    if leaves and count + 1 >= self.reads:
                        return
        except httpx.ReadTimeout:
            assert leaves
        except httpx.RemoteProtocolError:
            # A stream that breaks off.
            assert self.kind in ("cut", "over"), self.kind


def pico_usd(usd):
    return int(Decimal(usd) * 10**12)


def cost(provider, prompt, completion):
    price = PRICES[provider]
    return prompt * int(price["prompt"]) * 1_000_000 + completion * int(price["completion"]) * 1_000_000


class Books:
    """What the providers say of each exchange: a list of settled requests by its mark."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.settled = {}

    def read(self):
        def all_settled():
            records = [one for name in PROVIDERS for one in self.simulator.requests(name)]
            return records if all(one["settled"] for one in records) else None

        records = wait_until(all_settled)
        assert records is not None, "a request never ended"
        for record in sorted(records, key=lambda record: record["index"]):
            mark = next(word for word in record["body_text"].replace('"', " ").split() if word.startswith("exchange-"))
            self.settled.setdefault(mark, []).append((record["provider"], record["settled"]))
        HTTP.delete(f"{self.simulator.control}/requests").raise_for_status()


def judge(asked, receipt, records):
    """Compares one receipt with what its providers say; says how it was knowable."""
    attempts = receipt["attempts"]
    outcome = receipt["outcome"]
    assert receipt["key"] == asked.key
    if outcome == "refused":
        assert not records and not attempts and receipt["cost_pico_usd"] == 0 and "tokens" not in receipt
        if receipt["status"] == 402:
            assert asked.key == "poor"
            return "over budget"
        return "refused"
    # Who was asked, in order. What never reached a provider, because the client left first, it does not know.
    assert [one["provider"] for one in attempts][: len(records)] == [provider for provider, _ in records], receipt
    if outcome == "error":
        assert receipt["cost_pico_usd"] == 0 and "tokens" not in receipt
        return "error"
    tokens = receipt.get("tokens")
    if not records:
        assert outcome == "cancelled"
        return "never sent"
    provider, settled = records[-1]
    if tokens:
        charged = receipt["cost_pico_usd"] + receipt.get("insured_pico_usd", 0)
        assert charged == cost(provider, tokens["prompt"], tokens["completion"]), receipt
    if outcome == "success":
        assert settled["outcome"] == "complete", (receipt, settled)
        assert tokens["prompt_source"] == tokens["completion_source"] == "provider"
        assert (tokens["prompt"], tokens["completion"]) == (settled["prompt"], settled["billed"]), (receipt, settled)
        return "success"
    if outcome == "cut":
        assert settled["outcome"] == "cut"
        assert tokens["completion"] > 0
        return "cut"
    assert outcome == "cancelled", receipt
    if provider in GOES_ON or not asked.stream:
        if settled["outcome"] == "left" and provider in GOES_ON:
            assert tokens["completion"] == settled["billed"] == LIMIT, (receipt, settled)
            return "cancelled, to the token"
        return "cancelled, as it ended"
    # One that stops: what came before the client left, by our own count.
    if tokens:
        assert tokens["completion_source"] in ("estimate", "tokenizer") and tokens["completion"] == tokens["delivered"]
    return "cancelled, as delivered"


@pytest.mark.parametrize("run", [1, 2])
def test_every_exchange_has_one_receipt_and_it_is_right(start_gateway, simulator, run):
    simulator.reset()
    gateway = start_gateway(config(simulator))
    dice = random.Random(run)
    exchanges = [Asked(number, dice) for number in range(EXCHANGES)]
    books = Books(simulator)
    begin = time.monotonic()
    for start in range(0, EXCHANGES, BATCH):
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda asked: asked.send(gateway), exchanges[start:start + BATCH]))
        books.read()
    seconds = time.monotonic() - begin

    # Who is not let in begins no exchange.
    strangers = [asked for asked in exchanges if asked.kind == "bad_key"]
    assert all(asked.status == 401 and asked.id is None for asked in strangers)
    exchanges = [asked for asked in exchanges if asked.kind != "bad_key"]
    receipts = wait_until(lambda: (found := gateway.receipts()) and len(found) >= len(exchanges) and found)
    receipts = receipts or gateway.receipts()
    ids = Counter(receipt["id"] for receipt in receipts)
    assert len(receipts) == len(ids) == len(exchanges), (len(receipts), len(ids), ids.most_common(3))
    assert all(receipt["state"] == "final" for receipt in receipts)

    by_id = {receipt["id"]: receipt for receipt in receipts}
    seen = Counter()
    for asked in exchanges:
        if asked.id:
            seen[judge(asked, by_id.pop(asked.id), books.settled.get(asked.mark, []))] += 1
    # Those whose clients left before they knew their id. Of some the whole answer was on its way already.
    ended = Counter(receipt["outcome"] for receipt in by_id.values())
    assert set(ended) <= {"cancelled", "success"}, ended
    unnamed = [asked for asked in exchanges if not asked.id]
    assert len(unnamed) == len(by_id)
    for name in GOES_ON:
        # Nobody knows which is whose, but together they must be what the provider charges.
        billed = [
            settled["billed"] for asked in unnamed for provider, settled in books.settled.get(asked.mark, [])
            if provider == name and settled["outcome"] == "left" and settled["completion"]
        ]
        found = [
            receipt["tokens"]["completion"] for receipt in by_id.values()
            if receipt["outcome"] == "cancelled" and receipt["attempts"][-1:]
            and receipt["attempts"][-1]["provider"] == name and receipt.get("tokens")
        ]
        assert all(tokens == LIMIT for tokens in found), found
        assert len(found) >= len(billed), (found, billed)
    spent = Counter()
    for receipt in receipts:
        spent[receipt["key"]] += receipt["cost_pico_usd"]
    assert seen["over budget"] > 20 and spent["poor"] <= pico_usd(BUDGETS["poor"]), (seen, spent)
    # What the counters of the budgets say.
    for name, key in KEYS.items():
        def used(key=key):
            answer = HTTP.get(f"{gateway.url}/v1/key", headers={"authorization": f"Bearer {key}"}).raise_for_status()
            return pico_usd(json.loads(answer.text, parse_float=str, parse_int=str)["data"]["usage_monthly"])

        assert wait_until(lambda: used() == spent[name]), (name, used(), spent[name])
    # What the ledger makes of the log.
    table = json.loads(run_tool("ledger", "--by", "key", "--format", "json", gateway.access_log).stdout)
    assert {row["key"]: row["cost_pico_usd"] for row in table["rows"]} == dict(spent)
    assert table["total"]["exchanges"] == len(exchanges)
    tokens = [receipt["tokens"] for receipt in receipts if receipt.get("tokens")]
    for kind in ("prompt", "completion"):
        assert table["total"][kind] == sum(one[kind] for one in tokens)
    print(f"{EXCHANGES / seconds:.0f} exchanges/s:", dict(seen), f"and {len(unnamed)} whose clients never knew their id")
