//! Anthropic's messages: alternation, blocks, tool results that match their calls, signatures.

use serde_json::Value;

use super::object::{Object, invalid, missing, only, plain, string};
use crate::ask::{Ask, Image, Thinking};
use crate::provider::Refusal;
use crate::seed::{decoded_len, redacted, sign};
use crate::waiting::Waiting;

pub(super) fn read(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let messages = match body.get("messages") {
        None => return Err(missing("messages")),
        Some(Value::Array(messages)) if messages.is_empty() => {
            return Err(invalid("messages: at least one message is required"));
        }
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(invalid("messages: Input should be a valid list")),
    };
    system(body, ask)?;
    ask.messages += messages.len() as u64;
    let mut before: Option<&str> = None;
    // Calls of the message before, which wait for their results.
    let mut open = Waiting::default();
    for (n, message) in messages.iter().enumerate() {
        let path = format!("messages.{n}");
        let Some(message) = message.as_object() else {
            return Err(invalid(format!("{path}: Input should be a valid dictionary")));
        };
        only(message, &["role", "content"], &format!("{path}."))?;
        let role = string(message, "role", &format!("{path}."))?;
        if role != "user" && role != "assistant" {
            return Err(invalid(format!(
                "{path}.role: Input should be 'user' or 'assistant'"
            )));
        }
        match before {
            None if role != "user" => {
                return Err(invalid("messages: first message must use the \"user\" role"));
            }
            Some(before) if before == role => {
                return Err(invalid(format!(
                    "messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"{role}\" roles in a row"
                )));
            }
            _ => {}
        }
        before = Some(role);
        let last = n + 1 == messages.len();
        let mut seen = Seen {
            ask: &mut *ask,
            role,
            open: &mut open,
            texts: Vec::new(),
            results: Vec::new(),
            calls: Waiting::default(),
        };
        seen.content(message.get("content"), &path, last)?;
        let Seen {
            texts,
            results,
            calls,
            ..
        } = seen;
        if !open.is_empty() {
            return Err(invalid(format!(
                "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                n.saturating_sub(1),
                open.ids()
            )));
        }
        open = calls;
        if role == "user" {
            ask.tool_results = results;
            if !texts.is_empty() || ask.tool_results.is_empty() {
                ask.user_text = texts.join(" ");
            }
        }
    }
    if let Some(call) = open.left().first() {
        return Err(invalid(format!(
            "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {call}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
            messages.len() - 1
        )));
    }
    starts_with_thought(messages, ask)
}

fn system(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    match body.get("system") {
        None => return Ok(()),
        Some(Value::String(text)) => ask.read(text),
        Some(Value::Array(blocks)) => {
            for (n, block) in blocks.iter().enumerate() {
                let path = format!("system.{n}.");
                let Some(block) = block.as_object() else {
                    return Err(invalid(format!("system.{n}: Input should be a valid dictionary")));
                };
                if block.get("type").and_then(Value::as_str) != Some("text") {
                    return Err(invalid(format!("{path}type: Input should be 'text'")));
                }
                only(block, &["type", "text", "cache_control", "citations"], &path)?;
                let text = string(block, "text", &path)?;
                if text.is_empty() {
                    return Err(invalid("system: text content blocks must be non-empty"));
                }
                ask.read(text);
            }
        }
        Some(_) => return Err(invalid("system: Input should be a valid string")),
    }
    ask.messages += 1;
    Ok(())
}

/// While thinking, a last assistant turn with tool calls has to keep its thoughts.
fn starts_with_thought(messages: &[Value], ask: &Ask) -> Result<(), Refusal> {
    if ask.thinking == Thinking::Off || ask.tool_results.is_empty() {
        return Ok(());
    }
    let turns = messages
        .iter()
        .enumerate()
        .filter(|(_, m)| m.get("role").and_then(Value::as_str) == Some("assistant"));
    let Some((n, turn)) = turns.max_by_key(|(n, _)| *n) else {
        return Ok(());
    };
    match turn.pointer("/content/0/type").and_then(Value::as_str) {
        Some("thinking" | "redacted_thinking") => Ok(()),
        other => {
            let found = other.unwrap_or("text");
            Err(invalid(format!(
                "messages.{n}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
            )))
        }
    }
}

