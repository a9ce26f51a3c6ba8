//! Gemini's embeddings: <https://ai.google.dev/api/embeddings>. Models of a generation after the first count what they read.

use serde_json::{Value, json};

use super::object::{invalid, list, object, string, wrong};
use crate::ask::{Ask, Image};
use crate::embed::{DIMENSIONS, Embed};
use crate::fault::Faults;
use crate::provider::Refusal;
use crate::text::Answer;

/// The most texts in one batch.
const MAX_BATCH: usize = 100;

const TASKS: &[&str] = &[
    "CLASSIFICATION",
    "CLUSTERING",
    "CODE_RETRIEVAL_QUERY",
    "FACT_VERIFICATION",
    "QUESTION_ANSWERING",
    "RETRIEVAL_DOCUMENT",
    "RETRIEVAL_QUERY",
    "SEMANTIC_SIMILARITY",
];

/// Checks a request and frees it of its dialect; `batch`: it has several.
pub(super) fn read(id: &str, body: &Value, batch: bool) -> Result<Ask, Refusal> {
    let mut ask = Ask {
        id: id.to_owned(),
        copies: 1,
        ..Ask::default()
    };
    let mut embed = Embed {
        dimensions: DIMENSIONS,
        batch,
        ..Embed::default()
    };
    if batch {
        let body = object(body, &["requests"], "")?;
        let requests = list(body.get("requests").unwrap_or(&Value::Null), "requests")?;
        if requests.is_empty() || requests.len() > MAX_BATCH {
            return Err(invalid(
                "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch",
            ));
        }
        for (n, request) in requests.iter().enumerate() {
            // A batch is for one model, and every request in it names it.
            let named = request.get("model").and_then(Value::as_str);
            if named != Some(format!("models/{id}").as_str()) {
                return Err(wrong(&format!("requests[{n}].model"), &json!(named)));
            }
            one(request, &format!("requests[{n}]"), &mut ask, &mut embed)?;
        }
    } else {
        one(body, "", &mut ask, &mut embed)?;
    }
    ask.embed = Some(embed);
    Ok(ask)
}

fn one(request: &Value, path: &str, ask: &mut Ask, embed: &mut Embed) -> Result<(), Refusal> {
    let known = ["content", "model", "outputDimensionality", "taskType", "title"];
    let request = object(request, &known, path)?;
    if let Some(task) = request.get("taskType")
        && !task.as_str().is_some_and(|task| TASKS.contains(&task))
    {
        return Err(wrong(&format!("{path}.task_type"), task));
    }
    if let Some(dimensions) = request.get("outputDimensionality") {
        let length = dimensions.as_u64().filter(|length| (1..=3_072).contains(length));
        let length = length.and_then(|length| usize::try_from(length).ok());
        embed.dimensions =
            length.ok_or_else(|| wrong(&format!("{path}.output_dimensionality"), dimensions))?;
    }
    let path = format!("{path}.content");
    let content = object(
        request.get("content").unwrap_or(&Value::Null),
        &["parts", "role"],
        &path,
    )?;
    let parts = list(content.get("parts").unwrap_or(&Value::Null), &path)?;
    if parts.is_empty() {
        return Err(invalid("content is empty"));
    }
    let mut words = Vec::new();
    for part in parts {
        let part = object(part, &["text", "inlineData", "fileData"], &path)?;
        if part.contains_key("text") {
            let text = string(part, "text", &path)?;
            ask.read(text);
            words.push(text.to_owned());
        } else {
            ask.images.push(Image::Link(String::new()));
            words.push(json!(part).to_string());
        }
    }
    embed.inputs.push(words.join("\n"));
    Ok(())
}

/// The answer.
pub(super) fn buffered(ask: &Ask, embed: &Embed, answer: &Answer, faults: &Faults) -> Vec<u8> {
    let vectors = embed.vectors(faults.empty);
    let values: Vec<Value> = vectors.iter().map(|vector| json!({"values": vector})).collect();
    let mut body = if embed.batch {
        json!({"embeddings": values})
    } else {
        json!({"embedding": values.first()})
    };
    let counts = !ask.model().contains("001") && !faults.no_usage;
    if let (Some(body), true) = (body.as_object_mut(), counts) {
        let counts = json!({"promptTokenCount": answer.usage.prompt});
        body.insert("usageMetadata".to_owned(), counts);
    }
    serde_json::to_vec_pretty(&body).unwrap_or_default()
}
