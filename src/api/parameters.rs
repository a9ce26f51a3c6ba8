//! The parameters of a query.

use crate::error::{Error, quoted};

/// The most items of one page: OpenRouter's.
const MOST: usize = 1_000;

/// Reads a query pair by pair.
pub(super) fn each(text: &str, mut set: impl FnMut(&str, &str) -> Result<(), Error>) -> Result<(), Error> {
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in pairs(text) {
        let (Some(name), Some(value)) = (decode(name, true), decode(value, true)) else {
            let pair = quoted(&format!("{name}={value}"));
            return Err(Error::invalid(format!("the query cannot be decoded at {pair}")));
        };
        if seen.contains(&name) {
            return Err(Error::invalid(format!(
                "{} is given twice; separate several values by commas",
                quoted(&name)
            )));
        }
        set(&name, &value)?;
        seen.push(name);
    }
    Ok(())
}

/// The error of a value that is not what is expected.
pub(super) fn wrong(name: &str, expected: &str, value: &str) -> Error {
    Error::invalid(format!("{name}: expected {expected}, found {}", quoted(value)))
}

/// The value of `limit`.
pub(super) fn limit(value: &str) -> Result<usize, Error> {
    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| wrong("limit", "a whole number from 1 to 1000", value))
}

/// The pairs of a query, not decoded.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The value of the only parameter that a query may have. It is not decoded.
pub(super) fn only<'q>(query: &'q str, name: Option<&str>) -> Result<Option<&'q str>, Error> {
    let mut found = None;
    for (known, value) in pairs(query) {
        if name != Some(known) {
            return Err(Error::invalid(format!("{} is unknown here", quoted(known))));
        }
        found = Some(value);
    }
    Ok(found)
}

/// A text with its `%` sequences read, and `+` as a space if `plus`; `None` where it cannot be read.
pub(super) fn decode(text: &str, plus: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            b'+' if plus => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}
