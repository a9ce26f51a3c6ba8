//! What the fixtures cannot say well: refusals, hostile input.

use super::DIALECT;
use crate::chat::{Delta, Piece};
use crate::dialect::steps;
use crate::test;

fn check_refusal(members: &str, message: &str) {
    let user = r#"[{"role":"user","content":"a"}]"#;
    let request = if members.contains("\"messages\"") {
        format!("{{{members}}}")
    } else {
        format!("{{\"messages\":{user},{members}}}")
    };
    assert_eq!(steps::refusal(&DIALECT, "m", &request), message);
}

fn part(part: &str) -> String {
    format!(r#""messages":[{{"role":"user","content":[{part}]}}]"#)
}

#[test]
fn what_ollama_cannot_carry_is_refused_with_its_place() {
    check_refusal(
        r#""n":2"#,
        "n: ollama gives one choice per request; leave n out or set it to 1",
    );
    check_refusal(r#""temperature":"hot""#, "temperature: expected a number");
    check_refusal(
        r#""response_format":{"type":"grammar"}"#,
        "response_format: ollama cannot carry grammar",
    );
    check_refusal(
        r#""tools":[{"type":"web_search"}]"#,
        "tools[0]: ollama cannot carry web_search",
    );
    check_refusal(
        &part(r#"{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}"#),
        "messages[0].content[0]: ollama cannot carry the image at \"https://a.example/b.png\"; send it as a base64 data: URL",
    );
    check_refusal(
        &part(
            r#"{"type":"text","text":"a"},{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERg=="}}"#,
        ),
        "messages[0].content[1]: ollama cannot carry a file",
    );
    check_refusal(
        &part(r#"{"type":"video_url","video_url":{"url":"https://a.example/b.mp4"}}"#),
        "messages[0].content[0]: ollama cannot carry video_url",
    );
    check_refusal(
        &part(r#"{"type":"input_audio","input_audio":{"format":"wav"}}"#),
        "messages[0].content[0]: ollama cannot carry input_audio",
    );
    check_refusal(
        r#""messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"[]"}}]}]"#,
        "messages[0].tool_calls[0].function.arguments: the arguments of the call of \"f\" are not a JSON object",
    );
}

fn decode(lines: &[&str]) -> Vec<Delta> {
    steps::decode_data(&DIALECT, lines)
}

#[test]
fn lines_of_any_shape_are_read_and_the_response_fails_once() {
    for line in [
        "{}",
        r#"{"message":7}"#,
        r#"{"message":{"content":[],"thinking":{},"tool_calls":{}},"done":"true"}"#,
        r#"{"message":{"tool_calls":[null,7,{"function":[]}]},"logprobs":{},"prompt_eval_count":"x"}"#,
        r#"{"error":""}"#,
        r#"{"error":{}}"#,
        "[]",
        "\u{0}",
    ] {
        let deltas = decode(&[line, line]);
        let errors = deltas.iter().filter(|delta| matches!(delta, Delta::Error(_)));
        assert_eq!(errors.count(), 1, "{line}: {deltas:?}");
    }
}

#[test]
fn calls_of_different_responses_get_different_ids() {
    let id = |created_at: &str| {
        let line = format!(
            r#"{{"created_at":"{created_at}","message":{{"tool_calls":[{{"function":{{"name":"f"}}}}]}},"done":true}}"#
        );
        decode(&[&line]).into_iter().find_map(|delta| match delta {
            Delta::Piece {
                piece: Piece::ToolCall { id, .. },
                ..
            } => Some(id),
            _ => None,
        })
    };
    assert!(id("2026-10-17T23:14:07.414671Z").is_some());
    assert_ne!(id("2026-10-17T23:14:07.414671Z"), id("2026-10-17T23:14:09.1Z"));
}
