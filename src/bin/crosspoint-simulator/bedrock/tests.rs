//! Shapes of Bedrock's answers, read back with AWS's own frame decoder, and its refusals.

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::BytesMut;
use hyper::HeaderMap;
use serde_json::{Value, json};

use super::check::read;
use super::{buffered, error_event, streamed};
use crate::ask::Ask;
use crate::fault::{Faults, split_model};
use crate::provider::{Call, Refusal};
use crate::table::sample_keys;
use crate::text::answer;

fn ask_at(path: &str, body: &Value) -> Result<Ask, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sim-bedrock-key".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    read(&Call {
        method: "POST",
        path,
        query: None,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    })
}

fn ask(body: &Value) -> Result<Ask, Refusal> {
    ask_at("/model/anthropic.claude-v1%3A0/converse-stream", body)
}

fn said(more: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": "use a tool"}]}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": schema}}}]})
}

/// Event types and payloads, by AWS's decoder.
fn decode(bytes: &[u8]) -> Vec<(String, Value)> {
    let mut decoder = MessageFrameDecoder::new();
    let mut buffer = BytesMut::from(bytes);
    let mut found = Vec::new();
    while let DecodedFrame::Complete(message) = decoder.decode_frame(&mut buffer).unwrap() {
        let kind = message.headers()[0]
            .value()
            .as_string()
            .unwrap()
            .as_str()
            .to_owned();
        found.push((kind, serde_json::from_slice(message.payload()).unwrap()));
    }
    assert!(buffer.is_empty());
    found
}

fn events(ask: &Ask) -> Vec<(String, Value)> {
    let faults = Faults::parse(split_model(&ask.id).1).unwrap();
    let pieces = streamed(ask, &answer(ask, &faults, true), &faults);
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
    decode(&bytes)
}

fn refused(body: &Value) -> String {
    let refusal = ask(body).unwrap_err();
    assert_eq!(refusal.status, 400);
    refusal.message
}

#[test]
fn frames_decode_and_have_the_documented_order() {
    let events = events(&ask(&said(json!({}))).unwrap());
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds[..2], ["messageStart", "contentBlockDelta"]);
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["contentBlockStop", "messageStop", "metadata"]
    );
    assert!(events.iter().all(|(_, payload)| payload["p"].is_string()));
    let usage = &events.last().unwrap().1["usage"];
    let deltas = kinds.iter().filter(|kind| **kind == "contentBlockDelta").count();
    assert_eq!(usage["outputTokens"].as_u64().unwrap() as usize, deltas);
}

#[test]
fn metadata_can_come_before_the_stop() {
    let ask = ask_at("/model/m%21usage_on_finish/converse-stream", &said(json!({}))).unwrap();
    let kinds: Vec<String> = events(&ask).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds[kinds.len() - 2..], ["metadata", "messageStop"]);
}

#[test]
fn an_exception_is_its_own_kind_of_frame() {
    let frames = decode(&error_event(&Faults::parse("error=throttlingException").unwrap()));
    assert_eq!(frames[0].0, "throttlingException");
    assert!(frames[0].1["message"].is_string());
}

#[test]
fn tool_calls_start_with_their_id_and_stream_their_input() {
    let events = events(&ask(&said(json!({"toolConfig": tools()}))).unwrap());
    assert_eq!(events[1].0, "contentBlockStart");
    assert_eq!(events[1].1["start"]["toolUse"]["name"], "a");
    let input: String = events
        .iter()
        .filter_map(|(_, payload)| payload["delta"]["toolUse"]["input"].as_str())
        .collect();
    assert_eq!(
        serde_json::from_str::<Value>(&input).unwrap(),
        json!({"city": "city \"é\"\n"})
    );
}

#[test]
fn the_total_has_the_cached_tokens_and_the_input_does_not() {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "a b c d e"}]}]});
    let ask = ask_at("/model/claude-cached/converse", &body).unwrap();
    assert!(!ask.stream);
    let bytes = buffered(&ask, &answer(&ask, &Faults::default(), true), &Faults::default());
    let usage = serde_json::from_slice::<Value>(&bytes).unwrap()["usage"].clone();
    assert_eq!(usage["inputTokens"], 2);
    assert_eq!(usage["cacheReadInputTokens"], 4);
    assert_eq!(usage["cacheWriteInputTokens"], 2);
    assert_eq!(
        usage["totalTokens"].as_u64().unwrap(),
        8 + usage["outputTokens"].as_u64().unwrap()
    );
}

#[test]
fn model_ids_are_percent_decoded_and_a_raw_slash_is_another_operation() {
    let ask = ask_at("/model/arn%3Aaws%2Fx%21tokens%3D3/converse", &said(json!({}))).unwrap();
    assert_eq!(ask.id, "arn:aws/x!tokens=3");
    assert_eq!(
        ask_at("/model/a/b/converse", &said(json!({})))
            .unwrap_err()
            .status,
        404
    );
}

