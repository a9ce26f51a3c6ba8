//! Mistral: OpenAI's dialect with members of its own and no others (422), content in parts for thinking, ids of nine
//! letters and digits, and usage with the end (mistralai/client-python 3.7).

use serde_json::{Value, json};

use super::object::Object;
use super::{OPENAI, OpenAi, choices, fault};
use crate::ask::{Ask, Thinking};
use crate::provider::{Call, Refusal, Secret, set};

/// Mistral.
pub(crate) static MISTRAL: OpenAi = OpenAi {
    name: "mistral",
    port: 18007,
    secrets: &[Secret::key("mistral", "sim-mistral-key")],
    admits,
    translated,
    noted: |ask| {
        ask.padding = false;
        if ask.thinking == Thinking::Hidden {
            ask.thinking = Thinking::Shown;
        }
    },
    altered,
    failure,
    usage_on_finish: true,
    ..OPENAI
};

/// What it knows that OpenAI knows too, and by the same name.
const SHARED: &[&str] = &[
    "frequency_penalty",
    "logprobs",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "service_tier",
    "stop",
    "stream",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
];
/// What only it knows.
const OWN: &[&str] = &[
    "guardrails",
    "min_tokens",
    "prompt_mode",
    "repetition_penalty",
    "safe_prompt",
    "top_k",
];

fn admits(call: &Call<'_>) -> Result<Option<String>, Refusal> {
    if call.path != "/v1/chat/completions" || call.method != "POST" {
        return Err(Refusal::new(
            404,
            "not_found",
            "no Route matched with those values",
        ));
    }
    let key = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    if key != Some(call.keys.get("mistral")) {
        return Err(Refusal::new(401, "unauthorized", "Unauthorized"));
    }
    Ok(None)
}

fn extra(place: &str) -> Refusal {
    Refusal::new(422, "extra_forbidden", "Extra inputs are not permitted").param(place)
}

fn only(object: &Object, known: &[&str], path: &str) -> Result<(), Refusal> {
    let unknown = object.keys().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(extra(&format!("{path}{name}"))))
}

fn translated(body: Object) -> Result<Object, Refusal> {
    let mut out = Object::new();
    for (name, value) in body {
        match name.as_str() {
            "random_seed" => drop(out.insert("seed".to_owned(), value)),
            "reasoning_effort" if !matches!(value.as_str(), None | Some("none" | "high")) => {
                let message = format!("reasoning_effort={value} is not supported for this model.");
                return Err(Refusal::new(400, "invalid_request_invalid_args", message).code("3051"));
            }
            name if OWN.contains(&name) => {}
            known if SHARED.contains(&known) => drop(out.insert(name, value)),
            _ => return Err(extra(&name)),
        }
    }
    let messages = out.get_mut("messages").and_then(Value::as_array_mut);
    for (n, message) in messages.into_iter().flatten().enumerate() {
        if let Some(message) = message.as_object_mut() {
            self::message(message, &format!("messages.{n}."))?;
        }
    }
    Ok(out)
}

fn message(message: &mut Object, path: &str) -> Result<(), Refusal> {
    let known: &[&str] = match message.get("role").and_then(Value::as_str) {
        Some("system" | "user") => &["role", "content"],
        Some("assistant") => &["role", "content", "tool_calls", "prefix"],
        Some("tool") => &["role", "content", "tool_call_id", "name"],
        _ => {
            return Err(Refusal::new(
                422,
                "literal_error",
                "Input should be 'system', 'user', 'assistant' or 'tool'",
            )
            .param(format!("{path}role")));
        }
    };
    only(message, known, path)?;
    message.remove("prefix");
    message.remove("name");
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let ids = calls.into_iter().flatten().filter_map(|call| call.get("id"));
    for id in ids.chain(message.get("tool_call_id")) {
        let id = id.as_str().unwrap_or_default();
        if id.len() != 9 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let message = format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.");
            return Err(Refusal::new(400, "invalid_function_call", message).code("3280"));
        }
    }
    if let Some(parts) = message.get_mut("content").and_then(Value::as_array_mut) {
        for part in parts.iter_mut() {
            *part = self::part(part, path)?;
        }
    }
    Ok(())
}

/// A part in OpenAI's form.
fn part(part: &Value, path: &str) -> Result<Value, Refusal> {
    let object = part.as_object().ok_or_else(|| extra(path))?;
    let wrong =
        || Refusal::new(422, "string_type", "Input should be a valid string").param(format!("{path}content"));
    let text = |name: &str| object.get(name).and_then(Value::as_str).ok_or_else(wrong);
    match text("type")? {
        "text" => only(object, &["type", "text"], path)?,
        "image_url" => {
            only(object, &["type", "image_url"], path)?;
            if let Ok(url) = text("image_url") {
                return Ok(json!({"type": "image_url", "image_url": {"url": url}}));
            }
        }
        "document_url" => {
            only(object, &["type", "document_url", "document_name"], path)?;
            return Ok(json!({"type": "file", "file": {"file_data": text("document_url")?}}));
        }
        "input_audio" => {
            only(object, &["type", "input_audio"], path)?;
            return Ok(json!({"type": "input_audio", "input_audio": {"data": text("input_audio")?}}));
        }
        _ => {
            return Err(Refusal::new(
                422,
                "union_tag_invalid",
                "Input tag found using 'type' does not match any of the expected tags",
            )
            .param(format!("{path}content")));
        }
    }
    Ok(part.clone())
}

fn altered(_: &Ask, body: &mut Value) {
    if let Some(body) = body.as_object_mut() {
        body.remove("service_tier");
        body.remove("system_fingerprint");
    }
    for choice in choices(body) {
        for name in ["delta", "message"] {
            if let Some(message) = choice.get_mut(name).and_then(Value::as_object_mut) {
                speak(message);
            }
        }
    }
}

/// A message, or more of one, as Mistral writes it.
fn speak(message: &mut Object) {
    for name in ["refusal", "annotations"] {
        message.remove(name);
    }
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
        let short: String = id.chars().skip(id.len().saturating_sub(9)).collect();
        if !short.is_empty() {
            set(call, "id", short);
        }
        // Later fragments of a call have an empty name; its SDK wants one.
        if let Some(function) = call.get_mut("function").and_then(Value::as_object_mut) {
            function.entry("name").or_insert_with(|| json!(""));
        }
    }
    let Some(thought) = message.remove("reasoning_content") else {
        return;
    };
    let thought = json!([{"type": "text", "text": thought}]);
    let mut parts = vec![json!({"type": "thinking", "thinking": thought, "closed": true})];
    let text = message.get("content").and_then(Value::as_str);
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        parts.push(json!({"type": "text", "text": text}));
    }
    message.insert("content".to_owned(), json!(parts));
}

fn failure(refusal: &Refusal) -> Value {
    if refusal.status == 422 {
        let place = refusal.param.as_deref().unwrap_or_default();
        let place: Vec<_> = std::iter::once("body").chain(place.split('.')).collect();
        return json!({"detail": [{"type": refusal.kind, "loc": place, "msg": refusal.message}]});
    }
    let code = refusal.code.clone().or(fault(refusal.status, "").code);
    json!({"object": "error", "message": refusal.message, "type": refusal.kind, "param": null, "code": code})
}
