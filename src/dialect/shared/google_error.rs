//! Google's errors: <https://ai.google.dev/gemini-api/docs/troubleshooting>. The same object is the body of a failed
//! response, and the data of an event in a stream that had begun well.

use super::error::{self, silent};
use crate::error::{Error, Kind};
use crate::json::{self, Members};
use serde_json::value::RawValue;

/// What each `error.status` means. A refusal of our key is the operator's business, not the caller's.
static KINDS: &[(&str, Kind)] = &[
    ("ABORTED", Kind::ProviderUnavailable),
    ("CANCELLED", Kind::ProviderUnavailable),
    ("DATA_LOSS", Kind::ProviderUnavailable),
    ("DEADLINE_EXCEEDED", Kind::Timeout),
    // Google's word for a country or an account that it does not serve: another provider may.
    ("FAILED_PRECONDITION", Kind::ProviderUnavailable),
    ("INTERNAL", Kind::ProviderUnavailable),
    ("INVALID_ARGUMENT", Kind::InvalidRequest),
    ("NOT_FOUND", Kind::ProviderNotFound),
    ("OUT_OF_RANGE", Kind::InvalidRequest),
    ("PERMISSION_DENIED", Kind::ProviderAuthentication),
    ("RESOURCE_EXHAUSTED", Kind::RateLimitExceeded),
    ("UNAUTHENTICATED", Kind::ProviderAuthentication),
    ("UNAVAILABLE", Kind::ProviderOverloaded),
    ("UNIMPLEMENTED", Kind::ProviderNotFound),
    ("UNKNOWN", Kind::ProviderUnavailable),
];

/// Reads the body of a failed response, which may be anything: a proxy in between answers in HTML.
pub(in crate::dialect) fn of_response(status: u16, body: &[u8]) -> Error {
    let fallback = Kind::of_provider_status(status);
    // A stream that was not asked for as events fails with an array of one error.
    let read = serde_json::from_slice::<&RawValue>(body)
        .ok()
        .map(|raw| json::items(raw.get()).next().unwrap_or(raw));
    read.and_then(|raw| Members::of(raw).get("error"))
        .and_then(|detail| of_detail(detail, fallback))
        .unwrap_or_else(|| silent(Some(status)))
}

/// Reads the `error` member of an event, or of a body with status 200.
pub(in crate::dialect) fn of_event(detail: &RawValue) -> Error {
    of_detail(detail, Kind::ProviderUnavailable).unwrap_or_else(|| silent(None))
}

/// `None` when it says nothing.
fn of_detail(detail: &RawValue, fallback: Kind) -> Option<Error> {
    let members = Members::of(detail);
    let code = members.text("status").filter(|code| !code.is_empty());
    let code = code.as_deref();
    let message = members.text("message").filter(|message| !message.is_empty());
    let message = message.as_deref().or(code)?;
    let by_number = || {
        let number = members.count("code").and_then(|code| u16::try_from(code).ok());
        number
            .filter(|code| *code >= 400)
            .map_or(fallback, Kind::of_provider_status)
    };
    let kind = error::known(KINDS, code).unwrap_or_else(by_number);
    let mut error = error::told(kind, message, code);
    error.retry_after_ms = members
        .objects("details")
        .find_map(|detail| retry_ms(&Members::of(detail).text("retryDelay")?));
    Some(error)
}

/// `34.4s` in milliseconds: protobuf's way to write a duration.
fn retry_ms(delay: &str) -> Option<u64> {
    let (seconds, fraction) = match delay.strip_suffix('s')?.split_once('.') {
        Some((seconds, fraction)) => (seconds, fraction),
        None => (delay.strip_suffix('s')?, ""),
    };
    // What is no number says nothing.
    let seconds: u64 = seconds.parse().ok()?;
    let thousandths = fraction.bytes().chain(*b"000").take(3).fold(0_u64, |sum, digit| {
        sum * 10 + u64::from(digit.saturating_sub(b'0').min(9))
    });
    Some(seconds.saturating_mul(1_000).saturating_add(thousandths))
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
    fn the_name_of_the_status_decides_before_the_number() {
        let body = r#"{"error":{"code":500,"message":"m","status":"RESOURCE_EXHAUSTED"}}"#;
        check(500, body, Kind::RateLimitExceeded, "m");
        check(
            200,
            r#"{"error":{"code":503,"message":"m"}}"#,
            Kind::ProviderOverloaded,
            "m",
        );
        check(
            418,
            r#"{"error":{"message":"m","status":"NEW"}}"#,
            Kind::InvalidRequest,
            "m",
        );
    }

    #[test]
    fn a_refused_key_is_not_the_callers_fault() {
        let body = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#;
        let message = "API key not valid. Please pass a valid API key.";
        check(400, body, Kind::ProviderAuthentication, message);
    }

    #[test]
    fn an_array_of_errors_is_read() {
        let body = r#"[{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}]"#;
        check(404, body, Kind::ProviderNotFound, "no such model");
    }

    #[test]
    fn how_long_to_wait_is_read() {
        let body = r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"violations":[]},{"retryDelay":"34.4s"}]}}"#;
        assert_eq!(of_response(429, body.as_bytes()).retry_after_ms, Some(34_400));
        assert_eq!(retry_ms("7s"), Some(7_000));
        assert_eq!(retry_ms("0.847655010s"), Some(847));
        assert_eq!(retry_ms("soon"), None);
    }
}
