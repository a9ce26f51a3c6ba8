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
//! A pattern becomes a Thompson NFA of at most [`MAX_STATES`] states; every character visits each state at most
//! twice. Only the text behind a match that might have grown is read again, at most [`MAX_HOLD`] bytes a match.

mod parse;
mod reading;
mod scan;
#[cfg(test)]
mod tests;

pub(super) use reading::Reading;
pub(super) use scan::Scanner;

use parse::{Class, Node, is_word};
use std::fmt;

/// The most states that one pattern may have, repetitions expanded: `\d{16}` has 16.
pub(super) const MAX_STATES: usize = 2_000;

/// The most states that all patterns of one [`Patterns`] may have together; it bounds the work for one character.
pub(super) const MAX_TOTAL_STATES: usize = 10_000;

/// How many bytes of text may be held back because they might still become a match.
///
/// Longer than any key, token or address; short enough that a pattern such as `".*"` cannot stop a stream.
pub(super) const MAX_HOLD: usize = 1_024;

/// Why a pattern was refused. Positions count characters from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    /// It does not follow the syntax.
    Syntax { what: &'static str, at: usize },
    /// A backslash before a letter or digit that has no meaning.
    Escape { name: char, at: usize },
    /// It would match everywhere.
    Empty,
    /// More than [`MAX_STATES`].
    TooLarge,
    /// With those before it more than [`MAX_TOTAL_STATES`].
    TooMany,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { what, at } => write!(f, "{what} at {at}"),
            Self::Escape { name, at } => write!(f, "unknown escape \\{name} at {at}"),
            Self::Empty => f.write_str("the pattern can match the empty text"),
            Self::TooLarge => write!(f, "the pattern expands to more than {MAX_STATES} states"),
            Self::TooMany => {
                write!(
                    f,
                    "with the patterns before it, it expands to more than {MAX_TOTAL_STATES} states"
                )
            }
        }
    }
}

/// What to look for, and what to write in its place.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) pattern: &'a str,
    /// Whether every character of `pattern` means itself.
    pub(super) literal: bool,
    pub(super) mask: &'a str,
}

/// Several patterns, compiled into one automaton. Configured once, shared by all scanners.
#[derive(Debug)]
pub(super) struct Patterns {
    states: Vec<State>,
    classes: Vec<Class>,
    masks: Vec<String>,
    /// Where a match leads that begins with a character, indexed by whether the character stands at a word boundary.
    entries: [Entry; 2],
    /// For each byte, whether no match begins with it. A first byte above 0x7f stands for all of them.
    quiet: [bool; 256],
    /// Whether any pattern looks at word boundaries.
    asserts: bool,
    /// [`MAX_HOLD`], or less in tests.
    hold: u64,
}

type StateId = u16;

#[derive(Clone, Copy, Debug)]
enum State {
    /// Takes one character of a class.
    One { class: u16, next: StateId },
    /// Goes on both ways.
    Either(StateId, StateId),
    /// Goes on where there is a word boundary, or where there is none.
    Boundary { wanted: bool, next: StateId },
    /// A match of the pattern with this number ends here.
    End(u16),
}

/// The states in which a match begins.
#[derive(Debug, Default)]
struct Entry {
    /// For each ASCII character, the states behind it.
    ascii: Vec<Box<[StateId]>>,
    /// The states that may take any other character.
    others: Vec<(u16, StateId)>,
}

impl Patterns {
    /// Compiles all patterns.
    ///
    /// # Errors
    /// All that were refused, by their index.
    pub(super) fn new(all: &[Wanted<'_>]) -> Result<Self, Vec<(usize, PatternError)>> {
        let mut compiler = Compiler::default();
        let mut errors = Vec::new();
        for (index, wanted) in all.iter().enumerate() {
            if let Err(error) = compiler.add(index, wanted) {
                errors.push((index, error));
            }
        }
        if errors.is_empty() {
            Ok(compiler.finish(all))
        } else {
            Err(errors)
        }
    }

    /// Whether no match can begin anywhere in `text`.
    pub(super) fn is_quiet(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.is_quiet_byte(byte))
    }

    fn is_quiet_byte(&self, byte: u8) -> bool {
        self.quiet.get(usize::from(byte)).copied().unwrap_or(false)
    }

    fn takes(&self, class: u16, ch: char) -> bool {
        self.classes
            .get(usize::from(class))
            .is_some_and(|class| class.has(ch))
    }

    #[cfg(test)]
    fn with_hold(mut self, hold: u64) -> Self {
        self.hold = hold;
        self
    }
}

#[derive(Default)]
struct Compiler {
    states: Vec<State>,
    classes: Vec<Class>,
    starts: Vec<StateId>,
    /// What was compiled so far, counted so that the numbers above always fit.
    total: usize,
}

