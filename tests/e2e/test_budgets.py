"""What keys may use: budgets under load, identities from Envoy's own filters, and limits that many Envoys have in common."""

import hashlib
import itertools
import json
import sys
import threading
import time

import pytest
import yaml
from clients import RawClient, endpoint
from harness import HTTP, KEYS, PATIENCE, ROOT, Process, free_port, httpx, manager, wait_until

FLEET = ROOT / "examples/fleet"


def client_key(name: str, **more) -> dict:
    return {"name": name, "sha256": hashlib.sha256(f"key-of-{name}".encode()).hexdigest(), **more}


def keyed(name: str) -> dict:
    return {"authorization": f"Bearer key-of-{name}"}


def config(simulator, keys: list, **more) -> dict:
    models = {"sim/fast": endpoint("openai", "gpt-4o"), "sim/slow": endpoint("openai", "gpt-4o!first_delay=60"),
              "sim/long": endpoint("openai", "gpt-4o!tokens=100000")}
    return {
        "providers": simulator.providers(), "models": {name: {"endpoints": [one]} for name, one in models.items()}, "keys": keys,
        **more,
    }


def account(gateway, name: str, path="key") -> dict:
    return HTTP.get(f"{gateway.url}/v1/{path}", headers=keyed(name)).raise_for_status().json()["data"]


def pico(usd) -> int:
    return round(float(usd) * 1e12)


def ended(receipt: dict) -> int:
    return receipt["started_ms"] + receipt["duration_ms"]


def early_in_a_minute():
    """Waits where the minute ends soon, so that what comes now counts in one."""
    left = 60 - time.time() % 60
    if left < 20:
        time.sleep(left + 0.1)


