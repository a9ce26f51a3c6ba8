"""Statistics in a real Envoy: what the README says of them, after traffic whose receipts are known; and the dashboard."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass

import pytest
from clients import CLIENT_KEY, chat_body, endpoint
from harness import HTTP, ROOT, Gateway, wait_until
from prometheus import PROMETHEUS, Prometheus, labels, samples, selectors, types

# A model's name may have anything in it; what would end a label becomes `_`.
ODD, ODD_LABEL = 'odd/na:me.x=1;"y\\ü', 'odd/na:me.x=1_"y\\ü'
MODELS = {
    ODD: [endpoint("openai", "gpt-4o")],
    "sim/cached": [endpoint("anthropic", "claude-sonnet-4-5-cached")],
    "sim/thinker": [endpoint("gemini", "gemini-2.5-flash")],
    "sim/slow": [endpoint("openai", "gpt-4o!tokens=30;token_delay=20")],
    "sim/endless": [endpoint("anthropic", "claude-sonnet-4-5!tokens=999;token_delay=10")],
    "over/one": [endpoint("anthropic", "claude-sonnet-4-5!status=500"), endpoint("openai", "gpt-4o")],
    "all/wrong": [endpoint("bedrock", "anthropic.claude-sonnet-4-5-v1:0!status=400")],
    "sim/embed": [endpoint("openai", "text-embedding-3-small")],
}
KEY = "team/a.b:c"
BUDGET = {"day": 20, "month": "99.5"}
AUTHORIZATION = {"authorization": f"Bearer {CLIENT_KEY}"}


@dataclass
class Traffic:
    """A gateway, and the receipts of all that was asked of it."""

    gateway: Gateway
    receipts: list

    def ask(self, path="/v1/chat/completions", **body):
        return HTTP.post(f"{self.gateway.url}{path}", json=body, headers=AUTHORIZATION)

    def chat(self, model, stream=False, **more):
        return self.ask(model=model, stream=stream, messages=[{"role": "user", "content": "count me"}], **more)


def exchanges(traffic: Traffic):
    """Some of everything."""
    for stream in (False, True, True):
        traffic.chat(ODD, stream)
        traffic.chat("sim/cached", stream)
        traffic.chat("sim/thinker", stream, reasoning={"effort": "high"})
        traffic.chat("over/one", stream, provider={"order": ["anthropic", "openai"]})
    for _ in range(3):
        traffic.chat("sim/slow", True)
    assert traffic.chat("all/wrong").status_code == 400
    for name in ("no/such", "no/other", 'evil";model="x', ""):
        assert traffic.chat(name).status_code in (400, 404)
    traffic.ask("/v1/embeddings", model="sim/embed", input="one two three")
    assert HTTP.get(f"{traffic.gateway.url}/v1/models", headers=AUTHORIZATION).status_code == 200
    endless = HTTP.stream(
        "POST", f"{traffic.gateway.url}/v1/chat/completions", content=chat_body("sim/endless", stream=True),
        headers={**AUTHORIZATION, "content-type": "application/json"},
    )
    with endless as response:
        next(response.iter_bytes())


@pytest.fixture(scope="module")
def traffic(module_gateway, simulator):
    sha256 = hashlib.sha256(CLIENT_KEY.encode()).hexdigest()
    gateway = module_gateway({
        "providers": simulator.providers(),
        "models": {name: {"endpoints": endpoints} for name, endpoints in MODELS.items()},
        "keys": [{"name": KEY, "sha256": sha256, "budget": BUDGET}],
    })
    traffic = Traffic(gateway, [])
    exchanges(traffic)
    traffic.receipts = wait_until(lambda: len(gateway.receipts()) == 22 and gateway.receipts())
    assert traffic.receipts, gateway.receipts()
    # Envoy merges its histograms every five seconds, as often as standings are shown.
    name = "gen_ai_server_request_duration_milliseconds_count"
    assert wait_until(lambda: sum(samples(gateway)[name].values()) == 22)
    assert wait_until(lambda: samples(gateway)["crosspoint_endpoint_standing"])
    return traffic


def summed(receipts, entries) -> dict:
    """The sums by labels of what `entries(receipt)` gives as (labels, value); nothing where they are zero."""
    sums = Counter()
    for receipt in receipts:
        for key, value in entries(receipt):
            sums[key] += value
    return {key: value for key, value in sums.items() if value}


def family(receipt) -> dict:
    operation = {"completions": "text_completion"}.get(receipt.get("operation"), receipt.get("operation", "chat"))
    asked = receipt["model"] if receipt["model"] in MODELS else "unknown"
    model = receipt.get("served_model", asked)
    model = ODD_LABEL if model == ODD else model
    return {"model": model, "provider": receipt.get("provider", "none"), "operation": operation}


def attempts(receipt):
    for at, line in enumerate(receipt["attempts"]):
        failure = {"error_type": line["error_type"]} if "error_type" in line else {}
        yield at, line, {**family(receipt), "provider": line["provider"]}, failure


def tokens(member):
    return lambda receipt: [(labels(**family(receipt)), receipt.get("tokens", {}).get(member, 0))]


def failure(receipt) -> dict:
    return {"error_type": receipt["error_type"]} if "error_type" in receipt else {}


# What each counter must show, by receipts that the access log has.
COUNTERS = {
    "crosspoint_requests": lambda r: [(labels(**family(r), outcome=r["outcome"]), 1)],
    "crosspoint_errors": lambda r: [(labels(**family(r), **failure(r)), 1)] if failure(r) else [],
    "crosspoint_attempts": lambda r: [
        (labels(**about, outcome=line["outcome"], **failed), 1) for _, line, about, failed in attempts(r)
    ],
    "crosspoint_failovers": lambda r: [
        (labels(**about, **failed), 1) for at, _, about, failed in attempts(r) if failed and at + 1 < len(r["attempts"])
    ],
    "crosspoint_cost_pico_usd": lambda r: [(labels(**family(r)), r["cost_pico_usd"])],
    "crosspoint_upstream_cost_pico_usd": lambda r: [
        (labels(**family(r)), r["upstream_cost_pico_usd"] - sum(line.get("cost_pico_usd", 0) for line in r["attempts"])),
        *((labels(**about), line.get("cost_pico_usd", 0)) for _, line, about, _ in attempts(r)),
    ],
    "crosspoint_key_requests": lambda r: [(labels(key=r["key"], outcome=r["outcome"]), 1)],
    "crosspoint_key_cost_pico_usd": lambda r: [(labels(key=r["key"]), r["cost_pico_usd"])],
    "crosspoint_key_tokens": lambda r: [
        (labels(key=r["key"], token_type=kind), r.get("tokens", {}).get(member, 0))
        for kind, member in (("input", "prompt"), ("output", "completion"))
    ],
    "gen_ai_client_inference_usage_input_tokens": tokens("prompt"),
    "gen_ai_client_inference_usage_output_tokens": tokens("completion"),
    "gen_ai_client_inference_usage_cache_read_input_tokens": tokens("cache_read"),
    "gen_ai_client_inference_usage_cache_write_input_tokens": tokens("cache_write"),
    "gen_ai_client_inference_usage_reasoning_output_tokens": tokens("reasoning"),
}


def streamed_well(receipt) -> bool:
    return receipt["stream"] and receipt["outcome"] == "success"


# What each histogram must hold: the values themselves, of which the counts must be right, and the sums about right.
HISTOGRAMS = {
    "gen_ai_server_request_duration_milliseconds": lambda r: [(labels(**family(r), **failure(r)), r["duration_ms"])],
    "gen_ai_server_time_to_first_token_milliseconds": lambda r: [
        (labels(**family(r)), r["first_token_ms"]) for _ in range(streamed_well(r))
    ],
    "gen_ai_server_time_per_output_token_microseconds": lambda r: [
        (labels(**family(r)), (r["duration_ms"] - r["first_token_ms"]) * 1000 // (r["tokens"]["completion"] - 1))
        for _ in range(streamed_well(r))
    ],
    "gen_ai_client_operation_duration_milliseconds": lambda r: [
        (labels(**about, **failed), line["duration_ms"]) for _, line, about, failed in attempts(r)
    ],
    "gen_ai_client_operation_time_to_first_chunk_milliseconds": lambda r: [
        (labels(**about), line["first_token_ms"])
        for _, line, about, _ in attempts(r) if r["stream"] and "first_token_ms" in line
    ],
    "gen_ai_client_token_usage": lambda r: [
        (labels(**family(r), token_type=kind), r["tokens"][member])
        for kind, member in (("input", "prompt"), ("output", "completion")) if "tokens" in r
    ],
}


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_says_what_the_receipts_say(traffic, name):
    expected = summed(traffic.receipts, COUNTERS[name])
    assert expected, "the traffic never moves this counter"
    assert samples(traffic.gateway)[name] == expected


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_a_histogram_holds_what_the_receipts_say(traffic, name):
    found = samples(traffic.gateway)
    counts = summed(traffic.receipts, lambda receipt: [(key, 1) for key, _ in HISTOGRAMS[name](receipt)])
    assert counts and found[f"{name}_count"] == counts
    # Envoy keeps two digits of a value.
    sums = Counter()
    for receipt in traffic.receipts:
        sums.update(dict.fromkeys(counts, 0))
        for key, value in HISTOGRAMS[name](receipt):
            sums[key] += value
    assert found[f"{name}_sum"] == {key: pytest.approx(value, rel=0.06, abs=5) for key, value in sums.items()}
    bounds = {dict(key)["le"] for key in found[f"{name}_bucket"]}
    assert "+Inf" in bounds and "3.6e+06" not in bounds, f"the default buckets: {bounds}"


def test_the_gauges(traffic):
    def shown():
        found = samples(traffic.gateway)
        standing = {(dict(key)["model"], dict(key)["provider"]): value
                    for key, value in found["crosspoint_endpoint_standing"].items()}
        right = standing.get(("over/one", "anthropic"), 0) > 0 and standing.get((ODD_LABEL, "openai")) == 0
        return right and found["crosspoint_exchanges_open"] == {(): 0} and found["crosspoint_memory_bytes"][()] > 1e6

    assert wait_until(shown), samples(traffic.gateway)["crosspoint_endpoint_standing"]


def test_a_budget_is_what_the_receipts_of_its_window_say(traffic):
    budgets = {labels(key=KEY, window=window): float(limit) * 1e12 for window, limit in BUDGET.items()}
    spent = sum(receipt["cost_pico_usd"] for receipt in traffic.receipts)
    assert wait_until(lambda: samples(traffic.gateway)["crosspoint_key_budget_used_pico_usd"] == dict.fromkeys(budgets, spent))
    assert samples(traffic.gateway)["crosspoint_key_budget_limit_pico_usd"] == budgets


def documented() -> dict:
    """name -> (type, labels), of the README's table."""
    section = (ROOT / "README.md").read_text().partition("### Statistics")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \| [^|]+ \|([^|]*)\|", section, re.MULTILINE)
    common = {"gen_ai_request_model", "gen_ai_provider_name", "gen_ai_operation_name"}
    return {
        name: (kind, {label for found in re.findall(r"`(\w+)`|(…)", names) for label in (common if found[1] else {found[0]})})
        for name, kind, names in rows
    }


