//! `openai-chat`, the provider side: <https://platform.openai.com/docs/api-reference/chat>.
//!
//! Requests keep every member that the unified form does not own, in its order and spelling. Responses are read
//! leniently, because everybody who calls himself compatible deviates somewhere: nulls, empty ids, usage in odd places,
//! content as an array, thinking under three names.

mod completions;
pub(super) mod embeddings;
mod gaps;
mod messages;
mod request;
mod response;
mod wire;

pub(super) use completions::OpenAiCompletions;

use super::shared::{names, openai_error};
use super::{Decoder, Dialect, Encoded, Fidelity, Gaps, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;
use response::TextIn;

/// The provider side of `openai-chat`.
#[derive(Debug)]
pub(super) struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn name(&self) -> &'static str {
        names::OPENAI_CHAT
    }

    fn gaps(&self) -> &'static Gaps {
        &gaps::GAPS
    }

    fn encode(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
        request::encode(request, target)
    }

    fn check(&self, request: &Request, target: &Target<'_>) -> Result<(), Error> {
        request::check(request, target)
    }

    /// Many who call themselves compatible ignore the member, and OpenAI refuses it for most of its models.
    fn searches(&self, target: &Target<'_>) -> bool {
        let mut words = target.quirks.searching.iter();
        words.any(|word| target.model.contains(word))
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn decoder(&self, fidelity: Fidelity) -> Box<dyn Decoder> {
        Box::new(response::StreamDecoder::new(TextIn::Message, fidelity))
    }

    fn decode_buffered(&self, body: &str, fidelity: Fidelity, out: &mut Vec<Delta>) {
        response::decode_buffered(body, TextIn::Message, fidelity, out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        openai_error::of_body(status, body)
    }

    fn usage(&self) -> UsageConvention {
        UsageConvention {
            cache: CacheTokens::Included,
            reasoning: ReasoningTokens::Included,
        }
    }
}
