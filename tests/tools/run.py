"""`make run`: Crosspoint in a real Envoy before simulated providers, with a few requests that show what it does.

Starts the simulator and Envoy with what `crosspoint render envoy` makes of examples/quickstart.yaml, sends the requests,
prints what came back and what it cost, and then serves until Ctrl-C. With ONCE=1, or without a terminal on standard
input, it stops after the requests. Uses nothing but Python's standard library.
"""

import ctypes
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "target/run"
TOOL = Path(os.environ.get("CROSSPOINT_TOOL") or ROOT / "target/tool/crosspoint")
SIMULATOR = Path(os.environ.get("CROSSPOINT_SIMULATOR") or ROOT / "target/tool/crosspoint-simulator")
WASM = Path(os.environ.get("CROSSPOINT_WASM") or ROOT / "target/wasm32-wasip1/release/crosspoint.wasm")
ENVOY = Path(os.environ.get("ENVOY") or Path(sys.executable).with_name("envoy"))
QUICKSTART = ROOT / "examples/quickstart.yaml"
PORT = int(os.environ.get("PORT") or 10000)
ADMIN_PORT = int(os.environ.get("ADMIN_PORT") or 9901)
ACCESS_LOG = RUN / "receipts.log"
KEYS = {
    "OPENAI_API_KEY": "sim-openai-key",
    "ANTHROPIC_API_KEY": "sim-anthropic-key",
    "AWS_BEARER_TOKEN_BEDROCK": "sim-bedrock-key",
}


class Failed(Exception):
    """What is shown to the user, in one line, before leaving with exit code 1."""


children = []


def start(name, command, env=None):
    """Starts a child in a session of its own, so that Ctrl-C reaches us first and we end it in order."""
    log = RUN / f"{name}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **(env or {})}, start_new_session=True, preexec_fn=end_with_parent,
        )
    child.name, child.log = name, log
    children.append(child)
    return child


