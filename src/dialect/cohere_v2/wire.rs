//! What Cohere's words and counts mean: <https://docs.cohere.com/reference/chat>.

use crate::chat::{Finish, UsageReport};
use crate::dialect::shared::citations::Source;
use crate::dialect::shared::logprobs;
use crate::json::{self, Members, Str};
use serde::Serialize;
use serde_json::value::RawValue;

/// The counts of a response.
///
/// Cohere counts twice: `tokens` are all that the model read and wrote, `billed_units` those that are paid for, which
/// leaves out what Cohere itself puts around a prompt and the marks that a model writes between its words:
/// <https://docs.cohere.com/docs/how-does-cohere-pricing-work>. What a caller sees is what is billed, so that price
/// times tokens is the bill.
///
/// `cached_tokens` belong to `tokens`, and are often more than were billed. What is cached is the beginning of a prompt,
/// so of the billed ones no more is sure than what is left of it without the ones that are not billed.
pub(super) fn usage(raw: &RawValue) -> UsageReport {
    let members = Members::of(raw);
    let part = |name| members.get(name).map(Members::of).unwrap_or_default();
    let (billed, all) = (part("billed_units"), part("tokens"));
    let all_input = all.count("input_tokens");
    let input = billed.count("input_tokens").or(all_input);
    let free = all_input.unwrap_or(0).saturating_sub(input.unwrap_or(0));
    UsageReport {
        input,
        output: billed
            .count("output_tokens")
            .or_else(|| all.count("output_tokens")),
        cache_read: members
            .count("cached_tokens")
            .map(|cached| cached.saturating_sub(free).min(input.unwrap_or(0))),
        ..UsageReport::default()
    }
}

/// The unified word for a `finish_reason`. One that is not known yet is a plain end; its own word goes along.
pub(super) fn finish(reason: &str) -> Finish {
    match reason {
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR" | "TIMEOUT" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// The annotations of one citation, one for each of its sources: documents of the caller's, and results of tools. A
/// source that names no address of its own gets its id as one.
///
/// What is cited in thinking or in a plan has no place in the text.
pub(super) fn annotations(citation: &RawValue) -> Vec<Box<RawValue>> {
    let citation = Members::of(citation);
    if citation.text("type").is_some_and(|kind| &*kind != "TEXT_CONTENT") {
        return Vec::new();
    }
    let position = |name| {
        let count = citation.count(name).unwrap_or(0);
        usize::try_from(count).unwrap_or(usize::MAX)
    };
    let (start, end) = (position("start"), position("end"));
    citation
        .items("sources")
        .into_iter()
        .filter_map(|raw| Some(source(raw)?.annotation(start, end)))
        .collect()
}

/// `None` for a source without a name.
fn source(raw: &RawValue) -> Option<Source> {
    let source = Members::of(raw);
    let output = source.get("tool_output");
    let document = source
        .get("document")
        .or(output)
        .map(Members::of)
        .unwrap_or_default();
    let filled = |name| document.text(name).filter(|text| !text.is_empty());
    let id = source.text("id").or_else(|| document.text("id"));
    let url = filled("url").map(Str::into_string);
    let content = filled("text").or_else(|| filled("snippet"));
    Some(Source {
        url: url.or_else(|| Some(format!("source:{}", &*id?)))?,
        title: filled("title").map(Str::into_string),
        content: content
            .map(Str::into_string)
            .or_else(|| output.map(json::compact)),
    })
}

#[derive(Serialize)]
struct Token<'a> {
    token: Str<'a>,
    logprob: f64,
    bytes: Vec<u8>,
    top_logprobs: [(); 0],
}

/// The probabilities of pieces of text in OpenAI's form. A piece may be several tokens, whose texts Cohere does not tell
/// apart: it is as probable as all of them together. `None` when there are none.
pub(super) fn logprobs<'a>(items: impl Iterator<Item = &'a RawValue>) -> Option<Box<RawValue>> {
    logprobs::unified(items.map(token))
}

