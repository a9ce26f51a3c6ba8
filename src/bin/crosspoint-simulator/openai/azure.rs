//! Azure OpenAI: OpenAI's dialect on paths of its own, with another header for the key, and with what its content filter
//! found around everything (<https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter>).
//!
//! A model id with `blocked` in it has a prompt that the filter refuses, one with `filtered` an answer.

use serde_json::{Map, Value, json};

use super::{OPENAI, OpenAi, choices};
use crate::ask::Ask;
use crate::percent;
use crate::provider::{Call, Refusal, Secret, set};

/// Azure OpenAI, in both forms of its path.
pub(crate) static AZURE: OpenAi = OpenAi {
    name: "azure",
    port: 18006,
    secrets: &[
        Secret::key("azure", "sim-azure-key"),
        Secret::key("azure-token", "sim-azure-token"),
    ],
    key_header: ("api-key", ""),
    admits,
    translated,
    altered,
    opening: |_| Some(opening()),
    failure,
    ..OPENAI
};

fn admits(call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let unknown = || Refusal::new(404, "", "Resource not found").code("404");
    let version = call.query.and_then(|query| query.strip_prefix("api-version="));
    let deployment = call
        .path
        .strip_prefix("/openai/deployments/")
        .and_then(|rest| rest.strip_suffix("/chat/completions"));
    let model = match (deployment, call.path, version) {
        (Some(model), _, Some(version)) if version.starts_with("202") && !model.contains('/') => {
            Some(percent::decoded(model).ok_or_else(unknown)?)
        }
        (None, "/openai/v1/chat/completions", Some("v1" | "preview") | None) => None,
        _ => return Err(unknown()),
    };
    if call.method != "POST" {
        return Err(unknown());
    }
    let token = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let known =
        call.header("api-key") == Some(call.keys.get("azure")) || token == Some(call.keys.get("azure-token"));
    if !known {
        let message = "Access denied due to invalid subscription key or wrong API endpoint.";
        return Err(Refusal::new(401, "", message).code("401"));
    }
    Ok(model)
}

fn translated(body: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if model.contains("blocked") {
        let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.";
        return Err(Refusal::new(400, "", message)
            .param("prompt")
            .code("content_filter"));
    }
    Ok(body)
}

fn found(filtered: bool) -> Value {
    let severity = if filtered { "medium" } else { "safe" };
    json!({
        "hate": {"filtered": false, "severity": "safe"},
        "violence": {"filtered": filtered, "severity": severity},
    })
}

fn prompt() -> Value {
    json!([{"prompt_index": 0, "content_filter_results": found(false)}])
}

fn opening() -> Value {
    json!({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": prompt()})
}

fn altered(ask: &Ask, body: &mut Value) {
    let is_filtered = ask.model().contains("filtered");
    for choice in choices(body) {
        let ends = choice.get("finish_reason").is_some_and(Value::is_string);
        if ends && is_filtered {
            set(choice, "finish_reason", "content_filter");
        }
        set(choice, "content_filter_results", found(ends && is_filtered));
    }
    if body
        .get("object")
        .is_some_and(|object| object == "chat.completion")
    {
        set(body, "prompt_filter_results", prompt());
    }
}

fn failure(refusal: &Refusal) -> Value {
    let mut error = json!({"code": refusal.code, "message": refusal.message, "param": refusal.param});
    if refusal.code.as_deref() == Some("content_filter") {
        let inner = json!({"code": "ResponsibleAIPolicyViolation", "content_filter_result": found(true)});
        set(&mut error, "status", 400);
        set(&mut error, "innererror", inner);
    }
    if !refusal.kind.is_empty() {
        set(&mut error, "type", refusal.kind.clone());
    }
    json!({"error": error})
}
