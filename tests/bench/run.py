"""`make bench`: what Crosspoint costs in Envoy, beside plain Envoy and beside a Wasm filter that does nothing.

Four Envoys with one worker each, rendered from one configuration:

    plain                  the same listener, route and clusters, without any Wasm
    do-nothing filter      tests/bench/noop.rs in both placements: every piece of a body is taken and put back
    openai -> openai       Crosspoint before a provider that speaks the client's own format
    openai -> anthropic    Crosspoint, translating

They are loaded in turn by tests/bench/load.rs, which is client and provider at once, for several rounds, each round
beginning with another one; every figure is the median of the rounds, and ratios and differences are taken within a round.
The providers' answers were recorded from `crosspoint-simulator`.

BENCH_ROUNDS (7) and BENCH_SCALE (1.0; shortens every measurement) choose how long it takes. BENCH_WASM names other
filters to measure beside (`name=path,…`), such as the one of the last commit.
"""

import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness import ENVOY, KEYS, TOOL, WASM, Gateway, Simulator, manager, without_matcher, without_wasm  # noqa: E402

OUT = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
DIRECTORY = OUT / "bench"
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 7)
SCALE = float(os.environ.get("BENCH_SCALE") or 1)
OTHERS = dict(pair.split("=", 1) for pair in filter(None, os.environ.get("BENCH_WASM", "").split(",")))

