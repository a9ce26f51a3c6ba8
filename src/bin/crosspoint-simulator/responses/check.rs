//! What the Responses API refuses, in OpenAI's words. Fields from the published description of the API.

use serde_json::Value;

use super::features::{format, tools};
use super::input;
use super::object::Object;
use crate::ask::{Ask, Thinking};
use crate::openai::check::open;
use crate::openai::object::{Kind, fits, invalid, missing, only, unknown};
use crate::provider::{Call, Refusal};

const PARAMETERS: &[(&str, Kind)] = &[
    ("background", Kind::Bool),
    ("context_management", Kind::List),
    ("conversation", Kind::TextOrObject),
    ("include", Kind::List),
    ("input", Kind::TextOrList),
    ("instructions", Kind::Text),
    ("max_output_tokens", Kind::Integer(16, i64::MAX)),
    ("max_tool_calls", Kind::Integer(1, i64::MAX)),
    ("metadata", Kind::Object),
    ("model", Kind::Text),
    ("moderation", Kind::Object),
    ("parallel_tool_calls", Kind::Bool),
    ("previous_response_id", Kind::Text),
    ("prompt", Kind::Object),
    ("prompt_cache_key", Kind::Text),
    ("prompt_cache_options", Kind::Object),
    ("prompt_cache_retention", Kind::Text),
    ("reasoning", Kind::Object),
    ("safety_identifier", Kind::Text),
    ("service_tier", Kind::Text),
    ("store", Kind::Bool),
    ("stream", Kind::Bool),
    ("stream_options", Kind::Object),
    ("temperature", Kind::Number(0.0, 2.0)),
    ("text", Kind::Object),
    ("tool_choice", Kind::TextOrObject),
    ("tools", Kind::List),
    ("top_logprobs", Kind::Integer(0, 20)),
    ("top_p", Kind::Number(0.0, 1.0)),
    ("truncation", Kind::Text),
    ("user", Kind::Text),
];

const INCLUDES: [&str; 7] = [
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
];

const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// Checks a request and frees it of its dialect.
pub(super) fn read(call: &Call<'_>) -> Result<Ask, Refusal> {
    let body = &open(call, "/v1/responses", super::KEY)?;
    if let Some(name) = body
        .keys()
        .find(|key| PARAMETERS.iter().all(|(name, _)| name != key))
    {
        return Err(unknown(name));
    }
    for (name, kind) in PARAMETERS {
        if let Some(value) = body.get(*name).filter(|value| !value.is_null()) {
            fits(name, *kind, value)?;
        }
    }
    let Some(model) = body.get("model").and_then(Value::as_str) else {
        return Err(missing("model"));
    };
    let mut ask = Ask {
        id: model.to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        max_tokens: body.get("max_output_tokens").and_then(Value::as_u64),
        copies: 1,
        padding: true,
        ..Ask::default()
    };
    stream_options(body, &mut ask)?;
    if let Some(text) = body.get("instructions").and_then(Value::as_str) {
        ask.messages += 1;
        ask.read(text);
    }
    input::read(body, &mut ask)?;
    tools(body, &mut ask)?;
    format(body, &mut ask)?;
    thinking(body, &mut ask)?;
    Ok(ask)
}

fn stream_options(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(options) = body.get("stream_options").and_then(Value::as_object) else {
        return Ok(());
    };
    if !ask.stream {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(invalid(message).param("stream_options"));
    }
    only(options, &["include_obfuscation"], "stream_options")?;
    ask.padding = options.get("include_obfuscation") != Some(&Value::Bool(false));
    Ok(())
}

/// What of thinking comes back: a summary for who asks, something encrypted for who asks.
fn thinking(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let include = body.get("include").and_then(Value::as_array);
    let include: Vec<&str> = include.into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(other) = include.iter().find(|name| !INCLUDES.contains(name)) {
        let message = format!(
            "Invalid value: '{other}'. Supported values are: {}.",
            INCLUDES.join(", ")
        );
        return Err(invalid(message).param("include").code("invalid_value"));
    }
    ask.sealed = include.contains(&"reasoning.encrypted_content");
    let thinks = !ask.model().starts_with("gpt-4");
    if ask.sealed && !thinks {
        let message = "Encrypted content is not supported with this model.";
        return Err(invalid(message).param("include"));
    }
    let Some(reasoning) = body.get("reasoning").and_then(Value::as_object) else {
        return Ok(());
    };
    only(
        reasoning,
        &["context", "effort", "generate_summary", "mode", "summary"],
        "reasoning",
    )?;
    let text = |name: &str| reasoning.get(name).and_then(Value::as_str);
    if !thinks {
        let message = "Unsupported parameter: 'reasoning.effort' is not supported with this model.";
        return Err(invalid(message)
            .param("reasoning.effort")
            .code("unsupported_parameter"));
    }
    if let Some(effort) = text("effort").filter(|effort| !EFFORTS.contains(effort)) {
        let message = format!(
            "Invalid value: '{effort}'. Supported values are: {}.",
            EFFORTS.join(", ")
        );
        return Err(invalid(message).param("reasoning.effort").code("invalid_value"));
    }
    if let Some(summary) = text("summary").filter(|word| !["auto", "concise", "detailed"].contains(word)) {
        let message =
            format!("Invalid value: '{summary}'. Supported values are: 'concise', 'detailed', and 'auto'.");
        return Err(invalid(message).param("reasoning.summary").code("invalid_value"));
    }
    ask.thinking = match (text("effort"), text("summary")) {
        (None | Some("none"), _) => Thinking::Off,
        (_, Some(_)) if ask.model().contains("redacted") => Thinking::Redacted,
        (_, Some(_)) => Thinking::Shown,
        (_, None) if ask.sealed => Thinking::Redacted,
        (_, None) => Thinking::Hidden,
    };
    Ok(())
}
