//! Anthropic's errors: <https://docs.anthropic.com/en/api/errors>. The same object is the body of a failed response, and
//! the data of an `error` event in a stream that had begun well.

use crate::dialect::shared::error::{self, silent};
use crate::error::{Error, Kind};
use crate::json::{self, Members, Shape, Str};
use serde_json::value::RawValue;

/// What each `error.type` means. A refusal of our key is the operator's business, not the caller's.
static KINDS: &[(&str, Kind)] = &[
    ("api_error", Kind::ProviderUnavailable),
    ("authentication_error", Kind::ProviderAuthentication),
    ("billing_error", Kind::PaymentRequired),
    ("invalid_request_error", Kind::InvalidRequest),
    ("not_found_error", Kind::ProviderNotFound),
    ("overloaded_error", Kind::ProviderOverloaded),
    ("permission_error", Kind::ProviderAuthentication),
    ("rate_limit_error", Kind::RateLimitExceeded),
    ("request_too_large", Kind::PayloadTooLarge),
    ("timeout_error", Kind::Timeout),
];

/// Reads the body of a failed response.
pub(super) fn of_response(status: u16, body: &[u8]) -> Error {
    let fallback = Kind::of_provider_status(status);
    let nothing = || silent(Some(status));
    let body = error::body(body);
    match (body.get("error"), body.text("message")) {
        (Some(detail), _) => of_detail(detail, fallback).unwrap_or_else(nothing),
        (None, Some(message)) if !message.is_empty() => error::told(fallback, &message, None),
        (None, _) => nothing(),
    }
}

/// The error in the body of a failed response, if it is one of Anthropic's.
pub(super) fn said(status: u16, body: &[u8]) -> Option<Error> {
    let detail = error::body(body).get("error")?;
    Members::of(detail).text("type")?;
    of_detail(detail, Kind::of_provider_status(status))
}

/// Reads the `error` member of an event, or of a body with status 200.
pub(super) fn of_event(detail: Option<&RawValue>) -> Error {
    detail
        .and_then(|detail| of_detail(detail, Kind::ProviderUnavailable))
        .unwrap_or_else(|| silent(None))
}

/// `None` when it says nothing.
fn of_detail(detail: &RawValue, fallback: Kind) -> Option<Error> {
    let (code, message) = if json::shape(detail) == Shape::String {
        // Anthropic-compatible servers write `{"error":"…"}`. What cannot be read says nothing.
        (None, serde_json::from_str::<Str<'_>>(detail.get()).ok())
    } else {
        let members = Members::of(detail);
        (members.text("type"), members.text("message"))
    };
    let code = code.as_deref().filter(|code| !code.is_empty());
    let message = message
        .as_deref()
        .filter(|message| !message.is_empty())
        .or(code)?;
    let kind = error::known(KINDS, code).unwrap_or(fallback);
    Some(error::told(kind, message, code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn check(status: u16, body: &str, kind: Kind, message: &str) {
        let error = of_response(status, body.as_bytes());
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
    }

    #[test]
    fn the_type_decides_before_the_status() {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        check(500, body, Kind::ProviderOverloaded, "Overloaded");
        check(
            418,
            r#"{"error":{"type":"new_error","message":"m"}}"#,
            Kind::InvalidRequest,
            "m",
        );
    }

    #[test]
    fn a_refused_key_is_not_the_callers_fault() {
        let body =
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
        check(401, body, Kind::ProviderAuthentication, "invalid x-api-key");
    }

    #[test]
    fn other_servers_shapes_are_understood() {
        check(
            429,
            r#"{"error":"slow down"}"#,
            Kind::RateLimitExceeded,
            "slow down",
        );
        check(
            400,
            r#"{"message":"prompt is too long"}"#,
            Kind::ContextLengthExceeded,
            "prompt is too long",
        );
    }
}
