"""Everything a caller may ask for, buffered and streamed, through every provider dialect.

The simulator refuses what the real provider refuses and predicts what it says; the providers' own schemas judge what it
received, and OpenAI's what the client did.
"""

import json

import judges
import openai
import pytest
from clients import PICO_USD, endpoint, events, sdk, stream, talk
from harness import HOSTED, HTTP, KEYS, MODELS
from hosts import ENVIRONMENT

# These speak the client's own dialect: what they say is passed on as it came.
ALIKE = ("openai", "azure", "mistral")
# Those whose name does not end in what the simulator goes by, and who counts no cached tokens.
CACHED_MODELS = {
    **{provider: f"{model}-cached" for provider, model in MODELS.items() if provider != "ollama"},
    "bedrock": "anthropic.claude-sonnet-4-5-cached-v1:0",
    "mistral": "mistral-small-cached",
}
CACHED = {f"{provider}-cached": endpoint(provider, model) for provider, model in CACHED_MODELS.items()}
OTHERS = {
    "openai-thinking": endpoint("openai", "reasoning-content-1"),
    "cohere-thinking": endpoint("cohere", "command-a-reasoning-08-2025"),
    "anthropic-redacted": endpoint("anthropic", "claude-sonnet-4-5-redacted"),
    "bedrock-redacted": endpoint("bedrock", "anthropic.claude-sonnet-4-5-redacted-v1:0"),
    "anthropic-vertex-redacted": endpoint("anthropic-vertex", "claude-sonnet-4-5-redacted"),
    "anthropic-bedrock-redacted": endpoint("anthropic-bedrock", "claude-sonnet-4-5-redacted"),
    "azure-deployment": endpoint("azure-openai", "my gpt/4o"),
    "azure-filtered": endpoint("azure", "gpt-4o-filtered"),
    "azure-blocked": endpoint("azure", "gpt-4o-blocked"),
    "ollama-oldtools": endpoint("ollama", "oldtools"),
    "responses-redacted": endpoint("responses", "gpt-5.1-redacted"),
    "responses-thoughtless": endpoint("responses", "gpt-4o"),
    "responses-breaking": endpoint("responses", "gpt-5.1!error_at=3;hold=200"),
    "responses-broken": endpoint("responses", "gpt-5.1!error_at=0;error=rate_limit_exceeded"),
}
FAILING = {
    "cohere-down": endpoint("cohere", "command-a-03-2025!status=503"),
    "cohere-limited": endpoint("cohere", "command-a-03-2025!status=429"),
    "cohere-expired": endpoint("cohere", "command-a-03-2025!status=498"),
    "cohere-failing": endpoint("cohere", "command-a-03-2025!error_at=0"),
    "cohere-late": endpoint("cohere", "command-a-03-2025!error_at=3;error=TIMEOUT;hold=200"),
    "cohere-wrong": endpoint("cohere", "command-a-03-2025!error_200"),
}
# One byte at a time, and as odd as a provider may write.
ODD_WAYS = {
    "openai": "crlf;nospace;comments;nulls;usage_on_finish",
    "anthropic": "crlf;nospace;comments;late_input=3",
    "bedrock": "usage_on_finish",
    "gemini": "nospace;comments",
    "ollama": "crlf;comments",
    "azure": "crlf;nospace;comments;nulls",
    "mistral": "crlf;nospace;comments;nulls",
    "cohere": "crlf;nospace;comments;no_done",
    "responses": "crlf;nospace;comments",
    "gemini-vertex": "nospace;comments",
    "anthropic-vertex": "crlf;nospace;comments;late_input=3",
    "anthropic-bedrock": "late_input=3",
}
ODD = {
    **{f"{provider}-bytes": endpoint(provider, f"{model}!chunk=1") for provider, model in MODELS.items()},
    **{f"{provider}-odd": endpoint(provider, f"{MODELS[provider]}!{how};chunk=7") for provider, how in ODD_WAYS.items()},
}
# A PNG of one pixel.
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["place", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}

