//! What a request without messages gives the model to read: the `input` of embeddings, the `prompt` of completions.

use super::message::Part;
use super::request::Request;
use crate::error::Error;
use crate::json::{self, Members, Shape, Str};
use serde_json::value::RawValue;

/// One thing to embed or to continue.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A text.
    Text(Str<'a>),
    /// So many tokens of a tokenizer that the caller and the model share.
    Tokens(usize),
    /// Text, images and whatever else, together one input.
    Parts(Vec<Part<'a>>),
}

impl Request {
    /// The inputs: a text, tokens, or an object with a `content` of parts; or an array of such.
    ///
    /// # Errors
    /// Says which input, and what was wrong with it.
    pub fn inputs(&self) -> Result<Vec<Input<'_>>, Error> {
        let name = self.operation().prompt();
        let Some(raw) = self.get::<&RawValue>(name)? else {
            return Err(Error::invalid(format!("{name}: missing")));
        };
        if json::shape(raw) != Shape::Array {
            return Ok(vec![input(name, raw)?]);
        }
        if begins_with_number(raw) {
            return Ok(vec![Input::Tokens(json::items(raw.get()).count())]);
        }
        // Of several that are wrong the first is named, and the others are not looked at.
        let each = json::items(raw.get()).enumerate();
        let inputs = each.map(|(at, raw)| input(&format!("{name}[{at}]"), raw));
        match inputs.collect::<Result<Vec<_>, _>>() {
            Ok(inputs) if inputs.is_empty() => {
                Err(Error::invalid(format!("{name}: empty; give at least one text")))
            }
            inputs => inputs,
        }
    }
}

/// Whether the first item of an array is a number.
fn begins_with_number(array: &RawValue) -> bool {
    let items = array
        .get()
        .strip_prefix('[')
        .unwrap_or_default()
        .trim_ascii_start();
    items.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn input<'a>(path: &str, raw: &'a RawValue) -> Result<Input<'a>, Error> {
    let wrong = || {
        Error::invalid(format!(
            "{path}: expected a text, tokens, or an object with a content"
        ))
    };
    match json::shape(raw) {
        Shape::String => serde_json::from_str(raw.get())
            .map(Input::Text)
            .map_err(|_| wrong()),
        Shape::Array => {
            let mut count = 0_usize;
            match json::each(raw.get(), |_: u64| count = count.saturating_add(1)) {
                Ok(()) if count > 0 => Ok(Input::Tokens(count)),
                _ => Err(wrong()),
            }
        }
        Shape::Object => {
            let part = |(at, raw)| Part::parse(&format!("{path}.content[{at}]"), raw);
            let parts = Members::of(raw).items("content").enumerate().map(part);
            let parts: Vec<_> = parts.collect::<Result<_, _>>()?;
            if parts.is_empty() {
                return Err(wrong());
            }
            Ok(Input::Parts(parts))
        }
        Shape::Null | Shape::Bool | Shape::Number => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Operation;
    use super::*;
    use crate::test;

    fn check(input: &str, expected: &str) {
        let body = format!(r#"{{"input":{input}}}"#).into_bytes();
        let request = Request::parse(body).unwrap().of(Operation::Embeddings);
        let found = match request.inputs() {
            Ok(inputs) => inputs.iter().map(written).collect::<Vec<_>>().join(" "),
            Err(error) => error.message,
        };
        assert_eq!(found, expected, "{input}");
    }

    fn written(input: &Input<'_>) -> String {
        match input {
            Input::Text(text) => format!("text:{}", &**text),
            Input::Tokens(count) => format!("tokens:{count}"),
            Input::Parts(parts) => format!("parts:{}", parts.len()),
        }
    }

    #[test]
    fn every_documented_form_is_read() {
        check(r#""a""#, "text:a");
        check(r#"["a","b"]"#, "text:a text:b");
        check("[1, 2,3]", "tokens:3");
        check("[[1,2],[3]]", "tokens:2 tokens:1");
        check(
            r#"[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]},"b"]"#,
            "parts:2 text:b",
        );
        check(r#"{"content":[{"type":"text","text":"a"}]}"#, "parts:1");
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("[]", "input: empty; give at least one text");
        check("null", "input: missing");
        for wrong in ["1", "true", "{}", r#"{"content":[]}"#] {
            check(
                wrong,
                "input: expected a text, tokens, or an object with a content",
            );
        }
        check(
            r#"["a",[]]"#,
            "input[1]: expected a text, tokens, or an object with a content",
        );
        check(
            r#"[{"content":[{"type":"text"}]}]"#,
            "input[0].content[0].text: missing in a part of type \"text\"",
        );
    }
}
