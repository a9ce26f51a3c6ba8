//! The tokens of the tools that a model may call.

use super::TokenCounter;
use crate::chat::{FunctionTool, Request, Tool};
use crate::json::{self, Members, Shape, Str, shape};
use serde_json::value::RawValue;

/// What the properties of an object add to their texts, together.
/// <https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken>, as for the two below.
const PER_PROPERTIES: u64 = 3;
/// What a property adds. One with an `enum` adds nothing: three fewer.
const PER_PROPERTY: u64 = 3;
/// What each value of an `enum` adds.
const PER_VALUE: u64 = 3;
/// How deep a schema is read. What is deeper counts as JSON.
const DEPTH: usize = 8;

/// Feeds the texts of the tools to `counter`, and returns the tokens beyond them.
///
/// How a function is written for the model is known for OpenAI's models alone. For any other, and of tools that are no
/// functions, the JSON text counts.
pub(super) fn feed(request: &Request, counter: &mut TokenCounter) -> u64 {
    let Some(json) = request.raw("tools") else {
        return 0;
    };
    // Tools that cannot be read are the provider's to judge.
    let tools = counter
        .per_function()
        .and_then(|per_function| Some((per_function, request.tools().ok()?)));
    let Some((per_function, tools)) = tools else {
        counter.feed(json);
        return 0;
    };
    let mut extra = 0;
    for tool in &tools {
        extra += match tool {
            Tool::Function(function) => per_function + feed_function(function, counter),
            Tool::Other { raw, .. } => feed_json(raw, counter),
        };
    }
    extra
}

fn feed_json(raw: &RawValue, counter: &mut TokenCounter) -> u64 {
    counter.feed(raw.get());
    counter.end_text();
    0
}

/// One text of several, with colons between them.
fn feed_line(counter: &mut TokenCounter, texts: &[&str]) {
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            counter.feed(":");
        }
        counter.feed(text);
    }
    counter.end_text();
}

fn without_dot(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

fn feed_function(function: &FunctionTool<'_>, counter: &mut TokenCounter) -> u64 {
    let description = function.description.as_deref().unwrap_or_default();
    feed_line(counter, &[&function.name, without_dot(description)]);
    function
        .parameters
        .map_or(0, |schema| feed_properties(&Members::of(schema), counter, DEPTH))
}

/// The documented formula knows the properties of the parameters. Those of objects inside them count alike here.
fn feed_properties(schema: &Members<'_>, counter: &mut TokenCounter, depth: usize) -> u64 {
    let Some(properties) = schema.get("properties") else {
        return 0;
    };
    if depth == 0 {
        return feed_json(properties, counter);
    }
    let mut extra = 0;
    for (name, property) in json::members(properties.get()) {
        extra = extra.max(PER_PROPERTIES);
        extra += feed_property(&name, property, counter, depth - 1);
    }
    extra
}

fn feed_property(name: &str, raw: &RawValue, counter: &mut TokenCounter, depth: usize) -> u64 {
    let property = Members::of(raw);
    let Some(kind) = property.get("type") else {
        // A choice between schemas, a reference to one, or none.
        feed_line(counter, &[name, raw.get()]);
        return PER_PROPERTY;
    };
    let description = property.text("description").unwrap_or_default();
    feed_line(counter, &[name, &plain(kind), without_dot(&description)]);
    let mut count = 0;
    for value in property.items("enum") {
        counter.feed(&plain(value));
        counter.end_text();
        count += 1;
    }
    let own = match count {
        0 => PER_PROPERTY,
        count => PER_VALUE * count,
    };
    let items = property.get("items").map(Members::of).unwrap_or_default();
    own + feed_properties(&property, counter, depth) + feed_properties(&items, counter, depth)
}

/// A string's text, and of any other value its JSON.
fn plain(raw: &RawValue) -> Str<'_> {
    match shape(raw) {
        // A string of half a surrogate pair has no text.
        Shape::String => serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().into()),
        _ => raw.get().into(),
    }
}

#[cfg(test)]
#[cfg(feature = "tokenizer")]
mod tests {
    use super::*;
    use crate::test;

    /// What tools add, texts included.
    fn tokens(name: &str, tools: &str) -> u64 {
        let body = format!(r#"{{"tools":{tools}}}"#);
        let request = Request::parse(body.into_bytes()).unwrap();
        let mut counter = TokenCounter::of(&[name]);
        let extra = feed(&request, &mut counter);
        extra + counter.count()
    }

    fn with_property(property: &str) -> String {
        format!(
            r#"[{{"type":"function","function":{{"name":"f","parameters":{{"properties":{{"a":{property}}}}}}}}}]"#
        )
    }

    #[test]
    fn a_property_counts_with_all_that_it_holds() {
        let plain = tokens("gpt-4o", &with_property(r#"{"type":"string"}"#));
        for (property, more) in [
            (r#"{"type":"string","description":"word."}"#, 1),
            // A property less, and two values of a token each.
            (r#"{"type":"string","enum":["one","two"]}"#, 8 - 3),
            (r#"{"type":"number","enum":[1,null]}"#, 8 - 3),
            // `a:object:` and `a:array:` are four tokens, `a:string:` three.
            (
                r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
                PER_PROPERTIES + PER_PROPERTY + 4,
            ),
            (
                r#"{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"}}}}"#,
                PER_PROPERTIES + PER_PROPERTY + 4,
            ),
            (r#"{"type":"array","items":{"type":"string"}}"#, 1),
        ] {
            assert_eq!(
                tokens("gpt-4o", &with_property(property)),
                plain + more,
                "{property}"
            );
        }
        for property in ["{}", "7", r#"{"anyOf":[]}"#, r#"{"type":["string","null"]}"#] {
            assert!(
                tokens("gpt-4o", &with_property(property)) > 19 + 3 + 3,
                "{property}"
            );
        }
    }

    #[test]
    fn what_is_no_function_or_of_no_known_model_counts_as_json() {
        let json = |name: &str, text: &str| {
            let mut counter = TokenCounter::of(&[name]);
            counter.feed(text);
            counter.count()
        };
        let other = r#"[{"type":"web_search","x":[1,2,3]}]"#;
        assert_eq!(
            tokens("gpt-4o", other),
            json("gpt-4o", other.trim_matches(['[', ']']))
        );
        for (name, tools) in [
            ("gpt-4o", r#"[{"type":"function"}]"#),
            ("gpt-4o", r#"{"a":1}"#),
            ("claude-sonnet-4-5", &*with_property("{}")),
        ] {
            assert_eq!(tokens(name, tools), json(name, tools), "{name}: {tools}");
        }
        assert_eq!(tokens("gpt-4o", "[]"), 0);
    }

    #[test]
    fn a_schema_may_be_of_any_depth() {
        let mut property = r#"{"type":"string"}"#.to_owned();
        for _ in 0..200 {
            property = format!(r#"{{"type":"object","properties":{{"a":{property}}}}}"#);
        }
        assert!(tokens("gpt-4o", &with_property(&property)) > 1_000);
    }
}
