//! Characters and how they are spelt: plainly, or with the escapes of a JSON string.

/// How the text that is read spells its characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::middleware) enum Reading {
    /// As they are.
    Plain,
    /// As between the quotes of a JSON string: `\n` and `\u00e9` are one character each.
    JsonString,
}

impl Reading {
    /// The first character of `text`, and the length of its spelling. `None`: more text is needed to tell.
    pub(super) fn first(self, text: &str, ended: bool) -> Option<(char, usize)> {
        let ch = text.chars().next()?;
        if self == Self::Plain || ch != '\\' {
            return Some((ch, ch.len_utf8()));
        }
        let simple = |ch| Some((ch, 2));
        match text.as_bytes().get(1) {
            Some(b'n') => simple('\n'),
            Some(b'r') => simple('\r'),
            Some(b't') => simple('\t'),
            Some(b'b') => simple('\u{8}'),
            Some(b'f') => simple('\u{c}'),
            Some(byte @ (b'"' | b'\\' | b'/')) => simple(char::from(*byte)),
            Some(b'u') => unicode(text.as_bytes(), ended),
            // No escape at all: the backslash stands for itself.
            Some(_) => Some((ch, 1)),
            None => ended.then_some((ch, 1)),
        }
    }
}

/// Reads `\u00e9`, or the two halves of `\ud83d\ude00`, which stand for one character.
fn unicode(text: &[u8], ended: bool) -> Option<(char, usize)> {
    let high = match code_unit(text) {
        CodeUnit::Is(unit) => unit,
        CodeUnit::Cut if !ended => return None,
        CodeUnit::Cut | CodeUnit::Bad => return Some(('\\', 1)),
    };
    if let Some(ch) = char::from_u32(high) {
        return Some((ch, 6));
    }
    let low = match code_unit(text.get(6..).unwrap_or_default()) {
        CodeUnit::Is(low) => low,
        CodeUnit::Cut if !ended && high < 0xdc00 => return None,
        CodeUnit::Cut | CodeUnit::Bad => 0,
    };
    match (high, low) {
        (0xd800..0xdc00, 0xdc00..0xe000) => {
            let ch = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            Some((ch.unwrap_or(char::REPLACEMENT_CHARACTER), 12))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}

enum CodeUnit {
    Is(u32),
    /// The text ends before it does.
    Cut,
    Bad,
}

fn code_unit(text: &[u8]) -> CodeUnit {
    let mut unit = 0;
    for at in 0..6 {
        let Some(byte) = text.get(at) else {
            return CodeUnit::Cut;
        };
        match (at, char::from(*byte).to_digit(16)) {
            (0, _) if *byte == b'\\' => {}
            (1, _) if *byte == b'u' => {}
            (2.., Some(digit)) => unit = unit << 4 | digit,
            _ => return CodeUnit::Bad,
        }
    }
    CodeUnit::Is(unit)
}
