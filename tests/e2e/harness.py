"""Starts the provider simulator and a real Envoy with a rendered configuration, and watches what they leave behind.

Knows nothing of single tests. Where the tool, the simulator and the filter are comes from CROSSPOINT_TOOL,
CROSSPOINT_SIMULATOR and CROSSPOINT_WASM, or from the places where `make e2e` builds them; ENVOY names the binary, which
otherwise stands beside the running Python.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("CROSSPOINT_TOOL", ROOT / "target/tool/crosspoint"))
SIMULATOR = Path(os.environ.get("CROSSPOINT_SIMULATOR", ROOT / "target/tool/crosspoint-simulator"))
WASM = Path(os.environ.get("CROSSPOINT_WASM", ROOT / "target/wasm32-wasip1/release/crosspoint.wasm"))
ENVOY = Path(os.environ.get("ENVOY", Path(sys.executable).with_name("envoy")))

# The simulated providers: the dialect, the path of the base URL, and the variable of the key.
PROVIDERS = {
    "openai": ("openai-chat", "/v1", "OPENAI_API_KEY"),
    "anthropic": ("anthropic-messages", "/v1", "ANTHROPIC_API_KEY"),
    "bedrock": ("bedrock-converse", "", "AWS_BEARER_TOKEN_BEDROCK"),
    "gemini": ("gemini", "/v1beta", "GEMINI_API_KEY"),
    "ollama": ("ollama", "", "OLLAMA_API_KEY"),
    "azure": ("openai-chat", "", "AZURE_OPENAI_API_KEY"),
    "mistral": ("openai-chat", "/v1", "MISTRAL_API_KEY"),
    "cohere": ("cohere-v2", "/v2", "COHERE_API_KEY"),
    "responses": ("openai-responses", "/v1", "RESPONSES_API_KEY"),
}
# Formats of theirs that others host behind doors of their own (`hosts.py`), and who is behind the door.
HOSTED = {"gemini-vertex": "gemini", "anthropic-vertex": "anthropic", "anthropic-bedrock": "anthropic"}
# A model of each.
MODELS = {
    "openai": "gpt-4o",
    "anthropic": "claude-sonnet-4-5",
    "bedrock": "anthropic.claude-sonnet-4-5-v1:0",
    "gemini": "gemini-2.0-flash",
    "ollama": "qwen3:8b",
    "azure": "gpt-4o",
    "mistral": "mistral-small-latest",
    "cohere": "command-a-03-2025",
    "responses": "gpt-5.1",
    "gemini-vertex": "gemini-2.0-flash",
    "anthropic-vertex": "claude-sonnet-4-5",
    "anthropic-bedrock": "claude-sonnet-4-5",
}
SIMULATED = {name: MODELS[name] for name in PROVIDERS}
# What each of them accepts; a test that wants a wrong one sets it in the environment of its gateway.
KEYS = {variable: f"sim-{name}-key" for name, (_, _, variable) in PROVIDERS.items()}
# The simulated Azure takes a token of Entra ID too.
KEYS["AZURE_TOKEN"] = "sim-azure-token"

# Lines of Envoy's log that no test may cause: a VM that died, a host call that went wrong, Envoy itself crashing.
BROKEN = re.compile(
    r"panicked|RefCell|Function: proxy_|wasm vm|VM (failure|reload)|failed to (load|reload|start)|"
    r"suspect faulting|Backtrace \(|Segmentation|assert failure|\[critical\]|Proxy-Wasm plugin (panic|in-VM)",
    re.IGNORECASE,
)


RECEIPT = jsonschema.Draft202012Validator(json.loads((ROOT / "envoy/receipt.schema.json").read_text()))
RECEIPT.check_schema(RECEIPT.schema)

# How many seconds to wait for what is to come, where the wait is not the subject of a test. Nobody waits so long but a
# test that fails, or one on a machine that has much else to do.
PATIENCE = 120.0

# Making a client costs more than most requests; one connection each, so that both workers are met.
HTTP = httpx.Client(verify=False, timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, seconds=PATIENCE, pause=0.02):
    """The first truthy result of `what()`; None when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        result = what()
        if result or time.monotonic() > deadline:
            return result or None
        time.sleep(pause)


def run_tool(*arguments, **options):
    """Runs the native tool to its end."""
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, **options)


