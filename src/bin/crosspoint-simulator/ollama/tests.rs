//! Shapes of Ollama's answers, and its refusals.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::Ollama;
use crate::ask::Ask;
use crate::fault::{Faults, split_model};
use crate::provider::{Call, Provider, Refusal, Stamp};
use crate::table::sample_keys;
use crate::text::answer;

const STAMP: Stamp = Stamp { sequence: 1, now: 0 };

fn ask(more: &Value) -> Result<Ask, Refusal> {
    let mut body = json!({"model": "qwen3:8b", "messages": [{"role": "user", "content": "use a tool"}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sim-ollama-key".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    Ollama.read(&Call {
        method: "POST",
        path: "/api/chat",
        query: None,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    })
}

fn lines(more: &Value) -> Vec<Value> {
    let ask = ask(more).unwrap();
    let faults = Faults::parse(split_model(&ask.id).1).unwrap();
    let pieces = Ollama.streamed(&ask, &answer(&ask, &faults, false), &faults, STAMP);
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
    let text = String::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_last_line_has_the_counts_and_no_other_is_done() {
    let lines = lines(&json!({"think": true}));
    let (last, others) = lines.split_last().unwrap();
    assert_eq!(
        (&last["done"], &last["done_reason"]),
        (&json!(true), &json!("stop"))
    );
    assert!(last["prompt_eval_count"].as_u64() > Some(0) && last["eval_count"].as_u64() > Some(0));
    assert!(others.iter().all(|line| line["done"] == false));
    assert!(others[0]["message"]["thinking"].is_string());
}

#[test]
fn calls_have_objects_as_arguments() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tools = json!([{"type": "function", "function": {"name": "a", "parameters": schema}}]);
    for (model, has_id) in [("qwen3:8b", true), ("oldtools", false)] {
        let lines = lines(&json!({"model": model, "tools": tools}));
        let call = lines
            .iter()
            .find_map(|line| line.pointer("/message/tool_calls/0"))
            .unwrap();
        assert!(call["function"]["arguments"]["city"].is_string());
        assert_eq!(call["id"].is_string(), has_id);
    }
}

#[test]
fn what_ollama_does_not_know_is_refused() {
    for more in [
        json!({"temperature": 1}),
        json!({"options": {"max_tokens": 1}}),
        json!({"options": {"stop": "a"}}),
        json!({"think": "xhigh"}),
        json!({"format": "xml"}),
        json!({"messages": []}),
        json!({"messages": [{"role": "developer", "content": "a"}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
        json!({"messages": [{"role": "user", "content": "a", "images": ["data:image/png;base64,QQ=="]}]}),
        json!({"messages": [{"role": "tool", "content": "a", "tool_name": "f"}]}),
    ] {
        assert_eq!(
            ask(&more).err().map(|refusal| refusal.status),
            Some(400),
            "{more}"
        );
    }
}
