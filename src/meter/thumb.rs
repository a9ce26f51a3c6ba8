//! A rule of thumb for the tokens of a text, for models that nobody knows.

/// Counts the tokens of a text that comes in pieces.
///
/// A rule of thumb over runs of like characters: a word is a token for every seven letters, a number one for every three
/// digits, runs of punctuation one for every three, a line break one, and any other character (most scripts but Latin)
/// one each. A space belongs to the word after it.
#[derive(Clone, Debug, Default)]
pub struct Thumb {
    tokens: u64,
    class: Class,
    /// The length of the run that is not counted yet.
    run: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Class {
    #[default]
    Space,
    Letters,
    Digits,
    Punctuation,
    Break,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => Self::Letters,
            '0'..='9' => Self::Digits,
            '\n' | '\r' => Self::Break,
            ' ' | '\t' => Self::Space,
            c if c.is_ascii() => Self::Punctuation,
            _ => Self::Other,
        }
    }

    const fn tokens(self, run: u64) -> u64 {
        match self {
            Self::Letters => run.div_ceil(7),
            Self::Digits | Self::Punctuation => run.div_ceil(3),
            Self::Break => run.div_ceil(4),
            Self::Other => run,
            // One space belongs to what follows; a longer run is one token.
            Self::Space => (run > 1) as u64,
        }
    }
}

impl Thumb {
    /// Takes more text.
    pub fn feed(&mut self, text: &str) {
        for c in text.chars() {
            let class = Class::of(c);
            if class != self.class {
                self.tokens += self.class.tokens(self.run);
                self.class = class;
                self.run = 0;
            }
            self.run += 1;
        }
    }

    /// The tokens of all text so far.
    pub const fn count(&self) -> u64 {
        self.tokens + self.class.tokens(self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn the_count_does_not_depend_on_the_cuts() {
        let text = "Hello, wonderful world!  12345 is a number.\n\n日本語 and internationalization…";
        let mut whole = Thumb::default();
        whole.feed(text);
        let mut pieces = Thumb::default();
        for c in text.chars() {
            pieces.feed(c.encode_utf8(&mut [0; 4]));
        }
        assert_eq!(whole.count(), pieces.count());
    }

    #[test]
    fn english_is_near_what_a_tokenizer_says() {
        let mut counter = Thumb::default();
        // o200k_base: 20 tokens.
        counter.feed("The quick brown fox jumps over the lazy dog, and then it sleeps for a whole day.");
        assert!((16..=24).contains(&counter.count()), "{}", counter.count());
    }
}
