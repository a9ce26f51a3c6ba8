//! Shapes of Gemini's answers, and its refusals.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::check::read;
use super::{buffered, streamed};
use crate::ask::Ask;
use crate::fault::{Faults, split_model};
use crate::provider::{Call, Refusal, Stamp};
use crate::table::sample_keys;
use crate::text::answer;

fn ask_at(path: &str, query: Option<&str>, body: &Value) -> Result<Ask, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("x-goog-api-key", "sim-gemini-key".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    read(&Call {
        method: "POST",
        path,
        query,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    })
}

fn ask(model: &str, body: &Value) -> Result<Ask, Refusal> {
    ask_at(
        &format!("/v1beta/models/{model}:streamGenerateContent"),
        Some("alt=sse"),
        body,
    )
}

fn said(more: Value) -> Value {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "use a tool"}]}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"tools": [{"functionDeclarations": [{"name": "a", "parametersJsonSchema": schema}]}]})
}

const STAMP: Stamp = Stamp { sequence: 1, now: 0 };

fn events(ask: &Ask) -> Vec<Value> {
    let faults = Faults::parse(split_model(&ask.id).1).unwrap();
    let said = answer(ask, &faults, false);
    let pieces = streamed(ask, &said, &faults, STAMP);
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.ends_with("\r\n\r\n") && !text.contains("[DONE]"));
    text.split("\r\n\r\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn whole(ask: &Ask) -> Value {
    let said = answer(ask, &Faults::default(), false);
    serde_json::from_slice(&buffered(ask, &said, &Faults::default(), STAMP)).unwrap()
}

fn refused(model: &str, body: &Value) -> String {
    ask(model, body).unwrap_err().message
}

#[test]
fn counts_grow_and_the_last_event_has_all() {
    let ask = ask(
        "gemini-2.5-flash",
        &said(json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}})),
    )
    .unwrap();
    let (events, whole) = (events(&ask), whole(&ask));
    let last = events.last().unwrap();
    assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(events[0]["candidates"][0]["content"]["parts"][0]["thought"], true);
    assert!(events[0]["usageMetadata"].get("candidatesTokenCount").is_none());
}

#[test]
fn a_signed_call_comes_back_or_is_refused() {
    let first = ask("gemini-3.1-pro", &said(tools())).unwrap();
    let part = whole(&first)["candidates"][0]["content"]["parts"][0].clone();
    assert!(part["thoughtSignature"].is_string() && part["functionCall"].get("id").is_none());
    let turn = |part: &Value| {
        let result = json!({"functionResponse": {"name": "a", "response": {"output": "sunny"}}});
        let mut body = said(tools());
        body["contents"].as_array_mut().unwrap().extend([
            json!({"role": "model", "parts": [part]}),
            json!({"role": "user", "parts": [result]}),
        ]);
        body
    };
    assert_eq!(
        ask("gemini-3.1-pro", &turn(&part)).unwrap().tool_results,
        ["sunny"]
    );
    let mut other = part.clone();
    other["functionCall"]["args"]["city"] = json!("elsewhere");
    assert_eq!(
        refused("gemini-3.1-pro", &turn(&other)),
        "Corrupted thought signature."
    );
    other.as_object_mut().unwrap().remove("thoughtSignature");
    assert!(refused("gemini-3.1-pro", &turn(&other)).contains("missing a thought_signature"));
    assert!(ask("gemini-2.5-flash", &turn(&other)).is_ok());
    other["thoughtSignature"] = json!("skip_thought_signature_validator");
    assert!(ask("gemini-3.1-pro", &turn(&other)).is_ok());
}

#[test]
fn a_stream_signs_its_text_at_the_end() {
    let ask = ask("gemini-3.1-pro", &said(json!({}))).unwrap();
    let last = events(&ask).pop().unwrap();
    let part = &last["candidates"][0]["content"]["parts"][0];
    let whole = whole(&ask);
    assert_eq!(part["text"], "");
    assert_eq!(
        part["thoughtSignature"],
        whole["candidates"][0]["content"]["parts"][0]["thoughtSignature"]
    );
}

