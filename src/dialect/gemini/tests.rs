//! What the fixtures cannot say well: refusals, the order and number of deltas, hostile input.

use super::{STUDIO, VERTEX};
use crate::chat::{Delta, Finish, Request, UsageReport};
use crate::dialect::Target;
use crate::dialect::steps::{self, words};
use crate::test;

#[test]
fn vertex_is_told_the_type_of_what_is_elsewhere() {
    let refused = |url: &str| {
        let request = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]}}"#
        );
        let request = Request::parse(request.into_bytes()).unwrap();
        let target = Target {
            model: "gemini-2.5-flash",
            stream: false,
            default_max_tokens: 64,
            quirks: &crate::dialect::Quirks::NONE,
        };
        VERTEX.encode(&request, &target).err()
    };
    assert!(refused("gs://bucket/a.png").is_none());
    assert_eq!(
        refused("https://e.org/a").unwrap().message,
        "messages: gemini-vertex must be told what is at \"https://e.org/a\"; use a name that ends with its type, such as .png"
    );
}

fn refusal(request: &str) -> String {
    steps::refusal(&STUDIO, "gemini-2.0-flash", request)
}

fn contents(model: &str, messages: &str) -> String {
    let body = steps::encode(&STUDIO, model, &format!(r#"{{"messages":{messages}}}"#)).unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body["contents"].to_string()
}

fn decode(events: &[&str]) -> Vec<Delta> {
    steps::decode_data(&STUDIO, events)
}

fn frame(parts: &str, more: &str) -> String {
    format!(r#"{{"responseId":"R","candidates":[{{"content":{{"parts":[{parts}]}}{more}}}]}}"#)
}

const STOP: &str = r#","finishReason":"STOP""#;

#[test]
fn what_cannot_be_carried_is_refused_by_its_path() {
    let user = r#""messages":[{"role":"user","content":"a"}]"#;
    for (member, message) in [
        (
            r#""tools":[{"type":"openrouter:web_search"}]"#,
            "tools[0]: gemini cannot carry openrouter:web_search",
        ),
        (
            r#""tools":[{"type":"function","function":{"name":"f"}}],"web_search_options":{}"#,
            "web_search_options: gemini does not search the web where functions are offered; leave out one of the two",
        ),
        (
            r#""response_format":{"type":"grammar"}"#,
            "response_format: gemini cannot carry grammar",
        ),
        (
            r#""modalities":["audio"]"#,
            r#"modalities: gemini carries text and image, not "audio""#,
        ),
        (
            r#""stop":["a","b","c","d","e","f"]"#,
            "stop: gemini takes at most 5 sequences; send fewer of them",
        ),
        (r#""seed":1.5"#, "seed: expected an integer"),
        (r#""top_p":"1""#, "top_p: expected a number"),
    ] {
        assert_eq!(refusal(&format!("{{{user},{member}}}")), message);
    }
    for (messages, message) in [
        (
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"hologram"}]}]"#,
            "messages[0].content[1]: gemini cannot carry hologram",
        ),
        (
            r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"QQ==","format":"a/b"}}]}]"#,
            r#"messages[0].content[0]: gemini cannot carry input_audio of format "a/b""#,
        ),
        (
            r#"[{"role":"system","content":"a"}]"#,
            "messages: gemini needs at least one user or assistant message that is not empty",
        ),
        (
            r#"[{"role":"tool","content":"a"}]"#,
            "messages[0].tool_call_id: missing in a tool message",
        ),
        (
            r#"[{"role":"tool","tool_call_id":"x","content":"a"}]"#,
            r#"messages[0].tool_call_id: no message before it has a call of the id "x", and gemini needs the function's name"#,
        ),
    ] {
        assert_eq!(refusal(&format!(r#"{{"messages":{messages}}}"#)), message);
    }
}

#[test]
fn a_result_belongs_to_the_last_call_of_its_id() {
    let call = |name: &str| {
        format!(
            r#"{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"{name}","arguments":""}}}}]}},{{"role":"tool","tool_call_id":"c","content":"[1]"}}"#
        )
    };
    let found = contents("gemini-2.0-flash", &format!("[{},{}]", call("f"), call("g")));
    assert!(
        found.contains(r#""functionResponse":{"id":"c","name":"g","response":{"output":"[1]"}}"#),
        "{found}"
    );
    assert!(
        found.contains(r#""functionResponse":{"id":"c","name":"f""#),
        "{found}"
    );
}

#[test]
fn a_signature_with_nothing_to_stand_on_stands_alone() {
    let found = contents(
        "gemini-3-pro",
        r#"[{"role":"user","content":"a"},{"role":"assistant","content":"","reasoning_details":[{"type":"reasoning.encrypted","data":"S","format":"google-gemini-v1"}]}]"#,
    );
    assert!(
        found.ends_with(r#"{"parts":[{"text":"","thoughtSignature":"S"}],"role":"model"}]"#),
        "{found}"
    );
}

#[test]
fn a_seed_within_32_bits_is_kept_and_a_longer_one_always_folded_alike() {
    let seed = |seed: &str| {
        let request = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"seed":{seed}}}"#);
        let body: serde_json::Value =
            serde_json::from_str(&steps::encode(&STUDIO, "gemini-2.0-flash", &request).unwrap()).unwrap();
        body["generationConfig"]["seed"].as_i64().unwrap()
    };
    assert_eq!((seed("-7"), seed("2147483647")), (-7, 2_147_483_647));
    assert_eq!(seed("2147483648"), seed("2147483648"));
    assert!(i32::try_from(seed("99999999999999999999999999")).is_ok());
}

#[test]
fn a_signature_of_thinking_closes_its_block() {
    let parts =
        r#"{"text":"a","thought":true,"thoughtSignature":"S1"},{"text":"b","thought":true},{"text":"c"}"#;
    assert_eq!(
        words(&decode(&[&frame(parts, STOP)])),
        [
            "start",
            "think 0 a",
            "sign 0 S1",
            "think 1 b",
            "text c",
            "finish stop"
        ]
    );
}

#[test]
fn a_signature_before_anything_is_said_waits() {
    let early = frame(r#"{"text":"","thoughtSignature":"S"}"#, "");
    assert_eq!(
        words(&decode(&[&early, &frame(r#"{"text":"a"}"#, STOP)])),
        ["start", "text a", "seal 0 S", "finish stop"]
    );
    assert_eq!(
        words(&decode(&[&early, &frame("", STOP)])),
        ["start", "finish stop"]
    );
}

#[test]
fn calls_without_an_id_get_one_of_the_response() {
    let parts = r#"{"functionCall":{"name":"f","args":{ "x" : 1 }},"thoughtSignature":"S"},{"functionCall":{"id":"own","name":"g"}},{"functionCall":{}}"#;
    assert_eq!(
        words(&decode(&[&frame(parts, STOP)])),
        [
            "start",
            "seal 0 S call_0_R",
            "call 0 call_0_R f",
            r#"args 0 {"x":1}"#,
            "call 1 own g",
            "args 1 {}",
            "finish tool_calls"
        ]
    );
}

#[test]
fn completion_tokens_that_are_left_out_at_the_end_are_zero() {
    let counts = |frames: &[&str]| {
        let mut report = UsageReport::default();
        for delta in decode(frames) {
            if let Delta::Usage(later) = delta {
                report.update(&later);
            }
        }
        report.unify(STUDIO.usage())
    };
    let end = r#"{"candidates":[{"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":9,"thoughtsTokenCount":60}}"#;
    assert_eq!((counts(&[end]).completion, counts(&[end]).reasoning), (60, 60));
    let more = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4}}"#;
    assert_eq!(counts(&[more, end]).completion, 64);
}

#[test]
fn an_error_after_the_reason_changes_nothing() {
    let error = r#"{"error":{"code":500,"message":"m","status":"INTERNAL"}}"#;
    let text = frame(r#"{"text":"a"}"#, STOP);
    for late in [error, "{", "[1]", "\u{fffd}"] {
        assert_eq!(
            words(&decode(&[&text, late, &text])),
            ["start", "text a", "finish stop"],
            "{late}"
        );
    }
    assert_eq!(words(&decode(&[error])), ["error ProviderUnavailable"]);
}

#[test]
fn a_response_without_a_reason_is_an_error() {
    for events in [
        &[][..],
        &["{}"],
        &[r#"{"candidates":[]}"#],
        &[r#"{"candidates":[{"content":{}}]}"#],
    ] {
        let found = words(&decode(events));
        assert_eq!(
            found.last().map(String::as_str),
            Some("error ProviderUnavailable"),
            "{events:?}"
        );
    }
}

#[test]
fn every_choice_needs_its_reason() {
    let other = r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}}]}"#;
    let found = words(&decode(&[&frame(r#"{"text":"a"}"#, STOP), other]));
    assert_eq!(found, ["start", "text a", "text b", "error ProviderUnavailable"]);
}

#[test]
fn choices_without_end_are_an_error() {
    let many: Vec<_> = (0..40).map(|index| format!(r#"{{"index":{index}}}"#)).collect();
    let body = format!(r#"{{"candidates":[{}]}}"#, many.join(","));
    assert_eq!(words(&decode(&[&body])), ["start", "error ProviderUnavailable"]);
}

#[test]
fn audio_and_images_are_counted_apart_from_what_the_cache_held_of_them() {
    let event = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":30,
        "cachedContentTokenCount":40,"promptTokensDetails":[{"modality":"TEXT","tokenCount":20},{"modality":"AUDIO","tokenCount":80}],
        "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":40}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":25},{"modality":3}]}}"#;
    let report = decode(&[event])
        .into_iter()
        .find_map(|delta| match delta {
            Delta::Usage(report) => Some(report),
            _ => None,
        })
        .unwrap();
    assert_eq!((report.audio_input, report.image_input), (Some(40), None));
    assert_eq!((report.audio_output, report.image_output), (None, Some(25)));
}

#[test]
fn reasons_have_unified_words() {
    for (native, reason) in [
        ("STOP", Finish::Stop),
        ("MAX_TOKENS", Finish::Length),
        ("SPII", Finish::ContentFilter),
        ("UNEXPECTED_TOOL_CALL", Finish::Error),
        ("SOMETHING_NEW", Finish::Stop),
    ] {
        assert_eq!(super::wire::finish(native, false), reason);
    }
    assert_eq!(super::wire::finish("STOP", true), Finish::ToolCalls);
}
