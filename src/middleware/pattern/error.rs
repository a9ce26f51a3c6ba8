//! Reasons to refuse a pattern, and its caps.

use std::fmt;

/// The most states that one pattern may have, repetitions expanded: `\d{16}` has 16.
pub(super) const MAX_STATES: usize = 2_000;

/// The most states that all patterns of one `Patterns` may have together; it bounds the work for one character.
pub(super) const MAX_TOTAL_STATES: usize = 10_000;

/// Why a pattern was refused. Positions count characters from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::middleware) enum PatternError {
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
