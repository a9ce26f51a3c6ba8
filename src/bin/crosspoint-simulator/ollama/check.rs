//! What Ollama refuses, and what it passes over in silence: a gateway should not lean on that, so unknown members are
//! refused here. Members from `api/types.go`.

use serde_json::{Map, Value, json};

use crate::ask::{Ask, Choice, Format, Image, Thinking, Tool};
use crate::provider::{Call, Refusal};
use crate::seed::decoded_len;
use crate::waiting::Waiting;

type Object = Map<String, Value>;

const KNOWN: &[&str] = &[
    "format",
    "keep_alive",
    "logprobs",
    "messages",
    "model",
    "options",
    "shift",
    "stream",
    "think",
    "tools",
    "top_logprobs",
    "truncate",
];
const NUMBERS: &[&str] = &[
    "draft_num_predict",
    "frequency_penalty",
    "main_gpu",
    "min_p",
    "num_batch",
    "num_ctx",
    "num_gpu",
    "num_keep",
    "num_predict",
    "num_thread",
    "presence_penalty",
    "repeat_last_n",
    "repeat_penalty",
    "seed",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
];

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "", message)
}

fn object<'a>(value: &'a Value, known: &[&str], path: &str) -> Result<&'a Object, Refusal> {
    let wrong = || invalid(format!("json: cannot unmarshal {path} into an object"));
    let object = value.as_object().ok_or_else(wrong)?;
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(invalid(format!("json: unknown field {path}.{name}"))),
        None => Ok(object),
    }
}

fn text<'a>(object: &'a Object, name: &str, path: &str) -> Result<&'a str, Refusal> {
    let wrong = || {
        invalid(format!(
            "json: cannot unmarshal {path}.{name} into Go value of type string"
        ))
    };
    match object.get(name) {
        None => Ok(""),
        Some(value) => value.as_str().ok_or_else(wrong),
    }
}

/// Checks a request and frees it of its dialect.
pub(super) fn read(call: &Call<'_>) -> Result<Ask, Refusal> {
    if call.path != "/api/chat" || call.query.is_some() {
        return Err(Refusal::new(404, "", "404 page not found"));
    }
    if call.method != "POST" {
        return Err(Refusal::new(405, "", "405 method not allowed"));
    }
    let key = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    if key != Some(call.keys.get("ollama")) {
        return Err(Refusal::new(401, "", "unauthorized"));
    }
    let body: Value = serde_json::from_slice(call.body).map_err(|error| invalid(error.to_string()))?;
    let body = object(&body, KNOWN, "ChatRequest")?;
    let mut ask = Ask {
        id: text(body, "model", "ChatRequest")?.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(true),
        copies: 1,
        ..Ask::default()
    };
    if ask.id.is_empty() {
        return Err(invalid("model is required"));
    }
    ask.thinking = match body.get("think") {
        None | Some(Value::Null | Value::Bool(false)) => Thinking::Off,
        Some(Value::Bool(true)) => Thinking::Shown,
        Some(Value::String(level)) if ["low", "medium", "high", "max"].contains(&level.as_str()) => {
            Thinking::Shown
        }
        Some(other) => {
            return Err(invalid(format!(
                "invalid think value: {other} (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"
            )));
        }
    };
    options(body, &mut ask)?;
    tools(body, &mut ask)?;
    messages(body, &mut ask)?;
    ask.format = match body.get("format") {
        None => Format::Text,
        Some(Value::String(word)) if word == "json" => Format::Json(json!({"said": "something"})),
        Some(schema @ Value::Object(_)) => Format::Json(crate::schema::document(schema)),
        Some(other) => {
            return Err(invalid(format!(
                "invalid format: {other}; expected \"json\" or a valid JSON Schema object"
            )));
        }
    };
    Ok(ask)
}

