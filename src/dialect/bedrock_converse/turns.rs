//! The conversation as Converse wants it: instructions apart, then turns of user and assistant in blocks.
//!
//! Messages of one speaker that follow each other share a turn, results of tools first in it. Blank text is left out,
//! because Bedrock refuses it. A caller's `cache_control` becomes a cache point after its block.

use super::{NAME, media};
use crate::chat::{Content, Format, Message, Part, ReasoningDetail, Role};
use crate::dialect::shared::call_ids::call_id;
use crate::dialect::shared::turns::{
    Speaker, Turn, arguments, called_id, cannot_carry, carries_only_text, has_thought, name_speaker,
    nothing_said, push,
};
use crate::error::{Error, cut};
use crate::json::{Members, Str};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One block of a turn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'a> {
    Text(Cow<'a, str>),
    Image(media::Medium<'a>),
    Video(media::Medium<'a>),
    Audio(media::Medium<'a>),
    Document(media::Document<'a>),
    ReasoningContent(Reasoning<'a>),
    #[serde(rename_all = "camelCase")]
    ToolUse {
        tool_use_id: Cow<'a, str>,
        name: &'a str,
        input: Box<RawValue>,
    },
    #[serde(rename_all = "camelCase")]
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Block<'a>>,
    },
    CachePoint(CachePoint),
}

/// Thinking, given back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning<'a> {
    ReasoningText { text: Cow<'a, str>, signature: &'a str },
    RedactedContent(&'a str),
}

/// The mark that the prompt up to here is to be cached.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CachePoint {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl CachePoint {
    /// What a caller's `cache_control` comes to. Five minutes is what all models take without being told.
    pub(super) fn of(cache_control: &RawValue) -> Self {
        #[derive(Default, Deserialize)]
        struct Mark<'a> {
            #[serde(borrow)]
            ttl: Option<Str<'a>>,
        }
        // A mark of another form is still a mark.
        let mark: Mark<'_> = serde_json::from_str(cache_control.get()).unwrap_or_default();
        Self {
            kind: "default",
            ttl: mark.ttl.filter(|ttl| &**ttl == "1h").map(|_| "1h"),
        }
    }
}

/// A conversation in Converse's form.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    /// The instructions.
    pub(super) system: Vec<Block<'a>>,
    /// What was said.
    pub(super) turns: Vec<Turn<Block<'a>>>,
    /// Whether the model takes cache points; the others refuse a request that has them.
    caches: bool,
    documents: media::Names,
}

/// Writes `messages` as turns.
///
/// # Errors
/// When a part cannot be carried, or nothing is left to be said.
pub(super) fn conversation<'a>(messages: &'a [Message<'a>], caches: bool) -> Result<Conversation<'a>, Error> {
    let documents = media::Names::default();
    let mut out = Conversation {
        system: Vec::new(),
        turns: Vec::new(),
        caches,
        documents,
    };
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        match message.role {
            Role::System | Role::Developer => {
                let blocks = out.texts(message, &path)?;
                out.system.extend(blocks);
            }
            Role::User => {
                let blocks = out.blocks(message, &path)?;
                push(&mut out.turns, Speaker::User, blocks);
            }
            Role::Assistant => {
                let blocks = out.assistant(message, &path)?;
                push(&mut out.turns, Speaker::Assistant, blocks);
            }
            Role::Tool => {
                let blocks = out.tool_result(message, &path)?;
                push(&mut out.turns, Speaker::User, blocks);
            }
        }
    }
    for turn in &mut out.turns {
        if turn.role == Speaker::User {
            results_first(&mut turn.content);
        }
    }
    if out.turns.is_empty() {
        return Err(nothing_said(NAME));
    }
    Ok(out)
}

/// Cache points stay behind the block that they stand behind.
fn results_first(content: &mut Vec<Block<'_>>) {
    let mut is_result = false;
    let (results, others): (Vec<_>, Vec<_>) = content.drain(..).partition(|block| {
        is_result =
            matches!(block, Block::ToolResult { .. }) || is_result && matches!(block, Block::CachePoint(_));
        is_result
    });
    content.extend(results);
    content.extend(others);
}

impl<'a> Conversation<'a> {
    /// Whether tools were called before: Converse wants their specifications then.
    pub(super) fn has_tools(&self) -> bool {
        let mut blocks = self.turns.iter().flat_map(|turn| &turn.content);
        blocks.any(|block| matches!(block, Block::ToolUse { .. } | Block::ToolResult { .. }))
    }

    /// See [`has_thought`].
    pub(super) fn has_thought(&self) -> bool {
        has_thought(
            &self.turns,
            |block| matches!(block, Block::ToolResult { .. }),
            |block| matches!(block, Block::ReasoningContent(_)),
        )
    }

    /// The cache point for a mark that stands beside the messages.
    pub(super) fn mark_end(&mut self, cache_control: Option<&RawValue>) {
        if let (true, Some(turn), Some(mark)) = (self.caches, self.turns.last_mut(), cache_control) {
            turn.content.push(Block::CachePoint(CachePoint::of(mark)));
        }
    }

    fn texts(&mut self, message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
        let blocks = self.blocks(message, path)?;
        if blocks
            .iter()
            .all(|block| matches!(block, Block::Text(_) | Block::CachePoint(_)))
        {
            return Ok(blocks);
        }
        Err(carries_only_text(path, NAME, "a system message"))
    }

    /// The content of a message, with the speaker's name before its first text: no provider but OpenAI has a place for
    /// it, and OpenRouter writes it so.
    fn blocks(&mut self, message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
        let mut out = self.content(&message.content, path)?;
        let first = out.iter_mut().find_map(|block| match block {
            Block::Text(text) => Some(text),
            _ => None,
        });
        name_speaker(message, first);
        Ok(out)
    }

    fn content(&mut self, content: &'a Content<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
        let mut out = Vec::new();
        match content {
            Content::Nothing => {}
            Content::Text(text) => out.extend(text_block(text)),
            Content::Parts(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    self.part(part, &mut out)
                        .map_err(|what| cannot_carry(format_args!("{path}.content[{at}]"), NAME, &what))?;
                }
            }
        }
        Ok(out)
    }

    /// Appends the block of a part, if it is not blank, and its cache point. An error names what cannot be carried.
    fn part(&mut self, part: &'a Part<'a>, out: &mut Vec<Block<'a>>) -> Result<(), String> {
        let (block, mark) = match part {
            Part::Text { text, cache_control } => (text_block(text), *cache_control),
            Part::Image {
                url, cache_control, ..
            } => (Some(Block::Image(media::image(url)?)), *cache_control),
            Part::File {
                filename,
                data,
                cache_control,
            } => {
                let block = match media::image_in_file(data) {
                    Some(image) => Block::Image(image?),
                    None => Block::Document(media::document(data, filename.as_deref(), &mut self.documents)?),
                };
                (Some(block), *cache_control)
            }
            Part::Other { kind, raw } => {
                let medium = media::other(kind, raw).unwrap_or_else(|| Err(cut(kind, 80).to_owned()))?;
                let block = match medium {
                    media::Moving::Video(video) => Block::Video(video),
                    media::Moving::Audio(audio) => Block::Audio(audio),
                };
                (Some(block), Members::of(raw).get("cache_control"))
            }
        };
        if let Some(block) = block {
            out.push(block);
            let point = mark.filter(|_| self.caches).map(CachePoint::of);
            out.extend(point.map(Block::CachePoint));
        }
        Ok(())
    }

    fn assistant(&mut self, message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
        let mut out = thinking(&message.reasoning_details);
        out.extend(self.blocks(message, path)?);
        for (at, call) in message.tool_calls.iter().enumerate() {
            let input = arguments(call, path, at)?;
            out.push(Block::ToolUse {
                tool_use_id: tool_id(&call.id),
                name: &call.function.name,
                input,
            });
        }
        Ok(out)
    }

    fn tool_result(&mut self, message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
        let id = called_id(message, path)?;
        // A result has no place for a cache point inside; one after it covers the same prompt.
        let (points, content): (Vec<_>, Vec<_>) = self
            .content(&message.content, path)?
            .into_iter()
            .partition(|block| matches!(block, Block::CachePoint(_)));
        let mut out = vec![Block::ToolResult {
            tool_use_id: tool_id(id),
            content,
        }];
        out.extend(points.into_iter().next_back());
        Ok(out)
    }
}

