//! A buffered answer: one `chat.completion` or `text_completion`.

use super::mend::mended;
use super::shapes::{Detail, Form, Head, ImageBody, Name, shown};
use crate::chat::{Delta, Finish, Folded, FoldedChoice, Reasoning, Usage};
use crate::dialect::client::encoder::{Answer, Encoder};
use crate::dialect::client::metadata::{add_metadata, member, metadata};
use crate::dialect::client::openai_error::{ErrorBody, error_body};
use crate::dialect::client::usage::{UsageBody, priced};
use crate::error::Error;
use crate::json;
use crate::wire::Frame;
use serde::Serialize;
use serde_json::value::RawValue;

/// Writes one whole answer.
#[derive(Debug)]
pub(super) struct Buffered {
    answer: Answer,
    form: Form,
    folded: Folded,
    done: bool,
}

impl Buffered {
    pub(super) fn new(answer: Answer, form: Form) -> Self {
        Self {
            answer,
            form,
            folded: Folded::default(),
            done: false,
        }
    }
}

impl Encoder for Buffered {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn held(&self) -> usize {
        self.folded.weight()
    }

    fn set_insured(&mut self, insured: bool) {
        self.answer.rate.insured = insured;
    }

    fn set_recounted(&mut self, recounted: bool) {
        self.answer.rate.recounted = recounted;
    }

    fn delta(&mut self, delta: Delta, _out: &mut Vec<u8>) {
        self.folded.push(delta);
    }

    fn forward(&mut self, frame: &Frame<'_>, deltas: &[Delta], usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.done = true;
        let mended = mended(frame.data, deltas);
        let data = mended.as_deref().unwrap_or(frame.data.as_bytes());
        match usage.and_then(|usage| priced(data, usage, &self.answer.rate)) {
            Some(priced) => out.extend_from_slice(&priced),
            None => out.extend_from_slice(data),
        }
        add_metadata(out, self.answer.metadata.as_deref());
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        if self.folded.choices.is_empty() {
            out.extend_from_slice(&error_body(error, &[]));
            return;
        }
        // As OpenRouter does once a model has begun: what there is, and the error beside it.
        for choice in self.folded.choices.values_mut() {
            choice
                .finish
                .get_or_insert_with(|| (Finish::Error, error.provider_code.clone()));
        }
        self.write(None, out);
        out.pop();
        out.push(b',');
        member(out, "error", &ErrorBody::new(error, &[]));
        out.push(b'}');
    }

    fn finish(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.done, true) {
            self.write(usage, out);
        }
    }
}

impl Buffered {
    fn write(&self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        json::write(out, &Head::new(&self.answer, self.form.whole()));
        out.pop();
        out.extend_from_slice(b",\"choices\":[");
        for (at, (index, choice)) in self.folded.choices.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_choice(self.form, *index, choice, out);
        }
        out.push(b']');
        for (name, value) in self.folded.others.members() {
            out.push(b',');
            member(out, name, value);
        }
        if let Some(usage) = usage {
            out.push(b',');
            member(out, "usage", &UsageBody::new(usage, &self.answer.rate));
        }
        metadata(out, self.answer.metadata.as_deref());
        out.push(b'}');
    }
}

#[derive(Serialize)]
struct WholeCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Name<'a>,
}

#[derive(Serialize)]
struct WholeMessage<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Detail<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WholeCall<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImageBody<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    annotations: &'a [Box<RawValue>],
}

fn write_choice(form: Form, index: u32, choice: &FoldedChoice, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"index\":");
    json::write(out, &index);
    out.push(b',');
    match form {
        Form::Chat => write_message(choice, out),
        Form::Completion => member(out, form.text(), &choice.text),
    }
    let (reason, native) = match &choice.finish {
        Some((reason, native)) => (Some(reason.name()), native.as_deref()),
        None => (None, None),
    };
    out.extend_from_slice(b",\"finish_reason\":");
    json::write(out, &reason);
    out.extend_from_slice(b",\"native_finish_reason\":");
    json::write(out, &native);
    out.extend_from_slice(b",\"logprobs\":");
    json::write(out, &choice.joined_logprobs());
    for (name, value) in choice.others.members() {
        out.push(b',');
        member(out, name, value);
    }
    out.push(b'}');
}

fn write_message(choice: &FoldedChoice, out: &mut Vec<u8>) {
    let reasoning: String = choice
        .reasoning
        .iter()
        .filter_map(shown)
        .map(String::as_str)
        .collect();
    let message = WholeMessage {
        role: "assistant",
        // A message that only calls tools or refuses has no content; an empty answer has an empty one.
        content: (!choice.text.is_empty() || (choice.calls.is_empty() && choice.refusal.is_empty()))
            .then_some(choice.text.as_str()),
        refusal: (!choice.refusal.is_empty()).then_some(choice.refusal.as_str()),
        reasoning: (!reasoning.is_empty()).then_some(reasoning),
        reasoning_details: details(&choice.reasoning),
        tool_calls: choice
            .calls
            .values()
            .map(|call| WholeCall {
                id: &call.id,
                kind: "function",
                function: Name {
                    name: &call.name,
                    arguments: &call.arguments,
                },
            })
            .collect(),
        images: choice.images.iter().map(|url| ImageBody::new(url)).collect(),
        annotations: &choice.annotations,
    };
    member(out, "message", &message);
    for (name, value) in choice.message_others.members() {
        // The message is an object with members: another goes before its brace.
        out.pop();
        out.push(b',');
        member(out, name, value);
        out.push(b'}');
    }
}

/// The blocks of thinking; a block's signature stands in the same entry as its text.
fn details(reasoning: &[Reasoning]) -> Vec<Detail<'_>> {
    let mut details: Vec<Detail<'_>> = Vec::with_capacity(reasoning.len());
    for piece in reasoning {
        match (piece, details.last_mut()) {
            (Reasoning::Signature { index, signature, .. }, Some(last))
                if last.index == *index && last.text.is_some() =>
            {
                last.signature = Some(signature);
            }
            _ => details.push(Detail::new(piece)),
        }
    }
    details
}
