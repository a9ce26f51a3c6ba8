//! Counts tokens for the differential tests.
//!
//! `tokens vocabulary NAME` writes a vocabulary as OpenAI publishes it. `tokens count` reads a line of JSON per text (its
//! vocabulary, and the pieces that it is cut into) and answers each with the counts after every piece.

#![allow(clippy::disallowed_methods, reason = "tests have clocks and an environment")]
#![allow(clippy::unwrap_used, reason = "a tool for tests")]

use base64::Engine;
use crosspoint::tokenizer::{Counter, Vocabulary};
use std::io::{BufRead, Write};

#[derive(serde::Deserialize)]
struct Text {
    vocabulary: String,
    pieces: Vec<String>,
    /// Whether to count after every piece, or after the last one only.
    steps: bool,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match arguments.next().as_deref() {
        Some("vocabulary") => {
            let vocabulary = vocabulary(&arguments.next().unwrap());
            let encoding = tiktoken::get_encoding(vocabulary.name()).unwrap();
            for rank in 0..vocabulary.size() {
                let token = encoding.decode(&[rank]);
                let token = base64::engine::general_purpose::STANDARD.encode(token);
                writeln!(out, "{token} {rank}").unwrap();
            }
        }
        _ => {
            for line in std::io::stdin().lock().lines() {
                let text: Text = serde_json::from_str(&line.unwrap()).unwrap();
                let mut counter = Counter::new(vocabulary(&text.vocabulary));
                let mut counts = Vec::new();
                for piece in &text.pieces {
                    counter.feed(piece);
                    if text.steps {
                        counts.push(counter.count());
                    }
                }
                counts.push(counter.count());
                writeln!(out, "{counts:?}").unwrap();
            }
        }
    }
}

fn vocabulary(name: &str) -> Vocabulary {
    Vocabulary::ALL
        .into_iter()
        .find(|vocabulary| vocabulary.name() == name)
        .unwrap()
}
