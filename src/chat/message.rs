//! Typed views of messages and their parts, borrowed from a request.
//!
//! A dialect takes these when it must translate. Every error begins with the path inside the message.

use crate::error::{Error, quoted};
use crate::json::{self, Shape, Str};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The operator's instruction.
    System,
    /// The same, under its newer name.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One message of the conversation.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said; what an assistant said in refusal, where it said nothing else.
    pub content: Content<'a>,
    /// The speaker's name, where one was given.
    pub name: Option<Str<'a>>,
    /// The calls that an assistant made.
    pub tool_calls: Vec<ToolCall<'a>>,
    /// Which call a tool message answers.
    pub tool_call_id: Option<Str<'a>>,
    /// The thinking of an assistant's turn in plain text (`reasoning`, or its alias `reasoning_content`).
    pub reasoning: Option<Str<'a>>,
    /// The thinking of an assistant's turn with what the provider needs to recognise it.
    pub reasoning_details: Vec<ReasoningDetail<'a>>,
    /// The URLs of the images that an assistant drew.
    pub images: Vec<Str<'a>>,
}

/// The content of a message.
#[derive(Clone, Debug, Default)]
pub enum Content<'a> {
    /// None, or `null`: an assistant that only calls tools.
    #[default]
    Nothing,
    /// A plain string.
    Text(Str<'a>),
    /// Several parts.
    Parts(Vec<Part<'a>>),
}

/// One part of a content.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// Text, or the text of a refusal.
    Text {
        /// The text.
        text: Str<'a>,
        /// The caller's mark that the prompt up to here is to be cached.
        cache_control: Option<&'a RawValue>,
    },
    /// An image by URL (`https:` or `data:`).
    Image {
        /// The URL.
        url: Str<'a>,
        /// How closely to look: `auto`, `low`, `high`.
        detail: Option<Str<'a>>,
        /// The caller's mark that the prompt up to here is to be cached.
        cache_control: Option<&'a RawValue>,
    },
    /// A file by URL or data URL.
    File {
        /// Its name.
        filename: Option<Str<'a>>,
        /// Where it is, or all of it as a data URL.
        data: Str<'a>,
        /// The caller's mark that the prompt up to here is to be cached.
        cache_control: Option<&'a RawValue>,
    },
    /// A kind of part that only some dialects carry (`input_audio`, `video_url`, …), named so that it can be refused.
    Other {
        /// The `type` of the part.
        kind: Str<'a>,
        /// The whole part.
        raw: &'a RawValue,
    },
}

/// A `data:` URL in its two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataUrl<'a> {
    /// For instance `image/png`.
    pub media_type: &'a str,
    /// The data, in base64.
    pub base64: &'a str,
}

impl<'a> DataUrl<'a> {
    /// Reads `data:<media type>[;parameters];base64,<data>`; `None` for any other URL.
    pub fn parse(url: &'a str) -> Option<Self> {
        let (head, base64) = url.strip_prefix("data:")?.split_once(',')?;
        let media_type = head.strip_suffix(";base64")?;
        let media_type = media_type
            .split_once(';')
            .map_or(media_type, |(media_type, _)| media_type);
        Some(Self { media_type, base64 })
    }
}

/// A tool call that an assistant made.
#[derive(Clone, Debug, Deserialize)]
pub struct ToolCall<'a> {
    /// The id that its result refers to.
    #[serde(borrow)]
    pub id: Str<'a>,
    /// What was called.
    #[serde(borrow)]
    pub function: CallFunction<'a>,
}

/// The function of a tool call.
#[derive(Clone, Debug, Deserialize)]
pub struct CallFunction<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Str<'a>,
    /// Its arguments, as JSON text inside a string. May be empty.
    #[serde(borrow, default)]
    pub arguments: Str<'a>,
}

impl CallFunction<'_> {
    /// The arguments as a JSON object, as dialects want them that do not keep them in a string; `{}` for none.
    ///
    /// # Errors
    /// When the text is not a JSON object.
    pub fn arguments_object(&self) -> Result<Box<RawValue>, Error> {
        let text = self.arguments.trim();
        let text = if text.is_empty() { "{}" } else { text };
        match serde_json::from_str::<Box<RawValue>>(text) {
            Ok(raw) if json::shape(&raw) == Shape::Object => Ok(raw),
            _ => Err(Error::invalid(format!(
                "the arguments of the call of {} are not a JSON object",
                quoted(&self.name)
            ))),
        }
    }
}

/// One entry of `reasoning_details`, as a caller gives it back.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ReasoningDetail<'a> {
    /// `reasoning.text`, `reasoning.summary`, `reasoning.encrypted` …
    #[serde(borrow, rename = "type", default)]
    pub kind: Str<'a>,
    /// Of `reasoning.text`.
    #[serde(borrow)]
    pub text: Option<Str<'a>>,
    /// Of `reasoning.text`.
    #[serde(borrow)]
    pub signature: Option<Str<'a>>,
    /// Of `reasoning.summary`.
    #[serde(borrow)]
    pub summary: Option<Str<'a>>,
    /// Of `reasoning.encrypted`.
    #[serde(borrow)]
    pub data: Option<Str<'a>>,
    /// Whose form it has.
    #[serde(borrow)]
    pub format: Option<Str<'a>>,
    /// Of `reasoning.encrypted`: the id of the tool call that it belongs to, where it belongs to one.
    #[serde(borrow)]
    pub id: Option<Str<'a>>,
    /// Which block it belongs to.
    pub index: Option<u32>,
}