providers = pytest.mark.parametrize("provider", MODELS)
CLAUDES = ["anthropic", "bedrock", "anthropic-vertex", "anthropic-bedrock"]
claudes = pytest.mark.parametrize("provider", CLAUDES)
ways = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator, hosts):
    plain = {provider: endpoint(provider, model) for provider, model in MODELS.items()}
    models = {**plain, **CACHED, **OTHERS, **FAILING, **ODD}
    providers = {**simulator.providers(), **hosts.providers()}
    # The same Azure by the paths of its deployments, and with a token instead of a key.
    providers["azure-openai"] = {
        "base_url": simulator.base_url("azure"), "key": {"env": "AZURE_TOKEN"}, "cluster": "azure-deployments",
        "auth": {"header": "authorization", "prefix": "Bearer "},
    }
    return module_gateway({
        "providers": providers,
        "models": {f"sim/{name}": {"endpoints": [one]} for name, one in models.items()},
    }, env=ENVIRONMENT)


@pytest.fixture
def ask(gateway, simulator):
    """Asks; judges what the provider got; compares with what the provider says it answered; checks the receipt."""
    client = sdk(gateway)

    def ask(provider, stream, messages, model=None, **request):
        simulator.reset()
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        reply = talk(client, stream, model=f"sim/{model or provider}", messages=messages, **request)
        (recorded,) = simulator.requests(provider)
        judges.provider_request(recorded)
        said = simulator.predict(recorded)
        text, thought = said["text"], said["thought"]
        if provider == "cohere" and said["calls"]:
            # What it says before calls is its plan.
            text, thought = "", thought + text
        assert reply.text == text
        assert reply.reasoning == ("" if "redacted" in (model or "") else thought)
        names = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in reply.calls]
        assert names == [(call["name"], json.loads(call["arguments"] or "{}")) for call in said["calls"]]
        check_usage(provider, reply, said["usage"])
        check_receipt(gateway, provider, reply, said["usage"])
        assert reply.model == f"sim/{model or provider}" or provider in ALIKE
        return reply, recorded["body"]

    return ask


def check_usage(provider, reply, said):
    usage = reply.usage
    assert usage["prompt_tokens"] == said["prompt_tokens"]
    assert usage["completion_tokens"] == said["completion_tokens"]
    assert usage["total_tokens"] == said["prompt_tokens"] + said["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == said["cache_read_tokens"]


def check_receipt(gateway, provider, reply, said):
    receipt = gateway.receipt(reply.id)
    assert (receipt["outcome"], receipt["state"], receipt["status"]) == ("success", "final", 200)
    assert receipt["provider"] in (provider, "azure-openai")
    tokens = receipt["tokens"]
    assert (tokens["prompt"], tokens["completion"]) == (said["prompt_tokens"], said["completion_tokens"])
    assert (tokens["prompt_source"], tokens["completion_source"]) == ("provider", "provider")
    assert tokens["cache_read"] == said["cache_read_tokens"]
    assert receipt["cost_pico_usd"] == sum(tokens[kind] * price for kind, price in PICO_USD.items())
    assert [attempt["outcome"] for attempt in receipt["attempts"]] == ["success"]


@ways
@providers
def test_a_plain_question(ask, provider, stream):
    reply, body = ask(provider, stream, "hello there", temperature=0.25, top_p=0.5, max_tokens=500)
    assert reply.text.startswith("You said: hello there and naïve")
    assert reply.finish == "stop"
    sampling = body.get("inferenceConfig") or body.get("generationConfig") or body.get("options") or body
    assert sampling["temperature"] == 0.25


@providers
@pytest.mark.parametrize("kind", ["bytes", "odd"])
def test_a_stream_is_the_same_however_it_is_written(gateway, provider, kind):
    plain, _ = stream(gateway, f"sim/{provider}", "wörds 日本 🙂", stream_options={"include_usage": True})
    other, _ = stream(
        gateway, f"sim/{provider}-{kind}", "wörds 日本 🙂", nulls=kind == "odd", stream_options={"include_usage": True}
    )
    assert (other.text, other.finish) == (plain.text, plain.finish)
    for part in ("prompt_tokens", "completion_tokens"):
        assert other.usage[part] == plain.usage[part]


@providers
def test_the_counts_come_only_to_who_asked(gateway, provider):
    reply, events = stream(gateway, f"sim/{provider}")
    assert reply.usage is None
    assert all(event["choices"] or "prompt_filter_results" in event for event in events[:-1]), events
    assert gateway.receipt(reply.id)["tokens"]["completion_source"] == "provider"


@ways
@providers
def test_instructions_by_system_and_developer(ask, provider, stream):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "hello"},
    ]
    _, body = ask(provider, stream, messages)
    text = json.dumps(body)
    assert text.count("Be brief.") == 1 and text.count("Be kind.") == 1
    wire = HOSTED.get(provider, provider)
    if wire == "cohere":
        assert "Be kind." in json.dumps(body["messages"][0]) and body["messages"][0]["role"] == "system"
    elif wire == "responses":
        assert [item["role"] for item in body["input"]] == ["system", "developer", "user"]
    elif wire in ("anthropic", "bedrock", "gemini"):
        assert "Be kind." in json.dumps(body["systemInstruction" if wire == "gemini" else "system"])


