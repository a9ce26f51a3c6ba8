//! Members of a request, and OpenAI's words for what is wrong with one.

use serde_json::{Map, Value};

use crate::ask::Image;
use crate::provider::Refusal;
use crate::seed::decoded_len;

pub(super) type Object = Map<String, Value>;

/// What a top-level parameter may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Number(f64, f64),
    Integer(i64, i64),
    Bool,
    List,
    Object,
    TextOrList,
    TextOrObject,
}

pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "invalid_request_error", message)
}

pub(crate) fn wrong_type(param: &str, expected: &str, value: &Value) -> Refusal {
    let found = named(value);
    let message = format!("Invalid type for '{param}': expected {expected}, but got {found} instead.");
    invalid(message).param(param).code("invalid_type")
}

pub(crate) fn missing(param: &str) -> Refusal {
    invalid(format!("Missing required parameter: '{param}'."))
        .param(param)
        .code("missing_required_parameter")
}

pub(crate) fn unknown(param: &str) -> Refusal {
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

pub(crate) fn only(object: &Object, known: &[&str], path: &str) -> Result<(), Refusal> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(unknown(&format!("{path}.{key}"))),
        None => Ok(()),
    }
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

pub(crate) fn fits(name: &str, kind: Kind, value: &Value) -> Result<(), Refusal> {
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

/// An image link of either kind.
pub(crate) fn image(url: &str) -> Image {
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
