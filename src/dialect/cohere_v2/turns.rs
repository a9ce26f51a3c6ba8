//! The conversation as Cohere wants it: instructions first, then turns as they came.
//!
//! Instructions are taken together at the front wherever they stood, because some models refuse a system turn that is
//! not the first. Blank text is left out, because Cohere refuses it.

use super::NAME;
use crate::chat::{Content, DataUrl, Format, Message, Part, ReasoningDetail, Role, ToolCall};
use crate::dialect::shared::turns::{called_id, cannot_carry, carries_only_text, name_speaker, nothing_said};
use crate::error::{Error, cut, quoted};
use crate::json::{self, Members};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One turn. One type for all roles, and one for all blocks: enums with tags are a lot of code in the filter.
#[derive(Debug, Default, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Said::is_nothing")]
    content: Said<'a>,
    #[serde(skip_serializing_if = "String::is_empty")]
    tool_plan: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

/// What is said in a turn.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Text(Cow<'a, str>),
    Blocks(Vec<Block<'a>>),
}

/// One block of a content: one of text, thinking, an image and a document.
#[derive(Debug, Default, Serialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<Image<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
struct Image<'a> {
    #[serde(serialize_with = "json::long")]
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl Default for Said<'_> {
    fn default() -> Self {
        Self::Blocks(Vec::new())
    }
}

impl<'a> Said<'a> {
    /// A single text needs no blocks.
    fn of(mut blocks: Vec<Block<'a>>) -> Self {
        match blocks.as_mut_slice() {
            [Block { text: Some(text), .. }] => Self::Text(std::mem::take(text)),
            _ => Self::Blocks(blocks),
        }
    }

    const fn is_nothing(&self) -> bool {
        matches!(self, Self::Blocks(blocks) if blocks.is_empty())
    }
}

/// Writes `messages` as turns, with the thinking in them where the model `thinks`.
///
/// # Errors
/// When a part cannot be carried, or nothing is left to be said.
pub(super) fn conversation<'a>(messages: &'a [Message<'a>], thinks: bool) -> Result<Vec<Turn<'a>>, Error> {
    let mut system = Vec::new();
    let mut turns = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        match message.role {
            Role::System | Role::Developer => system.extend(texts(message, &path)?),
            Role::User => {
                let content = Said::of(blocks(message, &path)?);
                if !content.is_nothing() {
                    turns.push(turn("user", content));
                }
            }
            Role::Assistant => turns.extend(assistant(message, &path, thinks)?),
            Role::Tool => turns.push(result(message, &path)?),
        }
    }
    if turns.is_empty() {
        return Err(nothing_said(NAME));
    }
    if !system.is_empty() {
        let content = Said::of(system);
        turns.insert(0, turn("system", content));
    }
    Ok(turns)
}

fn turn<'a>(role: &'static str, content: Said<'a>) -> Turn<'a> {
    Turn {
        role,
        content,
        ..Turn::default()
    }
}

fn texts<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
    let blocks = blocks(message, path)?;
    if blocks.iter().all(|block| block.text.is_some()) {
        return Ok(blocks);
    }
    Err(carries_only_text(path, NAME, "a message of this role"))
}

/// The content of a message, with the speaker's name before its first text: no provider but OpenAI has a place for it,
/// and OpenRouter writes it so.
fn blocks<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Block<'a>>, Error> {
    let mut out = content(&message.content, path, block)?;
    let first = out.iter_mut().find_map(|block| block.text.as_mut());
    name_speaker(message, first);
    Ok(out)
}

/// The blocks of a content. An error of `block` names what cannot be carried.
fn content<'a>(
    content: &'a Content<'a>,
    path: &str,
    block: fn(&'a Part<'a>) -> Result<Option<Block<'a>>, String>,
) -> Result<Vec<Block<'a>>, Error> {
    match content {
        Content::Nothing => Ok(Vec::new()),
        Content::Text(text) => Ok(text_block(text).into_iter().collect()),
        Content::Parts(parts) => {
            let mut out = Vec::with_capacity(parts.len());
            for (at, part) in parts.iter().enumerate() {
                let found = block(part)
                    .map_err(|what| cannot_carry(format_args!("{path}.content[{at}]"), NAME, &what))?;
                out.extend(found);
            }
            Ok(out)
        }
    }
}

fn text_block(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then(|| Block {
        kind: "text",
        text: Some(Cow::Borrowed(text)),
        ..Block::default()
    })
}

/// The block of a part; `None` for blank text.
fn block<'a>(part: &'a Part<'a>) -> Result<Option<Block<'a>>, String> {
    match part {
        Part::Text { text, .. } => Ok(text_block(text)),
        Part::Image { url, detail, .. } => image(url, detail.as_deref()).map(Some),
        Part::File { data, .. } => match DataUrl::parse(data) {
            Some(DataUrl { media_type, .. }) if media_type.starts_with("image/") => {
                image(data, None).map(Some)
            }
            _ => Err("a file that is no image in a data: URL; send its text instead".to_owned()),
        },
        Part::Other { kind, .. } => Err(cut(kind, 80).to_owned()),
    }
}

