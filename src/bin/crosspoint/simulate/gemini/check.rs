//! What Google refuses, in its words where they are known. Unknown members are refused everywhere, as the real API does.
//!
//! Two things are stricter than the real API, because a gateway should not lean on its leniency: the roles have to
//! alternate, and the first turn has to be the user's.

use serde_json::{Map, Value};

use super::super::provider::{Call, Refusal};
use super::super::text::Ask;
use super::features::{generation, tools};

pub(super) type Object = Map<String, Value>;

const KNOWN: &[&str] = &[
    "cachedContent",
    "contents",
    "generationConfig",
    "safetySettings",
    "serviceTier",
    "store",
    "systemInstruction",
    "toolConfig",
    "tools",
];

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "INVALID_ARGUMENT", message)
}

pub(super) fn object<'a>(value: &'a Value, known: &[&str], path: &str) -> Result<&'a Object, Refusal> {
    let Some(object) = value.as_object() else {
        return Err(wrong(path, value));
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!(
            "Invalid JSON payload received. Unknown name \"{key}\" at '{path}': Cannot find field."
        ))),
        None => Ok(object),
    }
}

pub(super) fn wrong(path: &str, value: &Value) -> Refusal {
    let value: String = value.to_string().chars().take(80).collect();
    invalid(format!("Invalid value at '{path}': {value}"))
}

pub(super) fn string<'a>(object: &'a Object, key: &str, path: &str) -> Result<&'a str, Refusal> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        other => Err(wrong(&format!("{path}.{key}"), other.unwrap_or(&Value::Null))),
    }
}

pub(super) fn list<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], Refusal> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| wrong(path, value))
}

/// Checks a request and frees it of its dialect.
pub(super) fn read(call: &Call<'_>) -> Result<Ask, Refusal> {
    let unknown = || Refusal::new(404, "NOT_FOUND", "Requested entity was not found.");
    let rest = call.path.strip_prefix("/v1beta").unwrap_or(call.path);
    let (id, operation) = rest
        .strip_prefix("/models/")
        .and_then(|rest| rest.rsplit_once(':'))
        .filter(|(id, _)| !id.contains('/'))
        .ok_or_else(unknown)?;
    let stream = match operation {
        "generateContent" => false,
        "streamGenerateContent" => true,
        "embedContent" | "batchEmbedContents" => false,
        _ => return Err(unknown()),
    };
    if call.method != "POST" {
        return Err(unknown());
    }
    match call.header("x-goog-api-key") {
        None => return Err(super::fault(403, "")),
        Some(key) if key != call.keys.get("gemini") => {
            return Err(invalid("API key not valid. Please pass a valid API key."));
        }
        Some(_) => {}
    }
    // The real API then streams an array of JSON, which nobody here reads.
    if stream && call.query != Some("alt=sse") {
        return Err(invalid("the simulator streams only with alt=sse"));
    }
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|error| invalid(format!("Invalid JSON payload received. {error}")))?;
    let Some(id) = super::super::bedrock::percent_decoded(id).filter(|id| !id.is_empty()) else {
        return Err(unknown());
    };
    if operation == "embedContent" || operation == "batchEmbedContents" {
        return super::embeddings::read(&id, &body, operation == "batchEmbedContents");
    }
    let body = object(&body, KNOWN, "")?;
    let mut ask = Ask {
        id,
        stream,
        copies: 1,
        ..Ask::default()
    };
    generation(body, &mut ask)?;
    tools(body, &mut ask)?;
    super::messages::read(body, &mut ask)?;
    if let Some(tier) = body.get("serviceTier")
        && !matches!(tier.as_str(), Some("standard" | "flex" | "priority"))
    {
        return Err(wrong("service_tier", tier));
    }
    for (n, setting) in body
        .get("safetySettings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        object(
            setting,
            &["category", "threshold", "method"],
            &format!("safety_settings[{n}]"),
        )?;
    }
    Ok(ask)
}
