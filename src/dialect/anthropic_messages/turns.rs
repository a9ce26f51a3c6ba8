//! The conversation as Anthropic wants it: instructions apart, then turns of user and assistant in blocks.
//!
//! Messages of one speaker that follow each other share a turn, results of tools first in it. Instructions are taken
//! together at the front wherever they stood. Blank text is left out, because Anthropic refuses it.

use super::NAME;
use crate::chat::{Content, DataUrl, Message, Part, ReasoningDetail, Role};
use crate::dialect::shared::call_ids::call_id;
use crate::dialect::shared::turns::{
    Speaker, Turn, arguments, called_id, cannot_carry, carries_only_text, has_thought, name_speaker,
    nothing_said, push,
};
use crate::dialect::shared::write::to_front;
use crate::error::{Error, quoted};
use crate::json;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One block of a turn.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    Thinking {
        thinking: Cow<'a, str>,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
}

/// Where an image or a document is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Source<'a> {
    Base64 {
        media_type: &'a str,
        #[serde(serialize_with = "json::long")]
        data: &'a str,
    },
    Url {
        url: &'a str,
    },
}

/// A conversation in Anthropic's form.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    /// The instructions.
    pub(super) system: Vec<Block<'a>>,
    /// What was said.
    pub(super) turns: Vec<Turn<Block<'a>>>,
}

/// Writes `messages` as turns.
///
/// # Errors
/// When a part cannot be carried, or nothing is left to be said.
pub(super) fn conversation<'a>(messages: &'a [Message<'a>]) -> Result<Conversation<'a>, Error> {
    let mut out = Conversation::default();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        match message.role {
            Role::System | Role::Developer => out.system.extend(texts(message, &path)?),
            Role::User => push(&mut out.turns, Speaker::User, blocks(message, &path)?),
            Role::Assistant => push(&mut out.turns, Speaker::Assistant, assistant(message, &path)?),
            Role::Tool => push(&mut out.turns, Speaker::User, vec![tool_result(message, &path)?]),
        }
    }
    for turn in &mut out.turns {
        if turn.role == Speaker::User {
            to_front(&mut turn.content, |block| {
                matches!(block, Block::ToolResult { .. })
            });
        }
    }
    out.trim_prefill();
    if out.turns.is_empty() {
        return Err(nothing_said(NAME));
    }
    Ok(out)
}

/// Refuses images and documents that are only addresses, for hosts that load nothing.
pub(super) fn refuse_addresses(messages: &[Message<'_>]) -> Result<(), Error> {
    for (at, message) in messages.iter().enumerate() {
        let Content::Parts(parts) = &message.content else {
            continue;
        };
        for (part_at, part) in parts.iter().enumerate() {
            let (what, url) = match part {
                Part::Image { url, .. } => ("image", url),
                Part::File { data, .. } => ("file", data),
                Part::Text { .. } | Part::Other { .. } => continue,
            };
            if is_web(url) {
                return Err(Error::invalid(format!(
                    "messages[{at}].content[{part_at}]: anthropic-messages loads nothing here; send the {what} at {} as a base64 data: URL",
                    quoted(url)
                )));
            }
        }
    }
    Ok(())
}

impl<'a> Conversation<'a> {
    /// Marks the end of what was said for the cache, as Anthropic does for a mark that stands beside the messages.
    pub(super) fn mark_end(&mut self, mark: &'a RawValue) {
        let blocks = self
            .turns
            .iter_mut()
            .rev()
            .flat_map(|turn| turn.content.iter_mut().rev());
        for block in blocks {
            if let Block::Text { cache_control, .. }
            | Block::Image { cache_control, .. }
            | Block::Document { cache_control, .. }
            | Block::ToolResult { cache_control, .. } = block
            {
                cache_control.get_or_insert(mark);
                return;
            }
        }
    }

    /// See [`has_thought`].
    pub(super) fn has_thought(&self) -> bool {
        has_thought(
            &self.turns,
            |block| matches!(block, Block::ToolResult { .. }),
            |block| matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. }),
        )
    }

    /// The last turn, if it is the assistant's, is what the answer begins with: Anthropic refuses white space at its end.
    fn trim_prefill(&mut self) {
        let Some(Turn {
            role: Speaker::Assistant,
            content,
        }) = self.turns.last_mut()
        else {
            return;
        };
        if let Some(Block::Text { text, .. }) = content.last_mut() {
            match text {
                Cow::Borrowed(text) => *text = text.trim_end(),
                Cow::Owned(text) => text.truncate(text.trim_end().len()),
            }
        }
    }
}

fn texts<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
    let blocks = blocks(message, path)?;
    if blocks.iter().all(|block| matches!(block, Block::Text { .. })) {
        return Ok(blocks);
    }
    Err(carries_only_text(path, NAME, "a system message"))
}

/// The content of a message, with the speaker's name before its first text: no provider but OpenAI has a place for it,
/// and OpenRouter writes it so.
fn blocks<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
    let mut out = content(&message.content, path)?;
    let first = out.iter_mut().find_map(|block| match block {
        Block::Text { text, .. } => Some(text),
        _ => None,
    });
    name_speaker(message, first);
    Ok(out)
}

fn content<'a>(content: &'a Content<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
    match content {
        Content::Nothing => Ok(Vec::new()),
        Content::Text(text) => Ok(text_block(text, None).into_iter().collect()),
        Content::Parts(parts) => parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| {
                let refusal = |what: String| cannot_carry(format_args!("{path}.content[{at}]"), NAME, &what);
                block(part).map_err(refusal).transpose()
            })
            .collect(),
    }
}

