//! The client side of a dialect, as the rest of the crate sees it.

use crate::chat::{Delta, Operation, Usage};
use crate::error::{Error, PreviousError};
use crate::meter::Rate;
use crate::wire::Frame;
use std::fmt::{self, Debug};

/// The form in which callers of a path are answered.
pub struct ClientDialect {
    /// See [`ClientDialect::name`].
    pub(super) name: &'static str,
    /// See [`ClientDialect::operation`].
    pub(super) operation: Operation,
    /// See [`ClientDialect::encoder`].
    pub(super) encoder: fn(Answer) -> Box<dyn Encoder>,
    /// See [`ClientDialect::error`].
    pub(super) error: fn(&Error, &[PreviousError]) -> Vec<u8>,
}

impl ClientDialect {
    /// The dialect's name. Answers of a provider of the same name may be passed on as they are.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The operation that its callers ask for.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// Writes one answer.
    pub fn encoder(&self, answer: Answer) -> Box<dyn Encoder> {
        (self.encoder)(answer)
    }

    /// The body of an answer that is nothing but an error. `previous` lists earlier failures of the same exchange.
    pub fn error(&self, error: &Error, previous: &[PreviousError]) -> Vec<u8> {
        (self.error)(error, previous)
    }
}

impl Debug for ClientDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientDialect").field(&self.name).finish()
    }
}

/// What an answer says about itself.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Our id of the exchange.
    pub id: String,
    /// The model that serves.
    pub model: String,
    /// Whether the caller cannot know that from what was asked for, so that the answer must say it in our words.
    pub names_model: bool,
    /// The provider that serves.
    pub provider: String,
    /// When the exchange began, in seconds since 1970.
    pub created: u64,
    /// Whether the caller wants a stream.
    pub stream: bool,
    /// Whether the caller of a stream asked for token counts.
    pub include_usage: bool,
    /// Whether the caller wants no thinking in it.
    pub hides_thinking: bool,
    /// Whether the caller of embeddings wants them in base64.
    pub base64: bool,
    /// How many embeddings the caller wants, where that can be told.
    pub vectors: Option<usize>,
    /// By what its tokens are charged.
    pub rate: Rate,
    /// Our estimate of the prompt's tokens, where an answer has to give a count and the provider may not.
    pub estimated_prompt: Option<u64>,
    /// How the request was routed, as JSON, for a caller who wants to see it.
    pub metadata: Option<Box<str>>,
}

/// Writes one answer, step by step.
pub trait Encoder: Debug {
    /// The answer's `content-type`.
    fn content_type(&self) -> &'static str;

    /// How much is kept for `finish`, in bytes.
    fn held(&self) -> usize {
        0
    }

    /// Says whether the caller is charged nothing, as far as is known.
    fn set_insured(&mut self, _insured: bool) {}

    /// Says whether the counts are ours because the provider's cannot be: the provider's own must not stand in the answer.
    fn set_recounted(&mut self, _recounted: bool) {}

    /// Takes one step. A buffered answer is written by `finish`.
    fn delta(&mut self, delta: Delta, out: &mut Vec<u8>);

    /// Passes on a frame of a provider of the same dialect, which means `deltas`. `usage` is what the provider has
    /// reported so far.
    fn forward(&mut self, frame: &Frame<'_>, deltas: &[Delta], usage: Option<&Usage>, out: &mut Vec<u8>);

    /// Ends the answer with an error, after it had begun.
    fn error(&mut self, error: &Error, out: &mut Vec<u8>);

    /// Ends the answer.
    fn finish(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>);
}