def step_back():
    """Lets everybody else go first, for this thread and those that it starts: eighty of them then weigh as much as one."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


class Process:
    """A child with its output in a file, ended when the `with` block ends."""

    def __init__(self, name, command, log: Path, env=None):
        self.name, self.log = name, log
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **(env or {})},
            )

    def require(self, ready, seconds=PATIENCE):
        """Waits until `ready()`; a child that ends before is an error that shows its output."""
        done = wait_until(lambda: self.child.poll() is not None or ready(), seconds)
        if not done or self.child.poll() is not None:
            code = self.child.poll()
            self.kill()
            tail = self.log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{self.name} is not ready (exit code {code}):\n{tail}")

    def step_back(self):
        """Lets everybody else go before the threads that it has now."""
        for thread in Path(f"/proc/{self.child.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), 19)

    def terminate(self, seconds=PATIENCE):
        """Asks the child to end; its exit code, or None where it had to be killed."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        return self.child.returncode

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.terminate()


def answers(url) -> bool:
    try:
        return HTTP.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


class Simulator(Process):
    """The simulated providers, each on a port of its own, and their control endpoint."""

    def __init__(self, directory: Path, ports: dict | None = None, keys: dict | None = None, record=True):
        log = directory / "simulator.log"
        arguments = [f"--port={name}={port}" for name, port in (ports or {}).items()]
        arguments += [f"--key={name}={key}" for name, key in (keys or {}).items()]
        arguments += [] if record else ["--no-record"]
        super().__init__("the simulator", [SIMULATOR, "--free-ports", *arguments], log)
        ready = re.compile(r"^simulator ready: (.+)$", re.MULTILINE)
        self.require(lambda: ready.search(log.read_text()))
        words = ready.search(log.read_text()).group(1).split()
        self.addresses = dict(zip(words[::2], words[1::2]))
        self.control = f"http://{self.addresses['control']}"

    def base_url(self, provider: str) -> str:
        """What to write as the `base_url` of this provider."""
        return f"http://{self.addresses[provider]}{PROVIDERS[provider][1]}"

    def providers(self) -> dict:
        """The `providers` of a configuration, all simulated."""
        return {
            name: {"dialect": dialect, "base_url": self.base_url(name), "key": {"env": variable}}
            for name, (dialect, _, variable) in PROVIDERS.items()
        }

    def fault(self, provider: str, directives: str):
        """Misbehave so at every request of this provider, until the next `reset`."""
        HTTP.put(f"{self.control}/fault/{provider}", json={"directives": directives}).raise_for_status()

    def requests(self, provider: str) -> list:
        """What this provider, or who is behind it, has received since the last `reset`, oldest first."""
        provider = HOSTED.get(provider, provider)
        return HTTP.get(f"{self.control}/requests", params={"provider": provider}).raise_for_status().json()

    def predict(self, recorded: dict) -> dict:
        """What the provider answers to a request that it recorded: text, thought, calls, usage."""
        url = f"{self.control}/predict/{recorded['provider']}?path={quote(recorded['path'], safe='')}"
        return HTTP.post(url, content=recorded["body_text"]).raise_for_status().json()

    def counters(self) -> dict:
        return HTTP.get(f"{self.control}/counters").raise_for_status().json()

    def check(self):
        """No provider has seen another's key, a client's key or an internal header."""
        leaks = {name: counts["leaks"] for name, counts in self.counters().items() if counts["leaks"]}
        assert not leaks, leaks

    def reset(self):
        """Forgets everything, but not before looking for leaks."""
        self.check()
        HTTP.post(f"{self.control}/reset").raise_for_status()


