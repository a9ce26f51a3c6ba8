//! Members of a request, and Bedrock's words for what is wrong with one.

use serde_json::{Map, Value};

use crate::provider::Refusal;

pub(super) type Object = Map<String, Value>;

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "ValidationException", message)
}

/// A value of the wrong type does not get past the parser.
pub(super) fn wrong_shape(path: &str, expected: &str) -> Refusal {
    Refusal::new(
        400,
        "SerializationException",
        format!("Unexpected value at {path}: expected {expected}"),
    )
}

/// What the model itself refuses.
pub(super) fn model_error(message: &str) -> Refusal {
    invalid(format!("The model returned the following errors: {message}"))
}

pub(super) fn constraint(value: &str, path: &str, constraint: &str) -> Refusal {
    let value: String = value.chars().take(80).collect();
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
    ))
}

pub(super) fn missing(path: &str) -> Refusal {
    invalid(format!(
        "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
    ))
}

pub(super) fn object<'a>(value: &'a Value, known: &[&str], path: &str) -> Result<&'a Object, Refusal> {
    let Some(object) = value.as_object() else {
        return Err(wrong_shape(path, "a structure"));
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!(
            "Malformed input request: #/{path}: extraneous key [{key}] is not permitted, please reformat your input and try again."
        ))),
        None => Ok(object),
    }
}

/// A union holds exactly one of its members.
pub(super) fn union<'a>(
    value: &'a Value,
    known: &[&str],
    path: &str,
) -> Result<(&'a str, &'a Value), Refusal> {
    let object = object(value, known, path)?;
    let mut set = object.iter().filter(|(_, value)| !value.is_null());
    match (set.next(), set.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        (None, _) => Err(invalid(format!("A member of the union at {path} must be set"))),
        _ => Err(wrong_shape(path, "only one member of a union")),
    }
}

pub(super) fn string<'a>(object: &'a Object, key: &str, path: &str) -> Result<&'a str, Refusal> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(missing(&format!("{path}.{key}"))),
        Some(_) => Err(wrong_shape(&format!("{path}.{key}"), "a string")),
    }
}

pub(super) fn list<'a>(value: &'a Value, path: &str) -> Result<&'a [Value], Refusal> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| wrong_shape(path, "a list"))
}

/// A name of 1 to 64 letters, digits, `_`, `-`, and what else its pattern allows.
pub(super) fn identifier(text: &str, path: &str, also: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > 64 {
        return Err(constraint(
            text,
            path,
            "Member must have length less than or equal to 64 and greater than or equal to 1",
        ));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || also.contains(c);
    if !text.chars().all(fits) {
        let why = format!("Member must satisfy regular expression pattern: [a-zA-Z0-9_{also}-]+");
        return Err(constraint(text, path, &why));
    }
    Ok(())
}
