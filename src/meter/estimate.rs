//! Token counts where a provider reported none: an estimate from the text, always marked as one.
//!
//! [`TokenCounter`] is the seam for a real tokenizer: feed text as it streams, ask for the count at any time; the count
//! does not depend on how the text was cut.

use crate::chat::{Input, Operation, Part, Request, ToolCall};
use crate::json::Str;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

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

/// What counts of a message. Whatever else it holds, images above all, is passed over once and not read.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Texts<'a>,
    /// An assistant's, instead of content.
    #[serde(borrow)]
    refusal: Option<Str<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    /// What an assistant drew.
    #[serde(borrow)]
    images: Option<Vec<&'a serde_json::value::RawValue>>,
}

#[derive(Default)]
struct Texts<'a> {
    texts: Vec<Str<'a>>,
    images: u64,
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(borrow, rename = "type")]
            kind: Str<'a>,
            #[serde(borrow)]
            text: Option<Str<'a>>,
            #[serde(borrow)]
            refusal: Option<Str<'a>>,
        }
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of parts")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Texts::default())
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                let texts = vec![Str::from(text)];
                Ok(Texts { texts, images: 0 })
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                let texts = vec![Str(Cow::Owned(text.to_owned()))];
                Ok(Texts { texts, images: 0 })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut found = Texts::default();
                while let Some(part) = items.next_element::<Part<'de>>()? {
                    found.images += u64::from(&*part.kind == "image_url");
                    found.texts.extend(part.text.or(part.refusal));
                }
                Ok(found)
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

/// An estimate of the prompt's tokens.
pub fn estimate_prompt(request: &Request) -> u64 {
    match request.operation() {
        Operation::Chat => of_messages(request),
        Operation::Completions | Operation::Embeddings => of_inputs(request),
    }
}

fn of_inputs(request: &Request) -> u64 {
    // What cannot be read was refused, or is the provider's to judge.
    let inputs = request.inputs().unwrap_or_default();
    let counts = inputs.iter().map(|input| match input {
        Input::Text(text) => of_text(text),
        Input::Tokens(count) => *count as u64,
        Input::Parts(parts) => parts
            .iter()
            .map(|part| match part {
                Part::Text { text, .. } => of_text(text),
                Part::Image { .. } => PER_IMAGE,
                Part::File { .. } | Part::Other { .. } => 0,
            })
            .sum(),
    });
    counts.sum()
}

fn of_text(text: &str) -> u64 {
    let mut counter = TokenCounter::default();
    counter.feed(text);
    counter.count()
}

fn of_messages(request: &Request) -> u64 {
    let mut counter = TokenCounter::default();
    let mut extra = 0;
    // What is no conversation has no tokens.
    let messages: Vec<Said<'_>> = request.get("messages").ok().flatten().unwrap_or_default();
    for message in messages {
        extra += PER_MESSAGE + PER_IMAGE * message.content.images;
        let refusal = message.refusal.filter(|_| message.content.texts.is_empty());
        for text in message.content.texts.iter().chain(&refusal) {
            counter.feed(text);
        }
        extra += PER_IMAGE * message.images.map_or(0, |images| images.len() as u64);
        for call in message.tool_calls.iter().flatten() {
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
    fn texts_tokens_and_prompts_are_estimated_too() {
        for (operation, body, expected) in [
            (Operation::Embeddings, r#"{"input":["one two","three"]}"#, 3),
            (Operation::Embeddings, r#"{"input":[[1,2,3],[4]]}"#, 4),
            (Operation::Completions, r#"{"prompt":"one two three"}"#, 3),
            (
                Operation::Completions,
                r#"{"prompt":null,"messages":[{"role":"user","content":"one"}]}"#,
                0,
            ),
        ] {
            let request = Request::parse(body.as_bytes().to_vec()).unwrap().of(operation);
            assert_eq!(estimate_prompt(&request), expected, "{body}");
        }
    }

    #[test]
    fn an_image_is_not_counted_as_text() {
        let text = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}]}}]}}"#,
            "A".repeat(100_000)
        );
        let request = Request::parse(text.into_bytes()).unwrap();
        assert!((PER_IMAGE..800).contains(&estimate_prompt(&request)));
    }

    #[test]
    fn text_counts_in_any_of_its_places() {
        let check = |messages: &str, expected: u64| {
            let text = format!(r#"{{"messages":{messages}}}"#);
            let request = Request::parse(text.into_bytes()).unwrap();
            assert_eq!(estimate_prompt(&request), expected, "{messages}");
        };
        let one = PER_MESSAGE + 1;
        check("[]", 0);
        check("7", 0);
        check(r#"[{"role":"assistant","content":null}]"#, one);
        check(r#"[{"role":"user","content":"word"}]"#, one + 1);
        check(
            r#"[{"role":"assistant","content":null,"refusal":"word"}]"#,
            one + 1,
        );
        check(r#"[{"role":"user","content":"w\u006frd"}]"#, one + 1);
        check(
            r#"[{"role":"user","content":[{"type":"text","text":"word"}]}]"#,
            one + 1,
        );
        check(
            r#"[{"role":"assistant","content":[{"type":"refusal","refusal":"word"}]}]"#,
            one + 1,
        );
        check(
            r#"[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"word","arguments":"12"}}]}]"#,
            one + 2,
        );
    }
}
