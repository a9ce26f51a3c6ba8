//! Gemini's `generationConfig`, tools and tool choice.

use std::collections::HashSet;

use serde_json::Value;

use super::object::{Object, invalid, list, object, string, wrong};
use crate::ask::{Ask, Choice, Format, Thinking, Tool};
use crate::provider::Refusal;
use crate::schema;

const CONFIG: &[&str] = &[
    "candidateCount",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
];

const TOOLS: &[&str] = &[
    "codeExecution",
    "computerUse",
    "fileSearch",
    "functionDeclarations",
    "googleMaps",
    "googleSearch",
    "urlContext",
];

pub(super) fn generation(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let path = "generation_config";
    let none = Value::Object(Object::default());
    let config = object(body.get("generationConfig").unwrap_or(&none), CONFIG, path)?;
    for (name, least, most) in [
        ("temperature", 0.0, 2.0),
        ("topP", 0.0, 1.0),
        ("presencePenalty", -2.0, 2.0),
        ("frequencyPenalty", -2.0, 2.0),
    ] {
        match config.get(name).map(|value| (value, value.as_f64())) {
            None => {}
            Some((_, Some(number))) if (least..=most).contains(&number) => {}
            Some((value, _)) => return Err(wrong(&format!("{path}.{name}"), value)),
        }
    }
    let recent = ["gemini-3.5", "gemini-3.7", "gemini-3.8"];
    if recent.iter().any(|id| ask.model().contains(id))
        && (config.contains_key("presencePenalty") || config.contains_key("frequencyPenalty"))
    {
        return Err(invalid("Penalty is not enabled for this model"));
    }
    for (name, least, most) in [
        ("topK", 1, 1_000),
        ("candidateCount", 1, 8),
        ("maxOutputTokens", 1, 10_000_000),
        ("logprobs", 1, 20),
        ("seed", i64::from(i32::MIN), i64::from(i32::MAX)),
    ] {
        match config.get(name).map(|value| (value, value.as_i64())) {
            None => {}
            Some((_, Some(number))) if (least..=most).contains(&number) => {}
            Some((value, _)) => return Err(wrong(&format!("{path}.{name}"), value)),
        }
    }
    if config.contains_key("logprobs") && config.get("responseLogprobs") != Some(&Value::Bool(true)) {
        return Err(invalid("logprobs is only valid if response_logprobs is true"));
    }
    ask.max_tokens = config.get("maxOutputTokens").and_then(Value::as_u64);
    ask.copies = config.get("candidateCount").and_then(Value::as_u64).unwrap_or(1);
    stops(config, ask)?;
    for kind in config
        .get("responseModalities")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if !matches!(kind.as_str(), Some("TEXT" | "IMAGE" | "AUDIO")) {
            return Err(wrong("generation_config.response_modalities", kind));
        }
    }
    if let Some(image) = config.get("imageConfig") {
        object(
            image,
            &["aspectRatio", "imageSize"],
            "generation_config.image_config",
        )?;
    }
    thinking(config, ask)?;
    format(config, ask)
}

fn stops(config: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let Some(stops) = config.get("stopSequences") else {
        return Ok(());
    };
    let path = "generation_config.stop_sequences";
    let stops = list(stops, path)?;
    if stops.len() > 5 {
        return Err(invalid("The number of stop sequences must be at most 5."));
    }
    for stop in stops {
        match stop.as_str() {
            Some(text) if !text.is_empty() => ask.stop.push(text.to_owned()),
            _ => return Err(wrong(path, stop)),
        }
    }
    Ok(())
}

fn thinking(config: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let newest = ask.model().contains("gemini-3");
    let Some(thinking) = config.get("thinkingConfig") else {
        if newest {
            ask.thinking = Thinking::Hidden;
        }
        return Ok(());
    };
    let known = ["includeThoughts", "thinkingBudget", "thinkingLevel"];
    let thinking = object(thinking, &known, "generation_config.thinking_config")?;
    if !newest && !ask.model().contains("gemini-2.5") {
        return Err(invalid("Thinking is not enabled for this model."));
    }
    let (budget, level) = (thinking.get("thinkingBudget"), thinking.get("thinkingLevel"));
    if budget.is_some() && level.is_some() {
        return Err(invalid(
            "You can only set only one of thinking budget and thinking level.",
        ));
    }
    if let Some(level) = level {
        let minimal = ["flash-lite", "gemini-3-flash"]
            .iter()
            .any(|id| ask.model().contains(id));
        match level.as_str() {
            _ if !newest => return Err(invalid("Thinking level is not supported for this model.")),
            Some("low" | "high") => {}
            Some("medium") if !ask.model().contains("gemini-3-pro") => {}
            Some("minimal") if minimal => {}
            Some(name) if ["minimal", "medium"].contains(&name) => {
                return Err(invalid(format!(
                    "Thinking level {} is not supported for this model. Please retry with other thinking level.",
                    name.to_uppercase()
                )));
            }
            _ => return Err(wrong("generation_config.thinking_config.thinking_level", level)),
        }
    }
    let flash = ask.model().contains("flash");
    if let Some(budget) = budget {
        let tokens = budget.as_i64();
        let most = if flash { 24_576 } else { 32_768 };
        match tokens {
            Some(0) if !flash => {
                return Err(invalid(
                    "Budget 0 is invalid. This model only works in thinking mode.",
                ));
            }
            Some(-1 | 0) => {}
            Some(tokens) if (1..=most).contains(&tokens) && (flash || tokens >= 128) => {}
            _ => {
                return Err(invalid(format!(
                    "The thinking budget {budget} is invalid. Please choose a value between {} and {most}.",
                    if flash { 0 } else { 128 }
                )));
            }
        }
    }
    let off = budget.and_then(Value::as_i64) == Some(0);
    ask.thinking = match thinking.get("includeThoughts") {
        _ if off => Thinking::Off,
        Some(Value::Bool(true)) => Thinking::Shown,
        _ => Thinking::Hidden,
    };
    Ok(())
}

