//! Small things that every JSON reader and writer here needs.

mod members;

pub use members::{Items, Listed, MAX_LISTED, Members, Rest, each, items, members};

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Deref;

/// A JSON string that borrows from its document unless it has escapes.
///
/// serde borrows a bare `Cow<str>` but not one inside `Option` or `Vec`; this borrows everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Str<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Str<'_> {
    /// An owned copy.
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// What a raw value is, by its first byte: enough to choose how to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// a number
    Number,
    /// `"…"`
    String,
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

/// The shape of a raw value.
pub fn shape(raw: &RawValue) -> Shape {
    match raw.get().as_bytes().first() {
        Some(b'n') | None => Shape::Null,
        Some(b't' | b'f') => Shape::Bool,
        Some(b'"') => Shape::String,
        Some(b'[') => Shape::Array,
        Some(b'{') => Shape::Object,
        Some(_) => Shape::Number,
    }
}

/// The text of a string; `None` for anything else. Half of a surrogate pair, which JSON can spell and UTF-8 cannot, becomes
/// U+FFFD, so that the text around it is not lost.
pub fn text(raw: &RawValue) -> Option<Str<'_>> {
    match serde_json::from_str(raw.get()) {
        Ok(text) => Some(text),
        Err(_) if shape(raw) == Shape::String => whole_characters(raw),
        Err(_) => None,
    }
}

fn whole_characters<'a>(raw: &RawValue) -> Option<Str<'a>> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    // Read as bytes, half of a pair is spelled as UTF-8 would spell it: ED, then A0 or above, which no text has.
    let mut bytes = deserializer.deserialize_bytes(Bytes).ok()?;
    for at in 0..bytes.len() {
        if let Some(three @ [0xED, 0xA0..=0xFF, _]) = bytes.get_mut(at..at + 3) {
            three.copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8(bytes).ok().map(|text| Str(Cow::Owned(text)))
}

/// `raw`, unless it is `null`.
pub fn present(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.filter(|raw| shape(raw) != Shape::Null)
}

/// Whether `raw` is `{}`, however it is spaced.
pub fn is_empty_object(raw: &RawValue) -> bool {
    raw.get()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|inside| inside.trim().is_empty())
}

/// The text of `raw` without the white space between its tokens: some providers indent what they send.
pub fn compact(raw: &RawValue) -> String {
    let mut out = String::with_capacity(raw.get().len());
    let (mut in_string, mut escaped) = (false, false);
    for char in raw.get().chars() {
        if !in_string && char.is_ascii_whitespace() {
            continue;
        }
        in_string ^= char == '"' && !escaped;
        escaped = in_string && char == '\\' && !escaped;
        out.push(char);
    }
    out
}

/// Writes bytes as a string as they are; nothing but [`long`] serialises bytes.
struct Verbatim;

impl serde_json::ser::Formatter for Verbatim {
    fn write_byte_array<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        writer.write_all(b"\"")?;
        writer.write_all(value)?;
        writer.write_all(b"\"")
    }
}

/// From which length on [`long`] looks at a text before it is written.
const LONG: usize = 4 << 10;

/// Serialises what may be many megabytes of base64, for [`write()`] only: `serde_json` looks at every byte of a string by
/// itself, which takes several times as long as all the rest of sending an image on.
#[expect(clippy::missing_errors_doc, reason = "serde says what goes wrong")]
pub fn long<T: AsRef<str>, S: Serializer>(text: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let text = text.as_ref();
    if text.len() >= LONG && needs_no_escape(text.as_bytes()) {
        serializer.serialize_bytes(text.as_bytes())
    } else {
        serializer.serialize_str(text)
    }
}

/// A one in every byte.
const ONES: u64 = u64::MAX / 255;

/// The highest bits of the bytes of `word` that are lower than `limit`: not zero if there are any. Looks at eight bytes in
/// one step (<https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord>).
const fn lower(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(ONES * limit) & !word & (ONES << 7)
}

