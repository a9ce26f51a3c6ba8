//! A buffered response: everything is one frame.

use super::frame::{Frame, FrameError, FrameKind, append, text};

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

    /// How much has come, in bytes.
    pub const fn held(&self) -> usize {
        self.buffer.len()
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