EVENTS = 200
CLIENT_KEY = "cp-bench-key"
# Of the simulator: how it is asked for an answer, by provider.
ASKED = {
    "openai": ("/v1/chat/completions", {"authorization": "Bearer " + KEYS["OPENAI_API_KEY"]}),
    "anthropic": ("/v1/messages", {"x-api-key": KEYS["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}),
}
TEXT = 'He said "this is it":\n* the first of the points, then the second — and so on, as ever.\n'


class Workload:
    """What is asked for, how often, and over how many connections at a time."""

    def __init__(self, name, size, stream, alone, crowd, connections, pace_us=0):
        self.name, self.size, self.stream = name, size, stream
        self.alone, self.crowd = max(1, round(alone * SCALE)), max(connections, round(crowd * SCALE))
        self.connections, self.pace_us = connections, pace_us

    def body(self, model):
        """A conversation of this many bytes."""
        body = {"model": model, "messages": [], "max_tokens": 1000, "temperature": 0.7, "stream": self.stream}
        body["messages"] = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": ""}]
        turns = max(1, self.size // 2500) // 2 * 2 + 1
        room = self.size - len(encode(body)) - 40 * (turns - 1)
        each = TEXT * (room // turns // len(encode(TEXT)))
        for turn in range(1, turns):
            body["messages"].insert(-1, {"role": "user" if turn % 2 else "assistant", "content": each})
        body["messages"][-1]["content"] = each
        body["messages"][-1]["content"] += "x" * max(0, self.size - len(encode(body)))
        return encode(body)


WORKLOADS = [
    Workload("1 KB in, 1 KB out", 1_000, False, alone=150, crowd=2_000, connections=16),
    Workload(f"a stream of {EVENTS} events", 1_000, True, alone=2, crowd=32, connections=16, pace_us=3_000),
    Workload("100 KB in, 1 KB out", 100_000, False, alone=60, crowd=600, connections=16),
]


class Variant:
    def __init__(self, name, gateway, model):
        self.name, self.gateway, self.model = name, gateway, model
        self.cells = {workload.name: [] for workload in WORKLOADS}
        self.samples = {workload.name: [] for workload in WORKLOADS}

    def median(self, workload, figure):
        return statistics.median(cell[figure] for cell in self.cells[workload.name])

    def against(self, plain, workload, figure, how):
        pairs = zip(self.cells[workload.name], plain.cells[workload.name])
        return statistics.median(how(mine[figure], its[figure]) for mine, its in pairs)

    def percentile(self, workload, percent):
        samples = sorted(self.samples[workload.name])
        return samples[min(len(samples) - 1, len(samples) * percent // 100)]

    def memory_mib(self):
        status = Path(f"/proc/{self.gateway.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


class Load:
    """The running load generator."""

    def __init__(self, recorded):
        self.child = subprocess.Popen(
            [OUT / "release/examples/load", recorded], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ports = self._answer()
        self.busiest = 0.0

    def _answer(self):
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"the load generator ended with {self.child.wait()}; see above")
        return json.loads(line)

    def run(self, variant, workload, connections, requests):
        body = DIRECTORY / f"{workload.size}-{workload.stream}-{variant.model.replace('/', '-')}.json"
        if not body.exists():
            body.write_bytes(workload.body(variant.model))
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example\r\ncontent-type: application/json\r\n"
            f"accept: */*\r\nuser-agent: bench\r\nauthorization: Bearer {CLIENT_KEY}\r\n"
        )
        asked = {
            "port": variant.gateway.port, "head": head, "body": str(body), "stream": workload.stream,
            "pace_us": workload.pace_us, "connections": connections, "requests": requests,
        }
        before, begun = cpu_seconds(self.child.pid), time.monotonic()
        self.child.stdin.write(json.dumps(asked) + "\n")
        self.child.stdin.flush()
        done = self._answer()
        self.busiest = max(self.busiest, (cpu_seconds(self.child.pid) - before) / (time.monotonic() - begun))
        return done

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.kill()
        self.child.wait()


def encode(value):
    return json.dumps(value, ensure_ascii=False).encode()


def cpu_seconds(pid):
    """CPU time of a process so far, all threads: user and system, to the nanosecond where Linux tells."""
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except (FileNotFoundError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def build():
    """The do-nothing filter and the load generator; the filter itself and the tool are built by then."""
    for arguments in (["--example", "noop", "--target", "wasm32-wasip1"], ["--example", "load", "--features", "simulator"]):
        subprocess.run(["cargo", "build", "--quiet", "--locked", "--release", *arguments], cwd=ROOT, check=True)


def record(simulator, provider, stream, tokens):
    """One answer of the simulator, event by event."""
    path, headers = ASKED[provider]
    body = encode({
        "model": f"bench!tokens={tokens}", "max_tokens": 1000, "stream": stream,
        "messages": [{"role": "user", "content": "hello"}],
    })
    host, _, port = simulator.addresses[provider].rpartition(":")
    lines = {**headers, "host": "x", "content-type": "application/json", "content-length": len(body), "connection": "close"}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        reply = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, rest = reply.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert " 200 " in status, reply
    headers = [line.split(": ", 1) for line in lines]
    chunked = ["transfer-encoding", "chunked"] in headers
    own = ("content-length", "transfer-encoding", "connection")
    events = []
    while chunked and rest:
        size, _, rest = rest.partition(b"\r\n")
        size = int(size, 16)
        events.append(rest[:size].decode())
        rest = rest[size + 2:]
    return {
        "headers": [header for header in headers if header[0] not in own],
        "events": [event for event in events if event] if chunked else [rest.decode()],
    }


def recorded(simulator):
    """Streams of `EVENTS` events and buffered answers of 1 KB, of both providers, as a file."""
    answers = {}
    for provider in ASKED:
        empty = len(record(simulator, provider, True, 0)["events"])
        one = len(record(simulator, provider, True, 10)["events"]) - 10
        stream = record(simulator, provider, True, EVENTS - max(one, empty))
        assert len(stream["events"]) == EVENTS, len(stream["events"])
        tokens = 1
        while len("".join(record(simulator, provider, False, tokens + 1)["events"]).encode()) <= 1024:
            tokens += 1
        answers[provider] = {"whole": record(simulator, provider, False, tokens), "stream": stream}
    path = DIRECTORY / "recorded.json"
    path.write_text(json.dumps(answers))
    return path


def configuration(ports):
    def model(provider):
        price = {"prompt": "3.00", "completion": "15.00"}
        return {"endpoints": [{"provider": provider, "model": "upstream-model", "price": price}]}

    keys = dict(zip(("openai", "anthropic"), KEYS))
    return {
        "providers": {
            name: {"base_url": f"http://127.0.0.1:{ports[name]}/v1", "key": {"env": key}} for name, key in keys.items()
        },
        "models": {f"bench/{name}": model(name) for name in keys},
        "keys": [{"name": "bench", "sha256": hashlib.sha256(CLIENT_KEY.encode()).hexdigest()}],
    }


def with_noop(tree):
    without_matcher(tree)
    [gateway, router] = manager(tree)["http_filters"]
    for one in (gateway, router["typed_config"]["upstream_http_filters"][0]):
        one["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] = str(noop())
        one["typed_config"]["config"]["configuration"]["value"] = "{}"


def noop():
    return OUT / "wasm32-wasip1/release/examples/noop.wasm"


def start(stack, name, config, patch=None, wasm=WASM):
    directory = DIRECTORY / name
    directory.mkdir()
    gateway = Gateway(directory, config, patch=patch, wasm=Path(wasm).resolve(), concurrency=1)
    return stack.enter_context(gateway)


def measure(load, variant, workload):
    alone = load.run(variant, workload, 1, workload.alone)
    variant.samples[workload.name] += alone["samples"]
    pid = variant.gateway.child.pid
    before = cpu_seconds(pid)
    done = load.run(variant, workload, workload.connections, workload.crowd)
    used = cpu_seconds(pid) - before
    assert done["requests"] == workload.crowd, done
    variant.cells[workload.name].append({
        "cpu": used / done["requests"] * 1e6,
        "rate": done["requests"] / done["seconds"],
        "pieces": done["pieces"] / done["requests"],
    })


def table(variants):
    plain = variants[0]
    rows = [[""], [""]]
    for workload in WORKLOADS:
        if workload.stream:
            titles = ["CPU", "CPU/event", "over plain", "ratio", "p50", "p99", "pieces"]
        else:
            titles = ["CPU", "ratio", "p50", "p99", "req/s", "ratio"]
        rows[0] += [workload.name] + [None] * (len(titles) - 1)
        rows[1] += titles
    rows[0].append("")
    rows[1].append("RSS")
    for variant in variants:
        row = [variant.name]
        for workload in WORKLOADS:
            cpu = variant.median(workload, "cpu")
            ratio = variant.against(plain, workload, "cpu", lambda mine, its: mine / its)
            p50, p99 = (f"{variant.percentile(workload, percent)}" for percent in (50, 99))
            if workload.stream:
                over = variant.against(plain, workload, "cpu", lambda mine, its: mine - its) / EVENTS
                pieces = variant.median(workload, "pieces")
                row += [f"{cpu:.0f}", f"{cpu / EVENTS:.1f}", f"{over:+.1f}", f"{ratio:.2f}x", p50, p99, f"{pieces:.0f}"]
            else:
                rate = variant.against(plain, workload, "rate", lambda mine, its: mine / its)
                row += [f"{cpu:.0f}", f"{ratio:.2f}x", p50, p99, f"{variant.median(workload, 'rate'):.0f}", f"{rate:.2f}x"]
        row.append(f"{variant.memory_mib():.0f} MiB")
        rows.append(row)
    return "\n".join(lines(rows))


def lines(rows):
    widths = [max(len(row[column]) for row in rows[1:]) for column in range(len(rows[1]))]
    groups = []
    for text, width in zip(rows[0], widths):
        if text is None:
            groups[-1][1] += width + 2
        else:
            groups.append([text, width])
    yield " | ".join(text.center(width) for text, width in groups).rstrip()
    starts = [text is not None for text in rows[0]]
    for row in rows[1:]:
        parts = [row[0].ljust(widths[0])]
        for text, width, first in list(zip(row, widths, starts))[1:]:
            parts.append((" | " if first else "  ") + text.rjust(width))
        yield "".join(parts)


def main():
    begun = time.monotonic()
    build()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    with ExitStack() as stack:
        with Simulator(DIRECTORY) as simulator:
            answers = recorded(simulator)
        load = stack.enter_context(Load(answers))
        config = configuration(load.ports)
        variants = [
            Variant("plain Envoy", start(stack, "plain", config, without_wasm), "bench/openai"),
            Variant("do-nothing filter, both placements", start(stack, "noop", config, with_noop), "bench/openai"),
            Variant("Crosspoint, openai -> openai", start(stack, "openai", config), "bench/openai"),
            Variant("Crosspoint, openai -> anthropic", start(stack, "anthropic", config), "bench/anthropic"),
        ]
        for name, wasm in OTHERS.items():
            for model in ("openai", "anthropic"):
                gateway = start(stack, f"{name}-{model}", config, wasm=wasm)
                variants.append(Variant(f"{name}, openai -> {model}", gateway, f"bench/{model}"))
        for variant in variants:
            # V8 compiles a function anew, and better, after it has run for a while.
            for workload in WORKLOADS:
                load.run(variant, workload, workload.connections, max(workload.connections, workload.crowd // 2))
        for number in range(ROUNDS):
            for workload in WORKLOADS:
                for turn in range(len(variants)):
                    measure(load, variants[(turn + number) % len(variants)], workload)
            print(f"round {number + 1} of {ROUNDS}, {time.monotonic() - begun:.0f} s", file=sys.stderr)
        print(table(variants))
        print(
            f"Medians of {ROUNDS} rounds, taken in turn; ratios are to plain Envoy in the same round. One worker. CPU in µs: user and\n"
            f"system time of the Envoy process for one request ({WORKLOADS[0].crowd}, {WORKLOADS[1].crowd} and {WORKLOADS[2].crowd} of them over {WORKLOADS[0].connections} connections); CPU/event is that of\n"
            f"one stream divided by the {EVENTS} events that the provider writes, each by itself, {WORKLOADS[1].pace_us / 1000:g} ms apart; pieces are how many\n"
            f"times Envoy sent some of a stream. p50 and p99 in µs, one request at a time: of a buffered one to its end, of a stream\n"
            f"from when the provider writes a token to when the client has it. The load generator was busy {load.busiest:.0%} of one core at most."
        )
        for variant in variants:
            variant.gateway.check()


if __name__ == "__main__":
    main()
