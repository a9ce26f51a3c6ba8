//! What the headers of a request ask for, beside who calls. A header that could mean two things, or none, is refused:
//! left out, it would quietly change who pays, or where a session goes.

use super::host::Headers;
use crate::error::Error;
use crate::exchange::OWN_KEYS_HEADER;

/// The header that names the session of a request, as OpenRouter calls it.
const SESSION_HEADER: &str = "x-session-id";
/// The headers by which a caller asks to see how the request is routed: ours, OpenRouter's, and its former name.
const METADATA_HEADERS: [&str; 3] = [
    "x-crosspoint-metadata",
    "x-openrouter-metadata",
    "x-openrouter-experimental-metadata",
];

/// What the headers of a request ask for.
#[derive(Debug)]
pub(super) struct Asked<'h> {
    /// The caller's name for the session.
    pub(super) session: Option<&'h str>,
    /// The caller's own keys for providers.
    pub(super) own_keys: Option<&'h str>,
    /// The caller wants to see how the request is routed.
    pub(super) shows_routing: bool,
    /// How long the body is, in bytes, as far as can be told beforehand.
    pub(super) length: Option<usize>,
}

impl<'h> Asked<'h> {
    /// Reads what the gateway acts on.
    ///
    /// # Errors
    /// When one of these headers stands there more than once, or cannot be read.
    pub(super) fn read(headers: &'h Headers) -> Result<Self, Error> {
        let mut shows_routing = false;
        for name in METADATA_HEADERS {
            let value = headers.only_text(name)?;
            shows_routing |= value.is_some_and(|value| value.eq_ignore_ascii_case("enabled"));
        }
        Ok(Self {
            session: headers.only_text(SESSION_HEADER)?,
            own_keys: headers.only_text(OWN_KEYS_HEADER)?,
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
