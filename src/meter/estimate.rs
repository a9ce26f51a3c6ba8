//! Token counts where a provider reported none: an estimate from the text, always marked as one.
//!
//! [`TokenCounter`] is the seam for a real tokenizer: feed text as it streams, ask for the count at any time; the count
//! does not depend on how the text was cut.

use crate::chat::{Content, Part, Request};

/// Tokens that a chat prompt has per message beyond its text, for OpenAI's models.
/// <https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken>
const PER_MESSAGE: u64 = 4;
/// Tokens of an image: OpenAI's figure for a 1024×1024 image in high detail.
/// <https://platform.openai.com/docs/guides/images-vision>
const PER_IMAGE: u64 = 765;

/// Counts the tokens of a text that comes in pieces.
///
/// A rule of thumb over runs of like characters: a word is a token for every seven letters, a number one for every three
/// digits, runs of punctuation one for every three, a line break one, and any other character (most scripts but Latin)
/// one each. A space belongs to the word after it.
#[derive(Clone, Debug, Default)]
pub struct TokenCounter {
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

impl TokenCounter {
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

/// An estimate of the prompt's tokens.
pub fn estimate_prompt(request: &Request) -> u64 {
    let mut counter = TokenCounter::default();
    let mut extra = 0;
    for message in request.messages().unwrap_or_default() {
        extra += PER_MESSAGE;
        match &message.content {
            Content::Nothing => {}
            Content::Text(text) => counter.feed(text),
            Content::Parts(parts) => {
                for part in parts {
                    match part {
                        Part::Text { text, .. } => counter.feed(text),
                        Part::Image { .. } => extra += PER_IMAGE,
                        Part::File { .. } | Part::Other { .. } => {}
                    }
                }
            }
        }
        for call in &message.tool_calls {
            counter.feed(&call.function.name);
            counter.feed(&call.function.arguments);
        }
        counter.feed("\n");
    }
    if let Some(tools) = request.raw("tools") {
        counter.feed(tools);
    }
    counter.count() + extra
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn the_count_does_not_depend_on_the_cuts() {
        let text = "Hello, wonderful world!  12345 is a number.\n\n日本語 and internationalization…";
        let mut whole = TokenCounter::default();
        whole.feed(text);
        let mut pieces = TokenCounter::default();
        for c in text.chars() {
            pieces.feed(c.encode_utf8(&mut [0; 4]));
        }
        assert_eq!(whole.count(), pieces.count());
    }

    #[test]
    fn english_is_near_what_a_tokenizer_says() {
        let mut counter = TokenCounter::default();
        // o200k_base: 20 tokens.
        counter.feed("The quick brown fox jumps over the lazy dog, and then it sleeps for a whole day.");
        assert!((16..=24).contains(&counter.count()), "{}", counter.count());
    }

    #[test]
    fn an_image_is_not_counted_as_text() {
        let text = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}]}}]}}"#,
            "A".repeat(100_000)
        );
        let request = Request::parse(text.into_bytes()).unwrap();
        assert!(estimate_prompt(&request) < 800);
    }
}
