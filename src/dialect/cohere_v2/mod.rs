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

use super::{Decoder, Dialect, Encoded, Fidelity, Gaps, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect.
#[derive(Debug)]
pub(super) struct CohereV2;

impl Dialect for CohereV2 {
    fn name(&self) -> &'static str {
        "cohere-v2"
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

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn decoder(&self, _fidelity: Fidelity) -> Box<dyn Decoder> {
        Box::<response::Reader>::default()
    }

    fn decode_buffered(&self, body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
        response::Reader::default().whole(body, out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        error::of_response(status, body)
    }

    fn usage(&self) -> UsageConvention {
        UsageConvention {
            cache: CacheTokens::Included,
            reasoning: ReasoningTokens::Included,
        }
    }
}
