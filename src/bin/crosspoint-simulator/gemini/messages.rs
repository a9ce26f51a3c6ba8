//! Gemini's contents: alternation, parts, results that match their calls, signatures.

use serde_json::Value;

use super::call_seed;
use super::object::{Object, invalid, list, object, string, wrong};
use crate::ask::{Ask, Image};
use crate::provider::Refusal;
use crate::seed::{decoded_len, sign};
use crate::waiting::Waiting;

/// What stands for the signature of a call that has none.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

const DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
];

const PART: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "thought",
    "thoughtSignature",
    "videoMetadata",
    "mediaResolution",
];

const MEDIA: &[&str] = &[
    "application/pdf",
    "audio/",
    "image/heic",
    "image/heif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/",
    "video/",
];

/// What names a call: its id, and its function.
type Named<'a> = (Option<&'a str>, &'a str);

/// One turn, as it is read.
struct Turn<'m, 'a> {
    ask: &'m mut Ask,
    model: bool,
    texts: Vec<String>,
    results: Vec<String>,
    calls: Waiting<Named<'a>>,
    open: Waiting<Named<'a>>,
}

pub(super) fn read(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    if let Some(system) = body.get("systemInstruction") {
        if ask.model().contains("gemma-3") {
            return Err(invalid(format!(
                "Developer instruction is not enabled for models/{}",
                ask.model()
            )));
        }
        ask.messages += 1;
        let system = object(system, &["role", "parts"], "system_instruction")?;
        for part in list(
            system.get("parts").unwrap_or(&Value::Null),
            "system_instruction.parts",
        )? {
            let part = object(part, &["text"], "system_instruction.parts")?;
            ask.read(string(part, "text", "system_instruction.parts")?);
        }
    }
    let contents = list(body.get("contents").unwrap_or(&Value::Null), "contents")?;
    if contents.is_empty() {
        return Err(invalid(
            "* GenerateContentRequest.contents: contents is not specified\n",
        ));
    }
    ask.messages += contents.len() as u64;
    let mut before = None;
    let mut open = Waiting::default();
    for (n, content) in contents.iter().enumerate() {
        let path = format!("contents[{n}]");
        let content = object(content, &["role", "parts"], &path)?;
        let role = string(content, "role", &path)?;
        if role != "user" && role != "model" {
            return Err(invalid("Please use a valid role: user, model."));
        }
        if before == Some(role) || (before.is_none() && role != "user") {
            return Err(invalid(
                "Please ensure that multiturn requests alternate between user and model, beginning with user.",
            ));
        }
        before = Some(role);
        let parts = list(content.get("parts").unwrap_or(&Value::Null), &path)?;
        if parts.is_empty() {
            return Err(invalid(format!(
                "* GenerateContentRequest.{path}.parts: contents.parts must not be empty.\n"
            )));
        }
        let mut turn = Turn {
            ask: &mut *ask,
            model: role == "model",
            texts: Vec::new(),
            results: Vec::new(),
            calls: Waiting::default(),
            open: std::mem::take(&mut open),
        };
        for (n, part) in parts.iter().enumerate() {
            turn.part(part, &format!("{path}.parts[{n}]"))?;
        }
        let Turn {
            texts,
            results,
            calls,
            open: left,
            ..
        } = turn;
        if !left.is_empty() {
            return Err(unanswered());
        }
        open = calls;
        if role == "user" {
            ask.tool_results = results;
            if !texts.is_empty() || ask.tool_results.is_empty() {
                ask.user_text = texts.join(" ");
            }
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(unanswered())
    }
}

fn unanswered() -> Refusal {
    invalid(
        "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
    )
}

impl<'a> Turn<'_, 'a> {
    fn part(&mut self, part: &'a Value, path: &str) -> Result<(), Refusal> {
        let part = object(part, PART, path)?;
        let mut data = part.keys().filter(|key| DATA.contains(&key.as_str()));
        let (Some(kind), None) = (data.next(), data.next()) else {
            return Err(invalid(format!(
                "{path}: required oneof field 'data' must have one initialized field"
            )));
        };
        let signature = match part.get("thoughtSignature") {
            None => None,
            Some(_) => Some(string(part, "thoughtSignature", path)?),
        };
        if signature.is_some_and(|signature| signature != NO_SIGNATURE && decoded_len(signature).is_none()) {
            return Err(invalid(format!(
                "Invalid value at '{path}.thought_signature' (TYPE_BYTES), Base64 decoding failed"
            )));
        }
        if signature.is_some() && !self.model {
            return Err(invalid("Corrupted thought signature."));
        }
        let thought = part.get("thought") == Some(&Value::Bool(true));
        match kind.as_str() {
            "text" => self.text(string(part, "text", path)?, signature, thought, path),
            "functionCall" => self.call(part.get("functionCall").unwrap_or(&Value::Null), signature, path),
            "functionResponse" => self.result(part.get("functionResponse").unwrap_or(&Value::Null), path),
            kind => self.media(part.get(kind).unwrap_or(&Value::Null), kind, path),
        }
    }

    fn text(
        &mut self,
        text: &str,
        signature: Option<&str>,
        thought: bool,
        path: &str,
    ) -> Result<(), Refusal> {
        if text.is_empty() && signature.is_none() {
            return Err(invalid(format!(
                "{path}: required oneof field 'data' must have one initialized field"
            )));
        }
        if signature.is_some_and(|signature| !text.is_empty() && signature != sign(text)) {
            return Err(invalid("Corrupted thought signature."));
        }
        if !thought {
            self.ask.read(text);
            self.texts.push(text.to_owned());
        }
        Ok(())
    }

    fn call(&mut self, call: &'a Value, signature: Option<&str>, path: &str) -> Result<(), Refusal> {
        let call = object(call, &["id", "name", "args"], &format!("{path}.function_call"))?;
        let name = string(call, "name", path)?;
        if !self.model {
            return Err(invalid("Function calls are only allowed in a model turn."));
        }
        let none = Value::Object(Object::default());
        let args = call.get("args").unwrap_or(&none);
        if !args.is_object() {
            return Err(wrong(&format!("{path}.function_call.args"), args));
        }
        match signature {
            None if self.calls.is_empty() && self.ask.model().contains("gemini-3") => {
                return Err(invalid(format!(
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}` , position 1. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
                )));
            }
            None | Some(NO_SIGNATURE) => {}
            Some(signature) if signature == sign(&call_seed(name, args)) => {}
            Some(_) => return Err(invalid("Corrupted thought signature.")),
        }
        self.calls.add((call.get("id").and_then(Value::as_str), name));
        Ok(())
    }

    fn result(&mut self, result: &'a Value, path: &str) -> Result<(), Refusal> {
        let path = format!("{path}.function_response");
        let result = object(result, &["id", "name", "response", "parts"], &path)?;
        let name = string(result, "name", &path)?;
        let id = result.get("id").and_then(Value::as_str);
        if self.model || !self.open.answer(&(id, name)) {
            return Err(invalid(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        let Some(response) = result.get("response").and_then(Value::as_object) else {
            return Err(wrong(&format!("{path}.response"), &Value::Null));
        };
        let text = match (response.len(), response.get("output")) {
            (1, Some(Value::String(text))) => text.clone(),
            _ => Value::Object(response.clone()).to_string(),
        };
        self.ask.read(&text);
        self.results.push(text);
        Ok(())
    }

    fn media(&mut self, media: &Value, kind: &str, path: &str) -> Result<(), Refusal> {
        let known: &[&str] = if kind == "inlineData" {
            &["mimeType", "data"]
        } else {
            &["mimeType", "fileUri"]
        };
        let media = object(media, known, &format!("{path}.{kind}"))?;
        let media_type = match media.get("mimeType") {
            None if kind == "fileData" => "",
            _ => string(media, "mimeType", path)?,
        };
        if !media_type.is_empty() && !MEDIA.iter().any(|known| media_type.starts_with(known)) {
            return Err(invalid(format!("Unsupported MIME type: {media_type}")));
        }
        let image = if kind == "inlineData" {
            let Some(len) = decoded_len(string(media, "data", path)?) else {
                return Err(invalid(format!(
                    "Invalid value at '{path}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
                )));
            };
            Image::Bytes {
                media_type: media_type.to_owned(),
                len,
            }
        } else {
            Image::Link(string(media, "fileUri", path)?.to_owned())
        };
        if media_type.starts_with("image/") {
            self.ask.images.push(image);
        }
        Ok(())
    }
}
