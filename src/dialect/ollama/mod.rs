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

use super::gaps::Gaps;
use super::{Decoder, Dialect, Encoded, Fidelity, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect.
#[derive(Debug)]
pub(super) struct Ollama;

impl Dialect for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
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
        Framing::Ndjson
    }

    fn decoder(&self, _fidelity: Fidelity) -> Box<dyn Decoder> {
        Box::<response::Reader>::default()
    }

    fn decode_buffered(&self, body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
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
            reasoning: ReasoningTokens::Included,
        }
    }
}