/// Where `byte` stands in `data`, for few of them in much.
pub fn positions(data: &[u8], byte: u8) -> impl Iterator<Item = usize> {
    let pattern = ONES * u64::from(byte);
    let (words, rest) = data.as_chunks::<8>();
    let has = move |word: &&[u8; 8]| lower(u64::from_le_bytes(**word) ^ pattern, 1) != 0;
    let end = words.len();
    let words = (0..).zip(words).filter(move |(_, word)| has(word));
    words
        .map(|(at, word)| (at, word.as_slice()))
        .chain([(end, rest)])
        .flat_map(move |(at, bytes)| {
            let found = (at * 8..).zip(bytes).filter(move |(_, found)| **found == byte);
            found.map(|(at, _)| at)
        })
}

/// Whether `byte` may stand in a JSON text outside of strings more than `most` times, where no two of them stand side by
/// side. One in a string counts, too, and a byte that is a bit away from it right behind it. Looks at eight bytes in one
/// step, and at no more than it takes: what is left has one in every two bytes at the most.
pub fn may_exceed(data: &[u8], byte: u8, most: usize) -> bool {
    /// So many ones fit into each byte of a sum.
    const STEPS: usize = 255;
    const PAIRS: u64 = u64::MAX / 0xffff * 0xff;
    let pattern = ONES * u64::from(byte);
    let (words, rest) = data.as_chunks::<8>();
    let mut left = data.len();
    let mut found = 0_usize;
    for words in words.chunks(STEPS) {
        if found > most {
            return true;
        }
        if found.saturating_add(left.div_ceil(2)) <= most {
            return false;
        }
        let ones = words.iter().fold(0_u64, |sum, word| {
            let word = u64::from_le_bytes(*word) ^ pattern;
            sum.wrapping_add(lower(word, 1) >> 7)
        });
        // The sums of neighbours fit into two bytes, and the sum of those into the highest two.
        let pairs = (ones & PAIRS).wrapping_add((ones >> 8) & PAIRS);
        found = found.saturating_add((pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize);
        left = left.saturating_sub(words.as_flattened().len());
    }
    found.saturating_add(rest.iter().filter(|found| **found == byte).count()) > most
}

/// How often `byte` stands in a JSON text outside of strings.
pub fn count_outside_strings(data: &[u8], byte: u8) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for found in data {
        if in_string {
            in_string = escaped || *found != b'"';
            escaped = !escaped && *found == b'\\';
        } else {
            in_string = *found == b'"';
            count += usize::from(*found == byte);
        }
    }
    count
}

/// Whether a text stands in a JSON string as it is.
fn needs_no_escape(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    words.iter().all(|word| {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        lower(word, 0x20) | lower(quote, 1) | lower(backslash, 1) == 0
    }) && rest
        .iter()
        .all(|byte| *byte >= 0x20 && !matches!(byte, b'"' | b'\\'))
}

/// Appends `value` as JSON. Serialising into memory what this crate serialises cannot fail; if it ever did, `null` stands there.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Verbatim);
    if value.serialize(&mut serializer).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Appends one member of an object, with the comma before it where one is needed; `value` appends its value.
pub fn member(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write(out, name);
    out.push(b':');
    value(out);
}

/// Appends an object with the names of `members`; `value` appends the value of each.
pub fn object<'a>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (Str<'a>, &'a RawValue)>,
    value: &mut dyn FnMut(&mut Vec<u8>, &str, &'a RawValue),
) {
    out.push(b'{');
    for (name, raw) in members {
        member(out, &name, |out| value(out, &name, raw));
    }
    out.push(b'}');
}

/// `value` as a JSON document.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(&mut out, value);
    out
}

/// `value` as an owned raw value, for a member that is passed on as it is.
pub fn to_raw<T: Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_default()
}

/// A count that a provider reports. Whatever number stands there is taken: below zero counts as zero, and a fraction is
/// cut, because refusing a whole answer over it would help nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;
        impl Visitor<'_> for AnyNumber {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Count, E> {
                Ok(Count(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Count, E> {
                Ok(Count(value.try_into().unwrap_or(0)))
            }

            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "`as` saturates, as wanted"
            )]
            fn visit_f64<E>(self, value: f64) -> Result<Count, E> {
                Ok(Count(value as u64))
            }
        }
        deserializer.deserialize_any(AnyNumber)
    }
}

