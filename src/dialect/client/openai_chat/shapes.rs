//! What buffered and streamed answers are made of.

use crate::chat::{Format, Reasoning};
use crate::dialect::client::encoder::Answer;
use serde::Serialize;

/// Which of the two forms an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Choices with a message.
    Chat,
    /// Choices with a text. Nothing else ever comes of such a provider.
    Completion,
}

impl Form {
    /// The `object` of a whole answer.
    pub(super) const fn whole(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion",
            Self::Completion => "text_completion",
        }
    }

    /// The `object` of a chunk.
    pub(super) const fn chunk(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion.chunk",
            Self::Completion => "text_completion",
        }
    }

    /// The member that holds the text.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Chat => "content",
            Self::Completion => "text",
        }
    }
}

/// The members that every answer and every chunk begins with.
#[derive(Serialize)]
pub(super) struct Head<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    provider: &'a str,
}

impl<'a> Head<'a> {
    pub(super) fn new(answer: &'a Answer, object: &'static str) -> Self {
        Self {
            id: &answer.id,
            object,
            created: answer.created,
            model: &answer.model,
            provider: &answer.provider,
        }
    }
}

/// One entry of `reasoning_details`.
#[derive(Serialize)]
pub(super) struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    format: &'static str,
    pub(super) index: u32,
}

impl<'a> Detail<'a> {
    pub(super) fn new(reasoning: &'a Reasoning) -> Self {
        let empty = |kind, format: Format, index| Self {
            kind,
            text: None,
            summary: None,
            data: None,
            signature: None,
            id: None,
            format: format.name(),
            index,
        };
        match reasoning {
            Reasoning::Text { index, text, format } => Self {
                text: Some(text),
                ..empty("reasoning.text", *format, *index)
            },
            Reasoning::Summary { index, text, format } => Self {
                summary: Some(text),
                ..empty("reasoning.summary", *format, *index)
            },
            Reasoning::Signature {
                index,
                signature,
                format,
            } => Self {
                signature: Some(signature),
                ..empty("reasoning.text", *format, *index)
            },
            Reasoning::Encrypted {
                index,
                data,
                id,
                format,
            } => Self {
                data: Some(data),
                id: id.as_deref(),
                ..empty("reasoning.encrypted", *format, *index)
            },
        }
    }
}

/// The text that `reasoning` shows of a piece of thinking.
pub(super) const fn shown(reasoning: &Reasoning) -> Option<&String> {
    match reasoning {
        Reasoning::Text { text, .. } | Reasoning::Summary { text, .. } => Some(text),
        Reasoning::Signature { .. } | Reasoning::Encrypted { .. } => None,
    }
}

/// An image that the model made.
#[derive(Serialize)]
pub(super) struct ImageBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: ImageUrl<'a>,
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

impl<'a> ImageBody<'a> {
    pub(super) const fn new(url: &'a str) -> Self {
        Self {
            kind: "image_url",
            image_url: ImageUrl { url },
        }
    }
}

/// What a tool call calls.
#[derive(Serialize)]
pub(super) struct Name<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}
