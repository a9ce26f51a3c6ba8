use super::*;
use crate::chat::{Finish, Folded, Place, UsageReport};
use crate::json;
use crate::test;

const EMAIL: &str = r"[\w.+-]+@[\w-]+\.[\w.]+";
const CARD: &str = r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}";
const KEY: &str = "sk-[A-Za-z0-9]{20,}";

fn rule(pattern: &str, mask: &str) -> Rule {
    Rule {
        pattern: pattern.to_owned(),
        literal: false,
        mask: mask.to_owned(),
    }
}

fn stage() -> Box<dyn ResponseStage> {
    let rules = vec![
        rule(EMAIL, "[mail]"),
        rule(CARD, "[card]"),
        rule(KEY, DEFAULT_MASK),
    ];
    let request = Request::parse(b"{}".to_vec()).unwrap();
    Redact::new(rules).unwrap().response(&request).unwrap()
}

fn text(choice: u32, text: &str) -> Delta {
    Delta::Piece {
        choice,
        piece: Piece::Text(text.to_owned()),
    }
}

fn piece(piece: Piece) -> Delta {
    Delta::Piece { choice: 0, piece }
}

fn thinking(index: u32, text: &str) -> Delta {
    piece(Piece::Reasoning(Reasoning::Text {
        index,
        text: text.to_owned(),
        format: Format::Anthropic,
    }))
}

fn arguments(index: u32, json: &str) -> Delta {
    piece(Piece::ToolArguments {
        index,
        json: json.to_owned(),
    })
}

fn call(index: u32) -> Delta {
    piece(Piece::ToolCall {
        index,
        id: "id".to_owned(),
        name: "f".to_owned(),
    })
}

fn annotation() -> Delta {
    piece(Piece::Annotation(json::to_raw("url")))
}

fn finish(choice: u32) -> Delta {
    Delta::Finish {
        choice,
        reason: Finish::Stop,
        native: None,
    }
}

/// One line per delta that comes out; `|` stands where `finish` was called.
fn lines(deltas: impl IntoIterator<Item = Delta>) -> Vec<String> {
    let mut stage = stage();
    let mut out = Vec::new();
    for delta in deltas {
        assert!(matches!(stage.delta(delta, &mut out), Verdict::Continue));
    }
    let before = out.len();
    assert!(matches!(stage.finish(&mut out), Verdict::Continue));
    let mut lines: Vec<_> = out.iter().map(line).collect();
    if lines.len() > before {
        lines.insert(before, "|".to_owned());
    }
    lines
}

fn line(delta: &Delta) -> String {
    let Delta::Piece { choice, piece } = delta else {
        return match delta {
            Delta::Finish { choice, .. } => format!("{choice} finish"),
            Delta::Vectors(_) => "vectors".to_owned(),
            Delta::Usage(_) => "usage".to_owned(),
            Delta::Error(_) => "error".to_owned(),
            _ => "start".to_owned(),
        };
    };
    let piece = match piece {
        Piece::Text(text) => format!("text {text}"),
        Piece::Refusal(text) => format!("refusal {text}"),
        Piece::Reasoning(Reasoning::Text { index, text, .. }) => format!("thinking {index} {text}"),
        Piece::Reasoning(Reasoning::Summary { index, text, .. }) => format!("summary {index} {text}"),
        Piece::Reasoning(Reasoning::Signature { index, .. }) => format!("signature {index}"),
        Piece::Reasoning(Reasoning::Encrypted { index, .. }) => format!("encrypted {index}"),
        Piece::ToolCall { index, .. } => format!("call {index}"),
        Piece::ToolArguments { index, json } => format!("arguments {index} {json}"),
        Piece::Image { .. } => "image".to_owned(),
        Piece::Embedding(_) => "embedding".to_owned(),
        Piece::Annotation(_) => "annotation".to_owned(),
        Piece::Other { name, .. } => format!("other {name}"),
    };
    format!("{choice} {piece}")
}

