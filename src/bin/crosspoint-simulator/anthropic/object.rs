//! Members of a request, and Anthropic's words for what is wrong with one.

use serde_json::{Map, Value};

use crate::provider::Refusal;

pub(super) type Object = Map<String, Value>;

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "invalid_request_error", message)
}

pub(super) fn missing(path: &str) -> Refusal {
    invalid(format!("{path}: Field required"))
}

pub(super) fn only(object: &Object, known: &[&str], path: &str) -> Result<(), Refusal> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!("{path}{key}: Extra inputs are not permitted"))),
        None => Ok(()),
    }
}

pub(super) fn string<'a>(object: &'a Object, key: &str, path: &str) -> Result<&'a str, Refusal> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(invalid(format!("{path}{key}: Input should be a valid string"))),
        None => Err(missing(&format!("{path}{key}"))),
    }
}

/// Letters, digits, `_` and `-`.
pub(super) fn plain(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
