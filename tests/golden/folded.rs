//! Streams folded into buffered answers: what a client reads in one document is what another puts together from the
//! chunks, for the fixtures of every dialect.

use crate::responses::{Response, byte_by_byte, chunks, streaming};
use crate::support::fixtures;
use crate::support::{Client, config, config_with};
use serde_json::{Map, Value, json};

/// The document that a client's chunks come to.
fn put_together(chunks: &[Value]) -> Value {
    let mut choices: Vec<Map<String, Value>> = Vec::new();
    let mut usage = Value::Null;
    for chunk in chunks {
        if !chunk["usage"].is_null() {
            usage = chunk["usage"].clone();
        }
        for part in chunk["choices"].as_array().into_iter().flatten() {
            let at = part["index"].as_u64().unwrap() as usize;
            while choices.len() <= at {
                choices.push(Map::new());
            }
            let choice = &mut choices[at];
            for name in ["content", "refusal", "reasoning"] {
                append(choice, name, &part["delta"][name]);
            }
            // A completion's chunk is no message.
            append(choice, "content", &part["text"]);
            for call in part["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let index = call["index"].as_u64().unwrap();
                for member in ["name", "arguments"] {
                    append(
                        choice,
                        &format!("call {index} {member}"),
                        &call["function"][member],
                    );
                }
            }
            let list = |name: &str| part["delta"][name].as_array().cloned().unwrap_or_default();
            extend(choice, "annotations", list("annotations"));
            let images = list("images");
            extend(
                choice,
                "images",
                images.iter().map(|image| image["image_url"].clone()).collect(),
            );
            for detail in part["delta"]["reasoning_details"]
                .as_array()
                .into_iter()
                .flatten()
            {
                for name in ["signature", "data"] {
                    extend(choice, name, detail.get(name).cloned().into_iter().collect());
                }
            }
            for (name, list) in part["logprobs"].as_object().into_iter().flatten() {
                extend(
                    choice,
                    &format!("logprobs {name}"),
                    list.as_array().cloned().unwrap_or_default(),
                );
            }
            for name in ["finish_reason", "native_finish_reason"] {
                if !part[name].is_null() {
                    choice.insert(name.to_owned(), part[name].clone());
                }
            }
        }
    }
    for choice in &mut choices {
        // A document has the calls in order, and no numbers.
        let is_call = |(name, _): &(String, Value)| name.starts_with("call ");
        let (calls, others): (Vec<_>, Vec<_>) = std::mem::take(choice).into_iter().partition(is_call);
        choice.extend(others);
        let calls: Vec<Value> = calls.into_iter().map(|(_, part)| part).collect();
        extend(choice, "calls", calls);
    }
    json!({"choices": choices, "usage": usage})
}

/// The same of a document.
fn read(document: &Value) -> Value {
    let mut as_chunk = document.clone();
    for choice in as_chunk["choices"].as_array_mut().into_iter().flatten() {
        let choice = choice.as_object_mut().unwrap();
        if let Some(mut message) = choice.remove("message") {
            let calls = message["tool_calls"].as_array_mut();
            for (index, call) in calls.into_iter().flatten().enumerate() {
                call["index"] = json!(index);
            }
            choice.insert("delta".to_owned(), message);
        }
    }
    put_together(&[as_chunk])
}

fn append(choice: &mut Map<String, Value>, name: &str, text: &Value) {
    let text = text.as_str().unwrap_or_default();
    if !text.is_empty() {
        let old = choice.get(name).and_then(Value::as_str).unwrap_or_default();
        let new = json!(format!("{old}{text}"));
        choice.insert(name.to_owned(), new);
    }
}

fn extend(choice: &mut Map<String, Value>, name: &str, more: Vec<Value>) {
    if !more.is_empty() {
        let mut list = choice
            .get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        list.extend(more);
        choice.insert(name.to_owned(), Value::Array(list));
    }
}

#[test]
fn a_folded_stream_means_what_the_stream_means() {
    let mut compared = 0;
    for spoken in streaming() {
        let name = spoken.dialect.name();
        for fixture in fixtures::all(name, "stream") {
            let response = Response::of_stream(spoken.operation, &fixture);
            let served = |client| response.serve(&config(name), client, &[&response.bytes]);
            let (streamed, folded) = (served(Client::Stream), served(Client::Buffered));
            assert_eq!(
                folded.receipt_member("outcome"),
                streamed.receipt_member("outcome"),
                "{}",
                response.name
            );
            if streamed.receipt_member("outcome") != "success" {
                continue;
            }
            compared += 1;
            let document: Value = serde_json::from_slice(&folded.body).unwrap();
            let [mut one, mut other] = [put_together(&chunks(&streamed.body)), read(&document)];
            // What is passed on as it came has the provider's own way to count, and fewer members.
            for value in [&mut one, &mut other] {
                let usage = value["usage"].as_object().cloned().unwrap_or_default();
                let counts = ["prompt_tokens", "total_tokens"].map(|name| usage.get(name).cloned());
                value["usage"] = json!(counts);
                for choice in value["choices"].as_array_mut().unwrap() {
                    choice.as_object_mut().unwrap().remove("native_finish_reason");
                }
            }
            assert_eq!(one, other, "{}", response.name);
            for member in ["tokens", "cost_pico_usd", "finish_reason", "native_finish_reason"] {
                let (one, other) = (streamed.receipt_member(member), folded.receipt_member(member));
                assert_eq!(one, other, "{}: {member}", response.name);
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn an_answer_that_begins_with_its_first_token_ends_as_the_same_document() {
    for spoken in streaming() {
        let name = spoken.dialect.name();
        let plain = config(name);
        let mut providers =
            json!({"upstream": {"base_url": "https://upstream.example/v1", "stream_upstream": "always"}});
        providers["upstream"]["dialect"] = json!(crate::support::spoken_as(name).chats);
        let always = config_with(name, json!({"providers": providers}));
        for fixture in fixtures::all(name, "stream") {
            let response = Response::of_stream(spoken.operation, &fixture);
            let pieces = byte_by_byte(&response.bytes);
            let whole = response.serve(&plain, Client::Buffered, &pieces);
            let begun = response.serve(&always, Client::Buffered, &pieces);
            if whole.receipt_member("outcome") == "success" {
                let body = String::from_utf8(begun.body).unwrap();
                assert_eq!(
                    body.trim_start_matches('\n').as_bytes(),
                    whole.body,
                    "{}",
                    response.name
                );
            } else if begun.receipt_member("outcome") == "cut" {
                let document: Value = serde_json::from_slice(&begun.body).unwrap();
                assert!(document["error"].is_object(), "{}: {document}", response.name);
            }
        }
    }
}
