//! Citations of one block of text, kept until its end is known: providers name a source before the text that it is for.

use crate::chat::{Delta, Piece};
use crate::json;
use serde::Serialize;
use serde_json::value::RawValue;

/// How many are kept; what comes beyond is given out with the end that is known by then.
const MAX_KEPT: usize = 256;

/// The citations of a block.
#[derive(Debug)]
pub(in crate::dialect) struct Citations {
    /// Where the block begins, in characters of the whole text.
    start: usize,
    sources: Vec<Source>,
}

/// A source on the web.
#[derive(Debug)]
pub(in crate::dialect) struct Source {
    pub(in crate::dialect) url: String,
    pub(in crate::dialect) title: Option<String>,
    pub(in crate::dialect) content: Option<String>,
}

impl Citations {
    /// Those of a block that begins at `start`.
    pub(in crate::dialect) const fn new(start: usize) -> Self {
        Self {
            start,
            sources: Vec::new(),
        }
    }

    /// Takes one more; the block has come to `end`.
    pub(in crate::dialect) fn push(&mut self, source: Source, end: usize, out: &mut Vec<Delta>) {
        self.sources.push(source);
        if self.sources.len() >= MAX_KEPT {
            self.give(end, out);
        }
    }

    /// Gives out all that are kept, as annotations of the text up to `end`.
    pub(in crate::dialect) fn give(&mut self, end: usize, out: &mut Vec<Delta>) {
        for source in self.sources.drain(..) {
            out.push(Delta::Piece {
                choice: 0,
                piece: Piece::Annotation(source.annotation(self.start, end)),
            });
        }
    }
}

impl Source {
    /// The annotation of the text between these two positions, in characters.
    pub(in crate::dialect) fn annotation(self, start: usize, end: usize) -> Box<RawValue> {
        let Self { url, title, content } = self;
        json::to_raw(&Annotation {
            kind: "url_citation",
            url_citation: UrlCitation {
                url,
                title,
                content,
                start_index: start,
                end_index: end,
            },
        })
    }
}

/// OpenRouter's form: <https://openrouter.ai/docs/features/web-search>.
#[derive(Serialize)]
struct Annotation {
    #[serde(rename = "type")]
    kind: &'static str,
    url_citation: UrlCitation,
}

#[derive(Serialize)]
struct UrlCitation {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    start_index: usize,
    end_index: usize,
}
