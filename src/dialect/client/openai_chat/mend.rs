//! Mends what a provider of the same dialect sends and OpenAI's clients cannot read, in a frame that else goes out as it
//! came: content that is an array of parts (Mistral's thinking), calls without an index, id or arguments, arguments as an
//! object, reasons for the end that only the provider knows, choices that are `null`. Thinking that is only in `reasoning_content`
//! (DeepSeek and most others, vLLM) is in `reasoning` too, where OpenRouter's callers read it.
//!
//! What was read of the frame stands in the place of what was odd; all other members keep their bytes.

use super::shapes::{Detail, ImageBody, shown};
use crate::chat::{Delta, Piece};
use crate::json::{self, Members, Shape};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The frame `data`, mended with what was read of it; `None` where nothing is odd, which is nearly always.
pub(super) fn mended(data: &str, deltas: &[Delta]) -> Option<Vec<u8>> {
    // Where nothing but counts was read, the choices may be `null`.
    let is_choice = |delta: &Delta| matches!(delta, Delta::Piece { .. } | Delta::Finish { .. });
    let is_usage = |delta: &Delta| matches!(delta, Delta::Usage(_));
    let may_be_null = deltas.iter().any(is_usage) && !deltas.iter().any(is_choice);
    if !may_be_null && !deltas.iter().any(may_be_odd) && !may_have_parts(data.as_bytes()) {
        return None;
    }
    // A frame that cannot be read has failed already.
    let members = Members::read(data).ok()?;
    let mut is_odd = false;
    let mut out = Vec::with_capacity(data.len().saturating_add(256));
    json::object(&mut out, members.iter(), &mut |out, name, raw| {
        if name == "choices" {
            is_odd |= json::shape(raw) == Shape::Null;
            list(out, (0..).zip(json::items(raw.get())), |out, at, raw| {
                is_odd |= choice(out, at, raw, deltas);
            });
        } else {
            out.extend_from_slice(raw.get().as_bytes());
        }
    });
    // Between tokens only: a line break would end the line of an event.
    out.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    is_odd.then_some(out)
}

/// Whether the frame that this was read of deserves a look.
fn may_be_odd(delta: &Delta) -> bool {
    match delta {
        Delta::Piece { piece, .. } => {
            matches!(
                piece,
                Piece::ToolCall { .. } | Piece::ToolArguments { .. } | Piece::Reasoning(_)
            )
        }
        Delta::Finish { native, reason, .. } => {
            native.as_deref().is_some_and(|native| native != reason.name())
        }
        Delta::Start { .. } | Delta::Vectors(_) | Delta::Usage(_) | Delta::Error(_) => false,
    }
}

/// Whether `"content"` is an array somewhere; that of probabilities is one too. Costs a look at every bracket.
fn may_have_parts(data: &[u8]) -> bool {
    json::positions(data, b'[').any(|at| {
        let head = data.get(..at).unwrap_or_default().trim_ascii_end();
        let name = head.strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        name.is_some_and(|name| name.ends_with(b"\"content\""))
    })
}

/// The reasons that OpenAI's clients know, OpenRouter's `error`, and none yet.
const REASONS: &[&str] = &[
    "",
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "function_call",
    "error",
];

/// Writes one choice; says whether anything was odd.
fn choice(out: &mut Vec<u8>, at: u64, raw: &RawValue, deltas: &[Delta]) -> bool {
    let members = Members::of(raw);
    let index = members.count("index").unwrap_or(at);
    let pieces: Vec<&Piece> = deltas
        .iter()
        .filter_map(|delta| match delta {
            Delta::Piece { choice, piece } if u64::from(*choice) == index => Some(piece),
            _ => None,
        })
        .collect();
    let native = members
        .text("finish_reason")
        .filter(|native| !REASONS.contains(&&**native));
    let reason = deltas.iter().find_map(|delta| match delta {
        Delta::Finish { choice, reason, .. } if u64::from(*choice) == index => Some(reason.name()),
        _ => None,
    });
    let reason = native.as_ref().and(reason);
    let mut is_odd = reason.is_some();
    json::object(out, members.iter(), &mut |out, name, raw| match (name, reason) {
        ("delta" | "message", _) if json::shape(raw) == Shape::Object => {
            is_odd |= message(out, raw, &pieces, name == "delta");
        }
        ("finish_reason", Some(reason)) => {
            json::write(out, reason);
            if members.get("native_finish_reason").is_none() {
                json::member(out, "native_finish_reason", |out| json::write(out, &native));
            }
        }
        _ => out.extend_from_slice(raw.get().as_bytes()),
    });
    is_odd
}

/// What stands beside parts and is written with them.
const BESIDE_PARTS: &[&str] = &[
    "annotations",
    "images",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
];

