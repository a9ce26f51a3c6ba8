//! OpenAI's tools, tool choice and response format.

use std::collections::HashSet;

use serde_json::Value;

use super::object::{Object, invalid, missing, only, wrong_type};
use crate::ask::{Ask, Choice, Format, Tool};
use crate::provider::Refusal;
use crate::schema;

pub(super) fn tools(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let tools = body.get("tools").and_then(Value::as_array);
    if tools.is_some_and(Vec::is_empty) {
        let message = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(invalid(message).param("tools").code("empty_array"));
    }
    for (n, tool) in tools.into_iter().flatten().enumerate() {
        let path = format!("tools[{n}]");
        let Some(tool) = tool.as_object() else {
            return Err(wrong_type(&path, "an object", tool));
        };
        only(tool, &["type", "function", "custom"], &path)?;
        if tool.get("type").and_then(Value::as_str) != Some("function") {
            return Err(missing(&format!("{path}.type")));
        }
        let Some(function) = tool.get("function").and_then(Value::as_object) else {
            return Err(missing(&format!("{path}.function")));
        };
        only(
            function,
            &["name", "description", "parameters", "strict"],
            &format!("{path}.function"),
        )?;
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let param = format!("{path}.function.name");
            let message = format!(
                "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            );
            return Err(invalid(message).param(param).code("invalid_value"));
        }
        let schema = function.get("parameters").cloned().unwrap_or_default();
        if schema
            .as_object()
            .is_some_and(|schema| schema.get("type").and_then(Value::as_str) != Some("object"))
        {
            let message = format!(
                "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
            );
            return Err(invalid(message)
                .param(format!("{path}.function.parameters"))
                .code("invalid_function_parameters"));
        }
        if function.get("strict") == Some(&Value::Bool(true)) {
            strict(
                &schema,
                &format!("function '{name}'"),
                &format!("{path}.function.parameters"),
            )?;
        }
        ask.tools.push(Tool {
            name: name.to_owned(),
            schema,
        });
    }
    ask.one_call = body.get("parallel_tool_calls") == Some(&Value::Bool(false));
    ask.choice = match body.get("tool_choice") {
        None | Some(Value::Null) => Choice::Auto,
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Choice::Auto,
            "none" => Choice::Never,
            "required" => Choice::Any,
            other => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'none', 'auto', and 'required'."
                );
                return Err(invalid(message).param("tool_choice").code("invalid_value"));
            }
        },
        Some(choice) => {
            let name = choice.pointer("/function/name").and_then(Value::as_str);
            let known = name.filter(|name| ask.tools.iter().any(|tool| tool.name == *name));
            let Some(name) = known else {
                let message = "Invalid value for 'tool_choice': the named function was not found in 'tools'.";
                return Err(invalid(message).param("tool_choice"));
            };
            Choice::Named(name.to_owned())
        }
    };
    Ok(())
}

pub(super) fn format(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(format) = body.get("response_format").and_then(Value::as_object) else {
        return Ok(());
    };
    only(format, &["type", "json_schema"], "response_format")?;
    match format.get("type").and_then(Value::as_str) {
        Some("text") => {}
        Some("json_object") => {
            let messages = body.get("messages").map(Value::to_string).unwrap_or_default();
            if !messages.to_lowercase().contains("json") {
                let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
                return Err(invalid(message).param("messages"));
            }
            ask.format = Format::Json(serde_json::json!({"said": "something"}));
        }
        Some("json_schema") => {
            let path = "response_format.json_schema";
            let Some(described) = format.get("json_schema").and_then(Value::as_object) else {
                return Err(missing(path));
            };
            only(described, &["name", "description", "schema", "strict"], path)?;
            let Some(name) = described.get("name").and_then(Value::as_str) else {
                return Err(missing(&format!("{path}.name")));
            };
            let wanted = described.get("schema").cloned().unwrap_or_default();
            if described.get("strict") == Some(&Value::Bool(true)) {
                strict(&wanted, &format!("response_format '{name}'"), "response_format")?;
            }
            ask.format = Format::Json(schema::document(&wanted));
        }
        _ => {
            let message = "Invalid value for 'response_format.type'. Supported values are: 'json_object', 'json_schema', and 'text'.";
            return Err(invalid(message)
                .param("response_format.type")
                .code("invalid_value"));
        }
    }
    Ok(())
}

/// Strict mode: every object closed, every property required.
pub(crate) fn strict(schema: &Value, what: &str, param: &str) -> Result<(), Refusal> {
    let refuse =
        |why: &str| Err(invalid(format!("Invalid schema for {what}: In context=(), {why}")).param(param));
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return refuse("'additionalProperties' is required to be supplied and to be false.");
        }
        let required = schema.get("required").and_then(Value::as_array);
        let listed: HashSet<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        if let Some(name) = properties.keys().find(|name| !listed.contains(name.as_str())) {
            return refuse(&format!(
                "'required' is required to be supplied and to be an array including every key in properties. Missing '{name}'."
            ));
        }
    }
    let nested = match schema {
        Value::Object(object) => object.values().collect::<Vec<_>>(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    nested.into_iter().try_for_each(|part| strict(part, what, param))
}
