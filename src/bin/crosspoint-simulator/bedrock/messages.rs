//! Converse's messages: alternation, content blocks, tool results that match their calls, signatures.

use serde_json::Value;

use super::object::{
    Object, constraint, identifier, invalid, list, missing, model_error, object, string, union, wrong_shape,
};
use crate::ask::{Ask, Image, Thinking};
use crate::provider::Refusal;
use crate::seed::{decoded_len, redacted, sign};
use crate::waiting::Waiting;

const BLOCKS: &[&str] = &[
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];

pub(super) fn read(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    system(body, ask)?;
    let messages = match body.get("messages") {
        Some(messages) => list(messages, "messages")?,
        None => &[],
    };
    ask.messages += messages.len() as u64;
    let mut before: Option<&str> = None;
    // Calls of the message before, which wait for their results.
    let mut open = Waiting::default();
    let mut uses_tools = false;
    let mut first_of_turn = None;
    for (n, message) in messages.iter().enumerate() {
        let path = format!("messages.{n}");
        let message = object(message, &["role", "content"], &path)?;
        let role = string(message, "role", &path)?;
        if role != "user" && role != "assistant" {
            return Err(constraint(
                role,
                &format!("messages.{}.member.role", n + 1),
                "Member must satisfy enum value set: [user, assistant]",
            ));
        }
        if before.is_none() && role != "user" {
            return Err(invalid(
                "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
            ));
        }
        if before == Some(role) {
            return Err(invalid(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
            ));
        }
        before = Some(role);
        let Some(content) = message.get("content") else {
            return Err(missing(&format!("{path}.content")));
        };
        let content = list(content, &format!("{path}.content"))?;
        if content.is_empty() {
            return Err(invalid(format!(
                "The content field in the Message object at {path} is empty. Add a ContentBlock object to the content field and try again."
            )));
        }
        let mut seen = Seen {
            ask: &mut *ask,
            role,
            open: &mut open,
            texts: Vec::new(),
            results: Vec::new(),
            calls: Waiting::default(),
        };
        for (n, block) in content.iter().enumerate() {
            seen.block(block, &format!("{path}.content.{n}"))?;
        }
        let Seen {
            texts,
            results,
            calls,
            ..
        } = seen;
        if !open.is_empty() {
            return Err(invalid(format!(
                "Expected toolResult blocks at {path}.content for the following Ids: {}",
                open.ids()
            )));
        }
        uses_tools |= !calls.is_empty() || !results.is_empty();
        open = calls;
        if role == "user" {
            ask.tool_results = results;
            if !texts.is_empty() || ask.tool_results.is_empty() {
                ask.user_text = texts.join(" ");
            }
        } else {
            first_of_turn = content.first().map(|block| (n, block));
        }
    }
    if before.is_none() {
        return Err(invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    if !open.is_empty() {
        let n = messages.len();
        return Err(invalid(format!(
            "Expected toolResult blocks at messages.{n}.content for the following Ids: {}",
            open.ids()
        )));
    }
    if uses_tools && ask.tools.is_empty() {
        return Err(invalid(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        ));
    }
    match first_of_turn {
        Some((n, block))
            if ask.thinking != Thinking::Off
                && !ask.tool_results.is_empty()
                && block.get("reasoningContent").is_none() =>
        {
            Err(model_error(&format!(
                "messages.{n}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block."
            )))
        }
        _ => Ok(()),
    }
}

fn system(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(system) = body.get("system") else {
        return Ok(());
    };
    let blocks = list(system, "system")?;
    for (n, block) in blocks.iter().enumerate() {
        let path = format!("system.{n}");
        if let ("text", text) = union(block, &["text", "guardContent", "cachePoint"], &path)? {
            let Some(text) = text.as_str() else {
                return Err(wrong_shape(&format!("{path}.text"), "a string"));
            };
            if text.is_empty() {
                return Err(constraint(
                    "",
                    &format!("system.{}.member.text", n + 1),
                    "Member must have length greater than or equal to 1",
                ));
            }
            ask.read(text);
        }
    }
    ask.messages += u64::from(!blocks.is_empty());
    Ok(())
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
    fn block(&mut self, block: &Value, path: &str) -> Result<(), Refusal> {
        let (kind, value) = union(block, BLOCKS, path)?;
        let inner = format!("{path}.{kind}");
        match (kind, self.role) {
            ("text", _) => {
                let Some(text) = value.as_str() else {
                    return Err(wrong_shape(&inner, "a string"));
                };
                if text.trim().is_empty() {
                    return Err(invalid(format!(
                        "The text field in the ContentBlock object at {path} is blank. Add text to the text field, and try again."
                    )));
                }
                self.ask.read(text);
                self.texts.push(text.to_owned());
            }
            ("image", "user") => {
                let image = image(value, &inner)?;
                self.ask.images.push(image);
            }
            ("document", "user") => {
                let document = object(
                    value,
                    &["format", "name", "source", "context", "citations"],
                    &inner,
                )?;
                string(document, "name", &inner)?;
            }
            ("toolUse", "assistant") => {
                let call = object(value, &["toolUseId", "name", "input", "type"], &inner)?;
                let id = string(call, "toolUseId", &inner)?;
                identifier(id, &format!("{inner}.toolUseId"), ".:")?;
                identifier(string(call, "name", &inner)?, &format!("{inner}.name"), "")?;
                if !call.get("input").is_some_and(Value::is_object) {
                    return Err(invalid(format!(
                        "The format of the value at {inner}.input is invalid. Provide a json object for the field and try again."
                    )));
                }
                self.calls.add(id.to_owned());
            }
            ("toolResult", "user") => self.result(value, &inner)?,
            ("reasoningContent", "assistant") => reasoning(value, path, &inner)?,
            ("cachePoint" | "guardContent" | "video" | "audio" | "searchResult" | "citationsContent", _) => {}
            (kind, role) => {
                return Err(invalid(format!(
                    "The content block {kind} at {path} is not supported in a message of the role {role}."
                )));
            }
        }
        Ok(())
    }

    fn result(&mut self, value: &Value, path: &str) -> Result<(), Refusal> {
        let result = object(value, &["toolUseId", "content", "status", "type"], path)?;
        let id = string(result, "toolUseId", path)?;
        if !self.open.answer(id) {
            let message = path.split(".content").next().unwrap_or(path);
            return Err(invalid(format!(
                "The number of toolResult blocks at {message}.content exceeds the number of toolUse blocks of previous turn."
            )));
        }
        if let Some(status) = result.get("status")
            && !matches!(status.as_str(), Some("success" | "error"))
        {
            return Err(constraint(
                &status.to_string(),
                &format!("{path}.status"),
                "Member must satisfy enum value set: [success, error]",
            ));
        }
        let Some(content) = result.get("content") else {
            return Err(missing(&format!("{path}.content")));
        };
        let mut texts = Vec::new();
        for (n, block) in list(content, &format!("{path}.content"))?.iter().enumerate() {
            let path = format!("{path}.content.{n}");
            match union(
                block,
                &["json", "text", "image", "document", "video", "searchResult"],
                &path,
            )? {
                ("text", Value::String(text)) => texts.push(text.clone()),
                ("text", _) => return Err(wrong_shape(&path, "a string")),
                ("json", value) if value.is_object() => texts.push(value.to_string()),
                ("json", _) => {
                    return Err(invalid(format!(
                        "The format of the value at {path}.json is invalid. Provide a json object for the field and try again."
                    )));
                }
                ("image", value) => {
                    let image = image(value, &path)?;
                    self.ask.images.push(image);
                }
                _ => {}
            }
        }
        let text = texts.join(" ");
        self.ask.read(&text);
        self.results.push(text);
        Ok(())
    }
}

fn reasoning(value: &Value, path: &str, inner: &str) -> Result<(), Refusal> {
    match union(value, &["reasoningText", "redactedContent"], inner)? {
        ("reasoningText", text) => {
            let text = object(text, &["text", "signature"], inner)?;
            let thought = string(text, "text", inner)?;
            match text.get("signature").and_then(Value::as_str) {
                None => Err(model_error(&format!("{path}.thinking.signature: Field required"))),
                Some(signature) if signature == sign(thought) => Ok(()),
                Some(_) => Err(model_error(&format!(
                    "{path}: Invalid `signature` in `thinking` block"
                ))),
            }
        }
        (_, data) if data.as_str() == Some(redacted().as_str()) => Ok(()),
        _ => Err(model_error(&format!(
            "{path}: Invalid `data` in `redacted_thinking` block"
        ))),
    }
}

fn image(value: &Value, path: &str) -> Result<Image, Refusal> {
    let image = object(value, &["format", "source"], path)?;
    let format = string(image, "format", path)?;
    if !["png", "jpeg", "gif", "webp"].contains(&format) {
        return Err(constraint(
            format,
            &format!("{path}.format"),
            "Member must satisfy enum value set: [gif, jpeg, png, webp]",
        ));
    }
    let Some(source) = image.get("source") else {
        return Err(missing(&format!("{path}.source")));
    };
    match union(source, &["bytes", "s3Location"], &format!("{path}.source"))? {
        ("bytes", Value::String(data)) => {
            let Some(len) = decoded_len(data).filter(|len| *len > 0) else {
                return Err(wrong_shape(&format!("{path}.source.bytes"), "base64"));
            };
            Ok(Image::Bytes {
                media_type: format!("image/{format}"),
                len,
            })
        }
        ("bytes", _) => Err(wrong_shape(&format!("{path}.source.bytes"), "a base64 string")),
        _ => Ok(Image::Link("an S3 location".to_owned())),
    }
}
