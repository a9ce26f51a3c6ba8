//! `openai-embeddings`, the client side: <https://platform.openai.com/docs/api-reference/embeddings>.
//!
//! An answer of an OpenAI-compatible provider goes on as it came, but for vectors in another form than the caller asked
//! for: OpenAI's own SDKs ask for base64 unless told otherwise, and not every provider knows it.

use super::encoder::{Answer, ClientDialect, Encoder};
use super::metadata::{add_metadata, member, metadata};
use super::openai_error::error_body;
use super::usage::{charge, priced};
use super::vector;
use crate::chat::{Delta, Folded, Operation, Piece, Usage};
use crate::dialect::shared::names;
use crate::error::Error;
use crate::json::{self, Members, Shape};
use crate::wire::Frame;
use serde_json::value::RawValue;

/// The client side of `openai-embeddings`.
pub(super) static EMBEDDINGS: ClientDialect = ClientDialect {
    name: names::OPENAI_EMBEDDINGS,
    operation: Operation::Embeddings,
    encoder: |answer| {
        Box::new(List {
            answer,
            folded: Folded::default(),
            done: false,
        })
    },
    error: error_body,
};

/// Writes one list of embeddings.
#[derive(Debug)]
struct List {
    answer: Answer,
    folded: Folded,
    done: bool,
}

impl Encoder for List {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn held(&self) -> usize {
        self.folded.weight()
    }

    fn set_recounted(&mut self, recounted: bool) {
        self.answer.rate.recounted = recounted;
    }

    fn delta(&mut self, delta: Delta, _out: &mut Vec<u8>) {
        self.folded.push(delta);
    }

    fn forward(&mut self, frame: &Frame<'_>, deltas: &[Delta], usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.done = true;
        let priced = usage.and_then(|usage| priced(frame.data.as_bytes(), usage, &self.answer.rate));
        let data = priced.as_deref().unwrap_or(frame.data.as_bytes());
        let base64 = self.answer.base64;
        let is_other = |delta: &Delta| matches!(delta, Delta::Piece { piece: Piece::Embedding(raw), .. } if !vector::has_form(raw, base64));
        match serde_json::from_slice(data) {
            Ok(members) if deltas.iter().any(is_other) => rewrite(&members, base64, out),
            _ => out.extend_from_slice(data),
        }
        add_metadata(out, self.answer.metadata.as_deref());
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.done, true) {
            out.extend_from_slice(&error_body(error, &[]));
        }
    }

    fn finish(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        out.extend_from_slice(b"{\"object\":\"list\",");
        for (name, value) in [
            ("id", &self.answer.id),
            ("model", &self.answer.model),
            ("provider", &self.answer.provider),
        ] {
            member(out, name, value);
            out.push(b',');
        }
        out.extend_from_slice(b"\"data\":[");
        let vectors = self
            .folded
            .choices
            .iter()
            .filter_map(|(index, choice)| Some((index, choice.embedding.as_ref()?, &choice.others)));
        for (at, (index, raw, others)) in vectors.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"object\":\"embedding\",");
            member(out, "index", index);
            out.extend_from_slice(b",\"embedding\":");
            vector::write(raw, self.answer.base64, out);
            write_others(others.members(), out);
            out.push(b'}');
        }
        out.push(b']');
        write_others(self.folded.others.members(), out);
        self.write_usage(usage, out);
        metadata(out, self.answer.metadata.as_deref());
        out.push(b'}');
    }
}

impl List {
    /// OpenAI's clients require counts. Where the provider gives none, they get an estimate that says so.
    fn write_usage(&self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        let Some(tokens) = usage.map(|usage| usage.prompt).or(self.answer.estimated_prompt) else {
            return;
        };
        out.extend_from_slice(b",\"usage\":{");
        member(out, "prompt_tokens", &tokens);
        out.push(b',');
        member(out, "total_tokens", &tokens);
        let counted = Usage {
            prompt: tokens,
            ..Default::default()
        };
        charge(usage.unwrap_or(&counted), &self.answer.rate, out);
        if usage.is_none() {
            out.push(b',');
            member(out, "estimated", &true);
        }
        out.push(b'}');
    }
}

fn write_others(others: Vec<(&str, &RawValue)>, out: &mut Vec<u8>) {
    for (name, value) in others {
        out.push(b',');
        member(out, name, value);
    }
}

/// Writes a provider's answer anew, with its vectors in the form that is wanted.
fn rewrite(members: &Members<'_>, base64: bool, out: &mut Vec<u8>) {
    json::object(out, members.iter(), &mut |out, name, raw| {
        // What was read as entries once is read so again; anything else stays.
        let is_entry = |entry: &RawValue| json::shape(entry) == Shape::Object;
        if name != "data" || json::shape(raw) != Shape::Array || !json::items(raw.get()).all(is_entry) {
            return json::write(out, raw);
        }
        out.push(b'[');
        for (at, entry) in json::items(raw.get()).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json::object(
                out,
                json::members(entry.get()),
                &mut |out, name, raw| match name {
                    "embedding" => vector::write(raw, base64, out),
                    _ => json::write(out, raw),
                },
            );
        }
        out.push(b']');
    });
}
