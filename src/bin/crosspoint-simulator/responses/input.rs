//! The items of a conversation: their kinds, their parts, and that every call gets its output.

use serde_json::Value;

use super::object::{Object, one_of, text};
use crate::ask::{Ask, Image};
use crate::openai::object::{image, invalid, missing, only, wrong_type};
use crate::provider::Refusal;
use crate::seed::sign;
use crate::waiting::Waiting;

const ROLES: [&str; 4] = ["assistant", "system", "developer", "user"];

pub(super) fn read(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let items = match body.get("input") {
        Some(Value::String(said)) => {
            ask.messages += 1;
            ask.read(said);
            said.clone_into(&mut ask.user_text);
            return Ok(());
        }
        Some(Value::Array(items)) if !items.is_empty() => items,
        _ => return Err(missing("input")),
    };
    // Calls that still wait for their output.
    let mut open = Waiting::default();
    for (n, item) in items.iter().enumerate() {
        let path = format!("input[{n}]");
        let Some(object) = item.as_object() else {
            return Err(wrong_type(&path, "an object", item));
        };
        let kind = object.get("type").and_then(Value::as_str).unwrap_or("message");
        match kind {
            "message" => {
                message(object, &path, ask)?;
                // Whoever speaks next has all outputs.
                unanswered(&open)?;
            }
            "function_call" => {
                let known = [
                    "type",
                    "id",
                    "call_id",
                    "name",
                    "arguments",
                    "status",
                    "namespace",
                    "caller",
                ];
                only(object, &known, &path)?;
                let id = call_id(object, &path)?;
                text(object, "name", &path)?;
                text(object, "arguments", &path)?;
                open.add(id);
                ask.tool_results.clear();
            }
            "function_call_output" => {
                only(
                    object,
                    &["type", "id", "call_id", "output", "status", "caller"],
                    &path,
                )?;
                let id = call_id(object, &path)?;
                if !open.answer(id) {
                    let message = format!("No tool call found for function call output with call_id {id}.");
                    return Err(invalid(message).param("input"));
                }
                ask.messages += 1;
                let said = content(object, "output", "tool", &path, ask)?;
                ask.tool_results.push(said);
            }
            "reasoning" => thought(object, &path)?,
            other => {
                let known = ["message", "function_call", "function_call_output", "reasoning"];
                one_of(other, &known, format!("{path}.type"))?;
            }
        }
    }
    unanswered(&open)
}

fn unanswered(open: &Waiting<&str>) -> Result<(), Refusal> {
    match open.left().first() {
        Some(id) => Err(invalid(format!("No tool output found for function call {id}.")).param("input")),
        None => Ok(()),
    }
}

fn call_id<'a>(object: &'a Object, path: &str) -> Result<&'a str, Refusal> {
    let id = text(object, "call_id", path)?;
    if id.is_empty() || id.len() > 64 {
        let message = format!(
            "Invalid '{path}.call_id': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
            id.len()
        );
        return Err(invalid(message)
            .param(format!("{path}.call_id"))
            .code("string_above_max_length"));
    }
    Ok(id)
}

fn message(message: &Object, path: &str, ask: &mut Ask) -> Result<(), Refusal> {
    only(
        message,
        &["type", "id", "role", "content", "status", "phase"],
        path,
    )?;
    let role = text(message, "role", path)?;
    one_of(role, &ROLES, format!("{path}.role"))?;
    ask.messages += 1;
    let said = content(message, "content", role, path, ask)?;
    if role == "user" {
        ask.user_text = said;
    }
    if role == "user" || role == "assistant" {
        ask.tool_results.clear();
    }
    Ok(())
}

/// Checks what is said, and returns its text.
fn content(object: &Object, name: &str, role: &str, path: &str, ask: &mut Ask) -> Result<String, Refusal> {
    let path = format!("{path}.{name}");
    match object.get(name) {
        Some(Value::String(said)) => {
            ask.read(said);
            Ok(said.clone())
        }
        Some(Value::Array(parts)) => {
            let mut texts = Vec::new();
            for (n, part) in parts.iter().enumerate() {
                let path = format!("{path}[{n}]");
                let Some(part) = part.as_object() else {
                    return Err(wrong_type(&path, "an object", part));
                };
                texts.extend(self::part(part, role, &path, ask)?);
            }
            Ok(texts.join(" "))
        }
        Some(other) => Err(wrong_type(&path, "one of a string or array of objects", other)),
        None => Err(missing(&path)),
    }
}

