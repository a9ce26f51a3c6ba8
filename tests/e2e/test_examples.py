"""Everything under examples/ runs, and so does `make run`."""

import os
import subprocess
import sys

import certifi
import pytest
import yaml
from clients import sdk
from harness import ENVOY, HTTP, KEYS, ROOT, WASM, Envoy, free_port, render
from hosts import ACCOUNT, PROJECT, Hosts

EXAMPLES = ROOT / "examples"


def simulated(simulator, config: dict) -> dict:
    """`config` with every provider simulated."""
    for name, provider in config["providers"].items():
        provider["base_url"] = simulator.base_url(name)
    return config


def run(*command, **env):
    """Runs an example to its end, with no other keys in its environment than those given."""
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(command, env={**clean, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    return module_gateway(simulated(simulator, yaml.safe_load((EXAMPLES / "providers.yaml").read_text())))


def test_make_run_ends_well_and_shows_what_it_promises():
    done = run(sys.executable, ROOT / "tests/tools/run.py", ONCE="1", PORT=str(free_port()), ADMIN_PORT=str(free_port()))
    assert done.returncode == 0, done.stdout + done.stderr
    for promised in (
        "translated from Anthropic's",
        "Amazon Bedrock, which streams in a binary format",
        "attempt 1: anthropic: error (provider_overloaded, in a response with status 200)",
        "attempt 2: openai: success",
        "receipt: cancelled",
        "(counted from what was delivered)",
        "(counted by the provider)",
        "USD",
    ):
        assert promised in done.stdout, done.stdout


def test_make_run_names_the_port_that_is_in_use(gateway):
    done = run(sys.executable, ROOT / "tests/tools/run.py", ONCE="1", PORT=str(gateway.port), ADMIN_PORT=str(free_port()))
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"make run: port {gateway.port} is in use: end what listens there, or choose another: make run PORT=12345"
    )


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4.5", "openai/gpt-4o-mini"])
def test_the_python_client_prints_an_answer(gateway, model):
    done = run(sys.executable, EXAMPLES / "client.py", model, "hello there", OPENAI_BASE_URL=f"{gateway.url}/v1")
    assert done.returncode == 0, done.stderr
    assert "hello there" in done.stdout and "tokens]" in done.stdout, done.stdout


def test_the_curl_client_lists_models_and_prints_answers(gateway):
    done = run("sh", EXAMPLES / "client.sh", OPENAI_BASE_URL=f"{gateway.url}/v1")
    assert done.returncode == 0, done.stderr
    assert '"anthropic/claude-sonnet-4.5"' in done.stdout
    assert '"chat.completion"' in done.stdout
    assert done.stdout.rstrip().endswith("data: [DONE]")


def test_the_catalogue_serves_what_is_not_named(start_gateway, simulator):
    config = yaml.safe_load((EXAMPLES / "catalogue.yaml").read_text())
    hosts = Hosts(simulator)
    vertex = config["providers"].pop("google-vertex")
    vertex["base_url"] = hosts.url + PROJECT
    vertex["key"]["google"]["token_url"] = f"{hosts.url}/token"
    config = simulated(simulator, config)
    config["providers"]["google-vertex"] = vertex
    # The simulated one wants a key.
    config["providers"]["ollama"]["key"] = {"env": "OLLAMA_API_KEY"}
    gateway = start_gateway(config, env={"GOOGLE_SERVICE_ACCOUNT": ACCOUNT})
    for model, provider in (
        ("openai/gpt-4o", "openai"), ("openai/gpt-4o", "azure"), ("anthropic/claude-haiku-4.5", "anthropic"),
        ("anthropic/claude-sonnet-5", "google-vertex"), ("google/gemini-3.5-flash", "google-vertex"),
        ("cohere/command-r-08-2024", "cohere"), ("local/qwen3", "ollama"),
    ):  # fmt: skip
        reply = gateway.chat(model, provider={"only": [provider]})
        assert reply.status_code == 200, reply.text
        receipt = gateway.receipt(reply.headers["x-generation-id"])
        assert receipt["provider"] == provider and (receipt["cost_pico_usd"] > 0) == (provider != "ollama")
    embedded = sdk(gateway).embeddings.create(model="openai/text-embedding-3-small", input=["a", "b"])
    assert len(embedded.data) == 2
    hosts.close()


def test_each_key_of_the_example_has_its_limits(start_gateway, simulator):
    gateway = start_gateway(simulated(simulator, yaml.safe_load((EXAMPLES / "keys.yaml").read_text())))
    statuses = {}
    for key in ("search-team-key", "trial-key", "no-key"):
        headers = {"authorization": f"Bearer {key}"}
        replies = [gateway.chat("openai/gpt-4o-mini", headers=headers) for _ in range(5)]
        statuses[key] = {reply.status_code for reply in replies}
    assert statuses == {"search-team-key": {200}, "trial-key": {200, 429}, "no-key": {401}}
def test_each_team_has_its_own_rules(start_gateway, simulator):
    gateway = start_gateway(simulated(simulator, yaml.safe_load((EXAMPLES / "teams.yaml").read_text())))
    claude, gpt = "anthropic/claude-sonnet-4.5", "openai/gpt-4o-mini"
    ann, bob = ({"authorization": f"Bearer cp-{name}"} for name in ("ann", "bob"))

    def ask(model, headers, prefix="", text="hello"):
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        return HTTP.post(f"{gateway.url}{prefix}/v1/chat/completions", json=body, headers=headers)

    support = {"x-team": "support"}
    for status, reply in (
        (200, ask(claude, ann)), (404, ask(claude, bob)), (200, ask(gpt, bob)),
        (200, ask(claude, ann, "/clinic")), (404, ask(gpt, ann, "/clinic")), (403, ask(gpt, bob, "/clinic")),
        (404, ask(claude, {**ann, **support})), (200, ask(gpt, {**bob, **support})), (401, ask(gpt, support)),
    ):  # fmt: skip
        assert reply.status_code == status, reply.text
    assert {ask(claude, ann, "/clinic").headers["x-crosspoint-provider"] for _ in range(10)} == {"bedrock"}
    masked = ask(gpt, {**ann, **support}, text="call +4915112345678 now").text
    assert "[number]" in masked and "+49151" not in masked


def test_the_sidecar_serves_on_localhost_only(tmp_path, simulator):
    """The committed bootstrap, but for the ports, the place of the filter, and where the providers are."""
    tree = yaml.safe_load((EXAMPLES / "sidecar/envoy.yaml").read_text())
    port, admin_port = free_port(), free_port()
    (listener,) = tree["static_resources"]["listeners"]
    for address, free in ((listener["address"], port), (tree["admin"]["address"], admin_port)):
        assert address["socket_address"]["address"] == "127.0.0.1"
        address["socket_address"]["port_value"] = free
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["access_log"][0]["typed_config"]["path"] = str(tmp_path / "receipts.log")
    gateway, router = manager["http_filters"]
    for placement in (gateway, router["typed_config"]["upstream_http_filters"][0]):
        placement["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] = str(WASM)
    for cluster in tree["static_resources"]["clusters"]:
        host, simulated_port = simulator.addresses[cluster["name"]].split(":")
        del cluster["transport_socket"]
        protocol = cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
        del protocol["auto_config"]
        protocol["explicit_http_config"] = {"http_protocol_options": {}}
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"] = {"address": host, "port_value": int(simulated_port)}
    with Envoy(tmp_path, tree, port, admin_port) as sidecar:
        for model in ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4.5"):
            reply = sidecar.chat(model)
            assert reply.status_code == 200, reply.text
        sidecar.stop()


def test_the_sidecars_pod_has_what_its_bootstrap_names():
    pod = yaml.safe_load((EXAMPLES / "sidecar/pod.yaml").read_text())
    (sidecar,) = pod["spec"]["initContainers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in sidecar["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["spec"]["volumes"]}
    bootstrap = (EXAMPLES / "sidecar/envoy.yaml").read_text()
    assert f"filename: {mounts['filter']}/crosspoint.wasm" in bootstrap
    assert f"{mounts['envoy']}/envoy.yaml" in sidecar["args"]
    kustomization = yaml.safe_load((EXAMPLES / "sidecar/kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    assert generated["name"] == pod["spec"]["volumes"][0]["configMap"]["name"]
    assert all((EXAMPLES / "sidecar" / name).exists() for name in generated["files"] + kustomization["resources"])


def test_the_real_providers_bootstrap_is_taken_by_envoy(tmp_path):
    (tmp_path / "config.yaml").write_text((EXAMPLES / "providers.yaml").read_text())
    bootstrap = tmp_path / "envoy.yaml"
    bootstrap.write_text(render("envoy", tmp_path, arguments=["--ca-file", certifi.where()]))
    done = run(ENVOY, "--mode", "validate", "-c", bootstrap, **KEYS)
    assert done.returncode == 0 and "OK" in done.stdout + done.stderr, done.stderr


def test_envoy_does_not_start_without_a_key_and_says_which(tmp_path):
    (tmp_path / "config.yaml").write_text((EXAMPLES / "providers.yaml").read_text())
    bootstrap = tmp_path / "envoy.yaml"
    bootstrap.write_text(render("envoy", tmp_path, arguments=["--ca-file", certifi.where()]))
    done = run(ENVOY, "--mode", "validate", "-c", bootstrap, **{**KEYS, "ANTHROPIC_API_KEY": ""})
    assert "providers.anthropic.key: env ANTHROPIC_API_KEY is not set" in done.stderr, done.stderr
    assert done.returncode != 0
