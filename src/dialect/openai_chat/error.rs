//! What an OpenAI-compatible provider says when it fails: in a body of its own, or in band.

use crate::dialect::words::{refine, silent};
use crate::error::{Error, Kind};
use crate::json::{self, Shape, Str};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Default, Deserialize)]
struct WireError<'a> {
    #[serde(borrow)]
    message: Option<Str<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Str<'a>>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
}

/// The error of a response whose status is not 200.
pub(super) fn of_body(status: u16, body: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        message: Option<Str<'a>>,
    }
    let fallback = || silent(Some(status));
    let Ok(Body { error, message }) = serde_json::from_slice::<Body<'_>>(body) else {
        return fallback();
    };
    match json::present(error) {
        Some(raw) => read_error(raw, Some(status)),
        None if message.is_some_and(|message| !message.is_empty()) => flat(body, Some(status)),
        None => fallback(),
    }
}

/// An error that is the whole body or chunk, as vLLM's and Mistral's are.
pub(super) fn flat(body: &[u8], status: Option<u16>) -> Error {
    // What cannot be read says nothing.
    of_wire(&serde_json::from_slice(body).unwrap_or_default(), status)
}

/// The error inside a response that had status 200.
pub(super) fn in_band(raw: &RawValue) -> Error {
    read_error(raw, None)
}

fn read_error(raw: &RawValue, status: Option<u16>) -> Error {
    // What cannot be read says nothing.
    let wire = match json::shape(raw) {
        Shape::String => WireError {
            message: serde_json::from_str(raw.get()).ok(),
            ..Default::default()
        },
        _ => serde_json::from_str(raw.get()).unwrap_or_default(),
    };
    of_wire(&wire, status)
}

fn of_wire(wire: &WireError<'_>, status: Option<u16>) -> Error {
    let code = json::present(wire.code).map(|code| code.get().trim_matches('"'));
    let numeric = code
        .and_then(|code| code.parse::<u16>().ok())
        .filter(|code| (400..600).contains(code));
    let kind_name = wire.kind.as_deref().unwrap_or("");
    let named = match (code.unwrap_or(""), kind_name) {
        ("context_length_exceeded" | "string_above_max_length", _) => Some(Kind::ContextLengthExceeded),
        ("content_filter" | "content_policy_violation", _) => Some(Kind::ContentPolicyViolation),
        ("insufficient_quota", _) | (_, "insufficient_quota") => Some(Kind::PaymentRequired),
        ("rate_limit_exceeded", _) | (_, "rate_limit_error" | "rate_limit_exceeded") => {
            Some(Kind::RateLimitExceeded)
        }
        ("invalid_api_key", _) => Some(Kind::ProviderAuthentication),
        (_, "overloaded_error" | "service_unavailable") => Some(Kind::ProviderOverloaded),
        (_, "invalid_request_error") if status.is_none() => Some(Kind::InvalidRequest),
        _ => None,
    };
    let by_status = status
        .or(numeric)
        .map_or(Kind::ProviderUnavailable, Kind::of_provider_status);
    let code = code.or(Some(kind_name).filter(|name| !name.is_empty()));
    let kind = named.unwrap_or(by_status);
    let said = wire.message.as_deref().filter(|message| !message.is_empty());
    match said {
        Some(message) => Error::of_provider(refine(kind, message), message, code),
        None => Error::of_provider(kind, &silent(status).message, code),
    }
}
