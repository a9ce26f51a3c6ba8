//! Ollama's responses as deltas. Every line of a stream has the form of a whole response; the last is marked as such.

use super::error;
use crate::chat::{Delta, Finish, Format, Piece, Reasoning, UsageReport};
use crate::dialect::shared::logprobs::piece;
use crate::dialect::shared::say::{next, say};
use crate::dialect::{Decoder, Fidelity};
use crate::error::{Error, Kind};
use crate::hash;
use crate::json::{self, Members, Shape, Str};
use crate::wire::Frame;
use serde_json::value::RawValue;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    /// Nothing more is said, whatever comes.
    ended: bool,
    /// How many calls have come.
    calls: u32,
}

impl Decoder for Reader {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        self.read(frame.data, out);
    }

    fn is_done(&self) -> bool {
        self.ended
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        if !self.ended {
            let message = "the response ended before its last line, which tells that it is done";
            self.fail(Error::new(Kind::ProviderUnavailable, message), out);
        }
    }
}

/// Reads a buffered response.
pub(super) fn read_buffered(body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
    let mut reader = Reader::default();
    reader.read(body, out);
    reader.finish(out);
}

impl Reader {
    /// Reads one line, or a buffered response.
    fn read(&mut self, data: &str, out: &mut Vec<Delta>) {
        if self.ended {
            return;
        }
        let Ok(line) = Members::read(data) else {
            let message = "the provider sent a line that is no JSON object";
            return self.fail(Error::new(Kind::ProviderUnavailable, message), out);
        };
        if let Some(detail) = line.get("error") {
            return self.fail(error::of_line(detail), out);
        }
        if !self.started {
            self.started = true;
            let model = line.text("model").filter(|model| !model.is_empty());
            out.push(Delta::Start {
                id: None,
                model: model.map(Str::into_string),
            });
        }
        if let Some(value) = line.get("logprobs").and_then(logprobs) {
            say(piece(value), out);
        }
        let message = line.get("message").map(Members::of).unwrap_or_default();
        self.message(&message, &line, out);
        if line.get("done").is_some_and(|done| done.get() == "true") {
            self.end(&line, out);
        }
    }

    fn message(&mut self, message: &Members<'_>, line: &Members<'_>, out: &mut Vec<Delta>) {
        let text = |name| {
            let text = message.text(name).filter(|text| !text.is_empty());
            text.map(Str::into_string)
        };
        if let Some(text) = text("thinking") {
            let (index, format) = (0, Format::Unknown);
            say(Piece::Reasoning(Reasoning::Text { index, text, format }), out);
        }
        if let Some(text) = text("content") {
            say(Piece::Text(text), out);
        }
        for call in message.objects("tool_calls") {
            self.call(&Members::of(call), line, out);
        }
    }

    /// A call comes whole. Older servers (before ollama/ollama#12956) give it no id; one is made of what no other response has, so that a
    /// conversation with many calls holds no id twice.
    fn call(&mut self, call: &Members<'_>, line: &Members<'_>, out: &mut Vec<Delta>) {
        let index = next(&mut self.calls);
        let function = call.get("function").map(Members::of).unwrap_or_default();
        let id = call.text("id").filter(|id| !id.is_empty());
        let id = id.map_or_else(
            || {
                // Whatever the provider writes there, the id concerns its own answer only.
                let made = line.text("created_at").unwrap_or_default();
                format!("call_{:016x}_{index}", hash::stable(&[&made]))
            },
            Str::into_string,
        );
        let name = function.text("name").map(Str::into_string).unwrap_or_default();
        say(Piece::ToolCall { index, id, name }, out);
        let json = match function.get("arguments") {
            None => String::new(),
            // What should be an object may be its text, as OpenAI has it.
            Some(raw) if json::shape(raw) == Shape::String => {
                json::text(raw).unwrap_or_default().into_string()
            }
            Some(raw) => json::compact(raw),
        };
        let json = if json.is_empty() { "{}".to_owned() } else { json };
        say(Piece::ToolArguments { index, json }, out);
    }

    /// The last line: counts, and why it is the last. Ollama has no word of its own for the call of a tool.
    fn end(&mut self, line: &Members<'_>, out: &mut Vec<Delta>) {
        self.ended = true;
        let report = UsageReport {
            input: line.count("prompt_eval_count"),
            output: line.count("eval_count"),
            ..UsageReport::default()
        };
        if report != UsageReport::default() {
            out.push(Delta::Usage(report));
        }
        let native = line.text("done_reason").filter(|reason| !reason.is_empty());
        out.push(Delta::Finish {
            choice: 0,
            reason: match native.as_deref() {
                Some("length") => Finish::Length,
                _ if self.calls > 0 => Finish::ToolCalls,
                _ => Finish::Stop,
            },
            native: native.map(Str::into_string),
        });
    }

    fn fail(&mut self, error: Error, out: &mut Vec<Delta>) {
        self.ended = true;
        out.push(Delta::Error(error));
    }
}

/// The probabilities of tokens, each as OpenAI has it, in OpenAI's object around them.
fn logprobs(raw: &RawValue) -> Option<Box<RawValue>> {
    let is_list = json::shape(raw) == Shape::Array && raw.get() != "[]";
    // A document with another around it is one.
    is_list
        .then(|| RawValue::from_string(format!("{{\"content\":{}}}", raw.get())).ok())
        .flatten()
}
