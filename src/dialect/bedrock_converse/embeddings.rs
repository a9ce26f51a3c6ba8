//! Embeddings of Amazon's Titan models on Bedrock:
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-mm.html>.
//!
//! A request has one input, and there is no batch: several inputs would be several requests, and an exchange has one
//! answer and one bill. They are refused, so that an endpoint which takes them can serve.

use crate::chat::{DataUrl, Delta, Input, Part, Request};
use crate::dialect::shared::aws_error;
use crate::dialect::shared::embeddings::{
    self, begin, count, inputs, native, no_answer, refused, usage, vector,
};
use crate::dialect::{Dialect, Encoded, Fidelity, Target, path_segment};
use crate::error::Error;
use crate::json::{self, member};

/// The provider side.
pub(in crate::dialect) static TITAN: Dialect = embeddings::format(
    "titan-embeddings",
    encode,
    |request, target| encode(request, target).map(drop),
    decode,
    aws_error::of_response,
);

/// What the three kinds of models take beside text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    /// Nothing.
    TextV1,
    /// A number of dimensions.
    TextV2,
    /// An image, and a number of dimensions elsewhere.
    Image,
}

impl Model {
    fn of(id: &str) -> Self {
        if id.contains("titan-embed-image") {
            Self::Image
        } else if id.contains("titan-embed-text-v1") || id.contains("titan-embed-g1-text") {
            Self::TextV1
        } else {
            Self::TextV2
        }
    }
}

fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
    let model = Model::of(target.model);
    let dimensions = request.get::<u64>("dimensions")?;
    let inputs = inputs(request, 1)?;
    let (text, image) = one(&inputs, model)?;
    let mut body = Vec::with_capacity(request.capacity());
    body.push(b'{');
    if let Some(text) = text {
        member(&mut body, "inputText", |body| json::write(body, text));
    }
    if let Some(image) = image {
        member(&mut body, "inputImage", |body| json::write(body, image));
    }
    match (dimensions, model) {
        (None, _) => {}
        (Some(dimensions), Model::TextV2) => {
            member(&mut body, "dimensions", |body| json::write(body, &dimensions));
        }
        (Some(dimensions), Model::Image) => member(&mut body, "embeddingConfig", |body| {
            body.push(b'{');
            member(body, "outputEmbeddingLength", |body| {
                json::write(body, &dimensions)
            });
            body.push(b'}');
        }),
        (Some(_), Model::TextV1) => {
            return Err(Error::invalid(
                "dimensions: this model's vectors have one length only",
            ));
        }
    }
    for (name, raw) in native(request) {
        member(&mut body, name, |body| json::write(body, raw));
    }
    body.push(b'}');
    Ok(Encoded {
        path: format!("/model/{}/invoke", path_segment(target.model)),
        headers: Vec::new(),
        body,
    })
}

fn decode(body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
    let Some(answer) = begin(body, out) else { return };
    // The models for images report failures so.
    let failed = answer.text("message").filter(|message| !message.is_empty());
    match (answer.get("embedding"), failed) {
        (Some(values), _) => vector(0, Some(values), out),
        (None, Some(_)) => {
            out.push(Delta::Error(aws_error::of_exception("", body.as_bytes())));
            return;
        }
        (None, None) => {
            out.push(Delta::Error(no_answer()));
            return;
        }
    }
    count(out);
    out.extend(usage(answer.count("inputTextTokenCount")));
}

/// The text and the image of the only input.
fn one<'a>(inputs: &'a [Input<'a>], model: Model) -> Result<(Option<&'a str>, Option<&'a str>), Error> {
    let parts = match inputs {
        [Input::Text(text)] => return Ok((Some(text), None)),
        [Input::Parts(parts)] => parts,
        _ => return Err(refused(0, "this endpoint takes one text")),
    };
    let (mut text, mut image) = (None, None);
    for part in parts {
        let (place, value): (_, &str) = match part {
            Part::Text { text: given, .. } => (&mut text, given),
            Part::Image { url, .. } if model == Model::Image => {
                let Some(data) = DataUrl::parse(url) else {
                    return Err(refused(
                        0,
                        "this endpoint takes an image as a base64 data: URL only",
                    ));
                };
                (&mut image, data.base64)
            }
            Part::Image { .. } | Part::File { .. } | Part::Other { .. } => {
                return Err(refused(
                    0,
                    "this endpoint takes text only, or an image where its model does",
                ));
            }
        };
        if place.replace(value).is_some() {
            return Err(refused(
                0,
                "this endpoint takes one text and one image at the most",
            ));
        }
    }
    Ok((text, image))
}
