//! A response as a series of dialect-free steps.

use crate::chat::UsageReport;
use crate::error::Error;
use serde_json::value::RawValue;

/// One step of a response. A buffered response is the same steps at once.
#[derive(Clone, Debug)]
pub enum Delta {
    /// The provider has begun. Not a token: headers are still held after it.
    Start {
        /// The provider's own id of the response.
        id: Option<String>,
        /// The model that the provider says it runs.
        model: Option<String>,
    },
    /// Something of a choice's message. The first one releases the held headers.
    Piece {
        /// The index of the choice (0 unless the caller asked for several).
        choice: u32,
        /// What came.
        piece: Piece,
    },
    /// A choice is complete.
    Finish {
        /// The index of the choice.
        choice: u32,
        /// Why it ended, in unified words.
        reason: Finish,
        /// Why it ended, in the provider's words.
        native: Option<String>,
    },
    /// How many vectors the whole answer has, whether or not each of them came as a piece.
    Vectors(usize),
    /// Token counts, in the provider's own convention; more than one may come.
    Usage(UsageReport),
    /// The provider reports a failure inside a response that had begun with `200`.
    Error(Error),
}

/// A piece of a message.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Visible text.
    Text(String),
    /// The text of a refusal.
    Refusal(String),
    /// Thinking.
    Reasoning(Reasoning),
    /// A tool call begins. Its arguments follow.
    ToolCall {
        /// Position among the calls of this message, from 0.
        index: u32,
        /// The provider's id of the call.
        id: String,
        /// The function's name.
        name: String,
    },
    /// More of a tool call's arguments, as a fragment of JSON text.
    ToolArguments {
        /// Position among the calls of this message, from 0.
        index: u32,
        /// The fragment.
        json: String,
    },
    /// A whole image, as a URL (usually `data:`).
    Image {
        /// The URL.
        url: String,
    },
    /// The vector of one input, whose index is that of the choice: an array of numbers as it came, or a string of floats in
    /// base64.
    Embedding(Box<RawValue>),
    /// A citation or file annotation, already in the unified form.
    Annotation(Box<RawValue>),
    /// A member of the provider's delta that the unified form does not name (`audio`, `logprobs` …), kept as it came.
    Other {
        /// Where it stood.
        place: Place,
        /// Its name.
        name: String,
        /// Its value.
        value: Box<RawValue>,
    },
}

/// Where an unnamed member stood in an OpenAI-style response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Beside `id` and `choices`.
    Response,
    /// Beside `delta` (or `message`) and `finish_reason`.
    Choice,
    /// Inside `delta` (or `message`).
    Message,
}

/// A piece of thinking. Pieces with the same index belong to one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reasoning {
    /// Thinking in plain text.
    Text {
        /// Which block of the message.
        index: u32,
        /// The text.
        text: String,
        /// Whose form it has, so that it can be given back.
        format: Format,
    },
    /// A summary of thinking.
    Summary {
        /// Which block of the message.
        index: u32,
        /// The text.
        text: String,
        /// Whose form it has.
        format: Format,
    },
    /// The provider's signature over a block's text; the caller must send it back unchanged.
    Signature {
        /// Which block of the message.
        index: u32,
        /// The signature.
        signature: String,
        /// Whose form it has.
        format: Format,
    },
    /// Thinking that only the provider can read; the caller must send it back unchanged.
    Encrypted {
        /// Which block of the message.
        index: u32,
        /// The opaque data.
        data: String,
        /// The id of the tool call that it belongs to, where it belongs to one.
        id: Option<String>,
        /// Whose form it has.
        format: Format,
    },
}

/// Whose form a piece of reasoning has: the `format` of a `reasoning_details` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `unknown`
    Unknown,
    /// `anthropic-claude-v1`
    Anthropic,
    /// `google-gemini-v1`
    Gemini,
    /// `openai-responses-v1`
    OpenAiResponses,
}

impl Format {
    /// The name as it stands in `reasoning_details`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Anthropic => "anthropic-claude-v1",
            Self::Gemini => "google-gemini-v1",
            Self::OpenAiResponses => "openai-responses-v1",
        }
    }
}

/// Why a choice ended, in OpenRouter's five words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The token limit or the context was reached.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// A filter or the model refused.
    ContentFilter,
    /// The provider failed half-way.
    Error,
}

impl Finish {
    /// The `finish_reason` as it stands in a response.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
        }
    }
}
