//! Which wire format serves an operation that is not chat.
//!
//! A provider's dialect is that of its chats. Beside it the provider may have other paths with bodies of their own, and
//! each of them is a [`Dialect`] too: whatever reads, counts and answers a chat does the same for them.

use super::{Dialect, embeddings, openai_chat};
use crate::chat::Operation;

/// One other wire format of providers that speak a dialect.
#[derive(Debug)]
pub struct Serving {
    /// What it serves.
    pub operation: Operation,
    /// The dialect of the provider's chats.
    pub beside: &'static str,
    /// What stands in the names of the models that it is for; empty: all.
    pub models: &'static str,
    /// The format.
    pub dialect: &'static dyn Dialect,
}

const fn row(
    operation: Operation,
    beside: &'static str,
    models: &'static str,
    dialect: &'static dyn Dialect,
) -> Serving {
    Serving {
        operation,
        beside,
        models,
        dialect,
    }
}

/// All of them.
pub static SERVING: &[Serving] = &[
    row(
        Operation::Completions,
        "openai-chat",
        "",
        &openai_chat::OpenAiCompletions,
    ),
    row(Operation::Embeddings, "openai-chat", "", &embeddings::OpenAi),
    row(Operation::Embeddings, "gemini", "", &embeddings::Gemini),
    row(Operation::Embeddings, "cohere-v2", "", &embeddings::COHERE),
    // Bedrock hands a body of the model's own on: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
    row(
        Operation::Embeddings,
        "bedrock-converse",
        "titan-embed",
        &embeddings::Titan,
    ),
    row(
        Operation::Embeddings,
        "bedrock-converse",
        "cohere.embed",
        &embeddings::COHERE_ON_BEDROCK,
    ),
];

/// The wire format in which a provider whose chats are in `dialect` serves `operation` with `model`, if it does.
pub fn serving(
    dialect: &'static dyn Dialect,
    operation: Operation,
    model: &str,
) -> Option<&'static dyn Dialect> {
    if operation == Operation::Chat {
        return Some(dialect);
    }
    SERVING
        .iter()
        .find(|row| row.operation == operation && row.beside == dialect.name() && model.contains(row.models))
        .map(|row| row.dialect)
}