@ways
@providers
@pytest.mark.parametrize("stop", ["naïve", ["zzz", "naïve"]], ids=["text", "list"])
def test_stop_sequences(ask, provider, stream, stop):
    if provider == "responses":
        pytest.skip("the format cannot say it")
    reply, _ = ask(provider, stream, "hello there", stop=stop)
    assert reply.text.rstrip() == "You said: hello there and"
    assert reply.finish == "stop"


@ways
@providers
def test_a_limit_on_tokens(ask, provider, stream):
    if provider == "responses":
        # It takes no limit below 16.
        reply, _ = ask(provider, stream, "hello there " * 10, max_completion_tokens=3)
        assert (reply.text, reply.finish) == ("You said:" + " hello there" * 7, "length")
        return
    reply, _ = ask(provider, stream, "hello there", max_completion_tokens=3)
    assert (reply.text, reply.finish) == ("You said: hello", "length")


@ways
@providers
def test_images(ask, provider, stream):
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    reply, _ = ask(provider, stream, [{"role": "user", "content": parts}])
    assert reply.text.startswith("I see 2 images of 70 bytes, image/png and of 70 bytes, image/png. You said: look")


@ways
@providers
def test_one_tool_and_its_result(ask, provider, stream):
    question = {"role": "user", "content": "use a tool"}
    reply, _ = ask(provider, stream, [question], tools=[WEATHER])
    assert reply.finish == "tool_calls"
    (call,) = reply.calls
    assert call["function"]["name"] == "get_weather"
    assert set(json.loads(call["function"]["arguments"])) == {"place", "days"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
    reply, _ = ask(provider, stream, [question, reply.message(), result], tools=[WEATHER])
    assert (reply.text, reply.finish) == ("The tool said: sunny", "stop")


@ways
@providers
def test_parallel_tools_and_their_results(ask, provider, stream):
    question = {"role": "user", "content": "explain, then use both tools in parallel"}
    reply, _ = ask(provider, stream, [question], tools=[WEATHER, CLOCK])
    assert [call["function"]["name"] for call in reply.calls] == ["get_weather", "get_time"]
    assert "I will call that ." in (reply.text, reply.reasoning)
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": content}
        for call, content in zip(reply.calls, ["sunny", [{"type": "text", "text": "noon"}]])
    ]
    again = {"role": "user", "content": "and?"}
    reply, body = ask(provider, stream, [question, reply.message(), *results], tools=[WEATHER, CLOCK])
    assert reply.text == "The tool said: sunny; noon"
    wire = HOSTED.get(provider, provider)
    if wire == "cohere":
        assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "tool", "tool"]
        assert body["messages"][1]["tool_plan"] == "I will call that ."
    elif wire == "responses":
        kinds = [item["type"] for item in body["input"]]
        assert kinds == ["message", "message", *["function_call"] * 2, *["function_call_output"] * 2]
    elif wire in ("anthropic", "bedrock", "gemini"):
        turns, model = (body["contents"], "model") if wire == "gemini" else (body["messages"], "assistant")
        assert [turn["role"] for turn in turns] == ["user", model, "user"]
    ask(provider, stream, [question, {"role": "assistant", "content": "hm"}, again], tools=[WEATHER, CLOCK])


