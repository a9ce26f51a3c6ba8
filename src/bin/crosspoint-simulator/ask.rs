//! A request to the simulated model: what the checks of the dialects leave of one.

use serde_json::Value;

use crate::embed::Embed;
use crate::fault::split_model;
use crate::seed::{fnv, letters};

/// A request, freed of its dialect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    /// The model id as it came in, directives included.
    pub(crate) id: String,
    pub(crate) stream: bool,
    pub(crate) user_text: String,
    pub(crate) words: u64,
    pub(crate) messages: u64,
    pub(crate) images: Vec<Image>,
    /// What tools returned, when the request ends with that.
    pub(crate) tool_results: Vec<String>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Choice,
    pub(crate) one_call: bool,
    pub(crate) format: Format,
    pub(crate) thinking: Thinking,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stop: Vec<String>,
    /// OpenAI: the choices wanted, the usage chunk, the padding.
    pub(crate) copies: u64,
    pub(crate) usage_chunk: bool,
    pub(crate) padding: bool,
    /// Cohere: the probabilities wanted, what the answer cites.
    pub(crate) logprobs: bool,
    pub(crate) source: Option<Value>,
    /// The Responses API: whether thinking also comes encrypted.
    pub(crate) sealed: bool,
    /// OpenAI: the answer continues a prompt, as its older completions do.
    pub(crate) older: bool,
    /// Vectors are wanted, and nothing else.
    pub(crate) embed: Option<Embed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Image {
    Bytes { media_type: String, len: usize },
    Link(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Never,
    Any,
    Named(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    Json(Value),
}

/// Whether the model reasons, and what of that is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Thinking {
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
    pub(crate) fn model(&self) -> &str {
        split_model(&self.id).0
    }

    /// An id of a call, like `call_8hGd…`: always the same for the same request and index.
    pub(crate) fn call_id(&self, prefix: &str, index: usize) -> String {
        let seed = format!("{}/{}/{}/{index}", self.messages, self.words, self.user_text);
        format!("{prefix}{}", letters(fnv(seed.as_bytes()), 22))
    }

    /// Notes a text of the conversation.
    pub(crate) fn read(&mut self, text: &str) {
        self.words += count_words(text);
    }
}

/// Number of whitespace-separated words.
fn count_words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}
