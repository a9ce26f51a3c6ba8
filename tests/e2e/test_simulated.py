"""The simulated providers, judged by the providers' own SDKs: what they ask for is understood, and they read the answers."""

import json

import anthropic
import botocore.session
import cohere
import ollama
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from google import genai
from google.oauth2.credentials import Credentials
from harness import HTTP
from hosts import BEDROCK_KEY
from mistralai.client import Mistral

QUESTION = [{"role": "user", "content": "use a tool wisely"}]
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": SCHEMA}}]

ways = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])


@ways
def test_ollama_by_its_sdk(simulator, stream):
    headers = {"authorization": "Bearer sim-ollama-key"}
    client = ollama.Client(host=simulator.base_url("ollama"), headers=headers, trust_env=False)
    answer = client.chat("qwen3:8b", QUESTION, tools=TOOLS, think="high", options={"num_ctx": 4096}, stream=stream)
    parts = list(answer) if stream else [answer]
    assert "".join(part.message.thinking or "" for part in parts).startswith("Let me think")
    (call,) = [call for part in parts for call in part.message.tool_calls or ()]
    assert call.function.name == "get_weather" and set(call.function.arguments) == {"place"}
    assert parts[-1].done and parts[-1].done_reason == "stop" and parts[-1].eval_count > 0
    with pytest.raises(ollama.ResponseError) as refused:
        client.chat("qwen3:8b!status=404", QUESTION)
    assert refused.value.status_code == 404 and "not found" in refused.value.error


@ways
def test_mistral_by_its_sdk(simulator, stream):
    client = Mistral(api_key="sim-mistral-key", server_url=simulator.base_url("mistral").removesuffix("/v1"), client=HTTP)
    request = {
        "model": "mistral-small-latest", "messages": QUESTION, "tools": TOOLS, "reasoning_effort": "high",
        "random_seed": 7, "safe_prompt": True,
    }
    if stream:
        chunks = [event.data for event in client.chat.stream(**request)]
        messages, ends = [chunk.choices[0].delta for chunk in chunks], [chunk.usage for chunk in chunks if chunk.usage]
    else:
        answer = client.chat.complete(**request)
        messages, ends = [answer.choices[0].message], [answer.usage]
    parts = [part for message in messages if isinstance(message.content, list) for part in message.content]
    thought = "".join(text.text for part in parts if part.type == "thinking" for text in part.thinking)
    assert thought.startswith("Let me think")
    calls = [call for message in messages for call in message.tool_calls or ()]
    assert set(json.loads("".join(call.function.arguments for call in calls))) == {"place"}
    assert len(calls[0].id) == 9
    (usage,) = ends
    assert usage.completion_tokens > 0


@ways
def test_azure_by_openais_sdk(simulator, stream):
    client = openai.AzureOpenAI(
        azure_endpoint=simulator.base_url("azure"), api_key="sim-azure-key", api_version="2024-10-21", max_retries=0,
        http_client=HTTP,
    )
    answer = client.chat.completions.create(model="gpt-4o", messages=QUESTION, tools=TOOLS, stream=stream)
    chunks = list(answer) if stream else [answer]
    assert chunks[0].prompt_filter_results[0]["prompt_index"] == 0
    assert all(choice.content_filter_results for chunk in chunks for choice in chunk.choices)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="blocked", messages=QUESTION)
    assert refused.value.code == "content_filter"
    (recorded, *_) = simulator.requests("azure")
    assert recorded["path"] == "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"


def google(simulator, hosts, host):
    """Google's client, of the simulated API itself and of what Vertex makes of it."""
    if host == "gemini":
        options = {"base_url": simulator.base_url("gemini").removesuffix("/v1beta"), "api_version": "v1beta"}
        return genai.Client(api_key="sim-gemini-key", http_options=options)
    options = {"base_url": hosts.url, "api_version": "v1"}
    token = Credentials(token="ya29.account")
    return genai.Client(vertexai=True, project="p", location="r", credentials=token, http_options=options)