def test_what_is_counted_is_what_the_readme_says(traffic):
    table = documented()
    assert types(traffic.gateway) == {name: kind for name, (kind, _) in table.items()}
    assert set(table) == {*COUNTERS, *HISTOGRAMS, *(name for name, (kind, _) in table.items() if kind == "gauge")}
    long = {"model": "gen_ai_request_model", "provider": "gen_ai_provider_name",
            "operation": "gen_ai_operation_name", "token_type": "gen_ai_token_type"}
    found = samples(traffic.gateway)
    for name, (kind, names) in table.items():
        series = found[f"{name}_count" if kind == "histogram" else name]
        assert {long.get(label, label) for key in series for label, _ in key} == names, name


def test_a_label_that_nobody_configured_is_nowhere(traffic):
    text = traffic.gateway.prometheus()
    assert "evil" not in text and "no/such" not in text and "count me" not in text


DASHBOARD = json.loads((ROOT / "envoy/grafana.json").read_text())


def queries() -> list:
    """(title, query) of every panel's targets, with Grafana's variables filled in as for all models."""
    filled = []
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m").replace("$model", ".*").replace("$provider", ".*")
            assert "$" not in query, query
            filled.append((panel["title"], query))
    return filled


@pytest.mark.parametrize("title, query", queries())
def test_a_panel_asks_for_what_there_is(traffic, title, query):
    """Without a Prometheus: every metric and label that a query speaks of is in what Envoy shows."""
    scraped = {}
    for line in traffic.gateway.prometheus().splitlines():
        name, brace, rest = line.partition("{")
        if brace:
            scraped.setdefault(name, set()).update(re.findall(r'(\w+)="', rest))
    found = selectors(query)
    assert found
    for name, wanted in found:
        assert wanted <= scraped.get(name, set()), f"{name}: {wanted - scraped.get(name, set())}"


