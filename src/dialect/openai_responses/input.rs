//! The conversation as a list of items: messages, calls, their results, and thinking, each an item of its own.

use super::NAME;
use crate::chat::{Content, DataUrl, Format, Message, Part as Given, ReasoningDetail, Role};
use crate::dialect::shared::call_ids::call_id;
use crate::dialect::shared::turns::{called_id, cannot_carry, carries_only_text, name_speaker};
use crate::error::{Error, cut, quoted};
use crate::json::{self, Members, Str};
use serde::Serialize;
use std::borrow::Cow;

/// The longest id of a call that OpenAI takes: 400 `string too long`, decolua/9router#393. Any characters will do:
/// orchidfiles/ungate#41.
const MAX_ID: usize = 64;

/// One item.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    Message {
        role: &'static str,
        content: Said<'a>,
    },
    Reasoning {
        /// Left out where the caller lost it: openai/codex never sends it, and one that does not fit is refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        summary: Vec<Summary<'a>>,
        encrypted_content: &'a str,
    },
    FunctionCall {
        call_id: Cow<'a, str>,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: Said<'a>,
    },
}

/// What a message says or a call gave.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Said<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

/// A part of it.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(super) enum Part<'a> {
    #[serde(rename = "input_text")]
    Text { text: Cow<'a, str> },
    #[serde(rename = "input_image")]
    Image {
        #[serde(serialize_with = "json::long")]
        image_url: &'a str,
        detail: &'a str,
    },
    #[serde(rename = "input_file")]
    File {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
        #[serde(flatten)]
        file: File<'a>,
    },
}

/// Where a file is.
#[derive(Debug, Serialize)]
pub(super) enum File<'a> {
    #[serde(rename = "file_data", serialize_with = "json::long")]
    Data(&'a str),
    #[serde(rename = "file_url")]
    Url(&'a str),
    #[serde(rename = "file_id")]
    Id(Str<'a>),
}

/// A summary of thinking.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: Cow<'a, str>,
}

/// Writes `messages` as items.
///
/// # Errors
/// When a part cannot be carried, or nothing is left to be said.
pub(super) fn items<'a>(messages: &'a [Message<'a>]) -> Result<Vec<Item<'a>>, Error> {
    let mut out = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        match message.role {
            Role::System => out.extend(instruction("system", message, &path)?),
            Role::Developer => out.extend(instruction("developer", message, &path)?),
            Role::User => out.extend(spoken("user", message, &path)?),
            Role::Assistant => assistant(message, &path, &mut out)?,
            Role::Tool => out.push(outcome(message, &path)?),
        }
    }
    if out.is_empty() {
        return Err(Error::invalid(
            "messages: openai-responses needs at least one message that is not empty",
        ));
    }
    Ok(out)
}

fn instruction<'a>(
    role: &'static str,
    message: &'a Message<'a>,
    path: &str,
) -> Result<Option<Item<'a>>, Error> {
    if !is_text(&message.content) {
        return Err(carries_only_text(path, NAME, "a system message"));
    }
    spoken(role, message, path)
}

/// A message, with the speaker's name before its first text: there is no other place for it, and OpenRouter writes it so.
fn spoken<'a>(role: &'static str, message: &'a Message<'a>, path: &str) -> Result<Option<Item<'a>>, Error> {
    let mut content = match &message.content {
        Content::Nothing => return Ok(None),
        Content::Text(text) => Said::Text(Cow::Borrowed(text)),
        Content::Parts(parts) if parts.is_empty() => return Ok(None),
        Content::Parts(parts) => Said::Parts(self::parts(parts, path)?),
    };
    let first = match &mut content {
        Said::Text(text) => Some(text),
        Said::Parts(parts) => parts.iter_mut().find_map(|part| match part {
            Part::Text { text } => Some(text),
            Part::Image { .. } | Part::File { .. } => None,
        }),
    };
    name_speaker(message, first);
    Ok(Some(Item::Message { role, content }))
}

/// An assistant's turn: what it thought, what it said, what it called. What it said goes out as plain text, which needs
/// no id of a message that nobody kept.
fn assistant<'a>(message: &'a Message<'a>, path: &str, out: &mut Vec<Item<'a>>) -> Result<(), Error> {
    out.extend(thinking(&message.reasoning_details));
    if !is_text(&message.content) {
        return Err(carries_only_text(path, NAME, "an assistant message"));
    }
    let mut text = joined(&message.content);
    if !text.is_empty() {
        name_speaker(message, Some(&mut text));
        out.push(Item::Message {
            role: "assistant",
            content: Said::Text(text),
        });
    }
    for call in &message.tool_calls {
        let arguments = call.function.arguments.trim();
        out.push(Item::FunctionCall {
            call_id: tool_id(&call.id),
            name: &call.function.name,
            arguments: if arguments.is_empty() { "{}" } else { arguments },
        });
    }
    Ok(())
}

