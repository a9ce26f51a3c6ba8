//! How many tokens a text is, by the vocabularies of OpenAI's models: exact, as it streams, and without anything built at
//! start.
//!
//! It is fed text and counts; it does not encode, decode, or know special tokens: `<|endoftext|>` in a text is text.
//! Counts equal `len(encode_ordinary(text))` of OpenAI's `tiktoken`, however the text was cut.
//!
//! ```text
//! build    makes the tables: both vocabularies as one perfect hash table, and the classes of characters
//! table    looks tokens up where the build has laid them
//! classes  the classes of characters
//! pieces   cuts a text into words, numbers, punctuation and white space, as the vocabularies define them
//! merge    the tokens of one piece
//! long     pieces that are too long to be kept
//! ```
//!
//! ```
//! use crosspoint::tokenizer::{Counter, Vocabulary};
//!
//! let mut counter = Counter::new(Vocabulary::O200k);
//! counter.feed("Hello, wor");
//! counter.feed("ld!");
//! assert_eq!(counter.count(), 4);
//! ```

mod classes;
mod hash;
mod long;
mod merge;
mod pieces;
mod table;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use vocabulary::Vocabulary;

use long::Long;
use merge::Merge;
use pieces::End;

/// So much of a text is looked at at once, in bytes: what waits for its piece to end is copied no further.
const CHUNK: usize = 1024;
/// A piece that has not ended after so many bytes is not kept any longer.
const LONG: usize = 256;

/// Counts the tokens of a text that comes in pieces.
#[derive(Clone, Debug)]
pub struct Counter {
    vocabulary: Vocabulary,
    /// The tokens of all pieces that have ended.
    tokens: u64,
    /// The piece that has not ended, or its last characters if it is a long one.
    pending: String,
    long: Option<Box<Long>>,
    merge: Merge,
}

impl Counter {
    /// A counter by this vocabulary.
    pub fn new(vocabulary: Vocabulary) -> Self {
        Self {
            vocabulary,
            tokens: 0,
            pending: String::new(),
            long: None,
            merge: Merge::default(),
        }
    }

    /// Takes more text.
    pub fn feed(&mut self, mut text: &str) {
        while !text.is_empty() {
            let (chunk, rest) = text.split_at(text.floor_char_boundary(CHUNK));
            self.pending.push_str(chunk);
            self.settle(false);
            text = rest;
        }
    }

    /// The vocabulary that it counts by.
    pub const fn vocabulary(&self) -> Vocabulary {
        self.vocabulary
    }

    /// What follows is another text.
    pub fn end_text(&mut self) {
        self.settle(true);
    }

    /// The tokens of all text so far, as if nothing followed it.
    pub fn count(&self) -> u64 {
        if self.pending.is_empty() && self.long.is_none() {
            return self.tokens;
        }
        let mut whole = Self {
            vocabulary: self.vocabulary,
            tokens: self.tokens,
            pending: self.pending.clone(),
            long: self.long.clone(),
            merge: Merge::default(),
        };
        whole.settle(true);
        whole.tokens
    }

    /// Counts every piece whose end is known.
    fn settle(&mut self, ended: bool) {
        let mut done = 0;
        loop {
            let rest = self.pending.get(done..).unwrap_or_default();
            if let Some(long) = &mut self.long {
                let (taken, tokens) = long.take(self.vocabulary, rest, ended);
                done += taken;
                let Some(tokens) = tokens else { break };
                self.tokens += tokens;
                self.long = None;
                continue;
            }
            match self.vocabulary.piece(rest, ended) {
                End::At(end) => {
                    let piece = rest.get(..end).unwrap_or_default();
                    self.tokens += self.merge.piece(self.vocabulary, piece.as_bytes());
                    done += end;
                }
                End::Unknown if rest.len() > LONG => {
                    self.long = Some(Box::new(Long::new(self.vocabulary, rest)))
                }
                End::Unknown => break,
            }
        }
        self.pending.drain(..done);
    }
}