fn message(out: &mut Vec<u8>, raw: &RawValue, pieces: &[&Piece], streamed: bool) -> bool {
    let members = Members::of(raw);
    let has_parts = members
        .get("content")
        .is_some_and(|raw| json::shape(raw) == Shape::Array);
    let unheard = !has_parts
        && members.get("reasoning_content").is_some()
        && members.get("reasoning").is_none()
        && members.get("reasoning_details").is_none();
    let late = match members.items("tool_calls").next() {
        None => late(pieces),
        Some(_) => Vec::new(),
    };
    let mut is_odd = has_parts || !late.is_empty();
    let stays = |name: &str| match name {
        "tool_calls" => late.is_empty(),
        "reasoning" | "reasoning_details" if unheard => false,
        _ => !has_parts || !BESIDE_PARTS.contains(&name),
    };
    let staying = members.iter().filter(|(name, _)| stays(name));
    json::object(out, staying, &mut |out, name, raw| match name {
        "content" if has_parts => parts(out, pieces, streamed),
        "reasoning_content" if unheard => {
            out.extend_from_slice(raw.get().as_bytes());
            is_odd |= thoughts(out, pieces);
        }
        "tool_calls" if json::shape(raw) == Shape::Array => {
            let known = Known::of(pieces);
            list(out, (0..).zip(json::items(raw.get())), |out, at, raw| {
                is_odd |= call(out, at, raw, &known, streamed);
            });
        }
        _ => out.extend_from_slice(raw.get().as_bytes()),
    });
    if !late.is_empty() {
        out.pop();
        json::member(out, "tool_calls", |out| json::write(out, &late));
        out.push(b'}');
    }
    is_odd
}

/// What calls of earlier frames have for arguments, where the provider gave none until the end: clients parse them.
fn late<'a>(pieces: &[&'a Piece]) -> Vec<Late<'a>> {
    let late = |piece: &&'a Piece| match piece {
        Piece::ToolArguments { index, json } => Some(Late {
            index: *index,
            function: Arguments { arguments: json },
        }),
        _ => None,
    };
    pieces.iter().filter_map(late).collect()
}

#[derive(Serialize)]
struct Late<'a> {
    index: u32,
    function: Arguments<'a>,
}

#[derive(Serialize)]
struct Arguments<'a> {
    arguments: &'a str,
}

/// Writes the members that hold thinking; says whether there is any.
fn thoughts(out: &mut Vec<u8>, pieces: &[&Piece]) -> bool {
    let mut thought = String::new();
    let mut details = Vec::new();
    for piece in pieces {
        if let Piece::Reasoning(reasoning) = piece {
            thought.push_str(shown(reasoning).map_or("", String::as_str));
            details.push(Detail::new(reasoning));
        }
    }
    if !thought.is_empty() {
        json::member(out, "reasoning", |out| json::write(out, &thought));
    }
    beside(out, "reasoning_details", &details);
    !details.is_empty()
}

/// Writes the value of `content`, and after it the members that hold what is no text.
fn parts(out: &mut Vec<u8>, pieces: &[&Piece], streamed: bool) {
    let mut text = String::new();
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(more) => text.push_str(more),
            Piece::Image { url } => images.push(ImageBody::new(url)),
            Piece::Annotation(raw) => annotations.push(raw),
            Piece::Reasoning(_)
            | Piece::Refusal(_)
            | Piece::Embedding(_)
            | Piece::ToolCall { .. }
            | Piece::ToolArguments { .. }
            | Piece::Other { .. } => {}
        }
    }
    json::write(out, &Some(&text).filter(|text| streamed || !text.is_empty()));
    thoughts(out, pieces);
    beside(out, "images", &images);
    beside(out, "annotations", &annotations);
}

fn beside<T: Serialize>(out: &mut Vec<u8>, name: &str, items: &[T]) {
    if !items.is_empty() {
        json::member(out, name, |out| json::write(out, items));
    }
}

/// The calls of the pieces, to be looked up: searching the pieces for each call would take the square of their number.
struct Known<'a> {
    ids: BTreeMap<u64, &'a String>,
    indices: BTreeMap<&'a str, u64>,
    arguments: BTreeMap<u64, String>,
}