fn check(deltas: impl IntoIterator<Item = Delta>, expected: &[&str]) {
    assert_eq!(lines(deltas), expected);
}

/// The arguments that come out, whole, cut in two everywhere, and character by character: all the same.
fn masked_arguments(json: &str) -> String {
    let folded = |pieces: &[&str]| {
        let mut stage = stage();
        let mut out = Vec::new();
        for piece in pieces {
            stage.delta(arguments(0, piece), &mut out);
        }
        stage.finish(&mut out);
        let mut folded = Folded::default();
        out.into_iter().for_each(|delta| folded.push(delta));
        folded
            .choices
            .remove(&0)
            .and_then(|mut choice| choice.calls.remove(&0))
            .unwrap_or_default()
            .arguments
    };
    let whole = folded(&[json]);
    for (at, _) in json.char_indices() {
        let (head, tail) = json.split_at(at);
        assert_eq!(folded(&[head, tail]), whole, "{json} cut at {at}");
    }
    let single: Vec<_> = json.split_inclusive(|_| true).collect();
    assert_eq!(folded(&single), whole, "{json} by characters");
    whole
}

#[test]
fn a_match_that_straddles_deltas_is_masked() {
    check(
        [
            text(0, "Card 4111 11"),
            text(0, "11 1111 11"),
            text(0, "11, thanks "),
        ],
        &["0 text Card ", "0 text [card], thanks "],
    );
    check(
        [text(0, "key sk-abcdefghij"), text(0, "0123456789")],
        &["0 text key ", "|", "0 text [redacted]"],
    );
}

#[test]
fn what_was_held_goes_out_before_anything_that_came_later() {
    check(
        [
            thinking(0, "a"),
            thinking(1, "b"),
            piece(Piece::Reasoning(Reasoning::Signature {
                index: 1,
                signature: String::new(),
                format: Format::Anthropic,
            })),
            text(0, "c@d.e"),
            piece(Piece::Refusal("f".to_owned())),
            piece(Piece::Reasoning(Reasoning::Summary {
                index: 0,
                text: "g".to_owned(),
                format: Format::Unknown,
            })),
            piece(Piece::Image { url: String::new() }),
            text(0, "h"),
            call(0),
            arguments(0, "\"i"),
            call(1),
            arguments(1, "\"j"),
            finish(0),
        ],
        &[
            "0 thinking 0 a",
            "0 thinking 1 b",
            "0 signature 1",
            "0 text [mail]",
            "0 refusal f",
            "0 summary 0 g",
            "0 image",
            "0 text h",
            "0 call 0",
            "0 arguments 0 \"",
            "0 arguments 0 i",
            "0 call 1",
            "0 arguments 1 \"",
            "0 arguments 1 j",
            "0 finish",
        ],
    );
}

#[test]
fn usage_start_and_unnamed_members_flush_nothing() {
    let other = Piece::Other {
        place: Place::Response,
        name: "obfuscation".to_owned(),
        value: json::to_raw("x"),
    };
    check(
        [
            text(0, "me@"),
            Delta::Usage(UsageReport::default()),
            Delta::Start {
                id: None,
                model: None,
            },
            piece(other),
            text(0, "b.c"),
        ],
        &["usage", "start", "0 other obfuscation", "|", "0 text [mail]"],
    );
}

#[test]
fn an_empty_delta_passes_and_flushes_nothing() {
    check(
        [text(0, "me@"), thinking(0, ""), text(0, ""), text(0, "b.c")],
        &["0 thinking 0 ", "0 text ", "|", "0 text [mail]"],
    );
}

#[test]
fn choices_do_not_disturb_each_other() {
    check(
        [
            text(0, "me@"),
            text(1, "you@"),
            text(0, "a.b "),
            finish(0),
            text(1, "a.b "),
            finish(1),
        ],
        &["0 text [mail] ", "0 finish", "1 text [mail] ", "1 finish"],
    );
}

#[test]
fn an_error_flushes_every_choice() {
    let error = Delta::Error(Error::new(Kind::ProviderOverloaded, "x"));
    check(
        [text(1, "b"), text(0, "a"), error],
        &["0 text a", "1 text b", "error"],
    );
}