@ways
@pytest.mark.parametrize("host", ["gemini", "gemini-vertex"])
def test_gemini_by_its_sdk(simulator, hosts, host, stream):
    client = google(simulator, hosts, host)
    declared = {"name": "get_weather", "description": "The weather", "parametersJsonSchema": SCHEMA}
    config = {
        "system_instruction": "Be brief.",
        "temperature": 0.5,
        # The SDK would write these by the names that they have in Python, which the simulator does not know.
        "http_options": {"extra_body": {
            "tools": [{"functionDeclarations": [declared]}],
            "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
        }},
    }
    request = {"model": "gemini-2.5-flash", "contents": QUESTION[0]["content"], "config": config}
    chunks = list(client.models.generate_content_stream(**request)) if stream else [client.models.generate_content(**request)]
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or ()]
    assert "".join(part.text for part in parts if part.thought).startswith("Let me think")
    (call,) = [part.function_call for part in parts if part.function_call]
    assert call.name == "get_weather" and set(call.args) == {"place"}
    assert chunks[-1].candidates[0].finish_reason == genai.types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count > 0
    with pytest.raises(genai.errors.ClientError) as refused:
        client.models.generate_content(**{**request, "model": "gemini-2.5-flash!status=429"})
    assert refused.value.code == 429 and refused.value.status == "RESOURCE_EXHAUSTED"


def test_embeddings_of_gemini_by_its_sdk(simulator, hosts):
    client = google(simulator, hosts, "gemini")
    config = {"task_type": "RETRIEVAL_QUERY", "output_dimensionality": 4}
    answer = client.models.embed_content(model="gemini-embedding-001", contents=["a", "b"], config=config)
    assert [len(one.values) for one in answer.embeddings] == [4, 4]


def claude(simulator, hosts, host):
    more = {"max_retries": 0}
    if host == "anthropic":
        return anthropic.Anthropic(
            base_url=simulator.base_url("anthropic").removesuffix("/v1"), api_key="sim-anthropic-key", **more
        )
    if host == "anthropic-vertex":
        return anthropic.AnthropicVertex(
            base_url=f"{hosts.url}/v1", project_id="p", region="r", access_token="ya29.account", **more
        )
    return anthropic.AnthropicBedrock(base_url=hosts.url, aws_region="eu-west-1", api_key=BEDROCK_KEY, **more)


@ways
@pytest.mark.parametrize("host", ["anthropic", "anthropic-vertex", "anthropic-bedrock"])
def test_claude_by_its_sdk(simulator, hosts, host, stream):
    client = claude(simulator, hosts, host)
    request = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 4000,
        "messages": QUESTION,
        "tools": [{"name": "get_weather", "description": "The weather", "input_schema": SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 1500},
    }
    if stream:
        with client.messages.stream(**request) as events:
            assert [event.type for event in events][-1] == "message_stop"
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**request)
    thinking, *_, call = answer.content
    assert thinking.thinking.startswith("Let me think") and thinking.signature
    assert (call.type, call.name, set(call.input)) == ("tool_use", "get_weather", {"place"})
    assert answer.stop_reason == "tool_use" and answer.usage.output_tokens > 0
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**{**request, "model": "claude-sonnet-4-5!status=429"})


def aws(url, key):
    config = Config(retries={"total_max_attempts": 1}, signature_version=botocore.UNSIGNED)
    client = botocore.session.get_session().create_client(
        "bedrock-runtime", region_name="eu-west-1", endpoint_url=url, config=config
    )
    # By itself the SDK shows a key to an HTTPS address only.
    client.meta.events.register("before-send", lambda request, **_: request.headers.update(authorization=f"Bearer {key}"))
    return client


