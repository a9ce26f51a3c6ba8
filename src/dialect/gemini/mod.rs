//! Google's Gemini API, the provider side: <https://ai.google.dev/api/generate-content>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /models/…:generateContent {"systemInstruction":{"parts":[{"text":"S"}]},
//!                                      "contents":[{"role":"user","parts":[{"text":"Q"}]}]}
//! ```
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing.
//! Vertex speaks the same as AI Studio, but for what [`host`] says. Arguments of calls come whole: pieces of them
//! (`partialArgs`) come only to who asks for them in `toolConfig`, which is ours to write.

pub(super) mod embeddings;
mod gaps;
mod host;
mod media;
mod models;
mod request;
mod response;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use super::format::{Dialect, always, callers_limit};
use super::shared::google_error;
use crate::chat::{CacheTokens, ReasoningTokens, UsageConvention};
use crate::wire::Framing;

/// The dialect's name, and in messages that of the code that all its hosts have in common.
const NAME: &str = "gemini";

/// The dialect, as Google AI Studio speaks it.
pub(super) static STUDIO: Dialect = Dialect {
    name: host::STUDIO.name,
    gaps: &gaps::GAPS,
    encode: |request, target| request::encode(request, target, &host::STUDIO),
    check: |request, target| request::check(request, target, &host::STUDIO),
    limit: callers_limit,
    searches: always,
    framing: Framing::Sse,
    decoder: |_| Box::<response::Reader>::default(),
    decode_buffered: response::read_buffered,
    error: google_error::of_response,
    usage: UsageConvention {
        cache: CacheTokens::Included,
        reasoning: ReasoningTokens::Excluded,
    },
};

/// The same, as Vertex speaks it.
pub(super) static VERTEX: Dialect = Dialect {
    name: host::VERTEX.name,
    encode: |request, target| request::encode(request, target, &host::VERTEX),
    check: |request, target| request::check(request, target, &host::VERTEX),
    ..STUDIO
};
