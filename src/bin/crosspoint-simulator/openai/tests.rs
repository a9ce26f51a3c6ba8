//! Shapes of OpenAI's answers, and its refusals.

use hyper::HeaderMap;
use serde_json::{Value, json};

use super::check::read;
use super::refusal::error_event;
use super::{AZURE, MISTRAL, OPENAI, OpenAi, Provider, refusal};
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
    ask_at("/v1/chat/completions", body)
}

fn ask_at(path: &str, body: &Value) -> Result<Ask, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sim-openai-key".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    let call = Call {
        method: "POST",
        path,
        query: None,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    };
    read(&OPENAI, &call)
}

fn said(more: Value) -> Value {
    let mut body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "use a tool"}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

fn tool(name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"type": "function", "function": {"name": name, "parameters": schema}})
}

/// Data of all events, `[DONE]` as a string.
fn events(body: &Value) -> Vec<Value> {
    let ask = ask(body).unwrap();
    let faults = Faults::parse(split_model(&ask.id).1).unwrap();
    let pieces = OPENAI.streamed(&ask, &answer(&ask, &faults, false), &faults, STAMP);
    let text: String = pieces
        .iter()
        .map(|p| String::from_utf8(p.bytes.to_vec()).unwrap())
        .collect();
    let data = text
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data)))
        .collect()
}

fn refused(body: &Value) -> (u16, String) {
    let refusal = ask(body).unwrap_err();
    (refusal.status, refusal.message)
}

#[test]
fn a_stream_goes_role_text_finish_usage_done() {
    let events = events(&said(
        json!({"stream": true, "stream_options": {"include_usage": true}}),
    ));
    let first = &events[0];
    assert_eq!(
        first["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(first["usage"], Value::Null);
    assert!(first.as_object().unwrap().contains_key("usage"));
    assert!(first["obfuscation"].is_string());
    let [finish, usage, done] = &events[events.len() - 3..] else {
        panic!("too few events: {events:?}")
    };
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["prompt_tokens"], 6);
    assert_eq!(done, "[DONE]");
    let tokens = usage["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(
        tokens as usize,
        events.len() - 4,
        "each token has an event of its own"
    );
}

#[test]
fn usage_and_padding_only_come_when_wanted() {
    let options = json!({"stream": true, "stream_options": {"include_obfuscation": false}});
    for event in events(&said(options)).iter().filter(|event| event.is_object()) {
        assert!(
            event.get("usage").is_none() && event.get("obfuscation").is_none(),
            "{event}"
        );
    }
}

#[test]
fn usage_can_come_with_the_finish_and_done_can_be_missing() {
    let body = said(json!({"model": "m!usage_on_finish;no_done", "stream": true}));
    let last = events(&body).pop().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert!(last["usage"]["total_tokens"].is_u64());
}

#[test]
fn one_call_starts_in_the_role_chunk_and_two_do_not() {
    let one = events(&said(json!({"stream": true, "tools": [tool("a")]})));
    let delta = &one[0]["choices"][0]["delta"];
    assert_eq!(delta["content"], Value::Null);
    assert_eq!(
        delta["tool_calls"][0]["function"],
        json!({"name": "a", "arguments": ""})
    );
    let arguments: String = one
        .iter()
        .filter_map(|e| e["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(
        serde_json::from_str::<Value>(&arguments).unwrap(),
        json!({"city": "city \"é\"\n"})
    );
    assert_eq!(one[one.len() - 2]["choices"][0]["finish_reason"], "tool_calls");

    let messages = json!([{"role": "user", "content": "parallel tool"}]);
    let two = events(&said(
        json!({"stream": true, "tools": [tool("a"), tool("b")], "messages": messages}),
    ));
    assert!(two[0]["choices"][0]["delta"].get("tool_calls").is_none());
    assert!(
        two.iter()
            .any(|e| e["choices"][0]["delta"]["tool_calls"][0]["index"] == 1)
    );
}

#[test]
fn a_function_forced_by_name_finishes_with_stop() {
    let choice = json!({"type": "function", "function": {"name": "a"}});
    let ask = ask(&said(json!({"tools": [tool("a")], "tool_choice": choice}))).unwrap();
    let bytes = OPENAI.buffered(
        &ask,
        &answer(&ask, &Faults::default(), false),
        &Faults::default(),
        STAMP,
    );
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["type"], "function");
    assert_eq!(body["choices"][0]["message"]["content"], Value::Null);
}

#[test]
fn cached_tokens_are_part_of_the_prompt_tokens() {
    let ask = ask(&said(json!({"model": "gpt-cached"}))).unwrap();
    let bytes = OPENAI.buffered(
        &ask,
        &answer(&ask, &Faults::default(), false),
        &Faults::default(),
        STAMP,
    );
    let usage = serde_json::from_slice::<Value>(&bytes).unwrap()["usage"].clone();
    assert_eq!(usage["prompt_tokens"], 6);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 3);
}

