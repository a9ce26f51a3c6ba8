"""What a model's name may be: an alias, the newest of a family, a variant, or a choice from the shortlist."""

import httpx
import judges
import pytest
from clients import endpoint

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    # How many tokens an answer has makes each endpoint another one, with a health of its own.
    models = {
        "n/model-1": [endpoint("openai", "gpt-4o!tokens=3", supported_parameters=["seed"])],
        "n/model-1.5": [endpoint("anthropic", "claude-sonnet-4-5!tokens=3", price={"prompt": "9", "completion": "9"})],
        "n/broken": [endpoint("openai", "gpt-4o!status=500;tokens=4")],
        "n/gemini": [endpoint("gemini", "gemini-2.5-flash!tokens=3")],
    }
    return module_gateway({
        "providers": simulator.providers(),
        "models": {name: {"endpoints": endpoints} for name, endpoints in models.items()},
        "aliases": {"fast": "n/model-1:floor", "safe": ["n/broken", "fast"], "new": "~n/model-latest"},
        "auto": {"models": {
            "n/model-1": {"score": 0.5, "coding": 0.9}, "n/model-1.5": {"score": 0.8}, "n/gemini": {"score": 0.1},
        }},
    })


def served(gateway, model, **more):
    response = gateway.chat(model, **more)
    assert response.status_code == 200, response.text
    return response.json()["model"]


@pytest.mark.parametrize(("name", "model"), [
    ("fast", "n/model-1"),
    ("fast:nitro", "n/model-1"),
    ("safe", "n/model-1"),
    ("new", "n/model-1.5"),
    ("~n/model-latest", "n/model-1.5"),
    ("n/model-1.5:exacto", "n/model-1.5"),
])
def test_a_name_stands_for_a_model_that_the_answer_names(gateway, name, model):
    assert served(gateway, name) == model


def test_a_stream_names_the_model_too(gateway):
    response = gateway.chat("safe", stream=True)
    chunks = [line for line in response.text.splitlines() if line.startswith("data: {")]
    assert chunks and all('"model":"n/model-1"' in chunk for chunk in chunks), response.text


def test_an_unknown_variant_names_the_known_ones(gateway):
    response = gateway.chat("n/model-1:unheard")
    assert response.status_code == 404
    assert ":nitro, :floor, :exacto, :free, :online, :thinking" in judges.error(response.json())["message"]


def test_the_list_shows_aliases(gateway):
    models = {model["id"]: model for model in httpx.get(f"{gateway.url}/v1/models", trust_env=False).json()["data"]}
    assert models["fast"]["alias_target"] == {"name": "n/model-1", "slug": "n/model-1"}
    assert "alias_target" not in models["n/model-1"]


@pytest.mark.parametrize(("more", "model"), [
    ({}, "n/model-1.5"),
    ({"plugins": [{"id": "auto-router", "hints": ["coding"]}]}, "n/model-1"),
    ({"plugins": [{"id": "auto-router", "excluded_models": ["*-1*"]}]}, "n/gemini"),
    ({"tools": [TOOL], "plugins": [{"id": "auto-router", "hints": ["coding"]}]}, "n/model-1.5"),
    ({"provider": {"max_price": {"prompt": 5}}}, "n/model-1"),
])
@pytest.mark.parametrize("name", ["crosspoint/auto", "openrouter/auto"])
def test_a_model_is_picked_by_what_is_needed(gateway, name, more, model):
    assert served(gateway, name, **more) == model


@pytest.mark.parametrize(("name", "strategy"), [
    ("n/model-1", None), ("n/model-1:floor", "variant"), ("fast", "alias"), ("safe", "fallback"), ("new", "alias"),
    ("~n/model-latest", "latest"), ("crosspoint/auto", "auto"),
])
def test_the_metadata_and_the_receipt_say_how_the_model_was_found(gateway, name, strategy):
    more = {"provider": {"max_price": {"prompt": 5}}} if strategy == "auto" else {}
    response = gateway.chat(name, headers={"X-Crosspoint-Metadata": "enabled"}, **more)
    metadata = response.json()["openrouter_metadata"]
    assert (metadata["requested"], metadata["strategy"]) == (name, strategy or "direct")
    assert gateway.receipt(response.headers["x-generation-id"]).get("strategy") == strategy
    if strategy == "auto":
        assert metadata["shortlist"] == [
            {"model": "n/model-1", "score": 0.5, "reason": "able"},
            {"model": "n/gemini", "score": 0.1, "reason": "able"},
            {"model": "n/model-1.5", "score": 0.8, "reason": "excluded by provider.max_price"},
        ]
    else:
        assert "shortlist" not in metadata


def test_what_the_choice_does_not_honour_is_refused(gateway):
    response = gateway.chat("crosspoint/auto", plugins=[{"id": "auto-router", "pin_model": True}])
    assert response.status_code == 400
    assert "plugins[0].pin_model" in judges.error(response.json())["message"]


def test_who_searches_the_web_is_asked_to(gateway, simulator):
    for model, provider, tool in [
        ("n/model-1.5", "anthropic", {"type": "web_search_20250305", "name": "web_search"}),
        ("n/gemini", "gemini", {"googleSearch": {}}),
    ]:
        simulator.reset()
        assert served(gateway, f"{model}:online") == model
        (request,) = simulator.requests(provider)
        assert request["body"]["tools"] == [tool]
        # Who stands behind it without the variant is asked without the search.
        simulator.reset()
        assert served(gateway, None, models=["n/broken:floor", model]) == model
        (request,) = simulator.requests(provider)
        assert "tools" not in request["body"]


def test_who_does_not_search_is_left_out(gateway):
    response = gateway.chat("n/model-1:online")
    assert response.status_code == 404
    error = judges.error(response.json())
    assert "has no search of the web" in error["message"]
    assert error["availability"]["excluded_by"] == ["variant:online"]


def test_thinking_is_asked_for(gateway, simulator):
    simulator.reset()
    assert served(gateway, "n/model-1.5:thinking") == "n/model-1.5"
    (request,) = simulator.requests("anthropic")
    assert request["body"]["thinking"]["type"] == "enabled"
