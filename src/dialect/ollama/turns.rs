//! The conversation as Ollama wants it: a text a message, images and sound beside it, arguments as objects.
//!
//! Where an image stands among the texts of its message has no place in Ollama's form: models see it before the text.

use super::NAME;
use crate::chat::{Content, DataUrl, Message, Part, Role};
use crate::dialect::shared::calls::Called;
use crate::dialect::shared::turns::{arguments, cannot_carry, name_speaker};
use crate::error::{Error, cut, quoted};
use crate::json::{self, Members};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Media<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

/// An image or a sound: base64 without anything around it.
#[derive(Debug, Serialize)]
struct Media<'a>(#[serde(serialize_with = "json::long")] Cow<'a, str>);

#[derive(Debug, Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: Box<RawValue>,
}

/// Writes `messages`.
///
/// # Errors
/// When a part cannot be carried.
pub(super) fn conversation<'a>(messages: &'a [Message<'a>]) -> Result<Vec<Turn<'a>>, Error> {
    let mut called = Called::default();
    let turn = |(at, message): (usize, &'a Message<'a>)| {
        let turn = turn(message, &called, &format!("messages[{at}]"));
        called.take(message);
        turn
    };
    messages.iter().enumerate().map(turn).collect()
}

fn turn<'a>(message: &'a Message<'a>, called: &Called<'a>, path: &str) -> Result<Turn<'a>, Error> {
    let (mut content, images) = content(&message.content, path)?;
    let mut turn = Turn {
        role: match message.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        },
        content: Cow::Borrowed(""),
        thinking: thinking(message),
        images,
        tool_calls: calls(message, path)?,
        tool_name: None,
        tool_call_id: None,
    };
    if message.role == Role::Tool {
        turn.tool_call_id = message.tool_call_id.as_deref();
        let called = turn.tool_call_id.and_then(|id| called.name(id));
        turn.tool_name = message.name.as_deref().or(called);
    } else if !content.is_empty() {
        name_speaker(message, Some(&mut content));
    }
    turn.content = content;
    Ok(turn)
}

/// The text of a content, and the base64 of what else is in it.
fn content<'a>(content: &'a Content<'a>, path: &str) -> Result<(Cow<'a, str>, Vec<Media<'a>>), Error> {
    let mut text = Cow::Borrowed("");
    let mut images = Vec::new();
    match content {
        Content::Nothing => {}
        Content::Text(whole) => text = Cow::Borrowed(whole),
        Content::Parts(parts) => {
            for (at, part) in parts.iter().enumerate() {
                let cannot = |what: &str| cannot_carry(format_args!("{path}.content[{at}]"), NAME, what);
                match part {
                    Part::Text { text: more, .. } => text += &**more,
                    Part::Image { url, .. } => match DataUrl::parse(url) {
                        Some(DataUrl { base64, .. }) => images.push(Media(Cow::Borrowed(base64))),
                        None => {
                            let url = quoted(url);
                            return Err(cannot(&format!(
                                "the image at {url}; send it as a base64 data: URL"
                            )));
                        }
                    },
                    Part::File { .. } => return Err(cannot("a file")),
                    Part::Other { kind, raw } => {
                        images.push(sound(kind, raw).ok_or_else(|| cannot(cut(kind, 80)))?);
                    }
                }
            }
        }
    }
    Ok((text, images))
}

/// Sound goes where images do: `openai/openai.go`, `FromChatRequest`.
fn sound<'a>(kind: &str, raw: &'a RawValue) -> Option<Media<'a>> {
    if kind != "input_audio" {
        return None;
    }
    Some(Media(Members::of(Members::of(raw).get(kind)?).text("data")?.0))
}

/// What an assistant thought, in plain text.
fn thinking<'a>(message: &'a Message<'a>) -> Cow<'a, str> {
    if let Some(reasoning) = &message.reasoning {
        return Cow::Borrowed(reasoning);
    }
    let texts = message.reasoning_details.iter();
    let mut texts = texts.filter_map(|detail| detail.text.as_deref().or(detail.summary.as_deref()));
    let first = Cow::Borrowed(texts.next().unwrap_or(""));
    texts.fold(first, |all, more| all + more)
}

fn calls<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Call<'a>>, Error> {
    let call = |(at, call): (usize, &'a crate::chat::ToolCall<'a>)| {
        let arguments = arguments(call, path, at)?;
        Ok(Call {
            id: &call.id,
            function: Function {
                name: &call.function.name,
                arguments,
            },
        })
    };
    message.tool_calls.iter().enumerate().map(call).collect()
}
