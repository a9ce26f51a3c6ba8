//! What the wire formats of embeddings share; each of them has a file in its dialect's folder.
//!
//! ```text
//! {"model":"m","input":["a","b"],"dimensions":256}
//!   -> the provider's own body -> Delta::Piece { choice: 0, Embedding([…]) }, { choice: 1, … }, Usage
//! ```
//!
//! A vector is never read here: it goes on as it came. What a caller says of its purpose (`input_type`) has two documented
//! vocabularies, Cohere's and Gemini's, and each is understood for both.

use crate::chat::{Delta, Input, Piece, Request, UsageReport};
use crate::dialect::features::GATEWAY;
use crate::dialect::format::{Decoder, Dialect, Encoded, Fidelity, TOTALS, Target, always, callers_limit};
use crate::dialect::gaps;
use crate::error::{Error, Kind, quoted};
use crate::json::{self, Members, Shape, Str};
use crate::wire::{Frame, Framing};
use serde_json::value::RawValue;

/// What the encoders of a body of their own read.
const READ: &[&str] = &["dimensions", "encoding_format", "input", "input_type"];

/// What no such body has a place for, and the providers' own names for what the unified form says in another way; dropped.
const DROPPED: &[&str] = &[
    "content",
    "embeddingConfig",
    "embeddingTypes",
    "embedding_types",
    "images",
    "inputImage",
    "inputText",
    "inputs",
    "metadata",
    "outputDimensionality",
    "output_dimension",
    "requests",
    "taskType",
    "texts",
    "user",
];

/// What the texts are for: Cohere's word and Gemini's. <https://docs.cohere.com/reference/embed>,
/// <https://ai.google.dev/gemini-api/docs/embeddings#task-types>
static PURPOSES: &[(&str, &str)] = &[
    ("search_document", "RETRIEVAL_DOCUMENT"),
    ("search_query", "RETRIEVAL_QUERY"),
    ("classification", "CLASSIFICATION"),
    ("clustering", "CLUSTERING"),
    ("", "SEMANTIC_SIMILARITY"),
    ("", "QUESTION_ANSWERING"),
    ("", "FACT_VERIFICATION"),
    ("", "CODE_RETRIEVAL_QUERY"),
];

/// Words of other providers (Voyage, Nvidia, Jina) for the first two.
static SYNONYMS: &[(&str, &str)] = &[
    ("document", "search_document"),
    ("passage", "search_document"),
    ("query", "search_query"),
];

/// A format of embeddings: no stream, nothing cached and nothing thought.
pub(in crate::dialect) const fn format(
    name: &'static str,
    encode: fn(&Request, &Target<'_>) -> Result<Encoded, Error>,
    check: fn(&Request, &Target<'_>) -> Result<(), Error>,
    decode_buffered: fn(&str, Fidelity, &mut Vec<Delta>),
    error: fn(u16, &[u8]) -> Error,
) -> Dialect {
    Dialect {
        name,
        gaps: &gaps::NONE,
        encode,
        check,
        limit: callers_limit,
        searches: always,
        framing: Framing::Whole,
        decoder: |_| Box::new(NoStream),
        decode_buffered,
        error,
        usage: TOTALS,
    }
}

/// What `input_type` says, in Cohere's word and Gemini's; one of them may be empty.
pub(in crate::dialect) fn purpose(request: &Request) -> Result<Option<(&'static str, &'static str)>, Error> {
    let Some(said) = request.get::<Str<'_>>("input_type")? else {
        return Ok(None);
    };
    let synonym = SYNONYMS.iter().find(|(theirs, _)| **theirs == *said);
    let said = synonym.map_or(&*said, |(_, ours)| ours);
    let found = PURPOSES
        .iter()
        .find(|(cohere, gemini)| !said.is_empty() && [*cohere, *gemini].contains(&said));
    found.copied().map(Some).ok_or_else(|| unknown_purpose(said))
}

pub(in crate::dialect) fn unknown_purpose(said: &str) -> Error {
    Error::invalid(format!(
        "input_type: {} is no purpose that this endpoint knows; try search_document or search_query",
        quoted(said)
    ))
}

/// The inputs of a request, at most `most`, and none of them tokens: those of one model's tokenizer mean nothing to
/// another's.
pub(in crate::dialect) fn inputs(request: &Request, most: usize) -> Result<Vec<Input<'_>>, Error> {
    let inputs = request.inputs()?;
    if inputs.len() > most {
        return Err(Error::invalid(format!(
            "input: {} of them; this endpoint takes at most {most} in one request",
            inputs.len()
        )));
    }
    if inputs.iter().any(|input| matches!(input, Input::Tokens(_))) {
        return Err(Error::invalid(
            "input: tokens; this endpoint takes text, and its tokenizer is its own",
        ));
    }
    // The vectors come as numbers, and become base64 on the way back.
    match request.get::<Str<'_>>("encoding_format")?.as_deref() {
        None | Some("float" | "base64") => Ok(inputs),
        Some(other) => Err(Error::invalid(format!(
            "encoding_format: {} is not to be had from this endpoint; use float or base64",
            quoted(other)
        ))),
    }
}

