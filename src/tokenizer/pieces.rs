//! Cuts a text into the pieces that tokens never reach over.
//!
//! The vocabularies define them by regular expressions, in `tiktoken_ext/openai_public.py` of
//! <https://github.com/openai/tiktoken>; what is here finds the same pieces without one. Where the end of a piece depends
//! on text that has not come yet, it says so.

use super::classes::Class;
use super::vocabulary::Vocabulary;

/// Looks at a text from its beginning.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    /// How far it is, in bytes.
    pub(super) at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(self) -> Option<(char, Class)> {
        let c = self.rest().chars().next()?;
        Some((c, Class::of(c)))
    }

    pub(super) fn pass(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    /// Passes all characters that are so; whether the text ended there.
    fn pass_while(&mut self, is: impl Fn(char, Class) -> bool) -> bool {
        while let Some((c, class)) = self.peek() {
            if !is(c, class) {
                return false;
            }
            self.pass(c);
        }
        true
    }
}

/// Where a piece ends, or something in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After so many bytes.
    At(usize),
    /// That depends on what follows.
    Unknown,
}

impl Vocabulary {
    pub(super) const fn is_letter(self, class: Class) -> bool {
        match class {
            Class::Upper | Class::Lower | Class::Caseless => true,
            Class::Mark => matches!(self, Self::O200k),
            Class::Other | Class::Space | Class::Break | Class::Number => false,
        }
    }

    /// Whether it belongs to a run of punctuation. A mark does in either vocabulary, once there is one.
    pub(super) const fn is_punctuation(class: Class) -> bool {
        matches!(class, Class::Other | Class::Mark)
    }

    /// Whether it may end a run of punctuation.
    pub(super) const fn ends_punctuation(self, c: char) -> bool {
        matches!(c, '\r' | '\n') || matches!(self, Self::O200k) && c == '/'
    }

    /// The end of the first piece of a text that is not empty. `ended` says that nothing follows the text.
    pub(super) fn piece(self, text: &str, ended: bool) -> End {
        let mut cursor = Cursor::new(text);
        let Some((c, class)) = cursor.peek() else {
            return End::Unknown;
        };
        if self.is_letter(class) {
            return self.word(cursor, ended);
        }
        let start = cursor;
        cursor.pass(c);
        match class {
            Class::Number => number(cursor, ended),
            Class::Break => self.white(start, ended),
            _ => match cursor.peek() {
                None if ended => End::At(cursor.at),
                None => End::Unknown,
                Some((_, next)) => {
                    if c == '\'' && matches!(self, Self::Cl100k) {
                        match contraction(cursor, ended) {
                            Some(End::At(end)) => return End::At(end),
                            Some(End::Unknown) => return End::Unknown,
                            None => {}
                        }
                    }
                    if self.is_letter(next) {
                        self.word(cursor, ended)
                    } else if class != Class::Space || c == ' ' && Self::is_punctuation(next) {
                        self.punctuation(cursor, ended)
                    } else {
                        self.white(start, ended)
                    }
                }
            },
        }
    }

    fn word(self, mut cursor: Cursor<'_>, ended: bool) -> End {
        let open = match self {
            Self::Cl100k => {
                let open = cursor.pass_while(|_, class| self.is_letter(class));
                return if open && !ended {
                    End::Unknown
                } else {
                    End::At(cursor.at)
                };
            }
            // Capitals, then small letters; letters without case may be in either part, and one part may be empty.
            Self::O200k => {
                let mut caseless_end = None;
                loop {
                    match cursor.peek() {
                        Some((c, Class::Upper)) => cursor.pass(c),
                        Some((c, Class::Caseless | Class::Mark)) => {
                            cursor.pass(c);
                            caseless_end = Some(cursor.at);
                        }
                        Some((_, Class::Lower)) => {
                            break cursor
                                .pass_while(|_, class| self.is_letter(class) && class != Class::Upper);
                        }
                        None if !ended => return End::Unknown,
                        // The second part takes a letter if it can, so capitals at the end are left to the next piece.
                        next => match caseless_end {
                            Some(end) if end < cursor.at => return End::At(end),
                            _ => break next.is_none(),
                        },
                    }
                }
            }
        };
        match cursor.peek() {
            None if open && !ended => End::Unknown,
            Some(('\'', _)) => {
                let word = End::At(cursor.at);
                cursor.pass('\'');
                contraction(cursor, ended).unwrap_or(word)
            }
            _ => End::At(cursor.at),
        }
    }

    fn punctuation(self, mut cursor: Cursor<'_>, ended: bool) -> End {
        let open = cursor.pass_while(|_, class| Self::is_punctuation(class))
            || cursor.pass_while(|c, _| self.ends_punctuation(c));
        if open && !ended {
            End::Unknown
        } else {
            End::At(cursor.at)
        }
    }

    /// White space that no word or punctuation has taken. It ends with its last line break; without one, all but its last
    /// character is a piece, if that is followed by anything.
    fn white(self, mut cursor: Cursor<'_>, ended: bool) -> End {
        let (mut break_end, mut last) = (None, 0);
        while let Some((c, class)) = cursor.peek().filter(|(_, class)| class.is_white()) {
            last = cursor.at;
            cursor.pass(c);
            if class == Class::Break {
                break_end = Some(cursor.at);
            }
        }
        let open = cursor.rest().is_empty();
        match (open, break_end) {
            (true, _) if !ended => End::Unknown,
            (true, Some(end)) if matches!(self, Self::O200k) => End::At(end),
            (false, Some(end)) => End::At(end),
            (false, None) if last > 0 => End::At(last),
            _ => End::At(cursor.at),
        }
    }
}

fn number(mut cursor: Cursor<'_>, ended: bool) -> End {
    // Three digits at most.
    for _ in 1..3 {
        match cursor.peek() {
            Some((c, Class::Number)) => cursor.pass(c),
            Some(_) => break,
            None if ended => break,
            None => return End::Unknown,
        }
    }
    End::At(cursor.at)
}

/// Where a contraction ends (`'s`, `'ll`), of which the apostrophe is passed; `None` if it is none.
pub(super) fn contraction(mut cursor: Cursor<'_>, ended: bool) -> Option<End> {
    let open = (!ended).then_some(End::Unknown);
    let Some((first, _)) = cursor.peek() else {
        return open;
    };
    cursor.pass(first);
    let second = match first {
        // The long s is a small s to a pattern that ignores case.
        's' | 'S' | 'ſ' | 'd' | 'D' | 'm' | 'M' | 't' | 'T' => return Some(End::At(cursor.at)),
        'l' | 'L' => 'l',
        'v' | 'V' | 'r' | 'R' => 'e',
        _ => return None,
    };
    let Some((c, _)) = cursor.peek() else { return open };
    cursor.pass(c);
    c.eq_ignore_ascii_case(&second).then_some(End::At(cursor.at))
}
