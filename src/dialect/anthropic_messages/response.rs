//! Anthropic's responses as deltas. A buffered message and `message_start` are the same object and read by the same code.
//!
//! Blocks of server tools, and whatever is not known, are passed over; what they cost is in the counts. A second
//! `message_start`, which some proxies send, starts nothing anew.

use super::error;
use super::wire::{Block, BlockDelta, BlockKind, Citation, Event, Message, Usage, finish};
use crate::chat::{Delta, Format, Piece, Place, Reasoning};
use crate::dialect::Decoder;
use crate::dialect::shared::blocks::{Blocks, Phase};
use crate::dialect::shared::citations::{Citations, Source};
use crate::dialect::shared::error::garbled;
use crate::dialect::shared::say::{next, say, say_thought};
use crate::error::Error;
use crate::json::{self, Str};
use crate::wire::Frame;
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct Reader {
    blocks: Blocks<u32, Open>,
    calls: u32,
    thoughts: u32,
    /// How many characters of text there were.
    length: usize,
}

/// A block that has begun.
#[derive(Debug)]
enum Open {
    Text(Citations),
    Thinking {
        index: u32,
    },
    Tool {
        index: u32,
        /// What to give as arguments if no fragment of them comes.
        instead: Option<Box<RawValue>>,
    },
    /// Of no interest.
    Other,
}

impl Decoder for Reader {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        if self.blocks.phase == Phase::Closed || frame.data.is_empty() || frame.data == "[DONE]" {
            return;
        }
        let Ok(event) = serde_json::from_str::<Event<'_>>(frame.data) else {
            return self.fail(garbled("an event"), out);
        };
        let kind = if event.kind.is_empty() {
            frame.event
        } else {
            &*event.kind
        };
        match kind {
            "message_start" => self.start(&event, out),
            "content_block_start" => {
                if let Some(raw) = event.content_block {
                    self.block_start(event.index.unwrap_or(0), raw, out);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.block_delta(event.index.unwrap_or(0), delta, out);
                }
            }
            "content_block_stop" => self.block_stop(event.index.unwrap_or(0), out),
            "message_delta" => {
                let reason = event.delta.and_then(|delta| delta.stop_reason);
                if reason.is_some() {
                    self.close_all(out);
                }
                if let Some(usage) = &event.usage {
                    count(usage, false, out);
                }
                self.stop(reason, out);
            }
            "message_stop" if self.blocks.phase == Phase::Finished => self.blocks.phase = Phase::Closed,
            "error" => self.fail(error::of_event(event.error), out),
            _ => {}
        }
    }

    fn is_done(&self) -> bool {
        self.blocks.phase == Phase::Closed
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        self.blocks.finish(out);
    }
}

