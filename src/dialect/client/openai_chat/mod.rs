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
use buffered::Buffered;
use shapes::Form;
use stream::Stream;

/// The client side of `openai-chat`.
pub(super) static CHAT: ClientDialect = ClientDialect {
    name: names::OPENAI_CHAT,
    operation: Operation::Chat,
    encoder: |answer| encoder(answer, Form::Chat),
    error: error_body,
};

/// The client side of `openai-completions`.
pub(super) static COMPLETIONS: ClientDialect = ClientDialect {
    name: names::OPENAI_COMPLETIONS,
    operation: Operation::Completions,
    encoder: |answer| encoder(answer, Form::Completion),
    error: error_body,
};

fn encoder(answer: Answer, form: Form) -> Box<dyn Encoder> {
    if answer.stream {
        Box::new(Stream::new(answer, form))
    } else {
        Box::new(Buffered::new(answer, form))
    }
}