/// The thinking that OpenAI encrypted, with its summary. A caller that kept the pieces of a stream gives them one by
/// one, under one index. A summary alone is left out, because only what was kept at the provider could be named by it;
/// thinking in plain text too: it is refused (`array too long`, musistudio/claude-code-router#1783).
fn thinking<'a>(details: &'a [ReasoningDetail<'a>]) -> impl Iterator<Item = Item<'a>> {
    #[derive(Default)]
    struct Block<'a> {
        index: Option<u32>,
        id: Option<&'a str>,
        summary: Cow<'a, str>,
        data: Option<&'a str>,
    }
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let ours = |detail: &&ReasoningDetail<'_>| {
        detail.format.as_deref() == Some(Format::OpenAiResponses.name())
            && matches!(&*detail.kind, "reasoning.summary" | "reasoning.encrypted")
    };
    for detail in details.iter().filter(ours) {
        let goes_on = blocks
            .last()
            .is_some_and(|block| block.index == detail.index && block.data.is_none());
        if !goes_on {
            blocks.push(Block {
                index: detail.index,
                ..Block::default()
            });
        }
        let Some(block) = blocks.last_mut() else { continue };
        block.summary += detail.summary.as_deref().unwrap_or("");
        block.data = detail.data.as_deref().filter(|data| !data.is_empty());
        block.id = detail.id.as_deref().filter(|id| !id.is_empty());
    }
    blocks.into_iter().filter_map(|block| {
        let Block {
            id, summary, data, ..
        } = block;
        let summary = (!summary.is_empty()).then_some(Summary {
            kind: "summary_text",
            text: summary,
        });
        Some(Item::Reasoning {
            id,
            summary: summary.into_iter().collect(),
            encrypted_content: data?,
        })
    })
}

fn outcome<'a>(message: &'a Message<'a>, path: &str) -> Result<Item<'a>, Error> {
    let id = called_id(message, path)?;
    let output = match &message.content {
        Content::Parts(given) if !is_text(&message.content) => Said::Parts(parts(given, path)?),
        content => Said::Text(joined(content)),
    };
    Ok(Item::FunctionCallOutput {
        call_id: tool_id(id),
        output,
    })
}

fn is_text(content: &Content<'_>) -> bool {
    match content {
        Content::Nothing | Content::Text(_) => true,
        Content::Parts(parts) => parts.iter().all(|part| matches!(part, Given::Text { .. })),
    }
}

/// All text of a content: a list of texts only is one text, which every server takes.
fn joined<'a>(content: &'a Content<'a>) -> Cow<'a, str> {
    match content {
        Content::Text(text) => Cow::Borrowed(text),
        content => Cow::Owned(content.text()),
    }
}

fn parts<'a>(given: &'a [Given<'a>], path: &str) -> Result<Vec<Part<'a>>, Error> {
    given
        .iter()
        .enumerate()
        .map(|(at, given)| {
            part(given).map_err(|what| cannot_carry(format_args!("{path}.content[{at}]"), NAME, &what))
        })
        .collect()
}

/// An error names what cannot be carried.
fn part<'a>(given: &'a Given<'a>) -> Result<Part<'a>, String> {
    match given {
        Given::Text { text, .. } => Ok(Part::Text {
            text: Cow::Borrowed(text),
        }),
        Given::Image { url, detail, .. } => Ok(image(url, detail.as_deref())),
        Given::File { data, filename, .. } => file(data, filename.as_deref()),
        Given::Other { kind, raw } => {
            let file = Members::of(raw).get("file").map(Members::of);
            match file.and_then(|file| file.text("file_id")) {
                Some(id) if &**kind == "file" => Ok(Part::File {
                    filename: None,
                    file: File::Id(id),
                }),
                _ => Err(cut(kind, 80).to_owned()),
            }
        }
    }
}

fn image<'a>(url: &'a str, detail: Option<&'a str>) -> Part<'a> {
    Part::Image {
        image_url: url,
        detail: detail.unwrap_or("auto"),
    }
}

/// The name of a file tells what it is, so data needs one; an address is enough without.
fn file<'a>(data: &'a str, filename: Option<&'a str>) -> Result<Part<'a>, String> {
    match DataUrl::parse(data) {
        Some(DataUrl { media_type, .. }) if media_type.starts_with("image/") => Ok(image(data, None)),
        Some(DataUrl { media_type, .. }) => {
            let usual = (media_type == "application/pdf").then_some("file.pdf");
            Ok(Part::File {
                filename: filename.or(usual),
                file: File::Data(data),
            })
        }
        None if data.starts_with("https://") || data.starts_with("http://") => Ok(Part::File {
            filename: None,
            file: File::Url(data),
        }),
        None => Err(format!(
            "the file at {}; use an https: or a base64 data: URL",
            quoted(data)
        )),
    }
}

fn tool_id(id: &str) -> Cow<'_, str> {
    call_id(id, MAX_ID, |byte| byte.is_ascii_graphic())
}
