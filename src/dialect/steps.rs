//! For tests of dialects: requests written and responses read without a fixture.

use super::{Dialect, Fidelity, Quirks, Target};
use crate::chat::{Delta, Piece, Reasoning, Request};
use crate::error::{Error, Kind};
use crate::wire::{Frame, FrameKind};

/// The body that `request` comes to.
pub(super) fn encode(dialect: &Dialect, model: &str, request: &str) -> Result<String, Error> {
    let request = Request::parse(request.as_bytes().to_vec()).unwrap();
    let target = Target {
        model,
        stream: false,
        default_max_tokens: 64,
        quirks: &Quirks::NONE,
    };
    dialect
        .encode(&request, &target)
        .map(|encoded| String::from_utf8(encoded.body).unwrap())
}

/// What the caller is told of a request that is refused as wrong.
pub(super) fn refusal(dialect: &Dialect, model: &str, request: &str) -> String {
    let error = encode(dialect, model, request).unwrap_err();
    assert_eq!(error.kind, Kind::InvalidRequest);
    error.message
}

/// Every event in turn, by name and data, then the end. A name that ends in `Exception` is one.
pub(super) fn decode(dialect: &Dialect, events: &[(&str, &str)]) -> Vec<Delta> {
    let mut decoder = dialect.decoder(Fidelity::Full);
    let mut out = Vec::new();
    for (event, data) in events {
        let kind = if event.ends_with("Exception") {
            FrameKind::Exception
        } else {
            FrameKind::Event
        };
        decoder.decode(
            &Frame {
                kind,
                event,
                data,
                raw: data,
            },
            &mut out,
        );
    }
    decoder.finish(&mut out);
    decoder.finish(&mut out);
    out
}

/// The same for events without names.
pub(super) fn decode_data(dialect: &Dialect, events: &[&str]) -> Vec<Delta> {
    let events: Vec<_> = events.iter().map(|data| ("", *data)).collect();
    decode(dialect, &events)
}

/// One line a delta.
pub(super) fn words(deltas: &[Delta]) -> Vec<String> {
    deltas
        .iter()
        .map(|delta| match delta {
            Delta::Start { .. } => "start".to_owned(),
            Delta::Vectors(count) => format!("vectors {count}"),
            Delta::Usage(report) => format!("usage {:?}/{:?}", report.input, report.output),
            Delta::Finish { reason, .. } => format!("finish {}", reason.name()),
            Delta::Error(error) => format!("error {:?}", error.kind),
            Delta::Piece { piece, .. } => match piece {
                Piece::Text(text) => format!("text {text}"),
                Piece::Refusal(text) => format!("refuse {text}"),
                Piece::Reasoning(Reasoning::Text { index, text, .. }) => format!("think {index} {text}"),
                Piece::Reasoning(Reasoning::Summary { index, text, .. }) => format!("sum {index} {text}"),
                Piece::Reasoning(Reasoning::Signature { index, signature, .. }) => {
                    format!("sign {index} {signature}")
                }
                Piece::Reasoning(Reasoning::Encrypted { index, data, id, .. }) => {
                    let id = id.as_ref().map(|id| format!(" {id}"));
                    format!("seal {index} {data}{}", id.unwrap_or_default())
                }
                Piece::ToolCall { index, id, name } => format!("call {index} {id} {name}"),
                Piece::ToolArguments { index, json } => format!("args {index} {json}"),
                Piece::Image { url } => format!("image {url}"),
                Piece::Annotation(raw) => raw.get().to_owned(),
                other => format!("{other:?}"),
            },
        })
        .collect()
}