@ways
@providers
def test_no_parallel_tools(ask, provider, stream):
    if provider in ("bedrock", "gemini", "gemini-vertex", "ollama", "cohere"):
        pytest.skip("the format cannot say it")
    reply, _ = ask(provider, stream, "use tools in parallel", tools=[WEATHER, CLOCK], parallel_tool_calls=False)
    assert len(reply.calls) == 1


@ways
@providers
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_time"}}, "none"],
                         ids=["required", "named", "none"])
def test_tool_choice(ask, provider, stream, choice):
    if provider == "ollama" and choice != "none":
        pytest.skip("the format cannot say it")
    reply, _ = ask(provider, stream, "hello", tools=[WEATHER, CLOCK], tool_choice=choice)
    wanted = {"required": ["get_weather"], "none": []}.get(choice if isinstance(choice, str) else "", ["get_time"])
    assert [call["function"]["name"] for call in reply.calls] == wanted


@ways
@providers
def test_a_tool_without_arguments(ask, provider, stream):
    question = {"role": "user", "content": "use the tool noargs"}
    reply, _ = ask(provider, stream, [question], tools=[CLOCK])
    (call,) = reply.calls
    if provider not in ALIKE:
        assert call["function"]["arguments"] == "{}"
    result = {"role": "tool", "tool_call_id": call["id"], "content": ""}
    call["function"]["arguments"] = ""
    ask(provider, stream, [question, reply.message(), result], tools=[CLOCK])


