//! OpenAI's messages: their roles, their parts, and that every tool call gets its answer.

use serde_json::Value;

use super::object::{Object, image, invalid, missing, only, wrong_type};
use crate::ask::{Ask, Image};
use crate::provider::Refusal;
use crate::waiting::Waiting;

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

pub(super) fn read(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(invalid(message).param("messages").code("empty_array"));
    }
    ask.messages = messages.len() as u64;
    // Calls that still wait for their tool message.
    let mut open = Waiting::default();
    for (n, message) in messages.iter().enumerate() {
        let path = format!("messages[{n}]");
        let Some(message) = message.as_object() else {
            return Err(wrong_type(&path, "an object", message));
        };
        let Some(role) = message.get("role").and_then(Value::as_str) else {
            return Err(missing(&format!("{path}.role")));
        };
        if !ROLES.contains(&role) {
            let message = format!(
                "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
            );
            return Err(invalid(message)
                .param(format!("{path}.role"))
                .code("invalid_value"));
        }
        fields(message, role, &path, ask)?;
        if role == "tool" {
            answered(message, n, &mut open)?;
        } else if !open.is_empty() {
            return Err(unanswered(&open, n));
        }
        let text = content(message, role, &path, ask)?;
        match role {
            "user" => {
                ask.user_text = text;
                ask.tool_results.clear();
            }
            "tool" => ask.tool_results.push(text),
            "assistant" => {
                ask.tool_results.clear();
                open = calls(message, &path)?;
            }
            _ => {}
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(unanswered(&open, messages.len()))
    }
}

fn fields(message: &Object, role: &str, path: &str, ask: &Ask) -> Result<(), Refusal> {
    let known: &[&str] = match role {
        // Compatible servers that send reasoning take it back; OpenAI itself does not know the field.
        "assistant" if ask.model().contains("reasoning-content") => &[
            "role",
            "content",
            "name",
            "refusal",
            "audio",
            "function_call",
            "tool_calls",
            "reasoning_content",
        ],
        "assistant" => &[
            "role",
            "content",
            "name",
            "refusal",
            "audio",
            "function_call",
            "tool_calls",
            "annotations",
        ],
        "tool" => &["role", "content", "tool_call_id"],
        _ => &["role", "content", "name"],
    };
    only(message, known, path)
}

fn answered(message: &Object, n: usize, open: &mut Waiting<String>) -> Result<(), Refusal> {
    let Some(id) = message.get("tool_call_id").and_then(Value::as_str) else {
        return Err(missing(&format!("messages[{n}].tool_call_id")));
    };
    if !open.answer(id) {
        let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
        return Err(invalid(message).param(format!("messages.[{n}].role")));
    }
    Ok(())
}

fn unanswered(open: &Waiting<String>, n: usize) -> Refusal {
    let ids = open.ids();
    invalid(format!("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {ids}"))
        .param(format!("messages.[{n}].role"))
}

/// Checks the content and returns its text.
fn content(message: &Object, role: &str, path: &str, ask: &mut Ask) -> Result<String, Refusal> {
    let path = format!("{path}.content");
    let content = message.get("content").unwrap_or(&Value::Null);
    match content {
        Value::String(text) => {
            ask.read(text);
            Ok(text.clone())
        }
        Value::Array(parts) if parts.is_empty() => {
            let message = format!(
                "Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
            );
            Err(invalid(message).param(path).code("empty_array"))
        }
        Value::Array(parts) => {
            let mut texts = Vec::new();
            for (n, part) in parts.iter().enumerate() {
                texts.extend(self::part(part, role, &format!("{path}[{n}]"), ask)?);
            }
            Ok(texts.join(" "))
        }
        Value::Null if role == "assistant" && has_calls(message) => Ok(String::new()),
        Value::Null => {
            let message = format!("Invalid value for '{path}': expected a string, got null.");
            Err(invalid(message).param(path))
        }
        other => Err(wrong_type(&path, "one of a string or array of objects", other)),
    }
}

fn has_calls(message: &Object) -> bool {
    ["tool_calls", "function_call", "refusal"]
        .iter()
        .any(|key| message.get(*key).is_some_and(|v| !v.is_null()))
}

fn part(part: &Value, role: &str, path: &str, ask: &mut Ask) -> Result<Option<String>, Refusal> {
    let Some(object) = part.as_object() else {
        return Err(wrong_type(path, "an object", part));
    };
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    match (text("type"), role) {
        (Some("text"), _) => {
            only(object, &["type", "text", "prompt_cache_breakpoint"], path)?;
            let Some(text) = text("text") else {
                return Err(missing(&format!("{path}.text")));
            };
            ask.read(text);
            Ok(Some(text.to_owned()))
        }
        (Some("refusal"), "assistant") => Ok(None),
        (Some("image_url"), "user") => {
            only(object, &["type", "image_url", "prompt_cache_breakpoint"], path)?;
            let url = object
                .get("image_url")
                .and_then(|image| image.get("url"))
                .and_then(Value::as_str);
            let Some(url) = url else {
                return Err(missing(&format!("{path}.image_url.url")));
            };
            let found = image(url);
            let good = match &found {
                Image::Bytes { media_type, .. } => media_type.starts_with("image/"),
                Image::Link(url) => url.starts_with("http://") || url.starts_with("https://"),
            };
            if !good {
                let message = format!(
                    "Invalid '{path}.image_url.url': expected a base64-encoded data URL with an image MIME type, or an http(s) URL."
                );
                return Err(invalid(message)
                    .param(format!("{path}.image_url.url"))
                    .code("invalid_value"));
            }
            ask.images.push(found);
            Ok(None)
        }
        (Some("input_audio" | "file"), "user") => Ok(None),
        (Some(other), _) => {
            let message = format!(
                "Invalid value: '{other}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'."
            );
            Err(invalid(message)
                .param(format!("{path}.type"))
                .code("invalid_value"))
        }
        (None, _) => Err(missing(&format!("{path}.type"))),
    }
}

/// Checks an assistant's tool calls and returns their ids.
fn calls(message: &Object, path: &str) -> Result<Waiting<String>, Refusal> {
    let path = format!("{path}.tool_calls");
    let calls = match message.get("tool_calls") {
        None | Some(Value::Null) => return Ok(Waiting::default()),
        Some(Value::Array(calls)) if calls.is_empty() => {
            let message = format!(
                "Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
            );
            return Err(invalid(message).param(path).code("empty_array"));
        }
        Some(Value::Array(calls)) => calls,
        Some(other) => return Err(wrong_type(&path, "an array of objects", other)),
    };
    let mut ids = Waiting::default();
    for (n, call) in calls.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let Some(object) = call.as_object() else {
            return Err(wrong_type(&path, "an object", call));
        };
        only(object, &["id", "type", "function", "custom"], &path)?;
        let Some(id) = object.get("id").and_then(Value::as_str) else {
            return Err(missing(&format!("{path}.id")));
        };
        if object.get("type").and_then(Value::as_str) != Some("function") {
            return Err(missing(&format!("{path}.type")));
        }
        for name in ["name", "arguments"] {
            let path = format!("{path}.function.{name}");
            match call.pointer(&format!("/function/{name}")) {
                Some(Value::String(_)) => {}
                Some(other) => return Err(wrong_type(&path, "a string", other)),
                None => return Err(missing(&path)),
            }
        }
        ids.add(id.to_owned());
    }
    Ok(ids)
}