fn token(raw: &RawValue) -> Token<'_> {
    let item = Members::of(raw);
    let token = item.text("text").unwrap_or_default();
    let each = item.items("logprobs").into_iter();
    Token {
        bytes: token.as_bytes().to_vec(),
        token,
        // What is no number adds nothing.
        logprob: each.filter_map(|raw| raw.get().parse::<f64>().ok()).sum(),
        top_logprobs: [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;
    use std::iter;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn what_is_billed_is_what_is_counted() {
        let report = usage(&raw(
            r#"{"billed_units":{"input_tokens":119.0,"output_tokens":44},"tokens":{"input_tokens":1549,"output_tokens":95},"cached_tokens":1504}"#,
        ));
        assert_eq!((report.input, report.output), (Some(119), Some(44)));
        // Of the 1504 at the beginning, 1430 are Cohere's own.
        assert_eq!(report.cache_read, Some(74));
    }

    #[test]
    fn no_more_is_cached_than_is_billed() {
        for (cached, billed) in [(448, 0), (495, 0), (496, 1), (500, 5), (9_999, 5)] {
            let report = usage(&raw(&format!(
                r#"{{"billed_units":{{"input_tokens":5}},"tokens":{{"input_tokens":500}},"cached_tokens":{cached}}}"#
            )));
            assert_eq!(report.cache_read, Some(billed), "{cached}");
        }
    }

    #[test]
    fn without_billed_units_all_tokens_count() {
        let report = usage(&raw(
            r#"{"tokens":{"input_tokens":7,"output_tokens":3},"cached_tokens":2}"#,
        ));
        assert_eq!(
            (report.input, report.output, report.cache_read),
            (Some(7), Some(3), Some(2))
        );
        assert_eq!(usage(&raw("{}")), UsageReport::default());
        assert_eq!(usage(&raw("[1]")), UsageReport::default());
    }

    #[test]
    fn reasons_have_unified_words() {
        for (native, reason) in [
            ("COMPLETE", Finish::Stop),
            ("STOP_SEQUENCE", Finish::Stop),
            ("MAX_TOKENS", Finish::Length),
            ("TOOL_CALL", Finish::ToolCalls),
            ("ERROR", Finish::Error),
            ("TIMEOUT", Finish::Error),
            ("SOMETHING_NEW", Finish::Stop),
        ] {
            assert_eq!(finish(native), reason);
        }
    }

    #[test]
    fn every_source_of_a_citation_is_an_annotation() {
        let found = annotations(&raw(
            r#"{"start":2,"end":5,"text":"abc","type":"TEXT_CONTENT","sources":[
                {"type":"document","id":"doc:0","document":{"id":"doc:0","snippet":"S","title":"T","url":"https://a.example/"}},
                {"type":"tool","id":"f_1:0","tool_output":{"x": 1}},
                {"type":"document"}]}"#,
        ));
        let found: Vec<_> = found.iter().map(|raw| raw.get()).collect();
        assert_eq!(
            found,
            [
                r#"{"type":"url_citation","url_citation":{"url":"https://a.example/","title":"T","content":"S","start_index":2,"end_index":5}}"#,
                r#"{"type":"url_citation","url_citation":{"url":"source:f_1:0","content":"{\"x\":1}","start_index":2,"end_index":5}}"#,
            ]
        );
        let thought = r#"{"start":0,"end":1,"type":"THINKING_CONTENT","sources":[{"id":"doc:0"}]}"#;
        assert!(annotations(&raw(thought)).is_empty());
    }

    #[test]
    fn a_piece_of_several_tokens_is_as_probable_as_all_of_them() {
        let (one, two) = (
            raw(r#"{"text":"é","token_ids":[5],"logprobs":[-0.25]}"#),
            raw(r#"{"text":"ab","token_ids":[6,7],"logprobs":[-0.5,-1.5]}"#),
        );
        assert_eq!(
            logprobs([&*one, &*two].into_iter()).unwrap().get(),
            r#"{"content":[{"token":"é","logprob":-0.25,"bytes":[195,169],"top_logprobs":[]},{"token":"ab","logprob":-2.0,"bytes":[97,98],"top_logprobs":[]}]}"#
        );
        assert!(logprobs(iter::empty()).is_none());
    }
}
