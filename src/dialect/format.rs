//! The provider side of a wire format, as data: what formats do in another way is a function or a value of their row.

use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::dialect::gaps::Gaps;
use crate::dialect::quirks::Quirks;
use crate::error::Error;
use crate::wire::{Frame, Framing};
use std::fmt::{self, Debug};

/// The provider side of a wire format.
pub struct Dialect {
    /// See [`Dialect::name`].
    pub(super) name: &'static str,
    /// See [`Dialect::gaps`].
    pub(super) gaps: &'static Gaps,
    /// Writes a request that asks for nothing that the gaps refuse.
    pub(super) encode: fn(&Request, &Target<'_>) -> Result<Encoded, Error>,
    /// Finds what `encode` would refuse, without writing a long body where that can be done.
    pub(super) check: fn(&Request, &Target<'_>) -> Result<(), Error>,
    /// See [`Dialect::limit`].
    pub(super) limit: fn(&Request, &Target<'_>) -> Result<Option<u64>, Error>,
    /// See [`Dialect::searches`].
    pub(super) searches: fn(&Target<'_>) -> bool,
    /// See [`Dialect::framing`].
    pub(super) framing: Framing,
    /// See [`Dialect::decoder`].
    pub(super) decoder: fn(Fidelity) -> Box<dyn Decoder>,
    /// See [`Dialect::decode_buffered`].
    pub(super) decode_buffered: fn(&str, Fidelity, &mut Vec<Delta>),
    /// See [`Dialect::error`].
    pub(super) error: fn(u16, &[u8]) -> Error,
    /// See [`Dialect::usage`].
    pub(super) usage: UsageConvention,
}

/// How most formats count: what is cached and what is thought is in the totals.
pub(super) const TOTALS: UsageConvention = UsageConvention {
    cache: CacheTokens::Included,
    reasoning: ReasoningTokens::Included,
};

/// The limit of a format that sends the caller's own.
pub(super) fn callers_limit(request: &Request, _target: &Target<'_>) -> Result<Option<u64>, Error> {
    request.max_tokens()
}

/// For a format that searches the web wherever it is asked to.
pub(super) const fn always(_target: &Target<'_>) -> bool {
    true
}

impl Dialect {
    /// Its name in configuration, logs and fixtures.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it does not carry of the unified form of chats; nothing where it serves another operation.
    pub const fn gaps(&self) -> &'static Gaps {
        self.gaps
    }

    /// Writes `request` for `target`.
    ///
    /// # Errors
    /// When the request is malformed, or holds something that this dialect cannot carry.
    pub fn encode(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
        self.gaps.refuse(self.name, request)?;
        (self.encode)(request, target)
    }

    /// Finds what is wrong with `request` for `target`.
    ///
    /// # Errors
    /// Those of [`Dialect::encode`].
    pub fn check(&self, request: &Request, target: &Target<'_>) -> Result<(), Error> {
        self.gaps.refuse(self.name, request)?;
        (self.check)(request, target)
    }

    /// The limit on the tokens of one completion that [`Dialect::encode`] writes, or one above it; `None` where it writes
    /// none.
    ///
    /// # Errors
    /// When the request is malformed.
    pub fn limit(&self, request: &Request, target: &Target<'_>) -> Result<Option<u64>, Error> {
        (self.limit)(request, target)
    }

    /// Whether `web_search_options` make the provider search the web, where they go out at all.
    pub fn searches(&self, target: &Target<'_>) -> bool {
        (self.searches)(target)
    }

    /// The framing of a streamed response.
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// Reads a streamed response. `fidelity` says whether members that the unified form does not name are wanted.
    pub fn decoder(&self, fidelity: Fidelity) -> Box<dyn Decoder> {
        (self.decoder)(fidelity)
    }

    /// Reads a buffered response with status 200.
    pub fn decode_buffered(&self, body: &str, fidelity: Fidelity, out: &mut Vec<Delta>) {
        (self.decode_buffered)(body, fidelity, out);
    }

    /// Reads the body of a response with any other status.
    pub fn error(&self, status: u16, body: &[u8]) -> Error {
        (self.error)(status, body)
    }

    /// How this dialect counts tokens.
    pub const fn usage(&self) -> UsageConvention {
        self.usage
    }
}

impl Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialect").field(&self.name).finish()
    }
}

/// Reads the frames of one streamed response.
pub trait Decoder: Debug {
    /// Takes one frame and pushes the steps that it means. A frame that cannot be read becomes a [`Delta::Error`].
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>);

    /// Whether the response has said that nothing more comes: it is complete, whatever becomes of the connection.
    fn is_done(&self) -> bool {
        false
    }

    /// The response has ended. A response that did not come to its end becomes a [`Delta::Error`].
    fn finish(&mut self, out: &mut Vec<Delta>);
}

/// How much of a response is wanted as deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// All: the client's bytes are made from the deltas.
    Full,
    /// What counting and deciding need: the client gets the provider's own frames.
    Metering,
}

/// Where a request goes, as far as a dialect must know.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The provider's name for the model.
    pub model: &'a str,
    /// Whether a stream is wanted.
    pub stream: bool,
    /// What to ask for where a dialect needs a limit on completion tokens and the caller gave none.
    pub default_max_tokens: u64,
    /// How the provider deviates from the dialect.
    pub quirks: &'static Quirks,
}

/// A request in a provider's wire format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The path, to be appended to that of the provider's base URL; begins with `/`.
    pub path: String,
    /// Headers that the dialect itself needs, beyond `content-type` (always `application/json`) and credentials.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}
