//! What OpenAI refuses, in its words. Fields from the published description of the API.

use serde_json::{Map, Value};

use super::super::provider::{Call, Refusal};
use super::super::seed::decoded_len;
use super::super::text::{Ask, Image, Thinking};
use super::OpenAi;
use super::features::{format, tools};

type Object = Map<String, Value>;

/// What a top-level parameter may be.
#[derive(Clone, Copy)]
pub(in super::super) enum Kind {
    Text,
    Number(f64, f64),
    Integer(i64, i64),
    Bool,
    List,
    Object,
    TextOrList,
    TextOrObject,
}

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

pub(in super::super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "invalid_request_error", message)
}

pub(in super::super) fn wrong_type(param: &str, expected: &str, value: &Value) -> Refusal {
    let found = named(value);
    let message = format!("Invalid type for '{param}': expected {expected}, but got {found} instead.");
    invalid(message).param(param).code("invalid_type")
}

pub(in super::super) fn missing(param: &str) -> Refusal {
    invalid(format!("Missing required parameter: '{param}'."))
        .param(param)
        .code("missing_required_parameter")
}

pub(in super::super) fn unknown(param: &str) -> Refusal {
    invalid(format!("Unknown parameter: '{param}'."))
        .param(param)
        .code("unknown_parameter")
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What OpenAI asks of the place and the key.
pub(super) fn admits(call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let paths = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];
    let path = paths.into_iter().find(|path| call.path.ends_with(path));
    placed(call, path.unwrap_or("/v1/chat/completions"), "openai").map(|()| None)
}

/// What comes before the parameters: path, method, key `name`, and a body that is an object.
pub(in super::super) fn open(call: &Call<'_>, path: &str, name: &str) -> Result<Object, Refusal> {
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

/// Whether the members of a request are known and of their kinds, and the one that is needed is there.
pub(super) fn parameters(body: &Object, known: &[(&str, Kind)], needed: &str) -> Result<(), Refusal> {
    let extra: Vec<&str> = body
        .keys()
        .map(String::as_str)
        .filter(|key| known.iter().all(|(name, _)| name != key))
        .collect();
    if !extra.is_empty() {
        let plural = if extra.len() == 1 { "" } else { "s" };
        return Err(invalid(format!(
            "Unrecognized request argument{plural} supplied: {}",
            extra.join(", ")
        )));
    }
    if body.get("model").is_none_or(Value::is_null) {
        return Err(invalid("you must provide a model parameter"));
    }
    if body.get(needed).is_none_or(Value::is_null) {
        return Err(missing(needed));
    }
    for (name, kind) in known {
        if let Some(value) = body.get(*name).filter(|value| !value.is_null()) {
            fits(name, *kind, value)?;
        }
    }
    Ok(())
}

pub(in super::super) fn fits(name: &str, kind: Kind, value: &Value) -> Result<(), Refusal> {
    let (fits, expected) = match kind {
        Kind::Text => (value.is_string(), "a string"),
        Kind::Number(..) => (value.is_number(), "a decimal"),
        Kind::Integer(..) => (value.is_i64() || value.is_u64(), "an integer"),
        Kind::Bool => (value.is_boolean(), "a boolean"),
        Kind::List => (value.is_array(), "an array"),
        Kind::Object => (value.is_object(), "an object"),
        Kind::TextOrList => (
            value.is_string() || value.is_array(),
            "one of a string or array of strings",
        ),
        Kind::TextOrObject => (
            value.is_string() || value.is_object(),
            "one of a string or object",
        ),
    };
    if !fits {
        return Err(wrong_type(name, expected, value));
    }
    let bounds = match (kind, value.as_f64()) {
        (Kind::Number(low, high), Some(number)) => Some((number, low, high, "decimal")),
        #[expect(clippy::cast_precision_loss, reason = "the limits are small, or none at all")]
        (Kind::Integer(low, high), Some(number)) => Some((number, low as f64, high as f64, "integer")),
        _ => None,
    };
    let Some((number, low, high, word)) = bounds else {
        return Ok(());
    };
    let (side, sign, limit, code) = if number < low {
        ("below minimum", ">=", low, "below_min_value")
    } else if number > high {
        ("above maximum", "<=", high, "above_max_value")
    } else {
        return Ok(());
    };
    let message = format!(
        "Invalid '{name}': {word} {side} value. Expected a value {sign} {limit}, but got {value} instead."
    );
    Err(invalid(message).param(name).code(&format!("{word}_{code}")))
}

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

pub(in super::super) fn only(object: &Object, known: &[&str], path: &str) -> Result<(), Refusal> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(unknown(&format!("{path}.{key}"))),
        None => Ok(()),
    }
}

/// An image link of either kind.
pub(in super::super) fn image(url: &str) -> Image {
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match data.and_then(|(kind, data)| Some((kind, decoded_len(data)?))) {
        Some((media_type, len)) => Image::Bytes {
            media_type: media_type.to_owned(),
            len,
        },
        None => Image::Link(url.to_owned()),
    }
}
