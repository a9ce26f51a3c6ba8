//! Wire formats: a folder for each dialect, and a row in [`DIALECTS`].
//!
//! The provider side of a dialect writes a unified request for an endpoint and reads its responses as deltas. The client
//! side ([`client`]) reads a caller's request and writes deltas back. Dialects meet only in the unified form of
//! [`crate::chat`]: none imports from the folder of another, and what several need is in `shared`. Nothing here knows a
//! host, a key or a clock.

mod anthropic_messages;
mod bedrock_converse;
pub mod client;
mod cohere_v2;
mod features;
mod format;
mod gaps;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;
mod path;
mod quirks;
mod serving;
mod shared;
#[cfg(test)]
mod steps;
mod translation;

pub use features::{FEATURES, Feature};
pub use format::{Decoder, Dialect, Encoded, Fidelity, Target};
pub use gaps::{Gaps, Handling, Unsupported};
pub use path::{path_for, path_segment};
pub use quirks::{Edits, Quirks, ThinkingWords};
pub use serving::{SERVING, Serving, serving};
pub use translation::Translation;

/// Every dialect that a provider's chats may speak; what it speaks beside them is in `serving`.
pub static DIALECTS: &[&Dialect] = &[
    &openai_chat::DIALECT,
    &anthropic_messages::ANTHROPIC,
    &anthropic_messages::VERTEX,
    &anthropic_messages::BEDROCK,
    &bedrock_converse::DIALECT,
    &gemini::STUDIO,
    &gemini::VERTEX,
    &ollama::DIALECT,
    &cohere_v2::DIALECT,
    &openai_responses::DIALECT,
];

/// The dialect of this name.
pub fn find(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::test;

    #[test]
    fn names_of_dialects_are_unique() {
        for dialect in DIALECTS {
            assert!(
                std::ptr::eq(find(dialect.name()).unwrap(), *dialect),
                "{}",
                dialect.name()
            );
        }
    }

    #[test]
    fn a_body_that_is_no_error_object_gives_the_status() {
        let others = SERVING.iter().map(|row| row.dialect);
        for dialect in DIALECTS.iter().copied().chain(others) {
            for body in [
                "",
                "<html>502</html>",
                "{}",
                "[]",
                "[[]]",
                "null",
                r#"{"error":null}"#,
                r#"{"error":{}}"#,
                r#"{"error":7}"#,
                r#"{"message":null}"#,
                r#"{"message":7}"#,
                r#"{"message":{}}"#,
                "\u{fffe}",
            ] {
                let error = dialect.error(502, body.as_bytes());
                let found = (error.kind, error.message.as_str());
                let expected = (Kind::ProviderUnavailable, "the provider answered with status 502");
                assert_eq!(found, expected, "{}: {body}", dialect.name);
            }
            assert_eq!(dialect.error(502, b"\xff\xfe").kind, Kind::ProviderUnavailable);
        }
    }
}
