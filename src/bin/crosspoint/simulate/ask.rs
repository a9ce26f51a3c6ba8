//! A request to the simulated model: what the checks of the dialects leave of one.

use serde_json::Value;

use super::embed::Embed;
use super::fault::split_model;
use super::seed::{fnv, letters};

/// A request, freed of its dialect.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    /// The model id as it came in, directives included.
    pub(super) id: String,
    pub(super) stream: bool,
    pub(super) user_text: String,
    pub(super) words: u64,
    pub(super) messages: u64,
    pub(super) images: Vec<Image>,
    /// What tools returned, when the request ends with that.
    pub(super) tool_results: Vec<String>,
    pub(super) tools: Vec<Tool>,
    pub(super) choice: Choice,
    pub(super) one_call: bool,
    pub(super) format: Format,
    pub(super) thinking: Thinking,
    pub(super) max_tokens: Option<u64>,
    pub(super) stop: Vec<String>,
    /// OpenAI: the choices wanted, the usage chunk, the padding.
    pub(super) copies: u64,
    pub(super) usage_chunk: bool,
    pub(super) padding: bool,
    /// Cohere: the probabilities wanted, what the answer cites.
    pub(super) logprobs: bool,
    pub(super) source: Option<Value>,
    /// The Responses API: whether thinking also comes encrypted.
    pub(super) sealed: bool,
    /// OpenAI: the answer continues a prompt, as its older completions do.
    pub(super) older: bool,
    /// Vectors are wanted, and nothing else.
    pub(super) embed: Option<Embed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Image {
    Bytes { media_type: String, len: usize },
    Link(String),
}

#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) schema: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Choice {
    #[default]
    Auto,
    Never,
    Any,
    Named(String),
}

#[derive(Debug, Clone, Default)]
pub(super) enum Format {
    #[default]
    Text,
    Json(Value),
}

/// Whether the model reasons, and what of that is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Thinking {
    #[default]
    Off,
    /// Only counted.
    Hidden,
    Shown,
    /// A signed block without text.
    Omitted,
    /// An opaque block.
    Redacted,
}

impl Ask {
    /// The model without its directives.
    pub(super) fn model(&self) -> &str {
        split_model(&self.id).0
    }

    /// An id of a call, like `call_8hGd…`: always the same for the same request and index.
    pub(super) fn call_id(&self, prefix: &str, index: usize) -> String {
        let seed = format!("{}/{}/{}/{index}", self.messages, self.words, self.user_text);
        format!("{prefix}{}", letters(fnv(seed.as_bytes()), 22))
    }

    /// Notes a text of the conversation.
    pub(super) fn read(&mut self, text: &str) {
        self.words += count_words(text);
    }
}

/// Number of whitespace-separated words.
pub(super) fn count_words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}
