//! What went wrong, seen three ways: what the caller reads, what routing does next, and whose health it counts against.
//!
//! One table ([`Kind::facts`]) holds all three, so that no two places can disagree about an error. This file never
//! carries a prompt, a completion or a secret: a provider's own message is cut and passed on only as a message.

use serde::Serialize;
use std::fmt::{self, Write as _};

/// The longest provider message that is passed on to a caller, in bytes.
pub const MAX_MESSAGE: usize = 2_000;
/// How long a caller is asked to wait for room in the gateway's memory, in milliseconds.
const RETRY_FULL_MS: u64 = 5_000;

/// What kind of failure it was, in the words of OpenRouter's `error_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is malformed, or an endpoint's dialect cannot carry it.
    InvalidRequest,
    /// The prompt does not fit into the model's context.
    ContextLengthExceeded,
    /// The provider's policy refused the prompt.
    ContentPolicyViolation,
    /// The caller's key is missing or wrong.
    Authentication,
    /// The provider refused our credential (never the caller's fault).
    ProviderAuthentication,
    /// Credit or budget is used up, at the provider.
    PaymentRequired,
    /// The caller may not do this.
    PermissionDenied,
    /// No such path or model here.
    NotFound,
    /// The provider does not know the model or path that we asked for.
    ProviderNotFound,
    /// The request is larger than the configured cap, or than the provider's.
    PayloadTooLarge,
    /// The provider understood the request and cannot process it.
    Unprocessable,
    /// Too many requests, says the provider.
    RateLimitExceeded,
    /// The gateway holds as much as it may. It is no fault of the caller's, but a status of the server's makes clients
    /// repeat at once, up to thirty times.
    GatewayFull,
    /// Our own fault.
    Server,
    /// No connection, a reset, garbage, or a 5xx of the provider.
    ProviderUnavailable,
    /// A complete answer without a token.
    EmptyResponse,
    /// An answer that is more than the gateway takes: longer than `limits.response_body`, or of too many choices.
    ResponseTooLong,
    /// The provider says that it is overloaded.
    ProviderOverloaded,
    /// No first token, or no further one, within the deadline.
    Timeout,
}

/// What routing does after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next candidate may succeed.
    TryNext,
    /// One further candidate may succeed. An exchange that fails like this again has got what its request asks for, and
    /// each such answer is paid for.
    TryOnce,
    /// The other endpoints of the model would answer the same; another model of the request may succeed.
    TryNextModel,
    /// The caller gets the error now.
    Return,
}

/// Whose fault a failure was, for the endpoint's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Counts against the endpoint.
    Endpoint,
    /// The endpoint's or the request's: counts against the endpoint once requests of several callers met it.
    Unclear,
    /// The endpoint asks for fewer requests; it is not down.
    RateLimit,
    /// Not the endpoint's.
    Nobody,
}

/// Everything that follows from a [`Kind`].
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The `metadata.error_type` of the error body.
    pub error_type: &'static str,
    /// The HTTP status before the first token, and `error.code` always.
    pub status: u16,
    /// OpenAI's own, coarser `error.type`, which its SDKs show.
    pub openai_type: &'static str,
    /// What routing does.
    pub next: Next,
    /// What health records.
    pub fault: Fault,
}