impl Compiler {
    fn add(&mut self, index: usize, wanted: &Wanted<'_>) -> Result<(), PatternError> {
        let node = if wanted.literal {
            parse::literal(wanted.pattern)
        } else {
            parse::parse(wanted.pattern)?
        };
        // One more for the end of the pattern.
        let size = node.size().saturating_add(1);
        if size > MAX_STATES {
            return Err(PatternError::TooLarge);
        }
        if node.is_nullable() {
            return Err(PatternError::Empty);
        }
        self.total = self.total.saturating_add(size);
        if self.total > MAX_TOTAL_STATES {
            return Err(PatternError::TooMany);
        }
        // Each pattern has at least two states, so the number of an accepted one fits.
        let end = self.push(State::End(u16::try_from(index).unwrap_or(u16::MAX)));
        let start = self.emit(&node, end);
        self.starts.push(start);
        Ok(())
    }

    fn push(&mut self, state: State) -> StateId {
        // `add` counted the states before it let any be made.
        let id = StateId::try_from(self.states.len()).unwrap_or(StateId::MAX);
        self.states.push(state);
        id
    }

    /// The state from which `node` is matched and then `next` is reached.
    fn emit(&mut self, node: &Node, next: StateId) -> StateId {
        match node {
            Node::One(class) => {
                let class = self.class(class);
                self.push(State::One { class, next })
            }
            Node::Boundary(wanted) => self.push(State::Boundary {
                wanted: *wanted,
                next,
            }),
            Node::All(nodes) => nodes.iter().rev().fold(next, |next, node| self.emit(node, next)),
            Node::Any(nodes) => {
                let mut entries = nodes
                    .iter()
                    .map(|node| self.emit(node, next))
                    .collect::<Vec<_>>()
                    .into_iter();
                let first = entries.next().unwrap_or(next);
                entries.fold(first, |one, other| self.push(State::Either(one, other)))
            }
            Node::Repeat { node, .. } if node.size() == 0 => next,
            Node::Repeat { node, min, max: None } => {
                let again = self.push(State::Either(next, next));
                let body = self.emit(node, again);
                if let Some(state) = self.states.get_mut(usize::from(again)) {
                    *state = State::Either(body, next);
                }
                let entry = if *min == 0 { again } else { body };
                (1..*min).fold(entry, |next, _| self.emit(node, next))
            }
            Node::Repeat {
                node,
                min,
                max: Some(max),
            } => {
                let optional = (*min..*max).fold(next, |tail, _| {
                    let body = self.emit(node, tail);
                    self.push(State::Either(body, next))
                });
                (0..*min).fold(optional, |next, _| self.emit(node, next))
            }
        }
    }

    fn class(&mut self, class: &Class) -> u16 {
        let at = self
            .classes
            .iter()
            .position(|known| known == class)
            .unwrap_or_else(|| {
                self.classes.push(class.clone());
                self.classes.len() - 1
            });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn finish(self, all: &[Wanted<'_>]) -> Patterns {
        let mut patterns = Patterns {
            asserts: self
                .states
                .iter()
                .any(|state| matches!(state, State::Boundary { .. })),
            states: self.states,
            classes: self.classes,
            masks: all.iter().map(|wanted| wanted.mask.to_owned()).collect(),
            entries: [Entry::default(), Entry::default()],
            quiet: [false; 256],
            hold: MAX_HOLD as u64,
        };
        patterns.entries = [false, true].map(|boundary| patterns.entry(&self.starts, boundary));
        patterns.quiet = std::array::from_fn(|byte| {
            patterns.entries.iter().all(|entry| match entry.ascii.get(byte) {
                Some(behind) => behind.is_empty(),
                None => entry.others.is_empty(),
            })
        });
        patterns
    }
}

impl Patterns {
    /// What is reached from `starts` by one character that does, or does not, stand at a word boundary.
    fn entry(&self, starts: &[StateId], boundary: bool) -> Entry {
        let mut seen = vec![false; self.states.len()];
        let mut stack = starts.to_vec();
        let mut first = Vec::new();
        while let Some(id) = stack.pop() {
            let (Some(state), Some(seen)) = (self.states.get(usize::from(id)), seen.get_mut(usize::from(id)))
            else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            match *state {
                State::One { class, next } => first.push((class, next)),
                State::Either(one, other) => stack.extend([one, other]),
                State::Boundary { wanted, next } if wanted == boundary => stack.push(next),
                State::Boundary { .. } | State::End(_) => {}
            }
        }
        let behind = |ch: u8| {
            let mut behind: Vec<_> = first
                .iter()
                .filter(|(class, _)| self.takes(*class, char::from(ch)))
                .map(|(_, next)| *next)
                .collect();
            behind.sort_unstable();
            behind.dedup();
            behind.into_boxed_slice()
        };
        let ascii = (0..128).map(behind).collect();
        let takes_others = |class: u16| {
            self.classes
                .get(usize::from(class))
                .is_some_and(|class| !class.is_ascii())
        };
        let others = first
            .iter()
            .copied()
            .filter(|(class, _)| takes_others(*class))
            .collect();
        Entry { ascii, others }
    }
}
