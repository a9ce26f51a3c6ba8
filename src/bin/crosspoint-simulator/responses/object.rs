//! Members of a request of the Responses API, beside those that it has in common with chats.

use serde_json::{Map, Value};

use crate::openai::object::{invalid, missing, wrong_type};
use crate::provider::Refusal;

pub(super) type Object = Map<String, Value>;

/// A member that must be a string.
pub(super) fn text<'a>(object: &'a Object, name: &str, path: &str) -> Result<&'a str, Refusal> {
    let path = format!("{path}.{name}");
    match object.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(wrong_type(&path, "a string", other)),
        None => Err(missing(&path)),
    }
}

pub(super) fn one_of(word: &str, known: &[&str], param: String) -> Result<(), Refusal> {
    if known.contains(&word) {
        return Ok(());
    }
    let message = format!(
        "Invalid value: '{word}'. Supported values are: '{}'.",
        known.join("', '")
    );
    Err(invalid(message).param(param).code("invalid_value"))
}
