//! Google's Gemini API (AI Studio), the provider side: <https://ai.google.dev/api/generate-content>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /models/…:generateContent {"systemInstruction":{"parts":[{"text":"S"}]},
//!                                      "contents":[{"role":"user","parts":[{"text":"Q"}]}]}
//! ```
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing.
//! Vertex, which speaks the same with other paths and credentials, is not here.

pub(super) mod error;
mod gaps;
mod media;
mod models;
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
pub(super) struct Gemini;

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
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
        let mut reader = response::Reader::default();
        reader.read(body, out);
        reader.finish(out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        error::of_response(status, body)
    }

    fn usage(&self) -> UsageConvention {
        UsageConvention {
            cache: CacheTokens::Included,
            reasoning: ReasoningTokens::Excluded,
        }
    }
}
