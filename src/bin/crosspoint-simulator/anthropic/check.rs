//! What Anthropic refuses, in its words.
//!
//! Two things are stricter than today's real API, because a gateway should not lean on its leniency: the roles have to
//! alternate, and the first message has to be the user's.

use serde_json::Value;

use super::features::{format, thinking, tools};
use super::object::{Object, invalid, missing, only, string};
use crate::ask::Ask;
use crate::provider::{Call, Refusal};

const KNOWN: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

const SAMPLING: &[&str] = &["temperature", "top_k", "top_p"];

/// Models that take no sampling parameters: those after Opus 4.6.
const UNSAMPLED: &[&str] = &["opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "haiku-5"];

/// Caching markers in one request.
const CACHE_MARKS: usize = 4;

/// Checks a request and frees it of its dialect.
pub(super) fn read(call: &Call<'_>) -> Result<Ask, Refusal> {
    if !call.path.ends_with("/v1/messages") {
        return Err(Refusal::new(404, "not_found_error", "Not Found"));
    }
    if call.method != "POST" {
        return Err(Refusal::new(405, "invalid_request_error", "Method Not Allowed"));
    }
    // Since October 2026 the SDKs send the key as a bearer token; with both headers there, `x-api-key` counts.
    let bearer = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    match call.header("x-api-key").or(bearer) {
        None => {
            return Err(Refusal::new(
                401,
                "authentication_error",
                "x-api-key header is required",
            ));
        }
        Some(key) if key != call.keys.get("anthropic") => return Err(super::fault(401, "")),
        Some(_) => {}
    }
    let unsampled = match call.header("anthropic-version") {
        None => return Err(invalid("anthropic-version: header is required")),
        Some("2023-06-01") => false,
        // https://platform.claude.com/docs/en/api/versioning: this version removed the sampling parameters.
        Some("2026-10-21") => true,
        Some(other) => {
            return Err(invalid(format!(
                "anthropic-version: \"{other}\" is not a valid version"
            )));
        }
    };
    if !call
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"))
    {
        return Err(invalid("content-type: must be application/json"));
    }
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|error| invalid(format!("The request body is not valid JSON: {error}")))?;
    let Value::Object(body) = &body else {
        return Err(invalid("Input should be a valid dictionary"));
    };
    let beta = call
        .header("anthropic-beta")
        .is_some_and(|betas| betas.contains("structured-outputs"));
    let known = KNOWN
        .iter()
        .copied()
        .filter(|name| !unsampled || !SAMPLING.contains(name));
    let known: Vec<&str> = known.chain(beta.then_some("output_format")).collect();
    only(body, &known, "")?;
    let mut ask = Ask {
        copies: 1,
        ..Ask::default()
    };
    options(body, &mut ask)?;
    tools(body, &mut ask)?;
    thinking(body, &mut ask)?;
    super::messages::read(body, &mut ask)?;
    format(body, &mut ask)?;
    let marks = cache_marks(&Value::Object(body.clone()));
    if marks > CACHE_MARKS {
        return Err(invalid(format!(
            "A maximum of {CACHE_MARKS} blocks with cache_control may be provided. Found {marks}."
        )));
    }
    Ok(ask)
}

fn options(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    ask.id = string(body, "model", "")?.to_owned();
    ask.max_tokens = match body.get("max_tokens") {
        None => return Err(missing("max_tokens")),
        Some(value) => match value.as_u64() {
            Some(0) => return Err(invalid("max_tokens: Input should be greater than or equal to 1")),
            Some(limit) => Some(limit),
            None => return Err(invalid("max_tokens: Input should be a valid integer")),
        },
    };
    ask.stream = match body.get("stream") {
        None => false,
        Some(Value::Bool(stream)) => *stream,
        Some(_) => return Err(invalid("stream: Input should be a valid boolean")),
    };
    for name in ["temperature", "top_p"] {
        if let Some(value) = body.get(name) {
            let Some(value) = value.as_f64() else {
                return Err(invalid(format!("{name}: Input should be a valid number")));
            };
            if !(0.0..=1.0).contains(&value) {
                return Err(invalid(format!("{name}: range: 0..1")));
            }
        }
    }
    if body.get("top_k").is_some_and(|value| !value.is_u64()) {
        return Err(invalid("top_k: Input should be a valid integer"));
    }
    let number = |name: &str| body.get(name).and_then(Value::as_f64);
    if UNSAMPLED.iter().any(|part| ask.model().contains(part)) {
        let set = [
            (
                "temperature",
                number("temperature").is_some_and(|value| value != 1.0),
            ),
            ("top_p", number("top_p").is_some_and(|value| value < 0.99)),
            ("top_k", body.contains_key("top_k")),
        ];
        if let Some((name, _)) = set.iter().find(|(_, set)| *set) {
            return Err(invalid(format!("`{name}` is not supported by this model")));
        }
    }
    match body.get("stop_sequences") {
        None => {}
        Some(Value::Array(all)) => {
            for sequence in all {
                match sequence.as_str() {
                    Some(text) if text.trim().is_empty() => {
                        return Err(invalid(
                            "stop_sequences: each stop sequence must contain non-whitespace",
                        ));
                    }
                    Some(text) => ask.stop.push(text.to_owned()),
                    None => return Err(invalid("stop_sequences.0: Input should be a valid string")),
                }
            }
        }
        Some(_) => return Err(invalid("stop_sequences: Input should be a valid list")),
    }
    if let Some(metadata) = body.get("metadata") {
        let Some(metadata) = metadata.as_object() else {
            return Err(invalid("metadata: Input should be a valid dictionary"));
        };
        only(metadata, &["user_id"], "metadata.")?;
    }
    if let Some(tier) = body.get("service_tier")
        && !matches!(tier.as_str(), Some("auto" | "standard_only"))
    {
        return Err(invalid("service_tier: Input should be 'auto' or 'standard_only'"));
    }
    Ok(())
}

fn cache_marks(value: &Value) -> usize {
    match value {
        Value::Object(object) => {
            let here = usize::from(object.get("cache_control").is_some_and(|mark| !mark.is_null()));
            // Schemas and tool inputs are the caller's own data.
            let nested = object
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "input_schema" | "input" | "schema"));
            here + nested.map(|(_, value)| cache_marks(value)).sum::<usize>()
        }
        Value::Array(list) => list.iter().map(cache_marks).sum(),
        _ => 0,
    }
}
