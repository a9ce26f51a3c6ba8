//! Ollama's own API, the provider side: <https://github.com/ollama/ollama/blob/main/docs/api.md>.
//!
//! ```text
//! {"messages":[{"role":"user","content":"Q"}],"max_tokens":5}
//!   -> POST /api/chat {"messages":[{"role":"user","content":"Q"}],"options":{"num_predict":5},"stream":false}
//! ```
//!
//! The length of the context (`num_ctx`), how long the model stays loaded (`keep_alive`) and thinking by a switch exist
//! only here and not in Ollama's OpenAI-compatible API, which also sets a temperature of its own.
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing. Left out
//! are when a line was made, how long each step took, and by which other server.

mod error;
mod gaps;
mod request;
mod response;
mod turns;

#[cfg(test)]
mod tests;

use super::format::{Dialect, TOTALS, always};
use crate::wire::Framing;

/// The dialect's name.
const NAME: &str = "ollama";

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: NAME,
    gaps: &gaps::GAPS,
    encode: request::encode,
    check: request::check,
    limit: |request, _| request::limit(request),
    searches: always,
    framing: Framing::Ndjson,
    decoder: |_| Box::<response::Reader>::default(),
    decode_buffered: response::read_buffered,
    error: error::of_response,
    usage: TOTALS,
};
