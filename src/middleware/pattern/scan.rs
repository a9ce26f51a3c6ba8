//! Reads text that comes in pieces, masks what matches, and holds back only what might still match.
//!
//! All candidates run at once: a thread is a state of the automaton and the place where its candidate began. Two
//! candidates in the same state have the same future, so only the older one is kept, and a character costs at most
//! as much as there are states.
//!
//! What comes out depends on the text alone, never on how it was cut, because every decision is made between two
//! characters. On the whole text it is this: the leftmost match is masked, of those that begin there the longest; and
//! so on behind it. One limit changes that: no more than [`MAX_HOLD`](super::MAX_HOLD) undecided bytes are held.
//!
//! * While nothing has matched, the oldest text goes out, character by character. Its candidate lives on: should it
//!   become a match after all, what is still held of it is masked.
//! * A match is masked however long it grows: its text is dropped at once, as soon as no older candidate is left. Only
//!   what stands behind it and might lengthen it is held. When that is too much, the match ends where it last matched,
//!   and the text behind it is read afresh.
//! * A match that waits for an older candidate is never let out: when too much is held its text is dropped, and when
//!   it is too much even so, the match is masked and the older candidate given up.
//!
//! So the way to hide something that may be longer than the limit is a pattern that matches early and goes on
//! (`-----BEGIN [A-Z ]+KEY-----[\w+/=\s-]*`), not one that matches only at the far end.
//!
//! What is read afresh is read twice, which is little unless a candidate begins with nearly every character and never
//! ends: `a|a[^b]*b` in a text of nothing but `a` reads each character as often as the limit has bytes.

use super::automaton::{Patterns, State, StateId};
use super::parse::is_word;
use super::reading::Reading;
use std::rc::Rc;

/// One text on its way through the patterns. Its memory does not grow with the text.
#[derive(Debug)]
pub(in crate::middleware) struct Scanner {
    patterns: Rc<Patterns>,
    reading: Reading,
    /// What is still undecided: the text from `mark` on.
    held: String,
    /// Up to here the text went out, or is covered by `found`. Places count bytes from the start of the text.
    mark: u64,
    /// The next character to read.
    pos: u64,
    /// Whether the character before `pos` is one of words.
    after_word: bool,
    /// The live candidates, the oldest first, none younger than `found`.
    threads: Vec<Thread>,
    found: Option<Found>,
    scratch: Scratch,
}

#[derive(Clone, Copy, Debug)]
struct Thread {
    state: StateId,
    start: u64,
}

/// The best match so far.
#[derive(Clone, Copy, Debug)]
struct Found {
    start: u64,
    end: u64,
    pattern: u16,
    /// Whether its last character is one of words.
    ends_word: bool,
}

impl Scanner {
    pub(in crate::middleware) fn new(patterns: Rc<Patterns>, reading: Reading) -> Self {
        Self {
            patterns,
            reading,
            held: String::new(),
            mark: 0,
            pos: 0,
            after_word: false,
            threads: Vec::new(),
            found: None,
            scratch: Scratch::default(),
        }
    }

