//! Anthropic's events as Bedrock wraps them: base64 in the payload of an event named `chunk`.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html>
//!
//! The last event repeats the counts of the others (`amazon-bedrock-invocationMetrics`), and is not asked for them.

use super::response::Reader;
use crate::chat::Delta;
use crate::dialect::{Decoder, bedrock_converse, garbled};
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
                let error = bedrock_converse::error::of_exception(name, frame.data);
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
fn event(data: &[u8]) -> Option<Vec<u8>> {
    let payload = serde_json::from_slice::<&RawValue>(data).map(Members::of).ok()?;
    from_base64(&payload.text("bytes")?)
}

/// The bytes that `text` stands for, padded or not; `None` when it is no base64.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        // Six bits alone are no byte.
        let [_, first, second, third] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        let count = group.len().checked_sub(1).filter(|count| *count > 0)?;
        out.extend([first, second, third].iter().take(count));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn base64_is_read_at_every_length() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYmFy", b"foobar"),
            ("+/8=", b"\xfb\xff"),
        ] {
            assert_eq!(from_base64(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["Z", "Zm9vZ", "Zm 9", "Zm=9", "-_8=", "é"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }
}
