//! What the fixtures cannot say well: refusals, the order and number of deltas, hostile input.

use super::{ANTHROPIC, BEDROCK, VERTEX};
use crate::chat::{Delta, Finish, UsageReport};
use crate::dialect::Fidelity;
use crate::dialect::steps::{self, words};
use crate::error::Kind;
use crate::test;

const MODEL: &str = "claude-sonnet-4-5";

/// A model as hosts other than Anthropic name it.
const HOSTED: &str = "claude-sonnet-4-5@20250929";

#[test]
fn hosts_that_load_nothing_are_given_no_addresses() {
    for dialect in [&VERTEX, &BEDROCK] {
        for part in [
            r#"{"type":"image_url","image_url":{"url":"https://e.org/a.png"}}"#,
            r#"{"type":"file","file":{"file_data":"http://e.org/a.pdf"}}"#,
        ] {
            let request = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
            let error = steps::encode(dialect, HOSTED, &request).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidRequest);
            assert!(
                error
                    .message
                    .starts_with(&format!("messages[0].content[0]: {} loads nothing", dialect.name))
                    && error.message.ends_with("as a base64 data: URL"),
                "{}",
                error.message
            );
        }
    }
}

#[test]
fn the_name_of_a_beta_can_break_no_header() {
    for name in ["", "a\\r\\nx: y", "a,b", "é"] {
        let request = format!(
            r#"{{"messages":[{{"role":"user","content":"q"}}],"anthropic_beta":["ok-2025-01-01","{name}"]}}"#
        );
        assert_eq!(
            refusal(&request),
            "anthropic_beta[1]: a name of letters, digits, '.', '_' and '-' is wanted",
        );
    }
}

fn encode(request: &str) -> String {
    steps::encode(&ANTHROPIC, MODEL, request).unwrap()
}

fn refusal(request: &str) -> String {
    steps::refusal(&ANTHROPIC, MODEL, request)
}

fn messages(messages: &str) -> String {
    let body = encode(&format!(r#"{{"messages":{messages}}}"#));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body["messages"].to_string()
}

fn decode(events: &[&str]) -> Vec<Delta> {
    steps::decode_data(&ANTHROPIC, events)
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}"#;
const END: &str =
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[test]
fn what_cannot_be_carried_is_refused_by_its_path() {
    assert_eq!(
        refusal(
            r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{}}]}]}"#
        ),
        "messages[1].content[1]: anthropic-messages cannot carry input_audio"
    );
    assert!(refusal(r#"{"n":2,"messages":[{"role":"user","content":"a"}]}"#).starts_with("n: "));
    assert_eq!(
        refusal(r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"openrouter:web_search"}]}"#),
        "tools[0]: anthropic-messages cannot carry openrouter:web_search"
    );
    let bad = refusal(r#"{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"grammar"}}"#);
    assert_eq!(bad, "response_format: anthropic-messages cannot carry grammar");
    assert!(refusal(r#"{"messages":[{"role":"user","content":" "}]}"#).starts_with("messages: "));
    assert!(
        refusal(r#"{"messages":[{"role":"tool","content":"a"}]}"#).starts_with("messages[0].tool_call_id: ")
    );
    let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"[]"}}"#;
    let bad = refusal(&format!(
        r#"{{"messages":[{{"role":"assistant","content":null,"tool_calls":[{call}]}}]}}"#
    ));
    assert!(
        bad.starts_with("messages[0].tool_calls[0].function.arguments: "),
        "{bad}"
    );
    for url in ["ftp://x/a.png", "data:image/png,raw"] {
        let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
        let bad = refusal(&format!(
            r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#
        ));
        assert!(
            bad.starts_with("messages[0].content[0]: anthropic-messages cannot carry the image at"),
            "{bad}"
        );
    }
}

#[test]
fn results_of_tools_come_first_in_their_turn() {
    let turns = messages(
        r#"[{"role":"user","content":"q"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"g"}}]},
            {"role":"user","content":"and?"},
            {"role":"tool","tool_call_id":"a","content":"1"},
            {"role":"tool","tool_call_id":"b","content":""}]"#,
    );
    assert!(
        turns.ends_with(
            r#"{"content":[{"content":[{"text":"1","type":"text"}],"tool_use_id":"a","type":"tool_result"},{"tool_use_id":"b","type":"tool_result"},{"text":"and?","type":"text"}],"role":"user"}]"#
        ),
        "{turns}"
    );
}

#[test]
fn a_call_and_its_result_keep_one_id_in_any_alphabet() {
    let turns = messages(
        r#"[{"role":"assistant","tool_calls":[{"id":"f.x:0","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"f.x:0","content":"1"}]"#,
    );
    assert_eq!(turns.matches("f_x_0_").count(), 2, "{turns}");
}

