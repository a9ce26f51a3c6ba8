//! From trees of patterns to one automaton: a Thompson NFA.

use super::error::{MAX_STATES, MAX_TOTAL_STATES, PatternError};
use super::parse::{self, Class, Node};

/// How many bytes of text may be held back because they might still become a match.
///
/// Longer than any key, token or address; short enough that a pattern such as `".*"` cannot stop a stream.
pub(in crate::middleware) const MAX_HOLD: usize = 1_024;

/// What to look for, and what to write in its place.
#[derive(Clone, Debug)]
pub(in crate::middleware) struct Wanted<'a> {
    pub(in crate::middleware) pattern: &'a str,
    /// Whether every character of `pattern` means itself.
    pub(in crate::middleware) literal: bool,
    pub(in crate::middleware) mask: &'a str,
}

/// Several patterns, compiled into one automaton. Configured once, shared by all scanners.
#[derive(Debug)]
pub(in crate::middleware) struct Patterns {
    pub(super) states: Vec<State>,
    classes: Vec<Class>,
    pub(super) masks: Vec<String>,
    /// Where a match leads that begins with a character, indexed by whether the character stands at a word boundary.
    pub(super) entries: [Entry; 2],
    /// For each byte, whether no match begins with it. A first byte above 0x7f stands for all of them.
    quiet: [bool; 256],
    /// Whether any pattern looks at word boundaries.
    pub(super) asserts: bool,
    /// [`MAX_HOLD`], or less in tests.
    pub(super) hold: u64,
}

pub(super) type StateId = u16;

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
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
pub(super) struct Entry {
    /// For each ASCII character, the states behind it.
    pub(super) ascii: Vec<Box<[StateId]>>,
    /// The states that may take any other character.
    pub(super) others: Vec<(u16, StateId)>,
}

impl Patterns {
    /// Compiles all patterns.
    ///
    /// # Errors
    /// All that were refused, by their index.
    pub(in crate::middleware) fn new(all: &[Wanted<'_>]) -> Result<Self, Vec<(usize, PatternError)>> {
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
    pub(in crate::middleware) fn is_quiet(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.is_quiet_byte(byte))
    }

    pub(super) fn is_quiet_byte(&self, byte: u8) -> bool {
        self.quiet.get(usize::from(byte)).copied().unwrap_or(false)
    }

    pub(super) fn takes(&self, class: u16, ch: char) -> bool {
        self.classes
            .get(usize::from(class))
            .is_some_and(|class| class.has(ch))
    }

    #[cfg(test)]
    pub(super) fn with_hold(mut self, hold: u64) -> Self {
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
