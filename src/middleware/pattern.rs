//! A small pattern language that is matched in linear time, over text that comes in pieces.
//!
//! Regex crates weigh hundreds of kilobytes of wasm and none of them answers the question that a stream asks: which
//! of this text can *never* be part of a match, whatever comes next? Here it is the first question.
//!
//! | syntax | matches |
//! |---|---|
//! | `a` `é` | the character |
//! | `.` | any character but a line feed |
//! | `\d` `\w` `\s` | an ASCII digit; a letter or digit of any script, or `_`; white space |
//! | `\D` `\W` `\S` | any other character |
//! | `\n` `\r` `\t` `\.` `\\` … | a control character; a punctuation mark that would mean something else |
//! | `[a-z0-9_]` `[^"\s]` | one character of a class; one outside it |
//! | `\b` `\B` | nothing, between a word character (`\w`) and another; nothing, elsewhere |
//! | `(ab)` `(?:ab)` `a\|b` | a group (nothing is captured); either side |
//! | `?` `*` `+` `{3}` `{3,}` `{3,5}` | the repetition of what stands before it |
//! | `(?i)` at the start | ASCII letters in either case, in the whole pattern |
//!
//! Among the matches the leftmost wins, of those the longest, of those the first pattern. So there are no lazy
//! repetitions; there are no anchors (a stream has no lines), no look-around and no back-references either.
//! A pattern that matches the empty text is refused: it would match everywhere.
//!
//! A pattern becomes a Thompson NFA of at most [`MAX_STATES`](error::MAX_STATES) states; every character visits each state at most
//! twice. Only the text behind a match that might have grown is read again, at most [`MAX_HOLD`] bytes a match.

mod automaton;
mod error;
mod parse;
mod reading;
mod scan;
#[cfg(test)]
mod tests;

pub(super) use automaton::{MAX_HOLD, Patterns, Wanted};
pub(super) use reading::Reading;
pub(super) use scan::Scanner;
