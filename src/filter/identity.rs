//! The caller: by a key of this gateway, or by the name that a filter before this one has found.

use super::headers::Headers;
use super::host;
use crate::config::{ClientKey, Config, Identity};
use crate::error::{Error, Kind};
use crate::hash;

/// The longest name of a caller, in bytes: it is in every receipt.
const MAX_NAME: usize = 256;

/// A caller: a key of ours, or whom another filter has let in.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The name, which may come from outside.
    pub(super) name: String,
    /// The hash of the name, for the keys of records in shared data.
    pub(super) hash: u128,
    /// The key with the limits and the rules of this caller.
    pub(super) key: Option<usize>,
}

impl Caller {
    fn new(name: String, key: Option<usize>) -> Self {
        let hash = hash::of_name(&[&name]);
        Self { name, hash, key }
    }

    /// The caller that a key of the configuration is.
    pub(super) fn of_key(at: usize, key: &ClientKey) -> Self {
        Self::new(key.name.clone(), Some(at))
    }
}

/// The caller of a request; `None` where callers need no name.
pub(super) fn caller(config: &Config, headers: &Headers) -> Result<Option<Caller>, Error> {
    if let Some(identity) = &config.identity
        && let Some(name) = named(identity, headers)?
    {
        return match config.key_at(&name) {
            Some(at) => sound(config, at).map(|_| Some(Caller::new(name, Some(at)))),
            None if config.keys.is_empty() => Ok(Some(Caller::new(name, None))),
            None => Err(refusal("the caller is not one of this gateway's")),
        };
    }
    if config.keys.is_empty() && config.identity.is_none() {
        return Ok(None);
    }
    let Some(key) = headers.only("authorization")?.and_then(bearer) else {
        return Err(refusal("no API key; send it as Authorization: Bearer …"));
    };
    match config.key(&hash::sha256(key)) {
        Some(at) => sound(config, at).map(|key| Some(Caller::of_key(at, key))),
        None => Err(refusal("the API key is not one of this gateway's")),
    }
}

/// The key in `Bearer <key>`. The scheme may be written in any case, with several spaces behind it (RFC 9110, 11.1 and
/// 11.4).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && rest.starts_with(b" ");
    is_bearer.then(|| rest.trim_ascii())
}

/// The name that another filter has found. One that is there and cannot be taken is refused: the key in another header
/// must not decide instead.
fn named(identity: &Identity, headers: &Headers) -> Result<Option<String>, Error> {
    let bytes = match identity {
        Identity::Header(name) => headers.only(name)?.map(<[u8]>::to_vec),
        Identity::FilterState(name) => host::property(&["filter_state", name]),
        Identity::Metadata(path) => {
            let path = path.iter().map(String::as_str);
            let path: Vec<&str> = ["metadata", "filter_metadata"].into_iter().chain(path).collect();
            host::property(&path)
        }
    };
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    match String::from_utf8(bytes) {
        Ok(name) if name.len() <= MAX_NAME => Ok(Some(name)),
        Ok(_) | Err(_) => Err(Error::invalid(format!(
            "the name of the caller, from {}, is no UTF-8 of at most {MAX_NAME} bytes",
            source(identity)
        ))),
    }
}

/// The place of a caller's name, as the configuration has it.
fn source(identity: &Identity) -> String {
    match identity {
        Identity::Header(name) => format!("the header {name}"),
        Identity::FilterState(name) => format!("filter state {name}"),
        Identity::Metadata(path) => format!("metadata {}", path.join(".")),
    }
}

/// A key that is good at this time.
fn sound(config: &Config, at: usize) -> Result<&ClientKey, Error> {
    let Some(key) = config.keys.get(at) else {
        return Err(refusal("the API key is not one of this gateway's"));
    };
    if key.disabled {
        return Err(refusal("the API key is disabled"));
    }
    if key.expires_ms.is_some_and(|end| end <= host::now_ms()) {
        return Err(refusal("the API key has expired"));
    }
    Ok(key)
}

fn refusal(message: &str) -> Error {
    Error::new(Kind::Authentication, message)
}