impl Kind {
    /// The row of this kind in the one table of consequences.
    ///
    /// What a provider says of the request is said of the request to this model: "any error can trigger the use of a
    /// fallback model" (<https://openrouter.ai/docs/guides/routing/model-fallbacks>). What we say of it holds for all.
    pub const fn facts(self) -> Facts {
        use Fault::{Endpoint, Nobody, RateLimit, Unclear};
        use Next::{Return, TryNext, TryNextModel, TryOnce};
        const fn row(
            error_type: &'static str,
            status: u16,
            openai_type: &'static str,
            next: Next,
            fault: Fault,
        ) -> Facts {
            Facts {
                error_type,
                status,
                openai_type,
                next,
                fault,
            }
        }
        const CALLER: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        match self {
            Self::InvalidRequest => row("invalid_request", 400, CALLER, TryNextModel, Nobody),
            Self::ContextLengthExceeded => row("context_length_exceeded", 400, CALLER, TryNextModel, Nobody),
            Self::ContentPolicyViolation => {
                row("content_policy_violation", 400, CALLER, TryNextModel, Nobody)
            }
            Self::Authentication => row("authentication", 401, "authentication_error", Return, Nobody),
            Self::ProviderAuthentication => row("provider_unavailable", 502, SERVER, TryNext, Endpoint),
            Self::PaymentRequired => row("payment_required", 402, "insufficient_quota", TryNext, Endpoint),
            Self::PermissionDenied => row("permission_denied", 403, "permission_error", Return, Nobody),
            Self::NotFound => row("not_found", 404, CALLER, Return, Nobody),
            Self::ProviderNotFound => row("provider_unavailable", 502, SERVER, TryNext, Endpoint),
            Self::PayloadTooLarge => row("payload_too_large", 413, CALLER, TryNextModel, Nobody),
            Self::Unprocessable => row("unprocessable", 422, CALLER, TryNextModel, Nobody),
            Self::RateLimitExceeded => {
                row("rate_limit_exceeded", 429, "rate_limit_error", TryNext, RateLimit)
            }
            Self::GatewayFull => row("gateway_full", 429, "rate_limit_error", TryNext, Nobody),
            Self::Server => row("server", 500, SERVER, Return, Nobody),
            Self::ProviderUnavailable => row("provider_unavailable", 502, SERVER, TryNext, Endpoint),
            Self::EmptyResponse | Self::ResponseTooLong => {
                row("provider_unavailable", 502, SERVER, TryOnce, Unclear)
            }
            Self::ProviderOverloaded => row("provider_overloaded", 503, SERVER, TryNext, Endpoint),
            Self::Timeout => row("timeout", 504, SERVER, TryNext, Endpoint),
        }
    }

    /// The kind that a provider's HTTP status means, when its body says nothing more exact.
    pub const fn of_provider_status(status: u16) -> Self {
        match status {
            401 => Self::ProviderAuthentication,
            402 => Self::PaymentRequired,
            403 => Self::ProviderAuthentication,
            404 => Self::ProviderNotFound,
            408 | 504 | 524 => Self::Timeout,
            413 => Self::PayloadTooLarge,
            422 => Self::Unprocessable,
            429 => Self::RateLimitExceeded,
            503 | 529 => Self::ProviderOverloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::ProviderUnavailable,
        }
    }
}

/// A failure, before it is written in a caller's dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What kind it is; status, retry and health follow from it.
    pub kind: Kind,
    /// What was wrong, where, and what to do.
    pub message: String,
    /// The provider that failed, where one did.
    pub provider: Option<String>,
    /// The provider's own code for it (`overloaded_error`, `throttlingException`, `insufficient_quota` …).
    pub provider_code: Option<String>,
    /// How long the provider asks to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Why nobody may serve the request, where that is what is wrong.
    pub availability: Option<Box<Availability>>,
    /// How the request was routed, as JSON, for a caller who wants to see it.
    pub metadata: Option<Box<Routed>>,
    /// The limit of ours that the caller has reached.
    pub rate_limit: Option<Box<RateLimit>>,
}

/// How a request was routed, as JSON; in a box, as errors are passed around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed(pub Box<str>);

impl Error {
    /// This, said by the dialect `name` and not by `dialect`, whose code it has in common.
    #[must_use]
    pub fn named(mut self, dialect: &str, name: &str) -> Self {
        self.message = self
            .message
            .replacen(&format!(": {dialect} "), &format!(": {name} "), 1);
        self
    }

