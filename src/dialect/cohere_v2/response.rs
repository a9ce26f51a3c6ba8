//! Cohere's responses as deltas. A buffered response and the events of a stream say the same in two forms; both are read
//! member by member, because types of their own are ten times the code in the filter.
//!
//! In events `tool_calls` and `citations` are one object, in a buffered response they are arrays of them. The last event
//! has the reason and the counts; some servers send `[DONE]` after it.

use super::error;
use super::wire::{annotations, finish, logprobs, usage};
use crate::chat::{Delta, Finish, Format, Piece, Reasoning};
use crate::dialect::Decoder;
use crate::dialect::shared::blocks::{Blocks, Phase};
use crate::dialect::shared::error::{garbled, unfinished};
use crate::dialect::shared::logprobs::piece;
use crate::dialect::shared::say::{next, say};
use crate::error::{Error, Kind};
use crate::json::{self, Members, Str};
use crate::wire::Frame;
use serde_json::value::RawValue;
use std::iter;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The calls that are open, by their number in the provider's events.
    open: Blocks<Option<u64>, Call>,
    /// The next block of reasoning.
    blocks: u32,
    /// The block that reasoning goes on in, and whether it is a plan.
    block: Option<(u32, bool)>,
    calls: u32,
}

/// A call that has begun.
#[derive(Debug)]
struct Call {
    index: u32,
    /// Whether any of its arguments have come.
    said: bool,
}

impl Decoder for Reader {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        if self.open.phase == Phase::Closed || frame.data.is_empty() || frame.data == "[DONE]" {
            return;
        }
        match read(frame.data) {
            Some(event) => self.event(&event, out),
            None => self.open.fail(garbled("an event"), out),
        }
    }

    fn is_done(&self) -> bool {
        self.open.phase == Phase::Closed
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        self.open.finish(out);
    }
}

impl Reader {
    /// Reads a buffered response.
    pub(super) fn whole(mut self, body: &str, out: &mut Vec<Delta>) {
        let Some(response) = read(body) else {
            return self.open.fail(garbled("a response"), out);
        };
        let Some(message) = object(&response, "message") else {
            return self.open.fail(said(&response), out);
        };
        self.start(&response, out);
        if let Some(value) = logprobs(response.objects("logprobs")) {
            say(piece(value), out);
        }
        for block in message.objects("content") {
            self.block = None;
            self.content(&Members::of(block), out);
        }
        self.plan(message.text("tool_plan"), out);
        for call in message.objects("tool_calls") {
            self.call(None, &Members::of(call), out);
            self.close_all(out);
        }
        for citation in message.objects("citations") {
            annotate(citation, out);
        }
        self.end(&response, out);
    }

    fn event(&mut self, event: &Members<'_>, out: &mut Vec<Delta>) {
        let kind = event.text("type").unwrap_or_default();
        let delta = object(event, "delta").unwrap_or_default();
        let message = object(&delta, "message").unwrap_or_default();
        let at = event.count("index");
        match &*kind {
            "message-start" => self.start(event, out),
            "content-start" | "content-delta" => {
                if &*kind == "content-start" {
                    self.block = None;
                }
                let content = object(&message, "content").unwrap_or_default();
                // Those of thinking have no place in the unified form.
                let item = event.get("logprobs").filter(|_| content.get("text").is_some());
                if let Some(value) = item.and_then(|item| logprobs(iter::once(item))) {
                    say(piece(value), out);
                }
                self.content(&content, out);
            }
            "tool-plan-delta" => self.plan(message.text("tool_plan"), out),
            "tool-call-start" => {
                self.call(at, &object(&message, "tool_calls").unwrap_or_default(), out);
            }
            "tool-call-delta" => {
                let call = object(&message, "tool_calls").unwrap_or_default();
                self.arguments(at, &call, out);
            }
            "tool-call-end" => self.close(at, out),
            "citation-start" => {
                if let Some(citation) = message.get("citations") {
                    annotate(citation, out);
                }
            }
            "message-end" => self.end(&delta, out),
            // An error in the form of a failed response's body.
            "" | "error" => self.open.fail(said(event), out),
            _ => {}
        }
    }

    fn start(&mut self, response: &Members<'_>, out: &mut Vec<Delta>) {
        if self.open.phase == Phase::Expecting {
            self.open.phase = Phase::Open;
            let owned = |name| response.text(name).map(Str::into_string);
            let (id, model) = (owned("id"), owned("model"));
            out.push(Delta::Start { id, model });
        }
    }

    /// A block of content, or more of one.
    fn content(&mut self, block: &Members<'_>, out: &mut Vec<Delta>) {
        self.think(false, block.text("thinking"), out);
        if let Some(text) = block.text("text").filter(|text| !text.is_empty()) {
            self.block = None;
            say(Piece::Text(text.into_string()), out);
        }
    }

