//! Anthropic's tools, tool choice, thinking and structured output.

use std::collections::HashSet;

use serde_json::Value;

use super::object::{Object, invalid, missing, only, plain, string};
use crate::ask::{Ask, Choice, Format, Thinking, Tool};
use crate::provider::Refusal;
use crate::schema;

pub(super) fn tools(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let tools = match body.get("tools") {
        None => None,
        Some(Value::Array(tools)) => Some(tools),
        Some(_) => return Err(invalid("tools: Input should be a valid list")),
    };
    let mut names = HashSet::new();
    for (n, tool) in tools.into_iter().flatten().enumerate() {
        let Some(tool) = tool.as_object() else {
            return Err(invalid(format!("tools.{n}: Input should be a valid dictionary")));
        };
        if tool
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind != "custom")
        {
            // Tools that the provider runs itself are taken and not used.
            continue;
        }
        let path = format!("tools.{n}.custom.");
        let known = [
            "type",
            "name",
            "description",
            "input_schema",
            "cache_control",
            "strict",
            "input_examples",
            "defer_loading",
            "allowed_callers",
            "eager_input_streaming",
        ];
        only(tool, &known, &path)?;
        let name = string(tool, "name", &path)?;
        if name.is_empty() || name.len() > 128 || !plain(name) {
            return Err(invalid(format!(
                "{path}name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )));
        }
        if !names.insert(name) {
            return Err(invalid("tools: Tool names must be unique."));
        }
        let Some(schema) = tool.get("input_schema") else {
            return Err(missing(&format!("{path}input_schema")));
        };
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "object" => {}
            Some(_) => {
                return Err(invalid(format!(
                    "{path}input_schema.type: Input should be 'object'"
                )));
            }
            None => return Err(missing(&format!("{path}input_schema.type"))),
        }
        ask.tools.push(Tool {
            name: name.to_owned(),
            schema: schema.clone(),
        });
    }
    let Some(choice) = body.get("tool_choice") else {
        return Ok(());
    };
    let Some(choice) = choice.as_object() else {
        return Err(invalid(
            "tool_choice: Input should be a valid dictionary or object to extract fields from",
        ));
    };
    if tools.is_none_or(Vec::is_empty) {
        return Err(invalid(
            "tool_choice: Tool choice may only be specified while providing tools.",
        ));
    }
    let kind = string(choice, "type", "tool_choice.")?;
    let known: &[&str] = match kind {
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        "none" => &["type"],
        _ => &["type", "disable_parallel_tool_use"],
    };
    only(choice, known, &format!("tool_choice.{kind}."))?;
    ask.one_call = choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true));
    ask.choice = match kind {
        "auto" => Choice::Auto,
        "none" => Choice::Never,
        "any" => Choice::Any,
        "tool" => {
            let name = string(choice, "name", "tool_choice.tool.")?;
            if !names.contains(name) {
                return Err(invalid(format!("Tool '{name}' not found in provided tools")));
            }
            Choice::Named(name.to_owned())
        }
        other => {
            return Err(invalid(format!(
                "tool_choice: Input tag '{other}' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'"
            )));
        }
    };
    Ok(())
}

pub(super) fn thinking(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(thinking) = body.get("thinking") else {
        return Ok(());
    };
    let Some(thinking) = thinking.as_object() else {
        return Err(invalid("thinking: Input should be a valid dictionary"));
    };
    let kind = string(thinking, "type", "thinking.")?;
    let known: &[&str] = match kind {
        "enabled" => &["type", "budget_tokens", "display"],
        "adaptive" => &["type", "display"],
        "disabled" => &["type"],
        other => {
            return Err(invalid(format!(
                "thinking: Input tag '{other}' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'"
            )));
        }
    };
    only(thinking, known, &format!("thinking.{kind}."))?;
    if kind == "disabled" {
        return Ok(());
    }
    if kind == "enabled" {
        let Some(budget) = thinking.get("budget_tokens") else {
            return Err(missing("thinking.enabled.budget_tokens"));
        };
        let budget = budget.as_u64().unwrap_or_default();
        if budget < 1024 {
            return Err(invalid(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
            ));
        }
        if ask.max_tokens.is_some_and(|limit| limit <= budget) {
            return Err(invalid(
                "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
            ));
        }
    }
    if matches!(ask.choice, Choice::Any | Choice::Named(_)) {
        return Err(invalid(
            "Thinking may not be enabled when tool_choice forces tool use.",
        ));
    }
    let number = |name: &str| body.get(name).and_then(Value::as_f64);
    if number("temperature").is_some_and(|value| value != 1.0) {
        return Err(invalid(
            "`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking",
        ));
    }
    if number("top_p").is_some_and(|value| value < 0.95) {
        return Err(invalid(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
        ));
    }
    if body.contains_key("top_k") {
        return Err(invalid("`top_k` must be unset when thinking is enabled."));
    }
    ask.thinking = match thinking.get("display").and_then(Value::as_str) {
        _ if ask.model().contains("redacted") => Thinking::Redacted,
        Some("omitted") => Thinking::Omitted,
        _ => Thinking::Shown,
    };
    Ok(())
}

pub(super) fn format(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let mut format = body.get("output_format");
    if let Some(config) = body.get("output_config") {
        let Some(config) = config.as_object() else {
            return Err(invalid("output_config: Input should be a valid dictionary"));
        };
        only(config, &["effort", "format"], "output_config.")?;
        if let Some(effort) = config.get("effort").filter(|effort| !effort.is_null())
            && !matches!(effort.as_str(), Some("low" | "medium" | "high" | "xhigh" | "max"))
        {
            return Err(invalid(
                "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
            ));
        }
        format = config.get("format").or(format);
    }
    let Some(format) = format.filter(|format| !format.is_null()) else {
        return Ok(());
    };
    let Some(format) = format.as_object() else {
        return Err(invalid(
            "output_config.format: Input should be a valid dictionary",
        ));
    };
    only(format, &["type", "schema"], "output_config.format.")?;
    if string(format, "type", "output_config.format.")? != "json_schema" {
        return Err(invalid(
            "output_config.format.type: Input should be 'json_schema'",
        ));
    }
    let Some(wanted) = format.get("schema") else {
        return Err(missing("output_config.format.schema"));
    };
    closed(wanted)?;
    ask.format = Format::Json(schema::document(wanted));
    Ok(())
}

/// What Anthropic's structured output asks of a schema, and the keywords that it does not take.
fn closed(schema: &Value) -> Result<(), Refusal> {
    if let Some(object) = schema.as_object() {
        let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
        let refuse = |why: String| Err(invalid(format!("output_config.format.schema: {why}")));
        if kind == "object" && object.get("additionalProperties") != Some(&Value::Bool(false)) {
            return refuse(
                "For 'object' type, 'additionalProperties' must be explicitly set to false".to_owned(),
            );
        }
        let refused: &[&str] = match kind {
            "integer" | "number" => &[
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "multipleOf",
            ],
            "string" => &["minLength", "maxLength"],
            "array" => &["maxItems", "uniqueItems"],
            _ => &[],
        };
        if let Some(key) = refused.iter().find(|key| object.contains_key(**key)) {
            return refuse(format!("For '{kind}' type, property '{key}' is not supported"));
        }
    }
    let nested: Vec<&Value> = match schema {
        Value::Object(object) => object.values().collect(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    };
    nested.into_iter().try_for_each(closed)
}
