//! Shapes of Cohere's answers, and its refusals.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::check::read;
use super::{buffered, streamed};
use crate::ask::Ask;
use crate::fault::{Faults, split_model};
use crate::provider::{Call, Refusal, Stamp};
use crate::table::sample_keys;
use crate::text::answer;

const STAMP: Stamp = Stamp {
    sequence: 7,
    now: 1_767_322_800,
};

fn ask(body: &Value) -> Result<Ask, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sim-cohere-key".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    read(&Call {
        method: "POST",
        path: "/v2/chat",
        query: None,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    })
}

fn said(more: Value) -> Value {
    let mut body =
        json!({"model": "command-a-03-2025", "messages": [{"role": "user", "content": "use a tool"}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tool(name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"type": "function", "function": {"name": name, "parameters": schema}})
}

fn events(body: &Value) -> Vec<Value> {
    let ask = ask(body).unwrap();
    let faults = Faults::parse(split_model(&ask.id).1).unwrap();
    let pieces = streamed(&ask, &answer(&ask, &faults, false), &faults, STAMP);
    let text: String = pieces
        .iter()
        .map(|p| String::from_utf8(p.bytes.to_vec()).unwrap())
        .collect();
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data)))
        .collect()
}

fn whole(body: &Value) -> Value {
    let ask = ask(body).unwrap();
    let faults = Faults::default();
    let bytes = buffered(&ask, &answer(&ask, &faults, false), &faults, STAMP);
    serde_json::from_slice(&bytes).unwrap()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<_> = events
        .iter()
        .map(|e| e["type"].as_str().or(e.as_str()).unwrap())
        .collect();
    kinds.dedup();
    kinds
}

#[test]
fn a_stream_goes_start_block_end_and_done() {
    let events = events(&said(json!({"stream": true})));
    assert_eq!(
        kinds(&events),
        [
            "message-start",
            "content-start",
            "content-delta",
            "content-end",
            "message-end",
            "[DONE]"
        ]
    );
    let end = &events[events.len() - 2]["delta"];
    assert_eq!(end["finish_reason"], "COMPLETE");
    assert_eq!(end["usage"]["billed_units"]["input_tokens"], 6);
    assert_eq!(end["usage"]["tokens"]["input_tokens"], 501);
}

#[test]
fn a_plan_goes_before_calls() {
    let body = said(
        json!({"stream": true, "tools": [tool("f"), tool("g")], "messages": [{"role": "user", "content": "explain, then use tools in parallel"}]}),
    );
    let events = events(&body);
    assert_eq!(
        kinds(&events),
        [
            "message-start",
            "tool-plan-delta",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-end",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-end",
            "message-end",
            "[DONE]"
        ]
    );
    let answer = whole(&body);
    assert_eq!(answer["message"]["tool_plan"], "I will call that .");
    assert_eq!(answer["message"]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!(answer["finish_reason"], "TOOL_CALL");
}

#[test]
fn thinking_is_a_block_of_its_own_unless_turned_off() {
    let body = said(json!({"model": "command-a-reasoning-08-2025"}));
    assert_eq!(whole(&body)["message"]["content"][0]["type"], "thinking");
    let body = said(json!({"model": "command-a-reasoning-08-2025", "thinking": {"type": "disabled"}}));
    assert_eq!(whole(&body)["message"]["content"][0]["type"], "text");
}

#[test]
fn the_first_document_is_cited() {
    let body = said(json!({"documents": ["A text.", {"id": "d", "data": {"title": "T"}}]}));
    let citation = &whole(&body)["message"]["citations"][0];
    assert_eq!(citation["text"], "You");
    assert_eq!(
        citation["sources"],
        json!([{"type": "document", "id": "doc:0", "document": {"id": "doc:0", "text": "A text."}}])
    );
    let mut streamed = body;
    streamed["stream"] = json!(true);
    assert!(kinds(&events(&streamed)).contains(&"citation-start"));
}

#[test]
fn what_cohere_refuses_is_refused() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "42"});
    let turn = |calls: Value| json!({"role": "assistant", "tool_calls": calls});
    for (more, words) in [
        (json!({"top_p": 0.5}), "parameter 'top_p'"),
        (json!({"temperature": 1.5}), "temperature must be between 0 and 1"),
        (json!({"p": 1.0}), "p must be between 0.01 and 0.99"),
        (
            json!({"stop_sequences": ["a", "b", "c", "d", "e", "f"]}),
            "at most 5",
        ),
        (
            json!({"thinking": {"type": "enabled"}}),
            "not supported by this model",
        ),
        (json!({"tool_choice": "REQUIRED"}), "needs tools"),
        (
            json!({"tool_choice": "auto", "tools": [tool("f")]}),
            "one of REQUIRED, NONE",
        ),
        (json!({"tools": [tool("a-b")]}), "certain characters"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            "schema must be an object",
        ),
        (
            json!({"tools": [tool("f")], "response_format": {"type": "json_object"}}),
            "not supported with tools",
        ),
        (
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}),
            "must be the first",
        ),
        (
            json!({"messages": [{"role": "user", "content": " "}]}),
            "must not be empty",
        ),
        (
            json!({"messages": [turn(json!([call("x")])), {"role": "user", "content": "a"}]}),
            "no result",
        ),
        (
            json!({"messages": [turn(json!([call("x")])), result("y")]}),
            "not found",
        ),
        (
            json!({"messages": [turn(json!([call("x"), call("x")]))]}),
            "duplicate",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "text", "tool_calls": [call("x")]}, result("x")]}),
            "beside calls",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:application/pdf;base64,QQ=="}}]}]}),
            "of an image",
        ),
    ] {
        let refusal = ask(&said(more.clone())).unwrap_err();
        assert!(refusal.message.contains(words), "{more}: {}", refusal.message);
    }
    assert!(
        ask(&said(
            json!({"messages": [turn(json!([call("x")])), result("x")]})
        ))
        .is_ok()
    );
}

#[test]
fn texts_are_embedded_for_a_purpose() {
    let ask = |body: &Value| super::embeddings::read(body);
    let sound = json!({"model": "embed-v4.0", "input_type": "search_query", "embedding_types": ["float"], "texts": ["a b", "c"]});
    let read = ask(&sound).unwrap();
    assert_eq!((read.words, read.embed.unwrap().inputs.len()), (3, 2));
    for (name, value) in [
        ("input_type", Value::Null),
        ("input_type", json!("query")),
        ("texts", json!([])),
        ("texts", json!(vec!["a"; 97])),
        ("output_dimension", json!(3)),
        ("embedding_types", json!(["base64"])),
        ("user", json!("u")),
    ] {
        let mut body = sound.clone();
        body[name] = value;
        assert!(ask(&body).is_err(), "{body}");
    }
}
