//! Masks inside JSON text that comes in pieces, so that it stays JSON.
//!
//! Each string is a text of its own: a match never reaches over a quote, and an escape (`\n`, `\u00e9`) is one
//! character that is masked whole or not at all. A number (or whatever else stands outside strings) in which
//! something matches becomes a string. Nothing else is touched, and the spelling of what stays is kept.

use super::super::pattern::{MAX_HOLD, Patterns, Reading, Scanner};
use std::rc::Rc;

/// The arguments of one tool call on their way through the patterns.
#[derive(Debug)]
pub(super) struct Arguments {
    patterns: Rc<Patterns>,
    strings: Scanner,
    mode: Mode,
    /// What came so far of a number.
    bare: String,
}

/// Where in the JSON text we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Between values.
    Between,
    /// In a string, or a member's name; perhaps right behind a backslash.
    String { escaped: bool },
    /// In a number, `true`, `false`, `null`, or what is no JSON.
    Bare,
    /// In one longer than the limit, about whose rest is decided.
    Rest { passes: bool },
}

impl Arguments {
    pub(super) fn new(patterns: &Rc<Patterns>) -> Self {
        Self {
            patterns: Rc::clone(patterns),
            strings: Scanner::new(Rc::clone(patterns), Reading::JsonString),
            mode: Mode::Between,
            bare: String::new(),
        }
    }

    /// Whether nothing is held.
    pub(super) fn is_idle(&self) -> bool {
        self.strings.is_idle() && self.bare.is_empty()
    }

    /// Reads more; appends to `out` whatever is decided.
    pub(super) fn feed(&mut self, json: &str, out: &mut String) {
        let mut rest = json;
        while !rest.is_empty() {
            let len = match self.mode {
                Mode::Between => self.between(rest, out),
                Mode::String { escaped } => self.string(rest, escaped, out),
                Mode::Bare => self.bare(rest, out),
                Mode::Rest { passes } => {
                    let len = bare_len(rest);
                    if passes {
                        out.push_str(rest.get(..len).unwrap_or_default());
                    }
                    if len < rest.len() {
                        self.mode = Mode::Between;
                    }
                    len
                }
            };
            rest = rest.get(len..).unwrap_or_default();
        }
    }

    /// Appends to `out` all that is held, and says where the text broke off.
    pub(super) fn flush(&mut self, out: &mut String) -> Mode {
        self.strings.finish(out);
        if self.mode == Mode::Bare {
            self.settle_bare(out);
            self.mode = Mode::Between;
        }
        self.mode
    }

    /// Goes on where a text broke off.
    pub(super) fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    fn between(&mut self, rest: &str, out: &mut String) -> usize {
        let len = rest
            .bytes()
            .position(|byte| !is_between(byte))
            .unwrap_or(rest.len());
        out.push_str(rest.get(..len).unwrap_or_default());
        match rest.as_bytes().get(len) {
            Some(b'"') => {
                out.push('"');
                self.mode = Mode::String { escaped: false };
                len + 1
            }
            Some(_) => {
                self.mode = Mode::Bare;
                len
            }
            None => len,
        }
    }

    fn string(&mut self, rest: &str, mut escaped: bool, out: &mut String) -> usize {
        let end = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        self.strings
            .feed(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default(), out);
        match end {
            Some(end) => {
                self.strings.finish(out);
                out.push('"');
                self.mode = Mode::Between;
                end + 1
            }
            None => {
                self.mode = Mode::String { escaped };
                rest.len()
            }
        }
    }

    fn bare(&mut self, rest: &str, out: &mut String) -> usize {
        let len = bare_len(rest);
        let fits = rest.floor_char_boundary(MAX_HOLD.saturating_sub(self.bare.len()));
        self.bare.push_str(rest.get(..len.min(fits)).unwrap_or_default());
        if len > fits {
            self.mode = Mode::Rest {
                passes: self.settle_bare(out),
            };
            return fits;
        }
        if len < rest.len() {
            self.settle_bare(out);
            self.mode = Mode::Between;
        }
        len
    }

    /// Lets out a number, or a string in its place; says whether it was the number.
    fn settle_bare(&mut self, out: &mut String) -> bool {
        let bare = std::mem::take(&mut self.bare);
        if self.patterns.is_quiet(&bare) {
            out.push_str(&bare);
            return true;
        }
        let mut masked = String::with_capacity(bare.len());
        let mut scanner = Scanner::new(Rc::clone(&self.patterns), Reading::Plain);
        scanner.feed(&bare, &mut masked);
        scanner.finish(&mut masked);
        let passes = masked == bare;
        // What is no JSON to begin with might hold a backslash; then it stays no JSON.
        let quote = if passes { "" } else { "\"" };
        out.push_str(quote);
        out.push_str(&masked);
        out.push_str(quote);
        passes
    }
}

fn is_between(byte: u8) -> bool {
    matches!(
        byte,
        b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r'
    )
}

fn bare_len(text: &str) -> usize {
    text.bytes()
        .position(|byte| byte == b'"' || is_between(byte))
        .unwrap_or(text.len())
}