    /// An error of `kind`, in our own words.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            provider: None,
            provider_code: None,
            retry_after_ms: None,
            availability: None,
            metadata: None,
            rate_limit: None,
        }
    }

    /// A malformed request: [`Kind::InvalidRequest`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, message)
    }

    /// There is no room for `what`: [`Kind::GatewayFull`].
    pub fn gateway_full(what: &str) -> Self {
        let message = format!("the gateway's memory has no room for {what}; send the request again later");
        Self {
            retry_after_ms: Some(RETRY_FULL_MS),
            ..Self::new(Kind::GatewayFull, message)
        }
    }

    /// What a provider said, its message cut to [`MAX_MESSAGE`].
    pub fn of_provider(kind: Kind, message: &str, code: Option<&str>) -> Self {
        let mut error = Self::new(kind, cut(message, MAX_MESSAGE));
        error.provider_code = code.map(|code| cut(code, 80).to_owned());
        error
    }

    /// The HTTP status that a caller sees before the first token.
    pub const fn status(&self) -> u16 {
        self.kind.facts().status
    }
}

/// A limit of a client's key, as `X-RateLimit-…` tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When it begins anew, in milliseconds since 1970.
    pub resets_ms: u64,
}

impl RateLimit {
    /// The headers, spelled as OpenRouter spells them; it repeats them in the error's metadata.
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [
            ("X-RateLimit-Limit", self.limit.to_string()),
            ("X-RateLimit-Remaining", self.remaining.to_string()),
            ("X-RateLimit-Reset", self.resets_ms.to_string()),
        ]
    }
}

/// Why nobody may serve a request, as OpenRouter's `error.availability` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// OpenRouter's word for it all.
    pub code: &'static str,
    /// The models that were asked for.
    pub requested_models: Vec<String>,
    /// Every endpoint of these models, with what excludes it.
    pub endpoints: Vec<Excluded>,
}

/// An endpoint that a constraint excludes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// The provider.
    pub provider: String,
    /// The provider's name for the model.
    pub model: String,
    /// The member that excludes it.
    pub field: String,
    /// Whose that member is, where it is not the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
    /// OpenRouter's word for that.
    pub excluded_by: &'static str,
    /// What it is about the endpoint.
    pub detail: String,
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            provider,
            model,
            field,
            set_by,
            detail,
            ..
        } = self;
        write!(f, "{provider} ({model}) {detail} [{field}")?;
        match set_by {
            Some(whose) => write!(f, " of {whose}]"),
            None => f.write_str("]"),
        }
    }
}

/// One earlier failure of the same exchange, as `metadata.previous_errors` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct PreviousError {
    /// The provider that failed.
    pub provider: String,
    /// The `error_type` of the failure.
    pub code: &'static str,
    /// The HTTP status that the failure stands for.
    pub status: u16,
}

/// At most `max` bytes of `text`, cut at a character boundary.
pub fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// `text` in double quotes, cut at 80 bytes, for use in a message.
pub fn quoted(text: &str) -> String {
    let short = cut(text, 80);
    let mut out = String::with_capacity(short.len() + 6);
    // Writing to a String cannot fail.
    let _ = write!(out, "{short:?}");
    if short.len() < text.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_callers_own_fault_is_shown_to_another_model_at_most_and_never_held_against_an_endpoint() {
        for status in [400, 413, 422] {
            let facts = Kind::of_provider_status(status).facts();
            assert_eq!(
                (facts.next, facts.fault, facts.status),
                (Next::TryNextModel, Fault::Nobody, status)
            );
        }
    }

    #[test]
    fn a_providers_failure_moves_on_and_counts_against_it() {
        for status in [401, 402, 403, 404, 408, 500, 502, 503, 504, 520, 529, 599] {
            let facts = Kind::of_provider_status(status).facts();
            assert_eq!(
                (facts.next, facts.fault),
                (Next::TryNext, Fault::Endpoint),
                "{status}"
            );
        }
    }

    #[test]
    fn a_rate_limit_moves_on_but_is_no_outage() {
        let facts = Kind::of_provider_status(429).facts();
        assert_eq!((facts.next, facts.fault), (Next::TryNext, Fault::RateLimit));
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        assert_eq!(quoted(&"é".repeat(60)).len(), 2 + 80 + "…".len());
        assert_eq!(cut("é", 1), "");
    }
}
