//! What OpenAI refuses, in its words. Fields from the published description of the API.

use serde_json::Value;

use super::OpenAi;
use super::features::{format, tools};
use super::object::{Kind, Object, invalid, parameters};
use super::options::{conflicts, options};
use crate::ask::Ask;
use crate::provider::{Call, Refusal};

const ANY_INTEGER: Kind = Kind::Integer(i64::MIN, i64::MAX);

const PARAMETERS: &[(&str, Kind)] = &[
    ("audio", Kind::Object),
    ("frequency_penalty", Kind::Number(-2.0, 2.0)),
    ("function_call", Kind::TextOrObject),
    ("functions", Kind::List),
    ("logit_bias", Kind::Object),
    ("logprobs", Kind::Bool),
    ("max_completion_tokens", Kind::Integer(1, i64::MAX)),
    ("max_tokens", Kind::Integer(1, i64::MAX)),
    ("messages", Kind::List),
    ("metadata", Kind::Object),
    ("modalities", Kind::List),
    ("model", Kind::Text),
    ("moderation", Kind::Object),
    ("n", Kind::Integer(1, 128)),
    ("parallel_tool_calls", Kind::Bool),
    ("prediction", Kind::Object),
    ("presence_penalty", Kind::Number(-2.0, 2.0)),
    ("prompt_cache_key", Kind::Text),
    ("prompt_cache_options", Kind::Object),
    ("prompt_cache_retention", Kind::Text),
    ("reasoning_effort", Kind::Text),
    ("response_format", Kind::Object),
    ("safety_identifier", Kind::Text),
    ("seed", ANY_INTEGER),
    ("service_tier", Kind::Text),
    ("stop", Kind::TextOrList),
    ("store", Kind::Bool),
    ("stream", Kind::Bool),
    ("stream_options", Kind::Object),
    ("temperature", Kind::Number(0.0, 2.0)),
    ("tool_choice", Kind::TextOrObject),
    ("tools", Kind::List),
    ("top_logprobs", Kind::Integer(0, 20)),
    ("top_p", Kind::Number(0.0, 1.0)),
    ("user", Kind::Text),
    ("verbosity", Kind::Text),
    ("web_search_options", Kind::Object),
];

/// What OpenAI asks of the place and the key.
pub(super) fn admits(call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let paths = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];
    let path = paths.into_iter().find(|path| call.path.ends_with(path));
    placed(call, path.unwrap_or("/v1/chat/completions"), "openai").map(|()| None)
}

/// What comes before the parameters: path, method, key `name`, and a body that is an object.
pub(crate) fn open(call: &Call<'_>, path: &str, name: &str) -> Result<Object, Refusal> {
    placed(call, path, name)?;
    object(call)
}

fn placed(call: &Call<'_>, path: &str, name: &str) -> Result<(), Refusal> {
    if !call.path.ends_with(path) {
        let message = format!("Invalid URL ({} {})", call.method, call.path);
        return Err(Refusal::new(404, "invalid_request_error", message));
    }
    if call.method != "POST" {
        let message = format!(
            "Not allowed to {} on {} (HINT: Perhaps you meant to use a different HTTP method?)",
            call.method, call.path
        );
        return Err(Refusal::new(405, "invalid_request_error", message).code("method_not_supported"));
    }
    let Some(key) = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
    else {
        let message = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
        return Err(Refusal::new(401, "invalid_request_error", message));
    };
    if key != call.keys.get(name) {
        return Err(super::fault(401, ""));
    }
    Ok(())
}

fn object(call: &Call<'_>) -> Result<Object, Refusal> {
    if !call
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"))
    {
        return Err(invalid(
            "Unsupported content type: this API method only accepts 'application/json' requests, but you did not specify the header 'Content-Type: application/json'.",
        ));
    }
    let body: Value = serde_json::from_slice(call.body).map_err(|_| {
        invalid("We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)")
    })?;
    match body {
        Value::Object(body) => Ok(body),
        _ => Err(invalid("The JSON body is to be an object.")),
    }
}

/// Checks a request and frees it of its dialect.
pub(super) fn read(provider: &OpenAi, call: &Call<'_>) -> Result<Ask, Refusal> {
    let model = (provider.admits)(call)?;
    let body = object(call)?;
    if call.path.ends_with("/v1/embeddings") {
        return super::embeddings::read(&body);
    }
    if call.path.ends_with("/v1/completions") {
        return super::completions::read(&body);
    }
    let body = &(provider.translated)(body)?;
    parameters(body, PARAMETERS, "messages")?;
    conflicts(body)?;
    let mut ask = Ask {
        copies: 1,
        padding: true,
        ..Ask::default()
    };
    options(body, &mut ask)?;
    super::messages::read(body, &mut ask)?;
    tools(body, &mut ask)?;
    format(body, &mut ask)?;
    (provider.noted)(&mut ask);
    ask.id = model.unwrap_or(ask.id);
    Ok(ask)
}