#[test]
fn malformed_requests_are_refused() {
    let message = |messages: Value| said(json!({"messages": messages}));
    let user = |content: Value| message(json!([{"role": "user", "content": content}]));
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let forced = json!({"tools": tools()["tools"], "toolChoice": {"any": {}}});
    let call = json!({"toolUse": {"toolUseId": "t", "name": "a", "input": {}}});
    let result = json!({"toolResult": {"toolUseId": "t", "content": [{"text": "42"}]}});
    let history = json!([
        {"role": "user", "content": [{"text": "x"}]}, {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]}
    ]);
    let table = [
        (said(json!({"max_tokens": 5})), "extraneous key [max_tokens]"),
        (said(json!({"messages": []})), "must start with a user message"),
        (
            message(json!([{"role": "assistant", "content": [{"text": "x"}]}])),
            "must start with a user message",
        ),
        (
            message(
                json!([{"role": "user", "content": [{"text": "x"}]}, {"role": "user", "content": [{"text": "x"}]}]),
            ),
            "must alternate",
        ),
        (user(json!("text")), "expected a list"),
        (user(json!([])), "is empty"),
        (user(json!([{"text": " "}])), "is blank"),
        (
            user(json!([{"type": "text", "text": "x"}])),
            "extraneous key [type]",
        ),
        (user(json!([result])), "exceeds the number of toolUse blocks"),
        (message(history), "The toolConfig field must be defined"),
        (
            said(json!({"inferenceConfig": {"temperature": 2}})),
            "less than or equal to 1",
        ),
        (
            said(json!({"inferenceConfig": {"maxTokens": "5"}})),
            "expected an integer",
        ),
        (
            said(json!({"additionalModelRequestFields": {"foo": 1}})),
            "foo: Extra inputs are not permitted",
        ),
        (
            said(json!({"additionalModelRequestFields": thinking, "toolConfig": forced})),
            "Thinking may not be enabled",
        ),
        (
            said(json!({"toolConfig": {"tools": []}})),
            "length greater than or equal to 1",
        ),
        (
            said(json!({"toolConfig": {"tools": tools()["tools"], "toolChoice": {"none": {}}}})),
            "key [none]",
        ),
    ];
    for (body, expected) in table {
        let message = refused(&body);
        assert!(message.contains(expected), "{message} / {expected}");
    }
}

#[test]
fn an_altered_thought_is_refused() {
    let block = json!({"reasoningContent": {"reasoningText": {"text": "x", "signature": "wrong"}}});
    let history = json!([
        {"role": "user", "content": [{"text": "x"}]}, {"role": "assistant", "content": [block, {"text": "y"}]},
        {"role": "user", "content": [{"text": "z"}]}
    ]);
    assert!(refused(&said(json!({"messages": history}))).contains("Invalid `signature`"));
}

#[test]
fn models_that_embed_are_invoked() {
    let invoke = |model: &str, body: &Value| ask_at(&format!("/model/{model}/invoke"), body);
    let document = |model: &str, body: &Value| -> Value {
        let ask = invoke(model, body).unwrap();
        let faults = Faults::default();
        let embed = ask.embed.as_ref().unwrap();
        let said = answer(&ask, &faults, true);
        serde_json::from_slice(&super::embeddings::buffered(&ask, embed, &said, &faults)).unwrap()
    };
    let titan = document(
        "amazon.titan-embed-text-v2%3A0",
        &json!({"inputText": "a b", "dimensions": 256}),
    );
    assert_eq!(titan["inputTextTokenCount"], 2);
    assert_eq!(titan["embedding"].as_array().unwrap().len(), 256);
    let texts = json!({"texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"]});
    let cohere = document("cohere.embed-v4%3A0", &texts);
    assert_eq!(cohere["embeddings"]["float"].as_array().unwrap().len(), 2);
    for (model, body) in [
        (
            "amazon.titan-embed-text-v1",
            json!({"inputText": "a", "dimensions": 256}),
        ),
        (
            "amazon.titan-embed-text-v2%3A0",
            json!({"inputText": "a", "dimensions": 3}),
        ),
        ("amazon.titan-embed-text-v2%3A0", json!({"inputText": ["a"]})),
        ("amazon.titan-embed-text-v2%3A0", json!({})),
        ("cohere.embed-v4%3A0", json!({"texts": ["a"]})),
        (
            "cohere.embed-v4%3A0",
            json!({"texts": vec!["a"; 97], "input_type": "search_query"}),
        ),
        ("anthropic.claude-v1", json!({"inputText": "a"})),
    ] {
        assert_eq!(invoke(model, &body).unwrap_err().status, 400, "{model} {body}");
    }
}