class Load:
    """Asks as one key from many threads, up to `rate` times a second, until some were refused."""

    def __init__(self, gateway, name: str, rate=260, threads=32, after=60, **body):
        self.gateway, self.name, self.after, self.body = gateway, name, after, body
        self.statuses = []
        self.pause, self.begin = threads / rate, time.monotonic()
        workers = [threading.Thread(target=self.work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.rate = len(self.statuses) / (time.monotonic() - self.begin)

    def work(self):
        body = {"model": "sim/slow", "messages": [{"role": "user", "content": "hello"}], **self.body}
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            while self.statuses.count(402) < self.after and time.monotonic() < self.begin + 120:
                due = time.monotonic() + self.pause
                url = f"{self.gateway.url}/v1/chat/completions"
                self.statuses.append(client.post(url, json=body, headers=keyed(self.name)).status_code)
                time.sleep(max(0.0, due - time.monotonic()))


@pytest.mark.parametrize("held", [16, 0], ids=["what is held covers it", "nothing is held for completions"])
def test_a_budget_is_not_exceeded_by_more_than_what_was_on_the_way(start_gateway, simulator, held):
    budget = 40_000_000_000
    keys = [client_key("team", budget={"day": "0.04"}), client_key("other")]
    more = {"billing": {"usual_completion": held}, "budgets": {"unbounded": "reserve"}}
    gateway = start_gateway(config(simulator, keys, **more))
    load = Load(gateway, "team")
    other = gateway.chat("sim/fast", headers=keyed("other"))
    assert other.status_code == 200, "another key is not concerned"
    assert set(load.statuses) == {200, 402}, set(load.statuses)
    count = len(load.statuses)
    receipts = wait_until(lambda: len(found := gateway.receipts()) > count and found)
    assert len(receipts) == count + 1
    mine = [one for one in receipts if one["key"] == "team"]
    refused = [one for one in mine if one["outcome"] == "refused"]
    assert len(refused) == load.statuses.count(402)
    assert all((one["status"], one["error_type"], one["cost_pico_usd"]) == (402, "payment_required", 0) for one in refused)
    spent = sum(one["cost_pico_usd"] for one in mine)
    dearest = max(one["cost_pico_usd"] for one in mine)
    print(f"{load.rate:.0f} requests/s, {count} requests, spent {spent} of {budget}")
    assert spent > budget - 32 * (dearest + 32 * 15_000_000), "what is left does not pay for what was on the way"
    if held:
        assert spent <= budget
    else:
        served = sorted((one for one in mine if one not in refused), key=ended)
        sums = itertools.accumulate(one["cost_pico_usd"] for one in served)
        reached = next(ended(one) for one, total in zip(served, sums) if total >= budget)
        # A worker that the machine holds up writes later than its receipt says; one that waited for a tick, by up to 500 ms.
        slack = 250
        last = max(one["started_ms"] for one in served)
        assert last <= reached + slack, "nobody was let in after it was reached"
        on_the_way = [one for one in served if ended(one) >= reached - slack]
        print(f"{len(on_the_way)} were on the way when it was reached, {spent - budget} beyond it")
        assert spent <= budget + min(len(on_the_way), 32) * dearest
    told = account(gateway, "team")
    assert pico(told["usage"]) == pico(told["usage_daily"]) == spent, "the counter is the sum of the receipts"
    assert told["budgets"][0]["held"] == 0
    # A worker writes such sums by tick.
    sums = lambda name: sum(row[name] for row in account(gateway, "team", "activity"))
    assert wait_until(lambda: sums("requests") == load.statuses.count(200))
    assert pico(sums("usage")) == spent


def test_two_spellings_of_a_limit_do_not_overspend(start_gateway, simulator):
    """The smaller one goes out, so that what is held covers what is written."""
    gateway = start_gateway(config(simulator, [client_key("team", budget={"day": "0.01"})]))
    for name in ["sim/fast", "sim/long"]:
        body = {"max_tokens": 30_000, "max_completion_tokens": 1}
        reply = gateway.chat(name, headers=keyed("team"), **body)
        assert reply.status_code == 200, reply.text
        tokens = gateway.receipt(reply.headers["x-generation-id"])["tokens"]
        assert tokens["completion"] == 1 and "claimed" not in tokens
    assert pico(account(gateway, "team")["usage"]) < 10_000_000_000
    for wrong in [{"max_tokens": "30000"}, {"max_tokens": 1e10}, {"max_tokens": 10, "n": "9"}, {"max_tokens": -1}]:
        reply = gateway.chat("sim/fast", headers=keyed("team"), **wrong)
        assert reply.status_code == 400 and "expected a whole number" in reply.json()["error"]["message"]


@pytest.mark.parametrize("unbounded, statuses", [("clamp", {200, 402}), ("refuse", {400})])
def test_a_completion_without_a_limit_does_not_overspend(start_gateway, simulator, unbounded, statuses):
    """One model would write a hundred times what is left."""
    budget = {"day": "0.02"}
    keys, budgets = [client_key("team", budget=budget)], {"unbounded": unbounded}
    gateway = start_gateway(config(simulator, keys, budgets=budgets, billing={"usual_completion": 100}))
    seen = {gateway.chat("sim/long", headers=keyed("team")).status_code for _ in range(20)}
    assert seen == statuses
    spent = pico(account(gateway, "team")["usage"])
    assert spent <= 20_000_000_000 and (spent > 15_000_000_000 or unbounded == "refuse"), spent


def test_what_is_refused_says_when_to_come_again(start_gateway, simulator):
    gateway = start_gateway(config(simulator, [client_key("team", requests_per_minute=3)]))
    early_in_a_minute()
    replies = [gateway.chat("sim/fast", headers=keyed("team")) for _ in range(8)]
    refused = [reply for reply in replies if reply.status_code != 200]
    assert len(refused) == 5 and {reply.status_code for reply in refused} == {429}
    for reply in refused:
        assert (reply.headers["x-ratelimit-limit"], reply.headers["x-ratelimit-remaining"]) == ("3", "0")
        seconds = int(reply.headers["x-ratelimit-reset"]) / 1000 - time.time()
        assert 0 <= int(reply.headers["retry-after"]) <= 60 and seconds < 60
        assert reply.json()["error"]["metadata"]["headers"]["X-RateLimit-Limit"] == "3"
        assert gateway.receipt(reply.headers["x-generation-id"])["outcome"] == "refused"


def test_an_exchange_can_be_read_by_its_key_on_either_worker(start_gateway, simulator):
    gateway = start_gateway(config(simulator, [client_key("team"), client_key("other")]))
    ids = [gateway.chat("sim/fast", headers=keyed("team")).headers["x-generation-id"] for _ in range(20)]
    for one in ids:
        receipt = gateway.receipt(one)
        data = account(gateway, "team", f"generation?id={one}")
        assert (data["id"], pico(data["total_cost"])) == (one, receipt["cost_pico_usd"])
        url = f"{gateway.url}/v1/generation?id={one}"
        assert HTTP.get(url, headers=keyed("other")).status_code == 404


def test_balances_are_rendered_and_counted(start_gateway, simulator, tmp_path):
    day = time.strftime("%Y-%m-%d", time.gmtime())
    balances = {"team": {"day": {"start": day, "used": "2.5"}, "month": {"start": "2020-01-01", "used": "9"}, "total": "12"}}
    file = tmp_path / "balances.json"
    file.write_text(json.dumps(balances))
    keys = [client_key("team", budget={"day": "2", "month": "5"})]
    gateway = start_gateway(config(simulator, keys), arguments=("--balances", file))
    told = account(gateway, "team")
    assert (told["usage"], told["usage_daily"], told["usage_monthly"]) == (12, 2.5, 0)
    assert gateway.chat("sim/fast", headers=keyed("team")).status_code == 402


def test_what_is_used_up_is_refused_before_the_body_comes(start_gateway, simulator):
    day = time.strftime("%Y-%m-%d", time.gmtime())
    balances = {"team": {"day": {"start": day, "used": "2"}}}
    gateway = start_gateway(config(simulator, [client_key("team", budget={"day": 2})], budgets={"balances": balances}))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: {keyed('team')['authorization']}\r\n"
    with RawClient(gateway) as client:
        client.send(f"{head}content-length: 99\r\n\r\n".encode())
        assert client.read_until(b"\r\n").startswith(b"HTTP/1.1 402 ")
    receipt = wait_until(gateway.receipts)[0]
    assert (receipt["outcome"], receipt["status"], receipt["key"]) == ("refused", 402, "team")


def test_who_pays_a_provider_itself_is_told_what(start_gateway, simulator):
    setup = config(simulator, [client_key("team", budget={"day": 2})])
    setup["providers"]["openai"]["byok"] = {"fee": "5%"}
    gateway = start_gateway(setup)
    own = {**keyed("team"), "x-provider-key": f"openai={KEYS['OPENAI_API_KEY']}"}
    replies = [gateway.chat("sim/fast", stream=stream, headers=headers) for headers in (keyed("team"), own) for stream in (False, True)]
    assert [reply.status_code for reply in replies] == [200] * 4
    receipts = [gateway.receipt(reply.headers["x-generation-id"]) for reply in replies]
    assert [receipt.get("is_byok") for receipt in receipts] == [None, None, True, True]
    for receipt in receipts[2:]:
        assert receipt["cost_pico_usd"] == receipt["byok_cost_pico_usd"] // 20 > 0 == receipt["upstream_cost_pico_usd"]
    paid = sum(receipt["byok_cost_pico_usd"] for receipt in receipts[2:])
    told = account(gateway, "team")
    assert {pico(told[f"byok_usage{span}"]) for span in ("", "_daily", "_weekly", "_monthly")} == {paid}
    assert pico(told["usage"]) == sum(receipt["cost_pico_usd"] for receipt in receipts)
    assert pico(account(gateway, "team", "credits")["byok_usage"]) == paid
    for receipt in receipts:
        data = account(gateway, "team", f"generation?id={receipt['id']}")
        assert data["is_byok"] is receipt.get("is_byok", False)
    # A worker writes such sums by tick.
    assert wait_until(lambda: sum(pico(row["byok_usage_inference"]) for row in account(gateway, "team", "activity")) == paid)


def before_gateway(*filters):
    """A patch that puts filters in front of ours."""

    def patch(tree):
        http_filters(tree)[0:0] = filters

    return patch


def http_filters(tree: dict) -> list:
    return manager(tree)["http_filters"]


def test_envoys_own_keys_name_the_caller(start_gateway, simulator):
    names = {"key-of-ann": "ann", "key-of-ben": "ben"}
    filter = {
        "name": "envoy.filters.http.api_key_auth",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
            "credentials": [{"key": key, "client": name} for key, name in names.items()],
            "key_sources": [{"header": "authorization"}],
            "forwarding": {"header": "x-api-key-name", "hide_credentials": True},
        },
    }
    keys = [{"name": "ann"}, {"name": "*", "requests_per_minute": 1}]
    gateway = start_gateway(
        config(simulator, keys, identity={"header": "X-Api-Key-Name"}), patch=before_gateway(filter)
    )
    simulator.reset()
    early_in_a_minute()
    for name in names.values():
        # What the client says of itself is written over.
        reply = gateway.chat("sim/fast", headers={**keyed(name), "x-api-key-name": "root"})
        assert reply.status_code == 200, reply.text
        assert gateway.receipt(reply.headers["x-generation-id"])["key"] == name
    assert not any(name.lower() == "x-api-key-name" for one in simulator.requests("openai") for name, _ in one["headers"])
    assert gateway.chat("sim/fast", headers={"x-api-key-name": "ann"}).status_code == 401
    assert gateway.chat("sim/fast", headers=keyed("ben")).status_code == 429


def test_a_filter_state_names_the_caller(start_gateway, simulator):
    filter = {
        "name": "envoy.filters.http.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{
                "object_key": "acme.caller", "factory_key": "envoy.string",
                "format_string": {"text_format_source": {"inline_string": "%REQ(x-team)%"}, "omit_empty_values": True},
                "skip_if_empty": True,
            }],
        },
    }
    gateway = start_gateway(
        config(simulator, [{"name": "ann"}], identity={"filter_state": "acme.caller"}), patch=before_gateway(filter)
    )
    reply = gateway.chat("sim/fast", headers={"x-team": "ann"})
    assert reply.status_code == 200, reply.text
    assert gateway.receipt(reply.headers["x-generation-id"])["key"] == "ann"
    assert gateway.chat("sim/fast", headers={"x-team": "eve"}).status_code == 401
    assert gateway.chat("sim/fast").status_code == 401


