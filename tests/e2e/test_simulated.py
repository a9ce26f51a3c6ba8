"""The simulated providers, judged by the providers' own SDKs: what they ask for is understood, and they read the answers."""

import json

import ollama
import openai
import pytest
from harness import HTTP
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
