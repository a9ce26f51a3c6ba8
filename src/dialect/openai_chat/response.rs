//! What an OpenAI-compatible provider answers to chats and completions, buffered and streamed, as deltas.

use super::super::shared::openai_error;
use super::super::{Decoder, Fidelity};
use super::parts::{content, reasoning, thought};
use super::wire::{
    CHOICE_MEMBERS, COMPLETION_MEMBERS, Choice, MESSAGE_MEMBERS, Message, RESPONSE_MEMBERS, Response,
    ToolCall, Usage,
};
use crate::caps;
use crate::chat::{Delta, Finish, Piece, Place};
use crate::error::{Error, Kind};
use crate::json::{self, Listed, Members, Shape, Str};
use crate::wire::Frame;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Where the text of a choice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextIn {
    /// In its `message` or `delta`, as a chat's does. Together repeats it beside them.
    Message,
    /// In the choice itself, as a completion's does.
    Choice,
}

/// The most choices of one response: OpenAI's limit on `n`. What is kept of a stream grows with them.
const MAX_CHOICES: u32 = 128;
/// The most tool calls of one response, for the same reason.
const MAX_CALLS: usize = 1_024;

/// Reads a stream of `chat.completion.chunk`s.
#[derive(Debug)]
pub(super) struct StreamDecoder {
    reader: Reader,
    ended: bool,
}

impl StreamDecoder {
    pub(super) fn new(text_in: TextIn, fidelity: Fidelity) -> Self {
        Self {
            reader: Reader::new(text_in, fidelity),
            ended: false,
        }
    }
}

impl Decoder for StreamDecoder {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        if self.ended || frame.data.is_empty() {
            return;
        }
        if frame.data == "[DONE]" {
            // A stream that says it is done without ever giving a reason is taken at its word, if it said anything.
            if self.reader.started {
                self.ended = true;
                self.reader.close(out);
            }
            return;
        }
        if frame.event == "error" {
            out.push(Delta::Error(openai_error::of_event(frame.data)));
        } else {
            self.reader.read(frame.data, out);
        }
        self.ended = matches!(out.last(), Some(Delta::Error(_)));
    }

    fn is_done(&self) -> bool {
        self.ended
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        if self.ended {
            return;
        }
        self.ended = true;
        if self.reader.finished {
            self.reader.close(out);
        } else {
            out.push(Delta::Error(Error::new(
                Kind::ProviderUnavailable,
                "the provider's stream ended before the completion did",
            )));
        }
    }
}

/// Reads a whole `chat.completion` or `text_completion`.
pub(super) fn decode_buffered(body: &str, text_in: TextIn, fidelity: Fidelity, out: &mut Vec<Delta>) {
    let mut reader = Reader::new(text_in, fidelity);
    reader.read(body, out);
    if !matches!(out.last(), Some(Delta::Error(_))) {
        reader.close(out);
    }
}

#[derive(Debug)]
struct Reader {
    text_in: TextIn,
    fidelity: Fidelity,
    started: bool,
    /// A `finish_reason` was seen.
    finished: bool,
    /// Tool calls that have begun, by choice and index; the value says whether arguments came.
    calls: BTreeMap<(u32, u32), bool>,
}

impl Reader {
    const fn new(text_in: TextIn, fidelity: Fidelity) -> Self {
        Self {
            text_in,
            fidelity,
            started: false,
            finished: false,
            calls: BTreeMap::new(),
        }
    }

