//! OpenAI's embeddings: what it refuses, and one document of vectors.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::object::{Kind, Object, invalid, parameters};
use crate::ask::Ask;
use crate::embed::{DIMENSIONS, Embed};
use crate::fault::Faults;
use crate::provider::Refusal;
use crate::text::Answer;

/// <https://platform.openai.com/docs/api-reference/embeddings/create>
const PARAMETERS: &[(&str, Kind)] = &[
    ("dimensions", Kind::Integer(1, 4_096)),
    ("encoding_format", Kind::Text),
    ("input", Kind::TextOrList),
    ("model", Kind::Text),
    ("user", Kind::Text),
];
const MAX_INPUTS: usize = 2_048;

/// Checks a request and frees it of its dialect.
pub(super) fn read(body: &Object) -> Result<Ask, Refusal> {
    parameters(body, PARAMETERS, "input")?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let base64 = match text("encoding_format") {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            return Err(invalid(format!(
                "Invalid value: '{other}'. Supported values are: 'float' and 'base64'."
            ))
            .param("encoding_format"));
        }
    };
    let inputs = inputs(body.get("input").unwrap_or(&Value::Null))?;
    let dimensions = body.get("dimensions").and_then(Value::as_u64);
    let mut ask = Ask {
        id: text("model").unwrap_or_default().to_owned(),
        copies: 1,
        ..Ask::default()
    };
    inputs.iter().for_each(|input| ask.read(input));
    ask.embed = Some(Embed {
        inputs,
        dimensions: dimensions
            .and_then(|dimensions| usize::try_from(dimensions).ok())
            .unwrap_or(DIMENSIONS),
        base64,
        ..Embed::default()
    });
    Ok(ask)
}

/// Texts, or tokens: each of those is a word here.
fn inputs(input: &Value) -> Result<Vec<String>, Refusal> {
    let wrong = || {
        invalid(
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
        )
    };
    let tokens = |list: &[Value]| -> Option<String> {
        let words: Option<Vec<_>> = list
            .iter()
            .map(|token| token.as_u64().map(|token| token.to_string()))
            .collect();
        words
            .filter(|words| !words.is_empty())
            .map(|words| words.join(" "))
    };
    let one = |item: &Value| match item {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Array(list) => tokens(list),
        _ => None,
    };
    match input {
        Value::Array(list) if list.first().is_some_and(Value::is_number) => {
            tokens(list).map(|text| vec![text]).ok_or_else(wrong)
        }
        Value::Array(list) if list.is_empty() || list.len() > MAX_INPUTS => Err(wrong()),
        Value::Array(list) => list.iter().map(one).collect::<Option<_>>().ok_or_else(wrong),
        other => one(other).map(|text| vec![text]).ok_or_else(wrong),
    }
}

/// The answer.
pub(super) fn buffered(ask: &Ask, embed: &Embed, answer: &Answer, faults: &Faults) -> Vec<u8> {
    let data: Vec<Value> = embed
        .vectors(faults.empty)
        .iter()
        .enumerate()
        .map(|(index, vector)| {
            let embedding = if embed.base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                json!(STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let mut body = json!({"object": "list", "data": data, "model": ask.model()});
    if let (Some(body), false) = (body.as_object_mut(), faults.no_usage) {
        let tokens = answer.usage.prompt;
        body.insert(
            "usage".to_owned(),
            json!({"prompt_tokens": tokens, "total_tokens": tokens}),
        );
    }
    serde_json::to_vec_pretty(&body).unwrap_or_default()
}
