//! What the vocabularies' patterns tell apart among characters.

include!(concat!(env!("OUT_DIR"), "/classes.rs"));

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.bin"));

/// The class of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Punctuation, symbols, controls, and what is not assigned.
    Other,
    /// White space but line breaks.
    Space,
    /// `\r` and `\n`
    Break,
    /// A digit, or another number.
    Number,
    /// A capital or title-case letter.
    Upper,
    /// A small letter.
    Lower,
    /// A letter without case.
    Caseless,
    /// A mark that belongs to the character before it.
    Mark,
}

impl Class {
    pub(super) fn of(c: char) -> Self {
        let code = c as usize;
        let block = BYTES.get(code / BLOCK).copied().unwrap_or_default();
        let place = INDEX + block as usize * BLOCK + code % BLOCK;
        match BYTES.get(place).copied().unwrap_or_default() {
            1 => Self::Space,
            2 => Self::Break,
            3 => Self::Number,
            4 => Self::Upper,
            5 => Self::Lower,
            6 => Self::Caseless,
            7 => Self::Mark,
            _ => Self::Other,
        }
    }

    pub(super) const fn is_white(self) -> bool {
        matches!(self, Self::Space | Self::Break)
    }
}