fn image<'a>(url: &'a str, detail: Option<&'a str>) -> Result<Block<'a>, String> {
    if DataUrl::parse(url).is_none() && !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(format!(
            "the image at {}; use an https: or a base64 data: URL",
            quoted(url)
        ));
    }
    // The words that Cohere knows; any other leaves it to the model.
    let detail = detail.filter(|detail| matches!(*detail, "auto" | "low" | "high"));
    Ok(Block {
        kind: "image_url",
        image_url: Some(Image { url, detail }),
        ..Block::default()
    })
}

/// What the assistant said; `None` when that was nothing.
///
/// Text beside calls is what Cohere calls the plan: its models never answer and call in one turn.
fn assistant<'a>(message: &'a Message<'a>, path: &str, thinks: bool) -> Result<Option<Turn<'a>>, Error> {
    let said = texts(message, path)?;
    let tool_calls: Vec<_> = message.tool_calls.iter().map(call).collect();
    let (thinking, mut tool_plan) = reasoning(message, thinks);
    let mut blocks: Vec<_> = thinking
        .into_iter()
        .map(|thinking| Block {
            kind: "thinking",
            thinking: Some(thinking),
            ..Block::default()
        })
        .collect();
    if tool_calls.is_empty() {
        tool_plan.clear();
        blocks.extend(said);
    } else {
        for text in said.iter().filter_map(|block| block.text.as_deref()) {
            if !tool_plan.is_empty() {
                tool_plan.push('\n');
            }
            tool_plan.push_str(text);
        }
    }
    let content = Said::of(blocks);
    if content.is_nothing() && tool_calls.is_empty() {
        return Ok(None);
    }
    Ok(Some(Turn {
        tool_plan,
        tool_calls,
        ..turn("assistant", content)
    }))
}

fn call<'a>(call: &'a ToolCall<'a>) -> Call<'a> {
    let arguments = &*call.function.arguments;
    Call {
        id: &call.id,
        kind: "function",
        function: Function {
            name: &call.function.name,
            arguments: if arguments.trim().is_empty() {
                "{}"
            } else {
                arguments
            },
        },
    }
}

/// The thinking of a turn, block by block, and its plan. A caller that kept the pieces of a stream gives a block's text
/// in pieces, under one index. What another provider's model thought stays out.
///
/// A caller that kept only the plain text does not say which of the two it was.
fn reasoning<'a>(message: &'a Message<'a>, thinks: bool) -> (Vec<Cow<'a, str>>, String) {
    let (mut blocks, mut plan) = (Vec::<Cow<'a, str>>::new(), String::new());
    let mut open = None;
    for detail in message.reasoning_details.iter().filter(|detail| is_ours(detail)) {
        match (&*detail.kind, &detail.text, &detail.summary) {
            ("reasoning.summary", _, Some(summary)) => plan.push_str(summary),
            ("reasoning.text", Some(text), _) if thinks && !text.is_empty() => {
                match blocks.last_mut() {
                    Some(Cow::Owned(last)) if open.is_some() && open == detail.index => last.push_str(text),
                    _ => blocks.push(Cow::Owned(text.to_string())),
                }
                open = detail.index;
            }
            _ => {}
        }
    }
    if let (true, Some(text)) = (message.reasoning_details.is_empty(), &message.reasoning) {
        match thinks {
            true if !text.trim().is_empty() => blocks.push(Cow::Borrowed(&**text)),
            true => {}
            false => plan.push_str(text),
        }
    }
    (blocks, plan)
}

fn is_ours(detail: &ReasoningDetail<'_>) -> bool {
    detail
        .format
        .as_deref()
        .is_none_or(|format| format == Format::Unknown.name())
}

/// The result of a call: a text, or blocks of text and of documents to cite.
fn result<'a>(message: &'a Message<'a>, path: &str) -> Result<Turn<'a>, Error> {
    let tool_call_id = called_id(message, path)?;
    let part = |part: &'a Part<'a>| match part {
        Part::Text { text, .. } => Ok(text_block(text)),
        Part::Other { kind, raw } if &**kind == "document" => Ok(Some(Block {
            kind: "document",
            document: Members::of(raw).get("document"),
            ..Block::default()
        })),
        Part::Other { kind, .. } => Err(format!("{} in a result", cut(kind, 80))),
        Part::Image { .. } => Err("an image in a result".to_owned()),
        Part::File { .. } => Err("a file in a result".to_owned()),
    };
    let content = match &message.content {
        Content::Text(text) => Said::Text(Cow::Borrowed(&**text)),
        other => Said::of(content(other, path, part)?),
    };
    // A result that is empty is one all the same.
    let content = if content.is_nothing() {
        Said::Text("".into())
    } else {
        content
    };
    Ok(Turn {
        tool_call_id: Some(tool_call_id),
        ..turn("tool", content)
    })
}