    fn plan(&mut self, text: Option<Str<'_>>, out: &mut Vec<Delta>) {
        self.think(true, text, out);
    }

    /// Thinking, or a plan for calls: a block of its own, which callers give back as what it was.
    fn think(&mut self, is_plan: bool, text: Option<Str<'_>>, out: &mut Vec<Delta>) {
        let Some(text) = text.filter(|text| !text.is_empty()).map(Str::into_string) else {
            return;
        };
        let index = match self.block {
            Some((index, plan)) if plan == is_plan => index,
            _ => next(&mut self.blocks),
        };
        self.block = Some((index, is_plan));
        let format = Format::Unknown;
        let reasoning = if is_plan {
            Reasoning::Summary { index, text, format }
        } else {
            Reasoning::Text { index, text, format }
        };
        say(Piece::Reasoning(reasoning), out);
    }

    fn call(&mut self, at: Option<u64>, call: &Members<'_>, out: &mut Vec<Delta>) {
        self.block = None;
        if self.open.fails_as_full("calls", out) {
            return;
        }
        let function = object(call, "function").unwrap_or_default();
        let owned = |text: Option<Str<'_>>| text.unwrap_or_default().into_string();
        let (id, name) = (owned(call.text("id")), owned(function.text("name")));
        let index = next(&mut self.calls);
        self.open.open(at, Call { index, said: false });
        say(Piece::ToolCall { index, id, name }, out);
        self.arguments(at, call, out);
    }

    fn arguments(&mut self, at: Option<u64>, call: &Members<'_>, out: &mut Vec<Delta>) {
        let json = object(call, "function").and_then(|function| function.text("arguments"));
        let Some(json) = json.filter(|json| !json.is_empty()) else {
            return;
        };
        // A fragment for a call that is not open has no place.
        let Some(call) = self.open.at(at) else {
            return;
        };
        // Written for a function without arguments: vercel/ai packages/cohere/src/cohere-chat-language-model.ts.
        if call.said || &*json != "null" {
            call.said = true;
            let (index, json) = (call.index, json.into_string());
            say(Piece::ToolArguments { index, json }, out);
        }
    }

    fn close(&mut self, at: Option<u64>, out: &mut Vec<Delta>) {
        if let Some(call) = self.open.take(at) {
            empty(&call, out);
        }
    }

    fn close_all(&mut self, out: &mut Vec<Delta>) {
        for call in self.open.take_all() {
            empty(&call, out);
        }
    }

    /// Takes the reason and the counts, which stand beside each other.
    fn end(&mut self, last: &Members<'_>, out: &mut Vec<Delta>) {
        self.close_all(out);
        if let Some(raw) = last.get("usage") {
            let report = usage(raw);
            if report != Default::default() {
                out.push(Delta::Usage(report));
            }
        }
        let native = last.text("finish_reason").unwrap_or_default();
        let reason = finish(&native);
        if native.is_empty() || reason == Finish::Error {
            return self.open.fail(stopped(last, &native), out);
        }
        self.open.phase = Phase::Closed;
        out.push(Delta::Finish {
            choice: 0,
            reason,
            native: Some(native.into_string()),
        });
    }
}

/// `None` for what is no object.
fn read(data: &str) -> Option<Members<'_>> {
    serde_json::from_str(data).ok()
}

fn object<'a>(members: &Members<'a>, name: &str) -> Option<Members<'a>> {
    let raw = members.get(name)?;
    (json::shape(raw) == json::Shape::Object).then(|| Members::of(raw))
}

/// The error of an object that should have been something else.
fn said(body: &Members<'_>) -> Error {
    error::of_body(body, Kind::ProviderUnavailable).unwrap_or_else(|| garbled("a response"))
}

/// The error of a response that ended with `ERROR`, `TIMEOUT`, or no reason at all: the model did not come to its end,
/// so another endpoint may be asked.
fn stopped(last: &Members<'_>, native: &str) -> Error {
    let kind = match native {
        "TIMEOUT" => Kind::Timeout,
        _ => Kind::ProviderUnavailable,
    };
    let mut error = error::of_body(last, kind).unwrap_or_else(|| match native {
        "" => unfinished(),
        "TIMEOUT" => Error::of_provider(kind, "the provider ran out of time", None),
        _ => Error::of_provider(kind, "the provider failed while it answered", None),
    });
    error.provider_code = (!native.is_empty()).then(|| native.to_owned());
    error
}

fn annotate(citation: &RawValue, out: &mut Vec<Delta>) {
    for annotation in annotations(citation) {
        say(Piece::Annotation(annotation), out);
    }
}

/// A call without arguments has an empty object of them.
fn empty(call: &Call, out: &mut Vec<Delta>) {
    if !call.said {
        let (index, json) = (call.index, "{}".to_owned());
        say(Piece::ToolArguments { index, json }, out);
    }
}
