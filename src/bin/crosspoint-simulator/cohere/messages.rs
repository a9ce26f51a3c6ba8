//! Cohere's turns: their order, their blocks, and that every call gets its result.

use std::collections::HashSet;

use serde_json::Value;

use super::object::{Object, invalid, list, object, refused, string};
use crate::ask::{Ask, Image};
use crate::provider::Refusal;
use crate::seed::decoded_len;
use crate::waiting::Waiting;

pub(super) fn read(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let messages = list(body, "messages");
    if messages.is_empty() {
        return Err(invalid("messages must not be empty."));
    }
    ask.messages = messages.len() as u64;
    // All calls so far, and those that still wait for their result.
    let (mut ids, mut open) = (HashSet::new(), Waiting::default());
    for (n, message) in messages.iter().enumerate() {
        let path = format!("messages[{n}]");
        let role = message
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if role != "tool" && !open.is_empty() {
            return Err(invalid(format!(
                "{path}: the calls {} have no result.",
                open.ids()
            )));
        }
        match role.as_str() {
            "system" if n > 0 => return Err(refused("system turn must be the first in the list")),
            "system" => {
                let message = object(message, &["role", "content"], &path)?;
                content(message, &["text"], &path, ask)?;
            }
            "user" => {
                let message = object(message, &["role", "content"], &path)?;
                ask.user_text = content(message, &["text", "image_url"], &path, ask)?;
                ask.tool_results.clear();
            }
            "assistant" => {
                ask.tool_results.clear();
                open = assistant(message, &path, ask)?;
                if !open.left().into_iter().all(|id| ids.insert(id.clone())) {
                    return Err(refused("cannot have duplicate tool ids"));
                }
            }
            "tool" => {
                let message = object(message, &["role", "content", "tool_call_id"], &path)?;
                let Some(id) = message.get("tool_call_id").and_then(Value::as_str) else {
                    return Err(refused("tool call id must be provided with tool message"));
                };
                if !open.answer(id) {
                    return Err(refused("tool call id not found in previous tool calls"));
                }
                let said = content(message, &["text", "document"], &path, ask)?;
                ask.tool_results.push(said);
            }
            _ => {
                return Err(invalid(format!(
                    "Invalid role at index {n}. Role must be one of the following: user, assistant, system, tool"
                )));
            }
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("the calls {} have no result.", open.ids())))
}

/// Checks what an assistant said, and returns the ids of its calls.
fn assistant(message: &Value, path: &str, ask: &mut Ask) -> Result<Waiting<String>, Refusal> {
    let known = ["role", "content", "tool_calls", "tool_plan", "citations"];
    let message = object(message, &known, path)?;
    let calls = list(message, "tool_calls");
    if message.contains_key("content") {
        let kinds: &[&str] = if calls.is_empty() {
            &["text", "thinking"]
        } else {
            &["thinking"]
        };
        content(message, kinds, path, ask)?;
    } else if calls.is_empty() {
        return Err(refused("message must not be empty in a turn"));
    }
    if message.contains_key("tool_plan") {
        let plan = string(message, "tool_plan", path)?;
        ask.read(plan);
    }
    let mut ids = Waiting::default();
    for (n, call) in calls.iter().enumerate() {
        let path = format!("{path}.tool_calls[{n}]");
        let call = object(call, &["id", "type", "function"], &path)?;
        if call.get("type").and_then(Value::as_str) != Some("function") {
            return Err(refused("tool call must be of type function"));
        }
        let function = object(
            call.get("function").unwrap_or(&Value::Null),
            &["name", "arguments"],
            &path,
        )?;
        string(function, "name", &path)?;
        let arguments: Option<Value> = serde_json::from_str(string(function, "arguments", &path)?).ok();
        if !arguments.is_some_and(|arguments| arguments.is_object()) {
            return Err(invalid(format!(
                "{path}.function.arguments must be a JSON object"
            )));
        }
        let id = string(call, "id", &path)?;
        if ids.contains(id) {
            return Err(refused("cannot have duplicate tool ids"));
        }
        ids.add(id.to_owned());
    }
    Ok(ids)
}

/// Checks a content of blocks of these kinds, and returns its text.
fn content(message: &Object, kinds: &[&str], path: &str, ask: &mut Ask) -> Result<String, Refusal> {
    let path = format!("{path}.content");
    let blocks = match message.get("content") {
        // The result of a tool may be nothing.
        Some(Value::String(text)) if !text.trim().is_empty() || kinds.contains(&"document") => {
            if !kinds.contains(&"text") {
                return Err(invalid(format!("{path} must not be text beside calls")));
            }
            ask.read(text);
            return Ok(text.clone());
        }
        Some(Value::Array(blocks)) if !blocks.is_empty() => blocks,
        _ => return Err(refused("message must not be empty in a turn")),
    };
    let mut texts = Vec::new();
    for (n, block) in blocks.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        if !kinds.contains(&kind) {
            return Err(invalid(format!(
                "{path}.type must be one of {}",
                kinds.join(", ")
            )));
        }
        match kind {
            "text" => {
                let text = string(object(block, &["type", "text"], &path)?, "text", &path)?;
                if text.trim().is_empty() {
                    return Err(refused("message must not be empty in a turn"));
                }
                ask.read(text);
                texts.push(text.to_owned());
            }
            "thinking" => {
                string(object(block, &["type", "thinking"], &path)?, "thinking", &path)?;
            }
            "document" => {
                let block = object(block, &["type", "document"], &path)?;
                let document = block.get("document").unwrap_or(&Value::Null);
                let document = object(document, &["id", "data"], &path)?;
                let data = document.get("data").filter(|data| data.is_object());
                let Some(data) = data else {
                    return Err(invalid(format!("{path}.document.data must be an object")));
                };
                ask.read(&data.to_string());
                texts.push(data.to_string());
            }
            _ => ask.images.push(image(block, &path)?),
        }
    }
    Ok(texts.join(" "))
}

fn image(block: &Value, path: &str) -> Result<Image, Refusal> {
    let block = object(block, &["type", "image_url"], path)?;
    let path = format!("{path}.image_url");
    let described = object(
        block.get("image_url").unwrap_or(&Value::Null),
        &["url", "detail"],
        &path,
    )?;
    if let Some(detail) = described.get("detail")
        && !matches!(detail.as_str(), Some("auto" | "low" | "high"))
    {
        return Err(invalid(format!("{path}.detail must be one of auto, low, high")));
    }
    let url = string(described, "url", &path)?;
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(Image::Link(url.to_owned()));
    }
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    data.filter(|(kind, _)| matches!(*kind, "image/png" | "image/jpeg" | "image/webp" | "image/gif"))
        .and_then(|(kind, data)| {
            Some(Image::Bytes {
                media_type: kind.to_owned(),
                len: decoded_len(data)?,
            })
        })
        .ok_or_else(|| {
            invalid(format!(
                "{path}.url must be a web address or a base64 data URL of an image"
            ))
        })
}
