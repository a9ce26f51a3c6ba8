//! What the fixtures cannot say well: refusals, the order and number of deltas, hostile input.

use super::DIALECT;
use crate::chat::{Delta, Finish, Request};
use crate::dialect::steps::{self, words};
use crate::dialect::{Fidelity, Target};
use crate::error::{Error, Kind};
use crate::test;

const CLAUDE: &str = "anthropic.claude-sonnet-4-5-v1:0";
const LLAMA: &str = "meta.llama3-70b-instruct-v1:0";

fn encode(request: &str) -> String {
    encode_for(CLAUDE, request).unwrap()
}

fn encode_for(model: &str, request: &str) -> Result<String, Error> {
    steps::encode(&DIALECT, model, request)
}

fn refusal(request: &str) -> String {
    steps::refusal(&DIALECT, CLAUDE, request)
}

fn decode(events: &[(&str, &str)]) -> Vec<Delta> {
    steps::decode(&DIALECT, events)
}

const START: (&str, &str) = ("messageStart", r#"{"p":"abcd","role":"assistant"}"#);
const STOP: (&str, &str) = ("messageStop", r#"{"p":"ab","stopReason":"end_turn"}"#);
const METADATA: (&str, &str) = (
    "metadata",
    r#"{"metrics":{"latencyMs":1},"usage":{"inputTokens":8,"outputTokens":5,"serverToolUsage":{},"totalTokens":13}}"#,
);

#[test]
fn what_cannot_be_carried_is_refused_by_its_path() {
    let refused = |part: &str| {
        refusal(&format!(
            r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#
        ))
    };
    assert_eq!(
        refused(r#"{"type":"input_audio","input_audio":{}}"#),
        "messages[0].content[0]: bedrock-converse cannot carry input_audio of format \"\""
    );
    assert_eq!(
        refused(r#"{"type":"image_url","image_url":{"url":"https://e.org/a.png"}}"#),
        "messages[0].content[0]: bedrock-converse cannot carry the image at \"https://e.org/a.png\", because Bedrock loads nothing but from S3; send it as a base64 data: URL"
    );
    assert!(
        refused(r#"{"type":"file","file":{"file_data":"data:video/mp4;base64,QQ=="}}"#).contains("of type")
    );
    assert!(refusal(r#"{"n":2,"messages":[{"role":"user","content":"a"}]}"#).starts_with("n: "));
    assert_eq!(
        refusal(r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"web_search_20250305"}]}"#),
        "tools[0]: bedrock-converse cannot carry web_search_20250305"
    );
}

#[test]
fn the_model_is_one_segment_of_the_path() {
    let request = Request::parse(br#"{"messages":[{"role":"user","content":"a"}]}"#.to_vec()).unwrap();
    let path = |stream| {
        let target = Target {
            model: CLAUDE,
            stream,
            default_max_tokens: 64,
            quirks: &crate::dialect::Quirks::NONE,
        };
        DIALECT.encode(&request, &target).unwrap().path
    };
    assert_eq!(path(false), "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse");
    assert_eq!(
        path(true),
        "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream"
    );
}

#[test]
fn tools_that_were_used_are_always_declared() {
    let history = r#"[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"f"}}]},{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"}]"#;
    let body = encode(&format!(r#"{{"messages":{history}}}"#));
    let spec = r#""toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}"#;
    assert!(body.contains(spec), "{body}");
    let tools = r#""tools":[{"type":"function","function":{"name":"g"}}],"tool_choice":"none""#;
    assert!(encode(&format!(r#"{{"messages":{history},{tools}}}"#)).contains(r#""name":"g""#));
    assert!(
        !encode(&format!(
            r#"{{"messages":[{{"role":"user","content":"q"}}],{tools}}}"#
        ))
        .contains("toolConfig")
    );
}

#[test]
fn what_only_claude_has_is_sent_only_to_claude() {
    let request = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"q","cache_control":{"type":"ephemeral"}}]}],"top_k":3,"max_tokens":4000,"reasoning":{"max_tokens":2000}}"#;
    let claude = encode(&request.replace(r#","reasoning":{"max_tokens":2000}"#, ""));
    assert!(
        claude.contains(r#""additionalModelRequestFields":{"top_k":3}"#) && claude.contains("cachePoint")
    );
    let thinking = encode(request);
    assert!(
        thinking.contains(r#"{"thinking":{"type":"enabled","budget_tokens":2000}}"#),
        "{thinking}"
    );
    let llama = encode_for(LLAMA, request).unwrap();
    assert!(
        !llama.contains("additionalModelRequestFields") && !llama.contains("cachePoint"),
        "{llama}"
    );
}

#[test]
fn a_limit_goes_along_only_where_it_was_asked_for_or_needed() {
    assert!(!encode(r#"{"messages":[{"role":"user","content":"q"}]}"#).contains("inferenceConfig"));
    let thinking = encode(r#"{"messages":[{"role":"user","content":"q"}],"reasoning":{"max_tokens":2000}}"#);
    assert!(
        thinking.contains(r#""inferenceConfig":{"maxTokens":3024}"#),
        "{thinking}"
    );
}

#[test]
fn one_call_at_a_time_is_claudes_own_choice_and_stands_alone() {
    let request = r#"{"messages":[{"role":"user","content":"q"}],"parallel_tool_calls":false,"tool_choice":"auto","tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let body = encode(request);
    assert!(
        body.contains(r#"{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}"#),
        "{body}"
    );
    assert!(!body.contains("toolChoice"));
    assert!(
        encode_for(LLAMA, request)
            .unwrap()
            .contains(r#""toolChoice":{"auto":{}}"#)
    );
}

#[test]
fn thinking_is_given_back_where_it_holds() {
    let body = encode(
        r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_details":[
            {"type":"reasoning.text","text":"one ","index":0,"format":"anthropic-claude-v1"},
            {"type":"reasoning.text","text":"two","signature":"SIG","index":0,"format":"anthropic-claude-v1"},
            {"type":"reasoning.text","text":"unsigned","index":1},
            {"type":"reasoning.encrypted","data":"OURS","format":"unknown"},
            {"type":"reasoning.encrypted","data":"THEIRS","format":"anthropic-claude-v1"}]}]}"#,
    );
    assert!(
        body.contains(
            r#""content":[{"reasoningContent":{"reasoningText":{"text":"one two","signature":"SIG"}}},{"reasoningContent":{"redactedContent":"OURS"}},{"text":"a"}]"#
        ),
        "{body}"
    );
}

#[test]
fn members_that_nobody_knows_go_to_the_model() {
    let body = encode(
        r#"{"messages":[{"role":"user","content":"q"}],"guardrailConfig":{"trace":"enabled"},"x":1,"seed":2}"#,
    );
    assert!(
        body.ends_with(r#""additionalModelRequestFields":{"x":1},"guardrailConfig":{"trace":"enabled"}}"#),
        "{body}"
    );
}

#[test]
fn counts_are_taken_in_any_order_and_may_be_missing() {
    assert_eq!(
        words(&decode(&[START, STOP, METADATA])),
        ["start", "finish stop", "usage Some(8)/Some(5)"]
    );
    assert_eq!(
        words(&decode(&[START, METADATA, STOP])),
        ["start", "usage Some(8)/Some(5)", "finish stop"]
    );
    assert_eq!(words(&decode(&[START, STOP])), ["start", "finish stop"]);
}

#[test]
fn one_hour_cache_writes_are_told_apart() {
    let usage = r#"{"usage":{"inputTokens":1,"outputTokens":2,"cacheReadInputTokens":3,"cacheWriteInputTokens":9,"cacheDetails":[{"ttl":"1h","inputTokens":5},{"ttl":"5m","inputTokens":4}]}}"#;
    let deltas = decode(&[START, STOP, ("metadata", usage)]);
    let Some(Delta::Usage(report)) = deltas.last() else {
        panic!("no counts")
    };
    assert_eq!(
        (report.cache_read, report.cache_write, report.cache_write_1h),
        (Some(3), Some(9), Some(5))
    );
}

#[test]
fn a_tool_without_arguments_has_an_empty_object() {
    let start = (
        "contentBlockStart",
        r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#,
    );
    let empty = (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":""}}}"#,
    );
    let stop = ("contentBlockStop", r#"{"contentBlockIndex":1}"#);
    for events in [&[start, empty, stop, STOP][..], &[START, start, STOP]] {
        assert_eq!(
            words(&decode(events)),
            ["start", "call 0 t f", "args 0 {}", "finish stop"]
        );
    }
}

#[test]
fn blocks_may_begin_without_being_announced() {
    let change = |at: u32, delta: &str| format!(r#"{{"contentBlockIndex":{at},"delta":{delta}}}"#);
    let pieces = [
        change(0, r#"{"reasoningContent":{"text":"hm"}}"#),
        change(0, r#"{"reasoningContent":{"signature":"S"}}"#),
        change(1, r#"{"reasoningContent":{"redactedContent":"R"}}"#),
        change(2, r#"{"text":"a"}"#),
        change(2, r#"{"reasoningContent":{"text":"again"}}"#),
        change(3, r#"{"later":{}}"#),
    ];
    let mut events = vec![START];
    events.extend(pieces.iter().map(|piece| ("contentBlockDelta", piece.as_str())));
    events.push(("contentBlockStart", r#"{"contentBlockIndex":4,"start":{}}"#));
    events.push(STOP);
    let expected = [
        "start",
        "think 0 hm",
        "sign 0 S",
        "seal 1 R",
        "text a",
        "think 2 again",
        "finish stop",
    ];
    assert_eq!(words(&decode(&events)), expected);
}

#[test]
fn exceptions_are_told_apart_and_end_everything() {
    for (name, kind) in [
        ("throttlingException", Kind::RateLimitExceeded),
        ("validationException", Kind::InvalidRequest),
        ("serviceUnavailableException", Kind::ProviderOverloaded),
        ("modelStreamErrorException", Kind::ProviderUnavailable),
        ("internalServerException", Kind::ProviderUnavailable),
        ("modelTimeoutException", Kind::Timeout),
        ("strangeException", Kind::ProviderUnavailable),
    ] {
        let deltas = decode(&[START, (name, r#"{"message":"m"}"#), START, STOP]);
        let [Delta::Start { .. }, Delta::Error(error)] = &deltas[..] else {
            panic!("{deltas:?}")
        };
        assert_eq!((error.kind, error.provider_code.as_deref()), (kind, Some(name)));
    }
    assert_eq!(
        words(&decode(&[("throttlingException", "")])),
        ["error RateLimitExceeded"]
    );
    assert_eq!(
        words(&decode(&[START, STOP, ("internalServerException", "")])),
        ["start", "finish stop"]
    );
}

#[test]
fn a_response_without_its_end_or_sense_is_an_error_once() {
    assert_eq!(words(&decode(&[])), ["error ProviderUnavailable"]);
    assert_eq!(words(&decode(&[START])), ["start", "error ProviderUnavailable"]);
    assert_eq!(
        words(&decode(&[START, ("contentBlockDelta", "{"), STOP])),
        ["start", "error ProviderUnavailable"]
    );
    assert_eq!(
        words(&decode(&[START, ("future", "["), STOP])),
        ["start", "finish stop"]
    );
}

#[test]
fn a_stream_cannot_make_us_keep_more_and_more() {
    let starts: Vec<String> = (0..1_000)
        .map(|at| {
            format!(r#"{{"contentBlockIndex":{at},"start":{{"toolUse":{{"toolUseId":"t","name":"f"}}}}}}"#)
        })
        .collect();
    let events: Vec<_> = starts
        .iter()
        .map(|start| ("contentBlockStart", start.as_str()))
        .collect();
    let deltas = words(&decode(&events));
    assert_eq!(
        deltas.iter().position(|word| word.starts_with("error")),
        Some(deltas.len() - 1)
    );
}

#[test]
fn a_buffered_response_is_the_same_steps_at_once() {
    let mut out = Vec::new();
    let body = r#"{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"h","signature":"S"}}},{"reasoningContent":{"redactedContent":"R"}},
        {"text":"a "},{"citationsContent":{"content":[{"text":"b"}],"citations":[{"title":"T","sourceContent":[{"text":"c"}],"location":{"web":{"url":"https://e.org"}}}]}},
        {"toolUse":{"toolUseId":"t","name":"f","input":{"x": 1},"type":"tool_use"}},
        {"toolUse":{"toolUseId":"s","name":"nova_grounding","input":{},"type":"server_tool_use"}},
        {"image":{"format":"png","source":{"bytes":"QQ=="}}}]}},
        "stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;
    DIALECT.decode_buffered(body, Fidelity::Full, &mut out);
    let expected = [
        "start",
        "think 0 h",
        "sign 0 S",
        "seal 1 R",
        "text a ",
        "text b",
        r#"{"type":"url_citation","url_citation":{"url":"https://e.org","title":"T","content":"c","start_index":2,"end_index":3}}"#,
        "call 0 t f",
        r#"args 0 {"x": 1}"#,
        "image data:image/png;base64,QQ==",
        "usage Some(1)/Some(2)",
        "finish tool_calls",
    ];
    assert_eq!(words(&out), expected);
}

#[test]
fn a_buffered_body_that_is_no_response_is_an_error() {
    for body in [
        "",
        "<html>",
        "{}",
        "[1]",
        r#"{"message":"m"}"#,
        r#"{"output":{}}"#,
    ] {
        let mut out = Vec::new();
        DIALECT.decode_buffered(body, Fidelity::Full, &mut out);
        let Some(Delta::Error(error)) = out.last() else {
            panic!("{body}")
        };
        assert_eq!(error.kind, Kind::ProviderUnavailable, "{body}");
    }
}

#[test]
fn every_reason_to_stop_has_its_word() {
    for (native, reason) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("tool_use", Finish::ToolCalls),
        ("guardrail_intervened", Finish::ContentFilter),
        ("content_filtered", Finish::ContentFilter),
        ("malformed_tool_use", Finish::Error),
        ("malformed_model_output", Finish::Error),
    ] {
        let deltas = decode(&[START, ("messageStop", &format!(r#"{{"stopReason":"{native}"}}"#))]);
        let Some(Delta::Finish {
            reason: found,
            native: word,
            ..
        }) = deltas.last()
        else {
            panic!("no end")
        };
        assert_eq!((*found, word.as_deref()), (reason, Some(native)));
    }
}
