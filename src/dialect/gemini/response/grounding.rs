//! Sources that Google found, as annotations: <https://ai.google.dev/api/generate-content#groundingmetadata>.

use super::offsets::Offsets;
use crate::caps::MAX_ANSWER_PIECES;
use crate::dialect::shared::citations::Source;
use crate::json::{Members, Str};
use serde_json::value::RawValue;

/// How many bytes all annotations may have: so many, and for each byte that they are read from so many more. A passage may
/// name a source thousands of times, and each time its text and the address of the source are written anew.
const ROOM: usize = 1 << 20;
const ROOM_PER_BYTE: usize = 8;

/// One annotation for each source of each passage; for each source alone where no passages are named. `text` is that of
/// the whole message. What goes beyond their room is left out.
pub(super) fn annotations(raw: &RawValue, text: &Offsets) -> Vec<Box<RawValue>> {
    let metadata = Members::of(raw);
    let sources: Vec<_> = metadata
        .items("groundingChunks")
        .take(MAX_ANSWER_PIECES)
        .map(source)
        .collect();
    let mut passages = metadata.objects("groundingSupports").peekable();
    let position = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    if passages.peek().is_none() {
        let named = sources.into_iter().flatten();
        return named
            .map(|(url, title)| give(url, title, None, 0, position(text.len())))
            .collect();
    }
    let mut out = Vec::new();
    let mut room = raw.get().len().saturating_mul(ROOM_PER_BYTE).saturating_add(ROOM);
    for passage in passages {
        let passage = Members::of(passage);
        let segment = passage.get("segment").map(Members::of).unwrap_or_default();
        // A count of zero is left out on the wire.
        let start = position(text.chars_before(segment.count("startIndex").unwrap_or(0)));
        let end = position(text.chars_before(segment.count("endIndex").unwrap_or(0)));
        for index in passage.items("groundingChunkIndices") {
            // What is no index names no source.
            let index = index.get().parse::<usize>().ok();
            if let Some(Some((url, title))) = index.and_then(|index| sources.get(index)) {
                let annotation = give(url.clone(), title.clone(), segment.text("text"), start, end);
                let Some(rest) = room.checked_sub(annotation.get().len()) else {
                    return out;
                };
                room = rest;
                out.push(annotation);
            }
        }
    }
    out
}

fn give(
    url: Str<'_>,
    title: Option<Str<'_>>,
    said: Option<Str<'_>>,
    start: usize,
    end: usize,
) -> Box<RawValue> {
    let source = Source {
        url: url.into_string(),
        title: title.map(Str::into_string),
        content: said.map(Str::into_string),
    };
    source.annotation(start, end)
}

/// `None` for a source that is not on the web.
fn source(raw: &RawValue) -> Option<(Str<'_>, Option<Str<'_>>)> {
    let chunk = Members::of(raw);
    let page = Members::of(chunk.get("web").or_else(|| chunk.get("maps"))?);
    Some((page.text("uri")?, page.text("title")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_source_that_is_named_again_and_again_does_not_fill_the_memory() {
        let said = "a".repeat(10_000);
        let again = vec!["0"; 10_000].join(",");
        let text = format!(
            r#"{{"groundingChunks":[{{"web":{{"uri":"u"}}}}],"groundingSupports":[{{"segment":{{"text":"{said}"}},"groundingChunkIndices":[{again}]}}]}}"#
        );
        let raw = RawValue::from_string(text).unwrap();
        let found = annotations(&raw, &Offsets::new());
        let bytes: usize = found.iter().map(|annotation| annotation.get().len()).sum();
        let room = ROOM + ROOM_PER_BYTE * raw.get().len();
        assert!(bytes <= room && bytes > room - 11_000, "{bytes} of {room}");
    }
}