#[test]
fn an_annotation_follows_the_text_it_stands_behind() {
    check(
        [
            annotation(),
            text(0, "see x"),
            annotation(),
            text(0, "y "),
            annotation(),
        ],
        &[
            "0 annotation",
            "0 text see ",
            "0 text xy ",
            "0 annotation",
            "0 annotation",
        ],
    );
    let many = std::iter::repeat_with(annotation).take(MAX_BEHIND + 1);
    let lines = lines([text(0, "x")].into_iter().chain(many).chain([finish(0)]));
    assert_eq!(lines.iter().position(|line| line == "0 text x"), Some(1));
    assert_eq!(lines.len(), MAX_BEHIND + 3);
}

#[test]
fn logprobs_do_not_give_away_what_was_masked() {
    let logprobs = Piece::Other {
        place: Place::Choice,
        name: "logprobs".to_owned(),
        value: json::to_raw("x"),
    };
    check([text(0, "a "), piece(logprobs)], &["0 text a "]);
}

#[test]
fn a_delta_in_which_nothing_can_match_is_not_even_copied() {
    let request = Request::parse(b"{}".to_vec()).unwrap();
    let mut stage = Redact::new(vec![rule(CARD, "")])
        .unwrap()
        .response(&request)
        .unwrap();
    let original = "No digits in here.".to_owned();
    let address = original.as_ptr();
    let mut out = Vec::new();
    stage.delta(piece(Piece::Text(original)), &mut out);
    let Some(Delta::Piece {
        piece: Piece::Text(passed),
        ..
    }) = out.first()
    else {
        panic!("{out:?}")
    };
    assert_eq!(
        (passed.as_ptr(), passed.as_str()),
        (address, "No digits in here.")
    );
}

