//! Cohere's embeddings: <https://docs.cohere.com/reference/embed>.

use serde_json::{Value, json};

use super::object::{Kind, Object, fits, invalid, list, object, refused, string};
use crate::ask::{Ask, Image};
use crate::embed::{DIMENSIONS, Embed};
use crate::fault::Faults;
use crate::provider::{Refusal, Stamp};
use crate::text::Answer;

const PARAMETERS: &[(&str, Kind)] = &[
    ("embedding_types", Kind::List),
    ("images", Kind::List),
    (
        "input_type",
        Kind::Word(&[
            "search_document",
            "search_query",
            "classification",
            "clustering",
            "image",
        ]),
    ),
    ("inputs", Kind::List),
    ("max_tokens", Kind::Integer(1, u64::MAX)),
    ("model", Kind::Text),
    ("output_dimension", Kind::Integer(1, 1_536)),
    ("priority", Kind::Integer(0, 999)),
    ("texts", Kind::List),
    ("truncate", Kind::Word(&["NONE", "START", "END"])),
];
const DIMENSION: [u64; 4] = [256, 512, 1_024, 1_536];
/// The most inputs of one request.
const MAX_INPUTS: usize = 96;

/// Checks a request and frees it of its dialect.
pub(super) fn read(body: &Value) -> Result<Ask, Refusal> {
    let names: Vec<&str> = PARAMETERS.iter().map(|(name, _)| *name).collect();
    let body = object(body, &names, "the request")?;
    for (name, kind) in PARAMETERS {
        if let Some(value) = body.get(*name) {
            fits(name, *kind, value)?;
        }
    }
    let Some(id) = body.get("model").and_then(Value::as_str) else {
        return Err(refused("a model parameter is required for this endpoint."));
    };
    if !body.contains_key("input_type") {
        return Err(invalid(
            "valid input_type must be provided with the provided model.",
        ));
    }
    // What is said of the others was not seen.
    if body.get("embedding_types") != Some(&json!(["float"])) {
        return Err(invalid("the simulator gives embedding_types of float only."));
    }
    let mut ask = Ask {
        id: id.to_owned(),
        copies: 1,
        ..Ask::default()
    };
    let inputs = inputs(body, &mut ask)?;
    let dimensions = match body.get("output_dimension").and_then(Value::as_u64) {
        None => DIMENSIONS,
        Some(length) => usize::try_from(length)
            .ok()
            .filter(|_| DIMENSION.contains(&length))
            .ok_or_else(|| invalid("output_dimension must be one of 256, 512, 1024, 1536."))?,
    };
    ask.embed = Some(Embed {
        inputs,
        dimensions,
        ..Embed::default()
    });
    Ok(ask)
}

fn inputs(body: &Object, ask: &mut Ask) -> Result<Vec<String>, Refusal> {
    let (texts, inputs) = (list(body, "texts"), list(body, "inputs"));
    if texts.is_empty() == inputs.is_empty() {
        return Err(invalid("one of texts and inputs must be given."));
    }
    if texts.len().max(inputs.len()) > MAX_INPUTS {
        return Err(invalid("total number of texts must be at most 96."));
    }
    let mut found = Vec::new();
    for text in texts {
        let text = text.as_str().ok_or_else(|| invalid("texts must be strings."))?;
        ask.read(text);
        found.push(text.to_owned());
    }
    for input in inputs {
        let input = object(input, &["content"], "inputs")?;
        let mut words = Vec::new();
        for part in list(input, "content") {
            match part.get("type").and_then(Value::as_str) {
                Some("text") => {
                    let text = string(object(part, &["type", "text"], "content")?, "text", "content")?;
                    ask.read(text);
                    words.push(text.to_owned());
                }
                Some("image_url") => {
                    let part = object(part, &["type", "image_url"], "content")?;
                    let image = object(
                        part.get("image_url").unwrap_or(&Value::Null),
                        &["url"],
                        "image_url",
                    )?;
                    words.push(string(image, "url", "image_url")?.to_owned());
                    ask.images.push(Image::Link(String::new()));
                }
                _ => return Err(invalid("content.type must be one of text, image_url.")),
            }
        }
        found.push(words.join("\n"));
    }
    Ok(found)
}

/// The answer.
pub(super) fn buffered(embed: &Embed, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
    let mut meta = json!({"api_version": {"version": "2"}});
    if let (Some(meta), false) = (meta.as_object_mut(), faults.no_usage) {
        meta.insert(
            "billed_units".to_owned(),
            json!({"input_tokens": answer.usage.prompt}),
        );
    }
    json!({
        "id": super::id(stamp),
        "embeddings": {"float": embed.vectors(faults.empty)},
        "texts": embed.inputs,
        "response_type": "embeddings_by_type",
        "meta": meta,
    })
    .to_string()
    .into_bytes()
}
