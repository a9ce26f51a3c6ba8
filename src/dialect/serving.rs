//! Which wire format serves an operation that is not chat.
//!
//! A provider's dialect is that of its chats. Beside it the provider may have other paths with bodies of their own, and
//! each of them is a [`Dialect`] too: whatever reads, counts and answers a chat does the same for them.

use super::{Dialect, bedrock_converse, cohere_v2, gemini, openai_chat};
use crate::chat::Operation;

/// One other wire format of providers that speak a dialect.
#[derive(Debug)]
pub struct Serving {
    /// What it serves.
    pub operation: Operation,
    /// The dialect of the provider's chats.
    pub beside: &'static str,
    /// What stands in the names of the models that it is for; empty: all.
    pub models: &'static str,
    /// The format.
    pub dialect: &'static Dialect,
}

const fn row(
    operation: Operation,
    beside: &'static str,
    models: &'static str,
    dialect: &'static Dialect,
) -> Serving {
    Serving {
        operation,
        beside,
        models,
        dialect,
    }
}

/// All of them.
pub static SERVING: &[Serving] = &[
    row(
        Operation::Completions,
        "openai-chat",
        "",
        &openai_chat::completions::DIALECT,
    ),
    row(
        Operation::Embeddings,
        "openai-chat",
        "",
        &openai_chat::embeddings::DIALECT,
    ),
    row(Operation::Embeddings, "gemini", "", &gemini::embeddings::DIALECT),
    row(
        Operation::Embeddings,
        "cohere-v2",
        "",
        &cohere_v2::embeddings::COHERE,
    ),
    // Bedrock hands a body of the model's own on: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
    row(
        Operation::Embeddings,
        "bedrock-converse",
        "titan-embed",
        &bedrock_converse::embeddings::TITAN,
    ),
    row(
        Operation::Embeddings,
        "bedrock-converse",
        "cohere.embed",
        &cohere_v2::embeddings::BEDROCK,
    ),
];

/// The wire format in which a provider whose chats are in `dialect` serves `operation` with `model`, if it does.
pub fn serving(dialect: &'static Dialect, operation: Operation, model: &str) -> Option<&'static Dialect> {
    if operation == Operation::Chat {
        return Some(dialect);
    }
    SERVING
        .iter()
        .find(|row| row.operation == operation && row.beside == dialect.name() && model.contains(row.models))
        .map(|row| row.dialect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Delta, Request};
    use crate::dialect::{Fidelity, Quirks, Target};
    use crate::test;

    fn request(body: &str) -> Request {
        Request::parse(body.as_bytes().to_vec())
            .unwrap()
            .of(Operation::Embeddings)
    }

    #[test]
    fn what_a_provider_cannot_take_is_refused_with_its_member() {
        let texts = |count: usize| format!("[{}]", vec![r#""a""#; count].join(","));
        let image = r#"[{"content":[{"type":"image_url","image_url":{"url":"https://x/a.png"}}]}]"#;
        let file = r#"[{"content":[{"type":"file","file":{"file_data":"data:a/b;base64,QQ=="}}]}]"#;
        let titan: &Dialect = &bedrock_converse::embeddings::TITAN;
        for (dialect, model, input, more, expected) in [
            (
                &gemini::embeddings::DIALECT,
                "m",
                texts(101),
                "",
                "input: 101 of them",
            ),
            (
                &cohere_v2::embeddings::COHERE,
                "m",
                texts(97),
                "",
                "input: 97 of them",
            ),
            (titan, "titan-embed-text-v2", texts(2), "", "input: 2 of them"),
            (
                &gemini::embeddings::DIALECT,
                "m",
                "[1,2]".to_owned(),
                "",
                "input: tokens",
            ),
            (
                &cohere_v2::embeddings::COHERE,
                "m",
                "[[1],[2]]".to_owned(),
                "",
                "input: tokens",
            ),
            (
                &cohere_v2::embeddings::COHERE,
                "m",
                texts(1),
                r#","input_type":"FACT_VERIFICATION""#,
                "input_type: ",
            ),
            (
                &cohere_v2::embeddings::COHERE,
                "m",
                texts(1),
                r#","encoding_format":"int8""#,
                "encoding_format: ",
            ),
            (
                &cohere_v2::embeddings::COHERE,
                "m",
                file.to_owned(),
                "",
                "input[0]: ",
            ),
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
        let mut decoder = gemini::embeddings::DIALECT.decoder(Fidelity::Full);
        decoder.finish(&mut out);
        assert!(matches!(out.as_slice(), [Delta::Error(_)]));
    }
}
