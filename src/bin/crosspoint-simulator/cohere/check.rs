//! What Cohere refuses, in its words where they are known: <https://docs.cohere.com/reference/errors>. Members from its
//! OpenAPI description; unknown ones are refused everywhere.
//!
//! Three things are stricter than the real API, because a gateway should not lean on its leniency: a call needs its
//! result, a turn that calls says nothing but a plan, and a model that does not think is not asked to.

use serde_json::Value;

use super::features::{documents, format, tools};
use super::object::{Kind, Object, fits, invalid, list, object, refused};
use crate::ask::{Ask, Thinking};
use crate::provider::{Call, Refusal};

const PARAMETERS: &[(&str, Kind)] = &[
    ("citation_options", Kind::Object),
    ("documents", Kind::List),
    ("frequency_penalty", Kind::Number(0.0, 1.0)),
    ("k", Kind::Integer(0, 500)),
    ("logprobs", Kind::Bool),
    ("max_tokens", Kind::Integer(1, u64::MAX)),
    ("messages", Kind::List),
    ("model", Kind::Text),
    ("p", Kind::Number(0.01, 0.99)),
    ("presence_penalty", Kind::Number(0.0, 1.0)),
    ("priority", Kind::Integer(0, 999)),
    ("response_format", Kind::Object),
    ("safety_mode", Kind::Word(&["CONTEXTUAL", "STRICT", "OFF"])),
    ("seed", Kind::Integer(0, u64::MAX)),
    ("stop_sequences", Kind::List),
    ("stream", Kind::Bool),
    ("strict_tools", Kind::Bool),
    ("temperature", Kind::Number(0.0, 1.0)),
    ("thinking", Kind::Object),
    ("tool_choice", Kind::Word(&["REQUIRED", "NONE"])),
    ("tools", Kind::List),
];

/// Checks a request and frees it of its dialect.
pub(super) fn read(call: &Call<'_>) -> Result<Ask, Refusal> {
    let embeds = call.path.ends_with("/v2/embed");
    if !(embeds || call.path.ends_with("/v2/chat")) || call.method != "POST" {
        return Err(Refusal::new(404, "", "404 page not found"));
    }
    let Some(key) = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
    else {
        return Err(Refusal::new(401, "", "no api key supplied"));
    };
    if key != call.keys.get("cohere") {
        return Err(super::fault(401, ""));
    }
    if !call
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"))
    {
        return Err(invalid("content-type must be application/json"));
    }
    let body: Value = serde_json::from_slice(call.body)
        .map_err(|error| refused(&format!("invalid json syntax: {error}")))?;
    if embeds {
        return super::embeddings::read(&body);
    }
    let names: Vec<&str> = PARAMETERS.iter().map(|(name, _)| *name).collect();
    let body = object(&body, &names, "the request")?;
    for (name, kind) in PARAMETERS {
        if let Some(value) = body.get(*name) {
            fits(name, *kind, value)?;
        }
    }
    let Some(id) = body.get("model").and_then(Value::as_str) else {
        return Err(refused("a model parameter is required for this endpoint."));
    };
    let flag = |name: &str| body.get(name) == Some(&Value::Bool(true));
    let mut ask = Ask {
        id: id.to_owned(),
        stream: flag("stream"),
        logprobs: flag("logprobs"),
        copies: 1,
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        ..Ask::default()
    };
    thinking(body, &mut ask)?;
    stops(body, &mut ask)?;
    super::messages::read(body, &mut ask)?;
    tools(body, &mut ask)?;
    documents(body, &mut ask)?;
    format(body, &mut ask)?;
    Ok(ask)
}

fn thinking(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let model = ask.model();
    let thinks = model.contains("reasoning") || model.contains("command-a-plus");
    let Some(wish) = body.get("thinking") else {
        if thinks {
            ask.thinking = Thinking::Shown;
        }
        return Ok(());
    };
    if !thinks {
        return Err(invalid("thinking is not supported by this model."));
    }
    let wish = object(wish, &["type", "token_budget"], "thinking")?;
    if let Some(budget) = wish.get("token_budget")
        && budget.as_u64().unwrap_or(0) == 0
    {
        return Err(invalid("thinking.token_budget must be a positive integer."));
    }
    ask.thinking = match wish.get("type").and_then(Value::as_str) {
        Some("enabled") => Thinking::Shown,
        Some("disabled") => Thinking::Off,
        _ => return Err(invalid("thinking.type must be one of enabled, disabled.")),
    };
    Ok(())
}

fn stops(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let stops = list(body, "stop_sequences");
    if stops.len() > 5 {
        return Err(invalid("at most 5 stop sequences may be given."));
    }
    for stop in stops {
        match stop.as_str() {
            Some(stop) if !stop.is_empty() => ask.stop.push(stop.to_owned()),
            _ => return Err(invalid("stop_sequences must be strings that are not empty.")),
        }
    }
    Ok(())
}
