//! Bytes to frames: where one event of a stream ends and the next begins. No knowledge of any model or provider.
//!
//! Every framer takes bytes in pieces of any size and gives the same frames wherever the pieces were cut; what is left
//! at the end is given by `finish`. Every framer has a cap on one frame, so memory does not grow with the response.
//!
//! A frame is text: bytes that are not UTF-8 are refused here, once, so that no reader checks them again and no writer
//! passes them on.

mod eventstream;
mod ndjson;
mod sse;

pub use eventstream::EventStream;
pub use ndjson::Ndjson;
pub use sse::Sse;

use std::fmt;

/// One event of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whether it is an event or a failure reported by the framing itself.
    pub kind: FrameKind,
    /// Its name: SSE's `event:`, AWS's `:event-type` or `:exception-type`. Empty when it has none.
    pub event: &'a str,
    /// What it carries.
    pub data: &'a str,
    /// Its text as it came, terminator included. Empty where the framing is binary.
    pub raw: &'a str,
}

/// Whether a frame is an event or a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// An event, or a whole buffered body.
    Event,
    /// AWS's `exception` and `error` messages.
    Exception,
}

/// Why bytes are no frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// One frame is longer than the cap.
    TooLong {
        /// The cap, in bytes.
        cap: usize,
    },
    /// The bytes break the framing's rules.
    Malformed(&'static str),
    /// A frame is not UTF-8, as every format of events and JSON itself must be.
    NotUtf8,
    /// The response ended inside a frame.
    Truncated,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { cap } => write!(f, "one event of the response is longer than {cap} bytes"),
            Self::Malformed(what) => write!(f, "the response breaks its framing: {what}"),
            Self::NotUtf8 => f.write_str("the response holds bytes that are not UTF-8"),
            Self::Truncated => f.write_str("the response ended in the middle of an event"),
        }
    }
}

/// How a response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`
    Sse,
    /// `application/vnd.amazon.eventstream`
    EventStream,
    /// `application/x-ndjson`
    Ndjson,
    /// One document: everything up to the end is one frame.
    Whole,
}

/// A framer for one response.
#[derive(Debug)]
pub enum Framer {
    /// Server-sent events.
    Sse(Sse),
    /// AWS's binary event stream.
    EventStream(EventStream),
    /// JSON by the line.
    Ndjson(Ndjson),
    /// One document.
    Whole(Whole),
}

impl Framer {
    /// A framer whose frames are at most `cap` bytes long.
    pub fn new(framing: Framing, cap: usize) -> Self {
        match framing {
            Framing::Sse => Self::Sse(Sse::new(cap)),
            Framing::EventStream => Self::EventStream(EventStream::new(cap)),
            Framing::Ndjson => Self::Ndjson(Ndjson::new(cap)),
            Framing::Whole => Self::Whole(Whole::new(cap)),
        }
    }

    /// Takes more bytes and hands on the frames that they complete.
    ///
    /// # Errors
    /// When the bytes are no frames; the framer is of no use after that.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        match self {
            Self::Sse(framer) => framer.feed(bytes, sink),
            Self::EventStream(framer) => framer.feed(bytes, sink),
            Self::Ndjson(framer) => framer.feed(bytes, sink),
            Self::Whole(framer) => framer.feed(bytes),
        }
    }

    /// How long the frame is that is not complete yet, in bytes.
    pub const fn held(&self) -> usize {
        match self {
            Self::Sse(framer) => framer.held(),
            Self::EventStream(framer) => framer.held(),
            Self::Ndjson(framer) => framer.held(),
            Self::Whole(framer) => framer.buffer.len(),
        }
    }

    /// Hands on what is left at the end of the response.
    ///
    /// # Errors
    /// When the response ended inside a frame, or what is left is not UTF-8.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        match self {
            Self::Sse(framer) => framer.finish(sink),
            Self::EventStream(framer) => framer.finish(),
            Self::Ndjson(framer) => framer.finish(sink),
            Self::Whole(framer) => framer.finish(sink),
        }
    }
}

/// How much more than it needs a long buffer may have, in bytes.
const ROOM: usize = 48 << 10;
/// What the buffer of an idle framer may keep, in bytes; a longer frame's memory is given back.
const KEEP: usize = 16 << 10;

/// The text of a frame.
fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8)
}

/// Adds bytes to a frame that is not complete yet. Doubling, as a vector does by itself, would hold the longest frame twice.
fn append(buffer: &mut Vec<u8>, bytes: &[u8]) {
    if buffer.capacity() - buffer.len() < bytes.len() {
        buffer.reserve_exact(bytes.len().max(buffer.len().min(ROOM)));
    }
    buffer.extend_from_slice(bytes);
}

/// Takes what is done with from the front of the buffer.
fn consume(buffer: &mut Vec<u8>, length: usize) {
    if length > 0 {
        buffer.drain(..length.min(buffer.len()));
        buffer.shrink_to(KEEP);
    }
}

/// The framer of a buffered response: everything is one frame.
#[derive(Debug)]
pub struct Whole {
    buffer: Vec<u8>,
    cap: usize,
}

impl Whole {
    /// A framer that takes at most `cap` bytes.
    pub const fn new(cap: usize) -> Self {
        Self {
            buffer: Vec::new(),
            cap,
        }
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// When they are more than the cap.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if self.buffer.len().saturating_add(bytes.len()) > self.cap {
            self.buffer = Vec::new();
            return Err(FrameError::TooLong { cap: self.cap });
        }
        append(&mut self.buffer, bytes);
        Ok(())
    }

    /// Hands on the document.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        let buffer = std::mem::take(&mut self.buffer);
        let document = text(&buffer)?;
        sink(Frame {
            kind: FrameKind::Event,
            event: "",
            data: document,
            raw: document,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_document_that_is_not_utf8_is_refused() {
        for (document, expected) in [
            (b"{\"a\":\"\xff\"}".as_slice(), Err(FrameError::NotUtf8)),
            (b"{\"a\":\"\xe2\x82", Err(FrameError::NotUtf8)),
            ("{\"a\":\"€\"}".as_bytes(), Ok(())),
        ] {
            for at in 0..=document.len() {
                let (head, tail) = document.split_at(at);
                let mut framer = Whole::new(100);
                framer.feed(head).and_then(|()| framer.feed(tail)).unwrap();
                assert_eq!(framer.finish(&mut |_| ()), expected, "cut at {at}");
            }
        }
    }
}