/// What serde_json says of a value, without the position inside that value, which means nothing to a caller.
pub fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for length in 0..20 {
            for at in 0..length {
                let mut data = vec![b'Z'; length];
                data[at] = b'[';
                assert_eq!(positions(&data, b'[').collect::<Vec<_>>(), [at], "{length}");
            }
            let all: Vec<_> = (0..length).collect();
            assert_eq!(positions(&vec![b'['; length], b'[').collect::<Vec<_>>(), all);
        }
    }

    #[test]
    fn no_byte_is_missed_in_counting() {
        for length in [0, 1, 7, 8, 9, 2_039, 2_040, 2_041, 5_000, 50_000] {
            let dense: Vec<u8> = (0..length).map(|at| b",1"[at % 2]).collect();
            let at_end = [vec![b'1'; length], dense.clone()].concat();
            let some: Vec<u8> = (0..length).map(|at| b"a,-1,\"b,2,-"[at % 11]).collect();
            for data in [&dense, &at_end, &some] {
                let exact = data.iter().filter(|byte| **byte == b',').count();
                for most in (0..exact).step_by(exact / 7 + 1).chain(exact.checked_sub(1)) {
                    assert!(may_exceed(data, b',', most), "{most} of {exact} in {length}");
                }
                assert!(
                    data == &some || !may_exceed(data, b',', exact),
                    "{exact} in {length}"
                );
            }
            let none: Vec<u8> = (0..length).map(|at| b"ab[{ 019\n"[at % 9]).collect();
            assert!(!may_exceed(&none, b',', 0), "{length}");
        }
    }

    #[test]
    fn what_stands_in_strings_is_not_counted() {
        for (text, count) in [
            (r#"[1,2,",,\",,",3]"#, 3),
            (r#"{"a,":"\\","b":","}"#, 1),
            ("[]", 0),
        ] {
            assert_eq!(count_outside_strings(text.as_bytes(), b','), count, "{text}");
        }
    }

    #[test]
    fn only_white_space_between_tokens_is_left_out() {
        let indented = raw("{\n  \"a b\": [1,\t2 ],\r\n \"c\\\" \\\\\": \" \\\" \"\n}");
        assert_eq!(compact(&indented), r#"{"a b":[1,2],"c\" \\":" \" "}"#);
    }

    #[test]
    fn a_long_text_is_escaped_like_any_other_where_it_must_be() {
        #[derive(Serialize)]
        struct Image<'a> {
            #[serde(serialize_with = "long")]
            data: &'a str,
        }
        let plain = "QUJD".repeat(LONG);
        let check = |text: &str| {
            let written = String::from_utf8(to_vec(&Image { data: text })).unwrap();
            assert_eq!(
                written,
                format!("{{\"data\":{}}}", serde_json::to_string(text).unwrap())
            );
        };
        check(&plain);
        check("short");
        for special in [
            "\"", "\\", "\n", "\u{1f}", "\0", " ", "\u{7f}", "é", "\u{20ac}", "!", "#", "[", "]",
        ] {
            for at in [0, 1, 7, 8, 4_001, plain.len()] {
                let (before, after) = plain.split_at(at);
                check(&format!("{before}{special}{after}"));
            }
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_does_not_cost_the_text_around_it() {
        for (written, read) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00é\ud83d\ud83d b\n""#, "\u{fffd}é\u{fffd}\u{fffd} b\n"),
            (r#""\ud83d\ude00\ude00""#, "😀\u{fffd}"),
            (r#""\ud7ff\ue000퟿""#, "\u{d7ff}\u{e000}\u{d7ff}"),
        ] {
            assert_eq!(text(&raw(written)).as_deref(), Some(read), "{written}");
        }
        for other in ["1", "null", "[\"a\"]", "{}"] {
            assert_eq!(text(&raw(other)), None, "{other}");
        }
    }
}
