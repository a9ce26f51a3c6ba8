//! A piece that is too long to be kept: takes its characters as they come, and remembers what its end may depend on.
//!
//! Only a run can be long: of letters, punctuation or white space. Where it may turn out to have ended earlier than it
//! seemed to, the tokens up to there and from there on are counted beside the tokens of the whole.

use super::classes::Class;
use super::merge::Merge;
use super::pieces::{Cursor, End, contraction};
use super::vocabulary::Vocabulary;

/// A long piece.
#[derive(Clone, Debug)]
pub(super) struct Long {
    run: Run,
    whole: Merge,
    /// The tokens up to where the piece may have ended, and what came after.
    earlier: Option<(u64, Merge)>,
    begun: bool,
    /// The tokens of pieces that ended earlier.
    done: u64,
}

/// What it is a run of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Letters of any case, in cl100k.
    Letters,
    /// Capitals and letters without case, in o200k. If no small letter follows, the piece ends with the last letter without
    /// case.
    Upper,
    /// Small letters and letters without case, in o200k.
    Lower,
    Punctuation,
    /// What may end punctuation.
    Breaks,
    /// The piece ends with the last line break.
    White,
}

impl Long {
    /// Begins with the beginning of a piece, of which it takes nothing yet.
    pub(super) fn new(vocabulary: Vocabulary, text: &str) -> Self {
        let mut cursor = Cursor::new(text);
        let first = cursor.peek();
        if let Some((c, _)) = first {
            cursor.pass(c);
        }
        let second = cursor.peek().map(|(_, class)| class);
        let is_letter = |class: Option<Class>| class.is_some_and(|class| vocabulary.is_letter(class));
        let white = first.is_some_and(|(c, class)| {
            class.is_white() && !(c == ' ' && second.is_some_and(Vocabulary::is_punctuation))
        });
        let run = match vocabulary {
            _ if !is_letter(first.map(|(_, class)| class)) && !is_letter(second) => {
                if white {
                    Run::White
                } else {
                    Run::Punctuation
                }
            }
            Vocabulary::Cl100k => Run::Letters,
            Vocabulary::O200k => Run::Upper,
        };
        Self {
            run,
            whole: Merge::default(),
            earlier: None,
            begun: false,
            done: 0,
        }
    }

    /// Takes what surely belongs to the piece: how many bytes, and the piece's tokens once its end is known. `ended` says
    /// that nothing follows the text.
    pub(super) fn take(&mut self, vocabulary: Vocabulary, text: &str, ended: bool) -> (usize, Option<u64>) {
        let mut cursor = Cursor::new(text);
        if !self.begun && self.run != Run::White {
            // A word or punctuation may begin with a character that is neither.
            if let Some((c, class)) = cursor.peek().filter(|(_, class)| !vocabulary.is_letter(*class)) {
                self.push(vocabulary, c, class);
                cursor.pass(c);
            }
        }
        self.begun = true;
        while let Some((c, class)) = cursor.peek() {
            let mut after = cursor;
            after.pass(c);
            let goes_on = match self.run {
                Run::Letters | Run::Upper => vocabulary.is_letter(class),
                Run::Lower => vocabulary.is_letter(class) && class != Class::Upper,
                Run::Punctuation => Vocabulary::is_punctuation(class) || vocabulary.ends_punctuation(c),
                Run::Breaks => vocabulary.ends_punctuation(c),
                Run::White if !class.is_white() => false,
                Run::White => match after.peek() {
                    // The last character of white space may belong to what follows.
                    None if !ended => return (cursor.at, None),
                    None => true,
                    Some((_, next)) => next.is_white() || class == Class::Break,
                },
            };
            if !goes_on {
                return self.end(vocabulary, cursor, ended);
            }
            self.run = match (self.run, class) {
                (Run::Upper, Class::Lower) => Run::Lower,
                (Run::Punctuation, Class::Break) => Run::Breaks,
                (run, _) => run,
            };
            self.push(vocabulary, c, class);
            cursor = after;
        }
        if ended {
            self.end(vocabulary, cursor, true)
        } else {
            (cursor.at, None)
        }
    }

    fn push(&mut self, vocabulary: Vocabulary, c: char, class: Class) {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).as_bytes();
        self.whole.push(vocabulary, bytes);
        if self.run == Run::Lower {
            self.earlier = None;
        }
        if let Some((_, rest)) = &mut self.earlier {
            rest.push(vocabulary, bytes);
        }
        let may_end = match self.run {
            Run::Upper => matches!(class, Class::Caseless | Class::Mark),
            Run::White => class == Class::Break,
            Run::Letters | Run::Lower | Run::Punctuation | Run::Breaks => false,
        };
        if may_end {
            let (tokens, rest) = self.earlier.get_or_insert_default();
            *tokens = self.whole.tokens();
            rest.clear();
        }
    }

    /// The piece has ended before what the cursor is at.
    fn end(&mut self, vocabulary: Vocabulary, mut cursor: Cursor<'_>, ended: bool) -> (usize, Option<u64>) {
        let open = cursor.rest().is_empty();
        // In cl100k white space at the end of the text is one piece, line breaks or not.
        let undivided = open && self.run == Run::White && vocabulary == Vocabulary::Cl100k;
        let earlier = self.earlier.take_if(|(_, rest)| !undivided && !rest.is_empty());
        if let Some((tokens, rest)) = earlier {
            self.done += tokens;
            self.whole = rest;
        }
        if matches!(self.run, Run::Upper | Run::Lower) && cursor.peek().is_some_and(|(c, _)| c == '\'') {
            let mut after = cursor;
            after.pass('\'');
            match contraction(after, ended) {
                Some(End::Unknown) => return (cursor.at, None),
                Some(End::At(end)) => {
                    let len = end - cursor.at;
                    let bytes = cursor.rest().get(..len).unwrap_or_default();
                    self.whole.push(vocabulary, bytes.as_bytes());
                    cursor.at = end;
                }
                None => {}
            }
        }
        (cursor.at, Some(self.done + self.whole.tokens()))
    }
}
