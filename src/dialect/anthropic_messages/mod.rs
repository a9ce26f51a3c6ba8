//! Anthropic's Messages API, the provider side: <https://docs.anthropic.com/en/api/messages>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /messages {"model":…,"max_tokens":…,"system":[{"type":"text","text":"S"}],"messages":[{"role":"user",…}]}
//! ```
//!
//! Vertex and Bedrock serve the same API under other paths: what differs is in [`host`].
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing.

mod chunks;
mod error;
mod gaps;
mod host;
mod request;
mod response;
mod search;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use super::format::{Dialect, Target, always};
use super::shared::claude::{Plan, Rules};
use super::shared::{aws_error, google_error};
use crate::chat::{CacheTokens, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect's name, and in messages that of the code that all its hosts have in common.
const NAME: &str = "anthropic-messages";

/// The dialect, as Anthropic itself speaks it.
pub(super) static ANTHROPIC: Dialect = Dialect {
    name: host::ANTHROPIC.name,
    gaps: &gaps::GAPS,
    encode: |request, target| request::encode(request, target, &host::ANTHROPIC),
    check: |request, target| request::check(request, target, &host::ANTHROPIC),
    limit,
    searches: always,
    framing: Framing::Sse,
    decoder: |_| Box::<response::Reader>::default(),
    decode_buffered: |body, _, out| response::Reader::default().whole(body, out),
    error: error::of_response,
    usage: UsageConvention {
        cache: CacheTokens::Excluded,
        reasoning: ReasoningTokens::Included,
    },
};

/// The same, as Vertex speaks it.
pub(super) static VERTEX: Dialect = Dialect {
    name: host::VERTEX.name,
    gaps: &gaps::HOSTED,
    encode: |request, target| request::encode(request, target, &host::VERTEX),
    check: |request, target| request::check(request, target, &host::VERTEX),
    // What Google itself refuses, it refuses in its own form.
    error: |status, body| match error::said(status, body) {
        Some(error) => error,
        None => google_error::of_response(status, body),
    },
    ..ANTHROPIC
};

/// The same, as Bedrock speaks it.
pub(super) static BEDROCK: Dialect = Dialect {
    name: host::BEDROCK.name,
    gaps: &gaps::BEDROCK,
    encode: |request, target| request::encode(request, target, &host::BEDROCK),
    check: |request, target| request::check(request, target, &host::BEDROCK),
    framing: Framing::EventStream,
    decoder: |_| Box::<chunks::Chunks>::default(),
    error: aws_error::of_response,
    ..ANTHROPIC
};

fn limit(request: &Request, target: &Target<'_>) -> Result<Option<u64>, Error> {
    let rules = Rules::find(target.model).unwrap_or(Rules::COMPATIBLE);
    Plan::limit(request, target, rules).map(|(limit, _)| Some(limit))
}
