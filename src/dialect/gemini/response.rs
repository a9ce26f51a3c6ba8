//! Gemini's responses as deltas.
//!
//! Every frame of a stream has the form of a whole response. A reason for the end does not say that nothing follows:
//! some models give one with every frame, and counts and sources come with it or after. So it is told at the end.
//!
//! Objects are read member by member and not as types of their own: that is a tenth of the code in the filter.

mod choice;
mod grounding;
mod logprobs;
mod offsets;

use super::wire::{finish, usage};
use crate::chat::{Delta, Finish};
use crate::dialect::format::{Decoder, Fidelity};
use crate::dialect::shared::blocks::Phase;
use crate::dialect::shared::error::{garbled, unfinished};
use crate::dialect::shared::{self, google_error};
use crate::error::{Error, Kind};
use crate::json::{Members, Str};
use crate::wire::Frame;
use choice::Choice;
use serde_json::value::RawValue;

/// How many choices a response may have: twice what Google gives, so that a stream cannot make us keep more.
const MAX_CHOICES: usize = 16;

/// What of a response's id goes into the ids of its calls.
const MAX_ID: usize = 40;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct Reader {
    phase: Phase,
    choices: Vec<Choice>,
    /// The response's own id, cut.
    id: String,
    /// Whether completion tokens were counted.
    counted: bool,
}

impl Decoder for Reader {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        // Google has no such end; servers that speak its dialect may.
        if frame.data != "[DONE]" {
            self.read(frame.data, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        if self.phase == Phase::Closed {
            return;
        }
        self.fail(unfinished(), out);
    }
}

/// Reads a buffered response.
pub(super) fn read_buffered(body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
    let mut reader = Reader::default();
    reader.read(body, out);
    reader.finish(out);
}

impl Reader {
    /// Reads one frame, or a buffered response.
    fn read(&mut self, data: &str, out: &mut Vec<Delta>) {
        if self.phase == Phase::Closed {
            return;
        }
        match Members::read(data) {
            Ok(response) => match response.get("error") {
                Some(detail) => self.fail(google_error::of_event(detail), out),
                None => self.response(&response, out),
            },
            Err(_) => self.fail(garbled("a response"), out),
        }
    }

    fn response(&mut self, response: &Members<'_>, out: &mut Vec<Delta>) {
        if self.phase == Phase::Expecting {
            self.phase = Phase::Open;
            let owned = |name| response.text(name).map(Str::into_string);
            let id = owned("responseId");
            crate::error::cut(id.as_deref().unwrap_or(""), MAX_ID).clone_into(&mut self.id);
            let model = owned("modelVersion");
            out.push(Delta::Start { id, model });
        }
        for candidate in response.objects("candidates") {
            self.candidate(&Members::of(candidate), out);
            if self.phase == Phase::Closed {
                return;
            }
        }
        let feedback = response
            .get("promptFeedback")
            .map(Members::of)
            .unwrap_or_default();
        let blocked = feedback
            .text("blockReason")
            .filter(|reason| !reason.ends_with("_UNSPECIFIED"));
        if let Some(raw) = response.get("usageMetadata") {
            self.count(raw, blocked.is_some(), out);
        }
        if let Some(reason) = blocked {
            self.blocked(&reason, feedback.text("blockReasonMessage"), out);
        }
    }

    fn candidate(&mut self, candidate: &Members<'_>, out: &mut Vec<Delta>) {
        let index = candidate.count("index").unwrap_or(0);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let at = self.choices.iter().position(|choice| choice.index == index);
        let at = at.unwrap_or_else(|| {
            self.choices.push(Choice::new(index));
            self.choices.len() - 1
        });
        if self.choices.len() > MAX_CHOICES {
            let message = "the response has too many choices";
            return self.fail(Error::of_provider(Kind::ProviderUnavailable, message, None), out);
        }
        let Some(choice) = self.choices.get_mut(at) else {
            return;
        };
        let content = candidate.get("content").map(Members::of).unwrap_or_default();
        for part in content.objects("parts") {
            choice.part(&Members::of(part), &self.id, out);
        }
        if let Some(value) = candidate.get("logprobsResult").and_then(logprobs::unified) {
            let piece = shared::logprobs::piece(value);
            out.push(Delta::Piece { choice: index, piece });
        }
        if let Some(raw) = candidate.get("groundingMetadata") {
            choice.ground(raw);
        }
        if let Some(native) = candidate.text("finishReason").filter(|reason| !reason.is_empty()) {
            choice.finish = Some((finish(&native, choice.has_calls()), native.into_string()));
        }
    }

    /// A count of zero is left out on the wire: at the end of a response, none means zero.
    fn count(&mut self, raw: &RawValue, blocked: bool, out: &mut Vec<Delta>) {
        let mut report = usage(raw);
        let ended = blocked || self.choices.iter().any(|choice| choice.finish.is_some());
        if ended && !self.counted && report.input.is_some() {
            report.output = report.output.or(Some(0));
        }
        self.counted |= report.output.is_some();
        // Some frames hold only what kind of traffic this is.
        if report != Default::default() {
            out.push(Delta::Usage(report));
        }
    }

    /// Google will not answer this prompt. Before anything was said, that is an error of the caller's.
    fn blocked(&mut self, reason: &str, more: Option<Str<'_>>, out: &mut Vec<Delta>) {
        if !self.choices.iter().any(Choice::has_said) {
            self.choices.clear();
        }
        for choice in &mut self.choices {
            let native = reason.to_owned();
            choice.finish.get_or_insert((Finish::ContentFilter, native));
        }
        let mut message = format!("the provider refused the prompt: {reason}");
        if let Some(more) = more.filter(|more| !more.is_empty()) {
            message.push_str(&format!(" ({})", &*more));
        }
        let kind = Kind::ContentPolicyViolation;
        self.fail(Error::of_provider(kind, &message, Some(reason)), out);
    }

    /// Ends the response. It is whole when every choice has its reason: nothing after that can fail it.
    fn fail(&mut self, error: Error, out: &mut Vec<Delta>) {
        self.phase = Phase::Closed;
        let whole = !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish.is_some());
        for choice in std::mem::take(&mut self.choices) {
            if whole {
                choice.end(out);
            }
        }
        if !whole {
            out.push(Delta::Error(error));
        }
    }
}
