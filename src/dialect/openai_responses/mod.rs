//! OpenAI's Responses API, the provider side: <https://platform.openai.com/docs/api-reference/responses>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /responses {"model":…,"input":[{"type":"message","role":"system","content":"S"},
//!                                          {"type":"message","role":"user","content":"Q"}],"store":false}
//! ```
//!
//! Nothing is kept at the provider: the whole conversation goes out every time, and what the model thought goes back
//! encrypted. Every member of a response is read as far as the unified form has a place for it; `fidelity` changes
//! nothing.

mod error;
mod gaps;
mod input;
mod request;
mod response;
mod tools;

#[cfg(test)]
mod tests;

use super::format::{Dialect, TOTALS, always};
use crate::wire::Framing;

/// The dialect's name.
const NAME: &str = "openai-responses";

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: NAME,
    gaps: &gaps::GAPS,
    encode: request::encode,
    check: request::check,
    limit: |request, _| request::limit(request),
    searches: always,
    framing: Framing::Sse,
    decoder: |_| Box::<response::Reader>::default(),
    decode_buffered: |body, _, out| response::Reader::default().whole(body, out),
    error: error::of_response,
    usage: TOTALS,
};