#[test]
fn what_google_refuses_is_refused() {
    for (model, more, words) in [
        (
            "gemini-2.5-flash",
            json!({"messages": []}),
            "Unknown name \"messages\"",
        ),
        (
            "gemini-2.5-flash",
            json!({"generationConfig": {"topA": 1}}),
            "Unknown name \"topA\"",
        ),
        (
            "gemini-2.5-flash",
            json!({"generationConfig": {"stopSequences": ["a", "b", "c", "d", "e", "f"]}}),
            "at most 5",
        ),
        (
            "gemini-2.5-flash",
            json!({"generationConfig": {"seed": 2_147_483_648_i64}}),
            "generation_config.seed",
        ),
        (
            "gemini-2.5-flash",
            json!({"generationConfig": {"responseJsonSchema": {}}}),
            "requires response_mime_type",
        ),
        (
            "gemini-2.5-flash",
            json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}}),
            "not supported",
        ),
        (
            "gemini-2.5-pro",
            json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}),
            "Budget 0 is invalid",
        ),
        (
            "gemini-3.1-pro",
            json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "minimal"}}}),
            "MINIMAL is not supported",
        ),
        (
            "gemini-3.1-pro",
            json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "low", "thinkingBudget": 1}}}),
            "only one of",
        ),
        (
            "gemini-2.0-flash",
            json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}}),
            "Thinking is not enabled",
        ),
        (
            "gemini-2.5-flash",
            json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
            "without function_declarations",
        ),
        (
            "gemini-2.5-flash",
            json!({"contents": [{"role": "assistant", "parts": []}]}),
            "valid role",
        ),
        (
            "gemini-2.5-flash",
            json!({"contents": [{"role": "user", "parts": [{"text": ""}]}]}),
            "one initialized field",
        ),
        (
            "gemma-3-27b-it",
            json!({"systemInstruction": {"parts": [{"text": "a"}]}}),
            "Developer instruction",
        ),
    ] {
        let found = refused(model, &said(more.clone()));
        assert!(found.contains(words), "{more}: {found}");
    }
    assert!(ask_at("/v1beta/models/m:streamGenerateContent", None, &said(json!({}))).is_err());
    assert_eq!(
        ask_at("/v1beta/chat", None, &said(json!({}))).unwrap_err().status,
        404
    );
}

#[test]
fn a_refused_prompt_has_no_candidates() {
    let ask = ask("gemini-2.5-blocked", &said(json!({}))).unwrap();
    assert_eq!(whole(&ask)["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    assert!(events(&ask)[0].get("candidates").is_none());
}

#[test]
fn texts_are_embedded_one_by_one_and_in_batches() {
    let document = |path: &str, body: &Value| -> Value {
        let ask = ask_at(path, None, body).unwrap();
        let faults = Faults::default();
        let embed = ask.embed.as_ref().unwrap();
        let said = answer(&ask, &faults, false);
        serde_json::from_slice(&super::embeddings::buffered(&ask, embed, &said, &faults)).unwrap()
    };
    let one =
        json!({"model": "models/e", "content": {"parts": [{"text": "a b"}]}, "outputDimensionality": 2});
    let single = document("/v1beta/models/e:embedContent", &one);
    assert_eq!(single["embedding"]["values"].as_array().unwrap().len(), 2);
    let batch = document(
        "/v1beta/models/e:batchEmbedContents",
        &json!({"requests": [one, one]}),
    );
    assert_eq!(batch["embeddings"][1], single["embedding"]);
    assert_eq!(batch["usageMetadata"], json!({"promptTokenCount": 4}));
}

#[test]
fn what_cannot_be_embedded_is_refused() {
    let refused = |request: Value, count: usize| {
        let body = json!({"requests": vec![request; count]});
        let error = ask_at("/v1beta/models/e:batchEmbedContents", None, &body).unwrap_err();
        assert_eq!(error.status, 400, "{body}");
    };
    let content = json!({"parts": [{"text": "a"}]});
    refused(json!({"model": "models/e", "content": content}), 101);
    refused(json!({"model": "models/other", "content": content}), 1);
    refused(json!({"content": content}), 1);
    refused(
        json!({"model": "models/e", "content": content, "taskType": "x"}),
        1,
    );
    refused(json!({"model": "models/e", "content": content, "user": "x"}), 1);
    refused(json!({"model": "models/e", "content": {"parts": []}}), 1);
}