    /// Whether nothing is held.
    pub(in crate::middleware) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.threads.is_empty() && self.found.is_none()
    }

    #[cfg(test)]
    pub(super) fn held_len(&self) -> usize {
        self.held.len()
    }

    /// Whether `text` may pass as it is; if so, it counts as read.
    pub(in crate::middleware) fn passes(&mut self, text: &str) -> bool {
        let passes = self.reading == Reading::Plain && self.is_idle() && self.patterns.is_quiet(text);
        if passes
            && self.patterns.asserts
            && let Some(last) = text.chars().next_back()
        {
            self.after_word = is_word(last);
        }
        passes
    }

    /// Reads more text; appends to `out` whatever is decided.
    pub(in crate::middleware) fn feed(&mut self, text: &str, out: &mut String) {
        // `held` begins at `mark`, here and again at the end.
        if self.held.is_empty() {
            let base = self.mark;
            self.run(Text { text, base }, false, out);
            self.held.push_str(Text { text, base }.since(self.mark));
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.push_str(text);
        let base = self.mark;
        self.run(Text { text: &held, base }, false, out);
        let rest = Text { text: &held, base }.since(self.mark).len();
        held.drain(..held.len() - rest);
        self.held = held;
    }

    /// The text ends here: appends to `out` all that was held. What is fed afterwards is another text.
    pub(in crate::middleware) fn finish(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        let text = Text {
            text: &held,
            base: self.mark,
        };
        loop {
            self.run(text, true, out);
            self.look_ahead(self.after_word);
            self.threads.clear();
            let Some(found) = self.found else { break };
            self.release(text, found.start, out);
            self.settle_found(found, out);
        }
        self.release(text, self.pos, out);
        self.after_word = false;
    }

    fn run(&mut self, text: Text<'_>, ended: bool, out: &mut String) {
        loop {
            if self.threads.is_empty() && self.found.is_none() {
                self.skip(text, out);
            }
            let Some((ch, len)) = self.reading.first(text.since(self.pos), ended) else {
                return;
            };
            self.step(ch, len);
            self.settle(text, out);
        }
    }

    /// Passes over what no match begins with. Most text of most patterns goes this way.
    fn skip(&mut self, text: Text<'_>, out: &mut String) {
        let rest = text.since(self.pos);
        let ends = |byte: u8| {
            !self.patterns.is_quiet_byte(byte) || (byte == b'\\' && self.reading == Reading::JsonString)
        };
        let len = rest.bytes().position(ends).unwrap_or(rest.len());
        // Bytes of characters beyond ASCII are all quiet or none is, so this is a character's boundary.
        let Some(skipped) = rest.get(..len).filter(|skipped| !skipped.is_empty()) else {
            return;
        };
        self.pos += len as u64;
        self.release(text, self.pos, out);
        if self.patterns.asserts {
            self.after_word = skipped.chars().next_back().is_some_and(is_word);
        }
    }

    /// Moves every candidate on by one character, and begins new ones with it.
    fn step(&mut self, ch: char, len: usize) {
        let at = self.pos;
        let is_word = self.patterns.asserts && is_word(ch);
        let boundary = is_word != self.after_word;
        self.look_ahead(boundary);
        self.pos = at + len as u64;
        self.after_word = is_word;

        let patterns = Rc::clone(&self.patterns);
        let mut closure = Closure::new(&patterns, &mut self.scratch, &mut self.found, self.pos, is_word);
        for thread in &self.threads {
            if closure.found.is_some_and(|found| found.start < thread.start) {
                break;
            }
            if let Some(State::One { class, next }) = patterns.states.get(usize::from(thread.state))
                && patterns.takes(*class, ch)
            {
                closure.add(*next, thread.start, None);
            }
        }
        let [inside, edge] = &patterns.entries;
        let entry = if boundary { edge } else { inside };
        if closure.found.is_none() {
            match entry.ascii.get(ch as usize) {
                Some(behind) => behind.iter().for_each(|next| closure.add(*next, at, None)),
                None => {
                    for (class, next) in &entry.others {
                        if patterns.takes(*class, ch) {
                            closure.add(*next, at, None);
                        }
                    }
                }
            }
        }
        std::mem::swap(&mut self.threads, &mut self.scratch.threads);
    }

    /// Takes the candidates past the word boundary, or the lack of one, that the next character makes.
    fn look_ahead(&mut self, boundary: bool) {
        if !self.patterns.asserts || self.threads.is_empty() {
            return;
        }
        let patterns = Rc::clone(&self.patterns);
        let mut closure = Closure::new(
            &patterns,
            &mut self.scratch,
            &mut self.found,
            self.pos,
            self.after_word,
        );
        for thread in &self.threads {
            if closure.found.is_some_and(|found| found.start < thread.start) {
                break;
            }
            closure.add(thread.state, thread.start, Some(boundary));
        }
        std::mem::swap(&mut self.threads, &mut self.scratch.threads);
    }

    /// Lets out what is decided, and decides what was held too long.
    fn settle(&mut self, text: Text<'_>, out: &mut String) {
        let oldest = self.threads.first().map(|thread| thread.start);
        let Some(found) = self.found else {
            self.release(text, oldest.unwrap_or(self.pos), out);
            self.relieve(text, u64::MAX, out);
            return;
        };
        if let Some(oldest) = oldest.filter(|oldest| *oldest < found.start) {
            self.release(text, oldest, out);
            self.relieve(text, found.start, out);
            if !self.holds_too_much() {
                return;
            }
        }
        self.release(text, found.start, out);
        self.mark = self.mark.max(found.end);
        if self.threads.is_empty() || self.holds_too_much() {
            self.settle_found(found, out);
        }
    }

    /// Masks a match and goes back to where it ended.
    fn settle_found(&mut self, found: Found, out: &mut String) {
        out.push_str(
            self.patterns
                .masks
                .get(usize::from(found.pattern))
                .map_or("", String::as_str),
        );
        self.threads.clear();
        self.found = None;
        self.mark = found.end;
        self.pos = found.end;
        self.after_word = found.ends_word;
    }

    fn holds_too_much(&self) -> bool {
        self.pos.saturating_sub(self.mark) > self.patterns.hold
    }

    /// Lets out single characters, none from `limit` on, while too much is held.
    fn relieve(&mut self, text: Text<'_>, limit: u64, out: &mut String) {
        while self.holds_too_much() && self.mark < limit {
            let Some((_, len)) = self.reading.first(text.since(self.mark), true) else {
                return;
            };
            self.release(text, self.mark + len as u64, out);
        }
    }

    fn release(&mut self, text: Text<'_>, to: u64, out: &mut String) {
        if to > self.mark {
            let len = (to - self.mark) as usize;
            out.push_str(text.since(self.mark).get(..len).unwrap_or_default());
            self.mark = to;
        }
    }
}