#[test]
fn unsigned_or_foreign_thinking_is_left_out() {
    let turns = messages(
        r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_details":[
            {"type":"reasoning.text","text":"no signature"},
            {"type":"reasoning.text","text":"g","signature":"s","format":"google-gemini-v1"},
            {"type":"reasoning.encrypted","data":"x","format":"openai-responses-v1"},
            {"type":"reasoning.summary","summary":"s"}]}]"#,
    );
    assert!(!turns.contains("thinking"), "{turns}");
}

#[test]
fn thinking_that_was_kept_in_pieces_is_one_block_again() {
    let turns = messages(
        r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_details":[
            {"type":"reasoning.text","text":"one ","index":0,"format":"anthropic-claude-v1"},
            {"type":"reasoning.text","text":"two","index":0,"format":"anthropic-claude-v1"},
            {"type":"reasoning.text","signature":"SIG","index":0,"format":"anthropic-claude-v1"},
            {"type":"reasoning.encrypted","data":"BLOB","index":1,"format":"anthropic-claude-v1"}]}]"#,
    );
    assert!(
        turns.contains(r#""signature":"SIG","thinking":"one two","type":"thinking""#),
        "{turns}"
    );
    assert!(
        turns.contains(r#"{"data":"BLOB","type":"redacted_thinking"}"#),
        "{turns}"
    );
}

#[test]
fn a_mark_beside_the_messages_goes_to_the_last_block_of_any_kind() {
    let pdf = r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,QQ=="}}"#;
    let request = format!(
        r#"{{"cache_control":{{"type":"ephemeral"}},"messages":[{{"role":"user","content":[{{"type":"text","text":"q"}},{pdf}]}}]}}"#
    );
    let body = steps::encode(&VERTEX, HOSTED, &request).unwrap();
    assert!(
        body.contains(r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="},"cache_control":{"type":"ephemeral"}}"#),
        "{body}"
    );
}

#[test]
fn white_space_at_the_end_of_a_prefill_is_cut() {
    assert!(
        messages(r#"[{"role":"user","content":"q"},{"role":"assistant","content":"A: "}]"#)
            .contains(r#""A:""#)
    );
}

#[test]
fn schemas_and_numbers_are_not_spelled_anew() {
    let body = encode(
        r#"{"messages":[{"role":"user","content":"q"}],"temperature":0.50,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object", "properties":{"x":{"maximum":9007199254740993,"default":1.0}}}}}]}"#,
    );
    assert!(
        body.contains(r#"{"type":"object", "properties":{"x":{"maximum":9007199254740993,"default":1.0}}}"#)
    );
    assert!(body.contains(r#""temperature":0.50"#));
}

#[test]
fn members_that_nobody_knows_go_along() {
    let body = encode(
        r#"{"messages":[{"role":"user","content":"q"}],"container":{"id":"c"},"seed":7,"metadata":{"a":"b"}}"#,
    );
    assert!(
        body.contains(r#""container":{"id":"c"}"#) && !body.contains("seed") && !body.contains("metadata")
    );
}

#[test]
fn a_forced_tool_becomes_a_free_choice_while_thinking() {
    let request = |choice: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":"q"}}],"max_tokens":5000,"reasoning":{{"max_tokens":2000}},"tool_choice":{choice},"tools":[{{"type":"function","function":{{"name":"f"}}}}]}}"#
        )
    };
    for choice in [r#""required""#, r#"{"type":"function","function":{"name":"f"}}"#] {
        assert!(encode(&request(choice)).contains(r#""tool_choice":{"type":"auto"}"#));
    }
    let forced = r#"{"messages":[{"role":"user","content":"q"}],"tool_choice":"required","tools":[{"type":"function","function":{"name":"f"}}]}"#;
    assert!(encode(forced).contains(r#""tool_choice":{"type":"any"}"#));
    assert!(
        steps::encode(&ANTHROPIC, "claude-opus-5-5", forced)
            .unwrap()
            .contains(r#""tool_choice":{"type":"auto"}"#)
    );
}

#[test]
fn a_choice_without_tools_is_not_sent() {
    let body = encode(
        r#"{"messages":[{"role":"user","content":"q"}],"tool_choice":"auto","parallel_tool_calls":false}"#,
    );
    assert!(!body.contains("tool_choice"));
}

#[test]
fn the_limit_is_the_endpoints_where_the_caller_gave_none() {
    assert!(encode(r#"{"messages":[{"role":"user","content":"q"}]}"#).contains(r#""max_tokens":64"#));
}

#[test]
fn a_tool_without_arguments_has_an_empty_object() {
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
    let empty =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}"#;
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    for events in [
        &[START, block, empty, stop, END][..],
        &[START, block, END],
        &[START, block, stop, END],
    ] {
        assert_eq!(words(&decode(events))[2..4], ["call 0 t f", "args 0 {}"]);
    }
    let given = block.replace(r#""input":{}"#, r#""input":{"x":1}"#);
    assert_eq!(
        words(&decode(&[START, &given, stop, END]))[2..4],
        ["call 0 t f", r#"args 0 {"x":1}"#]
    );
}

#[test]
fn a_second_beginning_starts_nothing_anew() {
    let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
    let deltas = decode(&[START, START, text, START, END, STOP]);
    assert_eq!(
        words(&deltas),
        [
            "start",
            "usage Some(10)/None",
            "text a",
            "usage None/Some(5)",
            "finish stop"
        ]
    );
}

#[test]
fn counts_are_corrected_by_later_ones_but_not_by_a_bare_zero() {
    let usage = |usage: &str| {
        let end =
            format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{usage}}}"#);
        let mut sum = UsageReport::default();
        for delta in decode(&[START, &end]) {
            if let Delta::Usage(report) = delta {
                sum.update(&report);
            }
        }
        sum
    };
    assert_eq!(usage(r#"{"input_tokens":61,"output_tokens":2}"#).input, Some(61));
    assert_eq!(
        usage(r#"{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2}"#).input,
        Some(10)
    );
    let cached = usage(
        r#"{"input_tokens":0,"cache_read_input_tokens":9,"cache_creation_input_tokens":3,"cache_creation":{"ephemeral_1h_input_tokens":2},"output_tokens_details":{"thinking_tokens":1}}"#,
    );
    let expected = UsageReport {
        input: Some(0),
        output: None,
        cache_read: Some(9),
        cache_write: Some(3),
        cache_write_1h: Some(2),
        reasoning: Some(1),
        ..UsageReport::default()
    };
    assert_eq!(cached, expected);
}

#[test]
fn a_response_without_its_end_is_an_error_once() {
    assert_eq!(
        words(&decode(&[START])),
        ["start", "usage Some(10)/None", "error ProviderUnavailable"]
    );
    assert_eq!(words(&decode(&[])), ["error ProviderUnavailable"]);
    assert_eq!(
        words(&decode(&[START, STOP])).last().unwrap(),
        "error ProviderUnavailable"
    );
}

#[test]
fn nothing_follows_an_error_or_the_end() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(
        words(&decode(&[error, START, END, error])),
        ["error ProviderOverloaded"]
    );
    assert_eq!(words(&decode(&["{", START, "{"])), ["error ProviderUnavailable"]);
    let deltas = words(&decode(&[START, END, error, END, STOP, START]));
    assert_eq!(deltas.last().unwrap(), "finish stop");
}

#[test]
fn unknown_events_blocks_and_deltas_are_passed_over() {
    let deltas = decode(&[
        START,
        r#"{"type":"ping"}"#,
        "",
        "[DONE]",
        r#"{"type":"from_the_future","x":[1]}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":5,"name":{},"input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_delta","index":9,"delta":{"type":"new_delta","content":[]}}"#,
        END,
        STOP,
    ]);
    assert_eq!(words(&deltas).len(), 4);
}

#[test]
fn a_citation_stands_over_the_text_of_its_block() {
    let deltas = decode(&[
        START,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"é "}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":[]}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://e.org","title":"T","cited_text":"c"}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"c"}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"fact"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        END,
    ]);
    assert_eq!(
        words(&deltas)[4],
        r#"{"type":"url_citation","url_citation":{"url":"https://e.org","title":"T","content":"c","start_index":2,"end_index":6}}"#
    );
    assert_eq!(deltas.len(), 7);
}

#[test]
fn a_stream_cannot_make_us_keep_more_and_more() {
    let mut events = vec![START.to_owned()];
    for at in 0..1_000 {
        events.push(format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"text","text":""}}}}"#
        ));
    }
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    assert_eq!(
        words(&decode(&events)).last().unwrap(),
        "error ProviderUnavailable"
    );
}

#[test]
fn a_buffered_message_is_the_same_steps_at_once() {
    let mut out = Vec::new();
    let body = r#"{"id":"m","model":"c","content":[{"type":"thinking","thinking":"h","signature":"S"},{"type":"redacted_thinking","data":"D"},{"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"later"}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}"#;
    ANTHROPIC.decode_buffered(body, Fidelity::Full, &mut out);
    let expected = [
        "start",
        "think 0 h",
        "sign 0 S",
        "seal 1 D",
        "text a",
        "call 0 t f",
        "args 0 {}",
        "usage Some(1)/Some(2)",
        "finish tool_calls",
    ];
    assert_eq!(words(&out), expected);
}

#[test]
fn a_buffered_body_that_is_no_message_is_an_error() {
    for body in [
        "",
        "<html>",
        "{}",
        "[1]",
        r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#,
    ] {
        let mut out = Vec::new();
        ANTHROPIC.decode_buffered(body, Fidelity::Full, &mut out);
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
        ("pause_turn", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("tool_use", Finish::ToolCalls),
        ("refusal", Finish::ContentFilter),
        ("new_word", Finish::Stop),
    ] {
        let deltas = decode(&[START, &END.replace("end_turn", native)]);
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
