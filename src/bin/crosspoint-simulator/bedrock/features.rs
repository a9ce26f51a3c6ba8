//! Converse's tools and tool choice, the model's own fields, and structured output.

use serde_json::Value;

use super::object::{
    Object, constraint, identifier, invalid, list, missing, model_error, object, string, union, wrong_shape,
};
use crate::ask::{Ask, Choice, Format, Thinking, Tool};
use crate::provider::Refusal;
use crate::schema;

/// What Claude takes beside Converse's own fields.
const CLAUDE_FIELDS: &[&str] = &[
    "anthropic_beta",
    "output_config",
    "reasoning_config",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
];

pub(super) fn tools(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(config) = body.get("toolConfig") else {
        return Ok(());
    };
    let config = object(config, &["tools", "toolChoice"], "toolConfig")?;
    let Some(tools) = config.get("tools") else {
        return Err(missing("toolConfig.tools"));
    };
    let tools = list(tools, "toolConfig.tools")?;
    if tools.is_empty() {
        return Err(constraint(
            "[]",
            "toolConfig.tools",
            "Member must have length greater than or equal to 1",
        ));
    }
    for (n, tool) in tools.iter().enumerate() {
        let path = format!("toolConfig.tools.{}.member", n + 1);
        let ("toolSpec", spec) = union(tool, &["toolSpec", "cachePoint", "systemTool"], &path)? else {
            continue;
        };
        let path = format!("{path}.toolSpec");
        let spec = object(spec, &["name", "description", "inputSchema", "strict"], &path)?;
        let name = string(spec, "name", &path)?;
        identifier(name, &format!("{path}.name"), "")?;
        match spec.get("description") {
            None => {}
            Some(Value::String(text)) if !text.is_empty() => {}
            Some(Value::String(_)) => {
                return Err(constraint(
                    "",
                    &format!("{path}.description"),
                    "Member must have length greater than or equal to 1",
                ));
            }
            Some(_) => return Err(wrong_shape(&format!("{path}.description"), "a string")),
        }
        let Some(schema) = spec.get("inputSchema") else {
            return Err(missing(&format!("{path}.inputSchema")));
        };
        let (_, schema) = union(schema, &["json"], &format!("{path}.inputSchema"))?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(invalid(format!(
                "The value at toolConfig.tools.{n}.toolSpec.inputSchema.json.type must be one of the following: object."
            )));
        }
        ask.tools.push(Tool {
            name: name.to_owned(),
            schema: schema.clone(),
        });
    }
    let Some(choice) = config.get("toolChoice") else {
        return Ok(());
    };
    let path = "toolConfig.toolChoice";
    ask.choice = match union(choice, &["auto", "any", "tool"], path)? {
        ("auto", empty) => object(empty, &[], "toolConfig.toolChoice.auto").map(|_| Choice::Auto)?,
        ("any", empty) => object(empty, &[], "toolConfig.toolChoice.any").map(|_| Choice::Any)?,
        (_, tool) => {
            let path = "toolConfig.toolChoice.tool";
            let name = string(object(tool, &["name"], path)?, "name", path)?;
            if !ask.tools.iter().any(|tool| tool.name == name) {
                return Err(model_error(&format!("Tool '{name}' not found in provided tools")));
            }
            Choice::Named(name.to_owned())
        }
    };
    Ok(())
}

pub(super) fn extra_fields(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(fields) = body.get("additionalModelRequestFields") else {
        return Ok(());
    };
    let Some(fields) = fields.as_object() else {
        return Err(wrong_shape("additionalModelRequestFields", "a document"));
    };
    if !ask.model().contains("anthropic") && !ask.model().contains("claude") {
        return Ok(());
    }
    if let Some(key) = fields.keys().find(|key| !CLAUDE_FIELDS.contains(&key.as_str())) {
        return Err(model_error(&format!("{key}: Extra inputs are not permitted")));
    }
    if fields.get("top_k").is_some_and(|value| !value.is_u64()) {
        return Err(model_error("top_k: Input should be a valid integer"));
    }
    if fields
        .get("tool_choice")
        .and_then(|choice| choice.get("disable_parallel_tool_use"))
        == Some(&Value::Bool(true))
    {
        ask.one_call = true;
    }
    let Some(thinking) = fields.get("thinking").or(fields.get("reasoning_config")) else {
        return Ok(());
    };
    match thinking.get("type").and_then(Value::as_str) {
        Some("disabled") => return Ok(()),
        Some("adaptive") => {}
        Some("enabled") => {
            let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
            let Some(budget) = budget else {
                return Err(model_error("thinking.enabled.budget_tokens: Field required"));
            };
            if budget < 1024 {
                return Err(model_error(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
                ));
            }
            // Without a limit of its own, Claude on Bedrock takes the model's.
            if ask.max_tokens.is_some_and(|limit| limit <= budget) {
                return Err(model_error(
                    "`max_tokens` must be greater than `thinking.budget_tokens`.",
                ));
            }
        }
        _ => {
            return Err(model_error(
                "thinking.type: Input should be 'enabled', 'adaptive' or 'disabled'",
            ));
        }
    }
    if matches!(ask.choice, Choice::Any | Choice::Named(_)) {
        return Err(model_error(
            "Thinking may not be enabled when tool_choice forces tool use.",
        ));
    }
    let temperature = body
        .get("inferenceConfig")
        .and_then(|config| config.get("temperature"));
    if temperature
        .and_then(Value::as_f64)
        .is_some_and(|value| value != 1.0)
    {
        return Err(model_error(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    if fields.contains_key("top_k") {
        return Err(model_error("`top_k` must be unset when thinking is enabled."));
    }
    ask.thinking = match thinking.get("display").and_then(Value::as_str) {
        _ if ask.model().contains("redacted") => Thinking::Redacted,
        Some("omitted") => Thinking::Omitted,
        _ => Thinking::Shown,
    };
    Ok(())
}

pub(super) fn output(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(config) = body.get("outputConfig") else {
        return Ok(());
    };
    let config = object(config, &["textFormat", "effort"], "outputConfig")?;
    let Some(format) = config.get("textFormat") else {
        return Ok(());
    };
    let path = "outputConfig.textFormat";
    let format = object(format, &["type", "structure"], path)?;
    if string(format, "type", path)? != "json_schema" {
        return Err(constraint(
            "",
            "outputConfig.textFormat.type",
            "Member must satisfy enum value set: [json_schema]",
        ));
    }
    let path = "outputConfig.textFormat.structure";
    let Some(structure) = format.get("structure") else {
        return Err(missing(path));
    };
    let (_, described) = union(structure, &["jsonSchema"], path)?;
    let path = "outputConfig.textFormat.structure.jsonSchema";
    let described = object(described, &["schema", "name", "description"], path)?;
    // The schema is JSON inside of a string.
    let wanted: Value = serde_json::from_str(string(described, "schema", path)?)
        .map_err(|_| invalid(format!("The schema at {path}.schema is not valid JSON.")))?;
    ask.format = Format::Json(schema::document(&wanted));
    Ok(())
}