#[test]
fn hidden_reasoning_is_counted_and_the_compatible_kind_is_shown() {
    let ask_hidden = ask(&said(json!({"reasoning_effort": "low", "stream": true}))).unwrap();
    let hidden = answer(&ask_hidden, &Faults::default(), false);
    let pieces = OPENAI.streamed(&ask_hidden, &hidden, &Faults::default(), STAMP);
    assert_eq!(
        pieces.iter().map(|p| p.hidden + p.tokens).sum::<u64>(),
        hidden.usage.completion
    );
    let shown = events(&said(json!({"model": "reasoning-content", "stream": true})));
    assert_eq!(shown[1]["choices"][0]["delta"]["reasoning_content"], "Let");
}

#[test]
fn malformed_requests_are_refused() {
    let message = |messages: Value| said(json!({"messages": messages}));
    let table = [
        (
            said(json!({"foo": 1})),
            "Unrecognized request argument supplied: foo",
        ),
        (said(json!({"model": null})), "you must provide a model parameter"),
        (
            said(json!({"temperature": "1"})),
            "Invalid type for 'temperature'",
        ),
        (said(json!({"temperature": 3})), "above maximum value"),
        (said(json!({"stream_options": {}})), "only allowed when 'stream'"),
        (said(json!({"tool_choice": "auto"})), "only allowed when 'tools'"),
        (message(json!([])), "empty array"),
        (
            message(json!([{"role": "robot", "content": "x"}])),
            "Invalid value: 'robot'",
        ),
        (
            message(json!([{"role": "user", "content": null}])),
            "expected a string",
        ),
        (
            message(json!([{"role": "user", "content": "x", "cache_control": {}}])),
            "Unknown parameter",
        ),
        (
            message(json!([{"role": "tool", "content": "x", "tool_call_id": "1"}])),
            "preceeding message",
        ),
        (
            said(json!({"response_format": {"type": "json_object"}})),
            "must contain the word 'json'",
        ),
    ];
    for (body, expected) in table {
        let (status, message) = refused(&body);
        assert_eq!(status, 400);
        assert!(message.contains(expected), "{message} / {expected}");
    }
}

#[test]
fn a_tool_call_without_its_answer_is_refused() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "a", "arguments": "{}"}});
    let history = json!([
        {"role": "user", "content": "x"}, {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "user", "content": "y"}
    ]);
    assert!(
        refused(&said(json!({"messages": history})))
            .1
            .contains("did not have response messages: c1")
    );
}

#[test]
fn a_wrong_key_is_refused_before_the_body_is_read() {
    let keys = sample_keys();
    let mut headers = HeaderMap::new();
    let mut status = |value: Option<&str>| {
        if let Some(value) = value {
            headers.insert("authorization", value.parse().unwrap());
        }
        let call = Call {
            method: "POST",
            path: "/v1/chat/completions",
            query: None,
            headers: &headers,
            body: b"",
            keys: &keys,
        };
        read(&OPENAI, &call).unwrap_err().status
    };
    assert_eq!(status(None), 401);
    assert_eq!(status(Some("Bearer sim-anthropic-key")), 401);
    assert_eq!(status(Some("Bearer sim-openai-key")), 400);
}

#[test]
fn an_error_in_a_stream_is_an_error_object() {
    let event = error_event(
        refusal::failure,
        &Faults::parse("error=rate_limit_exceeded").unwrap(),
    );
    let data = std::str::from_utf8(&event)
        .unwrap()
        .strip_prefix("data: ")
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(data).unwrap()["error"]["type"],
        "rate_limit_exceeded"
    );
}

