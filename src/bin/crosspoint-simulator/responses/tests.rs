//! Shapes of the Responses API's answers, and its refusals.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::Responses;
use crate::ask::Ask;
use crate::fault::{Faults, split_model};
use crate::provider::{Call, Provider, Refusal, Stamp};
use crate::table::sample_keys;
use crate::text::answer;

const STAMP: Stamp = Stamp {
    sequence: 7,
    now: 1_767_322_800,
};

fn ask(body: &Value) -> Result<Ask, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sim-responses-key".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    Responses.read(&Call {
        method: "POST",
        path: "/v1/responses",
        query: None,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    })
}

fn said(more: Value) -> Value {
    let mut body = json!({"model": "gpt-5.1", "input": "use a tool", "stream": true});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tool() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"type": "function", "name": "f", "parameters": schema, "strict": false})
}

/// Data of all events.
fn events(body: &Value) -> Vec<Value> {
    let ask = ask(body).unwrap();
    let faults = Faults::parse(split_model(&ask.id).1).unwrap();
    let pieces = Responses.streamed(&ask, &answer(&ask, &faults, false), &faults, STAMP);
    let text: String = pieces
        .iter()
        .map(|p| String::from_utf8(p.bytes.to_vec()).unwrap())
        .collect();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn refused(more: Value) -> (u16, String) {
    let refusal = ask(&said(more)).unwrap_err();
    (refusal.status, refusal.message)
}

#[test]
fn a_stream_tells_items_and_ends_with_the_whole() {
    let events = events(&said(json!({
        "tools": [tool()], "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
    })));
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
    assert_eq!(kinds.last(), Some(&"response.completed"));
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], n);
        assert_eq!(event.get("delta").is_some(), event.get("obfuscation").is_some());
    }
    let response = &events.last().unwrap()["response"];
    let done: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| event["item"].clone())
        .collect();
    assert_eq!(response["output"], Value::Array(done));
    assert_eq!(response["output"][0]["type"], "reasoning");
    let arguments: String = events
        .iter()
        .filter(|event| event["type"] == "response.function_call_arguments.delta")
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    assert_eq!(response["output"][1]["arguments"], arguments);
    let added = events
        .iter()
        .find(|event| event["type"] == "response.output_item.added")
        .unwrap();
    assert_ne!(
        added["item"]["encrypted_content"],
        response["output"][0]["encrypted_content"]
    );
}

#[test]
fn thinking_and_calls_go_back_as_they_came() {
    let first = said(json!({
        "tools": [tool()], "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
    }));
    let output = events(&first).pop().unwrap()["response"]["output"].clone();
    let result = json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "sunny"});
    let question = json!({"role": "user", "content": "use a tool"});
    let items = |thought: &Value| json!({"input": [question, thought, output[1], result], "tools": [tool()]});
    assert_eq!(ask(&said(items(&output[0]))).unwrap().tool_results, ["sunny"]);
    let mut altered = output[0].clone();
    altered["encrypted_content"] = json!("other");
    assert_eq!(refused(items(&altered)).0, 400);
    altered["encrypted_content"] = Value::Null;
    assert_eq!(refused(items(&altered)).0, 404);
    assert_eq!(
        refused(json!({"input": [question, output[1]]})).1,
        format!(
            "No tool output found for function call {}.",
            output[1]["call_id"].as_str().unwrap()
        )
    );
    assert!(
        refused(json!({"input": [question, result]}))
            .1
            .starts_with("No tool call found")
    );
}

#[test]
fn what_a_chat_has_is_refused() {
    for (more, param) in [
        (json!({"messages": []}), "messages"),
        (json!({"max_tokens": 20}), "max_tokens"),
        (json!({"stop": ["a"]}), "stop"),
        (
            json!({"stream_options": {"include_usage": true}}),
            "stream_options.include_usage",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            "tools[0].function",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}),
            "input[0].content[0].type",
        ),
        (
            json!({"input": [{"role": "tool", "content": "a"}]}),
            "input[0].role",
        ),
        (json!({"max_output_tokens": 15}), "max_output_tokens"),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (
            json!({"model": "gpt-4o", "include": ["reasoning.encrypted_content"]}),
            "include",
        ),
    ] {
        let refusal = ask(&said(more.clone())).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.param.as_deref()),
            (400, Some(param)),
            "{more}"
        );
    }
}

#[test]
fn a_function_is_strict_unless_it_says_otherwise() {
    let mut tool = tool();
    tool.as_object_mut().unwrap().remove("strict");
    assert!(
        refused(json!({"tools": [tool]}))
            .1
            .contains("additionalProperties")
    );
}

#[test]
fn an_error_comes_as_an_event_and_as_a_failed_response() {
    let ask = ask(&said(json!({}))).unwrap();
    let bytes = Responses.error_event(&ask, &Faults::default(), STAMP);
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.starts_with("event: error\ndata: ") && text.contains("event: response.failed\n"));
}
