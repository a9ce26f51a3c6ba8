"""The whole catalogue at every provider that is known by name, in a real Envoy."""

import re

import pytest
from harness import HTTP, ROOT

CATALOGUE = ROOT / "src/provider/catalogue/models.txt"
# Who is simulated in a format of its own; all others are, for this test, at the simulated OpenAI.
OWN = {"anthropic": "anthropic", "amazon-bedrock": "bedrock", "google-ai-studio": "gemini"}


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    rows = (ROOT / "src/provider/rows.rs").read_text()
    known = re.findall(r'^    (?:chat|account)\("([^"]+)"', rows, re.MULTILINE)
    assert len(known) >= 130
    simulated = simulator.providers()
    providers = {
        name: {part: simulated[OWN.get(name, "openai")][part] for part in ("base_url", "key")} for name in known
    }
    return module_gateway({"providers": providers}, log_level="info")


def listed():
    """The catalogue's model ids."""
    return [line.split("\t")[0] for line in CATALOGUE.read_text().splitlines() if line[0] not in "\t#"]


def test_every_worker_starts_with_everything_at_once(gateway):
    started = re.findall(r"(\d+) models with (\d+) endpoints at (\d+) providers, read in (\d+) ms", gateway.log.read_text())
    # One for each worker, and one for the main thread.
    assert len(started) >= 3
    for models, endpoints, providers, took in started:
        assert int(models) == len(listed()) and int(endpoints) > 3 * int(models) and int(providers) >= 130
    # The others may have waited for a core.
    assert min(int(took) for *_, took in started) < 100


def test_every_model_is_listed_with_its_price_and_limits(gateway):
    models = HTTP.get(f"{gateway.url}/v1/models").json()["data"]
    assert [model["id"] for model in models] == listed()
    for model in models:
        assert model["canonical_slug"] == model["id"] and model["name"]
        assert model["context_length"] > 0 and "text" in model["architecture"]["input_modalities"]
        assert float(model["pricing"]["prompt"]) >= 0 and float(model["pricing"]["completion"]) >= 0
        assert model["top_provider"]["context_length"] > 0
    sonnet = next(model for model in models if model["id"] == "anthropic/claude-sonnet-4.5")
    assert sonnet["architecture"]["modality"] == "text+image+file->text"
    assert "tools" in sonnet["supported_parameters"] and float(sonnet["pricing"]["input_cache_read"]) > 0


def test_a_model_is_served_and_billed_as_the_catalogue_says(gateway):
    response = gateway.chat("anthropic/claude-sonnet-4.5", provider={"only": ["anthropic"]})
    assert response.status_code == 200, response.text
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["attempts"][0]["model"] == "claude-sonnet-4-5"
    tokens = receipt["tokens"]
    # 3 and 15 USD per million tokens.
    assert receipt["cost_pico_usd"] == tokens["prompt"] * 3_000_000 + tokens["completion"] * 15_000_000