@ways
@providers
def test_output_by_a_json_schema(ask, provider, stream):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["city", "count"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": schema}}
    reply, _ = ask(provider, stream, "hello", response_format=form)
    assert set(json.loads(reply.text)) == {"city", "count"}


@ways
@claudes
def test_thinking_comes_with_signatures_and_goes_back(ask, provider, stream):
    question = {"role": "user", "content": "use a tool wisely"}
    thinking = {"reasoning": {"max_tokens": 1500}}
    reply, _ = ask(provider, stream, [question], tools=[WEATHER], max_tokens=4000, extra_body=thinking)
    assert reply.reasoning == "Let me think about use a tool wisely"
    assert any(detail.get("signature") for detail in reply.details)
    result = {"role": "tool", "tool_call_id": reply.calls[0]["id"], "content": "sunny"}
    # The simulator refuses thinking that is altered, unsigned, or left out before a tool's result.
    again, body = ask(
        provider, stream, [question, reply.message(), result], tools=[WEATHER], max_tokens=4000, extra_body=thinking
    )
    assert again.text == "The tool said: sunny"
    blocks = body["messages"][1]["content"]
    assert any("thinking" in block or "reasoningContent" in block for block in blocks), blocks


@ways
def test_encrypted_thinking_goes_back_with_its_summary(ask, stream):
    question = {"role": "user", "content": "use a tool wisely"}
    thinking = {"reasoning": {"effort": "low"}}
    reply, _ = ask("responses", stream, [question], tools=[WEATHER], extra_body=thinking)
    assert reply.reasoning == "Let me think about use a tool wisely"
    assert {detail["format"] for detail in reply.details} == {"openai-responses-v1"}
    assert reply.usage["completion_tokens_details"]["reasoning_tokens"] == 8
    result = {"role": "tool", "tool_call_id": reply.calls[0]["id"], "content": "sunny"}
    # The simulator refuses what is not encrypted as it was.
    again, body = ask("responses", stream, [question, reply.message(), result], tools=[WEATHER], extra_body=thinking)
    assert again.text == "The tool said: sunny"
    assert body["store"] is False
    assert body["input"][1]["type"] == "reasoning"
    assert body["input"][1]["summary"] == [{"type": "summary_text", "text": reply.reasoning}]


@ways
def test_a_model_of_the_responses_format_that_does_not_think(ask, stream):
    # The simulator, as OpenAI does, refuses to be asked for thinking.
    reply, body = ask("responses", stream, "hello", model="responses-thoughtless", reasoning_effort="low")
    assert reply.text.startswith("You said: hello") and "reasoning" not in body


@ways
@pytest.mark.parametrize("provider", [*CLAUDES, "responses"])
def test_encrypted_thinking_goes_back(ask, provider, stream):
    question = {"role": "user", "content": "use a tool"}
    thinking = {"reasoning": {"max_tokens": 1500}}
    more = {"model": f"{provider}-redacted", "tools": [WEATHER], "max_tokens": 4000, "extra_body": thinking}
    reply, _ = ask(provider, stream, [question], **more)
    assert [detail["type"] for detail in reply.details] == ["reasoning.encrypted"]
    result = {"role": "tool", "tool_call_id": reply.calls[0]["id"], "content": "sunny"}
    again, _ = ask(provider, stream, [question, reply.message(), result], **more)
    assert again.text == "The tool said: sunny"


@ways
@claudes
def test_excluded_thinking_is_not_told_but_billed(gateway, simulator, provider, stream):
    client = sdk(gateway)
    simulator.reset()
    question = {"role": "user", "content": "use a tool wisely"}
    more = {
        "model": f"sim/{provider}",
        "tools": [WEATHER],
        "max_tokens": 4000,
        "extra_body": {"reasoning": {"max_tokens": 1500, "exclude": True}},
    }
    reply = talk(client, stream, messages=[question], **more)
    assert (reply.reasoning, reply.details) == ("", [])
    assert reply.usage["completion_tokens"] > 10
    # The turn goes on, though the caller has no thinking to give back.
    result = {"role": "tool", "tool_call_id": reply.calls[0]["id"], "content": "sunny"}
    again = talk(client, stream, messages=[question, reply.message(), result], **more)
    assert again.text == "The tool said: sunny"
    first, second = simulator.requests(provider)
    assert "budget_tokens" in json.dumps(first["body"]) and "budget_tokens" not in json.dumps(second["body"])


@ways
def test_thinking_of_an_openai_compatible_server(ask, gateway, stream):
    reply, _ = ask("openai", stream, "well", model="openai-thinking")
    assert reply.reasoning == "Let me think about well"
    hidden = talk(
        sdk(gateway),
        stream,
        model="sim/openai-thinking",
        messages=[{"role": "user", "content": "well"}],
        extra_body={"reasoning": {"exclude": True}},
    )
    assert (hidden.text, hidden.reasoning, hidden.details) == (reply.text, "", [])


@ways
@pytest.mark.parametrize("provider", ["ollama", "mistral"])
def test_thinking_in_a_form_of_its_own(ask, provider, stream):
    reply, body = ask(provider, stream, "well", extra_body={"reasoning": {"effort": "high"}})
    assert reply.reasoning == "Let me think about well"
    assert "".join(detail["text"] for detail in reply.details) == reply.reasoning
    assert (body.get("think") or body.get("reasoning_effort")) == "high"


@ways
def test_calls_without_ids(ask, stream):
    question = {"role": "user", "content": "use both tools in parallel"}
    reply, _ = ask("ollama", stream, [question], model="ollama-oldtools", tools=[WEATHER, CLOCK])
    ids = [call["id"] for call in reply.calls]
    assert len(set(ids)) == 2 and all(ids)
    results = [{"role": "tool", "tool_call_id": id, "content": "sunny"} for id in ids]
    reply, _ = ask("ollama", stream, [question, reply.message(), *results], model="ollama-oldtools", tools=[WEATHER, CLOCK])
    assert reply.text == "The tool said: sunny; sunny"


@ways
def test_an_image_by_its_address_is_refused_where_it_cannot_go(gateway, stream):
    parts = [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]
    response = gateway.chat("sim/ollama", messages=[{"role": "user", "content": parts}], stream=stream)
    assert response.status_code == 400
    assert "base64" in judges.error(response.json())["message"]


@ways
def test_a_deployment_of_azure(ask, simulator, stream):
    reply, _ = ask("azure", stream, "hello", model="azure-deployment")
    assert reply.text.startswith("You said: hello")
    (recorded,) = simulator.requests("azure")
    assert recorded["path"].startswith("/openai/deployments/my%20gpt%2F4o/chat/completions?api-version=2024")


@ways
def test_what_azures_filter_says_is_passed_on(gateway, stream):
    response = gateway.chat("sim/azure-filtered", stream=stream)
    assert response.status_code == 200
    chunks = [event for event in events(response.content) if event != "[DONE]"] if stream else [response.json()]
    assert chunks[0]["prompt_filter_results"][0]["prompt_index"] == 0
    ended = [choice for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert [choice["finish_reason"] for choice in ended] == ["content_filter"]
    assert ended[0]["content_filter_results"]["violence"]["filtered"] is True
    assert gateway.receipt(response.headers["x-generation-id"])["finish_reason"] == "content_filter"


@ways
def test_a_prompt_that_azures_filter_blocks(gateway, stream):
    response = gateway.chat("sim/azure-blocked", stream=stream)
    assert response.status_code == 400
    assert judges.error(response.json())["metadata"]["error_type"] == "content_policy_violation"


@ways
def test_thinking_and_plans_of_cohere_go_back_as_what_they_were(ask, stream):
    question = {"role": "user", "content": "explain, then use a tool"}
    more = {"model": "cohere-thinking", "tools": [WEATHER], "extra_body": {"reasoning": {"max_tokens": 500}}}
    reply, body = ask("cohere", stream, [question], **more)
    assert body["thinking"] == {"type": "enabled", "token_budget": 500}
    assert {detail["type"] for detail in reply.details} == {"reasoning.text", "reasoning.summary"}
    result = {"role": "tool", "tool_call_id": reply.calls[0]["id"], "content": "sunny"}
    again, body = ask("cohere", stream, [question, reply.message(), result], **more)
    assert again.text == "The tool said: sunny"
    turn = body["messages"][1]
    assert turn["content"] == [{"type": "thinking", "thinking": "Let me think about explain, then use a tool"}]
    assert turn["tool_plan"] == "I will call that ."
    quiet, body = ask("cohere", stream, "well", model="cohere-thinking", reasoning_effort="none")
    assert body["thinking"] == {"type": "disabled"} and quiet.reasoning == ""


@ways
def test_documents_of_cohere_are_cited_and_its_probabilities_shown(gateway, simulator, stream):
    simulator.reset()
    documents = [{"id": "d1", "data": {"title": "T", "text": "You said."}}]
    request = {"model": "sim/cohere", "messages": [{"role": "user", "content": "hello"}], "logprobs": True}
    made = sdk(gateway).chat.completions.create(**request, stream=stream, extra_body={"documents": documents})
    if stream:
        choices = [chunk.choices[0] for chunk in made if chunk.choices]
        annotations = [one for choice in choices for one in getattr(choice.delta, "annotations", None) or []]
        tokens = [one.token for choice in choices if choice.logprobs for one in choice.logprobs.content]
    else:
        (choice,) = made.choices
        annotations = choice.message.to_dict()["annotations"]
        tokens = [one.token for one in choice.logprobs.content]
    assert annotations == [{"type": "url_citation", "url_citation": {
        "url": "source:d1", "title": "T", "content": "You said.", "start_index": 0, "end_index": 3}}]
    assert "".join(tokens).startswith("You said: hello")
    (recorded,) = simulator.requests("cohere")
    judges.provider_request(recorded)


@ways
@pytest.mark.parametrize("provider", [name.removesuffix("-cached") for name in CACHED])
def test_cached_tokens_are_counted_and_billed_once(ask, provider, stream):
    reply, _ = ask(provider, stream, "one two three four five six seven", model=f"{provider}-cached")
    assert reply.usage["prompt_tokens_details"]["cached_tokens"] == 5


@providers
def test_a_refused_request_is_translated_and_not_tried_again(gateway, simulator, provider):
    response = gateway.chat(f"sim/{provider}", messages=[{"role": "user", "content": "x"}], max_tokens=1, tools=[
        {"type": "function", "function": {"name": "no spaces allowed", "parameters": {"type": "object"}}}
    ])
    assert response.status_code == 400, response.text
    error = judges.error(response.json())
    assert error["type"] == "invalid_request_error"
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] in ("error", "refused") and len(receipt["attempts"]) <= 1


@ways
@pytest.mark.parametrize("kind, status, error_type", [
    ("down", 503, "provider_overloaded"),
    ("limited", 429, "rate_limit_exceeded"),
    ("expired", 502, "provider_unavailable"),
    ("failing", None, None),
    ("wrong", 502, "provider_unavailable"),
])
def test_a_failure_of_cohere_before_its_first_token(gateway, kind, status, error_type, stream):
    response = gateway.chat(f"sim/cohere-{kind}", stream=stream)
    # In a stream it is an event, else a status.
    expected = (502, "provider_unavailable") if stream else (503, "provider_overloaded")
    error = judges.error(response.json())
    assert (response.status_code, error["metadata"]["error_type"]) == ((status, error_type) if status else expected)


def test_a_failure_of_cohere_in_an_answer_is_its_last_event(gateway):
    response = gateway.chat("sim/cohere-late", stream=True)
    assert response.status_code == 200
    last = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")][-1]
    assert last["error"]["metadata"]["error_type"] == "timeout"
    assert last["choices"][0]["finish_reason"] == "error"
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] == "cut" and receipt["tokens"]["completion_source"] in ("estimate", "tokenizer")


