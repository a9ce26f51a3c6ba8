//! Members of a request, and Cohere's words for what is wrong with one.

use serde_json::{Map, Value};

use crate::provider::Refusal;

pub(super) type Object = Map<String, Value>;

/// What a top-level parameter may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Number(f64, f64),
    Integer(u64, u64),
    Bool,
    List,
    Object,
    Word(&'static [&'static str]),
    Text,
}

pub(super) fn invalid(message: impl std::fmt::Display) -> Refusal {
    Refusal::new(400, "", format!("invalid request: {message}"))
}

/// A refusal in words that have no such beginning.
pub(super) fn refused(message: &str) -> Refusal {
    Refusal::new(400, "", message)
}

pub(super) fn object<'a>(value: &'a Value, known: &[&str], path: &str) -> Result<&'a Object, Refusal> {
    let Some(object) = value.as_object() else {
        return Err(invalid(format!("{path} must be an object")));
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Refusal::new(
            422,
            "",
            format!("unknown field: parameter '{key}' of {path} is not a valid field"),
        )),
        None => Ok(object),
    }
}

pub(super) fn string<'a>(object: &'a Object, key: &str, path: &str) -> Result<&'a str, Refusal> {
    let found = object.get(key).and_then(Value::as_str);
    found.ok_or_else(|| invalid(format!("{path}.{key} must be a string")))
}

pub(super) fn list<'a>(body: &'a Object, key: &str) -> &'a [Value] {
    body.get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

pub(super) fn fits(name: &str, kind: Kind, value: &Value) -> Result<(), Refusal> {
    let (good, wanted) = match kind {
        Kind::Number(least, most) => (
            value
                .as_f64()
                .is_some_and(|number| (least..=most).contains(&number)),
            format!("between {least} and {most} inclusive"),
        ),
        Kind::Integer(least, most) => (
            value
                .as_u64()
                .is_some_and(|number| (least..=most).contains(&number)),
            format!("an integer between {least} and {most}"),
        ),
        Kind::Bool => (value.is_boolean(), "a boolean".to_owned()),
        Kind::List => (value.is_array(), "a list".to_owned()),
        Kind::Object => (value.is_object(), "an object".to_owned()),
        Kind::Text => (value.is_string(), "a string".to_owned()),
        Kind::Word(words) => (
            value.as_str().is_some_and(|word| words.contains(&word)),
            format!("one of {}", words.join(", ")),
        ),
    };
    if good {
        return Ok(());
    }
    Err(invalid(format!("{name} must be {wanted}.")))
}
