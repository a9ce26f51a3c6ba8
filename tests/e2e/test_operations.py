"""Embeddings and the older completions, by OpenAI's SDK, through every format that has them."""

import math

import judges
import pytest
from clients import PICO_USD, endpoint, events, sdk
from harness import HTTP

EMBEDDERS = {
    "openai": endpoint("openai", "text-embedding-3-small"),
    "gemini": endpoint("gemini", "gemini-embedding-2"),
    "titan": endpoint("bedrock", "amazon.titan-embed-text-v2:0"),
    "cohere": endpoint("cohere", "embed-v4.0"),
    "cohere-on-bedrock": endpoint("bedrock", "cohere.embed-v4:0"),
}
BATCHES = [name for name in EMBEDDERS if name != "titan"]
MODELS = {
    **EMBEDDERS,
    "uncounted": endpoint("gemini", "gemini-embedding-001"),
    "instruct": endpoint("openai", "gpt-3.5-turbo-instruct"),
    "claude": endpoint("anthropic", "claude-sonnet-4-5"),
}
EMPTY = [endpoint("openai", "text-embedding-3-small!empty"), endpoint("gemini", "gemini-embedding-2")]
SECRET = {"middleware": [{"redact": {"rules": [{"literal": "You"}]}}]}


def config(simulator):
    models = {f"sim/{name}": {"endpoints": [one]} for name, one in MODELS.items()}
    # The one whose vectors are none comes first: a price of nothing always does.
    models["sim/empty-first"] = {"endpoints": [{**EMPTY[0], "price": {"prompt": "0", "completion": "0"}}, EMPTY[1]]}
    models["sim/claude-or-openai"] = {"endpoints": [MODELS["claude"], MODELS["openai"]]}
    return {"providers": simulator.providers(), "models": models}


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    return module_gateway(config(simulator))


@pytest.fixture(autouse=True)
def calm(simulator):
    simulator.reset()


def last_receipt(gateway, response):
    return gateway.receipt(response.headers["x-generation-id"])


def recorded(simulator, provider):
    (one,) = simulator.requests(provider)
    judges.provider_request(one)
    return one, simulator.predict(one)


def close(found, expected):
    return len(found) == len(expected) and all(map(math.isclose, found, expected))


def check(gateway, simulator, name, texts, **more):
    """Embeds, and compares with what the provider says that it answered."""
    create = sdk(gateway).embeddings.with_raw_response.create
    response = create(model=f"sim/{name}", input=texts, **more)
    parsed = response.parse()
    provider = EMBEDDERS[name]["provider"]
    one, said = recorded(simulator, provider)
    assert [entry.index for entry in parsed.data] == list(range(len(said["vectors"])))
    if more.get("encoding_format") != "base64":
        assert all(close(entry.embedding, vector) for entry, vector in zip(parsed.data, said["vectors"]))
        body = parsed.to_dict()
        judges.embeddings(body)
    tokens = last_receipt(gateway, response)
    assert (tokens["operation"], tokens["outcome"], tokens["provider"]) == ("embeddings", "success", provider)
    return parsed, one, said, tokens


@pytest.mark.parametrize("name", EMBEDDERS)
@pytest.mark.parametrize("way", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}], ids=["usual", "float", "base64"])
def test_a_text_becomes_the_providers_vector(gateway, simulator, name, way):
    """The SDK asks for base64 unless told otherwise, and reads that itself."""
    parsed, _, said, receipt = check(gateway, simulator, name, "naïve words to embed", **way)
    if way.get("encoding_format") == "base64":
        assert isinstance(parsed.data[0].embedding, str)
    counted = name != "cohere-on-bedrock"
    tokens = receipt["tokens"]
    assert tokens["prompt_source"] == ("provider" if counted else "estimate")
    assert parsed.usage.prompt_tokens == parsed.usage.total_tokens == tokens["prompt"]
    if counted:
        assert tokens["prompt"] == said["usage"]["prompt_tokens"]
    assert (getattr(parsed.usage, "estimated", None) is True) == (not counted)
    assert (tokens["completion"], receipt["cost_pico_usd"]) == (0, tokens["prompt"] * PICO_USD["prompt"])


@pytest.mark.parametrize("name", BATCHES)
def test_many_texts_stay_in_order(gateway, simulator, name):
    parsed, *_ = check(gateway, simulator, name, [f"text number {n}" for n in range(90)], dimensions=256)
    assert len(parsed.data) == 90 and all(len(entry.embedding) == 256 for entry in parsed.data)


def test_a_purpose_is_said_in_the_providers_word(gateway, simulator):
    _, one, *_ = check(gateway, simulator, "gemini", "a", extra_body={"input_type": "search_query"})
    assert one["body"]["requests"][0]["taskType"] == "RETRIEVAL_QUERY"
    simulator.reset()
    _, one, *_ = check(gateway, simulator, "cohere-on-bedrock", "a", extra_body={"input_type": "RETRIEVAL_QUERY"})
    assert one["body"]["input_type"] == "search_query"


