//! Members of a request, and Google's words for what is wrong with one.

use serde_json::{Map, Value};

use crate::provider::Refusal;

pub(super) type Object = Map<String, Value>;

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "INVALID_ARGUMENT", message)
}

pub(super) fn wrong(path: &str, value: &Value) -> Refusal {
    let value: String = value.to_string().chars().take(80).collect();
    invalid(format!("Invalid value at '{path}': {value}"))
}

pub(super) fn object<'a>(value: &'a Value, known: &[&str], path: &str) -> Result<&'a Object, Refusal> {
    let Some(object) = value.as_object() else {
        return Err(wrong(path, value));
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!(
            "Invalid JSON payload received. Unknown name \"{key}\" at '{path}': Cannot find field."
        ))),
        None => Ok(object),
    }
}

pub(super) fn string<'a>(object: &'a Object, key: &str, path: &str) -> Result<&'a str, Refusal> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        other => Err(wrong(&format!("{path}.{key}"), other.unwrap_or(&Value::Null))),
    }
}

pub(super) fn list<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], Refusal> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| wrong(path, value))
}
