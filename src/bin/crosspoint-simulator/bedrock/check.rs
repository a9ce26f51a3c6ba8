//! What Bedrock's Converse refuses, in its words. Shapes from the service model that ships with AWS's SDKs.
//!
//! Unknown members are refused everywhere, as the models behind InvokeModel do; where the real front end only ignores
//! them, a gateway that sends them is wrong all the same. A bearer API key is taken, and, where the
//! simulator was told a secret access key, a signature.

use std::time::SystemTime;

use serde_json::Value;

use super::features::{extra_fields, output, tools};
use super::object::{Object, constraint, invalid, list, model_error, object, string, wrong_shape};
use super::signature;
use crate::ask::Ask;
use crate::percent;
use crate::provider::{Call, Refusal};

const KNOWN: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
];

/// Checks a request and frees it of its dialect.
pub(super) fn read(call: &Call<'_>) -> Result<Ask, Refusal> {
    let unknown = || Refusal::new(404, "UnknownOperationException", "");
    let mut segments = call.path.trim_start_matches('/').split('/');
    let (Some("model"), Some(id), Some(operation), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(unknown());
    };
    let stream = match operation {
        "converse" => false,
        "converse-stream" => true,
        "invoke" => false,
        _ => return Err(unknown()),
    };
    if call.method != "POST" {
        return Err(unknown());
    }
    let Some(authorization) = call.header("authorization") else {
        return Err(Refusal::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
    let secret = call.keys.get("bedrock-secret");
    if !secret.is_empty() && authorization.starts_with("AWS4-") {
        signature::verify(call, authorization, secret, SystemTime::now())?;
    } else if authorization.strip_prefix("Bearer ") != Some(call.keys.get("bedrock")) {
        let message = "Authentication failed: Please make sure your API Key is valid.";
        return Err(Refusal::new(403, "AccessDeniedException", message));
    }
    let body: Value = serde_json::from_slice(call.body).map_err(|_| {
        Refusal::new(
            400,
            "SerializationException",
            "The request body is not valid JSON",
        )
    })?;
    let Some(id) = percent::decoded(id).filter(|id| !id.is_empty()) else {
        return Err(invalid("The provided model identifier is invalid."));
    };
    if operation == "invoke" {
        return super::embeddings::read(&id, &body);
    }
    let body = object(&body, KNOWN, "")?;
    let mut ask = Ask {
        id,
        stream,
        copies: 1,
        ..Ask::default()
    };
    inference(body, &mut ask)?;
    tools(body, &mut ask)?;
    extra_fields(body, &mut ask)?;
    super::messages::read(body, &mut ask)?;
    output(body, &mut ask)?;
    service(body)?;
    Ok(ask)
}

fn inference(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(config) = body.get("inferenceConfig") else {
        return Ok(());
    };
    let path = "inferenceConfig";
    let config = object(
        config,
        &["maxTokens", "temperature", "topP", "stopSequences"],
        path,
    )?;
    if let Some(limit) = config.get("maxTokens") {
        ask.max_tokens = match limit.as_u64() {
            Some(0) => {
                return Err(constraint(
                    "0",
                    "inferenceConfig.maxTokens",
                    "Member must have value greater than or equal to 1",
                ));
            }
            Some(limit) => Some(limit),
            None => return Err(wrong_shape("inferenceConfig.maxTokens", "an integer")),
        };
    }
    for name in ["temperature", "topP"] {
        let path = format!("{path}.{name}");
        match config.get(name).map(|value| (value, value.as_f64())) {
            None => {}
            Some((_, Some(number))) if (0.0..=1.0).contains(&number) => {}
            Some((value, Some(number))) => {
                let side = if number > 1.0 {
                    "less than or equal to 1"
                } else {
                    "greater than or equal to 0"
                };
                return Err(constraint(
                    &value.to_string(),
                    &path,
                    &format!("Member must have value {side}"),
                ));
            }
            Some((_, None)) => return Err(wrong_shape(&path, "a float")),
        }
    }
    if let Some(stop) = config.get("stopSequences") {
        for sequence in list(stop, "inferenceConfig.stopSequences")? {
            match sequence.as_str() {
                Some(text) if text.trim().is_empty() => {
                    return Err(model_error(
                        "stop_sequences: each stop sequence must contain non-whitespace",
                    ));
                }
                Some(text) => ask.stop.push(text.to_owned()),
                None => return Err(wrong_shape("inferenceConfig.stopSequences", "strings")),
            }
        }
    }
    Ok(())
}

fn service(body: &Object) -> Result<(), Refusal> {
    if let Some(tier) = body.get("serviceTier") {
        let kind = string(object(tier, &["type"], "serviceTier")?, "type", "serviceTier")?;
        if !["priority", "default", "flex", "reserved"].contains(&kind) {
            return Err(constraint(
                kind,
                "serviceTier.type",
                "Member must satisfy enum value set: [priority, default, flex, reserved]",
            ));
        }
    }
    if let Some(performance) = body.get("performanceConfig") {
        object(performance, &["latency"], "performanceConfig")?;
    }
    match body.get("requestMetadata") {
        None => Ok(()),
        Some(Value::Object(metadata)) if metadata.values().all(Value::is_string) => Ok(()),
        Some(_) => Err(wrong_shape("requestMetadata", "a map of strings")),
    }
}