def test_a_model_that_counts_nothing_is_estimated_and_says_so(gateway):
    response = sdk(gateway).embeddings.with_raw_response.create(model="sim/uncounted", input="one two three")
    usage = response.parse().usage
    tokens = last_receipt(gateway, response)["tokens"]
    assert (tokens["prompt_source"], tokens["prompt"]) == ("estimate", usage.prompt_tokens)
    assert usage.estimated is True and usage.prompt_tokens > 0


def post(gateway, path, **body):
    return HTTP.post(f"{gateway.url}{path}", json=body)


def test_no_vector_at_all_is_a_failure_that_moves_on(gateway, simulator):
    response = post(gateway, "/v1/embeddings", model="sim/empty-first", input="a")
    assert response.status_code == 200 and len(response.json()["data"]) == 1
    assert len(simulator.requests("openai")) == 1
    assert last_receipt(gateway, response)["provider"] == "gemini"


def test_a_provider_without_the_operation_is_not_asked(gateway, simulator):
    for path, prompt in [("/v1/embeddings", "input"), ("/v1/completions", "prompt")]:
        response = post(gateway, path, model="sim/claude", **{prompt: "a"})
        assert response.status_code == 404
        message = judges.error(response.json())["message"]
        assert "no endpoint of \"sim/claude\" serves" in message and "try sim/" in message
        assert post(gateway, path, model="sim/claude-or-openai", **{prompt: "a"}).status_code == 200
    assert not simulator.requests("anthropic")


def test_what_cannot_be_carried_is_refused_with_its_member(gateway, simulator):
    for body, member in [
        ({"model": "sim/titan", "input": ["a", "b"]}, "input: 2 of them"),
        ({"model": "sim/gemini", "input": ["a"] * 101}, "input: 101 of them"),
        ({"model": "sim/gemini", "input": [1, 2]}, "input: tokens"),
        ({"model": "sim/gemini", "input": "a", "encoding_format": "int8"}, "encoding_format: \"int8\""),
        ({"model": "sim/openai", "input": "a", "stream": True}, "stream: "),
        ({"model": "sim/openai"}, "input: missing"),
    ]:
        response = post(gateway, "/v1/embeddings", **body)
        assert response.status_code == 400 and judges.error(response.json())["message"].startswith(member), response.text
    assert not any(simulator.requests(provider) for provider in ["openai", "gemini", "bedrock"])


def test_the_providers_own_refusal_is_passed_on(gateway):
    response = post(gateway, "/v1/embeddings", model="sim/openai", input="")
    assert response.status_code == 400 and "'$.input' is invalid" in judges.error(response.json())["message"]


def complete(gateway, stream, **request):
    create = sdk(gateway).completions.with_raw_response.create
    if not stream:
        response = create(**request)
        body = response.parse().to_dict()
        judges.completion(body)
        (choice,) = body["choices"]
        return response, choice["text"], choice["finish_reason"], body["usage"]
    response = create(stream=True, stream_options={"include_usage": True}, **request)
    text, finish, usage = "", None, None
    for chunk in response.parse():
        assert chunk.object == "text_completion"
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text, finish = text + choice.text, choice.finish_reason or finish
    return response, text, finish, usage and usage.to_dict()


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_a_prompt_is_continued(gateway, simulator, stream):
    response, text, finish, usage = complete(
        gateway, stream, model="sim/instruct", prompt="once upon a time", max_tokens=100, logprobs=2, echo=False
    )
    one, said = recorded(simulator, "openai")
    assert one["path"] == "/v1/completions" and one["body"]["logprobs"] == 2
    assert (text, finish) == (said["text"], "stop")
    assert usage["prompt_tokens"] == said["usage"]["prompt_tokens"]
    receipt = last_receipt(gateway, response)
    assert (receipt["operation"], receipt["outcome"], receipt["stream"]) == ("completions", "success", stream)
    assert receipt["tokens"]["completion"] == usage["completion_tokens"] == said["usage"]["completion_tokens"]


def test_who_did_not_ask_for_counts_sees_none(gateway):
    response = post(gateway, "/v1/completions", model="sim/instruct", prompt="a b", stream=True)
    all_events = events(response.content)
    assert all_events[-1] == "[DONE]" and not any(event.get("usage") for event in all_events[:-1])
    assert last_receipt(gateway, response)["tokens"]["completion_source"] == "provider"


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_a_completion_is_redacted_like_a_chat(start_gateway, simulator, stream):
    gateway = start_gateway({**config(simulator), **SECRET})
    _, text, *_ = complete(gateway, stream, model="sim/instruct", prompt="say it")
    assert text.startswith("[redacted] said: say it")
    parsed = sdk(gateway).embeddings.create(model="sim/openai", input="a")
    assert len(parsed.data) == 1 and parsed.usage.prompt_tokens == 1


def test_a_chats_health_is_not_that_of_its_embeddings(gateway, simulator):
    """A caller who asks a chat model for vectors must not make it look down for chats."""
    simulator.fault("openai", "status=404")
    for _ in range(12):
        post(gateway, "/v1/embeddings", model="sim/claude-or-openai", input="a")
    simulator.reset()
    # Healthy for chats, the cheaper or equal of the two is still drawn by weight: in 24 tries both are met.
    for _ in range(24):
        gateway.chat("sim/claude-or-openai")
    assert simulator.requests("openai") and simulator.requests("anthropic")
