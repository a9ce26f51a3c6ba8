//! Anthropic's responses as deltas. A buffered message and `message_start` are the same object and read by the same code.
//!
//! Blocks of server tools, and whatever is not known, are passed over; what they cost is in the counts. A second
//! `message_start`, which some proxies send, starts nothing anew.

use super::error;
use super::wire::{Block, BlockDelta, BlockKind, Citation, Event, Message, Usage, finish};
use crate::chat::{Delta, Format, Piece, Place, Reasoning};
use crate::dialect::Decoder;
use crate::dialect::shared::citations::{Citations, Source};
use crate::dialect::shared::error::garbled;
use crate::dialect::shared::say::{next, say};
use crate::error::{Error, Kind};
use crate::json::{self, Str};
use crate::wire::Frame;
use serde::Serialize;
use serde_json::value::RawValue;

/// How many blocks may be open at once. Anthropic opens one at a time; the cap bounds what a stream can make us keep.
const MAX_OPEN: usize = 64;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct Reader {
    phase: Phase,
    open: Vec<Open>,
    calls: u32,
    thoughts: u32,
    /// How many characters of text there were.
    length: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing has come.
    #[default]
    Expecting,
    /// The message has begun.
    Open,
    /// The reason for its end has come; counts may follow.
    Finished,
    /// Nothing more is said, whatever comes.
    Closed,
}

/// A block that has begun.
#[derive(Debug)]
struct Open {
    at: u32,
    kind: OpenKind,
}

#[derive(Debug)]
enum OpenKind {
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
        if self.phase == Phase::Closed || frame.data.is_empty() || frame.data == "[DONE]" {
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
            "message_stop" if self.phase == Phase::Finished => self.phase = Phase::Closed,
            "error" => self.fail(error::of_event(event.error), out),
            _ => {}
        }
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        match self.phase {
            Phase::Closed => {}
            Phase::Finished => self.phase = Phase::Closed,
            Phase::Expecting | Phase::Open => {
                let message = "the response ended before the model said why it stopped";
                self.fail(Error::of_provider(Kind::ProviderUnavailable, message, None), out);
            }
        }
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

    /// The answer is whole once its reason has come: nothing after that can fail it.
    pub(super) fn fail(&mut self, error: Error, out: &mut Vec<Delta>) {
        if self.phase != Phase::Finished {
            out.push(Delta::Error(error));
        }
        self.phase = Phase::Closed;
        self.open = Vec::new();
    }

    fn start(&mut self, event: &Event<'_>, out: &mut Vec<Delta>) {
        if self.phase != Phase::Expecting {
            return;
        }
        match event
            .message
            .map(|raw| serde_json::from_str::<Message<'_>>(raw.get()))
        {
            Some(Ok(message)) => self.message(message, out),
            Some(Err(_)) => self.fail(garbled("an event"), out),
            None => self.phase = Phase::Open,
        }
    }

    /// A message with all that it has so far: everything, when it is buffered.
    fn message(&mut self, message: Message<'_>, out: &mut Vec<Delta>) {
        self.phase = Phase::Open;
        let owned = |text: Str<'_>| text.into_string();
        out.push(Delta::Start {
            id: message.id.map(owned),
            model: message.model.map(owned),
        });
        for (at, raw) in (0..).zip(message.content.unwrap_or_default().0) {
            self.block_start(at, raw, out);
            self.block_stop(at, out);
        }
        if let (Phase::Open, Some(usage)) = (self.phase, &message.usage) {
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
        if matches!(self.phase, Phase::Finished | Phase::Closed) {
            return;
        }
        self.phase = Phase::Finished;
        let reason = finish(&native);
        out.push(Delta::Finish {
            choice: 0,
            reason,
            native: Some(native.into_string()),
        });
    }

    fn block_start(&mut self, at: u32, raw: &RawValue, out: &mut Vec<Delta>) {
        if matches!(self.phase, Phase::Finished | Phase::Closed) {
            return;
        }
        self.phase = Phase::Open;
        // A block whose place is taken anew has lost its end.
        self.block_stop(at, out);
        if self.open.len() >= MAX_OPEN {
            let message = "the response has too many blocks open at once";
            return self.fail(Error::of_provider(Kind::ProviderUnavailable, message, None), out);
        }
        match self.opened(raw, out) {
            Ok(kind) => self.open.push(Open { at, kind }),
            Err(_) => self.fail(garbled("a block"), out),
        }
    }

    fn opened(&mut self, raw: &RawValue, out: &mut Vec<Delta>) -> Result<OpenKind, serde_json::Error> {
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
                Ok(OpenKind::Text(citations))
            }
            "thinking" => {
                let block: Block<'_> = serde_json::from_str(raw.get())?;
                let index = next(&mut self.thoughts);
                think(index, block.thinking, block.signature, out);
                Ok(OpenKind::Thinking { index })
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
                Ok(OpenKind::Other)
            }
            "tool_use" => {
                let block: Block<'_> = serde_json::from_str(raw.get())?;
                let index = next(&mut self.calls);
                let id = block.id.unwrap_or_default().into_string();
                let name = block.name.unwrap_or_default().into_string();
                say(Piece::ToolCall { index, id, name }, out);
                let input = json::present(block.input).map(ToOwned::to_owned);
                Ok(OpenKind::Tool {
                    index,
                    instead: Some(input.unwrap_or_else(|| json::to_raw(&Empty {}))),
                })
            }
            _ => Ok(OpenKind::Other),
        }
    }

