//! What the fixtures cannot say well: refusals, the order and number of deltas, hostile input.

use super::DIALECT;
use crate::chat::{Delta, Finish};
use crate::dialect::steps::{self, words};
use crate::error::Kind;
use crate::test;

fn refusal(request: &str) -> String {
    steps::refusal(&DIALECT, "gpt-5.1", request)
}

fn decode(events: &[&str]) -> Vec<Delta> {
    steps::decode_data(&DIALECT, events)
}

fn added(at: u64, item: &str) -> String {
    format!(r#"{{"type":"response.output_item.added","output_index":{at},"item":{item}}}"#)
}

fn text(at: u64, text: &str) -> String {
    format!(
        r#"{{"type":"response.output_text.delta","output_index":{at},"content_index":0,"delta":"{text}"}}"#
    )
}

fn completed(output: &str) -> String {
    format!(r#"{{"type":"response.completed","response":{{"status":"completed","output":[{output}]}}}}"#)
}

#[test]
fn an_item_whose_end_names_no_place_is_told_once() {
    let item = r#"{"type":"message","content":[{"type":"output_text","text":"ab"}]}"#;
    let done = format!(r#"{{"type":"response.output_item.done","item":{item}}}"#);
    for (first, place) in [
        (
            r#"{"type":"response.output_item.added","item":{"type":"message"}}"#.to_owned(),
            "",
        ),
        (added(0, r#"{"type":"message"}"#), r#""output_index":0,"#),
    ] {
        let grown = format!(r#"{{"type":"response.output_text.delta",{place}"delta":"ab"}}"#);
        let found = decode(&[&first, &grown, &done, &completed(item)]);
        assert_eq!(words(&found), ["start", "text ab", "finish stop"], "{first}");
    }
}

const CALL: &str = r#"{"type":"function_call","call_id":"c","name":"f","arguments":""}"#;

#[test]
fn what_cannot_be_carried_is_refused_by_its_path() {
    let user = r#""messages":[{"role":"user","content":"a"}]"#;
    for (member, message) in [
        (
            r#""n":2"#,
            "n: openai-responses gives one choice per request; leave n out or set it to 1",
        ),
        (
            r#""tools":[{"type":"openrouter:web_search"}]"#,
            "tools[0]: openai-responses cannot carry openrouter:web_search",
        ),
        (
            r#""tools":[{"type":"custom","custom":{"name":"x"}}]"#,
            "tools[0]: openai-responses cannot carry custom",
        ),
        (
            r#""tool_choice":{"type":"custom","custom":{"name":"x"}}"#,
            "tool_choice: openai-responses cannot carry custom",
        ),
        (
            r#""response_format":{"type":"grammar"}"#,
            "response_format: openai-responses cannot carry grammar",
        ),
    ] {
        assert_eq!(refusal(&format!("{{{user},{member}}}")), message);
    }
    for (messages, message) in [
        (
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{}}]}]"#,
            "messages[0].content[1]: openai-responses cannot carry input_audio",
        ),
        (
            r#"[{"role":"user","content":[{"type":"file","file":{"file_data":"QQ=="}}]}]"#,
            r#"messages[0].content[0]: openai-responses cannot carry the file at "QQ=="; use an https: or a base64 data: URL"#,
        ),
        (
            r#"[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]"#,
            "messages[0].content: openai-responses carries only text in a system message",
        ),
        (
            r#"[{"role":"assistant","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]"#,
            "messages[0].content: openai-responses carries only text in an assistant message",
        ),
        (
            r#"[{"role":"tool","content":"a"}]"#,
            "messages[0].tool_call_id: missing in a tool message",
        ),
        (
            r#"[{"role":"user","content":null},{"role":"assistant","content":""}]"#,
            "messages: openai-responses needs at least one message that is not empty",
        ),
    ] {
        assert_eq!(refusal(&format!(r#"{{"messages":{messages}}}"#)), message);
    }
}

#[test]
fn large_base64_is_written_once() {
    let image = "QUJD".repeat(1_000);
    let request = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}]}}"#
    );
    assert_eq!(
        steps::encode(&DIALECT, "gpt-5.1", &request)
            .unwrap()
            .matches(&image)
            .count(),
        1
    );
}

#[test]
fn what_was_told_is_not_told_again_at_the_end() {
    let item = r#"{"type":"message","content":[{"type":"output_text","text":"ab"}]}"#;
    let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#);
    let found = decode(&[
        &added(0, r#"{"type":"message","content":[]}"#),
        &text(0, "a"),
        &text(0, "b"),
        &done,
        &done,
        &completed(item),
        &completed(item),
        &text(0, "c"),
    ]);
    assert_eq!(words(&found), ["start", "text a", "text b", "finish stop"]);
}

#[test]
fn items_under_one_index_are_apart_and_not_told_twice() {
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}"#;
    let message = r#"{"type":"message","content":[{"type":"output_text","text":"a"}]}"#;
    let found = decode(&[
        &added(0, message),
        &text(0, "a"),
        &added(0, call),
        &format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{call}}}"#),
        &completed(&format!("{message},{call}")),
    ]);
    let expected = [
        "start",
        "text a",
        "call 0 c f",
        r#"args 0 {"a":1}"#,
        "finish tool_calls",
    ];
    assert_eq!(words(&found), expected);
}

