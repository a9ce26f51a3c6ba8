//! Embeddings, the provider side: one file a wire format.
//!
//! ```text
//! {"model":"m","input":["a","b"],"dimensions":256}
//!   -> the provider's own body -> Delta::Piece { choice: 0, Embedding([…]) }, { choice: 1, … }, Usage
//! ```
//!
//! A vector is never read here: it goes on as it came. What a caller says of its purpose (`input_type`) has two documented
//! vocabularies, Cohere's and Gemini's, and each is understood for both.

mod cohere;
mod gemini;
mod openai;
mod titan;

pub(super) use cohere::{COHERE, COHERE_ON_BEDROCK};
pub(super) use gemini::Gemini;
pub(super) use openai::OpenAi;
pub(super) use titan::Titan;

use super::Decoder;
use super::features::GATEWAY;
use crate::chat::{CacheTokens, Delta, Input, Piece, ReasoningTokens, Request, UsageConvention, UsageReport};
use crate::error::{Error, Kind, quoted};
use crate::json::{self, Members, Shape, Str};
use crate::wire::Frame;
use serde_json::value::RawValue;

/// How all of them count: nothing is cached, and nothing is thought.
const USAGE: UsageConvention = UsageConvention {
    cache: CacheTokens::Included,
    reasoning: ReasoningTokens::Included,
};

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

/// What `input_type` says, in Cohere's word and Gemini's; one of them may be empty.
fn purpose(request: &Request) -> Result<Option<(&'static str, &'static str)>, Error> {
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

fn unknown_purpose(said: &str) -> Error {
    Error::invalid(format!(
        "input_type: {} is no purpose that this endpoint knows; try search_document or search_query",
        quoted(said)
    ))
}

/// The inputs of a request, at most `most`, and none of them tokens: those of one model's tokenizer mean nothing to
/// another's.
fn inputs(request: &Request, most: usize) -> Result<Vec<Input<'_>>, Error> {
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
fn refused(at: usize, what: &str) -> Error {
    Error::invalid(format!("input[{at}]: {what}"))
}

/// The members that are neither read nor dropped: they are the provider's own, and go on as they came.
fn native(request: &Request) -> impl Iterator<Item = (&str, &RawValue)> {
    request
        .members()
        .filter(|(name, text)| {
            *text != "null" && ![READ, DROPPED, GATEWAY].iter().any(|known| known.contains(name))
        })
        // The text of a member has been parsed once: it is JSON.
        .filter_map(|(name, text)| Some((name, serde_json::from_str(text).ok()?)))
}

/// Pushes the vector of input `at`, if it is one.
fn vector(at: u32, raw: Option<&RawValue>, out: &mut Vec<Delta>) {
    if let Some(raw) = raw.filter(|raw| is_vector(raw)) {
        out.push(Delta::Piece {
            choice: at,
            piece: Piece::Embedding(raw.to_owned()),
        });
    }
}

/// Whether anything is in it.
fn is_vector(raw: &RawValue) -> bool {
    match json::shape(raw) {
        Shape::Array => !raw.get().trim_matches(['[', ']']).trim().is_empty(),
        Shape::String => raw.get() != "\"\"",
        Shape::Null | Shape::Bool | Shape::Number | Shape::Object => false,
    }
}

/// Says how many vectors there were, all of which were pushed.
fn count(out: &mut Vec<Delta>) {
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
fn usage(input: Option<u64>) -> Option<Delta> {
    input.map(|input| {
        Delta::Usage(UsageReport {
            input: Some(input),
            output: Some(0),
            ..Default::default()
        })
    })
}

/// The members of a whole answer, whose beginning is pushed; `None`, with an error pushed, when it is no object.
fn begin<'a>(body: &'a str, out: &mut Vec<Delta>) -> Option<Members<'a>> {
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

fn no_answer() -> Error {
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
    use super::super::{Dialect, Fidelity, Quirks, Target};
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
    fn what_a_provider_cannot_take_is_refused_with_its_member() {
        let texts = |count: usize| format!("[{}]", vec![r#""a""#; count].join(","));
        let image = r#"[{"content":[{"type":"image_url","image_url":{"url":"https://x/a.png"}}]}]"#;
        let file = r#"[{"content":[{"type":"file","file":{"file_data":"data:a/b;base64,QQ=="}}]}]"#;
        let titan: &dyn Dialect = &Titan;
        for (dialect, model, input, more, expected) in [
            (&Gemini as &dyn Dialect, "m", texts(101), "", "input: 101 of them"),
            (&COHERE, "m", texts(97), "", "input: 97 of them"),
            (titan, "titan-embed-text-v2", texts(2), "", "input: 2 of them"),
            (&Gemini, "m", "[1,2]".to_owned(), "", "input: tokens"),
            (&COHERE, "m", "[[1],[2]]".to_owned(), "", "input: tokens"),
            (
                &COHERE,
                "m",
                texts(1),
                r#","input_type":"FACT_VERIFICATION""#,
                "input_type: ",
            ),
            (
                &COHERE,
                "m",
                texts(1),
                r#","encoding_format":"int8""#,
                "encoding_format: ",
            ),
            (&COHERE, "m", file.to_owned(), "", "input[0]: "),
            (titan, "titan-embed-text-v2", image.to_owned(), "", "input[0]: "),
            (titan, "titan-embed-image-v1", image.to_owned(), "", "input[0]: "),
            (
                titan,
                "titan-embed-text-v1",
                texts(1),
                r#","dimensions":256"#,
                "dimensions: ",
            ),
            (
                titan,
                "titan-embed-text-v2",
                texts(1),
                r#","dimensions":"many""#,
                "dimensions: ",
            ),
        ] {
            let request = request(&format!(r#"{{"input":{input}{more}}}"#));
            let target = Target {
                model,
                stream: false,
                default_max_tokens: 1,
                quirks: &Quirks::NONE,
            };
            let message = dialect.encode(&request, &target).unwrap_err().message;
            assert!(message.starts_with(expected), "{input} {more}: {message}");
        }
    }

    #[test]
    fn a_stream_that_nobody_asked_for_is_an_error() {
        let mut out = Vec::new();
        let mut decoder = Gemini.decoder(Fidelity::Full);
        decoder.finish(&mut out);
        assert!(matches!(out.as_slice(), [Delta::Error(_)]));
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
