"""Ordinary traffic among attacks of every kind: no VM is lost, no other caller notices, every exchange has its receipt.

E2E_ATTACK_SECONDS is how long it takes (40; `make attack`: ten minutes). Beside the attack run ten paced streams, and ten
more through a plain Envoy that gets the same bodies at the same time; from five minutes on the gaps between their events
are held to each other, which needs a machine that does nothing else.

Attackers and the providers that they keep busy run on this machine, too, with hundreds of threads before which an Envoy
with four would wait for seconds. Elsewhere they have machines of their own, so here they step back.
"""

import hashlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import attack
import harness
import httpx
import pytest
from attack import Attacks, ask, ask_with_trailers, chat
from clients import assert_nothing_left, endpoint, events
from harness import MODELS, PATIENCE, Gateway, Simulator, manager, step_back, wait_until, without_wasm
from hostile import BROKEN, ECHOED, Hostile, Trailing

SECONDS = float(os.environ.get("E2E_ATTACK_SECONDS", "40"))
ARE_GAPS_HELD = SECONDS >= 300
# Milliseconds that the 99th percentile of gaps may be above plain Envoy's, by what the attack sends.
PHASES = {"bodies up to 1 MB": 50, "bodies at the limit": 500}
PACED = "gpt-4o!tokens=500;token_delay=20"
CALM = ("openai", "anthropic", "bedrock")
ATTACKERS = 6
CALLERS = 4
KEYS = {name: f"cp-key-of-{name}" for name in ("ann", "bob", "eve", "mallory", "watcher")}
TEXT = "You said: hello and naïve words follow"

pytestmark = pytest.mark.timeout(SECONDS * 3 + 600)


@pytest.fixture(scope="module")
def hostile():
    return Hostile()


@pytest.fixture(scope="module")
def trailing():
    return Trailing()