    fn block_delta(&mut self, at: u32, delta: BlockDelta<'_>, out: &mut Vec<Delta>) {
        if matches!(self.phase, Phase::Finished | Phase::Closed) {
            return;
        }
        self.phase = Phase::Open;
        let kind = delta.kind.as_deref().unwrap_or("");
        let room = self.open.len() < MAX_OPEN;
        let open = self
            .open
            .iter_mut()
            .find(|open| open.at == at)
            .map(|open| &mut open.kind);
        match (kind, open) {
            ("text_delta", _) => self.text(delta.text, out),
            ("thinking_delta" | "signature_delta", Some(OpenKind::Thinking { index })) => {
                think(*index, delta.thinking, delta.signature, out);
            }
            // A block that was never announced: nothing that was thought is lost for that.
            ("thinking_delta" | "signature_delta", None) if room => {
                let index = next(&mut self.thoughts);
                self.open.push(Open {
                    at,
                    kind: OpenKind::Thinking { index },
                });
                think(index, delta.thinking, delta.signature, out);
            }
            ("input_json_delta", Some(OpenKind::Tool { index, instead })) => {
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
            ("citations_delta", Some(OpenKind::Text(citations))) => {
                if let Some(source) = delta.citation.and_then(source) {
                    citations.push(source, self.length, out);
                }
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, at: u32, out: &mut Vec<Delta>) {
        if let Some(found) = self.open.iter().position(|open| open.at == at) {
            let open = self.open.remove(found);
            self.close(open, out);
        }
    }

    /// Some compatible servers leave out the ends of blocks.
    fn close_all(&mut self, out: &mut Vec<Delta>) {
        for open in std::mem::take(&mut self.open) {
            self.close(open, out);
        }
    }

    fn close(&self, open: Open, out: &mut Vec<Delta>) {
        match open.kind {
            OpenKind::Text(mut citations) => citations.give(self.length, out),
            OpenKind::Tool {
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
            OpenKind::Tool { instead: None, .. } | OpenKind::Thinking { .. } | OpenKind::Other => {}
        }
    }

    fn text(&mut self, text: Option<Str<'_>>, out: &mut Vec<Delta>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.length = self.length.saturating_add(text.chars().count());
            say(Piece::Text(text.into_string()), out);
        }
    }
}

fn think(index: u32, text: Option<Str<'_>>, signature: Option<Str<'_>>, out: &mut Vec<Delta>) {
    let format = Format::Anthropic;
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        say(
            Piece::Reasoning(Reasoning::Text {
                index,
                text: text.into_string(),
                format,
            }),
            out,
        );
    }
    if let Some(signature) = signature.filter(|signature| !signature.is_empty()) {
        say(
            Piece::Reasoning(Reasoning::Signature {
                index,
                signature: signature.into_string(),
                format,
            }),
            out,
        );
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