def test_a_token_names_the_caller(start_gateway, simulator):
    token, jwks = signed_token({"sub": "ann", "iss": "https://issuer.example", "exp": 4_000_000_000})
    filter = {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {
                "acme": {"issuer": "https://issuer.example", "local_jwks": {"inline_string": jwks}, "payload_in_metadata": "payload"},
            },
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "acme"}}],
        },
    }
    path = ["envoy.filters.http.jwt_authn", "payload", "sub"]
    gateway = start_gateway(
        config(simulator, [{"name": "*", "requests_per_minute": 1}], identity={"metadata": path}), patch=before_gateway(filter)
    )
    early_in_a_minute()
    reply = gateway.chat("sim/fast", headers={"authorization": f"Bearer {token}"})
    assert reply.status_code == 200, reply.text
    assert gateway.receipt(reply.headers["x-generation-id"])["key"] == "ann"
    assert gateway.chat("sim/fast", headers={"authorization": f"Bearer {token}"}).status_code == 429
    assert gateway.chat("sim/fast", headers={"authorization": f"Bearer {token}x"}).status_code == 401


def signed_token(claims: dict) -> tuple[str, str]:
    """A JWT, and the key set that it is checked with."""
    import base64

    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    parts = [{"alg": "RS256", "kid": "1", "typ": "JWT"}, claims]
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    signature = encoded(key.sign(text.encode(), padding.PKCS1v15(), SHA256()))
    jwk = {
        "kty": "RSA", "kid": "1", "alg": "RS256", "n": encoded(numbers.n.to_bytes(256, "big")),
        "e": encoded(numbers.e.to_bytes(3, "big")),
    }
    return f"{text}.{signature}", json.dumps({"keys": [jwk]})