def test_the_dashboard_is_sound():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    variables = {entry["name"] for entry in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "model", "provider"}
    metrics = {re.sub("_(bucket|count|sum)$", "", name) for _, query in queries() for name, _ in selectors(query)}
    # What is left out is told by another of them, or by these.
    assert set(documented()) - metrics == {
        "crosspoint_key_requests", "crosspoint_key_tokens", "crosspoint_upstream_cost_pico_usd",
        "gen_ai_client_inference_usage_cache_write_input_tokens",
        "gen_ai_client_inference_usage_reasoning_output_tokens", "gen_ai_server_request_duration_milliseconds",
    }


@pytest.mark.skipif(not PROMETHEUS, reason="no Prometheus; install it (Debian: apt install prometheus), or name one in PROMETHEUS")
def test_a_real_prometheus_has_data_for_every_panel(traffic, tmp_path):
    with Prometheus(tmp_path, traffic.gateway) as prometheus:
        assert wait_until(lambda: prometheus.query("crosspoint_requests"))
        before = sum(value for _, value in prometheus.query("crosspoint_requests"))
        exchanges(traffic)

        def all_there():
            # Histograms come last, so when they have moved everything has.
            seen = prometheus.query("sum(gen_ai_server_request_duration_milliseconds_count)")
            return seen and seen[0][1] >= 2 * before

        assert wait_until(all_there, pause=0.5)
        empty = lambda: [title for title, query in queries() if not prometheus.query(query)]
        assert wait_until(lambda: not empty()), empty()
        moved = {title for title, query in queries() if any(value > 0 for _, value in prometheus.query(query))}
        still = {"Exchanges under way"}
        assert moved >= {panel["title"] for panel in DASHBOARD["panels"]} - still
        # What Prometheus adds up is what the receipts say.
        receipts = traffic.gateway.receipts()
        for query, expected in [
            ("sum(crosspoint_requests)", len(receipts)),
            ("sum(crosspoint_cost_pico_usd)", sum(one["cost_pico_usd"] for one in receipts)),
            ("sum(crosspoint_key_cost_pico_usd)", sum(one["cost_pico_usd"] for one in receipts)),
            ("sum(crosspoint_attempts)", sum(len(one["attempts"]) for one in receipts)),
        ]:
            assert wait_until(lambda: prometheus.query(query)[0][1] == expected), query
