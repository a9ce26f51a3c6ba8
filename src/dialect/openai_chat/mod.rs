//! `openai-chat`, the provider side: <https://platform.openai.com/docs/api-reference/chat>.
//!
//! Requests keep every member that the unified form does not own, in its order and spelling. Responses are read
//! leniently, because everybody who calls himself compatible deviates somewhere: nulls, empty ids, usage in odd places,
//! content as an array, thinking under three names.

pub(super) mod completions;
pub(super) mod embeddings;
mod gaps;
mod messages;
mod parts;
mod request;
mod response;
mod wire;

use super::format::{Dialect, TOTALS, Target, callers_limit};
use super::shared::{names, openai_error};
use crate::wire::Framing;
use response::{StreamDecoder, TextIn};

/// The provider side of `openai-chat`.
pub(super) static DIALECT: Dialect = Dialect {
    name: names::OPENAI_CHAT,
    gaps: &gaps::GAPS,
    encode: request::encode,
    check: request::check,
    limit: callers_limit,
    searches,
    framing: Framing::Sse,
    decoder: |fidelity| Box::new(StreamDecoder::new(TextIn::Message, fidelity)),
    decode_buffered: |body, fidelity, out| response::decode_buffered(body, TextIn::Message, fidelity, out),
    error: openai_error::of_body,
    usage: TOTALS,
};

/// Many who call themselves compatible ignore the member, and OpenAI refuses it for most of its models.
fn searches(target: &Target<'_>) -> bool {
    let mut words = target.quirks.searching.iter();
    words.any(|word| target.model.contains(word))
}