fn text_block(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text(Cow::Borrowed(text)))
}

/// The thinking that can be given back. A caller that kept the pieces of a stream gives a block's text and its signature
/// apart, under one index. Text without a signature is left out: Claude refuses it, and no other model asks for it.
///
/// Claude's signatures hold wherever it is served. Encrypted thinking holds only here: Bedrock has an encoding of its
/// own around it, so this dialect gives it out as `unknown` and takes back only that.
fn thinking<'a>(details: &'a [ReasoningDetail<'a>]) -> Vec<Block<'a>> {
    let mut out: Vec<Block<'a>> = Vec::new();
    let mut unsigned: Option<(u32, Cow<'a, str>)> = None;
    for detail in details {
        let format = detail.format.as_deref().unwrap_or(Format::Unknown.name());
        let signature = detail
            .signature
            .as_deref()
            .filter(|signature| !signature.is_empty());
        match (&*detail.kind, &detail.data) {
            ("reasoning.text", _)
                if format == Format::Anthropic.name() || format == Format::Unknown.name() =>
            {
                let text = detail.text.as_deref().unwrap_or("");
                let text = match (unsigned.take(), detail.index) {
                    (Some((open, before)), Some(index)) if open == index => before + text,
                    _ => Cow::Borrowed(text),
                };
                match (signature, detail.index) {
                    (Some(signature), _) => {
                        out.push(Block::ReasoningContent(Reasoning::ReasoningText {
                            text,
                            signature,
                        }));
                    }
                    (None, Some(index)) => unsigned = Some((index, text)),
                    (None, None) => {}
                }
            }
            ("reasoning.encrypted", Some(data)) if format == Format::Unknown.name() => {
                out.push(Block::ReasoningContent(Reasoning::RedactedContent(data)));
            }
            _ => {}
        }
    }
    out
}

/// Bedrock takes ids of at most 64 of `[a-zA-Z0-9_.:-]`.
fn tool_id(id: &str) -> Cow<'_, str> {
    call_id(id, 64, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
    })
}
