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

use super::shared::aws_error;
use super::shared::claude::{Plan, Rules};
use super::{Decoder, Dialect, Encoded, Fidelity, Gaps, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect.
#[derive(Debug)]
pub(super) struct BedrockConverse;

impl Dialect for BedrockConverse {
    fn name(&self) -> &'static str {
        "bedrock-converse"
    }

    fn gaps(&self) -> &'static Gaps {
        &gaps::GAPS
    }

    fn encode(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
        super::gaps::refuse(self, request)?;
        request::encode(request, target)
    }

    fn check(&self, request: &Request, target: &Target<'_>) -> Result<(), Error> {
        super::gaps::refuse(self, request)?;
        request::check(request, target)
    }

    fn limit(&self, request: &Request, target: &Target<'_>) -> Result<Option<u64>, Error> {
        let rules = Rules::find(target.model).unwrap_or(Rules::OTHER);
        let (limit, limited) = Plan::limit(request, target, rules)?;
        Ok(limited.then_some(limit))
    }

    fn framing(&self) -> Framing {
        Framing::EventStream
    }

    fn decoder(&self, _fidelity: Fidelity) -> Box<dyn Decoder> {
        Box::<response::Reader>::default()
    }

    fn decode_buffered(&self, body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
        response::Reader::default().whole(body, out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        aws_error::of_response(status, body)
    }

    fn usage(&self) -> UsageConvention {
        UsageConvention {
            cache: CacheTokens::Excluded,
            reasoning: ReasoningTokens::Included,
        }
    }
}