/// A message as it is written. Errors begin with the path inside the message.
#[derive(Deserialize)]
struct Wire<'a> {
    role: Role,
    #[serde(borrow, default)]
    content: Content<'a>,
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    tool_call_id: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning_details: Option<Vec<ReasoningDetail<'a>>>,
    #[serde(borrow)]
    refusal: Option<Str<'a>>,
    #[serde(borrow)]
    images: Option<Vec<Drawn<'a>>>,
}

/// An image as an answer had it.
#[derive(Deserialize)]
struct Drawn<'a> {
    #[serde(borrow)]
    image_url: Url<'a>,
}

#[derive(Deserialize)]
struct Url<'a> {
    #[serde(borrow)]
    url: Str<'a>,
    #[serde(borrow)]
    detail: Option<Str<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Message<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        Ok(Self {
            role: wire.role,
            content: match (wire.content, wire.refusal) {
                (Content::Nothing, Some(refusal)) => Content::Text(refusal),
                (content, _) => content,
            },
            name: wire.name,
            tool_calls: wire.tool_calls.unwrap_or_default(),
            tool_call_id: wire.tool_call_id,
            reasoning: wire.reasoning.or(wire.reasoning_content),
            reasoning_details: wire.reasoning_details.unwrap_or_default(),
            images: wire
                .images
                .unwrap_or_default()
                .into_iter()
                .map(|image| image.image_url.url)
                .collect(),
        })
    }
}

/// Reads straight from the request's bytes: a prompt is long, and every detour over it costs.
impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "content: expected a string or an array of parts";
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Content<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of parts")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Content::Nothing)
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Str::from(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Str(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(raw) = items.next_element::<&'de RawValue>()? {
                    let part = Part::parse(&format!("content[{}]", parts.len()), raw);
                    parts.push(part.map_err(|error| A::Error::custom(error.message))?);
                }
                Ok(Content::Parts(parts))
            }

            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
                Err(E::custom(EXPECTED))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
                Err(E::custom(EXPECTED))
            }

            fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
                Err(E::custom(EXPECTED))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
                Err(E::custom(EXPECTED))
            }

            fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
                Err(A::Error::custom(EXPECTED))
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

impl Content<'_> {
    /// All text of this content, parts joined as they stand.
    pub fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.to_string(),
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Text { text, .. } => Some(&**text),
                    _ => None,
                })
                .collect(),
        }
    }
}

impl<'a> Part<'a> {
    pub(super) fn parse(path: &str, raw: &'a RawValue) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow, rename = "type")]
            kind: Str<'a>,
            #[serde(borrow)]
            text: Option<Str<'a>>,
            #[serde(borrow)]
            refusal: Option<Str<'a>>,
            #[serde(borrow)]
            image_url: Option<&'a RawValue>,
            #[serde(borrow)]
            file: Option<File<'a>>,
            #[serde(borrow)]
            cache_control: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct File<'a> {
            #[serde(borrow)]
            filename: Option<Str<'a>>,
            #[serde(borrow)]
            file_data: Option<Str<'a>>,
        }
        let wire: Wire<'a> = read(path, raw)?;
        let cache_control = json::present(wire.cache_control);
        let missing = |member: &str| {
            Error::invalid(format!(
                "{path}.{member}: missing in a part of type {}",
                quoted(&wire.kind)
            ))
        };
        match &*wire.kind {
            "text" => Ok(Self::Text {
                text: wire.text.ok_or_else(|| missing("text"))?,
                cache_control,
            }),
            "refusal" => Ok(Self::Text {
                text: wire.refusal.ok_or_else(|| missing("refusal"))?,
                cache_control,
            }),
            "image_url" => {
                let raw = json::present(wire.image_url).ok_or_else(|| missing("image_url"))?;
                let path = format!("{path}.image_url");
                let Url { url, detail } = match json::shape(raw) {
                    // Some callers write the bare URL, as Mistral's dialect allows.
                    Shape::String => Url {
                        url: read(&path, raw)?,
                        detail: None,
                    },
                    _ => read(&path, raw)?,
                };
                Ok(Self::Image {
                    url,
                    detail,
                    cache_control,
                })
            }
            "file" => match wire.file {
                Some(File {
                    filename,
                    file_data: Some(data),
                }) => Ok(Self::File {
                    filename,
                    data,
                    cache_control,
                }),
                _ => Ok(Self::Other { kind: wire.kind, raw }),
            },
            _ => Ok(Self::Other { kind: wire.kind, raw }),
        }
    }
}

/// Reads a value. Errors begin with its path.
pub(super) fn read<'a, T: Deserialize<'a>>(path: &str, raw: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let what = json::without_position(&error);
        Error::invalid(if path.is_empty() || path == "." {
            what
        } else {
            format!("{path}: {what}")
        })
    })
}

#[cfg(test)]
mod tests;