impl<'a> Known<'a> {
    fn of(pieces: &[&'a Piece]) -> Self {
        let mut known = Self {
            ids: BTreeMap::new(),
            indices: BTreeMap::new(),
            arguments: BTreeMap::new(),
        };
        for piece in pieces {
            match piece {
                // The first of each counts.
                Piece::ToolCall { index, id, .. } => {
                    known.ids.entry(u64::from(*index)).or_insert(id);
                    known.indices.entry(id).or_insert(u64::from(*index));
                }
                Piece::ToolArguments { index, json } => {
                    let arguments = known.arguments.entry(u64::from(*index)).or_default();
                    arguments.push_str(json);
                }
                _ => {}
            }
        }
        known
    }
}

/// Writes one call; says whether anything was odd.
fn call(out: &mut Vec<u8>, at: u64, raw: &RawValue, known: &Known<'_>, streamed: bool) -> bool {
    let members = Members::of(raw);
    let own_index = members.count("index");
    let own_id = members.text("id").filter(|id| !id.is_empty());
    let begun = match (own_index, own_id.as_deref()) {
        (Some(index), _) => Some(index),
        (None, Some(id)) => known.indices.get(id).copied(),
        (None, None) => Some(at),
    };
    let index = begun.unwrap_or(at);
    let function = members.get("function").map(Members::of).unwrap_or_default();
    let is_text = function
        .get("arguments")
        .is_some_and(|raw| json::shape(raw) == Shape::String && raw.get() != "\"\"");
    let arguments = known.arguments.get(&index);
    let arguments = arguments.filter(|text| !is_text && !text.is_empty());
    let id = known.ids.get(&index).filter(|_| own_id.is_none());
    let index = Some(index).filter(|_| streamed && own_index.is_none());
    if index.is_none() && id.is_none() && arguments.is_none() {
        out.extend_from_slice(raw.get().as_bytes());
        return false;
    }
    out.push(b'{');
    if let Some(index) = index {
        json::member(out, "index", |out| json::write(out, &index));
    }
    for (name, raw) in members.iter() {
        match (&*name, arguments) {
            ("id", _) if id.is_some() => {}
            ("function", Some(text)) => json::member(out, &name, |out| {
                out.push(b'{');
                for (name, raw) in function.iter().filter(|(name, _)| &**name != "arguments") {
                    json::member(out, &name, |out| out.extend_from_slice(raw.get().as_bytes()));
                }
                json::member(out, "arguments", |out| json::write(out, text));
                out.push(b'}');
            }),
            _ => json::member(out, &name, |out| out.extend_from_slice(raw.get().as_bytes())),
        }
    }
    if let Some(id) = id {
        json::member(out, "id", |out| json::write(out, id));
    }
    out.push(b'}');
    true
}

fn list<'a>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = (u64, &'a RawValue)>,
    mut item: impl FnMut(&mut Vec<u8>, u64, &RawValue),
) {
    out.push(b'[');
    for (at, raw) in items {
        if at > 0 {
            out.push(b',');
        }
        item(out, at, raw);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Fidelity, find};
    use crate::test;

    /// What becomes of a buffered answer.
    fn check(data: &str, expected: Option<&str>) {
        let mut deltas = Vec::new();
        let dialect = find("openai-chat").unwrap();
        dialect.decode_buffered(data, Fidelity::Metering, &mut deltas);
        let found = mended(data, &deltas);
        assert_eq!(
            found.map(|bytes| String::from_utf8(bytes).unwrap()).as_deref(),
            expected
        );
    }

    fn message(message: &str) -> String {
        format!(r#"{{"created":1.0,"choices":[{{"message":{message},"finish_reason":"stop"}}]}}"#)
    }

    #[test]
    fn what_is_not_odd_stays() {
        for text in [
            r#"{"content":"\"content\":[1]"}"#,
            r#"{"content":"a","logprobs":{"content":[]}}"#,
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
        ] {
            check(&message(text), None);
        }
        assert!(!may_have_parts(b"[[[ : [\"content\"["));
        assert!(may_have_parts(b"\"content\" :\n ["));
    }

    #[test]
    fn parts_become_text_and_what_stands_beside_it() {
        check(
            &message(
                r#"{"role":"assistant","content":[{"type":"reference","reference_ids":[2]}, 7],"x":[1.0]}"#,
            ),
            Some(&message(
                r#"{"role":"assistant","content":null,"annotations":[{"type":"reference","reference_ids":[2]}],"x":[1.0]}"#,
            )),
        );
    }

    #[test]
    fn a_reason_that_nobody_knows_becomes_ours_and_stays_beside_it() {
        check(
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"model_length","x":1.0}]}"#,
            Some(
                r#"{"choices":[{"message":{"content":"a"},"finish_reason":"length","native_finish_reason":"model_length","x":1.0}]}"#,
            ),
        );
        check(
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop","native_finish_reason":"end_turn"}]}"#,
            None,
        );
    }

    #[test]
    fn a_call_without_arguments_gets_an_empty_object() {
        for none in ["", r#","arguments":"""#, r#","arguments":null"#] {
            check(
                &message(&format!(
                    r#"{{"tool_calls":[{{"id":"a","function":{{"name":"f"{none}}}}}]}}"#
                )),
                Some(&message(
                    r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
                )),
            );
        }
    }

    #[test]
    fn only_what_is_odd_of_a_call_changes() {
        check(
            &message(r#"{"tool_calls":[{"extra":{"s":1.0},"function":{"name":"f","arguments":{"a": 1}}}]}"#),
            Some(&message(
                r#"{"tool_calls":[{"extra":{"s":1.0},"function":{"name":"f","arguments":"{\"a\": 1}"},"id":"call_0_0"}]}"#,
            )),
        );
    }
}