fn at(
    provider: &OpenAi,
    path: &str,
    query: Option<&str>,
    key: (&'static str, &str),
    body: &Value,
) -> Result<Ask, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(key.0, key.1.parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let (keys, bytes) = (sample_keys(), body.to_string());
    let call = Call {
        method: "POST",
        path,
        query,
        headers: &headers,
        body: bytes.as_bytes(),
        keys: &keys,
    };
    read(provider, &call)
}

#[test]
fn azure_has_two_paths_and_two_kinds_of_credentials() {
    const KEY: (&str, &str) = ("api-key", "sim-azure-key");
    const TOKEN: (&str, &str) = ("authorization", "Bearer sim-azure-token");
    let deployment = "/openai/deployments/my%20gpt/chat/completions";
    let dated = Some("api-version=2024-10-21");
    let id = |path, query, key| at(&AZURE, path, query, key, &said(json!({}))).map(|ask| ask.id);
    assert_eq!(id(deployment, dated, KEY).unwrap(), "my gpt");
    let v1 = "/openai/v1/chat/completions";
    assert_eq!(id(v1, Some("api-version=v1"), TOKEN).unwrap(), "gpt-4o");
    for (path, query, key, status) in [
        (deployment, None, KEY, 404),
        ("/v1/chat/completions", dated, KEY, 404),
        (v1, None, ("authorization", "Bearer sim-azure-key"), 401),
        (v1, None, ("api-key", "sim-openai-key"), 401),
    ] {
        assert_eq!(id(path, query, key).unwrap_err().status, status, "{path}");
    }
    let blocked = said(json!({"model": "blocked"}));
    let refusal = at(&AZURE, v1, None, KEY, &blocked).unwrap_err();
    let body: Value = serde_json::from_slice(&AZURE.refusal_body(&refusal, STAMP)).unwrap();
    assert_eq!(
        body["error"]["innererror"]["code"],
        "ResponsibleAIPolicyViolation"
    );
}

#[test]
fn mistral_takes_its_own_members_and_no_others() {
    const KEY: (&str, &str) = ("authorization", "Bearer sim-mistral-key");
    let ask = |more: Value| at(&MISTRAL, "/v1/chat/completions", None, KEY, &said(more));
    let own = json!({"random_seed": 1, "safe_prompt": true, "top_k": 3, "reasoning_effort": "high", "stream": true});
    let asked = ask(own).unwrap();
    let answer = answer(&asked, &Faults::default(), false);
    let text: String = MISTRAL
        .streamed(&asked, &answer, &Faults::default(), STAMP)
        .iter()
        .map(|piece| String::from_utf8(piece.bytes.to_vec()).unwrap())
        .collect();
    assert!(
        text.contains(r#""content":[{"closed":true,"thinking":[{"#),
        "{text}"
    );
    assert_eq!(text.matches(r#""prompt_tokens":"#).count(), 1);
    let call = |id: &str| json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": {"name": "a", "arguments": ""}}]});
    for (more, status) in [
        (json!({"seed": 1}), 422),
        (json!({"stream_options": {"include_usage": true}}), 422),
        (json!({"user": "u"}), 422),
        (json!({"messages": [{"role": "developer", "content": "a"}]}), 422),
        (
            json!({"messages": [{"role": "user", "content": "a", "name": "ann"}]}),
            422,
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file"}]}]}),
            422,
        ),
        (
            json!({"messages": [{"role": "user", "content": "a"}, call("call_a")]}),
            400,
        ),
        (json!({"reasoning_effort": "medium"}), 400),
    ] {
        let refusal = ask(more.clone()).unwrap_err();
        assert_eq!(refusal.status, status, "{more}");
        let body: Value = serde_json::from_slice(&MISTRAL.refusal_body(&refusal, STAMP)).unwrap();
        assert_eq!(body.get("detail").is_some(), status == 422, "{body}");
    }
}

#[test]
fn embeddings_are_one_vector_an_input_in_the_form_that_was_asked_for() {
    let document = |more: Value| -> Value {
        let mut body = json!({"model": "text-embedding-3-small", "input": ["a b", "c"], "dimensions": 2});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let ask = ask_at("/v1/embeddings", &body).unwrap();
        let faults = Faults::default();
        let answer = answer(&ask, &faults, false);
        let embed = ask.embed.as_ref().unwrap();
        serde_json::from_slice(&super::embeddings::buffered(&ask, embed, &answer, &faults)).unwrap()
    };
    let floats = document(json!({}));
    assert_eq!(floats["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    assert_eq!(floats["data"][1]["index"], 1);
    assert_eq!(floats["data"][0]["embedding"].as_array().unwrap().len(), 2);
    assert_ne!(floats["data"][0]["embedding"], floats["data"][1]["embedding"]);
    assert!(document(json!({"encoding_format": "base64"}))["data"][0]["embedding"].is_string());
}

#[test]
fn what_the_other_operations_do_not_take_is_refused() {
    for (path, body) in [
        (
            "/v1/embeddings",
            json!({"model": "m", "input": "a", "input_type": "query"}),
        ),
        ("/v1/embeddings", json!({"model": "m", "input": ""})),
        ("/v1/embeddings", json!({"model": "m", "input": []})),
        (
            "/v1/embeddings",
            json!({"model": "m", "input": "a", "encoding_format": "int8"}),
        ),
        ("/v1/completions", json!({"model": "m"})),
        (
            "/v1/completions",
            json!({"model": "m", "prompt": "a", "max_completion_tokens": 5}),
        ),
        (
            "/v1/completions",
            json!({"model": "m", "prompt": "a", "stream_options": {"include_usage": true}}),
        ),
        (
            "/v1/completions",
            json!({"model": "m", "prompt": "a", "stream": true, "best_of": 2}),
        ),
    ] {
        assert_eq!(ask_at(path, &body).unwrap_err().status, 400, "{path} {body}");
    }
}

#[test]
fn a_completion_is_streamed_as_texts() {
    let body = json!({"model": "m", "prompt": ["a", "b"], "stream": true, "stream_options": {"include_usage": true}});
    let ask = ask_at("/v1/completions", &body).unwrap();
    let faults = Faults::default();
    let pieces = super::completions::streamed(&ask, &answer(&ask, &faults, false), &faults, STAMP);
    let texts: Vec<_> = pieces
        .iter()
        .map(|piece| String::from_utf8(piece.bytes.to_vec()).unwrap())
        .collect();
    assert!(texts[0].contains(r#""object":"text_completion""#) && texts[0].contains(r#""usage":null"#));
    assert!(texts[1].contains(r#""index":1"#));
    assert_eq!(texts.last().unwrap(), "data: [DONE]\n\n");
}
