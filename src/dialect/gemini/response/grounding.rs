//! Sources that Google found, as annotations: <https://ai.google.dev/api/generate-content#groundingmetadata>.

use super::offsets::Offsets;
use crate::dialect::anthropic_messages::citations::Source;
use crate::json::{Members, Str};
use serde_json::value::RawValue;

/// One annotation for each source of each passage; for each source alone where no passages are named. `text` is that of
/// the whole message.
pub(super) fn annotations(raw: &RawValue, text: &Offsets) -> Vec<Box<RawValue>> {
    let metadata = Members::of(raw);
    let sources: Vec<_> = metadata
        .items("groundingChunks")
        .into_iter()
        .map(source)
        .collect();
    let passages = metadata.items("groundingSupports");
    let position = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    if passages.is_empty() {
        let named = sources.into_iter().flatten();
        return named
            .map(|(url, title)| give(url, title, None, 0, position(text.len())))
            .collect();
    }
    let mut out = Vec::new();
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
                out.push(give(url.clone(), title.clone(), segment.text("text"), start, end));
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
