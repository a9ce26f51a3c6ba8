//! The Responses API's tools, tool choice and form of text.

use std::collections::HashSet;

use serde_json::Value;

use super::object::{Object, one_of, text};
use crate::ask::{Ask, Choice, Format, Tool};
use crate::openai::features::strict;
use crate::openai::object::{invalid, missing, only, wrong_type};
use crate::provider::Refusal;
use crate::schema;

/// Tools that the provider runs itself; taken and not used.
const NATIVE: [&str; 8] = [
    "code_interpreter",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "mcp",
    "web_search",
    "web_search_preview",
];

pub(super) fn tools(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let tools = body.get("tools").and_then(Value::as_array);
    for (n, tool) in tools.into_iter().flatten().enumerate() {
        let path = format!("tools[{n}]");
        let Some(tool) = tool.as_object() else {
            return Err(wrong_type(&path, "an object", tool));
        };
        let kind = text(tool, "type", &path)?;
        if kind == "function" {
            ask.tools.push(function(tool, &path)?);
        } else {
            one_of(kind, &NATIVE, format!("{path}.type"))?;
        }
    }
    ask.one_call = body.get("parallel_tool_calls") == Some(&Value::Bool(false));
    let choice = match body.get("tool_choice") {
        None | Some(Value::Null) => return Ok(()),
        Some(choice) => choice,
    };
    if tools.is_none_or(Vec::is_empty) && choice != "auto" && choice != "none" {
        let message = "Tool choice 'required' must be specified with 'tools' parameter.";
        return Err(invalid(message).param("tool_choice"));
    }
    ask.choice = match choice {
        Value::String(word) => word_of(word)?,
        Value::Object(choice) => chosen(choice, ask)?,
        other => return Err(wrong_type("tool_choice", "one of a string or object", other)),
    };
    Ok(())
}

fn word_of(word: &str) -> Result<Choice, Refusal> {
    one_of(word, &["none", "auto", "required"], "tool_choice".to_owned())?;
    Ok(match word {
        "none" => Choice::Never,
        "required" => Choice::Any,
        _ => Choice::Auto,
    })
}

fn chosen(choice: &Object, ask: &mut Ask) -> Result<Choice, Refusal> {
    match text(choice, "type", "tool_choice")? {
        "function" => {
            only(choice, &["type", "name"], "tool_choice")?;
            let name = text(choice, "name", "tool_choice")?;
            if ask.tools.iter().all(|tool| tool.name != name) {
                let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
                return Err(invalid(message).param("tool_choice"));
            }
            Ok(Choice::Named(name.to_owned()))
        }
        "allowed_tools" => {
            only(choice, &["type", "mode", "tools"], "tool_choice")?;
            let allowed = choice.get("tools").and_then(Value::as_array);
            let names: HashSet<&str> = allowed
                .into_iter()
                .flatten()
                .filter_map(|tool| tool.get("name").and_then(Value::as_str))
                .collect();
            ask.tools.retain(|tool| names.contains(tool.name.as_str()));
            word_of(text(choice, "mode", "tool_choice")?)
        }
        other => {
            one_of(other, &NATIVE, "tool_choice.type".to_owned())?;
            Ok(Choice::Auto)
        }
    }
}

fn function(tool: &Object, path: &str) -> Result<Tool, Refusal> {
    only(
        tool,
        &["type", "name", "description", "parameters", "strict"],
        path,
    )?;
    let name = text(tool, "name", path)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let param = format!("{path}.name");
        let message = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(invalid(message).param(param).code("invalid_value"));
    }
    let Some(schema) = tool.get("parameters") else {
        return Err(missing(&format!("{path}.parameters")));
    };
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        let message = format!(
            "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."
        );
        return Err(invalid(message)
            .param(format!("{path}.parameters"))
            .code("invalid_function_parameters"));
    }
    // Unlike in chats, a function is held to its schema unless it is said that it is not.
    if tool
        .get("strict")
        .is_none_or(|strict| strict == &Value::Bool(true))
    {
        strict(
            schema,
            &format!("function '{name}'"),
            &format!("{path}.parameters"),
        )?;
    }
    Ok(Tool {
        name: name.to_owned(),
        schema: schema.clone(),
    })
}

pub(super) fn format(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(settings) = body.get("text").and_then(Value::as_object) else {
        return Ok(());
    };
    only(settings, &["format", "verbosity"], "text")?;
    if let Some(word) = settings.get("verbosity").and_then(Value::as_str) {
        one_of(word, &["low", "medium", "high"], "text.verbosity".to_owned())?;
    }
    let Some(format) = settings.get("format").and_then(Value::as_object) else {
        return Ok(());
    };
    let path = "text.format";
    match text(format, "type", path)? {
        "text" => {}
        "json_object" => {
            let input = body.get("input").map(Value::to_string).unwrap_or_default();
            if !input.to_lowercase().contains("json") {
                let message = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.";
                return Err(invalid(message).param("input"));
            }
            ask.format = Format::Json(serde_json::json!({"said": "something"}));
        }
        "json_schema" => {
            only(format, &["type", "name", "description", "schema", "strict"], path)?;
            let name = text(format, "name", path)?;
            let Some(wanted) = format.get("schema") else {
                return Err(missing("text.format.schema"));
            };
            if format.get("strict") == Some(&Value::Bool(true)) {
                strict(wanted, &format!("response_format '{name}'"), "text.format.schema")?;
            }
            ask.format = Format::Json(schema::document(wanted));
        }
        other => one_of(
            other,
            &["json_object", "json_schema", "text"],
            format!("{path}.type"),
        )?,
    }
    Ok(())
}
