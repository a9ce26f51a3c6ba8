//! What Google refuses, in its words where they are known. Unknown members are refused everywhere, as the real API does.
//!
//! Two things are stricter than the real API, because a gateway should not lean on its leniency: the roles have to
//! alternate, and the first turn has to be the user's.

use serde_json::Value;

use super::features::{generation, tools};
use super::object::{invalid, object, wrong};
use crate::ask::Ask;
use crate::percent;
use crate::provider::{Call, Refusal};

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
    let Some(id) = percent::decoded(id).filter(|id| !id.is_empty()) else {
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
