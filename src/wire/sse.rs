//! Server-sent events, as <https://html.spec.whatwg.org/multipage/server-sent-events.html> defines them.
//!
//! Lines end in LF, CRLF or CR; a BOM may stand first; `data:` may have no space; several `data:` lines are joined with
//! LF; comments are passed over. One deliberate difference: an event that the end of the response leaves without its
//! blank line is handed on, because several providers end so.

use super::frame::{Frame, FrameError, FrameKind, KEEP, append, consume, text};
use std::ops::Range;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A framer for `text/event-stream`.
#[derive(Debug)]
pub struct Sse {
    /// The bytes of the event that is not complete yet.
    buffer: Vec<u8>,
    scan: Scan,
    cap: usize,
}

/// Where the search for the end of the event stands. Positions count from the start of the unfinished event.
#[derive(Debug)]
struct Scan {
    searched: usize,
    line_start: usize,
    /// What was handed on last ended in CR: an LF that comes next belongs to it.
    after_cr: bool,
    /// Nothing was seen yet: a BOM may come.
    at_start: bool,
    /// The `data:` lines of an event that has several.
    joined: String,
}

impl Sse {
    /// A framer whose events are at most `cap` bytes long.
    pub const fn new(cap: usize) -> Self {
        let scan = Scan {
            searched: 0,
            line_start: 0,
            after_cr: false,
            at_start: true,
            joined: String::new(),
        };
        Self {
            buffer: Vec::new(),
            scan,
            cap,
        }
    }

    /// How long the frame is that is not complete yet, in bytes.
    pub const fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes more bytes and hands on the events that they complete.
    ///
    /// # Errors
    /// When one event is longer than the cap, or one that carries something is not UTF-8.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        if self.buffer.is_empty() {
            // The usual case, whole events in one piece, is served from the caller's bytes without a copy.
            let consumed = self.scan.run(bytes, sink)?;
            append(&mut self.buffer, bytes.get(consumed..).unwrap_or_default());
        } else {
            append(&mut self.buffer, bytes);
            let consumed = self.scan.run(&self.buffer, sink)?;
            consume(&mut self.buffer, consumed);
        }
        if self.buffer.len() > self.cap {
            self.buffer = Vec::new();
            return Err(FrameError::TooLong { cap: self.cap });
        }
        Ok(())
    }

    /// Hands on the event that the end of the response left without its blank line.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
        let rest = std::mem::take(&mut self.buffer);
        if rest.is_empty() {
            return Ok(());
        }
        emit(&rest, &mut self.scan.joined, sink)
    }
}

