//! Newline-delimited JSON, `application/x-ndjson`: every line is one document.
//!
//! Lines end in LF, a CR before it belongs to the end; a BOM may stand first; blank lines are passed over; the last line
//! may have no end. What a line holds is not looked at.

use super::frame::{Frame, FrameError, FrameKind, append, consume, text};

const BOM: &str = "\u{feff}";

/// A framer for lines.
#[derive(Debug)]
pub struct Ndjson {
    /// The bytes of the line that is not complete yet; none of them is an LF.
    buffer: Vec<u8>,
    cap: usize,
}

impl Ndjson {
    /// A framer whose lines are at most `cap` bytes long.
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

    /// Takes more bytes and hands on the lines that they complete.
    ///
    /// # Errors
    /// When one line is longer than the cap or is not UTF-8.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.buffer.len().saturating_add(piece.len()) > self.cap {
                self.buffer = Vec::new();
                return Err(FrameError::TooLong { cap: self.cap });
            }
            let is_end = piece.ends_with(b"\n");
            // The usual case, whole lines in one piece, is served from the caller's bytes without a copy.
            if is_end && self.buffer.is_empty() {
                emit(piece, sink)?;
                continue;
            }
            append(&mut self.buffer, piece);
            if is_end {
                emit(&self.buffer, sink)?;
                let length = self.buffer.len();
                consume(&mut self.buffer, length);
            }
        }
        Ok(())
    }

    /// Hands on the line that the end of the response left without an end of its own.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        emit(&std::mem::take(&mut self.buffer), sink)
    }
}

/// Hands on one line, unless it is blank.
fn emit(raw: &[u8], sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
    let raw = text(raw)?;
    let data = raw.strip_prefix(BOM).unwrap_or(raw).trim_ascii();
    if !data.is_empty() {
        sink(Frame {
            kind: FrameKind::Event,
            event: "",
            data,
            raw,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;
    use crate::wire::frame::KEEP;

    /// The lines of `stream` when it comes in the given pieces.
    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut framer = Ndjson::new(1 << 20);
        let mut out = Vec::new();
        let mut sink = |frame: Frame<'_>| out.push(frame.data.to_owned());
        for piece in pieces {
            framer.feed(piece, &mut sink).unwrap();
        }
        framer.finish(&mut sink).unwrap();
        framer.finish(&mut sink).unwrap();
        out
    }

    fn check(stream: &str, expected: &[&str]) {
        let bytes = stream.as_bytes();
        assert_eq!(lines(&[bytes]), expected, "whole");
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(lines(&[head, tail]), expected, "cut at {at} of {stream:?}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(lines(&single), expected, "byte by byte");
    }

    #[test]
    fn every_form_gives_its_lines_wherever_it_is_cut() {
        check("{\"a\":1}\n{\"b\":\"é\"}\n", &["{\"a\":1}", "{\"b\":\"é\"}"]);
        check("{\"a\":1}\r\n\r\n{}\r\n", &["{\"a\":1}", "{}"]);
        check("\n \n\t\r\n{}\n\n", &["{}"]);
        check("\u{feff}{}\n1", &["{}", "1"]);
        check("{}\n{\"no\":\"end\"}", &["{}", "{\"no\":\"end\"}"]);
        check("{}\r", &["{}"]);
        check("{\"a\":\r1}\n", &["{\"a\":\r1}"]);
        check("", &[]);
    }

    #[test]
    fn raw_bytes_of_all_lines_are_the_stream() {
        let stream = b"{\"a\":1}\r\n{}\n[]";
        let mut raw = Vec::new();
        let mut framer = Ndjson::new(100);
        let mut sink = |frame: Frame<'_>| raw.extend_from_slice(frame.raw.as_bytes());
        framer.feed(stream, &mut sink).unwrap();
        framer.finish(&mut sink).unwrap();
        assert_eq!(raw, stream);
    }

    #[test]
    fn a_line_over_the_cap_is_refused_wherever_it_is_cut() {
        let stream = b"{}\n0123456789\n";
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            let mut framer = Ndjson::new(10);
            let mut count = 0;
            let fed = framer
                .feed(head, &mut |_| count += 1)
                .and_then(|()| framer.feed(tail, &mut |_| count += 1));
            assert_eq!(
                (fed, count),
                (Err(FrameError::TooLong { cap: 10 }), 1),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_line_that_is_not_utf8_is_refused_wherever_it_is_cut() {
        for stream in [b"{}\n\"\xff\"\n{}\n".as_slice(), b"{}\n\xe2\x82"] {
            for at in 0..=stream.len() {
                let (head, tail) = stream.split_at(at);
                let mut framer = Ndjson::new(100);
                let mut count = 0;
                let mut sink = |_: Frame<'_>| count += 1;
                let fed = framer
                    .feed(head, &mut sink)
                    .and_then(|()| framer.feed(tail, &mut sink))
                    .and_then(|()| framer.finish(&mut sink));
                assert_eq!((fed, count), (Err(FrameError::NotUtf8), 1), "cut at {at}");
            }
        }
    }

    #[test]
    fn the_memory_of_a_long_line_is_given_back() {
        let mut framer = Ndjson::new(1 << 20);
        framer.feed(&[b'1'; 1 << 19], &mut |_| {}).unwrap();
        framer.feed(b"\n", &mut |_| {}).unwrap();
        assert!(framer.buffer.capacity() <= KEEP);
    }
}
