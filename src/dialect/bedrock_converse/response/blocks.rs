//! Blocks of a message as pieces: what is open, and what comes for it.

use super::{Open, Reader};
use crate::chat::{Delta, Format, Piece, Reasoning};
use crate::dialect::bedrock_converse::wire::{Block, Change, CitedText, Thought, ThoughtText, ToolUse};
use crate::dialect::shared::blocks::Phase;
use crate::dialect::shared::citations::{Citations, Source};
use crate::dialect::shared::say::{next, say, say_thought};
use crate::json::{self, Listed, Members, Str};
use serde_json::value::RawValue;

impl Reader {
    /// Opens a block. One whose place is taken anew has lost its end.
    pub(super) fn open(&mut self, at: u32, block: Open, out: &mut Vec<Delta>) {
        self.block_stop(at, out);
        if !self.blocks.fails_as_full("blocks", out) {
            self.blocks.open(at, block);
        }
    }

    pub(super) fn call(&mut self, at: u32, call: &ToolUse<'_>, out: &mut Vec<Delta>) {
        if call.kind.as_deref() == Some("server_tool_use") {
            return self.open(at, Open::Other, out);
        }
        let index = next(&mut self.calls);
        self.open(at, Open::Tool { index, bare: true }, out);
        if self.blocks.phase == Phase::Open {
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
            let format = match self.blocks.at(at) {
                Some(Open::Image { format }) => format.as_str(),
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
    fn at(&mut self, at: u32, fresh: fn(&mut Self) -> Open, out: &mut Vec<Delta>) -> Option<&mut Open> {
        if self.blocks.at(at).is_none() {
            let block = fresh(self);
            self.open(at, block, out);
        }
        self.blocks.at(at)
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

    fn fresh_text(&mut self) -> Open {
        Open::Text(Citations::new(self.length))
    }

    fn fresh_thought(&mut self) -> Open {
        Open::Thinking {
            index: next(&mut self.thoughts),
        }
    }

    fn arguments(&mut self, at: u32, json: &str, out: &mut Vec<Delta>) {
        if let (false, Some(Open::Tool { index, bare })) = (json.is_empty(), self.blocks.at(at)) {
            *bare = false;
            let (index, json) = (*index, json.to_owned());
            say(Piece::ToolArguments { index, json }, out);
        }
    }

    fn think(&mut self, at: u32, thought: Thought<'_>, out: &mut Vec<Delta>) {
        if matches!(self.blocks.at(at), Some(Open::Text(_))) {
            self.block_stop(at, out);
        }
        let Some(Open::Thinking { index }) = self.at(at, Self::fresh_thought, out) else {
            return;
        };
        let index = *index;
        let whole = thought.reasoning_text.unwrap_or(ThoughtText {
            text: thought.text,
            signature: thought.signature,
        });
        // Models of others give no signatures.
        say_thought(index, whole.text, whole.signature, out);
        if let Some(data) = thought.redacted_content.filter(|data| !data.is_empty()) {
            let sealed = Reasoning::Encrypted {
                index,
                data: data.into_string(),
                id: None,
                // Bedrock's own encoding: of no use at any other provider, not even Anthropic.
                format: Format::Unknown,
            };
            say(Piece::Reasoning(sealed), out);
        }
    }

    fn cite(&mut self, at: u32, raw: &RawValue, out: &mut Vec<Delta>) {
        let Some(source) = source(raw) else { return };
        let length = self.length;
        if let Some(Open::Text(citations)) = self.at(at, Self::fresh_text, out) {
            citations.push(source, length, out);
        }
    }

    pub(super) fn block_stop(&mut self, at: u32, out: &mut Vec<Delta>) {
        if let Some(open) = self.blocks.take(at) {
            self.close(open, out);
        }
    }

    pub(super) fn close(&self, open: Open, out: &mut Vec<Delta>) {
        match open {
            Open::Text(mut citations) => citations.give(self.length, out),
            Open::Tool { index, bare: true } => say(
                Piece::ToolArguments {
                    index,
                    json: "{}".to_owned(),
                },
                out,
            ),
            Open::Tool { bare: false, .. } | Open::Thinking { .. } | Open::Image { .. } | Open::Other => {}
        }
    }
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
