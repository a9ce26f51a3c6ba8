//! Wire formats. One directory or file a dialect, one row a dialect in [`DIALECTS`].
//!
//! The provider side of a dialect writes a unified request for an endpoint and reads its responses as deltas. The client
//! side ([`client`]) reads a caller's request and writes deltas back. Dialects never meet each other, only the unified
//! form of [`crate::chat`]. Nothing here knows a host, a key or a clock.

mod anthropic_messages;
mod bedrock_converse;
pub mod client;
mod cohere_v2;
mod fate;
mod features;
mod format;
mod gaps;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;
mod quirks;
mod serving;
mod shared;
#[cfg(test)]
mod steps;

pub use fate::Fate;
pub use features::{FEATURES, Feature};
pub use format::{Decoder, Dialect, Encoded, Fidelity, Target};
pub use gaps::{Gap, Gaps, Loss};
pub use quirks::{Edits, Quirks, ThinkingWords};
pub use serving::{SERVING, Serving, serving};

use crate::chat::{Delta, Operation, Piece, Request};
use crate::error::{Error, Kind};
use crate::json;
use serde::Serialize;

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

/// `segment` as it may stand in a path: everything but unreserved characters and `@` (`claude-sonnet-4-5@20250929`) is
/// percent-encoded, so that a model id with `/`, `:`, `%` or `..` stays one segment.
pub fn path_segment(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len() + 8);
    let dots = matches!(segment, "." | "..");
    for &byte in segment.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'@' => {
                out.push(byte.into());
            }
            b'.' if !dots => out.push('.'),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                for nibble in [byte >> 4, byte & 15] {
                    out.push(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0').into());
                }
            }
        }
    }
    out
}

/// `body`, which is made of `request`, as JSON.
fn write_body(request: &Request, body: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(request.capacity());
    json::write(&mut bytes, body);
    bytes
}

/// The path of an operation with a model, made from that of OpenAI-compatible chats: `{model}` stands for the model's id,
/// and the other operations have their own word in the place of `/chat/completions`. `None` where that does not stand there.
pub fn path_for(template: &str, operation: Operation, model: &str) -> Option<String> {
    const CHAT: &str = "/chat/completions";
    let template = match operation {
        Operation::Chat => template.to_owned(),
        Operation::Completions | Operation::Embeddings => {
            let (before, after) = template.split_once(CHAT)?;
            format!("{before}/{}{after}", operation.name())
        }
    };
    Some(template.replace("{model}", &path_segment(model)))
}

/// A provider's name for what a caller calls `ours`.
fn named(names: &'static [(&'static str, &'static str)], ours: &str) -> Option<&'static str> {
    names
        .iter()
        .find(|(name, _)| *name == ours)
        .map(|(_, theirs)| *theirs)
}

/// Moves some items before all others; the order is kept among them and among the others.
fn to_front<T>(items: &mut Vec<T>, is_first: fn(&T) -> bool) {
    let mut others = Vec::new();
    for item in std::mem::take(items) {
        if is_first(&item) {
            items.push(item);
        } else {
            others.push(item);
        }
    }
    items.append(&mut others);
}

/// Takes the next number.
fn next(counter: &mut u32) -> u32 {
    let index = *counter;
    *counter = counter.saturating_add(1);
    index
}

/// Tells of a piece of the first choice: most dialects have only one.
fn say(piece: Piece, out: &mut Vec<Delta>) {
    out.push(Delta::Piece { choice: 0, piece });
}

/// The error of a response of which something, `what`, is no JSON or not of its form.
fn garbled(what: &str) -> Error {
    let message = format!("the provider sent {what} that cannot be read");
    Error::of_provider(Kind::ProviderUnavailable, &message, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_model_id_stays_one_segment_of_the_path() {
        assert_eq!(path_segment("a/b:c%d é"), "a%2Fb%3Ac%25d%20%C3%A9");
        assert_eq!(path_segment(".."), "%2E%2E");
        assert_eq!(path_segment("claude-4.5"), "claude-4.5");
    }

    #[test]
    fn a_template_holds_the_model_as_one_segment() {
        let path = |template, operation| path_for(template, operation, "a/b");
        let own = "/d/{model}/chat/completions?v=1";
        assert_eq!(
            path(own, Operation::Chat).unwrap(),
            "/d/a%2Fb/chat/completions?v=1"
        );
        assert_eq!(
            path(own, Operation::Embeddings).unwrap(),
            "/d/a%2Fb/embeddings?v=1"
        );
        assert_eq!(
            path("/chat/completions", Operation::Completions).unwrap(),
            "/completions"
        );
        assert_eq!(path("/talk", Operation::Chat).unwrap(), "/talk");
        assert_eq!(path("/talk", Operation::Embeddings), None);
    }

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
}
