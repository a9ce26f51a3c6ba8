//! A whole message, folded from deltas: how a buffered answer is made of the same steps as a streamed one.

use super::{Delta, Finish, Piece, Place, Reasoning};
use crate::error::Error;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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
    pub others: Vec<(String, Box<RawValue>)>,
    /// The failure that ended the response, if one did.
    pub error: Option<Error>,
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
    /// Images, as URLs.
    pub images: Vec<String>,
    /// Citations and file annotations.
    pub annotations: Vec<Box<RawValue>>,
    /// Members that the unified form does not name.
    pub others: Vec<(Place, String, Box<RawValue>)>,
    /// Why it ended.
    pub finish: Option<(Finish, Option<String>)>,
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
                self.others.push((name, value));
            }
            Delta::Piece { choice, piece } => self.choices.entry(choice).or_default().push(piece),
            Delta::Finish {
                choice,
                reason,
                native,
            } => {
                self.choices.entry(choice).or_default().finish = Some((reason, native));
            }
            Delta::Usage(_) => {}
            Delta::Error(error) => self.error = Some(error),
        }
    }
}

impl FoldedChoice {
    fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.text.push_str(&text),
            Piece::Refusal(text) => self.refusal.push_str(&text),
            Piece::Reasoning(reasoning) => self.reason(reasoning),
            Piece::ToolCall { index, id, name } => {
                let call = self.calls.entry(index).or_default();
                call.id = id;
                call.name = name;
            }
            Piece::ToolArguments { index, json } => {
                self.calls.entry(index).or_default().arguments.push_str(&json);
            }
            Piece::Image { url } => self.images.push(url),
            Piece::Annotation(raw) => self.annotations.push(raw),
            Piece::Other { place, name, value } => self.others.push((place, name, value)),
        }
    }

    fn reason(&mut self, reasoning: Reasoning) {
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
            }
            _ => self.reasoning.push(reasoning),
        }
    }
}
