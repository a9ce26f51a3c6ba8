//! Anthropic's events as Bedrock wraps them: base64 in the payload of an event named `chunk`.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html>
//!
//! The last event repeats the counts of the others (`amazon-bedrock-invocationMetrics`), and is not asked for them.

use super::response::Reader;
use crate::base64;
use crate::chat::Delta;
use crate::dialect::Decoder;
use crate::dialect::shared::aws_error;
use crate::dialect::shared::error::garbled;
use crate::json::Members;
use crate::wire::{Frame, FrameKind};
use serde_json::value::RawValue;

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Chunks(Reader);

impl Decoder for Chunks {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        match (frame.kind, frame.event) {
            (FrameKind::Exception, name) => {
                let error = aws_error::of_exception(name, frame.data.as_bytes());
                self.0.fail(error, out);
            }
            (FrameKind::Event, "chunk") => match event(frame.data) {
                Some(data) => self.0.decode(
                    &Frame {
                        data: &data,
                        ..*frame
                    },
                    out,
                ),
                None => self.0.fail(garbled("an event"), out),
            },
            (FrameKind::Event, _) => {}
        }
    }

    fn is_done(&self) -> bool {
        self.0.is_done()
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        self.0.finish(out);
    }
}

/// Anthropic's event in a chunk.
fn event(data: &str) -> Option<String> {
    let payload = serde_json::from_str::<&RawValue>(data).map(Members::of).ok()?;
    String::from_utf8(base64::decode(&payload.text("bytes")?)?).ok()
}
