//! Contents and thinking of a message as pieces.

use crate::chat::{Format, Piece, Reasoning, ReasoningDetail};
use crate::json::{self, Members, Shape, Str};
use serde_json::value::RawValue;

pub(super) fn thought(text: String) -> Piece {
    Piece::Reasoning(Reasoning::Text {
        index: 0,
        text,
        format: Format::Unknown,
    })
}

/// Content that is a string, or an array of parts.
pub(super) fn content(raw: &RawValue, piece: &mut impl FnMut(Piece)) {
    match json::shape(raw) {
        Shape::String => {
            let text = json::text(raw).unwrap_or_default();
            if !text.is_empty() {
                piece(Piece::Text(text.into_string()));
            }
        }
        Shape::Array => {
            for raw in json::items(raw.get()).objects() {
                part(raw, piece);
            }
        }
        _ => {}
    }
}

/// One part of a content, as Mistral has them (mistralai/client-python, `ContentChunk`). What is neither text, thinking
/// nor an image goes along as an annotation: `reference`, which names the sources of the text before it.
fn part(raw: &RawValue, piece: &mut impl FnMut(Piece)) {
    let members = Members::of(raw);
    let own = |members: &Members<'_>, name| {
        let text = members.text(name).filter(|text| !text.is_empty());
        text.map(Str::into_string)
    };
    let (index, format) = (0, Format::Unknown);
    if members.get("thinking").is_some() {
        for raw in members.objects("thinking") {
            if let Some(text) = own(&Members::of(raw), "text") {
                piece(thought(text));
            }
        }
        if let Some(signature) = own(&members, "signature") {
            piece(Piece::Reasoning(Reasoning::Signature {
                index,
                signature,
                format,
            }));
        }
    } else if members.get("text").is_some() {
        own(&members, "text")
            .into_iter()
            .for_each(|text| piece(Piece::Text(text)));
    } else if let Some(image) = members.get("image_url") {
        let url = own(&members, "image_url").or_else(|| own(&Members::of(image), "url"));
        url.into_iter().for_each(|url| piece(Piece::Image { url }));
    } else if json::shape(raw) == Shape::Object {
        piece(Piece::Annotation(raw.to_owned()));
    }
}

/// What one entry holds: a text and its signature may stand in the same one.
pub(super) fn reasoning(detail: ReasoningDetail<'_>) -> impl Iterator<Item = Reasoning> {
    let index = detail.index.unwrap_or(0);
    let format = match detail.format.as_deref() {
        Some("anthropic-claude-v1") => Format::Anthropic,
        Some("google-gemini-v1") => Format::Gemini,
        Some("openai-responses-v1") => Format::OpenAiResponses,
        _ => Format::Unknown,
    };
    let own = |text: Option<Str<'_>>| text.filter(|text| !text.is_empty()).map(Str::into_string);
    let (first, second) = match &*detail.kind {
        "reasoning.summary" => (
            own(detail.summary).map(|text| Reasoning::Summary { index, text, format }),
            None,
        ),
        "reasoning.encrypted" => (
            own(detail.data).map(|data| Reasoning::Encrypted {
                index,
                data,
                id: own(detail.id),
                format,
            }),
            None,
        ),
        _ => (
            own(detail.text).map(|text| Reasoning::Text { index, text, format }),
            own(detail.signature).map(|signature| Reasoning::Signature {
                index,
                signature,
                format,
            }),
        ),
    };
    first.into_iter().chain(second)
}
