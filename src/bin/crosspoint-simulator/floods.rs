//! Requests of very many items: the time that a provider takes to read them is in proportion.

use std::time::{Duration, Instant};

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::provider::Call;
use crate::table::{PROVIDERS, sample_keys};

/// Calls in one turn: few, and eight times as many.
const FEW: usize = 3_000;
const MANY: usize = 8 * FEW;

/// The time that the provider of this name takes to read a request with this body.
fn reading(name: &str, path: &str, body: &Value, count: usize) -> Duration {
    let provider = PROVIDERS.iter().find(|provider| provider.name() == name).unwrap();
    let key = format!("sim-{name}-key");
    let mut headers = HeaderMap::new();
    for (header, value) in [
        ("authorization", &*format!("Bearer {key}")),
        ("x-api-key", &key),
        ("x-goog-api-key", &key),
        ("anthropic-version", "2023-06-01"),
        ("content-type", "application/json"),
    ] {
        headers.insert(header, value.parse().unwrap());
    }
    let (keys, bytes) = (sample_keys(), body.to_string());
    let call = Call {
        method: "POST",
        path,
        query: None,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    };
    let begun = Instant::now();
    let ask = provider
        .read(&call)
        .unwrap_or_else(|refusal| panic!("{name}: {}", refusal.message));
    let taken = begun.elapsed();
    assert_eq!(ask.tool_results.len(), count, "{name}");
    taken
}

/// Eight times as many calls take some eight times as long; with a look through all calls for each result, thirty times.
/// The machine may be busy with something else, so there are three tries.
fn check(name: &str, path: &str, body: impl Fn(usize) -> Value) {
    let (few, many) = (body(FEW), body(MANY));
    let in_proportion = |_| reading(name, path, &many, MANY) < 2 * 8 * reading(name, path, &few, FEW);
    assert!((0..3).any(in_proportion), "{name}");
}

/// The ids of the calls, and those of their results: the other way round.
fn ids(count: usize) -> (impl Iterator<Item = String>, impl Iterator<Item = String>) {
    let id = |n: usize| format!("c{n:08}");
    ((0..count).map(id), (0..count).rev().map(id))
}

fn listed(items: impl Iterator<Item = Value>) -> Value {
    items.collect()
}

/// A chat of messages in OpenAI's form.
fn chat(model: &str, count: usize) -> Value {
    let (calls, results) = ids(count);
    let function = json!({"name": "f", "arguments": "{}"});
    let calls = listed(calls.map(|id| json!({"id": id, "type": "function", "function": function})));
    let begun = [
        json!({"role": "user", "content": "go"}),
        json!({"role": "assistant", "tool_calls": calls}),
    ];
    let results = results.map(|id| json!({"role": "tool", "tool_call_id": id, "content": "x"}));
    json!({"model": model, "messages": listed(begun.into_iter().chain(results))})
}

#[test]
fn openai_finds_the_call_of_a_result_at_once() {
    check("openai", "/v1/chat/completions", |count| chat("gpt-4o", count));
}

#[test]
fn mistral_finds_the_call_of_a_result_at_once() {
    check("mistral", "/v1/chat/completions", |count| {
        chat("mistral-small-latest", count)
    });
}

#[test]
fn cohere_finds_the_call_of_a_result_at_once() {
    check("cohere", "/v2/chat", |count| chat("command-a-03-2025", count));
}

#[test]
fn responses_find_the_call_of_an_output_at_once() {
    check("responses", "/v1/responses", |count| {
        let (calls, results) = ids(count);
        let calls =
            calls.map(|id| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"}));
        let results = results.map(|id| json!({"type": "function_call_output", "call_id": id, "output": "x"}));
        json!({"model": "gpt-5.1", "input": listed(calls.chain(results))})
    });
}

#[test]
fn anthropic_finds_the_call_of_a_result_at_once() {
    check("anthropic", "/v1/messages", |count| {
        let (calls, results) = ids(count);
        let calls = calls.map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}}));
        let results = results.map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": "x"}));
        json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": listed(calls)},
            {"role": "user", "content": listed(results)},
        ]})
    });
}

#[test]
fn bedrock_finds_the_call_of_a_result_at_once() {
    let tool = json!({"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}});
    check("bedrock", "/model/anthropic.claude-v1%3A0/converse", |count| {
        let (calls, results) = ids(count);
        let calls = calls.map(|id| json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}}));
        let results = results.map(|id| json!({"toolResult": {"toolUseId": id, "content": [{"text": "x"}]}}));
        json!({"toolConfig": {"tools": [tool]}, "messages": [
            {"role": "user", "content": [{"text": "go"}]},
            {"role": "assistant", "content": listed(calls)},
            {"role": "user", "content": listed(results)},
        ]})
    });
}

#[test]
fn gemini_finds_the_call_of_a_response_at_once() {
    check(
        "gemini",
        "/v1beta/models/gemini-2.0-flash:generateContent",
        |count| {
            let (calls, results) = ids(count);
            let calls = calls.map(|id| json!({"functionCall": {"id": id, "name": "f", "args": {}}}));
            let response = json!({"output": "x"});
            let results =
                results.map(|id| json!({"functionResponse": {"id": id, "name": "f", "response": response}}));
            json!({"contents": [
                {"role": "user", "parts": [{"text": "go"}]},
                {"role": "model", "parts": listed(calls)},
                {"role": "user", "parts": listed(results)},
            ]})
        },
    );
}

#[test]
fn ollama_finds_the_call_of_a_result_at_once() {
    check("ollama", "/api/chat", |count| {
        let (calls, results) = ids(count);
        let calls = listed(calls.map(|id| json!({"id": id, "function": {"name": "f", "arguments": {}}})));
        let begun = [
            json!({"role": "user", "content": "go"}),
            json!({"role": "assistant", "content": "", "tool_calls": calls}),
        ];
        let results =
            results.map(|id| json!({"role": "tool", "tool_call_id": id, "tool_name": "f", "content": "x"}));
        let messages = listed(begun.into_iter().chain(results));
        json!({"model": "qwen3:8b", "stream": false, "messages": messages})
    });
}
