//! Embeddings of Cohere's API, and of its models on Bedrock: <https://docs.cohere.com/reference/embed>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>.
//!
//! Cohere wants to know what the texts are for. Who does not say it gets `search_document`: most texts are embedded to be
//! found, and vectors for another purpose would not match those that a store has already.

use super::error;
use crate::chat::{Delta, Input, Part, Request};
use crate::dialect::shared::aws_error;
use crate::dialect::shared::embeddings::{
    self, begin, count, inputs, native, no_answer, purpose, refused, unknown_purpose, usage, vector,
};
use crate::dialect::{Dialect, Encoded, Fidelity, Target, path_segment};
use crate::error::Error;
use crate::json::{self, Items, Members, Shape, member, shape};
use serde::Serialize;

/// How many texts one request may have.
const MAX_INPUTS: usize = 96;

/// Cohere's own API.
pub(in crate::dialect) static COHERE: Dialect = embeddings::format(
    "cohere-embeddings",
    |request, target| encode(request, target, Host::Cohere),
    |request, target| encode(request, target, Host::Cohere).map(drop),
    decode,
    error::of_response,
);
/// Its models on Bedrock: the same body, with the model in the path and AWS's errors. Bedrock counts in a header only.
pub(in crate::dialect) static BEDROCK: Dialect = embeddings::format(
    "bedrock-cohere-embeddings",
    |request, target| encode(request, target, Host::Bedrock),
    |request, target| encode(request, target, Host::Bedrock).map(drop),
    decode,
    aws_error::of_response,
);

/// Who runs the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Cohere,
    Bedrock,
}

fn encode(request: &Request, target: &Target<'_>, host: Host) -> Result<Encoded, Error> {
    let inputs = inputs(request, MAX_INPUTS)?;
    let purpose = match purpose(request)? {
        None => "search_document",
        Some(("", said)) => return Err(unknown_purpose(said)),
        Some((purpose, _)) => purpose,
    };
    let mut body = Vec::with_capacity(request.capacity());
    body.push(b'{');
    if host == Host::Cohere {
        member(&mut body, "model", |body| json::write(body, target.model));
    }
    member(&mut body, "input_type", |body| json::write(body, purpose));
    member(&mut body, "embedding_types", |body| json::write(body, &["float"]));
    if let Some(dimensions) = request.get::<u64>("dimensions")? {
        member(&mut body, "output_dimension", |body| {
            json::write(body, &dimensions)
        });
    }
    for (name, raw) in native(request) {
        member(&mut body, name, |body| json::write(body, raw));
    }
    write_inputs(&inputs, &mut body)?;
    body.push(b'}');
    Ok(Encoded {
        path: match host {
            // The base URL ends in `/v2`.
            Host::Cohere => "/embed".to_owned(),
            Host::Bedrock => format!("/model/{}/invoke", path_segment(target.model)),
        },
        headers: Vec::new(),
        body,
    })
}

fn decode(body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
    let Some(answer) = begin(body, out) else { return };
    let embeddings = answer.get("embeddings");
    // Without `embedding_types` the list stands there itself; a model that does not know them answers so.
    let list: Items<'_> = match embeddings.map(shape) {
        Some(Shape::Array) => answer.items("embeddings"),
        Some(Shape::Object) => embeddings
            .map(|by_type| Members::of(by_type).items("float"))
            .unwrap_or_default(),
        _ => {
            out.push(Delta::Error(no_answer()));
            return;
        }
    };
    for (at, raw) in (0..).zip(list.take(MAX_INPUTS)) {
        vector(at, Some(raw), out);
    }
    count(out);
    let billed = answer
        .get("meta")
        .and_then(|meta| Members::of(meta).get("billed_units"));
    let billed = billed.map(Members::of).unwrap_or_default();
    let count = |name| billed.count(name);
    let images = count("image_tokens");
    let tokens = count("input_tokens").map(|tokens| tokens.saturating_add(images.unwrap_or(0)));
    out.extend(usage(tokens.or(images)));
}

/// Texts alone go as such, which every model takes; with an image among them, all go as contents.
fn write_inputs(inputs: &[Input<'_>], body: &mut Vec<u8>) -> Result<(), Error> {
    let plain = inputs.iter().all(|input| matches!(input, Input::Text(_)));
    let name = if plain { "texts" } else { "inputs" };
    member(body, name, |body| body.push(b'['));
    for (at, input) in inputs.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        match input {
            Input::Text(text) if plain => json::write(body, &**text),
            Input::Text(text) => content(body, &[Content::of_text(text)]),
            Input::Tokens(_) => return Err(refused(at, "tokens")),
            Input::Parts(parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(Content::of).collect();
                let parts = parts.ok_or_else(|| refused(at, "this endpoint takes texts and images"))?;
                content(body, &parts);
            }
        }
    }
    body.push(b']');
    Ok(())
}

fn content(body: &mut Vec<u8>, parts: &[Content<'_>]) {
    body.push(b'{');
    member(body, "content", |body| json::write(body, parts));
    body.push(b'}');
}

/// A part of an input.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

impl<'a> Content<'a> {
    const fn of_text(text: &'a str) -> Self {
        Self::Text { text }
    }

    /// `None` for what Cohere has no place for.
    fn of(part: &'a Part<'a>) -> Option<Self> {
        match part {
            Part::Text { text, .. } => Some(Self::of_text(text)),
            Part::Image { url, .. } => Some(Self::ImageUrl {
                image_url: ImageUrl { url },
            }),
            Part::File { .. } | Part::Other { .. } => None,
        }
    }
}