@ways
def test_bedrock_by_its_sdk(simulator, stream):
    client = aws(simulator.base_url("bedrock"), "sim-bedrock-key")
    tool = {"toolSpec": {"name": "get_weather", "description": "The weather", "inputSchema": {"json": SCHEMA}}}
    request = {
        "modelId": "anthropic.claude-sonnet-4-5-v1:0",
        "messages": [{"role": "user", "content": [{"text": QUESTION[0]["content"]}]}],
        "inferenceConfig": {"maxTokens": 4000},
        "toolConfig": {"tools": [tool]},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1500}},
    }
    if stream:
        events = list(client.converse_stream(**request)["stream"])
        kinds = [kind for event in events for kind in event]
        assert kinds[0] == "messageStart" and kinds[-2:] == ["messageStop", "metadata"]
        deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
        thought = "".join(delta.get("reasoningContent", {}).get("text", "") for delta in deltas)
        given = json.loads("".join(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta))
        reason, usage = events[-2]["messageStop"]["stopReason"], events[-1]["metadata"]["usage"]
    else:
        answer = client.converse(**request)
        blocks = answer["output"]["message"]["content"]
        (thought,) = [block["reasoningContent"]["reasoningText"]["text"] for block in blocks if "reasoningContent" in block]
        (given,) = [block["toolUse"]["input"] for block in blocks if "toolUse" in block]
        reason, usage = answer["stopReason"], answer["usage"]
    assert thought.startswith("Let me think") and set(given) == {"place"}
    assert reason == "tool_use" and usage["outputTokens"] > 0
    with pytest.raises(ClientError) as refused:
        client.converse(**{**request, "modelId": "anthropic.claude-sonnet-4-5-v1:0!status=429"})
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    broken = client.converse_stream(**{**request, "modelId": "anthropic.claude-sonnet-4-5-v1:0!error_at=1"})
    with pytest.raises(EventStreamError):
        list(broken["stream"])


@ways
def test_claude_on_bedrock_by_awss_sdk(hosts, stream):
    """The frames of the door, which botocore takes apart; what is in them is Anthropic's own."""
    client = aws(hosts.url, BEDROCK_KEY)
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": QUESTION}
    request = {"modelId": "claude-sonnet-4-5", "body": json.dumps(body)}
    if not stream:
        answer = json.loads(client.invoke_model(**request)["body"].read())
        assert answer["content"][0]["text"].startswith("You said: use a tool wisely")
        with pytest.raises(ClientError) as refused:
            client.invoke_model(**{**request, "modelId": "claude-sonnet-4-5!status=429"})
        assert refused.value.response["Error"]["Code"] == "ThrottlingException"
        return
    frames = client.invoke_model_with_response_stream(**request)["body"]
    events = [json.loads(frame["chunk"]["bytes"]) for frame in frames]
    assert events[0]["type"] == "message_start" and events[-1]["amazon-bedrock-invocationMetrics"]
    text = "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
    assert text.startswith("You said: use a tool wisely")
    broken = client.invoke_model_with_response_stream(**{**request, "modelId": "claude-sonnet-4-5!error_at=1"})
    with pytest.raises(EventStreamError):
        list(broken["body"])


@ways
def test_cohere_by_its_sdk(simulator, stream):
    client = cohere.ClientV2(api_key="sim-cohere-key", base_url=simulator.base_url("cohere").removesuffix("/v2"))
    request = {
        "model": "command-a-reasoning-08-2025", "messages": QUESTION, "tools": TOOLS,
        "thinking": {"type": "enabled", "token_budget": 500},
    }
    if stream:
        events = list(client.chat_stream(**request))
        assert events[0].type == "message-start" and events[-1].type == "message-end"
        contents = [event.delta.message.content for event in events if event.type == "content-delta"]
        thought = "".join(content.thinking or "" for content in contents)
        calls = [event.delta.message.tool_calls for event in events if event.type in ("tool-call-start", "tool-call-delta")]
        name = calls[0].function.name
        given = "".join(call.function.arguments or "" for call in calls)
        reason, usage = events[-1].delta.finish_reason, events[-1].delta.usage
    else:
        answer = client.chat(**request)
        thought = answer.message.content[0].thinking
        (call,) = answer.message.tool_calls
        name, given = call.function.name, call.function.arguments
        reason, usage = answer.finish_reason, answer.usage
    assert thought.startswith("Let me think")
    assert name == "get_weather" and set(json.loads(given)) == {"place"}
    assert reason == "TOOL_CALL" and usage.tokens.output_tokens > 0
    with pytest.raises(cohere.NotFoundError):
        client.chat(model="command-a-03-2025!status=404", messages=QUESTION, request_options={"max_retries": 0})


def test_embeddings_of_cohere_by_its_sdk(simulator):
    client = cohere.ClientV2(api_key="sim-cohere-key", base_url=simulator.base_url("cohere").removesuffix("/v2"))
    answer = client.embed(
        model="embed-v4.0", texts=["a", "b"], input_type="search_query", embedding_types=["float"], output_dimension=256
    )
    assert [len(vector) for vector in answer.embeddings.float_] == [256, 256]