#[test]
fn a_delta_of_which_nothing_is_left_is_dropped() {
    let request = Request::parse(b"{}".to_vec()).unwrap();
    let mut stage = Redact::new(vec![rule("a+", "")])
        .unwrap()
        .response(&request)
        .unwrap();
    let mut out = Vec::new();
    stage.delta(text(0, "aaa"), &mut out);
    stage.delta(text(0, "aa"), &mut out);
    stage.finish(&mut out);
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn masked_arguments_stay_json_and_keep_their_spelling() {
    for (json, expected) in [
        (
            r#"{"to":"a@b.c","cc":[ "x", "d@e.f" ]}"#,
            r#"{"to":"[mail]","cc":[ "x", "[mail]" ]}"#,
        ),
        (
            r#"{"text":"to:\na@b.c\u0020\u00e9\/"}"#,
            r#"{"text":"to:\n[mail]\u0020\u00e9\/"}"#,
        ),
        (
            r#"{"text":"\u00e9\u0040b.c\"a@b.c\\"}"#,
            r#"{"text":"[mail]\"[mail]\\"}"#,
        ),
        (
            r#"{"card":4111111111111111, "n":-1.50e3}"#,
            r#"{"card":"[card]", "n":-1.50e3}"#,
        ),
        (r#"[true,4111111111111111.5,null]"#, r#"[true,"[card].5",null]"#),
        (
            r#"{"a":"4111","b":"1111","c":11111111}"#,
            r#"{"a":"4111","b":"1111","c":11111111}"#,
        ),
        ("4111111111111111", r#""[card]""#),
        (r#"{"a@b.c":{}}"#, r#"{"[mail]":{}}"#),
    ] {
        let masked = masked_arguments(json);
        assert_eq!(masked, expected);
        assert!(
            serde_json::from_str::<serde_json::Value>(&masked).is_ok(),
            "{masked}"
        );
    }
}

#[test]
fn what_is_no_json_is_masked_too() {
    assert_eq!(masked_arguments("{'to': a@b.c"), "{'to': \"[mail]\"");
    assert_eq!(masked_arguments(r#"{"to":"a@b.c"#), r#"{"to":"[mail]"#);
    assert_eq!(masked_arguments(r#"{"to":"a@b.c\"#), r#"{"to":"[mail]\"#);
}

#[test]
fn a_number_without_end_is_decided_at_the_limit() {
    let digits = "1".repeat(1_500);
    let mut stage = stage();
    let mut out = Vec::new();
    stage.delta(arguments(0, &format!("[{digits}")), &mut out);
    stage.delta(arguments(0, "22,x"), &mut out);
    stage.finish(&mut out);
    let lines: Vec<_> = out.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            format!("0 arguments 0 [\"{}\"", "[card]".repeat(64)),
            "0 arguments 0 ,".to_owned(),
            "0 arguments 0 x".to_owned(),
        ]
    );
}

#[test]
fn calls_that_take_turns_stay_json() {
    check(
        [
            arguments(0, r#"{"a":"x "#),
            arguments(1, r#"{"b":1"#),
            arguments(0, r#"a@b.c"}"#),
            arguments(1, "}"),
        ],
        &[
            r#"0 arguments 0 {"a":"x "#,
            r#"0 arguments 1 {"b":"#,
            "0 arguments 1 1",
            r#"0 arguments 0 [mail]"}"#,
            "0 arguments 1 }",
        ],
    );
}

#[test]
fn too_many_choices_at_once_end_the_exchange() {
    let mut stage = stage();
    let mut out = Vec::new();
    for choice in 0..128 {
        assert!(matches!(
            stage.delta(text(choice, "a"), &mut out),
            Verdict::Continue
        ));
    }
    assert!(matches!(
        stage.delta(text(128, "a"), &mut out),
        Verdict::Reject(_)
    ));
    stage.delta(finish(7), &mut out);
    assert!(matches!(stage.delta(text(128, "a"), &mut out), Verdict::Continue));
}

#[test]
fn every_wrong_rule_is_reported_at_once() {
    let literal = Rule {
        pattern: "a(".to_owned(),
        literal: true,
        mask: String::new(),
    };
    let errors = Redact::new(vec![rule("a", "\""), literal, rule("(", "\n"), rule("[", "x")]).unwrap_err();
    let mask = "the mask holds a quote, a backslash or a control character; leave those out";
    let expected = [
        (0, mask),
        (2, mask),
        (2, "unclosed group at 0"),
        (3, "unclosed class at 0"),
    ];
    assert_eq!(
        errors,
        expected.map(|(index, message)| (index, message.to_owned()))
    );
}

#[test]
fn a_literal_means_itself() {
    let rule = Rule {
        pattern: "a.b*".to_owned(),
        literal: true,
        mask: "x".to_owned(),
    };
    let request = Request::parse(b"{}".to_vec()).unwrap();
    let mut stage = Redact::new(vec![rule]).unwrap().response(&request).unwrap();
    let mut out = Vec::new();
    stage.delta(text(0, "axb a.b*"), &mut out);
    assert_eq!(out.iter().map(line).collect::<Vec<_>>(), ["0 text axb x"]);
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            "[a@. \\\\\"\n\u{1f600}é]{0,8}",
            Just("a@b.cd".to_owned()),
            "[0-9 -]{15,20}"
        ];
        let string = (text, any::<bool>()).prop_map(|(text, is_escaped)| match is_escaped {
            false => serde_json::to_string(&text).unwrap(),
            true => format!(
                "\"{}\"",
                text.encode_utf16()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>()
            ),
        });
        let leaf = prop_oneof![string.clone(), "-?[1-9][0-9]{0,20}", Just("null".to_owned())];
        leaf.prop_recursive(3, 12, 3, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3)
                    .prop_map(|all| format!("[{}]", all.join(", "))),
                (string.clone(), inner).prop_map(|(name, value)| format!("{{{name}: {value}}}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_stays_json_and_holds_no_secret(json in json()) {
            let masked = masked_arguments(&json);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{} -> {}", json, masked);
            prop_assert!(!masked.contains("a@b.c"));
        }
    }
}