fn text_block<'a>(text: &'a str, cache_control: Option<&'a RawValue>) -> Option<Block<'a>> {
    (!text.trim().is_empty()).then_some(Block::Text {
        text: Cow::Borrowed(text),
        cache_control,
    })
}

/// The block of a part; `None` for blank text. An error names what cannot be carried.
fn block<'a>(part: &'a Part<'a>) -> Result<Option<Block<'a>>, String> {
    match part {
        Part::Text { text, cache_control } => Ok(text_block(text, *cache_control)),
        Part::Image {
            url, cache_control, ..
        } => Ok(Some(Block::Image {
            source: image(url)?,
            cache_control: *cache_control,
        })),
        Part::File {
            filename,
            data,
            cache_control,
        } => file(data, filename.as_deref(), *cache_control).map(Some),
        Part::Other { kind, .. } => Err(cut_kind(kind)),
    }
}

fn cut_kind(kind: &str) -> String {
    crate::error::cut(kind, 80).to_owned()
}

fn image(url: &str) -> Result<Source<'_>, String> {
    match DataUrl::parse(url) {
        Some(DataUrl { media_type, base64 }) => {
            // A common mistake for the registered name, which is the only one that Anthropic takes.
            let media_type = if media_type == "image/jpg" {
                "image/jpeg"
            } else {
                media_type
            };
            Ok(Source::Base64 {
                media_type,
                data: base64,
            })
        }
        None if is_web(url) => Ok(Source::Url { url }),
        None => Err(format!(
            "the image at {}; use an https: or a base64 data: URL",
            quoted(url)
        )),
    }
}

fn file<'a>(
    data: &'a str,
    title: Option<&'a str>,
    cache_control: Option<&'a RawValue>,
) -> Result<Block<'a>, String> {
    let source = match DataUrl::parse(data) {
        Some(DataUrl {
            media_type: media_type @ "application/pdf",
            base64,
        }) => Source::Base64 {
            media_type,
            data: base64,
        },
        Some(DataUrl { media_type, .. }) if media_type.starts_with("image/") => {
            return Ok(Block::Image {
                source: image(data)?,
                cache_control,
            });
        }
        Some(DataUrl { media_type, .. }) => {
            return Err(format!(
                "a file of type {}; only PDF documents and images",
                quoted(media_type)
            ));
        }
        None if is_web(data) => Source::Url { url: data },
        None => {
            return Err(format!(
                "the file at {}; use an https: or a base64 data: URL",
                quoted(data)
            ));
        }
    };
    Ok(Block::Document {
        source,
        title: title.filter(|title| !title.trim().is_empty()),
        cache_control,
    })
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn assistant<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
    let mut out = thinking(&message.reasoning_details);
    out.extend(blocks(message, path)?);
    for (at, call) in message.tool_calls.iter().enumerate() {
        let input = arguments(call, path, at)?;
        out.push(Block::ToolUse {
            id: tool_id(&call.id),
            name: &call.function.name,
            input,
        });
    }
    Ok(out)
}

/// The thinking that Anthropic signed. A caller that kept the pieces of a stream gives a block's text and its
/// signature apart, under one index. Text without a signature is left out, because Anthropic refuses it.
fn thinking<'a>(details: &'a [ReasoningDetail<'a>]) -> Vec<Block<'a>> {
    struct Open<'a> {
        index: Option<u32>,
        text: Cow<'a, str>,
        signature: Option<&'a str>,
    }
    enum Found<'a> {
        Open(Open<'a>),
        Redacted(&'a str),
    }
    let mut found: Vec<Found<'a>> = Vec::new();
    let ours = |detail: &&ReasoningDetail<'_>| {
        detail
            .format
            .as_deref()
            .is_none_or(|format| format == crate::chat::Format::Anthropic.name())
    };
    for detail in details.iter().filter(ours) {
        match (&*detail.kind, &detail.data) {
            ("reasoning.text", _) => {
                let text = detail.text.as_deref().unwrap_or("");
                let signature = detail
                    .signature
                    .as_deref()
                    .filter(|signature| !signature.is_empty());
                match found.last_mut() {
                    Some(Found::Open(open))
                        if open.index.is_some() && open.index == detail.index && open.signature.is_none() =>
                    {
                        open.text.to_mut().push_str(text);
                        open.signature = signature;
                    }
                    _ => found.push(Found::Open(Open {
                        index: detail.index,
                        text: Cow::Borrowed(text),
                        signature,
                    })),
                }
            }
            ("reasoning.encrypted", Some(data)) => found.push(Found::Redacted(data)),
            _ => {}
        }
    }
    found
        .into_iter()
        .filter_map(|found| match found {
            Found::Open(Open { text, signature, .. }) => Some(Block::Thinking {
                thinking: text,
                signature: signature?,
            }),
            Found::Redacted(data) => Some(Block::RedactedThinking { data }),
        })
        .collect()
}

fn tool_result<'a>(message: &'a Message<'a>, path: &str) -> Result<Block<'a>, Error> {
    let id = called_id(message, path)?;
    let mut content = content(&message.content, path)?;
    // The mark belongs on the result itself: blocks inside of it are not cached on their own.
    let mut mark = None;
    for block in &mut content {
        if let Block::Text { cache_control, .. }
        | Block::Image { cache_control, .. }
        | Block::Document { cache_control, .. } = block
        {
            mark = cache_control.take().or(mark);
        }
    }
    Ok(Block::ToolResult {
        tool_use_id: tool_id(id),
        content,
        cache_control: mark,
    })
}

/// Anthropic takes ids of `[a-zA-Z0-9_-]+`.
fn tool_id(id: &str) -> Cow<'_, str> {
    call_id(id, 64, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
    })
}
