"""Policies of routes and of keys in one Envoy with two workers, and two gateways in one Envoy."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import judges
import openai
import pytest
import yaml
from clients import endpoint, sdk
from harness import HTTP, Envoy, free_port, render, wait_until

PROVIDERS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "bedrock": "anthropic.claude-sonnet-4-5-v1:0"}


def client_key(name, **more) -> dict:
    return {"name": name, "sha256": hashlib.sha256(f"client-key-{name}".encode()).hexdigest(), **more}


def keyed(name, **more) -> dict:
    return {"authorization": f"Bearer client-key-{name}", **more}


def offers(directives="", names=PROVIDERS) -> dict:
    return {"endpoints": [endpoint(name, PROVIDERS[name] + directives) for name in names]}


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    return module_gateway({
        "providers": simulator.providers(),
        "models": {
            "p/any": offers(), "p/openai": offers(names=["openai"]), "q/any": offers(),
            "p/failing": {"endpoints": [endpoint("openai", "gpt-4o!status=500"), endpoint("anthropic", "claude-sonnet-4-5")]},
        },
        "keys": [client_key("ann"), client_key("bob", models=["p/*"], providers=["!bedrock"], preferences={"sort": "price"})],
        "preferences": {"order": ["bedrock"], "ignore": ["ollama"]},
        "routes": {
            "prefixed": {
                "match": {"prefix": "/team/a"}, "models": ["p/*"], "preferences": {"order": ["anthropic"], "only": ["anthropic", "openai"]},
                "middleware": [{"redact": {"rules": [{"literal": "secret", "mask": "***"}]}}],
            },
            "headed": {"match": {"header": {"name": "x-team", "value": "b"}}, "providers": ["openai"], "keys": ["ann"]},
            "hosted": {
                "match": {"host": "Team-C.example.com"}, "limits": {"request_body": "1KiB"},
                "preferences": {"order": ["openai"], "allow_fallbacks": False},
            },
            "by-hand": {"preferences": {"order": ["openai"]}},
        },
        "page": True,
    })  # fmt: skip


# How a request comes to each route.
ROUTES = {"prefixed": {}, "headed": {"x-team": "b"}, "hosted": {"host": "team-c.example.com:10000"}, "": {"x-team": "c"}}


def ask(gateway, route, key="ann", model="p/any", text="hello", **more):
    prefix = "/team/a" if route == "prefixed" else ""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    headers = keyed(key, **ROUTES[route])
    return HTTP.post(f"{gateway.url}{prefix}/v1/chat/completions", json=body, headers=headers)


def provider_of(reply) -> str:
    assert reply.status_code == 200, reply.text
    return reply.headers["x-crosspoint-provider"]


def test_each_route_has_its_own_rules_on_both_workers(gateway):
    expected = {"prefixed": "anthropic", "headed": "openai", "hosted": "openai", "": "bedrock"}
    with ThreadPoolExecutor(8) as pool:
        asked = [route for route in expected for _ in range(20)]
        replies = list(pool.map(lambda route: ask(gateway, route), asked))
    assert [provider_of(reply) for reply in replies] == [expected[route] for route in asked]
    stats = gateway.stats()
    workers = {name: value for name, value in stats.items() if ".worker_" in name and name.endswith("downstream_cx_total")}
    assert len(workers) >= 2 and all(workers.values()), workers


def test_a_request_may_wish_but_not_loosen(gateway):
    assert provider_of(ask(gateway, "prefixed", provider={"order": ["openai"]})) == "openai"
    assert provider_of(ask(gateway, "", provider={"order": ["openai"]})) == "openai"
    for route, key, wish, set_by in (
        ("prefixed", "ann", {"only": ["bedrock"]}, "the policy of route prefixed"),
        ("headed", "ann", {"order": ["bedrock"], "allow_fallbacks": False}, "the policy of route headed"),
        ("", "bob", {"only": ["bedrock"]}, "key bob"),
        ("", "ann", {"only": ["openai"], "ignore": ["openai"]}, None),
    ):
        reply = ask(gateway, route, key, provider=wish)
        assert reply.status_code == 404, reply.text
        error = judges.error(reply.json())
        assert set_by in {one.get("set_by") for one in error["availability"]["endpoints"]}, error
        assert set_by is None or set_by in error["message"]


def test_a_key_has_rules_on_every_route(gateway):
    # What the key wishes of `sort` stands before the order of everybody, and of its route.
    assert {provider_of(ask(gateway, "", "bob", text=str(at))) for at in range(20)} <= {"openai", "anthropic"}
    reply = ask(gateway, "hosted", "bob", "q/any")
    assert reply.status_code == 404 and "[models of key bob]" in reply.text, reply.text
    reply = ask(gateway, "headed", "bob")
    assert reply.status_code == 403, reply.text
    assert judges.error(reply.json())["metadata"]["error_type"] == "permission_denied"
    assert "the policy of route headed does not name it" in reply.text
    with pytest.raises(openai.PermissionDeniedError):
        sdk(gateway, api_key="client-key-bob", default_headers={"x-team": "b"}).models.list()


def test_middleware_and_limits_are_the_routes(gateway):
    for route, masked in (("prefixed", True), ("", False)):
        text = ask(gateway, route, text="a secret word").json()["choices"][0]["message"]["content"]
        assert ("***" in text, "secret" in text) == (masked, not masked), text
    assert ask(gateway, "hosted", text="x" * 2000).status_code == 413
    assert ask(gateway, "", text="x" * 2000).status_code == 200


def test_a_failover_stays_on_the_route(gateway, simulator):
    for stream in (False, True):
        reply = ask(gateway, "prefixed", model="p/failing", stream=stream, provider={"order": ["openai", "anthropic"]})
        assert reply.status_code == 200, reply.text
        receipt = gateway.receipt(reply.headers["x-generation-id"])
        assert [attempt["provider"] for attempt in receipt["attempts"]] == ["openai", "anthropic"]
    # Without fallbacks the route's own order is all there is.
    assert ask(gateway, "hosted", model="p/failing").status_code == 502
    simulator.reset()


def test_each_caller_is_told_of_what_is_his(gateway):
    def told(route, key, path="/v1/models", member="id"):
        prefix = "/team/a" if route == "prefixed" else ""
        reply = HTTP.get(f"{gateway.url}{prefix}{path}", headers=keyed(key, **ROUTES[route]))
        assert reply.status_code == 200, reply.text
        data = reply.json()["data"]
        return {one[member] for one in (data["endpoints"] if "endpoints" in data else data)}

    everything = {"p/any", "p/openai", "p/failing", "q/any"}
    assert told("", "ann") == everything
    assert told("", "bob") == told("prefixed", "ann") == everything - {"q/any"}
    assert told("headed", "ann") == everything
    assert told("headed", "ann", "/v1/providers", "slug") == {"openai"}
    assert told("prefixed", "ann", "/v1/models/p/any/endpoints", "provider_name") == {"anthropic", "openai"}
    client = openai.OpenAI(base_url=f"{gateway.url}/team/a/v1", api_key="client-key-ann", max_retries=0)
    assert {model.id for model in client.models.list()} == everything - {"q/any"}
    assert client.chat.completions.create(model="p/openai", messages=[{"role": "user", "content": "x"}]).choices
    assert HTTP.get(f"{gateway.url}/team/a/crosspoint").status_code == 200


def two_gateways(directory, simulator, first: dict, second: dict) -> tuple:
    """An Envoy with a listener for each of two configurations, and its second address."""
    trees, ports = [], [free_port(), free_port(), free_port()]
    for name, config, port in (("one", first, ports[0]), ("two", second, ports[1])):
        place = directory / name
        place.mkdir()
        listen = {"listen": {"address": "127.0.0.1", "port": port}, "admin": {"address": "127.0.0.1", "port": ports[2]}}
        (place / "config.yaml").write_text(yaml.safe_dump({"name": name, "providers": simulator.providers(), **config, **listen}))
        trees.append(yaml.safe_load(render("envoy", place)))
        (listener,) = trees[-1]["static_resources"]["listeners"]
        listener["name"] = name
    one, two = (tree["static_resources"] for tree in trees)
    # The clusters are the same: both render all of the providers.
    one["listeners"] += two["listeners"]
    return Envoy(directory, trees[0], ports[0], ports[2]), f"http://127.0.0.1:{ports[1]}"


def test_two_gateways_in_one_envoy_do_not_mix(tmp_path, simulator):
    shared = {"s/shared": offers(names=["openai"])}
    first = {
        "models": {**shared, "s/one": offers(names=["anthropic"])}, "keys": [client_key("ann")],
        "routes": {"here": {"match": {"prefix": "/here"}, "preferences": {"only": ["anthropic"]}}},
    }
    second = {
        "models": {**shared, "s/two": offers(names=["anthropic"])}, "keys": [client_key("bob")],
        "routes": {"here": {"match": {"prefix": "/here"}, "preferences": {"only": ["openai"]}}},
    }
    envoy, other = two_gateways(tmp_path, simulator, first, second)
    with envoy:
        def send(url, key, model, prefix=""):
            body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
            return HTTP.post(f"{url}{prefix}/v1/chat/completions", json=body, headers=keyed(key))

        def standing(url, key):
            reply = HTTP.get(f"{url}/v1/models/s/shared/endpoints", headers=keyed(key))
            return reply.json()["data"]["endpoints"][0]["standing"]

        def models(url, key):
            return {model["id"] for model in HTTP.get(f"{url}/v1/models", headers=keyed(key)).json()["data"]}

        # Keys and models.
        for url, key, own, foreign in ((envoy.url, "ann", "s/one", "s/two"), (other, "bob", "s/two", "s/one")):
            stranger = "bob" if key == "ann" else "ann"
            assert models(url, key) == {"s/shared", own}
            for _ in range(10):
                assert send(url, key, own).status_code == 200
                assert send(url, key, foreign).status_code == 404
                assert send(url, stranger, own).status_code == 401
        # Policies of routes of one name.
        assert send(envoy.url, "ann", "s/shared", "/here").status_code == 404
        assert send(other, "bob", "s/shared", "/here").status_code == 200
        # Health.
        simulator.fault("openai", "status=500")
        for _ in range(5):
            assert send(envoy.url, "ann", "s/shared").status_code >= 500
        assert wait_until(lambda: standing(envoy.url, "ann") == "down")
        assert standing(other, "bob") == "healthy"
        simulator.reset()
        assert send(other, "bob", "s/shared").status_code == 200
        assert standing(envoy.url, "ann") == "down"
        envoy.stop()
