//! What a caller wants done: the seam between one client path and the wire formats that can serve it.

/// What a caller wants done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// An answer to a conversation.
    #[default]
    Chat,
    /// The continuation of a text: OpenAI's older API.
    Completions,
    /// Texts or images as vectors.
    Embeddings,
}

impl Operation {
    /// The word in receipts and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }

    /// The member of a request that holds what the model is to read.
    pub const fn prompt(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Completions => "prompt",
            Self::Embeddings => "input",
        }
    }

    /// Whether its answers may be streamed.
    pub const fn streams(self) -> bool {
        match self {
            Self::Chat | Self::Completions => true,
            Self::Embeddings => false,
        }
    }

    /// The key under which an endpoint's health for this operation is kept, made from the endpoint's own: that a chat model
    /// does not embed must not count against its chats.
    pub const fn health_key(self, endpoint: u64) -> u64 {
        match self {
            Self::Chat => endpoint,
            Self::Completions => crate::hash::mix(endpoint ^ 1),
            Self::Embeddings => crate::hash::mix(endpoint ^ 2),
        }
    }
}
