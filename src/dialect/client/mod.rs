//! The client side of dialects: deltas back into what a caller reads, and errors in a caller's words.
//!
//! What callers may ask for is one row each in [`PATHS`]; another is one more file and one more row.

mod encoder;
mod metadata;
mod openai_chat;
mod openai_embeddings;
mod openai_error;
mod usage;
mod vector;

pub use encoder::{Answer, ClientDialect, Encoder};

/// The client side of `openai-chat`.
pub static OPENAI_CHAT: &ClientDialect = &openai_chat::CHAT;

/// The paths that callers post to, and how they are answered there.
pub static PATHS: &[(&str, &ClientDialect)] = &[
    ("/v1/chat/completions", &openai_chat::CHAT),
    ("/v1/completions", &openai_chat::COMPLETIONS),
    ("/v1/embeddings", &openai_embeddings::EMBEDDINGS),
];

/// Who answers at this path.
pub fn at(path: &str) -> Option<&'static ClientDialect> {
    PATHS
        .iter()
        .find(|(known, _)| *known == path)
        .map(|(_, dialect)| *dialect)
}
