//! Converse's responses as deltas.
//!
//! Text and thinking may begin without a `contentBlockStart`. The counts come after the reason for the end, as a rule;
//! a response without them is complete all the same.

mod blocks;

use super::wire::{BlockDelta, BlockStart, BlockStop, MessageStop, Metadata, Response, finish};
use crate::chat::Delta;
use crate::dialect::Decoder;
use crate::dialect::shared::aws_error;
use crate::dialect::shared::blocks::{Blocks, Phase};
use crate::dialect::shared::citations::Citations;
use crate::dialect::shared::error::garbled;
use crate::json::Str;
use crate::wire::{Frame, FrameKind};
use serde::Deserialize;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct Reader {
    blocks: Blocks<u32, Open>,
    calls: u32,
    thoughts: u32,
    /// The counts have come.
    counted: bool,
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
        /// Whether no fragment of its arguments has come.
        bare: bool,
    },
    Image {
        format: String,
    },
    /// Of no interest: a tool that Bedrock runs itself.
    Other,
}

impl Decoder for Reader {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        match (self.blocks.phase, frame.kind) {
            (Phase::Closed, _) => {}
            (_, FrameKind::Exception) => self
                .blocks
                .fail(aws_error::of_exception(frame.event, frame.data.as_bytes()), out),
            (Phase::Finished, FrameKind::Event) if frame.event != "metadata" => {}
            (_, FrameKind::Event) => {
                if self.event(frame.event, frame.data, out).is_err() {
                    self.blocks.fail(garbled("an event"), out);
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        self.blocks.phase == Phase::Closed || (self.blocks.phase == Phase::Finished && self.counted)
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        self.blocks.finish(out);
    }
}

impl Reader {
    /// Reads a buffered response.
    pub(super) fn whole(mut self, body: &str, out: &mut Vec<Delta>) {
        match serde_json::from_str::<Response<'_>>(body) {
            Ok(Response {
                output: Some(output),
                stop_reason,
                usage,
            }) => {
                self.begin(out);
                for (at, block) in (0..).zip(output.message.into_iter().flat_map(|message| message.content)) {
                    self.block(at, block, out);
                    self.block_stop(at, out);
                }
                out.extend(usage.map(|usage| Delta::Usage(usage.report())));
                if let Some(native) = stop_reason {
                    self.stop(native, out);
                }
            }
            // AWS answers some mistakes with an error object under status 200.
            Ok(Response { output: None, .. }) => self
                .blocks
                .fail(aws_error::of_exception("", body.as_bytes()), out),
            Err(_) => self.blocks.fail(garbled("a message"), out),
        }
        self.finish(out);
    }

    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Delta>) -> Result<(), serde_json::Error> {
        match name {
            "messageStart" => self.begin(out),
            "contentBlockStart" => {
                let BlockStart {
                    content_block_index: at,
                    start,
                } = read(data)?;
                self.begin(out);
                // Some models announce text and thinking too, with an empty `start`: the first delta says which it is.
                let Some(start) = start else { return Ok(()) };
                if let Some(call) = start.tool_use {
                    self.call(at, &call, out);
                } else if let Some(image) = start.image {
                    self.open(
                        at,
                        Open::Image {
                            format: image.format.into_string(),
                        },
                        out,
                    );
                }
            }
            "contentBlockDelta" => {
                let BlockDelta {
                    content_block_index: at,
                    delta,
                } = read(data)?;
                self.begin(out);
                if let Some(change) = delta {
                    self.change(at, change, out);
                }
            }
            "contentBlockStop" => {
                let BlockStop {
                    content_block_index: at,
                } = read(data)?;
                self.block_stop(at, out);
            }
            "messageStop" => {
                let MessageStop { stop_reason } = read(data)?;
                self.begin(out);
                self.stop(stop_reason, out);
            }
            "metadata" => {
                let Metadata { usage } = read(data)?;
                self.counted = true;
                out.extend(usage.map(|usage| Delta::Usage(usage.report())));
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<Delta>) {
        if self.blocks.phase == Phase::Expecting {
            self.blocks.phase = Phase::Open;
            // Converse names neither the response nor the model.
            out.push(Delta::Start {
                id: None,
                model: None,
            });
        }
    }

    fn stop(&mut self, native: Str<'_>, out: &mut Vec<Delta>) {
        if self.blocks.phase.has_ended() {
            return;
        }
        for open in self.blocks.take_all() {
            self.close(open, out);
        }
        self.blocks.phase = Phase::Finished;
        out.push(Delta::Finish {
            choice: 0,
            reason: finish(&native),
            native: Some(native.into_string()),
        });
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str(data)
}
