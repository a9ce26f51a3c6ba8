//! The credential that a request carried, to be taken out of what its provider says: some repeat what they were sent.
//!
//! Not only the whole of it goes, but every part of [`PART`] bytes, also where JSON or percent escapes write it, and where
//! it stands in base64 of any alignment and alphabet. Nothing is made before there is a text to look at, and a text costs
//! one pass.
//!
//! ```
//! use crosspoint::auth::Secret;
//! use crosspoint::auth::sent::Sent;
//!
//! let sent = Sent::new(vec![Secret::new("sk-0123456789".to_owned())]);
//! let cleaned = sent.removed_from(b"no such key: sk-01234***789");
//! assert_eq!(cleaned.as_deref(), Some(&b"no such key: [credential]***789"[..]));
//! assert_eq!(sent.removed_from(b"no such key"), None);
//! ```

use super::Secret;
use crate::base64;
use std::cell::OnceCell;
use std::fmt;

/// The shortest part of a credential that is taken out, in bytes. Eight make one number.
const PART: usize = 8;
/// The shortest credential that is taken out: a shorter one is no secret, and text would be made of its letters.
const SHORTEST: usize = 4;
/// The text that stands in the place of what was taken out.
const MARK: &[u8] = b"[credential]";

/// Everything that authorised one request.
#[derive(Default)]
pub struct Sent {
    secrets: Vec<Secret>,
    parts: OnceCell<Parts>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({})", self.secrets.len())
    }
}

impl Sent {
    /// The credentials of a request, whole, without what a header puts before them.
    pub const fn new(secrets: Vec<Secret>) -> Self {
        Self {
            secrets,
            parts: OnceCell::new(),
        }
    }

    /// The text without the credential; `None` where nothing of it stands there.
    pub fn removed_from(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self.secrets.is_empty() || text.len() < SHORTEST {
            return None;
        }
        let parts = self.parts.get_or_init(|| Parts::of(&self.secrets));
        let mut found = Found::default();
        let mut recent = Recent::default();
        let mut at = 0;
        while let Some((bytes, length)) = unescape(text.get(at..).unwrap_or_default()) {
            let end = at.saturating_add(length);
            for byte in bytes.iter() {
                recent.push(byte, at);
                if let Some(length) = parts.longest_at_end(&recent) {
                    found.add(recent.begin(length), end);
                }
            }
            at = end;
        }
        found.cut_out_of(text)
    }

    /// The same of text.
    pub fn removed_from_text(&self, text: &str) -> Option<String> {
        let cleaned = self.removed_from(text.as_bytes())?;
        Some(String::from_utf8_lossy(&cleaned).into_owned())
    }

    /// Takes the credential out of a text.
    pub fn remove_from(&self, text: &mut String) {
        if let Some(cleaned) = self.removed_from_text(text) {
            *text = cleaned;
        }
    }
}

/// The last bytes of a text, its escapes undone, and where each began.
#[derive(Default)]
struct Recent {
    window: u64,
    count: usize,
    begins: [usize; PART],
}

impl Recent {
    fn push(&mut self, byte: u8, begin: usize) {
        self.window = self.window << 8 | u64::from(same(byte));
        if let Some(place) = self.begins.get_mut(self.count % PART) {
            *place = begin;
        }
        self.count = self.count.saturating_add(1);
    }

    /// Where the last `length` bytes begin in the text.
    fn begin(&self, length: usize) -> usize {
        let place = self.count.saturating_sub(length) % PART;
        self.begins.get(place).copied().unwrap_or_default()
    }
}

/// The parts to be taken out.
#[derive(Default)]
struct Parts {
    /// Every part of eight bytes, in order.
    long: Vec<u64>,
    /// A bit for each of them, by a hash: most of a text costs no search.
    bits: Vec<u64>,
    shift: u32,
    /// Credentials that are shorter, with their lengths.
    short: Vec<(usize, u64)>,
}

impl Parts {
    fn of(secrets: &[Secret]) -> Self {
        let mut parts = Self::default();
        for secret in secrets {
            let secret = secret.expose().trim().as_bytes();
            match secret.len() {
                0..SHORTEST => {}
                SHORTEST..PART => parts.short.push((secret.len(), number(secret))),
                _ => {
                    parts.long.extend(secret.windows(PART).map(number));
                    for before in 0..3 {
                        let encoded = encoded(secret, before);
                        parts.long.extend(encoded.as_bytes().windows(PART).map(number));
                    }
                }
            }
        }
        parts.long.sort_unstable();
        parts.long.dedup();
        let places = parts.long.len().saturating_mul(16).next_power_of_two().max(64);
        parts.shift = 64 - places.trailing_zeros();
        parts.bits = vec![0; places / 64];
        for at in 0..parts.long.len() {
            let (word, bit) = parts.place(parts.long.get(at).copied().unwrap_or_default());
            if let Some(word) = parts.bits.get_mut(word) {
                *word |= bit;
            }
        }
        parts
    }