    fn read(&mut self, data: &str, out: &mut Vec<Delta>) {
        let Some(response) = object::<Response<'_>>(data) else {
            out.push(Delta::Error(Error::new(
                Kind::ProviderUnavailable,
                "the provider sent something that is no chat completion",
            )));
            return;
        };
        if let Some(raw) = json::present(response.error) {
            out.push(Delta::Error(openai_error::in_band(raw)));
            return;
        }
        // vLLM's form: the whole chunk is the error.
        if response.object.as_deref() == Some("error") {
            out.push(Delta::Error(openai_error::flat(data.as_bytes(), None)));
            return;
        }
        let usage = response.usage.or(response.x_groq.and_then(|groq| groq.usage));
        // A `ping`, or whatever else is no chunk.
        if response.choices.is_none() && usage.is_none() {
            return;
        }
        let Listed(choices) = response.choices.unwrap_or_default();
        if !self.started {
            self.started = true;
            let own = |text: Option<Str<'_>>| text.filter(|text| !text.is_empty()).map(Str::into_string);
            out.push(Delta::Start {
                id: own(response.id),
                model: own(response.model),
            });
        }
        if self.fidelity == Fidelity::Full {
            unnamed(data, RESPONSE_MEMBERS, 0, Place::Response, out);
        }
        for (position, raw) in (0..).zip(choices) {
            if self.choice(position, raw, out).is_none() {
                out.push(Delta::Error(Error::new(
                    Kind::ProviderUnavailable,
                    "the provider sent a choice that is no message",
                )));
                return;
            }
            if matches!(out.last(), Some(Delta::Error(_))) {
                let error = out.pop();
                out.extend(usage.map(|usage| Delta::Usage(usage.into())));
                out.extend(error);
                return;
            }
        }
        if let Some(usage) = usage {
            out.push(Delta::Usage(usage.into()));
        }
    }

    /// Reads one choice; `None` when it cannot be read. After one that was cut short by an error stands the error.
    fn choice(&mut self, position: u32, raw: &RawValue, out: &mut Vec<Delta>) -> Option<()> {
        let choice: Choice<'_> = object(raw.get())?;
        let index = choice.index.unwrap_or(position);
        if index >= MAX_CHOICES {
            return None;
        }
        if self.fidelity == Fidelity::Full {
            let known = match self.text_in {
                TextIn::Message => CHOICE_MEMBERS,
                TextIn::Choice => COMPLETION_MEMBERS,
            };
            unnamed(raw.get(), known, index, Place::Choice, out);
        }
        if self.text_in == TextIn::Choice
            && let Some(raw) = choice.text
        {
            content(raw, &mut |piece| out.push(Delta::Piece { choice: index, piece }));
        }
        if let Some(raw) = json::present(choice.delta).or(json::present(choice.message)) {
            self.message(index, object(raw.get())?, out)?;
            if self.fidelity == Fidelity::Full {
                unnamed(raw.get(), MESSAGE_MEMBERS, index, Place::Message, out);
            }
        }
        if let Some(raw) = json::present(choice.error) {
            out.push(Delta::Error(openai_error::in_band(raw)));
            return Some(());
        }
        if let Some(native) = choice
            .finish_reason
            .as_deref()
            .filter(|reason| !reason.is_empty())
        {
            self.finished = true;
            self.fill_calls(index, out);
            let shown = choice.native_finish_reason.as_deref().unwrap_or(native);
            out.push(Delta::Finish {
                choice: index,
                reason: finish(native),
                native: Some(shown.to_owned()),
            });
        }
        // What is no count says nothing.
        let usage = json::present(choice.usage).and_then(|raw| serde_json::from_str::<Usage>(raw.get()).ok());
        if let Some(usage) = usage {
            out.push(Delta::Usage(usage.into()));
        }
        Some(())
    }

    /// Reads a message, or more of one; `None` when it holds too much.
    fn message(&mut self, choice: u32, message: Message<'_>, out: &mut Vec<Delta>) -> Option<()> {
        let mut piece = |piece: Piece| out.push(Delta::Piece { choice, piece });
        let details = message.reasoning_details.unwrap_or_default();
        if details.is_empty() {
            let thinking = message
                .reasoning
                .or(message.reasoning_content)
                .filter(|text| !text.is_empty());
            if let Some(text) = thinking {
                piece(thought(text.into_string()));
            }
        }
        for reasoning in details.into_iter().flat_map(reasoning) {
            piece(Piece::Reasoning(reasoning));
        }
        if let Some(raw) = json::present(message.content) {
            content(raw, &mut piece);
        }
        if let Some(text) = message.refusal.filter(|text| !text.is_empty()) {
            piece(Piece::Refusal(text.into_string()));
        }
        for image in message.images.unwrap_or_default() {
            piece(Piece::Image {
                url: image.image_url.url.into_string(),
            });
        }
        for annotation in message.annotations.unwrap_or_default().0 {
            piece(Piece::Annotation(annotation.to_owned()));
        }
        for (position, call) in (0..).zip(message.tool_calls.unwrap_or_default()) {
            self.call(choice, position, call, out)?;
        }
        Some(())
    }

    fn call(&mut self, choice: u32, position: u32, call: ToolCall<'_>, out: &mut Vec<Delta>) -> Option<()> {
        let id = call.id.filter(|id| !id.is_empty());
        let index = match call.index {
            Some(index) => index,
            // Gemini, by its compatible address, gives no index: a call with an id is another call.
            None if id.is_some() => self.next_call(choice),
            None => position,
        };
        let is_full = self.calls.len() >= MAX_CALLS;
        let (name, arguments) = call
            .function
            .map_or((None, None), |function| (function.name, function.arguments));
        let mut piece = |piece: Piece| out.push(Delta::Piece { choice, piece });
        // Later fragments of a call repeat an empty id or name at some providers.
        let name = name.filter(|name| !name.is_empty());
        let filled = self.calls.entry((choice, index));
        if let Entry::Vacant(_) = filled {
            if is_full {
                return None;
            }
            let id = id.map_or_else(|| format!("call_{choice}_{index}"), Str::into_string);
            piece(Piece::ToolCall {
                index,
                id,
                name: name.map(Str::into_string).unwrap_or_default(),
            });
        }
        let filled = filled.or_insert(false);
        let Some(raw) = json::present(arguments) else {
            return Some(());
        };
        let json = match json::shape(raw) {
            Shape::String => json::text(raw).unwrap_or_default().into_string(),
            // Some send the object itself.
            _ => raw.get().to_owned(),
        };
        if !json.is_empty() {
            *filled = true;
            piece(Piece::ToolArguments { index, json });
        }
        Some(())
    }

    /// The index of a call that comes after all others of its choice.
    fn next_call(&self, choice: u32) -> u32 {
        self.calls
            .range((choice, 0)..=(choice, u32::MAX))
            .next_back()
            .map_or(0, |(&(_, index), _)| index.saturating_add(1))
    }

    /// Gives every call of a choice that got no arguments an empty object, which is what clients parse.
    fn fill_calls(&mut self, choice: u32, out: &mut Vec<Delta>) {
        for (&(_, index), filled) in self.calls.range_mut((choice, 0)..=(choice, u32::MAX)) {
            if !std::mem::replace(filled, true) {
                out.push(Delta::Piece {
                    choice,
                    piece: Piece::ToolArguments {
                        index,
                        json: "{}".to_owned(),
                    },
                });
            }
        }
    }

    /// The response is complete. One that never said why it ended has stopped.
    fn close(&mut self, out: &mut Vec<Delta>) {
        if !self.finished && self.started {
            self.finished = true;
            self.fill_calls(0, out);
            out.push(Delta::Finish {
                choice: 0,
                reason: Finish::Stop,
                native: None,
            });
        }
    }
}

/// Reads an object: serde would take a list of the values of its members for one, too.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let is_object = text.trim_ascii_start().starts_with('{');
    // The caller says what could not be read.
    is_object.then(|| serde_json::from_str(text).ok()).flatten()
}

/// Pushes the members of an object that are not in `known`.
pub(super) fn unnamed(data: &str, known: &[&str], choice: u32, place: Place, out: &mut Vec<Delta>) {
    let Ok(members) = Members::read(data) else {
        return;
    };
    for (name, raw) in members.iter() {
        if out.len() > caps::MAX_ANSWER_PIECES {
            out.push(Delta::Error(caps::too_many_pieces()));
            return;
        }
        if !known.contains(&&*name) && json::shape(raw) != Shape::Null {
            out.push(Delta::Piece {
                choice,
                piece: Piece::Other {
                    place,
                    name: name.into_string(),
                    value: raw.to_owned(),
                },
            });
        }
    }
}

fn finish(native: &str) -> Finish {
    match native {
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        "error" => Finish::Error,
        _ => Finish::Stop,
    }
}