impl Scan {
    /// Hands on the complete events of `input`; says how many bytes of it are done with.
    fn run(&mut self, input: &[u8], sink: &mut dyn FnMut(Frame<'_>)) -> Result<usize, FrameError> {
        let mut start = self.skip_leftovers(input);
        self.searched = self.searched.max(start);
        self.line_start = self.line_start.max(start);
        while let Some(end) = self.find_end(input) {
            if let Some(event) = input.get(start..end) {
                emit(event, &mut self.joined, sink)?;
            }
            self.after_cr = end == input.len() && input.last() == Some(&b'\r');
            start = end;
        }
        self.searched -= start;
        self.line_start -= start;
        Ok(start)
    }

    /// How many bytes at the front belong to what was handed on before: a BOM, or the LF of a CRLF.
    fn skip_leftovers(&mut self, input: &[u8]) -> usize {
        let mut skip = 0;
        if self.at_start {
            if input.len() < BOM.len() && BOM.starts_with(input) {
                return 0;
            }
            self.at_start = false;
            if input.starts_with(BOM) {
                skip = BOM.len();
            }
        }
        if self.after_cr && !input.is_empty() {
            self.after_cr = false;
            if input.get(skip) == Some(&b'\n') {
                skip += 1;
            }
        }
        skip
    }

    /// One past the end of the blank line that ends the event, searching on from where the last search stopped.
    fn find_end(&mut self, input: &[u8]) -> Option<usize> {
        while let Some(offset) = input
            .get(self.searched..)?
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
        {
            let at = self.searched + offset;
            let blank = at == self.line_start;
            let mut after = at + 1;
            if input.get(at) == Some(&b'\r') {
                match input.get(after) {
                    Some(b'\n') => after += 1,
                    Some(_) => {}
                    // An LF may follow in the next bytes and belongs to this end of line. A blank line ends the event
                    // either way.
                    None => {
                        self.searched = if blank { after } else { at };
                        self.line_start = if blank { after } else { self.line_start };
                        return blank.then_some(after);
                    }
                }
            }
            self.searched = after;
            self.line_start = after;
            if blank {
                return Some(after);
            }
        }
        self.searched = input.len();
        None
    }
}

/// Reads the fields of one event and hands it on, unless it carries nothing.
fn emit(raw: &[u8], joined: &mut String, sink: &mut dyn FnMut(Frame<'_>)) -> Result<(), FrameError> {
    let mut whole = None;
    let mut event = "";
    let mut data: Option<&str> = None;
    let mut is_joined = false;
    let mut next = 0;
    for line in raw.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let end = next + line.len();
        next = end + 1;
        let place = |name| field(line, name).map(|value| end - value.len()..end);
        if let Some(place) = place(b"data") {
            let value = value(&mut whole, raw, place)?;
            match data {
                None => data = Some(value),
                Some(first) => {
                    if !is_joined {
                        joined.clear();
                        joined.reserve_exact(raw.len());
                        joined.push_str(first);
                        is_joined = true;
                    }
                    joined.push('\n');
                    joined.push_str(value);
                }
            }
        } else if let Some(place) = place(b"event") {
            event = value(&mut whole, raw, place)?;
        }
    }
    let Some(raw) = whole.filter(|_| data.is_some() || !event.is_empty()) else {
        return Ok(());
    };
    let data = if is_joined {
        &*joined
    } else {
        data.unwrap_or_default()
    };
    sink(Frame {
        kind: FrameKind::Event,
        event,
        data,
        raw,
    });
    joined.clear();
    joined.shrink_to(KEEP);
    Ok(())
}

/// The value at a place in an event. The first one has all of the event checked: comments alone are not handed on, and may
/// be anything.
fn value<'a>(whole: &mut Option<&'a str>, raw: &'a [u8], place: Range<usize>) -> Result<&'a str, FrameError> {
    let whole = match whole {
        Some(whole) => whole,
        None => whole.insert(text(raw)?),
    };
    Ok(whole.get(place).unwrap_or_default())
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.strip_prefix(b":") {
        Some(value) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        None if rest.is_empty() => Some(rest),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    /// The events of `stream` when it comes in the given pieces, as `event|data`.
    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut framer = Sse::new(1 << 20);
        let mut out = Vec::new();
        let mut sink = |frame: Frame<'_>| out.push(format!("{}|{}", frame.event, frame.data));
        for piece in pieces {
            framer.feed(piece, &mut sink).unwrap();
        }
        framer.finish(&mut sink).unwrap();
        out
    }

    fn check(stream: &str, expected: &[&str]) {
        let bytes = stream.as_bytes();
        assert_eq!(events(&[bytes]), expected, "whole");
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(events(&[head, tail]), expected, "cut at {at} of {stream:?}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(events(&single), expected, "byte by byte");
    }

    #[test]
    fn every_legal_form_gives_its_events_wherever_it_is_cut() {
        check("data: a\n\ndata: b\n\n", &["|a", "|b"]);
        check("data:{\"x\":1}\n\n", &["|{\"x\":1}"]);
        check("event: ping\ndata: {}\n\n", &["ping|{}"]);
        check("event: only\n\n", &["only|"]);
        check(": comment\n\ndata: é\n\n", &["|é"]);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["|a", "|b"]);
        check("data: a\r\rdata: b\r\r", &["|a", "|b"]);
        check("data: a\ndata: b\ndata\n\n", &["|a\nb\n"]);
        check("\u{feff}data: a\n\n", &["|a"]);
        check("\n\n\ndata: a\n\n\n\n", &["|a"]);
        check("data: no blank line", &["|no blank line"]);
        check("data: no blank line\r", &["|no blank line"]);
        check("id: 7\nretry: 5\ndatabase: x\n\n", &[]);
        check("", &[]);
    }

    #[test]
    fn raw_bytes_of_all_events_are_the_stream() {
        let stream = b"event: a\ndata: 1\n\ndata: 2\n\n";
        let mut raw = Vec::new();
        Sse::new(100)
            .feed(stream, &mut |frame| raw.extend_from_slice(frame.raw.as_bytes()))
            .unwrap();
        assert_eq!(raw, stream);
    }

    #[test]
    fn an_event_that_is_not_utf8_is_refused_wherever_it_is_cut() {
        for broken in [
            b"data: \xff\n\n".as_slice(),
            b"data: a\ndata: \xe2\x82\n\n",
            b"data: a\n: \xff\n\n",
            b"id: \xff\ndata: a\n\n",
            b"event: \xff\n\n",
            b"\xff: x\ndata: a\n\n",
            b"data: \xed\xa0\xbd",
        ] {
            let stream = [b"data: a\n\n".as_slice(), broken].concat();
            for at in 0..=stream.len() {
                let (head, tail) = stream.split_at(at);
                let mut framer = Sse::new(100);
                let mut count = 0;
                let mut sink = |_: Frame<'_>| count += 1;
                let fed = framer
                    .feed(head, &mut sink)
                    .and_then(|()| framer.feed(tail, &mut sink))
                    .and_then(|()| framer.finish(&mut sink));
                assert_eq!(
                    (fed, count),
                    (Err(FrameError::NotUtf8), 1),
                    "{broken:?} cut at {at}"
                );
            }
        }
    }

    #[test]
    fn comments_alone_may_be_anything() {
        let stream = b": \xff\n\nid: \xff\n\ndata: a\n\n";
        for at in 0..=stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(events(&[head, tail]), ["|a"], "cut at {at}");
        }
    }

    #[test]
    fn an_event_over_the_cap_is_refused() {
        let mut framer = Sse::new(10);
        assert_eq!(
            framer.feed(b"data: 0123456789", &mut |_| {}),
            Err(FrameError::TooLong { cap: 10 })
        );
    }

    #[test]
    fn an_event_in_many_pieces_is_searched_once() {
        let mut framer = Sse::new(1 << 24);
        let mut count = 0;
        for _ in 0..20_000 {
            framer.feed(b"data: 0123456789", &mut |_| count += 1).unwrap();
        }
        framer.feed(b"\n\n", &mut |_| count += 1).unwrap();
        assert_eq!(count, 1);
    }
}
