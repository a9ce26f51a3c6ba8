//! Blocks of a message as pieces: what is open, and what comes for it.

use super::{MAX_OPEN, Open, OpenKind, Phase, Reader};
use crate::chat::{Delta, Format, Piece, Reasoning};
use crate::dialect::bedrock_converse::wire::{Block, Change, CitedText, Thought, ThoughtText, ToolUse};
use crate::dialect::shared::citations::{Citations, Source};
use crate::dialect::shared::say::{next, say};
use crate::error::{Error, Kind};
use crate::json::{self, Listed, Members, Str};
use serde_json::value::RawValue;

impl Reader {
    /// Opens a block. One whose place is taken anew has lost its end.
    pub(super) fn open(&mut self, at: u32, kind: OpenKind, out: &mut Vec<Delta>) {
        self.block_stop(at, out);
        if self.open.len() >= MAX_OPEN {
            let message = "the response has too many blocks open at once";
            return self.fail(Error::of_provider(Kind::ProviderUnavailable, message, None), out);
        }
        self.open.push(Open { at, kind });
    }

    pub(super) fn call(&mut self, at: u32, call: &ToolUse<'_>, out: &mut Vec<Delta>) {
        if call.kind.as_deref() == Some("server_tool_use") {
            return self.open(at, OpenKind::Other, out);
        }
        let index = next(&mut self.calls);
        self.open(at, OpenKind::Tool { index, bare: true }, out);
        if self.phase == Phase::Open {
            say(
                Piece::ToolCall {
                    index,
                    id: call.tool_use_id.to_string(),
                    name: call.name.to_string(),
                },
                out,
            );
        }
    }

    pub(super) fn block(&mut self, at: u32, block: Block<'_>, out: &mut Vec<Delta>) {
        if let Some(text) = block.text {
            self.text(at, text, out);
        }
        if let Some(call) = block.tool_use {
            self.call(at, &call, out);
            if let Some(input) = json::present(call.input) {
                self.arguments(at, input.get(), out);
            }
        }
        if let Some(thought) = block.reasoning_content {
            self.think(at, thought, out);
        }
        if let Some(CitedText {
            content,
            citations: Listed(citations),
        }) = block.citations_content
        {
            for text in content.into_iter().filter_map(|generated| generated.text) {
                self.text(at, text, out);
            }
            for citation in citations {
                self.cite(at, citation, out);
            }
        }
        if let Some(bytes) = block
            .image
            .as_ref()
            .and_then(|image| image.source.as_ref()?.bytes.as_deref())
        {
            let format = block.image.as_ref().map_or("png", |image| &image.format);
            say(
                Piece::Image {
                    url: data_url(format, bytes),
                },
                out,
            );
        }
    }

    pub(super) fn change(&mut self, at: u32, change: Change<'_>, out: &mut Vec<Delta>) {
        if let Some(text) = change.text {
            self.text(at, text, out);
        }
        if let Some(input) = change.tool_use.and_then(|call| call.input) {
            self.arguments(at, &input, out);
        }
        if let Some(thought) = change.reasoning_content {
            self.think(at, thought, out);
        }
        if let Some(citation) = change.citation {
            self.cite(at, citation, out);
        }
        if let Some(bytes) = change.image.and_then(|image| image.source?.bytes) {
            let format = match self.open.iter().find(|open| open.at == at) {
                Some(Open {
                    kind: OpenKind::Image { format },
                    ..
                }) => format,
                _ => "png",
            };
            say(
                Piece::Image {
                    url: data_url(format, &bytes),
                },
                out,
            );
        }
    }

    /// The block at this place; a new one of this kind if none is open there.
    fn at(
        &mut self,
        at: u32,
        kind: fn(&mut Self) -> OpenKind,
        out: &mut Vec<Delta>,
    ) -> Option<&mut OpenKind> {
        if !self.open.iter().any(|open| open.at == at) {
            let kind = kind(self);
            self.open(at, kind, out);
        }
        self.open
            .iter_mut()
            .find(|open| open.at == at)
            .map(|open| &mut open.kind)
    }

    fn text(&mut self, at: u32, text: Str<'_>, out: &mut Vec<Delta>) {
        if text.is_empty() {
            return;
        }
        if self.at(at, Self::fresh_text, out).is_some() {
            self.length = self.length.saturating_add(text.chars().count());
            say(Piece::Text(text.into_string()), out);
        }
    }

