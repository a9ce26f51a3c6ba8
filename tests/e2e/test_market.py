"""What callers may read of models, endpoints and providers, and the page that shows it to people."""

import hashlib
import json
import os
import shutil
import time

import judges
import pytest
from clients import CLIENT_KEY, endpoint, sdk
from harness import HTTP, wait_until

KEYED = {"authorization": f"Bearer {CLIENT_KEY}"}
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def priced(name, model, prompt, completion):
    return {**endpoint(name, model), "price": {"prompt": prompt, "completion": completion}}


def config(simulator, **more):
    return {
        "providers": simulator.providers(),
        "models": {
            "acme/two": {"endpoints": [
                {**priced("openai", "gpt-4o", "2.50", "10"), "context_length": 128000},
                {**priced("anthropic", "claude-sonnet-4-5", "3", "15"), "context_length": 200000,
                 "supported_parameters": ["tools"]},
            ]},
            "acme/one": {"endpoints": [
                {**priced("gemini", "gemini-2.5-flash!tokens=60", "0.30", "2.50"), "region": "eu-west-1", "zdr": True},
            ]},
            "other/small": {"endpoints": [priced("mistral", "mistral-small", "0.10", "0.30")]},
        },
        "keys": [{"name": "tester", "sha256": hashlib.sha256(CLIENT_KEY.encode()).hexdigest()}],
        **more,
    }


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    return module_gateway(config(simulator))


def get(gateway, path, status=200):
    response = HTTP.get(f"{gateway.url}{path}", headers=KEYED)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


@pytest.mark.parametrize(("query", "models"), [
    ("", ["acme/one", "acme/two", "other/small"]),
    ("?q=acme", ["acme/one", "acme/two"]),
    ("?supported_parameters=tools", ["acme/two"]),
    ("?providers=gemini,mistral", ["acme/one", "other/small"]),
    ("?model_authors=other", ["other/small"]),
    ("?context=150000", ["acme/two"]),
    ("?min_price=0.2&max_price=2.5&sort=pricing-high-to-low", ["acme/two", "acme/one"]),
    ("?sort=context-high-to-low&limit=1", ["acme/two"]),
    ("?region=eu", ["acme/one"]),
    ("?zdr=true&data_collection=deny", ["acme/one"]),
])
def test_models_are_listed_by_query(gateway, query, models):
    assert [model["id"] for model in get(gateway, f"/v1/models{query}")["data"]] == models


def test_pages_lead_through_all_models(gateway):
    path, seen = "/v1/models?limit=2", []
    while path:
        page = get(gateway, path)
        assert page["total_count"] == 3
        seen += [model["id"] for model in page["data"]]
        path = page["links"]["next"]
    assert seen == ["acme/one", "acme/two", "other/small"]
    assert get(gateway, "/v1/models/count?q=acme") == {"data": {"count": 2}}


def test_a_wrong_query_is_refused(gateway):
    for query, part in (("speed=1", '"speed" is unknown'), ("limit=x", "limit: expected"), ("sort=newest", "sort: expected one of"),
                        ("category=legal", "category: not supported")):
        assert part in judges.error(get(gateway, f"/v1/models?{query}", 400))["message"]


def test_one_model_is_told_of_also_to_the_sdk(gateway):
    entry = get(gateway, "/v1/models/acme/two")
    assert entry["id"] == "acme/two" and get(gateway, "/v1/model/acme/two") == {"data": entry}
    assert sdk(gateway).models.retrieve("acme/two").id == "acme/two"
    judges.error(get(gateway, "/v1/models/acme/none", 404))


def test_providers_are_listed(gateway, simulator):
    providers = get(gateway, "/v1/providers")["data"]
    assert [one["slug"] for one in providers] == sorted(simulator.providers())
    anthropic = next(one for one in providers if one["slug"] == "anthropic")
    assert (anthropic["dialect"], anthropic["models"]) == ("anthropic-messages", 1)


def endpoints(gateway, model="acme/two"):
    return {one["provider_name"]: one for one in get(gateway, f"/v1/models/{model}/endpoints")["data"]["endpoints"]}


def test_an_outage_is_seen_by_every_worker(start_gateway, simulator):
    simulator.reset()
    gateway = start_gateway(config(simulator))
    assert [one["standing"] for one in endpoints(gateway).values()] == ["healthy", "healthy"]
    simulator.fault("openai", "status=500")
    for _ in range(3):
        assert gateway.chat("acme/two", headers=KEYED, provider={"order": ["openai"]}).status_code == 200
    # Within what a worker may plan with an older copy.
    time.sleep(0.2)
    for _ in range(6):
        now = endpoints(gateway)
        assert (now["openai"]["standing"], now["anthropic"]["standing"]) == ("down", "healthy")
        assert now["openai"]["status"] < 0 == now["anthropic"]["status"]