/// The part at a place in the input can't be carried.
pub(in crate::dialect) fn refused(at: usize, what: &str) -> Error {
    Error::invalid(format!("input[{at}]: {what}"))
}

/// The members that are neither read nor dropped: they are the provider's own, and go on as they came.
pub(in crate::dialect) fn native(request: &Request) -> impl Iterator<Item = (&str, &RawValue)> {
    request
        .members()
        .filter(|(name, text)| {
            *text != "null" && ![READ, DROPPED, GATEWAY].iter().any(|known| known.contains(name))
        })
        // The text of a member has been parsed once: it is JSON.
        .filter_map(|(name, text)| Some((name, serde_json::from_str(text).ok()?)))
}

/// Pushes the vector of input `at`, if it is one.
pub(in crate::dialect) fn vector(at: u32, raw: Option<&RawValue>, out: &mut Vec<Delta>) {
    if let Some(raw) = raw.filter(|raw| is_vector(raw)) {
        out.push(Delta::Piece {
            choice: at,
            piece: Piece::Embedding(raw.to_owned()),
        });
    }
}

/// Whether anything is in it.
pub(in crate::dialect) fn is_vector(raw: &RawValue) -> bool {
    match json::shape(raw) {
        Shape::Array => !raw.get().trim_matches(['[', ']']).trim().is_empty(),
        Shape::String => raw.get() != "\"\"",
        Shape::Null | Shape::Bool | Shape::Number | Shape::Object => false,
    }
}

/// Says how many vectors there were, all of which were pushed.
pub(in crate::dialect) fn count(out: &mut Vec<Delta>) {
    let is_one = |delta: &&Delta| {
        matches!(
            delta,
            Delta::Piece {
                piece: Piece::Embedding(_),
                ..
            }
        )
    };
    let count = out.iter().filter(is_one).count();
    out.push(Delta::Vectors(count));
}

/// What was read: an embedding has no completion.
pub(in crate::dialect) fn usage(input: Option<u64>) -> Option<Delta> {
    input.map(|input| {
        Delta::Usage(UsageReport {
            input: Some(input),
            output: Some(0),
            ..Default::default()
        })
    })
}

/// The members of a whole answer, whose beginning is pushed; `None`, with an error pushed, when it is no object.
pub(in crate::dialect) fn begin<'a>(body: &'a str, out: &mut Vec<Delta>) -> Option<Members<'a>> {
    let Ok(members) = Members::read(body) else {
        out.push(Delta::Error(no_answer()));
        return None;
    };
    let own = |name| members.text(name).map(Str::into_string);
    out.push(Delta::Start {
        id: own("id"),
        model: own("model"),
    });
    Some(members)
}

pub(in crate::dialect) fn no_answer() -> Error {
    Error::new(
        Kind::ProviderUnavailable,
        "the provider sent something that is no list of embeddings",
    )
}

/// Reads a stream that a provider sends though nobody can ask for one.
#[derive(Debug)]
struct NoStream;

impl Decoder for NoStream {
    fn decode(&mut self, _frame: &Frame<'_>, _out: &mut Vec<Delta>) {}

    fn finish(&mut self, out: &mut Vec<Delta>) {
        out.push(Delta::Error(no_answer()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Operation;
    use crate::test;

    fn request(body: &str) -> Request {
        Request::parse(body.as_bytes().to_vec())
            .unwrap()
            .of(Operation::Embeddings)
    }

    #[test]
    fn no_member_is_both_read_and_dropped() {
        assert!(READ.is_sorted() && DROPPED.is_sorted());
        assert!(!READ.iter().any(|name| DROPPED.contains(name)));
    }

    #[test]
    fn a_purpose_is_understood_in_every_vocabulary() {
        let said = |word: &str| purpose(&request(&format!(r#"{{"input_type":"{word}"}}"#)));
        for word in ["search_query", "query", "RETRIEVAL_QUERY"] {
            assert_eq!(said(word).unwrap(), Some(("search_query", "RETRIEVAL_QUERY")));
        }
        assert_eq!(
            said("SEMANTIC_SIMILARITY").unwrap(),
            Some(("", "SEMANTIC_SIMILARITY"))
        );
        for word in ["", "x"] {
            assert!(
                said(word).unwrap_err().message.starts_with("input_type: "),
                "{word}"
            );
        }
        assert_eq!(purpose(&request("{}")).unwrap(), None);
    }

    #[test]
    fn a_vector_without_numbers_is_none() {
        for (raw, expected) in [
            ("[]", 0),
            ("[ ]", 0),
            ("null", 0),
            ("\"\"", 0),
            ("[0.0]", 1),
            ("\"AAAA\"", 1),
        ] {
            let raw = RawValue::from_string(raw.to_owned()).unwrap();
            let mut out = Vec::new();
            vector(0, Some(&raw), &mut out);
            assert_eq!(out.len(), expected, "{raw}");
        }
    }
}
