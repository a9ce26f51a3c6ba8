//! Small JSON documents that fit a JSON schema: arguments of tool calls and structured output.
//!
//! Covers what the providers' strict modes allow: types, `enum`, `const`, `required`, `$ref` inside the document,
//! `anyOf`/`oneOf`/`allOf`, length and number limits, common formats. `pattern` is not solved.

use serde_json::{Map, Value, json};

/// Deeper than any real schema; a recursive one ends here.
const DEPTH: usize = 24;

/// A minimal document for structured output.
pub(crate) fn document(schema: &Value) -> Value {
    Walk {
        root: schema,
        spicy: false,
    }
    .value(schema, "value", DEPTH)
}

/// Arguments of a tool call: the required properties. Strings hold quotes, an accent and a line break, so that
/// escapes and multi-byte characters get cut by fragments.
pub(crate) fn arguments(schema: &Value) -> Value {
    match (Walk {
        root: schema,
        spicy: true,
    })
    .value(schema, "value", DEPTH)
    {
        Value::Object(object) => Value::Object(object),
        _ => json!({}),
    }
}

struct Walk<'a> {
    root: &'a Value,
    spicy: bool,
}

impl Walk<'_> {
    fn value(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let Some(object) = schema.as_object() else {
            return json!(name);
        };
        if depth == 0 {
            return Value::Null;
        }
        if let Some(value) = object.get("const") {
            return value.clone();
        }
        if let Some(first) = object
            .get("enum")
            .and_then(Value::as_array)
            .and_then(|all| all.first())
        {
            return first.clone();
        }
        if let Some(target) = object.get("$ref").and_then(Value::as_str) {
            let found = target
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer));
            return found.map_or(Value::Null, |found| self.value(found, name, depth - 1));
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(options) = object.get(key).and_then(Value::as_array) {
                // A branch that recurses is left for later: the first that is not a reference is the smallest.
                let plain = options.iter().find(|option| option.get("$ref").is_none());
                return plain
                    .or(options.first())
                    .map_or(Value::Null, |first| self.value(first, name, depth - 1));
            }
        }
        if let Some(all) = object.get("allOf").and_then(Value::as_array) {
            return self.merged(all, name, depth);
        }
        match kind(object) {
            "object" => self.object(object, depth),
            "array" => self.array(object, name, depth),
            "string" => Value::String(self.string(object, name)),
            "integer" | "number" => number(object),
            "boolean" => json!(false),
            _ => Value::Null,
        }
    }

    fn merged(&self, all: &[Value], name: &str, depth: usize) -> Value {
        let mut merged = Map::new();
        let mut last = Value::Null;
        for part in all {
            match self.value(part, name, depth - 1) {
                Value::Object(object) => merged.extend(object),
                other => last = other,
            }
        }
        if merged.is_empty() {
            last
        } else {
            Value::Object(merged)
        }
    }

    fn object(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let required = schema.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields = names.map(|name| {
            let property = properties.and_then(|all| all.get(name)).unwrap_or(&Value::Null);
            (name.to_owned(), self.value(property, name, depth - 1))
        });
        Value::Object(fields.collect())
    }

    fn array(&self, schema: &Map<String, Value>, name: &str, depth: usize) -> Value {
        let least = schema
            .get("minItems")
            .and_then(Value::as_u64)
            .unwrap_or(0)
            .min(64);
        let item = schema.get("items").unwrap_or(&Value::Null);
        (0..least).map(|_| self.value(item, name, depth - 1)).collect()
    }

    fn string(&self, schema: &Map<String, Value>, name: &str) -> String {
        let limit = |key: &str| {
            schema
                .get(key)
                .and_then(Value::as_u64)
                .and_then(|n| usize::try_from(n).ok())
        };
        match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => return "2026-01-02T03:04:05Z".to_owned(),
            Some("date") => return "2026-01-02".to_owned(),
            Some("time") => return "03:04:05Z".to_owned(),
            Some("email") => return "someone@example.com".to_owned(),
            Some("uri") => return "https://example.com/".to_owned(),
            Some("uuid") => return "00000000-0000-4000-8000-000000000000".to_owned(),
            Some("ipv4") => return "192.0.2.1".to_owned(),
            _ => {}
        }
        let mut text = if self.spicy {
            format!("{name} \"é\"\n")
        } else {
            name.to_owned()
        };
        let least = limit("minLength").unwrap_or(0).min(4096);
        while text.chars().count() < least {
            text.push('x');
        }
        text.chars()
            .take(limit("maxLength").unwrap_or(usize::MAX))
            .collect()
    }
}

fn kind(schema: &Map<String, Value>) -> &str {
    let named = match schema.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null"),
        _ => None,
    };
    named.unwrap_or_else(|| {
        if schema.contains_key("properties") {
            "object"
        } else if schema.contains_key("items") {
            "array"
        } else {
            "null"
        }
    })
}

fn number(schema: &Map<String, Value>) -> Value {
    let whole = kind(schema) == "integer";
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    let step = limit("multipleOf").unwrap_or(if whole { 1.0 } else { 0.5 });
    let low = limit("minimum").or(limit("exclusiveMinimum").map(|low| low + step));
    let high = limit("maximum").or(limit("exclusiveMaximum").map(|high| high - step));
    let value = match (low, high) {
        (Some(low), _) => (low / step).ceil() * step,
        (None, Some(high)) if high < 1.0 => (high / step).floor() * step,
        _ => 1.0_f64.max(step),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an integer schema's limits are integers"
    )]
    let rounded = value as i64;
    if whole { json!(rounded) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_properties_are_filled() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": "integer", "minimum": 3},
                "tags": {"type": "array", "items": {"type": "boolean"}, "minItems": 2}, "skip": {"type": "string"},
                "maybe": {"type": ["null", "number"]}, "when": {"type": "string", "format": "date"}
            },
            "required": ["city", "unit", "days", "tags", "maybe", "when"]
        });
        let expected = json!({
            "city": "city", "unit": "c", "days": 3, "tags": [false, false], "maybe": 1.0, "when": "2026-01-02"
        });
        assert_eq!(document(&schema), expected);
        assert_eq!(arguments(&schema)["city"], "city \"é\"\n");
    }

    #[test]
    fn references_are_followed_and_recursion_ends() {
        let schema = json!({
            "$defs": {"node": {"type": "object", "required": ["next"], "properties": {
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}},
            "$ref": "#/$defs/node"
        });
        assert_eq!(document(&schema), json!({"next": null}));
        let endless = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}});
        assert!(document(&endless).is_object());
    }

    #[test]
    fn arguments_are_always_an_object() {
        assert_eq!(arguments(&json!({"type": "object"})), json!({}));
        assert_eq!(arguments(&json!(true)), json!({}));
    }
}
