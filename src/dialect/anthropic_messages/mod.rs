//! Anthropic's Messages API, the provider side: <https://docs.anthropic.com/en/api/messages>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /messages {"model":…,"max_tokens":…,"system":[{"type":"text","text":"S"}],"messages":[{"role":"user",…}]}
//! ```
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing.

pub(super) mod citations;
pub(super) mod claude;
mod error;
mod gaps;
pub(super) mod ids;
pub(super) mod request;
mod response;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

pub(super) use request::schema;

use super::{Decoder, Dialect, Encoded, Fidelity, Gaps, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect.
#[derive(Debug)]
pub(super) struct AnthropicMessages;

impl Dialect for AnthropicMessages {
    fn name(&self) -> &'static str {
        "anthropic-messages"
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

    fn decode_buffered(&self, body: &[u8], _fidelity: Fidelity, out: &mut Vec<Delta>) {
        response::Reader::default().whole(body, out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        error::of_response(status, body)
    }

    fn usage(&self) -> UsageConvention {
        UsageConvention {
            cache: CacheTokens::Excluded,
            reasoning: ReasoningTokens::Included,
        }
    }
}