/// The text at hand, and the place where it begins.
#[derive(Clone, Copy)]
struct Text<'a> {
    text: &'a str,
    base: u64,
}

impl<'a> Text<'a> {
    fn since(self, place: u64) -> &'a str {
        // A place in the text at hand fits into usize.
        self.text
            .get(place.saturating_sub(self.base) as usize..)
            .unwrap_or_default()
    }
}

/// What one step needs and the next one can use again.
#[derive(Debug, Default)]
struct Scratch {
    threads: Vec<Thread>,
    stack: Vec<StateId>,
    /// In which round each state was last visited.
    visited: Vec<u32>,
    round: u32,
}

/// Adds states, and all that are reached from them without a character.
struct Closure<'a> {
    patterns: &'a Patterns,
    scratch: &'a mut Scratch,
    found: &'a mut Option<Found>,
    at: u64,
    after_word: bool,
}

impl<'a> Closure<'a> {
    fn new(
        patterns: &'a Patterns,
        scratch: &'a mut Scratch,
        found: &'a mut Option<Found>,
        at: u64,
        after_word: bool,
    ) -> Self {
        scratch.threads.clear();
        scratch.round = scratch.round.wrapping_add(1);
        if scratch.round == 0 || scratch.visited.is_empty() {
            scratch.visited.clear();
            scratch.visited.resize(patterns.states.len(), 0);
            scratch.round = 1;
        }
        Self {
            patterns,
            scratch,
            found,
            at,
            after_word,
        }
    }

    /// `boundary`: whether a word begins or ends here, if the next character is known.
    fn add(&mut self, state: StateId, start: u64, boundary: Option<bool>) {
        let Scratch {
            threads,
            stack,
            visited,
            round,
        } = &mut *self.scratch;
        stack.push(state);
        while let Some(id) = stack.pop() {
            let Some(visited) = visited.get_mut(usize::from(id)) else {
                continue;
            };
            if std::mem::replace(visited, *round) == *round {
                continue;
            }
            match self.patterns.states.get(usize::from(id)) {
                Some(State::One { .. }) => threads.push(Thread { state: id, start }),
                Some(State::Either(one, other)) => stack.extend([*one, *other]),
                Some(State::Boundary { wanted, next }) => match boundary {
                    None => threads.push(Thread { state: id, start }),
                    Some(boundary) if boundary == *wanted => stack.push(*next),
                    Some(_) => {}
                },
                Some(State::End(pattern)) => {
                    let new = Found {
                        start,
                        end: self.at,
                        pattern: *pattern,
                        ends_word: self.after_word,
                    };
                    if self.found.is_none_or(|found| new.is_better_than(found)) {
                        *self.found = Some(new);
                    }
                }
                None => {}
            }
        }
    }
}

impl Found {
    fn is_better_than(self, other: Self) -> bool {
        let rank = |found: Self| (found.start, u64::MAX - found.end, found.pattern);
        rank(self) < rank(other)
    }
}
