//! Embeddings of OpenAI-compatible providers: <https://platform.openai.com/docs/api-reference/embeddings>.
//!
//! A request keeps every member that is not the gateway's own, tokens and media included. `encoding_format` goes along; a
//! provider that does not know it answers with numbers, and the client side sees to that.

use super::request;
use super::response::unnamed;
use crate::chat::{Delta, Place};
use crate::dialect::shared::embeddings::{self, begin, is_vector, no_answer, usage, vector};
use crate::dialect::shared::{names, openai_error};
use crate::dialect::{Dialect, Fidelity};
use crate::json::{Members, Shape, shape};

/// The members of an answer that are understood, or that the gateway writes itself.
const RESPONSE_MEMBERS: &[&str] = &[
    "id", "object", "created", "model", "provider", "data", "usage", "error",
];
/// The same, of an entry of `data`.
const ENTRY_MEMBERS: &[&str] = &["object", "index", "embedding"];
/// The most entries of one answer: OpenAI's limit on `input`.
const MAX_ENTRIES: u32 = 2_048;

/// The provider side.
pub(in crate::dialect) static DIALECT: Dialect = embeddings::format(
    names::OPENAI_EMBEDDINGS,
    request::encode,
    request::check,
    decode,
    openai_error::of_body,
);

fn decode(body: &str, fidelity: Fidelity, out: &mut Vec<Delta>) {
    let Some(answer) = begin(body, out) else { return };
    if let Some(raw) = answer.get("error") {
        out.push(Delta::Error(openai_error::in_band(raw)));
        return;
    }
    if answer.get("data").is_none_or(|data| shape(data) != Shape::Array) {
        out.push(Delta::Error(no_answer()));
        return;
    }
    if fidelity == Fidelity::Full {
        unnamed(body, RESPONSE_MEMBERS, 0, Place::Response, out);
    }
    let mut count = 0_usize;
    for (position, raw) in (0..MAX_ENTRIES).zip(answer.items("data")) {
        let entry = Members::of(raw);
        let at = entry.count("index").and_then(|index| u32::try_from(index).ok());
        let at = at.filter(|at| *at < MAX_ENTRIES).unwrap_or(position);
        let embedding = entry.get("embedding").filter(|raw| is_vector(raw));
        // The first shows the form of all.
        if fidelity == Fidelity::Full || count == 0 {
            vector(at, embedding, out);
        }
        count = count.saturating_add(usize::from(embedding.is_some()));
        if fidelity == Fidelity::Full {
            unnamed(raw.get(), ENTRY_MEMBERS, at, Place::Choice, out);
        }
    }
    out.push(Delta::Vectors(count));
    let counts = answer.get("usage").map(Members::of).unwrap_or_default();
    // Voyage gives the total only: https://docs.voyageai.com/reference/embeddings-api
    out.extend(usage(
        counts.count("prompt_tokens").or(counts.count("total_tokens")),
    ));
}
