//! Bytes to frames: where one event of a stream ends and the next begins. No knowledge of any model or provider.
//!
//! Every framer takes bytes in pieces of any size and gives the same frames wherever the pieces were cut; what is left
//! at the end is given by `finish`. Every framer has a cap on one frame, so memory does not grow with the response.
//!
//! A frame is text: bytes that are not UTF-8 are refused here, once, so that no reader checks them again and no writer
//! passes them on.

mod eventstream;
mod frame;
mod ndjson;
mod sse;
mod whole;

pub use eventstream::EventStream;
pub use frame::{Frame, FrameError, FrameKind};
pub use ndjson::Ndjson;
pub use sse::Sse;
pub use whole::Whole;

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
            Self::Whole(framer) => framer.held(),
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
