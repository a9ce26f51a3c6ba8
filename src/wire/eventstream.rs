//! AWS's binary event stream, as <https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html> describes it.
//!
//! A message is `total length u32 | headers length u32 | CRC-32 of these eight bytes | headers | payload | CRC-32 of all
//! before it`, big-endian. Both checksums are verified. Of the headers, only `:message-type`, `:event-type`,
//! `:exception-type` and `:error-code` matter here.

use super::frame::{Frame, FrameError, FrameKind, append, consume, text};

const PRELUDE: usize = 12;
const TRAILER: usize = 4;

/// A framer for `application/vnd.amazon.eventstream`.
#[derive(Debug)]
pub struct EventStream {
    /// The bytes of the message that is not complete yet.
    buffer: Vec<u8>,
    cap: usize,
}

impl EventStream {
    /// A framer whose messages are at most `cap` bytes long.
    pub const fn new(cap: usize) -> Self {
        Self {
            buffer: Vec::new(),
            cap,
        }
    }

    /// How long the frame is that is not complete yet, in bytes.
    pub const fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes more bytes and hands on the messages that they complete.
    ///
    /// # Errors
    /// When a message is longer than the cap, its lengths, checksums or headers are wrong, or its payload is not UTF-8.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        if self.buffer.is_empty() {
            let consumed = run(bytes, self.cap, sink)?;
            append(&mut self.buffer, bytes.get(consumed..).unwrap_or_default());
        } else {
            append(&mut self.buffer, bytes);
            let consumed = run(&self.buffer, self.cap, sink)?;
            consume(&mut self.buffer, consumed);
        }
        Ok(())
    }

    /// Checks that the response did not end inside a message.
    ///
    /// # Errors
    /// When it did.
    pub fn finish(&mut self) -> Result<(), FrameError> {
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(FrameError::Truncated)
        }
    }
}

