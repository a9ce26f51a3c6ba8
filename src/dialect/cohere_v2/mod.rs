//! Cohere's Chat API, version 2, the provider side: <https://docs.cohere.com/reference/chat>.
//!
//! ```text
//! {"messages":[{"role":"user","content":"Q"}],"top_p":0.9,"reasoning":{"effort":"none"}}
//!   -> POST /chat {"model":…,"messages":[{"role":"user","content":"Q"}],"thinking":{"type":"disabled"},"p":0.9}
//! ```
//!
//! Two things here have no word in the unified form. A *plan* is what a model says before it calls tools; it goes out as
//! a summary of reasoning and comes back as the plan. And Cohere counts tokens twice: see [`wire::usage`].
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing.

pub(super) mod embeddings;
mod error;
mod gaps;
mod request;
mod response;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use super::format::{Dialect, TOTALS, always, callers_limit};
use crate::wire::Framing;

/// The dialect's name.
const NAME: &str = "cohere-v2";

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: NAME,
    gaps: &gaps::GAPS,
    encode: request::encode,
    check: request::check,
    limit: callers_limit,
    searches: always,
    framing: Framing::Sse,
    decoder: |_| Box::<response::Reader>::default(),
    decode_buffered: |body, _, out| response::Reader::default().whole(body, out),
    error: error::of_response,
    usage: TOTALS,
};
