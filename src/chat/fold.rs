//! A whole message, folded from deltas: how a buffered answer is made of the same steps as a streamed one.

use super::{Delta, Finish, Piece, Place, Reasoning};
use crate::error::Error;
use crate::json::{self, Members, Shape, Str};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What an entry of a list or map weighs beside its text, in bytes.
const ENTRY: usize = 32;

/// All that a response said, choice by choice. Token counts are the tally's and are not kept here.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// The provider's own id of the response.
    pub id: Option<String>,
    /// The model that the provider says it runs.
    pub model: Option<String>,
    /// The choices, by index.
    pub choices: BTreeMap<u32, FoldedChoice>,
    /// Members beside `choices` that the unified form does not name.
    pub others: Unnamed,
    /// The failure that ended the response, if one did.
    pub error: Option<Error>,
    weight: usize,
}

/// One choice's message.
#[derive(Clone, Debug, Default)]
pub struct FoldedChoice {
    /// All text.
    pub text: String,
    /// All text of a refusal.
    pub refusal: String,
    /// Thinking, block by block.
    pub reasoning: Vec<Reasoning>,
    /// The tool calls, by index.
    pub calls: BTreeMap<u32, FoldedCall>,
    /// The vector of an input.
    pub embedding: Option<Box<RawValue>>,
    /// Images, as URLs.
    pub images: Vec<String>,
    /// Citations and file annotations.
    pub annotations: Vec<Box<RawValue>>,
    /// Members of the message that the unified form does not name.
    pub message_others: Unnamed,
    /// Members beside the message that the unified form does not name.
    pub others: Unnamed,
    /// The `logprobs` of each chunk of a stream, or of all of it.
    pub logprobs: Vec<Box<RawValue>>,
    /// Why it ended.
    pub finish: Option<(Finish, Option<String>)>,
}

/// Members that the unified form does not name, each name once, in the order in which they first came.
///
/// Every chunk of a stream repeats some of them (`system_fingerprint`); the last word stands.
#[derive(Clone, Debug, Default)]
pub struct Unnamed(BTreeMap<String, (usize, Box<RawValue>)>);

impl Unnamed {
    /// Sets a member; says by how much this grew, in bytes.
    fn set(&mut self, name: String, value: Box<RawValue>) -> usize {
        let grown = value.get().len();
        let order = self.0.len();
        if let Some((_, old)) = self.0.get_mut(&name) {
            let grown = grown.saturating_sub(old.get().len());
            *old = value;
            return grown;
        }
        let grown = grown + name.len() + ENTRY;
        self.0.insert(name, (order, value));
        grown
    }

    /// The members, in order.
    pub fn members(&self) -> Vec<(&str, &RawValue)> {
        let mut members: Vec<_> = self
            .0
            .iter()
            .map(|(name, (order, value))| (*order, name.as_str(), &**value))
            .collect();
        members.sort_unstable_by_key(|(order, ..)| *order);
        members
            .into_iter()
            .map(|(_, name, value)| (name, value))
            .collect()
    }
}

/// One tool call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldedCall {
    /// The provider's id of the call.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments, as JSON text.
    pub arguments: String,
}

impl Folded {
    /// How much is kept, in bytes: a stream that is folded for a caller who wants one document must not fill the memory.
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// Takes one more step.
    pub fn push(&mut self, delta: Delta) {
        match delta {
            Delta::Start { id, model } => {
                self.id = self.id.take().or(id);
                self.model = self.model.take().or(model);
            }
            Delta::Piece {
                piece:
                    Piece::Other {
                        place: Place::Response,
                        name,
                        value,
                    },
                ..
            } => {
                self.weight += self.others.set(name, value);
            }
            Delta::Piece { choice, piece } => {
                self.weight += self.choices.entry(choice).or_default().push(piece);
            }
            Delta::Finish {
                choice,
                reason,
                native,
            } => {
                self.choices.entry(choice).or_default().finish = Some((reason, native));
            }
            Delta::Vectors(_) | Delta::Usage(_) => {}
            Delta::Error(error) => self.error = Some(error),
        }
    }
}

