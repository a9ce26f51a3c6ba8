//! Who calls: by a key of this gateway, or by the name that a filter before this one has found.

use super::host::{self, Headers};
use crate::config::{Config, Identity};
use crate::error::{Error, Kind};
use crate::hash;

/// The longest name of a caller, in bytes: it is in every receipt.
const MAX_NAME: usize = 256;

/// The caller's name, and which key is his, if he has one; `None` where everybody may call.
pub(super) fn caller(config: &Config, headers: &Headers) -> Result<Option<(String, Option<usize>)>, Error> {
    if let Some(identity) = &config.identity
        && let Some(name) = named(identity, headers)
    {
        return match config.key_at(&name) {
            Some(at) => sound(config, at).map(|_| Some((name, Some(at)))),
            None if config.keys.is_empty() => Ok(Some((name, None))),
            None => Err(refusal("the caller is not one of this gateway's")),
        };
    }
    if config.keys.is_empty() && config.identity.is_none() {
        return Ok(None);
    }
    let header = headers.get("authorization").unwrap_or_default();
    let Some(key) = header.strip_prefix(b"Bearer ") else {
        return Err(refusal("no API key; send it as Authorization: Bearer …"));
    };
    match config.key(&hash::sha256(key)) {
        Some(at) => sound(config, at).map(|name| Some((name, Some(at)))),
        None => Err(refusal("the API key is not one of this gateway's")),
    }
}

/// The name that another filter has found.
fn named(identity: &Identity, headers: &Headers) -> Option<String> {
    let bytes = match identity {
        Identity::Header(name) => headers.get(name)?.to_vec(),
        Identity::FilterState(name) => host::property(&["filter_state", name])?,
        Identity::Metadata(path) => {
            let path = path.iter().map(String::as_str);
            let path: Vec<&str> = ["metadata", "filter_metadata"].into_iter().chain(path).collect();
            host::property(&path)?
        }
    };
    let name = String::from_utf8(bytes).ok()?;
    (1..=MAX_NAME).contains(&name.len()).then_some(name)
}

/// The name of a key that is good at this time.
fn sound(config: &Config, at: usize) -> Result<String, Error> {
    let Some(key) = config.keys.get(at) else {
        return Err(refusal("the API key is not one of this gateway's"));
    };
    if key.disabled {
        return Err(refusal("the API key is disabled"));
    }
    if key.expires_ms.is_some_and(|end| end <= host::now_ms()) {
        return Err(refusal("the API key has expired"));
    }
    Ok(key.name.clone())
}

fn refusal(message: &str) -> Error {
    Error::new(Kind::Authentication, message)
}
