//! Cohere's tools, documents and response format.

use serde_json::{Value, json};

use super::object::{Object, invalid, list, object, refused, string};
use crate::ask::{Ask, Choice, Format, Tool};
use crate::provider::Refusal;
use crate::schema;

pub(super) fn tools(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let strict = body.get("strict_tools") == Some(&Value::Bool(true));
    for (n, tool) in list(body, "tools").iter().enumerate() {
        let path = format!("tools[{n}]");
        let tool = object(tool, &["type", "function"], &path)?;
        if tool.get("type").and_then(Value::as_str) != Some("function") {
            return Err(invalid(format!("{path}.type must be function")));
        }
        let function = tool.get("function").unwrap_or(&Value::Null);
        let function = object(function, &["name", "description", "parameters"], &path)?;
        let name = string(function, "name", &path)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain) {
            return Err(invalid(format!(
                "tool names can only contain certain characters (A-Za-z0-9_) and can't begin with a digit (provided name: '{name}')."
            )));
        }
        if function.contains_key("description") {
            string(function, "description", &path)?;
        }
        let Some(schema) = function.get("parameters").filter(|schema| schema.is_object()) else {
            return Err(refused("schema must be an object"));
        };
        let needs = |name: &Value| {
            name.as_str()
                .and_then(|name| schema["properties"].get(name))
                .is_some()
        };
        let required = schema["required"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !required.iter().all(needs) {
            return Err(refused("required field name not found in properties"));
        }
        if strict && required.is_empty() {
            return Err(invalid("strict_tools needs a required parameter in every tool."));
        }
        ask.tools.push(Tool {
            name: name.to_owned(),
            schema: schema.clone(),
        });
    }
    ask.choice = match body.get("tool_choice").and_then(Value::as_str) {
        None => Choice::Auto,
        Some(_) if ask.tools.is_empty() => return Err(invalid("tool_choice needs tools.")),
        Some("NONE") => Choice::Never,
        Some(_) => Choice::Any,
    };
    if strict && ask.tools.is_empty() {
        return Err(invalid("strict_tools needs tools."));
    }
    Ok(())
}

/// The first document is what the answer cites.
pub(super) fn documents(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    for (n, document) in list(body, "documents").iter().enumerate() {
        let path = format!("documents[{n}]");
        let (id, data) = if let Some(text) = document.as_str() {
            (None, json!({"text": text}))
        } else {
            let document = object(document, &["id", "data"], &path)?;
            let data = document.get("data").filter(|data| data.is_object());
            let Some(data) = data else {
                return Err(invalid(format!("document at index {n} cannot be empty")));
            };
            (document.get("id").and_then(Value::as_str), data.clone())
        };
        let id = id.map_or_else(|| format!("doc:{n}"), str::to_owned);
        let mut cited = data;
        super::put(&mut cited, "id", json!(id));
        ask.source
            .get_or_insert(json!({"type": "document", "id": id, "document": cited}));
    }
    if let Some(options) = body.get("citation_options") {
        let options = object(options, &["mode"], "citation_options")?;
        match options.get("mode").and_then(Value::as_str) {
            Some("ENABLED" | "FAST" | "ACCURATE") => {}
            Some("DISABLED" | "OFF") => ask.source = None,
            _ => return Err(invalid("citation_options.mode is not known.")),
        }
    }
    Ok(())
}

pub(super) fn format(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(format) = body.get("response_format") else {
        return Ok(());
    };
    let format = object(format, &["type", "json_schema"], "response_format")?;
    match (
        format.get("type").and_then(Value::as_str),
        format.get("json_schema"),
    ) {
        (Some("text"), None) => return Ok(()),
        (Some("json_object"), None) => ask.format = Format::Json(json!({"said": "something"})),
        (Some("json_object"), Some(wanted)) if wanted["type"] == "object" => {
            ask.format = Format::Json(schema::document(wanted));
        }
        (Some("json_object"), Some(_)) => return Err(refused("schema must be an object")),
        _ => return Err(invalid("response_format must be text or json_object.")),
    }
    if body.contains_key("documents") {
        return Err(invalid("response_format is not supported with RAG."));
    }
    if !ask.tools.is_empty() {
        return Err(invalid("response_format is not supported with tools."));
    }
    Ok(())
}
