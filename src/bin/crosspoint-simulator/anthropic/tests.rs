//! Shapes of Anthropic's answers, and its refusals.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::check::read;
use super::refusal::error_event;
use super::{buffered, streamed};
use crate::ask::Ask;
use crate::fault::{Faults, split_model};
use crate::provider::{Call, Refusal, Stamp};
use crate::seed::sign;
use crate::table::sample_keys;
use crate::text::answer;

const STAMP: Stamp = Stamp {
    sequence: 7,
    now: 1_767_322_800,
};

fn ask_as(body: &Value, version: &str) -> Result<Ask, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", "sim-anthropic-key".parse().unwrap());
    headers.insert("anthropic-version", version.parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    let call = Call {
        method: "POST",
        path: "/v1/messages",
        query: None,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    };
    read(&call)
}

fn ask(body: &Value) -> Result<Ask, Refusal> {
    ask_as(body, "2023-06-01")
}

fn said(more: Value) -> Value {
    let messages = json!([{"role": "user", "content": "use a tool"}]);
    let mut body = json!({"model": "claude-sonnet-4-5", "max_tokens": 4096, "messages": messages});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"name": "a", "input_schema": schema}])
}

fn events(body: &Value) -> Vec<Value> {
    let ask = ask(body).unwrap();
    let faults = Faults::parse(split_model(&ask.id).1).unwrap();
    let pieces = streamed(&ask, &answer(&ask, &faults, true), &faults, STAMP);
    pieces
        .iter()
        .map(|piece| {
            let text = std::str::from_utf8(&piece.bytes).unwrap();
            let (name, data) = text.trim_end().split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(name.strip_prefix("event: ").unwrap(), data["type"]);
            data
        })
        .collect()
}

fn whole(body: &Value) -> Value {
    let ask = ask(body).unwrap();
    let bytes = buffered(
        &ask,
        &answer(&ask, &Faults::default(), true),
        &Faults::default(),
        STAMP,
    );
    serde_json::from_slice(&bytes).unwrap()
}

fn refused(body: &Value) -> String {
    let refusal = ask(body).unwrap_err();
    assert_eq!(
        (refusal.status, refusal.kind.as_str()),
        (400, "invalid_request_error")
    );
    refusal.message
}

#[test]
fn a_stream_has_the_documented_order() {
    let events = events(&said(json!({"stream": true})));
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["content_block_stop", "message_delta", "message_stop"]
    );
    assert_eq!(events[0]["message"]["usage"]["output_tokens"], 1);
    let last = &events[events.len() - 2]["usage"];
    let deltas = kinds
        .iter()
        .filter(|kind| **kind == "content_block_delta")
        .count();
    assert_eq!(last["output_tokens"].as_u64().unwrap() as usize, deltas);
}

#[test]
fn thinking_is_signed_and_an_altered_thought_is_refused() {
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let answer = whole(&said(json!({"thinking": thinking, "tools": tools()})));
    let content = answer["content"].as_array().unwrap().clone();
    assert_eq!(
        content[0]["signature"],
        sign(content[0]["thinking"].as_str().unwrap())
    );
    let history = |thought: &str| {
        let mut content = content.clone();
        content[0]["thinking"] = json!(thought);
        let result = json!({"type": "tool_result", "tool_use_id": content[1]["id"], "content": "42"});
        let messages = json!([
            {"role": "user", "content": "use a tool"}, {"role": "assistant", "content": content},
            {"role": "user", "content": [result]}
        ]);
        said(json!({"thinking": thinking, "tools": tools(), "messages": messages}))
    };
    let kept = whole(&history(answer["content"][0]["thinking"].as_str().unwrap()));
    assert_eq!(kept["content"][1]["text"], "The tool said: 42");
    assert!(refused(&history("altered")).contains("Invalid `signature` in `thinking` block"));
}