impl Reader {
    /// Reads a buffered response.
    pub(super) fn whole(mut self, body: &str, out: &mut Vec<Delta>) {
        match serde_json::from_str::<Message<'_>>(body) {
            Ok(Message {
                error: Some(detail), ..
            }) => self.fail(error::of_event(Some(detail)), out),
            Ok(message) => self.message(message, out),
            Err(_) => self.fail(garbled("a message"), out),
        }
        self.finish(out);
    }

    pub(super) fn fail(&mut self, error: Error, out: &mut Vec<Delta>) {
        self.blocks.fail(error, out);
    }

    fn start(&mut self, event: &Event<'_>, out: &mut Vec<Delta>) {
        if self.blocks.phase != Phase::Expecting {
            return;
        }
        match event
            .message
            .map(|raw| serde_json::from_str::<Message<'_>>(raw.get()))
        {
            Some(Ok(message)) => self.message(message, out),
            Some(Err(_)) => self.fail(garbled("an event"), out),
            None => self.blocks.phase = Phase::Open,
        }
    }

    /// A message with all that it has so far: everything, when it is buffered.
    fn message(&mut self, message: Message<'_>, out: &mut Vec<Delta>) {
        self.blocks.phase = Phase::Open;
        let owned = |text: Str<'_>| text.into_string();
        out.push(Delta::Start {
            id: message.id.map(owned),
            model: message.model.map(owned),
        });
        for (at, raw) in (0..).zip(message.content.unwrap_or_default().0) {
            self.block_start(at, raw, out);
            self.block_stop(at, out);
        }
        if let (Phase::Open, Some(usage)) = (self.blocks.phase, &message.usage) {
            count(usage, true, out);
            if message.stop_reason.is_none() {
                // The completion has only begun: its count here is that of its first token, or a guess.
                if let Some(Delta::Usage(report)) =
                    out.iter_mut().rfind(|delta| matches!(delta, Delta::Usage(_)))
                {
                    report.output = None;
                }
            }
        }
        self.stop(message.stop_reason, out);
    }

    fn stop(&mut self, reason: Option<Str<'_>>, out: &mut Vec<Delta>) {
        let Some(native) = reason else { return };
        if self.blocks.phase.has_ended() {
            return;
        }
        self.blocks.phase = Phase::Finished;
        let reason = finish(&native);
        out.push(Delta::Finish {
            choice: 0,
            reason,
            native: Some(native.into_string()),
        });
    }

    fn block_start(&mut self, at: u32, raw: &RawValue, out: &mut Vec<Delta>) {
        if self.blocks.phase.has_ended() {
            return;
        }
        self.blocks.phase = Phase::Open;
        // A block whose place is taken anew has lost its end.
        self.block_stop(at, out);
        if self.blocks.fails_as_full("blocks", out) {
            return;
        }
        match self.opened(raw, out) {
            Ok(open) => self.blocks.open(at, open),
            Err(_) => self.fail(garbled("a block"), out),
        }
    }

    fn opened(&mut self, raw: &RawValue, out: &mut Vec<Delta>) -> Result<Open, serde_json::Error> {
        let BlockKind { kind } = serde_json::from_str(raw.get())?;
        match &*kind {
            "text" => {
                let block: Block<'_> = serde_json::from_str(raw.get())?;
                let mut citations = Citations::new(self.length);
                self.text(block.text, out);
                for source in block
                    .citations
                    .unwrap_or_default()
                    .0
                    .into_iter()
                    .filter_map(source)
                {
                    citations.push(source, self.length, out);
                }
                Ok(Open::Text(citations))
            }
            "thinking" => {
                let block: Block<'_> = serde_json::from_str(raw.get())?;
                let index = next(&mut self.thoughts);
                say_thought(index, block.thinking, block.signature, out);
                Ok(Open::Thinking { index })
            }
            "redacted_thinking" => {
                let block: Block<'_> = serde_json::from_str(raw.get())?;
                if let Some(data) = block.data.filter(|data| !data.is_empty()) {
                    let (index, data, format) =
                        (next(&mut self.thoughts), data.into_string(), Format::Anthropic);
                    say(
                        Piece::Reasoning(Reasoning::Encrypted {
                            index,
                            data,
                            id: None,
                            format,
                        }),
                        out,
                    );
                }
                Ok(Open::Other)
            }
            "tool_use" => {
                let block: Block<'_> = serde_json::from_str(raw.get())?;
                let index = next(&mut self.calls);
                let id = block.id.unwrap_or_default().into_string();
                let name = block.name.unwrap_or_default().into_string();
                say(Piece::ToolCall { index, id, name }, out);
                let input = json::present(block.input).map(ToOwned::to_owned);
                Ok(Open::Tool {
                    index,
                    instead: Some(input.unwrap_or_else(|| json::to_raw(&Empty {}))),
                })
            }
            _ => Ok(Open::Other),
        }
    }

    fn block_delta(&mut self, at: u32, delta: BlockDelta<'_>, out: &mut Vec<Delta>) {
        if self.blocks.phase.has_ended() {
            return;
        }
        self.blocks.phase = Phase::Open;
        let kind = delta.kind.as_deref().unwrap_or("");
        let is_full = self.blocks.is_full();
        match (kind, self.blocks.at(at)) {
            ("text_delta", _) => self.text(delta.text, out),
            ("thinking_delta" | "signature_delta", Some(Open::Thinking { index })) => {
                say_thought(*index, delta.thinking, delta.signature, out);
            }
            // A block that was never announced: nothing that was thought is lost for that.
            ("thinking_delta" | "signature_delta", None) if !is_full => {
                let index = next(&mut self.thoughts);
                self.blocks.open(at, Open::Thinking { index });
                say_thought(index, delta.thinking, delta.signature, out);
            }
            ("input_json_delta", Some(Open::Tool { index, instead })) => {
                if let Some(json) = delta.partial_json.filter(|json| !json.is_empty()) {
                    *instead = None;
                    say(
                        Piece::ToolArguments {
                            index: *index,
                            json: json.into_string(),
                        },
                        out,
                    );
                }
            }
            ("citations_delta", Some(Open::Text(citations))) => {
                if let Some(source) = delta.citation.and_then(source) {
                    citations.push(source, self.length, out);
                }
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, at: u32, out: &mut Vec<Delta>) {
        if let Some(open) = self.blocks.take(at) {
            self.close(open, out);
        }
    }

    /// Some compatible servers leave out the ends of blocks.
    fn close_all(&mut self, out: &mut Vec<Delta>) {
        for open in self.blocks.take_all() {
            self.close(open, out);
        }
    }

    fn close(&self, open: Open, out: &mut Vec<Delta>) {
        match open {
            Open::Text(mut citations) => citations.give(self.length, out),
            Open::Tool {
                index,
                instead: Some(input),
            } => {
                say(
                    Piece::ToolArguments {
                        index,
                        json: input.get().to_owned(),
                    },
                    out,
                );
            }
            Open::Tool { instead: None, .. } | Open::Thinking { .. } | Open::Other => {}
        }
    }

    fn text(&mut self, text: Option<Str<'_>>, out: &mut Vec<Delta>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.length = self.length.saturating_add(text.chars().count());
            say(Piece::Text(text.into_string()), out);
        }
    }
}

/// The counts, and beside them what server tools were used: they are billed by the request, not by the token.
fn count(usage: &Usage<'_>, first: bool, out: &mut Vec<Delta>) {
    out.push(Delta::Usage(usage.report(first)));
    if let Some(raw) =
        json::present(usage.server_tool_use).filter(|raw| raw.get().contains(|c| matches!(c, '1'..='9')))
    {
        let (place, name, value) = (Place::Response, "server_tool_use".to_owned(), raw.to_owned());
        say(Piece::Other { place, name, value }, out);
    }
}

/// `None` for a source that is not on the web, or not to be read.
fn source(raw: &RawValue) -> Option<Source> {
    // A citation that cannot be read is passed over like one without an address: the text it belongs to is whole.
    let citation = serde_json::from_str::<Citation<'_>>(raw.get()).ok()?;
    Some(Source {
        url: citation.url?.into_string(),
        title: citation.title.map(Str::into_string),
        content: citation.cited_text.map(Str::into_string),
    })
}

#[derive(Serialize)]
struct Empty {}
