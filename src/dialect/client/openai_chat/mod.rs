//! `openai-chat` and `openai-completions`, the client side, with OpenRouter's additions: `provider`, `native_finish_reason`, `reasoning`,
//! `reasoning_details`, `images`, `annotations`, and errors inside a stream.
//!
//! Shapes: <https://platform.openai.com/docs/api-reference/chat>, <https://openrouter.ai/docs/api-reference/streaming>.

mod buffered;
mod mend;
mod shapes;
mod stream;

use super::encoder::{Answer, ClientDialect, Encoder};
use super::openai_error::error_body;
use crate::chat::Operation;
use crate::dialect::shared::names;
use crate::error::{Error, PreviousError};
use buffered::Buffered;
use shapes::Form;
use stream::Stream;

/// The client side of `openai-chat`.
#[derive(Debug)]
pub(super) struct OpenAiChat;

/// The client side of `openai-completions`.
#[derive(Debug)]
pub(super) struct OpenAiCompletions;

impl ClientDialect for OpenAiChat {
    fn name(&self) -> &'static str {
        names::OPENAI_CHAT
    }

    fn operation(&self) -> Operation {
        Operation::Chat
    }

    fn encoder(&self, answer: Answer) -> Box<dyn Encoder> {
        encoder(answer, Form::Chat)
    }

    fn error(&self, error: &Error, previous: &[PreviousError]) -> Vec<u8> {
        error_body(error, previous)
    }
}

impl ClientDialect for OpenAiCompletions {
    fn name(&self) -> &'static str {
        names::OPENAI_COMPLETIONS
    }

    fn operation(&self) -> Operation {
        Operation::Completions
    }

    fn encoder(&self, answer: Answer) -> Box<dyn Encoder> {
        encoder(answer, Form::Completion)
    }

    fn error(&self, error: &Error, previous: &[PreviousError]) -> Vec<u8> {
        error_body(error, previous)
    }
}

fn encoder(answer: Answer, form: Form) -> Box<dyn Encoder> {
    if answer.stream {
        Box::new(Stream::new(answer, form))
    } else {
        Box::new(Buffered::new(answer, form))
    }
}