#[test]
fn a_call_whose_arguments_never_came_has_none() {
    let lost = decode(&[&added(0, CALL), &completed("")]);
    assert_eq!(
        words(&lost),
        ["start", "call 0 c f", "args 0 {}", "finish tool_calls"]
    );
    let unnamed = decode(&[
        r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#,
        &completed(CALL),
    ]);
    assert_eq!(
        words(&unnamed),
        ["start", "call 0 c f", "args 0 {}", "finish tool_calls"]
    );
}

#[test]
fn what_stands_in_the_wrong_item_is_not_lost() {
    let found = decode(&[
        &added(0, CALL),
        &text(0, "a"),
        r#"{"type":"response.refusal.delta","output_index":0,"delta":"no"}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}"#,
        &completed(""),
    ]);
    let expected = [
        "start",
        "call 0 c f",
        "text a",
        "refuse no",
        "sum 0 hm",
        "args 0 {}",
        "finish tool_calls",
    ];
    assert_eq!(words(&found), expected);
}

#[test]
fn thinking_in_text_and_in_summaries_is_told_apart() {
    let found = decode(&[
        r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
        r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":1,"delta":"b"}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":0,"delta":"c"}"#,
        &completed(r#"{"type":"reasoning"},{"type":"reasoning","encrypted_content":"E"}"#),
    ]);
    let expected = [
        "start",
        "think 0 a",
        "think 0 \n\nb",
        "sum 1 c",
        "seal 1 E",
        "finish stop",
    ];
    assert_eq!(words(&found), expected);
}

#[test]
fn a_stream_is_whole_only_when_it_says_so() {
    for events in [vec![], vec![text(0, "a")], vec!["[DONE]".to_owned()]] {
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let found = decode(&events);
        assert!(matches!(found.last(), Some(Delta::Error(error)) if error.kind == Kind::ProviderUnavailable));
        assert_eq!(
            found
                .iter()
                .filter(|delta| matches!(delta, Delta::Error(_)))
                .count(),
            1
        );
    }
}

#[test]
fn why_it_is_incomplete_is_told() {
    for (reason, finish) in [
        ("max_output_tokens", Finish::Length),
        ("content_filter", Finish::ContentFilter),
        ("steered", Finish::Stop),
    ] {
        let end = format!(
            r#"{{"type":"response.incomplete","response":{{"incomplete_details":{{"reason":"{reason}"}}}}}}"#
        );
        let found = decode(&[&added(0, CALL), &end]);
        let Some(Delta::Finish {
            reason: told, native, ..
        }) = found.last()
        else {
            panic!("{found:?}")
        };
        assert_eq!((*told, native.as_deref()), (finish, Some(reason)));
    }
}

#[test]
fn a_stream_cannot_make_us_keep_items_without_end() {
    let events: Vec<String> = (0..1_000).map(|at| added(at, CALL)).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let found = decode(&events);
    assert!(matches!(found.last(), Some(Delta::Error(_))));
    assert!(found.len() < 100, "{}", found.len());
}

#[test]
fn members_of_other_types_do_no_harm() {
    for event in [
        "7",
        "[]",
        "\"x\"",
        "null",
        r#"{"type":7}"#,
        r#"{"type":"response.created","response":7}"#,
        r#"{"type":"response.output_item.added","output_index":-1,"item":[]}"#,
        r#"{"type":"response.output_item.added","output_index":1e300,"item":{"type":[]}}"#,
        r#"{"type":"response.output_item.done","output_index":18446744073709551615,"item":{}}"#,
        r#"{"type":"response.output_text.delta","delta":7,"logprobs":{}}"#,
        r#"{"type":"response.output_text.delta","output_index":"0","delta":"","logprobs":[7]}"#,
        r#"{"type":"response.output_text.annotation.added","annotation":"x"}"#,
        r#"{"type":"response.reasoning_summary_text.delta","delta":[]}"#,
    ] {
        let found = decode(&[event, &text(0, "a"), &completed("7,[]")]);
        assert!(words(&found).contains(&"text a".to_owned()), "{event}: {found:?}");
        assert!(
            matches!(found.last(), Some(Delta::Finish { .. })),
            "{event}: {found:?}"
        );
    }
    for event in ["", "{", "\u{1}"] {
        let found = decode(&[event]);
        assert!(matches!(found.last(), Some(Delta::Error(_))), "{event}");
    }
}