/// Hands on the complete messages of `input`; says how many bytes of it are done with.
fn run(input: &[u8], cap: usize, sink: &mut dyn FnMut(Frame<'_>)) -> Result<usize, FrameError> {
    let mut start = 0;
    while let Some(rest) = input.get(start..) {
        let Some((prelude, _)) = rest.split_at_checked(PRELUDE) else {
            break;
        };
        let total = be32(prelude, 0) as usize;
        let headers = be32(prelude, 4) as usize;
        if be32(prelude, 8) != crc32fast::hash(prelude.get(..8).unwrap_or_default()) {
            return Err(FrameError::Malformed(
                "the checksum of a message's prelude is wrong",
            ));
        }
        if total > cap {
            return Err(FrameError::TooLong { cap });
        }
        if total < PRELUDE + TRAILER || headers > total - PRELUDE - TRAILER {
            return Err(FrameError::Malformed(
                "the lengths of a message contradict each other",
            ));
        }
        let Some(message) = rest.get(..total) else { break };
        let Some((checked, trailer)) = message.split_at_checked(total - TRAILER) else {
            break;
        };
        if be32(trailer, 0) != crc32fast::hash(checked) {
            return Err(FrameError::Malformed("the checksum of a message is wrong"));
        }
        let headers_end = PRELUDE + headers;
        let (kind, event) = read_headers(checked.get(PRELUDE..headers_end).unwrap_or_default())?;
        sink(Frame {
            kind,
            event,
            data: text(checked.get(headers_end..).unwrap_or_default())?,
            raw: "",
        });
        start += total;
    }
    Ok(start)
}

/// What a message is, and its name, from its headers.
fn read_headers(mut headers: &[u8]) -> Result<(FrameKind, &str), FrameError> {
    const SHORT: FrameError = FrameError::Malformed("a header of a message is cut short");
    let mut kind = FrameKind::Event;
    let mut event = "";
    while let Some((&name_length, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at_checked(name_length.into()).ok_or(SHORT)?;
        let (&value_type, rest) = rest.split_first().ok_or(SHORT)?;
        let (length, rest) = match value_type {
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            5 | 8 => (8, rest),
            9 => (16, rest),
            6 | 7 => {
                let (length, rest) = rest.split_at_checked(2).ok_or(SHORT)?;
                (be16(length).into(), rest)
            }
            _ => return Err(FrameError::Malformed("a header of a message has an unknown type")),
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(SHORT)?;
        let text = std::str::from_utf8(value).unwrap_or("");
        match name {
            b":message-type" if text != "event" => kind = FrameKind::Exception,
            b":event-type" | b":exception-type" | b":error-code" => event = text,
            _ => {}
        }
        headers = rest;
    }
    Ok((kind, event))
}

/// The big-endian u32 at `at`; bytes beyond the end count as zero.
fn be32(bytes: &[u8], at: usize) -> u32 {
    let byte = |offset: usize| u32::from(bytes.get(at + offset).copied().unwrap_or(0));
    byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3)
}

/// The big-endian u16 at the start.
fn be16(bytes: &[u8]) -> u16 {
    let byte = |at: usize| u16::from(bytes.get(at).copied().unwrap_or(0));
    byte(0) << 8 | byte(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    /// AWS's own test vector: no headers, payload `{'foo':'bar'}`.
    const VECTOR: &[u8] = b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";

    fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut head = Vec::new();
        for (name, value) in headers {
            head.push(name.len() as u8);
            head.extend_from_slice(name.as_bytes());
            head.push(7);
            head.extend_from_slice(&(value.len() as u16).to_be_bytes());
            head.extend_from_slice(value.as_bytes());
        }
        let mut out = Vec::new();
        out.extend_from_slice(&((PRELUDE + head.len() + payload.len() + TRAILER) as u32).to_be_bytes());
        out.extend_from_slice(&(head.len() as u32).to_be_bytes());
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(payload);
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out
    }

    fn frames(pieces: &[&[u8]]) -> Result<Vec<(FrameKind, String, Vec<u8>)>, FrameError> {
        let mut framer = EventStream::new(1 << 16);
        let mut out = Vec::new();
        for piece in pieces {
            framer.feed(piece, &mut |frame| {
                out.push((frame.kind, frame.event.to_owned(), frame.data.as_bytes().to_vec()))
            })?;
        }
        framer.finish().map(|()| out)
    }

    #[test]
    fn the_published_vector_is_read() {
        assert_eq!(
            frames(&[VECTOR]).unwrap(),
            [(FrameKind::Event, String::new(), b"{'foo':'bar'}".to_vec())]
        );
    }

    #[test]
    fn messages_are_the_same_wherever_they_are_cut() {
        let mut stream = message(
            &[(":message-type", "event"), (":event-type", "messageStart")],
            b"{}",
        );
        stream.extend(message(
            &[
                (":message-type", "exception"),
                (":exception-type", "throttlingException"),
            ],
            b"{\"message\":\"x\"}",
        ));
        let expected = vec![
            (FrameKind::Event, "messageStart".to_owned(), b"{}".to_vec()),
            (
                FrameKind::Exception,
                "throttlingException".to_owned(),
                b"{\"message\":\"x\"}".to_vec(),
            ),
        ];
        for at in 0..=stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(frames(&[head, tail]).unwrap(), expected, "cut at {at}");
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(frames(&single).unwrap(), expected);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        for at in 0..VECTOR.len() * 8 {
            let mut broken = VECTOR.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(frames(&[&broken]).is_err(), "bit {at}");
        }
    }

    #[test]
    fn a_cut_response_is_noticed() {
        assert_eq!(frames(&[&VECTOR[..VECTOR.len() - 1]]), Err(FrameError::Truncated));
    }

    #[test]
    fn a_payload_that_is_not_utf8_is_refused() {
        let whole = message(&[(":event-type", "chunk")], b"\"\xff\"");
        for at in 0..=whole.len() {
            let (head, tail) = whole.split_at(at);
            assert_eq!(frames(&[head, tail]), Err(FrameError::NotUtf8), "cut at {at}");
        }
    }

    #[test]
    fn a_message_over_the_cap_is_refused_before_it_is_buffered() {
        let long = message(&[], &[0; 200]);
        assert_eq!(
            EventStream::new(100).feed(&long[..PRELUDE], &mut |_| {}),
            Err(FrameError::TooLong { cap: 100 })
        );
    }
}