    fn fresh_text(&mut self) -> OpenKind {
        OpenKind::Text(Citations::new(self.length))
    }

    fn fresh_thought(&mut self) -> OpenKind {
        OpenKind::Thinking {
            index: next(&mut self.thoughts),
        }
    }

    fn arguments(&mut self, at: u32, json: &str, out: &mut Vec<Delta>) {
        let open = self.open.iter_mut().find(|open| open.at == at);
        if let (
            false,
            Some(Open {
                kind: OpenKind::Tool { index, bare },
                ..
            }),
        ) = (json.is_empty(), open)
        {
            *bare = false;
            say(
                Piece::ToolArguments {
                    index: *index,
                    json: json.to_owned(),
                },
                out,
            );
        }
    }

    fn think(&mut self, at: u32, thought: Thought<'_>, out: &mut Vec<Delta>) {
        if self
            .open
            .iter()
            .any(|open| open.at == at && matches!(open.kind, OpenKind::Text(_)))
        {
            self.block_stop(at, out);
        }
        let Some(OpenKind::Thinking { index }) = self.at(at, Self::fresh_thought, out) else {
            return;
        };
        let index = *index;
        let whole = thought.reasoning_text.unwrap_or(ThoughtText {
            text: thought.text,
            signature: thought.signature,
        });
        // The signatures are Claude's own and hold wherever it is served; models of others give none.
        let format = Format::Anthropic;
        let filled = |text: &Str<'_>| !text.is_empty();
        if let Some(text) = whole.text.filter(filled) {
            reason(
                Reasoning::Text {
                    index,
                    text: text.into_string(),
                    format,
                },
                out,
            );
        }
        if let Some(signature) = whole.signature.filter(filled) {
            reason(
                Reasoning::Signature {
                    index,
                    signature: signature.into_string(),
                    format,
                },
                out,
            );
        }
        if let Some(data) = thought.redacted_content.filter(filled) {
            // Bedrock's own encoding: of no use at any other provider, not even Anthropic.
            let format = Format::Unknown;
            reason(
                Reasoning::Encrypted {
                    index,
                    data: data.into_string(),
                    id: None,
                    format,
                },
                out,
            );
        }
    }

    fn cite(&mut self, at: u32, raw: &RawValue, out: &mut Vec<Delta>) {
        let Some(source) = source(raw) else { return };
        let length = self.length;
        if let Some(OpenKind::Text(citations)) = self.at(at, Self::fresh_text, out) {
            citations.push(source, length, out);
        }
    }

    pub(super) fn block_stop(&mut self, at: u32, out: &mut Vec<Delta>) {
        if let Some(found) = self.open.iter().position(|open| open.at == at) {
            let open = self.open.remove(found);
            self.close(open, out);
        }
    }

    pub(super) fn close(&self, open: Open, out: &mut Vec<Delta>) {
        match open.kind {
            OpenKind::Text(mut citations) => citations.give(self.length, out),
            OpenKind::Tool { index, bare: true } => say(
                Piece::ToolArguments {
                    index,
                    json: "{}".to_owned(),
                },
                out,
            ),
            OpenKind::Tool { bare: false, .. }
            | OpenKind::Thinking { .. }
            | OpenKind::Image { .. }
            | OpenKind::Other => {}
        }
    }
}

fn reason(reasoning: Reasoning, out: &mut Vec<Delta>) {
    say(Piece::Reasoning(reasoning), out);
}

fn data_url(format: &str, base64: &str) -> String {
    format!("data:image/{format};base64,{base64}")
}

/// `None` for a source that is not on the web, or not to be read.
fn source(raw: &RawValue) -> Option<Source> {
    let citation = Members::of(raw);
    let content: String = citation
        .items("sourceContent")
        .into_iter()
        .filter_map(|part| Members::of(part).text("text"))
        .map(Str::into_string)
        .collect();
    let web = Members::of(Members::of(citation.get("location")?).get("web")?);
    Some(Source {
        url: web.text("url")?.into_string(),
        title: citation.text("title").map(Str::into_string),
        content: Some(content).filter(|content| !content.is_empty()),
    })
}
