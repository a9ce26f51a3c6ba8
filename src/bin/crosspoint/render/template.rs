//! Fills YAML templates. Knows YAML's quoting and indentation, and nothing of Envoy.

use serde_json::Value;
use std::fmt::Write as _;

/// Puts values where `template` says `${name}`.
///
/// A name alone on its line takes a block of lines, all indented as it was; an empty block leaves no line. What was
/// put in is not looked at again. A name without a value stays as it is, which a test would see.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    for line in template.lines() {
        let content = line.trim_start();
        let (indent, _) = line
            .split_at_checked(line.len() - content.len())
            .unwrap_or_default();
        let alone = content.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match alone.and_then(|name| value(values, name)) {
            Some(block) => {
                for inner in block.lines() {
                    let indent = if inner.is_empty() { "" } else { indent };
                    // Writing to a String cannot fail.
                    let _ = writeln!(out, "{indent}{inner}");
                }
            }
            None => {
                fill_line(&mut out, line, values);
                out.push('\n');
            }
        }
    }
    out
}

fn fill_line(out: &mut String, line: &str, values: &[(&str, &str)]) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let filled = after
            .split_once('}')
            .and_then(|(name, behind)| Some((value(values, name)?, behind)));
        match filled {
            Some((value, behind)) => {
                out.push_str(value);
                rest = behind;
            }
            None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

fn value<'v>(values: &[(&str, &'v str)], name: &str) -> Option<&'v str> {
    values
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

/// `text` as a YAML scalar that is this string and nothing else.
pub(super) fn scalar(text: &str) -> String {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if starts && plain && !words.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// `value` as JSON in ASCII, which may stand in a YAML block of lines whatever its strings hold. What fits stays on one
/// line.
pub(super) fn json(value: &Value) -> String {
    let mut out = String::new();
    lay_out(value, 0, &mut out);
    out
}

fn lay_out(value: &Value, depth: usize, out: &mut String) {
    const WIDTH: usize = 100;
    let line = one_line(value);
    let members: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (format!("{}: ", ascii(name)), value))
            .collect(),
        Value::Array(items) => items.iter().map(|value| (String::new(), value)).collect(),
        _ => Vec::new(),
    };
    if members.is_empty() || line.len() + 2 * depth <= WIDTH {
        out.push_str(&line);
        return;
    }
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    out.push(open);
    for (index, (name, member)) in members.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        out.push_str(name);
        lay_out(member, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let members: Vec<_> = map
                .iter()
                .map(|(name, value)| format!("{}: {}", ascii(name), one_line(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        Value::String(text) => ascii(text),
        _ => value.to_string(),
    }
}

/// A JSON string without any character that YAML could take for a line break.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for c in Value::from(text).to_string().chars() {
        if (' '..='~').contains(&c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// A duration as protobuf writes it in JSON.
pub(super) fn seconds(ms: u64) -> String {
    match ms % 1_000 {
        0 => format!("{}s", ms / 1_000),
        rest => format!("{}.{rest:03}s", ms / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_take_the_indentation_of_their_place() {
        let values = [("a", "x: 1\n\ny:\n  z: 2"), ("b", "v${a}"), ("none", "")];
        assert_eq!(
            fill("k:\n  ${a}\n  ${none}\nb: <${b}> ${c}", &values),
            "k:\n  x: 1\n\n  y:\n    z: 2\nb: <v${a}> ${c}\n"
        );
    }

    #[test]
    fn a_scalar_is_the_same_string_when_read_back() {
        for text in [
            "a",
            "api.openai.com",
            "/dev/stdout",
            "",
            "no",
            "Null",
            "1",
            "1.5",
            "a: b",
            "#",
            "-",
            "ü\u{2028}🦀",
            "a\"\\\n\t\u{7f}",
        ] {
            let read: Value = serde_saphyr::from_str(&format!("k: {}", scalar(text))).unwrap();
            assert_eq!(read["k"], text, "{text:?}");
        }
    }

    #[test]
    fn json_stays_the_same_in_a_block_of_lines() {
        let long = "x".repeat(100);
        let value = serde_json::json!({ "a": ["ü\u{2028}🦀\u{85}\n", "${b}", {}, []], "ü": { "b": 1.5, "long": [long] } });
        let yaml = fill("k: |\n  ${json}", &[("json", &json(&value))]);
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        let again: Value = serde_json::from_str(read["k"].as_str().unwrap()).unwrap();
        assert_eq!(again, value);
    }

    #[test]
    fn durations_keep_their_milliseconds() {
        assert_eq!(seconds(600_000), "600s");
        assert_eq!(seconds(1_050), "1.050s");
    }
}