class Envoy(Process):
    """A real Envoy with a bootstrap (YAML text or a tree) that listens on `port`, and whose admin does on `admin_port`."""

    def __init__(self, directory: Path, bootstrap, port, admin_port, env=None, concurrency=2, log_level="warning"):
        self.directory, self.port, self.admin_port = directory, port, admin_port
        self.url = f"http://127.0.0.1:{port}"
        self.admin = f"http://127.0.0.1:{admin_port}"
        self.access_log = directory / "receipts.log"
        # The receipts that were read, and where the next one begins.
        self.ledger, self.ledger_end = [], 0
        self.bootstrap = directory / "envoy.yaml"
        self.bootstrap.write_text(bootstrap if isinstance(bootstrap, str) else json.dumps(bootstrap, indent=1))
        command = [
            ENVOY, "-c", self.bootstrap, "--concurrency", concurrency, "--disable-hot-restart", "--log-level", log_level,
            "--file-flush-interval-msec", 50, "--drain-time-s", 1,
        ]
        super().__init__("Envoy", command, directory / "envoy.log", {**KEYS, **(env or {})})
        # The admin interface is up before the listener, so both are asked.
        self.require(lambda: answers(f"{self.admin}/ready") and self._listens())

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def chat(self, model: str, text="hello", stream=False, headers=None, timeout=PATIENCE, **more):
        """The response to a chat request; a streamed one is read to its end."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream, **more}
        return HTTP.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=timeout)

    def receipts(self) -> list:
        """Every receipt so far. A line that does not fit the schema is an error: the ledger must stay readable."""
        if self.access_log.exists():
            with self.access_log.open("rb") as log:
                log.seek(self.ledger_end)
                complete = log.read().rpartition(b"\n")[0]
            for line in complete.splitlines():
                receipt = json.loads(line)
                RECEIPT.validate(receipt)
                self.ledger.append(receipt)
            self.ledger_end += len(complete) + 1 if complete else 0
        return list(self.ledger)

    def receipt(self, generation_id: str) -> dict:
        """The one receipt of this exchange."""
        found = wait_until(lambda: [one for one in self.receipts() if one["id"] == generation_id])
        assert found, f"no receipt of {generation_id} within {PATIENCE} s"
        assert len(found) == 1, f"{len(found)} receipts of {generation_id}"
        return found[0]

    def stats(self) -> dict:
        """Envoy's counters and gauges by name."""
        reply = HTTP.get(f"{self.admin}/stats?format=json").json()
        return {stat["name"]: stat["value"] for stat in reply["stats"] if "name" in stat}

    def prometheus(self) -> str:
        return HTTP.get(f"{self.admin}/stats/prometheus").text

    def broken_lines(self) -> list:
        return [line for line in self.log.read_text(errors="replace").splitlines() if BROKEN.search(line)]

    def check(self):
        """Nothing broke so far: Envoy lives, no VM was lost, and the log says nothing of the kind."""
        assert self.child.poll() is None, f"Envoy ended with {self.child.poll()}:\n{self.log.read_text()[-3000:]}"
        assert not self.broken_lines(), "\n".join(self.broken_lines())
        self.receipts()
        reloads = {name: value for name, value in self.stats().items() if "vm_reload" in name and value}
        assert not reloads, reloads

    def stop(self):
        """Checks, ends Envoy, and checks that it ended well."""
        self.check()
        code = self.terminate()
        assert code == 0, f"Envoy ended with {code}"
        assert not self.broken_lines(), "\n".join(self.broken_lines())


class Gateway(Envoy):
    """An Envoy with what `crosspoint render envoy` makes of a configuration.

    `config` is the operator's file as a dict; the ports to listen on are put in. `env` holds the providers' keys.
    `patch(bootstrap)` may change the rendered tree before Envoy reads it. `arguments` are more of `render`.
    """

    def __init__(self, directory: Path, config: dict, patch=None, wasm=WASM, arguments=(), **options):
        port, admin_port = free_port(), free_port()
        config = {
            **config,
            "listen": {"address": "127.0.0.1", "port": port},
            "admin": {"address": "127.0.0.1", "port": admin_port},
        }
        (directory / "config.yaml").write_text(json.dumps(config, indent=1))
        bootstrap = render("envoy", directory, wasm, arguments)
        if patch:
            tree = yaml.safe_load(bootstrap)
            bootstrap = patch(tree) or tree
        super().__init__(directory, bootstrap, port, admin_port, **options)


def manager(tree: dict) -> dict:
    """The connection manager of a rendered bootstrap."""
    return tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]


def without_matcher(tree: dict, cluster="openai"):
    """A patch: routes to one provider's cluster, without asking anybody, and writes an ordinary access log."""
    (host,) = manager(tree)["route_config"]["virtual_hosts"]
    (route,) = host["routes"]
    del route["route"]["inline_cluster_specifier_plugin"]
    route["route"].get("retry_policy", {}).pop("refresh_cluster_on_retry", None)
    route["route"]["cluster"] = cluster
    (log,) = manager(tree)["access_log"]
    del log["filter"], log["typed_config"]["log_format"]
    # It holds no receipts, and nobody must read it as such.
    log["typed_config"]["path"] += ".plain"


def without_wasm(tree: dict, cluster="openai"):
    """A patch: the same Envoy without the filter."""
    without_matcher(tree, cluster)
    (*_, router) = manager(tree)["http_filters"]
    del router["typed_config"]["upstream_http_filters"]
    manager(tree)["http_filters"] = [router]


def render(target: str, directory: Path, wasm=WASM, arguments=()) -> str:
    """What `crosspoint render` makes of the config.yaml in `directory`; the receipts go beside it."""
    log = directory / "receipts.log"
    done = run_tool("render", target, directory / "config.yaml", "--wasm", wasm, "--access-log", log, *arguments)
    if done.returncode != 0:
        raise RuntimeError(f"render refused the configuration:\n{done.stderr}")
    return done.stdout