fn format(config: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let wanted = config.get("responseJsonSchema").or(config.get("responseSchema"));
    match config.get("responseMimeType").map(|kind| (kind, kind.as_str())) {
        None | Some((_, Some("text/plain"))) if wanted.is_some() => Err(invalid(
            "Setting response schema requires response_mime_type to be application/json",
        )),
        None | Some((_, Some("text/plain"))) => Ok(()),
        Some((_, Some("application/json"))) => {
            let any = Value::Object(Object::default());
            let wanted = wanted.unwrap_or(&any);
            if !wanted.is_object() {
                return Err(wrong("generation_config.response_json_schema", wanted));
            }
            ask.format = Format::Json(schema::document(wanted));
            Ok(())
        }
        Some((kind, _)) => Err(wrong("generation_config.response_mime_type", kind)),
    }
}

pub(super) fn tools(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let offered = body
        .get("tools")
        .map_or(Ok([].as_slice()), |tools| list(tools, "tools"))?;
    let mut declared = HashSet::new();
    for (n, tool) in offered.iter().enumerate() {
        let path = format!("tools[{n}]");
        let tool = object(tool, TOOLS, &path)?;
        let Some(functions) = tool.get("functionDeclarations") else {
            // Tools that the provider runs itself are taken and not used.
            continue;
        };
        for (n, function) in list(functions, &path)?.iter().enumerate() {
            let path = format!("{path}.function_declarations[{n}]");
            let tool = declaration(function, &path)?;
            if !declared.insert(tool.name.clone()) {
                let message = format!("Duplicate function declaration found: {}", tool.name);
                return Err(invalid(message));
            }
            ask.tools.push(tool);
        }
    }
    let Some(config) = body.get("toolConfig") else {
        return Ok(());
    };
    let config = object(
        config,
        &["functionCallingConfig", "retrievalConfig"],
        "tool_config",
    )?;
    let Some(calling) = config.get("functionCallingConfig") else {
        return Ok(());
    };
    let path = "tool_config.function_calling_config";
    let calling = object(calling, &["mode", "allowedFunctionNames"], path)?;
    if ask.tools.is_empty() {
        return Err(invalid(
            "Function calling config is set without function_declarations.",
        ));
    }
    let mode = string(calling, "mode", path)?;
    let names = calling.get("allowedFunctionNames").and_then(Value::as_array);
    if names.is_some() && mode != "ANY" && mode != "VALIDATED" {
        return Err(invalid(
            "allowed_function_names should be set only when mode is ANY or VALIDATED.",
        ));
    }
    let mut allowed = None;
    for name in names.into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if !declared.contains(name) {
            return Err(invalid(format!("Function {name} is not declared.")));
        }
        allowed = Some(name.to_owned());
    }
    ask.choice = match (mode, allowed) {
        ("AUTO" | "VALIDATED", _) => Choice::Auto,
        ("NONE", _) => Choice::Never,
        ("ANY", None) => Choice::Any,
        ("ANY", Some(name)) => Choice::Named(name),
        _ => return Err(wrong(&format!("{path}.mode"), &Value::from(mode))),
    };
    Ok(())
}

fn declaration(function: &Value, path: &str) -> Result<Tool, Refusal> {
    let known = [
        "name",
        "description",
        "behavior",
        "parameters",
        "parametersJsonSchema",
        "response",
        "responseJsonSchema",
    ];
    let function = object(function, &known, path)?;
    let name = string(function, "name", path)?;
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if !starts || name.len() > 128 || !name.chars().all(fits) {
        return Err(invalid(format!(
            "{path}.name: Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128."
        )));
    }
    let empty = Value::Object(Object::default());
    let wanted = function.get("parametersJsonSchema").unwrap_or(&empty);
    let kind = wanted.get("type").and_then(Value::as_str);
    if function.contains_key("parametersJsonSchema") && kind != Some("object") {
        return Err(invalid(format!(
            "{path}.parameters_json_schema: the schema of a function's parameters should be of type object"
        )));
    }
    Ok(Tool {
        name: name.to_owned(),
        schema: wanted.clone(),
    })
}
