//! Anthropic's error object, its words for each status, and the headers around every answer.

use bytes::Bytes;

use super::{Event, Failure, padded, request_id};
use crate::fault::Faults;
use crate::provider::{Headers, Refusal, Stamp, sse};

pub(super) fn refusal_body(refusal: &Refusal, stamp: Stamp) -> Vec<u8> {
    let error = Failure {
        kind: &refusal.kind,
        message: &refusal.message,
    };
    serde_json::to_vec(&Event::Error {
        error,
        request_id: request_id(stamp),
    })
    .unwrap_or_default()
}

pub(super) fn error_event(faults: &Faults, stamp: Stamp) -> Bytes {
    let kind = faults.error.as_deref().unwrap_or("overloaded_error");
    let message = if kind == "overloaded_error" {
        "Overloaded"
    } else {
        "Simulated error"
    };
    let event = Event::Error {
        error: Failure { kind, message },
        request_id: request_id(stamp),
    };
    sse(Some(event.name()), &padded(&event, 3), faults)
}

/// Anthropic's words for an error status.
pub(super) fn fault(status: u16, model: &str) -> Refusal {
    let (kind, message) = match status {
        401 => ("authentication_error", "invalid x-api-key".to_owned()),
        402 => (
            "billing_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.".to_owned(),
        ),
        403 => ("permission_error", "Your API key does not have permission to use the specified resource.".to_owned()),
        404 => ("not_found_error", format!("model: {model}")),
        413 => ("request_too_large", "Request exceeds the maximum size".to_owned()),
        429 => (
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50 requests per minute.".to_owned(),
        ),
        504 => ("timeout_error", "Request timed out".to_owned()),
        503 | 529 => ("overloaded_error", "Overloaded".to_owned()),
        400..500 => ("invalid_request_error", "The request could not be handled.".to_owned()),
        _ => ("api_error", "Internal server error".to_owned()),
    };
    Refusal::new(status, kind, message)
}

pub(super) fn headers(stamp: Stamp) -> Headers {
    vec![
        ("cache-control", "no-cache".to_owned()),
        ("anthropic-ratelimit-requests-limit", "4000".to_owned()),
        ("anthropic-ratelimit-requests-remaining", "3999".to_owned()),
        (
            "anthropic-ratelimit-requests-reset",
            "2026-01-02T03:04:05Z".to_owned(),
        ),
        ("anthropic-ratelimit-input-tokens-limit", "2000000".to_owned()),
        ("anthropic-ratelimit-input-tokens-remaining", "2000000".to_owned()),
        ("anthropic-ratelimit-output-tokens-limit", "400000".to_owned()),
        ("anthropic-ratelimit-output-tokens-remaining", "400000".to_owned()),
        ("request-id", request_id(stamp)),
        (
            "anthropic-organization-id",
            "00000000-0000-4000-8000-0000000000a1".to_owned(),
        ),
        (
            "strict-transport-security",
            "max-age=31536000; includeSubDomains; preload".to_owned(),
        ),
        ("via", "1.1 google".to_owned()),
        ("x-envoy-upstream-service-time", "31".to_owned()),
        ("cf-cache-status", "DYNAMIC".to_owned()),
        ("x-robots-tag", "none".to_owned()),
        (
            "set-cookie",
            "_cfuvid=sim-cookie; HttpOnly; SameSite=None; Secure; Path=/; Domain=api.anthropic.com"
                .to_owned(),
        ),
        ("server", "cloudflare".to_owned()),
        ("cf-ray", format!("{:016x}-SIM", stamp.sequence)),
    ]
}