class Limits(Process):
    """The stand-in for the rate limit service."""

    def __init__(self, directory, *limits, port=None):
        self.port = port or free_port()
        super().__init__("the rate limit service", [sys.executable, FLEET / "service.py", self.port, *limits], directory / "limits.log")
        self.require(lambda: "ready" in self.log.read_text())

    def calls(self) -> list:
        return [call for line in self.log.read_text().splitlines() if "hits" in (call := json.loads(line))]


def in_a_fleet(port: int):
    """A patch that puts Envoy's rate limits behind our filter, as examples/fleet has them."""

    def patch(tree):
        manager(tree)["local_reply_config"] = yaml.safe_load((FLEET / "local_reply.yaml").read_text())
        http_filters(tree).insert(1, yaml.safe_load((FLEET / "filter.yaml").read_text()))
        cluster = yaml.safe_load((FLEET / "cluster.yaml").read_text())
        address = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
        address["port_value"] = port
        tree["static_resources"]["clusters"].append(cluster)

    return patch


def test_envoys_own_rate_limits_learn_what_each_key_used(start_gateway, simulator, tmp_path):
    with Limits(tmp_path, "tokens_of=60") as limits:
        names = ["ann", "ben"]
        fleet = [
            start_gateway(config(simulator, [client_key(name) for name in names]), patch=in_a_fleet(limits.port)) for _ in range(2)
        ]
        expected = {}
        for index, name in enumerate(["ann", "ben", "ann", "ann"]):
            gateway = fleet[index % 2]
            reply = gateway.chat("sim/fast", "hello", stream=index % 2 == 1, headers=keyed(name))
            assert reply.status_code == 200, reply.text
            receipt = gateway.receipt(reply.headers["x-generation-id"])
            tokens = receipt["tokens"]["prompt"] + receipt["tokens"]["completion"]
            for key, hits in (("tokens_of", tokens), ("micro_usd_of", -(-receipt["cost_pico_usd"] // 1_000_000))):
                expected.setdefault((key, name), []).append(hits)
            counted = lambda: sum(1 for call in limits.calls() if call["hits"]) == 2 * (index + 1)
            assert wait_until(counted), limits.calls()
        found = {}
        for call in limits.calls():
            found.setdefault((call["key"], call["name"]), []).append(call["hits"])
        assert {key: [hits for hits in all if hits] for key, all in found.items()} == expected
        while (reply := fleet[0].chat("sim/fast", headers=keyed("ann"))).status_code == 200:
            time.sleep(0.1)
        assert reply.status_code == 429, reply.text
        assert reply.json()["error"]["metadata"]["error_type"] == "rate_limit_exceeded"
        assert fleet[0].receipt(reply.headers["x-generation-id"])["outcome"] == "refused"
        assert fleet[1].chat("sim/fast", headers=keyed("ann")).status_code == 429, "the fleet has one limit"
        assert fleet[1].chat("sim/fast", headers=keyed("ben")).status_code == 200
    refused = fleet[0].chat("sim/fast", headers=keyed("ben"))
    assert refused.status_code >= 500, "a service that is away lets nobody through"
    assert "rate limit" in refused.json()["error"]["message"]
