//! Embeddings of Google's Gemini API: <https://ai.google.dev/api/embeddings>.
//!
//! Every request is a batch, also of one, as Google's own SDK writes it (`models.py` of googleapis/python-genai).

use super::media::{self, Media};
use crate::chat::{Delta, Input, Part, Request};
use crate::dialect::shared::embeddings::{
    self, begin, count, inputs, native, no_answer, purpose, refused, unknown_purpose, usage, vector,
};
use crate::dialect::shared::google_error;
use crate::dialect::{Dialect, Encoded, Fidelity, Target, path_segment};
use crate::error::Error;
use crate::json::{self, Members, Shape, member, shape};

/// How many texts a batch may have: `at most 100 requests can be in one batch`, with status 400.
const MAX_INPUTS: usize = 100;

/// The provider side.
pub(in crate::dialect) static DIALECT: Dialect = embeddings::format(
    "gemini-embeddings",
    encode,
    |request, target| encode(request, target).map(drop),
    decode,
    google_error::of_response,
);

fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
    let id = target.model.strip_prefix("models/").unwrap_or(target.model);
    let inputs = inputs(request, MAX_INPUTS)?;
    // What stands beside the content is the same for all.
    let mut beside = Vec::new();
    match purpose(request)? {
        Some((said, "")) => return Err(unknown_purpose(said)),
        Some((_, purpose)) => push(&mut beside, "taskType", |out| json::write(out, purpose)),
        None => {}
    }
    if let Some(dimensions) = request.get::<u64>("dimensions")? {
        push(&mut beside, "outputDimensionality", |out| {
            json::write(out, &dimensions)
        });
    }
    for (name, raw) in native(request) {
        push(&mut beside, name, |out| json::write(out, raw));
    }
    let mut body = Vec::with_capacity(request.capacity());
    body.extend_from_slice(b"{\"requests\":[");
    for (at, input) in inputs.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.push(b'{');
        member(&mut body, "model", |body| {
            json::write(body, &format!("models/{id}"))
        });
        body.extend_from_slice(b",\"content\":{\"parts\":[");
        content(at, input, &mut body)?;
        body.extend_from_slice(b"]}");
        body.extend_from_slice(&beside);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    Ok(Encoded {
        path: format!("/models/{}:batchEmbedContents", path_segment(id)),
        headers: Vec::new(),
        body,
    })
}

fn decode(body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
    let Some(answer) = begin(body, out) else { return };
    if let Some(raw) = answer.get("error") {
        out.push(Delta::Error(google_error::of_event(raw)));
        return;
    }
    if answer
        .get("embeddings")
        .is_some_and(|list| shape(list) != Shape::Array)
    {
        out.push(Delta::Error(no_answer()));
        return;
    }
    for (at, raw) in (0..).zip(answer.objects("embeddings").take(MAX_INPUTS)) {
        vector(at, Members::of(raw).get("values"), out);
    }
    count(out);
    // Only newer models count.
    let counts = answer.get("usageMetadata").map(Members::of).unwrap_or_default();
    out.extend(usage(counts.count("promptTokenCount")));
}

/// Appends a member after those before it.
fn push(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.push(b',');
    json::write(out, name);
    out.push(b':');
    value(out);
}

/// The parts of one input.
fn content(at: usize, input: &Input<'_>, body: &mut Vec<u8>) -> Result<(), Error> {
    let parts = match input {
        Input::Text(text) => {
            object(body, "text", &**text);
            return Ok(());
        }
        Input::Tokens(_) => return Err(refused(at, "tokens")),
        Input::Parts(parts) => parts,
    };
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let media = match part {
            Part::Text { text, .. } => {
                object(body, "text", &**text);
                continue;
            }
            Part::Image { url, .. } => media::at(&**url, "image"),
            Part::File { data, .. } => media::at(&**data, "file"),
            Part::Other { kind, raw } => media::other(kind, raw)
                .unwrap_or_else(|| Err(format!("a part of type {}", crate::error::quoted(kind)))),
        };
        match media.map_err(|what| refused(at, &format!("this endpoint cannot carry {what}")))? {
            Media::Inline(inline) => object(body, "inlineData", &inline),
            Media::File(file) => object(body, "fileData", &file),
        }
    }
    Ok(())
}

/// Appends an object of one member.
fn object<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    out.push(b'{');
    member(out, name, |out| json::write(out, value));
    out.push(b'}');
}
