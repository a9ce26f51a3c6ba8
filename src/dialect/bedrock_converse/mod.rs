//! Amazon Bedrock's Converse API, the provider side:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /model/…/converse {"system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"Q"}]}]}
//! ```
//!
//! Signing is not done here. Every member of a response is read as far as the unified form has a place for it;
//! `fidelity` changes nothing.

pub(super) mod embeddings;
mod gaps;
mod media;
mod request;
mod response;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use super::format::{Dialect, Target, always};
use super::shared::aws_error;
use super::shared::claude::{Plan, Rules};
use crate::chat::{CacheTokens, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect's name.
const NAME: &str = "bedrock-converse";

/// The dialect.
pub(super) static DIALECT: Dialect = Dialect {
    name: NAME,
    gaps: &gaps::GAPS,
    encode: request::encode,
    check: request::check,
    limit,
    searches: always,
    framing: Framing::EventStream,
    decoder: |_| Box::<response::Reader>::default(),
    decode_buffered: |body, _, out| response::Reader::default().whole(body, out),
    error: aws_error::of_response,
    usage: UsageConvention {
        cache: CacheTokens::Excluded,
        reasoning: ReasoningTokens::Included,
    },
};

fn limit(request: &Request, target: &Target<'_>) -> Result<Option<u64>, Error> {
    let rules = Rules::find(target.model).unwrap_or(Rules::OTHER);
    let (limit, limited) = Plan::limit(request, target, rules)?;
    Ok(limited.then_some(limit))
}
