//! Parameters that chats and the older completions have in common.

use serde_json::Value;

use super::object::{Object, invalid, unknown, wrong_type};
use crate::ask::{Ask, Thinking};
use crate::provider::Refusal;

pub(super) fn conflicts(body: &Object) -> Result<(), Refusal> {
    let set = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    if set("stream_options") && !stream {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(invalid(message).param("stream_options"));
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if set(name) && !set("tools") {
            let message =
                format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.");
            return Err(invalid(message).param(name));
        }
    }
    if set("max_tokens") && set("max_completion_tokens") {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(invalid(message)
            .param("max_tokens")
            .code("invalid_parameter_combination"));
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if ["o1", "o3", "o4-"].iter().any(|prefix| model.starts_with(prefix)) {
        if set("max_tokens") {
            let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
            return Err(invalid(message).param("max_tokens").code("unsupported_parameter"));
        }
        if body
            .get("temperature")
            .and_then(Value::as_f64)
            .is_some_and(|value| value != 1.0)
        {
            let message = "Unsupported value: 'temperature' does not support this value with this model. Only the default (1) value is supported.";
            return Err(invalid(message).param("temperature").code("unsupported_value"));
        }
    }
    Ok(())
}

pub(super) fn options(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    ask.id = text("model").unwrap_or_default().to_owned();
    ask.stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    ask.copies = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    let limit = |name: &str| body.get(name).and_then(Value::as_u64);
    ask.max_tokens = limit("max_completion_tokens").or(limit("max_tokens"));
    if let Some(options) = body.get("stream_options").and_then(Value::as_object) {
        for (name, value) in options {
            let param = format!("stream_options.{name}");
            match (name.as_str(), value.as_bool()) {
                ("include_usage", Some(wanted)) => ask.usage_chunk = wanted,
                ("include_obfuscation", Some(wanted)) => ask.padding = wanted,
                ("include_usage" | "include_obfuscation", None) => {
                    return Err(wrong_type(&param, "a boolean", value));
                }
                _ => return Err(unknown(&param)),
            }
        }
    }
    match body.get("stop") {
        Some(Value::String(one)) => ask.stop = vec![one.clone()],
        Some(Value::Array(many)) if many.len() > 4 => {
            let message = "Invalid 'stop': array too long. Expected an array with maximum length 4.";
            return Err(invalid(message).param("stop").code("array_above_max_length"));
        }
        Some(Value::Array(many)) => {
            ask.stop = many.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        _ => {}
    }
    ask.thinking = match text("reasoning_effort") {
        _ if ask.model().contains("reasoning-content") => Thinking::Shown,
        None | Some("none") => Thinking::Off,
        Some("minimal" | "low" | "medium" | "high" | "xhigh" | "max") => Thinking::Hidden,
        Some(other) => {
            let message = format!(
                "Invalid value: '{other}'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', and 'xhigh'."
            );
            return Err(invalid(message).param("reasoning_effort").code("invalid_value"));
        }
    };
    Ok(())
}