/// One message while its blocks are walked.
struct Seen<'a> {
    ask: &'a mut Ask,
    role: &'a str,
    open: &'a mut Waiting<String>,
    texts: Vec<String>,
    results: Vec<String>,
    calls: Waiting<String>,
}

impl Seen<'_> {
    fn content(&mut self, content: Option<&Value>, path: &str, last: bool) -> Result<(), Refusal> {
        let empty = || {
            invalid(format!(
                "{path}: all messages must have non-empty content except for the optional final assistant message"
            ))
        };
        match content {
            None => Err(missing(&format!("{path}.content"))),
            Some(Value::String(text)) if text.is_empty() && !(last && self.role == "assistant") => {
                Err(empty())
            }
            Some(Value::String(text)) => {
                self.trailing(text, last)?;
                self.ask.read(text);
                self.texts.push(text.clone());
                Ok(())
            }
            Some(Value::Array(blocks)) if blocks.is_empty() && !(last && self.role == "assistant") => {
                Err(empty())
            }
            Some(Value::Array(blocks)) => {
                for (n, block) in blocks.iter().enumerate() {
                    let path = format!("{path}.content.{n}");
                    let Some(block) = block.as_object() else {
                        return Err(invalid(format!("{path}: Input should be a valid dictionary")));
                    };
                    self.block(block, &path)?;
                    if n + 1 == blocks.len()
                        && let Some(text) = block.get("text").and_then(Value::as_str)
                    {
                        self.trailing(text, last)?;
                    }
                }
                Ok(())
            }
            Some(_) => Err(invalid(format!("{path}.content: Input should be a valid list"))),
        }
    }

    fn trailing(&self, text: &str, last: bool) -> Result<(), Refusal> {
        if last && self.role == "assistant" && text.ends_with(char::is_whitespace) {
            return Err(invalid(
                "messages: final assistant content cannot end with trailing whitespace",
            ));
        }
        Ok(())
    }

    fn block(&mut self, block: &Object, path: &str) -> Result<(), Refusal> {
        let kind = string(block, "type", &format!("{path}."))?;
        let inner = format!("{path}.{kind}.");
        match (kind, self.role) {
            ("text", _) => {
                only(block, &["type", "text", "cache_control", "citations"], &inner)?;
                let text = string(block, "text", &inner)?;
                if text.is_empty() {
                    return Err(invalid("messages: text content blocks must be non-empty"));
                }
                self.ask.read(text);
                self.texts.push(text.to_owned());
            }
            ("image", "user") => {
                only(
                    block,
                    &["type", "source", "cache_control", "transformations"],
                    &inner,
                )?;
                let image = image(block.get("source"), &inner)?;
                self.ask.images.push(image);
            }
            ("document" | "search_result" | "container_upload", "user") => {}
            ("tool_result", "user") => self.result(block, path)?,
            ("tool_use", "assistant") => {
                only(
                    block,
                    &[
                        "type",
                        "id",
                        "name",
                        "input",
                        "cache_control",
                        "caller",
                        "toolset_name",
                    ],
                    &inner,
                )?;
                let id = string(block, "id", &inner)?;
                if id.is_empty() || !plain(id) {
                    return Err(invalid(format!(
                        "{inner}id: String should match pattern '^[a-zA-Z0-9_-]+$'"
                    )));
                }
                string(block, "name", &inner)?;
                match block.get("input") {
                    None => return Err(missing(&format!("{inner}input"))),
                    Some(Value::Object(_)) => {}
                    Some(_) => {
                        return Err(invalid(format!(
                            "{inner}input: Input should be a valid dictionary"
                        )));
                    }
                }
                if self.calls.contains(id) {
                    return Err(invalid("messages: `tool_use` ids must be unique"));
                }
                self.calls.add(id.to_owned());
            }
            ("thinking", "assistant") => {
                only(block, &["type", "thinking", "signature"], &inner)?;
                let thought = string(block, "thinking", &inner)?;
                if string(block, "signature", &inner)? != sign(thought) {
                    return Err(invalid(format!(
                        "{path}: Invalid `signature` in `thinking` block"
                    )));
                }
            }
            ("redacted_thinking", "assistant") => {
                only(block, &["type", "data"], &inner)?;
                if string(block, "data", &inner)? != redacted() {
                    return Err(invalid(format!(
                        "{path}: Invalid `data` in `redacted_thinking` block"
                    )));
                }
            }
            ("server_tool_use" | "web_search_tool_result" | "web_fetch_tool_result", "assistant") => {}
            (other, role) => {
                return Err(invalid(format!(
                    "{path}: Input tag '{other}' found using 'type' does not match any of the tags expected of a {role} message"
                )));
            }
        }
        Ok(())
    }

    fn result(&mut self, block: &Object, path: &str) -> Result<(), Refusal> {
        let inner = format!("{path}.tool_result.");
        only(
            block,
            &[
                "type",
                "tool_use_id",
                "content",
                "is_error",
                "cache_control",
                "toolset_name",
            ],
            &inner,
        )?;
        let id = string(block, "tool_use_id", &inner)?;
        if !self.open.answer(id) {
            return Err(invalid(format!(
                "{path}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )));
        }
        if !self.texts.is_empty() {
            return Err(invalid(format!(
                "{path}: `tool_result` blocks must come before other content in a user message"
            )));
        }
        let mut texts = Vec::new();
        match block.get("content") {
            None => {}
            Some(Value::String(text)) => texts.push(text.clone()),
            Some(Value::Array(parts)) => {
                for (n, part) in parts.iter().enumerate() {
                    let path = format!("{inner}content.{n}.");
                    let Some(part) = part.as_object() else {
                        return Err(invalid(format!(
                            "{inner}content.{n}: Input should be a valid dictionary"
                        )));
                    };
                    match string(part, "type", &path)? {
                        "text" => texts.push(string(part, "text", &format!("{path}text."))?.to_owned()),
                        "image" => self.ask.images.push(image(part.get("source"), &path)?),
                        "document" | "search_result" | "tool_reference" => {}
                        other => {
                            return Err(invalid(format!(
                                "{path}type: Input tag '{other}' is not expected"
                            )));
                        }
                    }
                }
            }
            Some(_) => {
                return Err(invalid(format!(
                    "{inner}content: Input should be a valid string or list"
                )));
            }
        }
        let text = texts.join(" ");
        self.ask.read(&text);
        self.results.push(text);
        Ok(())
    }
}

fn image(source: Option<&Value>, path: &str) -> Result<Image, Refusal> {
    let Some(source) = source.and_then(Value::as_object) else {
        return Err(missing(&format!("{path}source")));
    };
    match string(source, "type", &format!("{path}source."))? {
        "base64" => {
            let path = format!("{path}source.base64.");
            only(source, &["type", "media_type", "data"], &path)?;
            let media_type = string(source, "media_type", &path)?;
            if !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&media_type) {
                return Err(invalid(format!(
                    "{path}media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
                )));
            }
            let Some(len) = decoded_len(string(source, "data", &path)?) else {
                return Err(invalid(format!("{path}data: Invalid base64 data")));
            };
            Ok(Image::Bytes {
                media_type: media_type.to_owned(),
                len,
            })
        }
        "url" => {
            let url = string(source, "url", &format!("{path}source.url."))?;
            if !url.starts_with("https://") {
                return Err(invalid(format!(
                    "{path}source.url.url: Only HTTPS URLs are supported."
                )));
            }
            Ok(Image::Link(url.to_owned()))
        }
        "file" => Ok(Image::Link("a file".to_owned())),
        other => Err(invalid(format!(
            "{path}source: Input tag '{other}' found using 'type' does not match any of the expected tags: 'base64', 'url', 'file'"
        ))),
    }
}