    /// The bit of a part: where its word stands, and which it is.
    fn place(&self, part: u64) -> (usize, u64) {
        let place = part.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift;
        (usize::try_from(place / 64).unwrap_or_default(), 1 << (place % 64))
    }

    /// How long the part is that ends where the text does now.
    fn longest_at_end(&self, recent: &Recent) -> Option<usize> {
        let (word, bit) = self.place(recent.window);
        let marked = self.bits.get(word).is_some_and(|word| word & bit != 0);
        if marked && recent.count >= PART && self.long.binary_search(&recent.window).is_ok() {
            return Some(PART);
        }
        let ends = |(length, short): &&(usize, u64)| {
            let rest = u64::MAX >> (64 - 8 * length);
            recent.count >= *length && recent.window & rest == *short
        };
        self.short.iter().find(ends).map(|(length, _)| *length)
    }
}

/// At most eight bytes as one number.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(same(*byte)))
}

/// Both alphabets of base64 are one here.
const fn same(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    }
}

/// The base64 of a credential that has `before` bytes of something else before it: the letters that no neighbour has a
/// part in.
fn encoded(secret: &[u8], before: usize) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let mut letters = base64::encode(&bytes);
    letters.truncate(bytes.len().saturating_mul(8) / 6);
    letters.split_off((before * 8).div_ceil(6).min(letters.len()))
}

/// Up to three bytes: no escape stands for more.
struct Unescaped([u8; 3], usize);

impl Unescaped {
    fn iter(&self) -> impl Iterator<Item = u8> {
        self.0.into_iter().take(self.1)
    }

    const fn byte(byte: u8) -> Self {
        Self([byte, 0, 0], 1)
    }

    fn of(code: u32) -> Self {
        // Half of a pair stands in no credential.
        let letter = char::from_u32(code).unwrap_or('\u{fffd}');
        let mut bytes = [0; 4];
        let length = letter.encode_utf8(&mut bytes).len();
        let [first, second, third, _] = bytes;
        Self([first, second, third], length.min(3))
    }
}

/// What the text begins with, and how many bytes of it that takes; `None` at its end. An escape may have been escaped
/// again, in a JSON document inside of another one, for instance.
fn unescape(text: &[u8]) -> Option<(Unescaped, usize)> {
    let (first, rest) = text.split_first()?;
    let escape = match first {
        b'\\' => Some(backslash(rest)),
        b'%' => percent(rest),
        _ => None,
    };
    let (bytes, more) = escape.unwrap_or((Unescaped::byte(*first), 0));
    Some((bytes, more.saturating_add(1)))
}

/// What a run of backslashes begins, and how much of `rest` belongs to it. A run that escapes nothing is one backslash, so
/// that no byte is looked at twice.
fn backslash(rest: &[u8]) -> (Unescaped, usize) {
    let more = rest.iter().take_while(|byte| **byte == b'\\').count();
    let (kind, digits) = match rest.get(more..).and_then(<[u8]>::split_first) {
        Some((kind, digits)) => (*kind, digits),
        None => (0, rest),
    };
    let number = |length: usize| digits.get(..length).and_then(hexadecimal);
    let (bytes, length) = match kind {
        b'u' => number(4).map_or((Unescaped::byte(b'\\'), 0), |code| (Unescaped::of(code), 5)),
        b'x' => number(2).map_or((Unescaped::byte(b'\\'), 0), |code| (Unescaped::of(code), 3)),
        b'"' | b'\'' | b'/' => (Unescaped::byte(kind), 1),
        _ => (Unescaped::byte(b'\\'), 0),
    };
    (bytes, more.saturating_add(length))
}

/// What a percent sign begins; `%25` is one itself.
fn percent(rest: &[u8]) -> Option<(Unescaped, usize)> {
    let mut at = 0;
    let pair = |at: usize| hexadecimal(rest.get(at..at.checked_add(2)?)?);
    while pair(at) == Some(0x25) && pair(at + 2).is_some() {
        at += 2;
    }
    let byte = u8::try_from(pair(at)?).ok()?;
    Some((Unescaped::byte(byte), at + 2))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | digit)
    })
}

/// What is to be cut out of a text, in order.
#[derive(Default)]
struct Found(Vec<(usize, usize)>);

impl Found {
    /// Parts that overlap or touch are one.
    fn add(&mut self, begin: usize, end: usize) {
        match self.0.last_mut() {
            Some((last, until)) if begin <= *until => {
                *last = begin.min(*last);
                *until = end;
            }
            _ => self.0.push((begin, end)),
        }
    }

    fn cut_out_of(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for (begin, end) in &self.0 {
            out.extend_from_slice(text.get(at..*begin).unwrap_or_default());
            out.extend_from_slice(MARK);
            at = *end;
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        Some(out)
    }
}

#[cfg(test)]
mod tests;
