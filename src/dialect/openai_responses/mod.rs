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

use super::{Decoder, Dialect, Encoded, Fidelity, Gaps, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect.
#[derive(Debug)]
pub(super) struct OpenAiResponses;

impl Dialect for OpenAiResponses {
    fn name(&self) -> &'static str {
        "openai-responses"
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

    fn limit(&self, request: &Request, _: &Target<'_>) -> Result<Option<u64>, Error> {
        request::limit(request)
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