def test_unknown_members_reach_a_provider_of_the_same_dialect(gateway, simulator):
    simulator.reset()
    big = 12345678901234567890123
    text = (
        '{"model":"sim/openai","seed":9007199254740993,"prompt_cache_key":"k","verbosity":"low","temperature":1.0,'
        f'"messages":[{{"role":"user","content":"hi"}}],"metadata":{{"big":"{big}"}}}}'
    )
    response = HTTP.post(f"{gateway.url}/v1/chat/completions", content=text)
    assert response.status_code == 200, response.text
    (recorded,) = simulator.requests("openai")
    assert '"seed":9007199254740993' in recorded["body_text"]
    assert '"temperature":1.0' in recorded["body_text"]
    assert recorded["body"]["prompt_cache_key"] == "k" and recorded["body"]["verbosity"] == "low"


def test_an_error_inside_a_stream_of_responses_is_translated(gateway):
    broken = gateway.chat("sim/responses-broken", stream=True)
    assert broken.status_code == 429 and judges.error(broken.json())["metadata"]["error_type"] == "rate_limit_exceeded"
    breaking = gateway.chat("sim/responses-breaking", stream=True)
    assert breaking.status_code == 200
    last = json.loads(breaking.text.strip().rpartition("data: ")[2])
    assert last["error"]["code"] == 502 and last["choices"][0]["finish_reason"] == "error"
    assert "response.failed" not in breaking.text
    receipt = gateway.receipt(breaking.headers["x-generation-id"])
    assert receipt["outcome"] == "cut" and receipt["tokens"]["completion_source"] in ("estimate", "tokenizer")


@pytest.mark.parametrize("text", ["hello", "use a tool wisely", "explain, then use both tools in parallel"])
def test_the_simulated_responses_are_those_of_openais_sdk(simulator, text):
    """OpenAI's own reader of such streams takes ours, and puts together what our last event has."""
    client = openai.OpenAI(base_url=simulator.base_url("responses"), api_key=KEYS["RESPONSES_API_KEY"], max_retries=0)
    tools = [{"type": "function", **tool["function"], "strict": False} for tool in (WEATHER, CLOCK)]
    more = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    with client.responses.stream(model="gpt-5.1", input=text, tools=tools, **more) as events:
        for event in events:
            judges.response_event(event.to_dict(warnings=False))
        final = events.get_final_response()
    whole = client.responses.create(model="gpt-5.1", input=text, tools=tools, **more)

    def said(response):
        calls = [(item.call_id, item.name, item.arguments) for item in response.output if item.type == "function_call"]
        thoughts = [item.summary[0].text for item in response.output if item.type == "reasoning"]
        return response.status, thoughts, response.output_text, calls, response.usage

    assert said(final) == said(whole)
    assert said(whole)[1] and (said(whole)[2] or said(whole)[3])