#[test]
fn a_call_without_arguments_sends_only_an_empty_fragment() {
    let messages = json!([{"role": "user", "content": "noargs tool"}]);
    let events = events(&said(
        json!({"stream": true, "tools": tools(), "messages": messages}),
    ));
    let deltas: Vec<&Value> = events
        .iter()
        .filter(|e| e["type"] == "content_block_delta")
        .collect();
    assert_eq!(deltas.len(), 1);
    assert_eq!(
        deltas[0]["delta"],
        json!({"type": "input_json_delta", "partial_json": ""})
    );
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn cache_tokens_are_beside_the_input_tokens() {
    let messages = json!([{"role": "user", "content": "a b c d e"}]);
    let usage = whole(&said(json!({"model": "claude-cached", "messages": messages})))["usage"].clone();
    assert_eq!(usage["cache_read_input_tokens"], 4);
    assert_eq!(usage["cache_creation_input_tokens"], 2);
    assert_eq!(usage["input_tokens"], 2);
}

#[test]
fn late_input_is_corrected_by_the_last_usage() {
    let events = events(&said(json!({"model": "claude!late_input=2", "stream": true})));
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 4);
    assert_eq!(events[events.len() - 2]["usage"]["input_tokens"], 6);
}

#[test]
fn malformed_requests_are_refused() {
    let message = |messages: Value| said(json!({"messages": messages}));
    let user = |content: Value| message(json!([{"role": "user", "content": content}]));
    let mut unlimited = said(json!({}));
    unlimited.as_object_mut().unwrap().remove("max_tokens");
    let thinking = json!({"type": "enabled", "budget_tokens": 2048});
    let open = json!({"type": "json_schema", "schema": {"type": "object"}});
    let table = [
        (unlimited, "max_tokens: Field required"),
        (said(json!({"foo": 1})), "foo: Extra inputs are not permitted"),
        (user(json!("")), "non-empty content"),
        (user(json!([])), "non-empty content"),
        (
            user(json!([{"type": "text", "text": ""}])),
            "text content blocks must be non-empty",
        ),
        (
            user(json!([{"type": "tool_result", "tool_use_id": "t"}])),
            "unexpected `tool_use_id`",
        ),
        (
            user(json!([{"type": "image_url", "image_url": {}}])),
            "Input tag 'image_url'",
        ),
        (
            message(json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])),
            "roles must alternate",
        ),
        (
            message(json!([{"role": "assistant", "content": "a"}])),
            "first message must use the \"user\" role",
        ),
        (
            message(json!([{"role": "system", "content": "a"}])),
            "messages.0.role",
        ),
        (
            said(json!({"thinking": thinking, "max_tokens": 2048})),
            "must be greater than `thinking.budget_tokens`",
        ),
        (
            said(json!({"thinking": thinking, "tools": tools(), "tool_choice": {"type": "any"}})),
            "Thinking may not be enabled",
        ),
        (
            said(json!({"thinking": thinking, "temperature": 0.5})),
            "`temperature` may only be set to 1",
        ),
        (said(json!({"temperature": 1.5})), "temperature: range: 0..1"),
        (
            said(json!({"tool_choice": {"type": "any"}})),
            "while providing tools",
        ),
        (
            said(json!({"output_config": {"format": open}})),
            "'additionalProperties' must be explicitly",
        ),
        (
            said(json!({"model": "claude-opus-4-7", "top_k": 3})),
            "`top_k` is not supported",
        ),
    ];
    for (body, expected) in table {
        let message = refused(&body);
        assert!(message.contains(expected), "{message} / {expected}");
    }
}

#[test]
fn the_newer_version_takes_no_sampling_parameters() {
    let body = said(json!({"temperature": 1}));
    assert!(ask(&body).is_ok());
    let refusal = ask_as(&body, "2026-10-21").unwrap_err();
    assert_eq!(refusal.message, "temperature: Extra inputs are not permitted");
    assert!(ask_as(&said(json!({})), "2026-10-21").is_ok());
    assert_eq!(ask_as(&body, "2024-01-01").unwrap_err().status, 400);
}

#[test]
fn a_bearer_key_is_taken_and_x_api_key_goes_before_it() {
    let (keys, body) = (sample_keys(), said(json!({})).to_string());
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-version", "2026-10-21".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("authorization", "Bearer sim-anthropic-key".parse().unwrap());
    let status = |headers: &HeaderMap| {
        let call = Call {
            method: "POST",
            path: "/v1/messages",
            query: None,
            headers,
            body: body.as_bytes(),
            keys: &keys,
        };
        read(&call).err().map(|refusal| refusal.status)
    };
    assert_eq!(status(&headers), None);
    headers.insert("x-api-key", "another".parse().unwrap());
    assert_eq!(status(&headers), Some(401));
}

#[test]
fn an_error_in_a_stream_is_named() {
    let event = error_event(&Faults::default(), STAMP);
    let text = std::str::from_utf8(&event).unwrap();
    assert!(
        text.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"")
    );
}
