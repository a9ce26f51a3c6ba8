//! The tokens of a prompt, where a provider reported none: its texts, and what its form adds.

use super::{Source, TokenCounter};
use crate::chat::{Input, Operation, Part, Request, ToolCall};
use crate::json::Str;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Tokens that a chat prompt has per message beyond its text, for OpenAI's models: three, and one for the role.
/// <https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken>
const PER_MESSAGE: u64 = 4;
/// Tokens that a name of who speaks adds to its text, by the same source.
const PER_NAME: u64 = 1;
/// Tokens with which the answer is begun, by the same source.
const PER_ANSWER: u64 = 3;
/// Tokens of an image: OpenAI's figure for a 1024×1024 image in high detail.
/// <https://platform.openai.com/docs/guides/images-vision>
const PER_IMAGE: u64 = 765;

/// What counts of a message. Whatever else it holds, images above all, is passed over once and not read.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Texts<'a>,
    /// An assistant's, instead of content.
    #[serde(borrow)]
    refusal: Option<Str<'a>>,
    /// Who speaks.
    #[serde(borrow)]
    name: Option<Str<'a>>,
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

/// The prompt's tokens for the model with these names, and how good the count is.
pub fn estimate_prompt(request: &Request, names: &[&str]) -> (u64, Source) {
    let counter = TokenCounter::of(names);
    match request.operation() {
        Operation::Chat => of_messages(request, counter),
        Operation::Completions | Operation::Embeddings => of_inputs(request, &counter),
    }
}

fn of_inputs(request: &Request, counter: &TokenCounter) -> (u64, Source) {
    let (mut tokens, mut source) = (0, counter.source());
    let mut add = |text: &str| {
        let mut counter = counter.clone();
        counter.feed(text);
        tokens += counter.count();
    };
    let mut extra = 0;
    // What cannot be read was refused, or is the provider's to judge.
    for input in request.inputs().unwrap_or_default() {
        match input {
            Input::Text(text) => add(&text),
            Input::Tokens(count) => extra += count as u64,
            Input::Parts(parts) => {
                for part in &parts {
                    match part {
                        Part::Text { text, .. } => add(text),
                        Part::Image { .. } => {
                            extra += PER_IMAGE;
                            source = Source::Estimate;
                        }
                        Part::File { .. } | Part::Other { .. } => source = Source::Estimate,
                    }
                }
            }
        }
    }
    (tokens + extra, source)
}

fn of_messages(request: &Request, mut counter: TokenCounter) -> (u64, Source) {
    let (mut extra, mut images) = (0, 0);
    // What is no conversation has no tokens.
    let messages: Vec<Said<'_>> = request.get("messages").ok().flatten().unwrap_or_default();
    let mut source = counter.source();
    if source == Source::Tokenizer && !messages.is_empty() {
        extra += PER_ANSWER;
    }
    for message in messages {
        extra += PER_MESSAGE;
        images += message.content.images + message.images.map_or(0, |images| images.len() as u64);
        let refusal = message.refusal.filter(|_| message.content.texts.is_empty());
        for text in message.content.texts.iter().chain(&refusal) {
            counter.feed(text);
        }
        for call in message.tool_calls.iter().flatten() {
            counter.feed(&call.function.name);
            counter.feed(&call.function.arguments);
            // How a call is written for the model is not documented.
            source = Source::Estimate;
        }
        counter.end_text();
        if let Some(name) = message.name {
            extra += PER_NAME;
            counter.feed(&name);
            counter.end_text();
        }
    }
    if let Some(tools) = request.raw("tools") {
        counter.feed(tools);
        source = Source::Estimate;
    }
    if images > 0 {
        source = Source::Estimate;
    }
    (counter.count() + extra + PER_IMAGE * images, source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

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
            assert_eq!(estimate_prompt(&request, &[]).0, expected, "{body}");
        }
    }

    #[test]
    fn an_image_is_not_counted_as_text() {
        let text = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}]}}]}}"#,
            "A".repeat(100_000)
        );
        let request = Request::parse(text.into_bytes()).unwrap();
        assert!((PER_IMAGE..800).contains(&estimate_prompt(&request, &[]).0));
    }

    #[test]
    fn text_counts_in_any_of_its_places() {
        let check = |messages: &str, expected: u64| {
            let text = format!(r#"{{"messages":{messages}}}"#);
            let request = Request::parse(text.into_bytes()).unwrap();
            assert_eq!(estimate_prompt(&request, &[]).0, expected, "{messages}");
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
