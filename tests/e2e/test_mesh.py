"""The Istio manifests: against Istio's schemas, and run in a real Envoy as istiod would have it."""

import json
import subprocess

import mesh
import pytest
import yaml
from harness import HTTP, ROOT, Envoy, free_port, render

LABELS = {"app": "crosspoint", "pod-template-hash": "1"}


def models(*endpoints):
    return {"a/b": {"endpoints": [{"provider": provider, "model": model} for provider, model in endpoints]}}


@pytest.fixture(params=["gateway", "sidecar"])
def start_proxy(request, tmp_path):
    """Starts an Envoy as a mesh proxy with what `crosspoint render istio` makes of a configuration."""
    started = []

    def start(config):
        (tmp_path / "config.yaml").write_text(json.dumps(config))
        rendered = render("istio", tmp_path, arguments=["--context", request.param])
        port, admin_port = free_port(), free_port()
        tree = mesh.bootstrap(list(yaml.safe_load_all(rendered)), LABELS, port, admin_port)
        started.append(Envoy(tmp_path, tree, port, admin_port))
        return started[-1]

    try:
        yield start
        for proxy in started:
            proxy.stop()
    finally:
        for proxy in started:
            proxy.kill()


@pytest.mark.parametrize("context", ["gateway", "sidecar"])
def test_every_manifest_is_what_istios_schemas_allow(context, tmp_path):
    (tmp_path / "config.yaml").write_text((ROOT / "examples/providers.yaml").read_text())
    rendered = render("istio", tmp_path, arguments=["--context", context])
    resources = [one for one in yaml.safe_load_all(rendered) if "istio.io" in one["apiVersion"]]
    assert len(resources) > 5
    done = subprocess.run(
        ["node", ROOT / "tests/tools/validate_crds.mjs"], input=json.dumps(resources), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_a_mesh_proxy_serves_translates_and_bills(start_proxy, simulator):
    proxy = start_proxy({"providers": simulator.providers(), "models": models(("anthropic", "claude-sonnet-4-5"))})
    reply = proxy.chat("a/b")
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"][0]["message"]["content"]
    streamed = proxy.chat("a/b", stream=True)
    assert streamed.text.rstrip().endswith("data: [DONE]")
    receipt = proxy.receipt(streamed.headers["x-generation-id"])
    assert receipt["tokens"]["completion_source"] == "provider"


def test_a_mesh_proxy_fails_over_inside_a_stream(start_proxy, simulator):
    endpoints = models(("anthropic", "claude-sonnet-4-5!error_at=0"), ("openai", "gpt-4o"))
    proxy = start_proxy({"providers": simulator.providers(), "models": endpoints})
    reply = proxy.chat("a/b", stream=True, provider={"order": ["anthropic", "openai"]})
    assert reply.status_code == 200 and "error" not in reply.text, reply.text
    attempts = proxy.receipt(reply.headers["x-generation-id"])["attempts"]
    assert [attempt["provider"] for attempt in attempts] == ["anthropic", "openai"]


def test_a_mesh_proxy_fails_over_from_a_host_that_does_not_resolve(start_proxy, simulator):
    providers = simulator.providers()
    providers["anthropic"]["base_url"] = "http://nowhere.invalid/v1"
    endpoints = models(("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-4o"))
    proxy = start_proxy({"providers": providers, "models": endpoints})
    reply = proxy.chat("a/b", provider={"order": ["anthropic", "openai"]})
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-crosspoint-provider"] == "openai"


def test_a_body_far_above_istios_own_limit_passes(start_proxy, simulator):
    proxy = start_proxy({"providers": simulator.providers(), "models": models(("openai", "gpt-4o!bytes=4000000"))})
    reply = proxy.chat("a/b", text="x" * 3_000_000)
    assert reply.status_code == 200, reply.text[:500]
    assert len(reply.text) > 4_000_000


def test_statistics_have_labels(start_proxy, simulator):
    proxy = start_proxy({"providers": simulator.providers(), "models": models(("openai", "gpt-4o"))})
    proxy.chat("a/b")
    labels = 'gen_ai_request_model="a/b",gen_ai_provider_name="openai",gen_ai_operation_name="chat",outcome="success"'
    assert f"crosspoint_requests{{{labels}}} 1" in proxy.prometheus()


def test_a_mesh_proxy_knows_the_policies_of_routes(start_proxy, simulator):
    proxy = start_proxy({
        "providers": simulator.providers(), "models": models(("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-4o")),
        "routes": {
            "wide": {"match": {"prefix": "/team"}, "providers": ["anthropic"]},
            "narrow": {"match": {"prefix": "/team", "header": {"name": "x-team", "value": "b"}}, "providers": ["openai"]},
        },
    })  # fmt: skip
    body = {"model": "a/b", "messages": [{"role": "user", "content": "x"}]}
    for headers, provider in (({}, "anthropic"), ({"x-team": "b"}, "openai")):
        reply = HTTP.post(f"{proxy.url}/team/v1/chat/completions", json=body, headers=headers)
        assert (reply.status_code, reply.headers["x-crosspoint-provider"]) == (200, provider), reply.text
    assert proxy.chat("a/b", provider={"only": ["openai"]}).status_code == 200
