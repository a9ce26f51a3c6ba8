//! Bedrock's InvokeModel, for the models that embed: Amazon's Titan, and Cohere's.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>

use serde_json::{Value, json};

use super::object::{Object, invalid, list, object, string};
use crate::ask::{Ask, Image};
use crate::embed::{DIMENSIONS, Embed};
use crate::fault::Faults;
use crate::provider::Refusal;
use crate::text::Answer;

/// Checks a request and frees it of its dialect.
pub(super) fn read(id: &str, body: &Value) -> Result<Ask, Refusal> {
    let mut ask = Ask {
        id: id.to_owned(),
        copies: 1,
        ..Ask::default()
    };
    let embed = if id.contains("titan-embed") {
        titan(id, body, &mut ask)?
    } else if id.contains("cohere.embed") {
        cohere(body, &mut ask)?
    } else {
        return Err(invalid("the simulator invokes only models that embed"));
    };
    ask.embed = Some(embed);
    Ok(ask)
}

fn length(body: &Object, name: &str, allowed: &[u64]) -> Result<usize, Refusal> {
    let Some(value) = body.get(name) else {
        return Ok(DIMENSIONS);
    };
    let length = value.as_u64().filter(|length| allowed.contains(length));
    length
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(|| {
            invalid(format!(
                "Malformed input request: #/{name}: {value} is not a valid enum value"
            ))
        })
}

fn titan(id: &str, body: &Value, ask: &mut Ask) -> Result<Embed, Refusal> {
    let known: &[&str] = if id.contains("titan-embed-text-v2") {
        &["inputText", "dimensions", "normalize", "embeddingTypes"]
    } else if id.contains("titan-embed-image") {
        &["inputText", "inputImage", "embeddingConfig"]
    } else {
        &["inputText"]
    };
    let body = object(body, known, "")?;
    let mut words = Vec::new();
    if body.contains_key("inputText") {
        let text = string(body, "inputText", "")?;
        ask.read(text);
        words.push(text.to_owned());
    }
    if body.contains_key("inputImage") {
        words.push(string(body, "inputImage", "")?.to_owned());
        ask.images.push(Image::Link(String::new()));
    }
    if words.is_empty() {
        return Err(invalid(
            "Malformed input request: #: required key [inputText] not found, please reformat your input and try again.",
        ));
    }
    let dimensions = match body.get("embeddingConfig") {
        Some(config) => {
            let config = object(config, &["outputEmbeddingLength"], "embeddingConfig")?;
            length(config, "outputEmbeddingLength", &[256, 384, 1_024])?
        }
        None => length(body, "dimensions", &[256, 512, 1_024])?,
    };
    Ok(Embed {
        inputs: vec![words.join("\n")],
        dimensions,
        ..Embed::default()
    })
}

fn cohere(body: &Value, ask: &mut Ask) -> Result<Embed, Refusal> {
    let known = [
        "embedding_types",
        "images",
        "input_type",
        "inputs",
        "max_tokens",
        "output_dimension",
        "texts",
        "truncate",
    ];
    let body = object(body, &known, "")?;
    string(body, "input_type", "")?;
    let texts = list(body.get("texts").unwrap_or(&Value::Null), "texts")?;
    if texts.is_empty() || texts.len() > 96 {
        return Err(invalid(
            "Malformed input request: #/texts: expected maximum item count: 96",
        ));
    }
    let inputs: Option<Vec<String>> = texts
        .iter()
        .map(|text| text.as_str().map(str::to_owned))
        .collect();
    let inputs = inputs.ok_or_else(|| invalid("Malformed input request: #/texts: expected type: String"))?;
    inputs.iter().for_each(|text| ask.read(text));
    Ok(Embed {
        inputs,
        dimensions: length(body, "output_dimension", &[256, 512, 1_024, 1_536])?,
        ..Embed::default()
    })
}

/// The answer.
pub(super) fn buffered(ask: &Ask, embed: &Embed, answer: &Answer, faults: &Faults) -> Vec<u8> {
    let vectors = embed.vectors(faults.empty);
    let body = if ask.model().contains("cohere.embed") {
        json!({"embeddings": {"float": vectors}, "id": "sim", "response_type": "embeddings_by_type", "texts": embed.inputs})
    } else {
        let vector = vectors.first().cloned().unwrap_or_default();
        json!({"embedding": vector, "inputTextTokenCount": answer.usage.prompt})
    };
    body.to_string().into_bytes()
}
