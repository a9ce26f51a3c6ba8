//! The tokens of messages, counted while they are read: a list of them, or of the parts and calls of one, would be many
//! times as long as what it was read from.

use super::super::image::{Detail, Images};
use super::super::{Source, TokenCounter};
use crate::chat::ToolCall;
use crate::json::{Members, Shape, Str, shape};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;
use std::fmt;

/// Tokens that a chat prompt has per message beyond its text, for OpenAI's models: three, and one for the role.
/// <https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken>
pub(super) const PER_MESSAGE: u64 = 4;
/// Tokens that a name of who speaks adds to its text, by the same source.
const PER_NAME: u64 = 1;
/// What was counted of a prompt.
pub(super) struct Prompt {
    pub(super) counter: TokenCounter,
    pub(super) images: Images,
    /// Tokens that are no text.
    pub(super) extra: u64,
    pub(super) source: Source,
    /// Whether the content of the message that is read has a text.
    pub(super) has_text: bool,
}

impl Prompt {
    /// Counts a conversation. What is none has no tokens, and what is no message ends it.
    pub(super) fn read(&mut self, messages: &str) {
        let mut reader = serde_json::Deserializer::from_str(messages);
        let _read = self.at(Place::Messages).deserialize(&mut reader);
    }

    const fn at(&mut self, place: Place) -> Reading<'_> {
        Reading { prompt: self, place }
    }

    fn text(&mut self, text: &str) {
        self.has_text = true;
        self.counter.feed(text);
    }

    fn part(&mut self, part: &Part<'_>) {
        if &*part.kind == "image_url" {
            self.image(part.image_url);
        }
        if let Some(text) = part.text.as_ref().or(part.refusal.as_ref()) {
            self.text(text);
        }
    }

    fn image(&mut self, image: Option<&RawValue>) {
        self.extra = self.extra.saturating_add(of_image(image, self.images));
        // The provider does not promise the formula.
        self.source = Source::Estimate;
    }

    fn call(&mut self, call: &ToolCall<'_>) {
        self.counter.feed(&call.function.name);
        self.counter.feed(&call.function.arguments);
        // How a call is written for the model is not documented.
        self.source = Source::Estimate;
    }

    fn message<'a, A: MapAccess<'a>>(&mut self, mut map: A) -> Result<(), A::Error> {
        self.extra = self.extra.saturating_add(PER_MESSAGE);
        self.has_text = false;
        let (mut refusal, mut name) = (None::<Str<'_>>, None::<Str<'_>>);
        while let Some(member) = map.next_key()? {
            match member {
                Member::Content => map.next_value_seed(self.at(Place::Content))?,
                Member::ToolCalls => map.next_value_seed(self.at(Place::Calls))?,
                Member::Images => map.next_value_seed(self.at(Place::Images))?,
                Member::Refusal => refusal = map.next_value()?,
                Member::Name => name = map.next_value()?,
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let Some(refusal) = refusal.filter(|_| !self.has_text) {
            self.counter.feed(&refusal);
        }
        self.counter.end_text();
        if let Some(name) = name {
            self.extra = self.extra.saturating_add(PER_NAME);
            self.counter.feed(&name);
            self.counter.end_text();
        }
        Ok(())
    }
}

/// A member of a message. The others are passed over once and not read.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Content,
    /// An assistant's, instead of content.
    Refusal,
    /// Who speaks.
    Name,
    ToolCalls,
    /// What an assistant drew.
    Images,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    refusal: Option<Str<'a>>,
    /// A URL, or an object with one.
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Drawn<'a> {
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
}

/// A value that is counted while it is read.
struct Reading<'p> {
    prompt: &'p mut Prompt,
    place: Place,
}

/// Where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Messages,
    Message,
    Content,
    Calls,
    Images,
}

impl<'a> DeserializeSeed<'a> for Reading<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.place {
            Place::Messages => deserializer.deserialize_seq(self),
            Place::Message => deserializer.deserialize_map(self),
            // These may be `null`.
            Place::Content | Place::Calls | Place::Images => deserializer.deserialize_any(self),
        }
    }
}

impl<'a> Visitor<'a> for Reading<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what a message has there")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.place != Place::Content {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        self.prompt.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { prompt, place } = self;
        match place {
            Place::Messages => while items.next_element_seed(prompt.at(Place::Message))?.is_some() {},
            Place::Content => {
                while let Some(part) = items.next_element()? {
                    prompt.part(&part);
                }
            }
            Place::Calls => {
                while let Some(call) = items.next_element()? {
                    prompt.call(&call);
                }
            }
            Place::Images => {
                while let Some(Drawn { image_url }) = items.next_element()? {
                    prompt.image(image_url);
                }
            }
            Place::Message => {}
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
        match self.place {
            Place::Message => self.prompt.message(map),
            _ => Err(A::Error::invalid_type(Unexpected::Map, &self)),
        }
    }
}

/// An image's URL is left in its JSON: it may be megabytes long, and all that counts is at its beginning.
fn of_image(image: Option<&RawValue>, images: Images) -> u64 {
    let members = image.map(Members::of).unwrap_or_default();
    let url = match image {
        Some(raw) if shape(raw) == Shape::String => Some(raw),
        _ => members.get("url"),
    };
    let url = url.map_or("", |raw| raw.get().trim_matches('"'));
    let detail = members.text("detail");
    images.tokens(url, detail.as_deref().map(Detail::of).unwrap_or_default())
}