impl FoldedChoice {
    /// Takes one more piece; says by how much this grew, in bytes.
    fn push(&mut self, piece: Piece) -> usize {
        match piece {
            Piece::Text(text) => {
                self.text.push_str(&text);
                text.len()
            }
            Piece::Refusal(text) => {
                self.refusal.push_str(&text);
                text.len()
            }
            Piece::Reasoning(reasoning) => self.reason(reasoning),
            Piece::ToolCall { index, id, name } => {
                let call = self.calls.entry(index).or_default();
                let grown = id.len() + name.len() + ENTRY;
                call.id = id;
                call.name = name;
                grown
            }
            Piece::ToolArguments { index, json } => {
                self.calls.entry(index).or_default().arguments.push_str(&json);
                json.len()
            }
            Piece::Image { url } => {
                let grown = url.len() + ENTRY;
                self.images.push(url);
                grown
            }
            Piece::Embedding(vector) => {
                let grown = vector.get().len() + ENTRY;
                self.embedding = Some(vector);
                grown
            }
            Piece::Annotation(raw) => {
                let grown = raw.get().len() + ENTRY;
                self.annotations.push(raw);
                grown
            }
            Piece::Other {
                place: Place::Choice,
                name,
                value,
            } if name == "logprobs" => {
                let grown = value.get().len() + ENTRY;
                self.logprobs.push(value);
                grown
            }
            Piece::Other {
                place: Place::Message,
                name,
                value,
            } => self.message_others.set(name, value),
            Piece::Other { name, value, .. } => self.others.set(name, value),
        }
    }

    /// The `logprobs` of the whole message: the lists of all chunks, one behind the other. What is no object of lists cannot
    /// be joined, and the last word stands.
    pub fn joined_logprobs(&self) -> Option<Box<RawValue>> {
        let last = self.logprobs.last()?;
        if self.logprobs.len() == 1 {
            return Some(last.clone());
        }
        Some(join(&self.logprobs).unwrap_or_else(|| last.clone()))
    }

    fn reason(&mut self, reasoning: Reasoning) -> usize {
        let (Reasoning::Text { text, .. }
        | Reasoning::Summary { text, .. }
        | Reasoning::Signature { signature: text, .. }
        | Reasoning::Encrypted { data: text, .. }) = &reasoning;
        let grown = text.len();
        match (self.reasoning.last_mut(), &reasoning) {
            (
                Some(Reasoning::Text { index, text, .. }),
                Reasoning::Text {
                    index: same,
                    text: more,
                    ..
                },
            )
            | (
                Some(Reasoning::Summary { index, text, .. }),
                Reasoning::Summary {
                    index: same,
                    text: more,
                    ..
                },
            ) if index == same => {
                text.push_str(more);
                grown
            }
            _ => {
                self.reasoning.push(reasoning);
                grown + ENTRY
            }
        }
    }
}

/// Objects of lists as one object of longer lists; `None` when they are something else.
fn join(objects: &[Box<RawValue>]) -> Option<Box<RawValue>> {
    let mut lists: Vec<(Str<'_>, Vec<u8>)> = Vec::new();
    let mut places = BTreeMap::new();
    for object in objects {
        for (name, raw) in Members::read(object.get()).ok()?.iter() {
            if !matches!(json::shape(raw), Shape::Null | Shape::Array) {
                return None;
            }
            let at = *places.entry(name.clone()).or_insert(lists.len());
            if at == lists.len() {
                lists.push((name, Vec::new()));
            }
            let Some((_, list)) = lists.get_mut(at) else {
                continue;
            };
            for item in json::items(raw.get()) {
                list.push(if list.is_empty() { b'[' } else { b',' });
                list.extend_from_slice(item.get().as_bytes());
            }
        }
    }
    let mut out = b"{".to_vec();
    for (name, list) in &lists {
        json::member(&mut out, name, |out| match list.is_empty() {
            // A list that no chunk had stays what each of them said.
            true => out.extend_from_slice(b"null"),
            false => {
                out.extend_from_slice(list);
                out.push(b']');
            }
        });
    }
    out.push(b'}');
    RawValue::from_string(String::from_utf8(out).ok()?).ok()
}