@pytest.fixture(scope="module")
def config(tmp_path_factory, hostile, trailing):
    calm = Simulator(tmp_path_factory.mktemp("calm"), record=False)
    with calm, Simulator(tmp_path_factory.mktemp("attacked"), record=False) as simulator:
        simulator.step_back()
        providers = simulator.providers()
        # Large bodies keep the simulated providers busy, too. What must be as it always is goes to others.
        providers |= {f"calm-{name}": calm.providers()[name] for name in CALM}
        ways = ("sink", "unfinished", "echo", "huge", "broken")
        providers |= {way: {"dialect": "openai-chat", "base_url": hostile.base_url(way)} for way in ways}
        providers["echo"]["key"] = {"env": "ECHOED_KEY"}
        providers["trailing"] = {"dialect": "openai-chat", "base_url": f"http://127.0.0.1:{trailing.server.port}/v1"}
        yield {
            "providers": providers,
            "models": {name: {"endpoints": endpoints} for name, endpoints in models().items()},
            "keys": [{"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest()} for name, key in KEYS.items()],
            "auto": {"models": {"sim/openai": {"score": 0.5, "coding": 0.9}, "sim/anthropic": {"score": 0.8}}},
            "timeouts": {"first_token": "30s", "stall": "30s", "total": "40s"},
        }
        simulator.check()
        calm.check()


def models() -> dict:
    cheap = {"price": {"prompt": "0.01", "completion": "0.01"}}
    return {
        **{f"sim/{name}": [endpoint(name, MODELS[name])] for name in ("openai", "anthropic", "gemini", "ollama")},
        "sim/embed": [endpoint("openai", "text-embedding-3-small")],
        **{f"calm/{name}": [endpoint(f"calm-{name}", MODELS[name])] for name in CALM},
        "calm/slow": [endpoint("calm-openai", "gpt-4o!tokens=100;token_delay=50")],
        "sim/waiting": [endpoint("anthropic", "claude-sonnet-4-5!first_delay=8000")],
        "calm/over": [
            endpoint("calm-openai", "gpt-4o!status=500;tokens=3", **cheap), endpoint("calm-bedrock", MODELS["bedrock"]),
        ],
        "calm/paced": [endpoint("calm-openai", PACED)],
        "many/endpoints": [endpoint("openai", f"gpt-4o!tokens={at}") for at in range(1, 50)],
        "silent/one": [endpoint("openai", "gpt-4o!no_headers;tokens=7", **cheap), endpoint("anthropic", "claude-sonnet-4-5")],
        "unfinished/answer": [endpoint("unfinished", "m", **cheap), endpoint("openai", "gpt-4o")],
        "echo/key": [endpoint("echo", "m")],
        "huge/usage": [endpoint("huge", "m")],
        **{f"broken/{kind}": [endpoint("broken", kind)] for kind in BROKEN},
        "trailing/provider": [endpoint("trailing", "m")],
    }


@pytest.fixture(scope="module")
def gateway(module_gateway, config):
    def patch(tree):
        (cluster,) = [one for one in tree["static_resources"]["clusters"] if one["name"] == "trailing"]
        (options,) = cluster["typed_extension_protocol_options"].values()
        options["explicit_http_config"] = {"http2_protocol_options": {}}

    return module_gateway(config, patch=patch, env={"ECHOED_KEY": ECHOED})


@pytest.fixture(scope="module")
def plain(tmp_path_factory, config):
    """Passes paced streams to their provider, and what comes to /sink to one that takes everything."""

    def patch(tree):
        without_wasm(tree, "calm-openai")
        (host,) = manager(tree)["route_config"]["virtual_hosts"]
        host["routes"].insert(0, {"match": {"prefix": "/sink"}, "route": {"cluster": "sink", "timeout": "60s"}})

    with Gateway(tmp_path_factory.mktemp("plain"), config, patch=patch, env={"ECHOED_KEY": ECHOED}) as plain:
        yield plain


class Told:
    """What clients saw, put together by many threads."""

    def __init__(self):
        self.lock = threading.Lock()
        # The id of each exchange that a client knows of, and how it must have ended, where that is certain.
        self.outcomes, self.anonymous = {}, 0
        self.statuses, self.problems, self.ordinary = defaultdict(Counter), [], 0

    def note(self, name, answered, outcome=None):
        with self.lock:
            self.statuses[name][answered.status] += 1
            if answered.generation:
                self.outcomes[answered.generation] = outcome
            else:
                self.anonymous += 1

    def problem(self, what):
        with self.lock:
            self.problems.append(what)


def attacker(number, attacks, gateway, plain, told):
    step_back()
    key = KEYS[("eve", "mallory")[number % 2]]

    def once(one):
        try:
            answered = ask(gateway.port, one, key)
        except OSError as problem:
            told.problem(f"{one.name}: {problem!r}")
        else:
            told.note(one.name, answered)
            judge(one, answered, told)
        if one.leaves is None:
            ask(plain.port, one, key, path="/sink")

    for one in attacks:
        with ThreadPoolExecutor(one.times) as pool:
            list(pool.map(once, [one] * one.times))


def judge(one, answered, told):
    """What may be wrong with an answer to an attacker."""
    lost = answered.status is None and answered.early
    if answered.status not in one.expected and one.leaves is None and not lost:
        told.problem(f"{one.name}: status {answered.status}")
    if ECHOED.encode() in answered.raw:
        told.problem(f"{one.name}: the operator's key is in the answer")
    if answered.status == 429 and b"retry-after: " not in answered.raw:
        told.problem(f"{one.name}: 429 without Retry-After")
    if one.name.startswith("broken stream") and answered.status == 200:
        try:
            chunks = events(answered.body())
            assert chunks[-1]["choices"][0]["finish_reason"] == "error", chunks[-1]
        except (ValueError, AssertionError, TypeError) as problem:
            told.problem(f"{one.name}: {problem!r}")


def trailers(gateway, trailing, told, over):
    while not over.is_set():
        answered, came = ask_with_trailers(gateway.port, KEYS["eve"])
        told.note("trailers", answered)
        if came or trailing.seen:
            told.problem(f"trailers reached the client: {came}; the provider: {trailing.seen}")
            trailing.seen.clear()
        time.sleep(0.5)


def caller(number, gateway, told, over):
    """Ordinary traffic: everything must be as it always is."""
    key = KEYS[("ann", "bob")[number % 2]]
    kinds = [(model, stream) for model in ("calm/openai", "calm/anthropic", "calm/over") for stream in (False, True)]
    with httpx.Client(trust_env=False, timeout=PATIENCE, headers={"authorization": f"Bearer {key}"}) as client:
        for at in itertools.count():
            if over.is_set():
                return
            model, stream = kinds[at % len(kinds)]
            more = {"provider": {"sort": "price"}} if model == "calm/over" else {}
            try:
                response = client.post(f"{gateway.url}/v1/chat/completions", json=chat(model, stream=stream, **more))
                assert response.status_code == 200, response.text[:300]
                assert text_of(response, stream).startswith(TEXT), response.text[-300:]
            except (httpx.HTTPError, AssertionError, ValueError, KeyError) as problem:
                told.problem(f"a caller of {model}, stream {stream}: {problem!r}")
                continue
            with told.lock:
                told.ordinary += 1
                told.outcomes[response.headers["x-generation-id"]] = "success"
            time.sleep(0.05)


def text_of(response, stream) -> str:
    if not stream:
        return response.json()["choices"][0]["message"]["content"]
    chunks = events(response.content)
    assert chunks[-1] == "[DONE]" and not any("error" in chunk for chunk in chunks[:-1])
    return "".join(choice["delta"].get("content") or "" for chunk in chunks[:-1] for choice in chunk["choices"])


def watcher(target, key, model) -> subprocess.Popen:
    command = [sys.executable, attack.__file__, str(target.port), key, model]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def phase(attacks, gateway, plain, trailing, told) -> list:
    """The gaps beside these attacks, through the gateway and through plain Envoy, in ms."""
    watchers = [
        watcher(gateway, KEYS["watcher"], "calm/paced"),
        # As the gateway asks for it.
        watcher(plain, harness.KEYS["OPENAI_API_KEY"], PACED),
    ]
    over = threading.Event()
    with ThreadPoolExecutor(ATTACKERS + CALLERS + 1) as pool:
        try:
            others = [pool.submit(caller, number, gateway, told, over) for number in range(CALLERS)]
            others.append(pool.submit(trailers, gateway, trailing, told, over))
            attackers = [pool.submit(attacker, number, attacks, gateway, plain, told) for number in range(ATTACKERS)]
            for one in attackers:
                one.result()
        finally:
            over.set()
            watched = [json.loads(one.communicate()[0]) for one in watchers]
        for one in others:
            one.result()
    for name, found in zip(("through the gateway", "through plain Envoy"), watched):
        if found["cut"]:
            told.problem(f"{found['cut']} paced streams {name} were cut")
    told.outcomes.update(dict.fromkeys(watched[0]["ids"], "success"))
    return [found["gaps_ms"] for found in watched]


def percentile(gaps, percent):
    return gaps[min(len(gaps) - 1, len(gaps) * percent // 100)]


def test_nobody_else_notices_an_attack(gateway, plain, trailing):
    told, over = Told(), []
    small, large, seconds = attack.small(), attack.large(), SECONDS / 2
    for (name, allowed), once, others in zip(PHASES.items(), (small, large), ([], small)):
        attacks = Attacks(once, others, seconds)
        ours, theirs = phase(attacks, gateway, plain, trailing, told)
        figures = [f"p50 {percentile(gaps, 50)}, p99 {percentile(gaps, 99)}, at most {gaps[-1]} ms" for gaps in (ours, theirs)]
        print(f"gaps beside {name}: {figures[0]}; through plain Envoy: {figures[1]}")
        if percentile(ours, 99) > percentile(theirs, 99) + allowed:
            over.append(f"{name}: {figures}, and {allowed} ms more are allowed")
    print(f"ordinary requests: {told.ordinary}")
    for name, statuses in sorted(told.statuses.items()):
        print(f"  {name}: {dict(statuses)}")
    problems = [f"{count} × {what}" for what, count in Counter(told.problems).most_common()]
    print("\n".join(problems))
    gateway.check()
    assert not problems, problems
    assert told.ordinary > SECONDS, "hardly anything ordinary was asked"
    assert_nothing_left(gateway)
    assert_receipts(gateway, told)
    assert not ARE_GAPS_HELD or not over, over


def assert_receipts(gateway, told):
    """One for every exchange that a client knows of, and no more beside than there are clients that know of none."""
    assert wait_until(lambda: told.outcomes.keys() <= {one["id"] for one in gateway.receipts()}), "receipts are missing"
    receipts = gateway.receipts()
    by_id = {one["id"]: one for one in receipts}
    assert len(by_id) == len(receipts) and {one["state"] for one in receipts} == {"final"}
    assert len(by_id.keys() - told.outcomes.keys()) <= told.anonymous
    wrong = {by_id[id]["outcome"] for id, outcome in told.outcomes.items() if outcome and by_id[id]["outcome"] != outcome}
    assert not wrong, f"what clients saw served has receipts that say {wrong}"
    believed = [one for one in receipts if max(one.get("tokens", {}).get(kind, 0) for kind in ("prompt", "completion")) > 10**8]
    assert not believed, f"{len(believed)} receipts have more tokens than any endpoint produces, such as {believed[0]}"
