//! OpenAI's older API, which continues a text: <https://platform.openai.com/docs/api-reference/completions>.
//!
//! It differs from chat in the path, in the member that holds the prompt, and in the place of the text in an answer.

use super::super::shared::{names, openai_error};
use super::super::{Decoder, Dialect, Encoded, Fidelity, Target};
use super::response::{StreamDecoder, TextIn, decode_buffered};
use super::{OpenAiChat, request};
use crate::chat::{Delta, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The provider side of `openai-completions`.
#[derive(Debug)]
pub(in crate::dialect) struct OpenAiCompletions;

impl Dialect for OpenAiCompletions {
    fn name(&self) -> &'static str {
        names::OPENAI_COMPLETIONS
    }

    fn encode(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
        request::encode(request, target)
    }

    fn check(&self, request: &Request, target: &Target<'_>) -> Result<(), Error> {
        request::check(request, target)
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn decoder(&self, fidelity: Fidelity) -> Box<dyn Decoder> {
        Box::new(StreamDecoder::new(TextIn::Choice, fidelity))
    }

    fn decode_buffered(&self, body: &str, fidelity: Fidelity, out: &mut Vec<Delta>) {
        decode_buffered(body, TextIn::Choice, fidelity, out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        openai_error::of_body(status, body)
    }

    fn usage(&self) -> UsageConvention {
        OpenAiChat.usage()
    }
}