def test_uptime_and_speed_are_measured(start_gateway, simulator):
    simulator.reset()
    gateway = start_gateway(config(simulator))
    for _ in range(8):
        assert gateway.chat("acme/one", stream=True, headers=KEYED).status_code == 200
    measured = wait_until(lambda: (one := endpoints(gateway, "acme/one")["gemini"])["latency_last_30m"] and one)
    assert measured, endpoints(gateway, "acme/one")
    assert measured["uptime_last_5m"] == measured["uptime_last_1d"] == 100
    for name in ("latency_last_30m", "throughput_last_30m"):
        assert set(measured[name]) == {"p50", "p75", "p90", "p99"} and min(measured[name].values()) > 0, measured
    # What nobody has asked yet is unknown.
    assert endpoints(gateway)["openai"]["latency_last_30m"] is None
    first, *_ = get(gateway, "/v1/models?sort=latency-low-to-high&limit=1")["data"]
    assert first["id"] == "acme/one"


def ranked(gateway, query=""):
    return [(row["id"], row["requests"]) for row in get(gateway, f"/v1/rankings{query}")["data"]]


def test_the_most_used_models_are_known_to_every_worker(start_gateway, simulator):
    simulator.reset()
    gateway = start_gateway(config(simulator))
    assert get(gateway, "/v1/rankings")["data"] == []
    began = int(time.time())
    responses = [gateway.chat(model, headers=KEYED) for model in ["acme/two"] * 7 + ["acme/one"] * 3]
    gateway.chat("acme/one", headers=KEYED, provider={"only": ["nobody"]})
    gateway.chat("acme/none", headers=KEYED)
    expected = [("acme/two", 7), ("acme/one", 3)]
    assert wait_until(lambda: ranked(gateway, "?sort=requests") == expected), ranked(gateway)
    # Whichever worker is asked.
    assert all(ranked(gateway, "?period=day&sort=requests") == expected for _ in range(12))
    rankings = get(gateway, "/v1/rankings")
    tokens = {row["id"]: row["tokens"] for row in rankings["data"]}
    billed = [response.json()["usage"]["total_tokens"] for response in responses]
    assert tokens == {"acme/two": sum(billed[:7]), "acme/one": sum(billed[7:])}
    assert began - 1 <= rankings["since"] <= time.time() + 1
    weekly = get(gateway, "/v1/models?sort=most-popular")["data"]
    assert [model["id"] for model in weekly] == ["acme/two", "acme/one", "other/small"]
    assert [model["used_last_week"]["requests"] for model in weekly] == [7, 3, 0]
    judges.error(get(gateway, "/v1/rankings?period=year", 400))


def test_a_new_configuration_counts_on(start_gateway, simulator, tmp_path):
    listeners = tmp_path / "listeners.json"

    def publish(listener):
        listener = {"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", **listener}
        fresh = tmp_path / "fresh.json"
        fresh.write_text(json.dumps({"resources": [listener]}))
        # Envoy watches for a file that is moved there.
        fresh.rename(listeners)

    def patch(bootstrap):
        publish(bootstrap["static_resources"]["listeners"][0])
        del bootstrap["static_resources"]["listeners"]
        bootstrap["node"] = {"id": "one", "cluster": "one"}
        bootstrap["dynamic_resources"] = {"lds_config": {"path_config_source": {"path": str(listeners)}}}

    simulator.reset()
    gateway = start_gateway(config(simulator), patch=patch)
    gateway.chat("acme/two", headers=KEYED)
    assert wait_until(lambda: ranked(gateway) == [("acme/two", 1)])
    since = get(gateway, "/v1/rankings")["since"]
    listener = listeners.read_text().replace("other/small", "other/tiny")
    publish(json.loads(listener)["resources"][0])
    assert wait_until(lambda: "other/tiny" in str(get(gateway, "/v1/models")))
    gateway.chat("acme/two", headers=KEYED)
    assert wait_until(lambda: ranked(gateway) == [("acme/two", 2)]), ranked(gateway)
    assert get(gateway, "/v1/rankings")["since"] == since


