//! Holds receipts to their JSON Schema. Only what that schema uses is known here; the end-to-end tests read it by a whole
//! implementation of JSON Schema.

use serde_json::Value;
use std::sync::LazyLock;

/// The schema that operators get.
static RECEIPT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../envoy/receipt.schema.json")).unwrap());

/// Fails a test unless this is a receipt.
pub(crate) fn check_receipt(receipt: &[u8]) {
    let value = serde_json::from_slice(receipt).unwrap();
    if let Err(problem) = check(&value, &RECEIPT, &RECEIPT) {
        panic!("{problem}\n{}", String::from_utf8_lossy(receipt));
    }
}

fn check(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    for (word, rule) in schema.as_object().unwrap() {
        let fits = match word.as_str() {
            "$ref" => {
                let target = rule.as_str().unwrap().trim_start_matches('#');
                check(value, root.pointer(target).unwrap(), root)?;
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_u64(),
                other => panic!("type {other} is not known here"),
            },
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_u64() >= rule.as_u64(),
            "maximum" => value.as_u64() <= rule.as_u64(),
            "pattern" => matches(value.as_str().unwrap(), rule.as_str().unwrap()),
            "required" => {
                let names = rule.as_array().unwrap().iter();
                names
                    .map(|name| name.as_str().unwrap())
                    .all(|name| value.get(name).is_some())
            }
            "properties" => {
                for (name, value) in value.as_object().unwrap() {
                    let schema = rule.get(name).ok_or(format!("{name} is not in the schema"))?;
                    check(value, schema, root).map_err(|problem| format!("{name}: {problem}"))?;
                }
                true
            }
            "items" => {
                for value in value.as_array().unwrap() {
                    check(value, rule, root)?;
                }
                true
            }
            // Members that are not named are refused under `properties`.
            "additionalProperties" => rule == false,
            "$schema" | "$defs" | "title" | "description" => true,
            other => panic!("{other} is not known here"),
        };
        if !fits {
            return Err(format!("{value} does not fit {word} {rule}"));
        }
    }
    Ok(())
}

/// The three patterns of the schema.
fn matches(text: &str, pattern: &str) -> bool {
    match pattern {
        "^gen-" => text.starts_with("gen-"),
        "^[a-z_]+$" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
        "^[0-9]+([.][0-9]{1,12})?$" => {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            match text.split_once('.') {
                Some((whole, decimals)) => digits(whole) && digits(decimals) && decimals.len() <= 12,
                None => digits(text),
            }
        }
        other => panic!("the pattern {other} is not known here"),
    }
}