fn options(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let none = Object::new();
    let options = body.get("options").and_then(Value::as_object).unwrap_or(&none);
    for (name, value) in options {
        let sound = match name.as_str() {
            "stop" => value
                .as_array()
                .is_some_and(|stops| stops.iter().all(Value::is_string)),
            "use_mmap" => value.is_boolean(),
            name if NUMBERS.contains(&name) => value.is_number(),
            _ => return Err(invalid(format!("invalid option provided: {name}"))),
        };
        if !sound {
            return Err(invalid(format!("option \"{name}\" is of the wrong type")));
        }
    }
    ask.max_tokens = options.get("num_predict").and_then(Value::as_u64);
    let stops = options.get("stop").and_then(Value::as_array);
    ask.stop = stops
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    Ok(())
}

fn tools(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let tools = body.get("tools").and_then(Value::as_array);
    for (n, tool) in tools.into_iter().flatten().enumerate() {
        let path = format!("tools[{n}]");
        let tool = object(tool, &["type", "function"], &path)?;
        let function = tool.get("function").unwrap_or(&Value::Null);
        let function = object(function, &["name", "description", "parameters"], &path)?;
        let name = text(function, "name", &path)?;
        // Ollama takes any name; the tests of all providers share one that is refused.
        if name.is_empty() || name.contains(' ') {
            return Err(invalid(format!("{path}: invalid function name")));
        }
        ask.tools.push(Tool {
            name: name.to_owned(),
            schema: function.get("parameters").cloned().unwrap_or_default(),
        });
    }
    // Of a single tool it cannot be known whether it was forced.
    ask.choice = Choice::Auto;
    Ok(())
}

fn messages(body: &Object, ask: &mut Ask) -> Result<(), Refusal> {
    let messages = body.get("messages").and_then(Value::as_array);
    let Some(messages) = messages.filter(|messages| !messages.is_empty()) else {
        return Err(invalid("the simulator loads no models: send messages"));
    };
    ask.messages = messages.len() as u64;
    // Calls by id and name.
    let mut open = Waiting::default();
    for (n, message) in messages.iter().enumerate() {
        let path = format!("messages[{n}]");
        let known = [
            "role",
            "content",
            "thinking",
            "images",
            "tool_calls",
            "tool_name",
            "tool_call_id",
        ];
        let message = object(message, &known, &path)?;
        let said = text(message, "content", &path)?.to_owned();
        ask.read(&said);
        let images = message.get("images").and_then(Value::as_array);
        for image in images.into_iter().flatten() {
            let len = image.as_str().and_then(decoded_len);
            let len = len.ok_or_else(|| invalid(format!("{path}.images: illegal base64 data")))?;
            // Ollama is told no media type; it looks at the bytes.
            let media_type = "image/png".to_owned();
            ask.images.push(Image::Bytes { media_type, len });
        }
        match text(message, "role", &path)? {
            "system" => {}
            "user" => {
                ask.user_text = said;
                ask.tool_results.clear();
            }
            "assistant" => {
                ask.tool_results.clear();
                open = calls(message, &path)?;
            }
            "tool" => {
                let id = text(message, "tool_call_id", &path)?;
                let name = text(message, "tool_name", &path)?;
                if !open.answer(&(id, name)) {
                    return Err(invalid(format!(
                        "{path}: no call {id} of {name} waits for a result"
                    )));
                }
                ask.tool_results.push(said);
            }
            other => return Err(invalid(format!("invalid role: {other}"))),
        }
    }
    Ok(())
}

fn calls<'a>(message: &'a Object, path: &str) -> Result<Waiting<(&'a str, &'a str)>, Refusal> {
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let mut open = Waiting::default();
    for call in calls.into_iter().flatten() {
        let call = object(call, &["id", "function"], path)?;
        let function = call.get("function").unwrap_or(&Value::Null);
        let function = object(function, &["index", "name", "arguments"], path)?;
        if !function.get("arguments").is_some_and(Value::is_object) {
            return Err(invalid(format!(
                "{path}: cannot unmarshal arguments into an object"
            )));
        }
        open.add((text(call, "id", path)?, text(function, "name", path)?));
    }
    Ok(open)
}
