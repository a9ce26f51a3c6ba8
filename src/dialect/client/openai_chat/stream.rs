//! A streamed answer: `chat.completion.chunk`s or `text_completion`s, or a provider's own where it speaks the same dialect.

use super::mend::mended;
use super::shapes::{Detail, Form, Head, ImageBody, Name, shown};
use crate::chat::{Delta, Finish, Piece, Place, Usage};
use crate::dialect::client::encoder::{Answer, Encoder};
use crate::dialect::client::metadata::{member, metadata};
use crate::dialect::client::openai_error::ErrorBody;
use crate::dialect::client::usage::{UsageBody, priced};
use crate::error::Error;
use crate::json::{self, Members, Str};
use crate::wire::Frame;
use serde::Serialize;
use serde_json::value::RawValue;

/// Writes chunks.
#[derive(Debug)]
pub(super) struct Stream {
    answer: Answer,
    form: Form,
    /// `data: {` and the members that every chunk begins with.
    head: Vec<u8>,
    /// The choices whose first chunk, which names the role, was written.
    begun: Vec<u32>,
    /// Unnamed members for the next chunk, beside `choices` …
    response_members: Pending,
    /// … and beside the next `delta` of this choice.
    choice_members: (u32, Pending),
    /// A frame of the provider's that was passed on showed token counts.
    usage_shown: bool,
    done: bool,
}

/// How many unnamed members wait for a chunk to stand in; a chunk of their own is written for more.
const MAX_PENDING: usize = 64;

/// Unnamed members that wait for a chunk to stand in, each name once.
#[derive(Debug, Default)]
struct Pending(Vec<(String, Box<RawValue>)>);

impl Pending {
    fn set(&mut self, name: &str, value: &RawValue) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn is_full(&self) -> bool {
        self.0.len() >= MAX_PENDING
    }

    /// Writes the members, each after a comma.
    fn write(&mut self, out: &mut Vec<u8>) {
        for (name, value) in self.0.drain(..) {
            out.push(b',');
            member_line(out, &name, &value);
        }
    }
}

impl Stream {
    pub(super) fn new(answer: Answer, form: Form) -> Self {
        let mut head = b"data: ".to_vec();
        json::write(&mut head, &Head::new(&answer, form.chunk()));
        head.pop();
        Self {
            answer,
            form,
            head,
            begun: Vec::new(),
            response_members: Pending::default(),
            choice_members: (0, Pending::default()),
            usage_shown: false,
            done: false,
        }
    }

    /// Begins a chunk, up to and without `choices`.
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        self.response_members.write(out);
    }

    /// Writes a chunk without choices: token counts, how the request was routed, or unnamed members alone.
    fn bare_chunk(&mut self, usage: Option<&Usage>, is_last: bool, out: &mut Vec<u8>) {
        self.begin(out);
        out.extend_from_slice(b",\"choices\":[]");
        if let Some(usage) = usage {
            out.push(b',');
            member(out, "usage", &UsageBody::new(usage, &self.answer.rate));
        }
        if is_last {
            metadata(out, self.answer.metadata.as_deref());
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// Writes a chunk of one choice; `fill` writes the members of its delta, or its text.
    fn chunk(
        &mut self,
        choice: u32,
        finish: Option<(Finish, Option<&str>)>,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) {
        self.begin(out);
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        json::write(out, &choice);
        match self.form {
            Form::Chat => self.delta_of(choice, out, fill),
            Form::Completion => {
                out.push(b',');
                let before = out.len();
                fill(out);
                if out.len() == before {
                    member(out, self.form.text(), "");
                }
            }
        }
        out.extend_from_slice(b",\"finish_reason\":");
        json::write(out, &finish.map(|(reason, _)| reason.name()));
        out.extend_from_slice(b",\"native_finish_reason\":");
        json::write(out, &finish.and_then(|(_, native)| native));
        if self.choice_members.0 == choice {
            self.choice_members.1.write(out);
        }
        out.extend_from_slice(b"}]}\n\n");
    }

    fn delta_of(&mut self, choice: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(b",\"delta\":{");
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            out.extend_from_slice(b"\"role\":\"assistant\",");
        }
        let before = out.len();
        fill(out);
        if out.len() == before && out.last() == Some(&b',') {
            out.pop();
        }
        out.push(b'}');
    }

    fn piece(&mut self, choice: u32, piece: &Piece, out: &mut Vec<u8>) {
        let text_member = self.form.text();
        match piece {
            Piece::Text(text) => self.chunk(choice, None, out, |out| member(out, text_member, text)),
            // A chat has no vectors.
            Piece::Embedding(_) => {}
            Piece::Refusal(text) => self.chunk(choice, None, out, |out| member(out, "refusal", text)),
            Piece::Reasoning(reasoning) => self.chunk(choice, None, out, |out| {
                if let Some(text) = shown(reasoning) {
                    member(out, "reasoning", text);
                    out.push(b',');
                }
                member(out, "reasoning_details", &[Detail::new(reasoning)]);
            }),
            Piece::ToolCall { index, id, name } => {
                let call = CallStart {
                    index: *index,
                    id,
                    kind: "function",
                    function: Name { name, arguments: "" },
                };
                self.chunk(choice, None, out, |out| member(out, "tool_calls", &[call]));
            }
            Piece::ToolArguments { index, json } => {
                let call = CallMore {
                    index: *index,
                    function: Arguments { arguments: json },
                };
                self.chunk(choice, None, out, |out| member(out, "tool_calls", &[call]));
            }
            Piece::Image { url } => self.chunk(choice, None, out, |out| {
                member(out, "images", &[ImageBody::new(url)])
            }),
            Piece::Annotation(raw) => self.chunk(choice, None, out, |out| {
                out.extend_from_slice(b"\"annotations\":[");
                raw_line(out, raw);
                out.push(b']');
            }),
            Piece::Other {
                place: Place::Message,
                name,
                value,
            } => {
                self.chunk(choice, None, out, |out| member_line(out, name, value));
            }
            Piece::Other {
                place: Place::Choice,
                name,
                value,
            } => {
                if self.choice_members.0 != choice || self.choice_members.1.is_full() {
                    self.flush_choice_members(out);
                    self.choice_members.0 = choice;
                }
                self.choice_members.1.set(name, value);
            }
            Piece::Other {
                place: Place::Response,
                name,
                value,
            } => {
                if self.response_members.is_full() {
                    self.bare_chunk(None, false, out);
                }
                self.response_members.set(name, value);
            }
        }
    }

    fn flush_choice_members(&mut self, out: &mut Vec<u8>) {
        if !self.choice_members.1.0.is_empty() {
            self.chunk(self.choice_members.0, None, out, |_| {});
        }
    }
}

