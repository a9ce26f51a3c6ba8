//! Headers of a request, beside those that name the caller. A header that could mean two things, or none, is refused: left
//! out, it would quietly change who pays, or where a session goes.

use super::headers::Headers;
use super::host::{self, Map};
use crate::dialect::client;
use crate::error::{Error, Kind, quoted};
use crate::headers::{GENERATION_ID, METADATA, OWN_KEYS, OWN_PREFIX, SESSION};

/// Headers that the gateway acts on.
#[derive(Debug)]
pub(super) struct RequestHead<'h> {
    /// The caller's name for the session.
    pub(super) session: Option<&'h str>,
    /// The caller's own keys for providers.
    pub(super) own_keys: Option<&'h str>,
    /// The caller wants to see how the request is routed.
    pub(super) shows_routing: bool,
    /// Length of the body in bytes, if declared.
    pub(super) length: Option<usize>,
}

impl<'h> RequestHead<'h> {
    /// Reads them.
    ///
    /// # Errors
    /// If one of these headers has more than one value, or cannot be read.
    pub(super) fn read(headers: &'h Headers) -> Result<Self, Error> {
        let mut shows_routing = false;
        for name in METADATA {
            let value = headers.only_text(name)?;
            shows_routing |= value.is_some_and(|value| value.eq_ignore_ascii_case("enabled"));
        }
        Ok(Self {
            session: headers.only_text(SESSION)?,
            own_keys: headers.only_text(OWN_KEYS)?,
            shows_routing,
            length: headers.text("content-length").and_then(length),
        })
    }
}

/// A length beyond 4 GiB is one too, though the VM cannot count so far. One that cannot be read refuses nothing here: it
/// is Envoy's to judge, and the body is measured as it comes.
fn length(text: &str) -> Option<usize> {
    let length: u64 = text.parse().ok()?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

/// Removes headers that only the gateway itself may send on.
pub(super) fn drop_internal(headers: &Headers) {
    for (name, _) in headers.iter() {
        let internal = [
            OWN_PREFIX.as_bytes(),
            b"x-envoy-",
            GENERATION_ID.as_bytes(),
            OWN_KEYS.as_bytes(),
        ];
        if internal.iter().any(|prefix| name.starts_with(prefix))
            && let Ok(name) = std::str::from_utf8(name)
        {
            host::remove_header(Map::Request, name);
        }
    }
}

/// The error of a path that is not served.
pub(super) fn not_served(method: &str, path: &str) -> Error {
    let known: Vec<_> = client::PATHS
        .iter()
        .map(|(path, _)| format!("POST {path}"))
        .collect();
    let method: String = method
        .chars()
        .filter(char::is_ascii_alphabetic)
        .take(16)
        .collect();
    Error::new(
        Kind::NotFound,
        format!(
            "{method} {} is not served here; try {} or GET /v1/models",
            quoted(path),
            known.join(", ")
        ),
    )
}