def test_where_prompts_go_is_shown(gateway):
    one = endpoints(gateway, "acme/one")["gemini"]
    assert (one["region"], one["zdr"], one["data_collection"]) == ("eu-west-1", True, None)
    assert endpoints(gateway)["openai"]["region"] is None


def test_nothing_is_told_without_a_key(gateway):
    for path in ("/v1/models/count", "/v1/models/acme/two", "/v1/models/acme/two/endpoints", "/v1/providers", "/v1/rankings"):
        assert HTTP.get(f"{gateway.url}{path}").status_code == 401
    # The page is off unless it is wanted.
    assert HTTP.get(f"{gateway.url}/crosspoint", headers=KEYED).status_code == 404


@pytest.fixture
def browser():
    if not CHROMIUM:
        pytest.skip("no Chromium; install it (Debian: apt install chromium), or name one in CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_the_page_shows_live_numbers(start_gateway, simulator, browser, tmp_path):
    simulator.reset()
    gateway = start_gateway(config(simulator, page=True))
    page = browser.new_page(viewport={"width": 1200, "height": 700})
    said, foreign = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: request.url.startswith(gateway.url) or foreign.append(request.url))
    page.goto(f"{gateway.url}/crosspoint")
    page.wait_for_selector("#key:not([hidden])")
    # That it has to ask for a key is all that the browser may complain of.
    assert all("401" in line for line in said), said
    said.clear()
    page.fill("#secret", CLIENT_KEY)
    page.keyboard.press("Enter")
    names = page.locator("tbody th")
    row = page.locator("tbody tr", has_text="acme/two").first
    count = row.locator("td").last
    assert wait_until(lambda: names.count() == 3)
    assert "$2.50/M" in row.inner_text() and "200K" in row.inner_text()
    assert wait_until(lambda: count.inner_text() == "2 of 2")
    assert "openai, anthropic" in row.inner_text()
    row.locator("button").click()
    for _ in range(8):
        gateway.chat("acme/one", stream=True, headers=KEYED)
    latency = page.locator("tbody tr", has_text="acme/one").first.locator("td[data-label=Latency]")
    assert wait_until(lambda: latency.inner_text().endswith(" ms")), latency.inner_text()
    simulator.fault("openai", "status=500")
    for _ in range(3):
        gateway.chat("acme/two", headers=KEYED, provider={"order": ["openai"]})
    assert wait_until(lambda: count.inner_text() == "1 of 2"), count.inner_text()
    assert "down" in page.locator(".open li", has_text="openai").inner_text()
    # The most used models, by name and number, as of now.
    top = page.get_by_role("region", name="Most used models")
    first = top.get_by_role("listitem").first
    assert wait_until(lambda: "8 requests" in first.inner_text()), first.inner_text()
    assert "acme/one" in first.inner_text() and "Counted since" in top.inner_text()
    gateway.chat("acme/one", headers=KEYED)
    assert wait_until(lambda: "9 requests" in first.inner_text()), first.inner_text()
    page.get_by_label("Period").select_option("day")
    assert wait_until(lambda: top.get_by_role("listitem").count() == 2)
    page.screenshot(path=tmp_path / "desktop.png")
    first.get_by_role("button").click()
    assert wait_until(lambda: names.count() == 1 and page.input_value("#q") == "acme/one")
    page.fill("#q", "other")
    assert wait_until(lambda: names.count() == 1)
    page.fill("#q", "")
    assert wait_until(lambda: names.count() == 3)
    # On a phone nothing is wider than the screen.
    page.set_viewport_size({"width": 375, "height": 720})
    boxes = [cell.bounding_box() for cell in page.locator("input:visible, select:visible, #top li, tbody th, tbody td:visible").all()]
    assert len(boxes) > 20 and all(box["x"] >= 0 and box["x"] + box["width"] <= 375 for box in boxes), boxes
    page.screenshot(path=tmp_path / "phone.png")
    # The key stays in the tab: a reload asks for nothing.
    page.reload()
    assert wait_until(lambda: names.count() == 3)
    assert said == [] and foreign == []


def test_the_page_can_be_used_by_keyboard_and_by_name(start_gateway, simulator, browser):
    page = browser.new_page()
    page.goto(f"{start_gateway({**config(simulator, page=True), 'keys': None}).url}/crosspoint")
    button = page.get_by_role("button", name="acme/two")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert page.get_by_role("columnheader").all_inner_texts()[:2] == ["Model", "Prompt"]
    assert page.get_by_role("row").count() >= 4
    assert page.get_by_label("Find a model").is_visible() and page.get_by_label("Order").is_visible()