#[derive(Serialize)]
struct CallStart<'a> {
    index: u32,
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Name<'a>,
}

#[derive(Serialize)]
struct CallMore<'a> {
    index: u32,
    function: Arguments<'a>,
}

#[derive(Serialize)]
struct Arguments<'a> {
    arguments: &'a str,
}

/// Appends a value that may have line breaks between its tokens, on one line: a line break would end the `data:` line.
fn raw_line(out: &mut Vec<u8>, value: &RawValue) {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    out.extend(value.get().bytes().filter(|byte| !is_break(byte)));
}

/// A document on one line.
fn one_line(mut data: Vec<u8>) -> Vec<u8> {
    data.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    data
}

fn member_line(out: &mut Vec<u8>, name: &str, value: &RawValue) {
    json::write(out, name);
    out.push(b':');
    raw_line(out, value);
}

impl Encoder for Stream {
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn set_insured(&mut self, insured: bool) {
        self.answer.rate.insured = insured;
    }

    fn set_recounted(&mut self, recounted: bool) {
        self.answer.rate.recounted = recounted;
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { .. } | Delta::Vectors(_) | Delta::Usage(_) => {}
            Delta::Piece { choice, piece } => self.piece(choice, &piece, out),
            Delta::Finish {
                choice,
                reason,
                native,
            } => {
                self.chunk(choice, Some((reason, native.as_deref())), out, |_| {});
            }
            Delta::Error(error) => self.error(&error, out),
        }
    }

    fn forward(&mut self, frame: &Frame<'_>, deltas: &[Delta], usage: Option<&Usage>, out: &mut Vec<u8>) {
        // An event without data is no JSON to OpenAI's SDKs, which end over it, and nothing to a browser.
        if self.done || frame.data.is_empty() {
            return;
        }
        if frame.data == "[DONE]" {
            self.show_last(usage, out);
            self.done = true;
        }
        let mut mended = mended(frame.data, deltas);
        let data = mended.as_deref().unwrap_or(frame.data.as_bytes());
        // Token counts are for callers who asked for them, as we always do.
        if deltas.iter().any(|delta| matches!(delta, Delta::Usage(_)))
            && let Some(members) = Members::of_bytes(data)
        {
            let shows =
                |(name, raw): (Str<'_>, &RawValue)| &*name == "usage" && json::present(Some(raw)).is_some();
            if self.answer.include_usage {
                if members.iter().any(shows) {
                    self.usage_shown = true;
                    let priced = usage.and_then(|usage| priced(data, usage, &self.answer.rate));
                    mended = priced.map(one_line).or(mended);
                }
            } else if members.iter().any(shows) {
                let means_more = deltas.iter().any(|delta| !matches!(delta, Delta::Usage(_)));
                if means_more {
                    without_usage(&members, out);
                }
                return;
            }
        }
        if let Some(data) = mended {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&data);
            out.extend_from_slice(b"\n\n");
            return;
        }
        let lines = frame.raw.trim_end_matches(['\n', '\r']);
        out.extend_from_slice(lines.as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.begin(out);
        out.push(b',');
        member(out, "error", &ErrorBody::new(error, &[]));
        metadata(out, error.metadata.as_deref().map(|routed| &*routed.0));
        out.extend_from_slice(match self.form {
            Form::Chat => {
                b",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n"
                    .as_slice()
            }
            Form::Completion => {
                b",\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"error\"}]}\n\n"
            }
        });
    }

    fn finish(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.flush_choice_members(out);
        self.show_last(usage, out);
        if !self.response_members.0.is_empty() {
            self.bare_chunk(None, false, out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Stream {
    /// Writes the last chunk: token counts, if the caller asked for them and has not seen the provider's, and how the request
    /// was routed.
    fn show_last(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        let usage = usage.filter(|_| self.answer.include_usage && !self.usage_shown);
        if usage.is_some() || self.answer.metadata.is_some() {
            self.bare_chunk(usage, true, out);
        }
    }
}

/// Writes a provider's chunk anew, but for its token counts.
fn without_usage(members: &Members<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: {");
    let others = members.iter().filter(|(name, _)| &**name != "usage");
    for (at, (name, raw)) in others.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        member_line(out, &name, raw);
    }
    out.extend_from_slice(b"}\n\n");
}
