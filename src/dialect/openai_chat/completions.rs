//! OpenAI's older API, which continues a text: <https://platform.openai.com/docs/api-reference/completions>.
//!
//! It differs from chat in the path, in the member that holds the prompt, and in the place of the text in an answer.

use super::request;
use super::response::{StreamDecoder, TextIn, decode_buffered};
use crate::dialect::format::{Dialect, TOTALS, always, callers_limit};
use crate::dialect::gaps;
use crate::dialect::shared::{names, openai_error};
use crate::wire::Framing;

/// The provider side of `openai-completions`.
pub(in crate::dialect) static DIALECT: Dialect = Dialect {
    name: names::OPENAI_COMPLETIONS,
    gaps: &gaps::NONE,
    encode: request::encode,
    check: request::check,
    limit: callers_limit,
    searches: always,
    framing: Framing::Sse,
    decoder: |fidelity| Box::new(StreamDecoder::new(TextIn::Choice, fidelity)),
    decode_buffered: |body, fidelity, out| decode_buffered(body, TextIn::Choice, fidelity, out),
    error: openai_error::of_body,
    usage: TOTALS,
};