fn part(part: &Object, role: &str, path: &str, ask: &mut Ask) -> Result<Option<String>, Refusal> {
    let kind = text(part, "type", path)?;
    let known: &[&str] = match role {
        "assistant" => &["output_text", "refusal"],
        "system" | "developer" => &["input_text"],
        _ => &["input_text", "input_image", "input_file"],
    };
    one_of(kind, known, format!("{path}.type"))?;
    match kind {
        "input_text" | "output_text" => {
            let known = [
                "type",
                "text",
                "annotations",
                "logprobs",
                "prompt_cache_breakpoint",
            ];
            only(part, &known, path)?;
            let said = text(part, "text", path)?;
            ask.read(said);
            Ok(Some(said.to_owned()))
        }
        "input_image" => {
            let known = [
                "type",
                "image_url",
                "file_id",
                "detail",
                "prompt_cache_breakpoint",
            ];
            only(part, &known, path)?;
            one_of(
                text(part, "detail", path)?,
                &["low", "high", "auto", "original"],
                format!("{path}.detail"),
            )?;
            let found = image(text(part, "image_url", path)?);
            let good = match &found {
                Image::Bytes { media_type, .. } => media_type.starts_with("image/"),
                Image::Link(url) => url.starts_with("http://") || url.starts_with("https://"),
            };
            if !good {
                let message = format!(
                    "Invalid '{path}.image_url'. Expected a valid URL, but got a value with an invalid format."
                );
                return Err(invalid(message)
                    .param(format!("{path}.image_url"))
                    .code("invalid_value"));
            }
            ask.images.push(found);
            Ok(None)
        }
        "input_file" => {
            let known = [
                "type",
                "detail",
                "file_data",
                "file_id",
                "file_url",
                "filename",
                "prompt_cache_breakpoint",
            ];
            only(part, &known, path)?;
            let given = ["file_data", "file_id", "file_url"];
            if given.iter().filter(|name| part.contains_key(**name)).count() != 1 {
                let message = "Mutually exclusive parameters: 'file_data', 'file_id' and 'file_url'. Ensure you are only providing one.";
                return Err(invalid(message).param(path));
            }
            if part.contains_key("file_data") {
                text(part, "filename", path)?;
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Thinking that goes back is what was given out, with its id.
fn thought(item: &Object, path: &str) -> Result<(), Refusal> {
    only(
        item,
        &["type", "id", "summary", "content", "encrypted_content", "status"],
        path,
    )?;
    let Some(Value::Array(summary)) = item.get("summary") else {
        return Err(missing(&format!("{path}.summary")));
    };
    for (n, part) in summary.iter().enumerate() {
        let path = format!("{path}.summary[{n}]");
        let Some(part) = part.as_object() else {
            return Err(wrong_type(&path, "an object", part));
        };
        only(part, &["type", "text"], &path)?;
        one_of(
            text(part, "type", &path)?,
            &["summary_text"],
            format!("{path}.type"),
        )?;
        text(part, "text", &path)?;
    }
    if item
        .get("content")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
    {
        let message = format!(
            "Invalid '{path}.content': array too long. Expected an array with maximum length 0, but got an array with length 1 instead."
        );
        return Err(invalid(message)
            .param(format!("{path}.content"))
            .code("array_above_max_length"));
    }
    let id = text(item, "id", path)?;
    if !id.starts_with("rs_") {
        let message = format!("Invalid '{path}.id': '{id}'. Expected an ID that begins with 'rs'.");
        return Err(invalid(message).param(format!("{path}.id")).code("invalid_value"));
    }
    match item.get("encrypted_content").and_then(Value::as_str) {
        Some(data) if data == sign(id) => Ok(()),
        Some(_) => {
            let message = "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed.";
            Err(invalid(message).code("invalid_encrypted_content"))
        }
        None => Err(Refusal::new(404, "invalid_request_error", format!("Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input.")).param("input")),
    }
}
