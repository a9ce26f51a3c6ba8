//! What the fixtures cannot say well: refusals, the order and number of deltas, hostile input.

use super::DIALECT;
use crate::dialect::Fidelity;
use crate::dialect::steps::{self, words};
use crate::test;

fn refusal(request: &str) -> String {
    steps::refusal(&DIALECT, "command-a-03-2025", request)
}

/// What a request with these members beside its message becomes.
fn member(model: &str, members: &str, name: &str) -> String {
    let request = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{members}}}"#);
    let body = steps::encode(&DIALECT, model, &request).unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body[name].to_string()
}

fn decode(events: &[&str]) -> Vec<String> {
    words(&steps::decode_data(&DIALECT, events))
}

fn buffered(body: &str) -> Vec<String> {
    let mut out = Vec::new();
    DIALECT.decode_buffered(body, Fidelity::Full, &mut out);
    words(&out)
}

fn call(at: &str, kind: &str, call: &str) -> String {
    format!(r#"{{"type":"tool-call-{kind}"{at},"delta":{{"message":{{"tool_calls":{{{call}}}}}}}}}"#)
}

fn arguments(at: &str, kind: &str, json: &str) -> String {
    call(
        at,
        kind,
        &format!(r#""id":"i","function":{{"name":"f","arguments":"{json}"}}"#),
    )
}

const END: &str = r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#;

#[test]
fn what_cannot_be_carried_is_refused_by_its_path() {
    let user = r#""messages":[{"role":"user","content":"a"}]"#;
    for (member, message) in [
        (
            r#""tools":[{"type":"openrouter:web_search"}]"#,
            "tools[0]: cohere-v2 cannot carry openrouter:web_search",
        ),
        (
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"g"}}"#,
            r#"tool_choice: no function of the name "g" is among the tools"#,
        ),
        (
            r#""response_format":{"type":"grammar"}"#,
            "response_format: cohere-v2 cannot carry grammar",
        ),
        (
            r#""stop":["a","b","c","d","e","f"]"#,
            "stop: cohere-v2 takes at most 5 sequences; send fewer of them",
        ),
        (
            r#""n":2"#,
            "n: cohere-v2 gives one choice per request; leave n out or set it to 1",
        ),
        (r#""seed":1.5"#, "seed: expected an integer"),
    ] {
        assert_eq!(refusal(&format!("{{{user},{member}}}")), message);
    }
    for (messages, message) in [
        (
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"hologram"}]}]"#,
            "messages[0].content[1]: cohere-v2 cannot carry hologram",
        ),
        (
            r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"gs://b/c.png"}}]}]"#,
            r#"messages[0].content[0]: cohere-v2 cannot carry the image at "gs://b/c.png"; use an https: or a base64 data: URL"#,
        ),
        (
            r#"[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,QQ=="}}]}]"#,
            "messages[0].content[0]: cohere-v2 cannot carry a file that is no image in a data: URL; send its text instead",
        ),
        (
            r#"[{"role":"system","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]}]"#,
            "messages[0].content: cohere-v2 carries only text in a message of this role",
        ),
        (
            r#"[{"role":"tool","tool_call_id":"c","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]}]"#,
            "messages[0].content[0]: cohere-v2 cannot carry an image in a result",
        ),
        (
            r#"[{"role":"system","content":"a"},{"role":"user","content":" "}]"#,
            "messages: cohere-v2 needs at least one user or assistant message that is not empty",
        ),
        (
            r#"[{"role":"tool","content":"a"}]"#,
            "messages[0].tool_call_id: missing in a tool message",
        ),
    ] {
        assert_eq!(refusal(&format!(r#"{{"messages":{messages}}}"#)), message);
    }
}

#[test]
fn a_wish_for_thinking_becomes_a_budget_where_it_needs_one() {
    for (wish, thinking) in [
        (r#""reasoning":{"exclude":true}"#, "null"),
        (r#""reasoning":{"enabled":false}"#, r#"{"type":"disabled"}"#),
        (r#""reasoning":{"max_tokens":0}"#, r#"{"type":"disabled"}"#),
        (r#""reasoning":{"enabled":true}"#, r#"{"type":"enabled"}"#),
        (r#""reasoning_effort":"xhigh""#, r#"{"type":"enabled"}"#),
        (
            r#""reasoning_effort":"low""#,
            r#"{"token_budget":12,"type":"enabled"}"#,
        ),
        (
            r#""reasoning_effort":"high","max_tokens":100"#,
            r#"{"token_budget":80,"type":"enabled"}"#,
        ),
        (
            r#""reasoning_effort":"minimal","max_tokens":1"#,
            r#"{"token_budget":1,"type":"enabled"}"#,
        ),
        (
            r#""reasoning":{"max_tokens":7},"max_tokens":100"#,
            r#"{"token_budget":7,"type":"enabled"}"#,
        ),
    ] {
        assert_eq!(
            member("command-a-plus-05-2026", wish, "thinking"),
            thinking,
            "{wish}"
        );
        assert_eq!(member("command-r-08-2024", wish, "thinking"), "null", "{wish}");
    }
}

#[test]
fn a_seed_of_64_bits_is_kept_and_any_other_always_folded_alike() {
    let seed = |seed: &str| member("command-r", &format!(r#""seed":{seed}"#), "seed");
    assert_eq!(seed("18446744073709551615"), "18446744073709551615");
    assert_eq!(seed("-2"), "18446744073709551614");
    let long = "99999999999999999999999999";
    assert_eq!(seed(long), seed(long));
    assert!(seed(long).parse::<u64>().is_ok());
}

#[test]
fn numbers_out_of_range_become_the_nearest_in_it() {
    for (given, theirs, found) in [
        (r#""temperature":-0.5"#, "temperature", "0"),
        (r#""temperature":1.0"#, "temperature", "1.0"),
        (r#""top_p":0"#, "p", "0.01"),
        (r#""top_k":-1"#, "k", "0"),
        (r#""top_k":9007199254740993"#, "k", "500"),
        (r#""presence_penalty":0.0"#, "presence_penalty", "null"),
    ] {
        assert_eq!(member("command-r", given, theirs), found, "{given}");
    }
}

#[test]
fn what_a_caller_says_of_strict_tools_stands() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"required":["x"]}}}]"#;
    assert_eq!(member("command-r", tools, "strict_tools"), "true");
    let off = format!(r#"{tools},"strict_tools":false"#);
    assert_eq!(member("command-r", &off, "strict_tools"), "null");
}

#[test]
fn blocks_of_thinking_stay_apart() {
    let thought = |kind: &str, text: &str| {
        format!(
            r#"{{"type":"content-{kind}","index":0,"delta":{{"message":{{"content":{{"thinking":"{text}"}}}}}}}}"#
        )
    };
    let plan = r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"p"}}}"#;
    assert_eq!(
        decode(&[
            &thought("start", "a"),
            &thought("delta", "b"),
            &thought("start", "c"),
            plan,
            plan,
            END
        ]),
        [
            "think 0 a",
            "think 0 b",
            "think 1 c",
            "sum 2 p",
            "sum 2 p",
            "finish stop"
        ]
    );
}

#[test]
fn fragments_find_their_call() {
    let (zero, one) = (r#","index":0"#, r#","index":1"#);
    assert_eq!(
        decode(&[
            &arguments(zero, "start", ""),
            &arguments(one, "start", "1"),
            &arguments(zero, "delta", "a"),
            &arguments(r#","index":7"#, "delta", "lost"),
            &arguments(zero, "end", ""),
            END
        ]),
        ["call 0 i f", "call 1 i f", "args 1 1", "args 0 a", "finish stop"]
    );
    // The SDK's types let the number be left out.
    assert_eq!(
        decode(&[
            &arguments("", "start", ""),
            &arguments("", "end", ""),
            &arguments("", "start", "x"),
            END
        ]),
        ["call 0 i f", "args 0 {}", "call 1 i f", "args 1 x", "finish stop"]
    );
}

#[test]
fn calls_without_end_are_an_error() {
    let starts: Vec<_> = (0..80)
        .map(|at| arguments(&format!(r#","index":{at}"#), "start", ""))
        .collect();
    let starts: Vec<_> = starts.iter().map(String::as_str).collect();
    assert_eq!(decode(&starts).last().unwrap(), "error ProviderUnavailable");
}

#[test]
fn nothing_is_said_after_the_end() {
    for late in [END, "{", "[1]", r#"{"message":"m"}"#, "[DONE]"] {
        assert_eq!(decode(&[END, late]), ["finish stop"], "{late}");
    }
}

#[test]
fn a_response_without_a_reason_is_an_error() {
    for events in [
        &[][..],
        &["{}"],
        &["null"],
        &["[DONE]"],
        &[r#"{"type":"message-end"}"#],
        &[r#"{"type":"message-end","delta":{"finish_reason":7}}"#],
        &[r#"{"type":"content-delta","delta":[]}"#],
        &[r#"{"type":"tool-call-start","delta":{"message":"x"}}"#],
    ] {
        let found = decode(events);
        assert_eq!(
            found.last().map(String::as_str),
            Some("error ProviderUnavailable"),
            "{events:?}"
        );
    }
    for body in [
        "",
        "null",
        "{}",
        "[]",
        r#"{"message":{}}"#,
        r#"{"message":"m"}"#,
        "\u{fffd}",
    ] {
        let found = buffered(body);
        assert_eq!(
            found.last().map(String::as_str),
            Some("error ProviderUnavailable"),
            "{body}"
        );
    }
}

#[test]
fn running_out_of_time_is_a_timeout() {
    let end = r#"{"type":"message-end","delta":{"finish_reason":"TIMEOUT","usage":{"billed_units":{"input_tokens":3,"output_tokens":1}}}}"#;
    assert_eq!(decode(&[end]), ["usage Some(3)/Some(1)", "error Timeout"]);
    assert_eq!(
        buffered(r#"{"message":{"content":[]},"finish_reason":"TIMEOUT"}"#),
        ["start", "error Timeout"]
    );
}
