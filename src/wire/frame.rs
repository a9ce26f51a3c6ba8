//! What all framers give, and how they keep a frame that is not complete.

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

/// How much more than it needs a long buffer may have, in bytes.
const ROOM: usize = 48 << 10;
/// What the buffer of an idle framer may keep, in bytes; a longer frame's memory is given back.
pub(super) const KEEP: usize = 16 << 10;

/// The text of a frame.
pub(super) fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8)
}

/// Adds bytes to a frame that is not complete yet. Doubling, as a vector does by itself, would hold the longest frame twice.
pub(super) fn append(buffer: &mut Vec<u8>, bytes: &[u8]) {
    if buffer.capacity() - buffer.len() < bytes.len() {
        buffer.reserve_exact(bytes.len().max(buffer.len().min(ROOM)));
    }
    buffer.extend_from_slice(bytes);
}

/// Takes what is done with from the front of the buffer.
pub(super) fn consume(buffer: &mut Vec<u8>, length: usize) {
    if length > 0 {
        buffer.drain(..length.min(buffer.len()));
        buffer.shrink_to(KEEP);
    }
}