def end_with_parent():
    """Should we be killed outright, Linux ends the child as well; elsewhere there is nothing to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def end_children():
    for child in reversed(children):
        if child.poll() is None:
            child.terminate()
    for child in reversed(children):
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_for(child, ready, seconds=60):
    deadline = time.monotonic() + seconds
    while not ready():
        if child.poll() is not None:
            lines = [line for line in child.log.read_text(errors="replace").splitlines() if line.strip()]
            raise Failed(f"{child.name} ended: {lines[-1] if lines else 'it said nothing'} (all of it: {relative(child.log)})")
        if time.monotonic() > deadline:
            raise Failed(f"{child.name} is not ready after {seconds} s; see {relative(child.log)}")
        time.sleep(0.05)


def relative(path):
    return os.path.relpath(path)


def check_port(port, variable):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Failed(f"port {port} is in use: end what listens there, or choose another: make run {variable}=12345")


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def serve():
    """Starts both programs and waits until they are ready."""
    for path, target in ((TOOL, "tool"), (SIMULATOR, "tool"), (WASM, "wasm"), (ENVOY, "run")):
        if not path.exists():
            raise Failed(f"{relative(path)} is missing; make {target} makes it")
    check_port(PORT, "PORT")
    check_port(ADMIN_PORT, "ADMIN_PORT")
    RUN.mkdir(parents=True, exist_ok=True)
    ACCESS_LOG.unlink(missing_ok=True)

    simulator = start("simulator", [SIMULATOR, "--free-ports"])
    ready = re.compile(r"^simulator ready: (.+)$", re.MULTILINE)
    wait_for(simulator, lambda: ready.search(simulator.log.read_text()))
    words = ready.search(simulator.log.read_text()).group(1).split()
    addresses = dict(zip(words[::2], words[1::2]))

    # The quickstart as it is, but on the ports that are free here.
    text = QUICKSTART.read_text()
    for port, provider in ((18001, "openai"), (18002, "anthropic"), (18003, "bedrock")):
        text = text.replace(f"127.0.0.1:{port}", addresses[provider])
    text = text.replace("port: 10000", f"port: {PORT}").replace("port: 9901", f"port: {ADMIN_PORT}")
    config, bootstrap = RUN / "config.yaml", RUN / "envoy.yaml"
    config.write_text(text)
    rendered = subprocess.run(
        [TOOL, "render", "envoy", config, "--wasm", WASM, "--access-log", ACCESS_LOG], capture_output=True, text=True
    )
    if rendered.returncode != 0:
        raise Failed(f"crosspoint render: {rendered.stderr.strip()}")
    bootstrap.write_text(rendered.stdout)

    envoy = start(
        "envoy",
        [ENVOY, "-c", bootstrap, "--concurrency", 2, "--disable-hot-restart", "--log-level", "warning",
         "--file-flush-interval-msec", 50, "--drain-time-s", 1],
        KEYS,
    )
    wait_for(envoy, lambda: get(ADMIN_PORT, "/ready") and get(PORT, "/v1/models"))
    return envoy


def stream(body):
    """Sends a streamed request and yields (seconds since it was sent, headers, event), each as it arrives."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    began = time.monotonic()
    payload = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}})
    connection.request("POST", "/v1/chat/completions", payload, {"content-type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        raise Failed(f"{body['model']} was answered with {response.status}: {response.read(500).decode(errors='replace')}")
    try:
        for line in response:
            line = line.decode().strip()
            if line.startswith("data:"):
                yield time.monotonic() - began, response.headers, line[len("data:"):].strip()
    finally:
        response.close()
        connection.close()


def show(body, leave_after=None):
    """Sends a request, prints its text as it arrives, and gives the id of the exchange and the number of pieces."""
    pieces, first, at, generation, finished = 0, None, 0.0, None, False
    print("   ", end="", flush=True)
    events = stream(body)
    for at, headers, event in events:
        generation = headers["x-generation-id"]
        if event == "[DONE]":
            finished = True
            break
        chunk = json.loads(event)
        if "error" in chunk:
            raise Failed(f"{body['model']} ended with an error: {chunk['error']}")
        for choice in chunk["choices"]:
            if text := choice["delta"].get("content"):
                first, pieces = first or at, pieces + 1
                print(text.replace("\n", " "), end="", flush=True)
        if leave_after and pieces >= leave_after:
            print(" …", end="")
            break
    events.close()
    print()
    if not pieces or finished == bool(leave_after):
        raise Failed(f"{body['model']}: the stream did not come to its end")
    print(f"   {pieces} pieces in {at:.2f} s, the first after {first:.2f} s")
    return generation


def receipt_of(generation):
    """The receipt of this exchange, from Envoy's access log."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in ACCESS_LOG.read_text().splitlines() if ACCESS_LOG.exists() else []:
            receipt = json.loads(line)
            if receipt["id"] == generation:
                return receipt
        time.sleep(0.05)
    raise Failed(f"no receipt of {generation} in {relative(ACCESS_LOG)}")


def print_receipt(receipt):
    tokens = receipt["tokens"]
    source = {
        "provider": "counted by the provider",
        "tokenizer": "counted from what was delivered",
        "estimate": "estimated from what was delivered",
    }
    for number, attempt in enumerate(receipt["attempts"], 1):
        why = f" ({attempt['error_type']}, in a response with status {attempt['status']})" if "error_type" in attempt else ""
        print(f"   attempt {number}: {attempt['provider']}: {attempt['outcome']}{why}, {attempt['duration_ms']} ms")
    print(
        f"   receipt: {receipt['outcome']}, {tokens['prompt']} + {tokens['completion']} tokens "
        f"({source[tokens['completion_source']]}), {receipt['cost_usd']} USD  [{receipt['id']}]"
    )
    print()


def expect(holds, receipt, what):
    if not holds:
        raise Failed(f"{what} was expected of this receipt: {json.dumps(receipt)}")


def ask(model, **more):
    return {"model": model, "messages": [{"role": "user", "content": "What is a gateway?"}], **more}


def samples():
    print("1. A stream in OpenAI's format, translated from Anthropic's as it arrives")
    receipt = receipt_of(show(ask("anthropic/claude-sonnet-4.5")))
    print_receipt(receipt)
    expect(receipt["provider"] == "anthropic" and receipt["tokens"]["completion_source"] == "provider", receipt, "a count by Anthropic")

    print("2. The same from Amazon Bedrock, which streams in a binary format")
    receipt = receipt_of(show(ask("amazon/nova-pro")))
    print_receipt(receipt)
    expect(receipt["provider"] == "bedrock" and receipt["tokens"]["completion_source"] == "provider", receipt, "a count by Bedrock")

    print("3. A failover: Anthropic answers 200, and then, inside the stream, that it is overloaded.")
    print("   Envoy tries the next provider; the client sees only the good stream")
    receipt = receipt_of(show(ask("demo/overloaded", provider={"order": ["anthropic", "openai"]})))
    print_receipt(receipt)
    expect(receipt["provider"] == "openai" and len(receipt["attempts"]) == 2, receipt, "a failover to OpenAI")

    print("4. A client that leaves after five tokens is billed for what was generated")
    receipt = receipt_of(show(ask("openai/gpt-4o-mini"), leave_after=5))
    print_receipt(receipt)
    expect(receipt["outcome"] == "cancelled" and receipt["tokens"]["completion_source"] == "tokenizer", receipt, "a count of ours")


def print_manual():
    print(f"Crosspoint serves on http://127.0.0.1:{PORT}/v1 (Envoy's admin interface: http://127.0.0.1:{ADMIN_PORT}). Try:")
    print()
    print(f"  curl -N http://127.0.0.1:{PORT}/v1/chat/completions -H 'content-type: application/json' \\")
    print("""    -d '{"model":"anthropic/claude-sonnet-4.5","stream":true,"messages":[{"role":"user","content":"Hi"}]}'""")
    print(f"  curl http://127.0.0.1:{PORT}/v1/models")
    print(f"  curl http://127.0.0.1:{ADMIN_PORT}/stats/prometheus | grep crosspoint")
    print(f"  tail -f {relative(ACCESS_LOG)}")
    print()
    if real := [name for name in KEYS if os.environ.get(name)]:
        print(f"{', '.join(real)} in your environment: not used here. To serve the real providers on port 10000 instead,")
        print("leave out of examples/providers.yaml what you have no key for, and then:")
        print()
        print(f"  {relative(TOOL)} render envoy examples/providers.yaml --wasm {relative(WASM)} > envoy.yaml")
        print(f"  {relative(ENVOY)} -c envoy.yaml")
        print()


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    once = os.environ.get("ONCE") not in (None, "", "0") or not sys.stdin.isatty()
    try:
        envoy = serve()
        print()
        samples()
        print_manual()
        if once:
            return 0
        print("Ctrl-C ends it.", flush=True)
        envoy.wait()
        raise Failed(f"Envoy ended; see {relative(envoy.log)}")
    except Failed as failed:
        print(f"\nmake run: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
        return 0
    finally:
        end_children()


if __name__ == "__main__":
    sys.exit(main())
