//! OpenAI's error object, its words for each status, and the headers around every answer.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::fault::Faults;
use crate::provider::{Headers, Refusal, Stamp, sse};
use crate::seed::letters;

#[derive(Serialize)]
struct Failure<'a> {
    error: FailureBody<'a>,
}

#[derive(Serialize)]
struct FailureBody<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

impl<'a> Failure<'a> {
    fn of(refusal: &'a Refusal) -> Failure<'a> {
        Failure {
            error: FailureBody {
                message: &refusal.message,
                kind: &refusal.kind,
                param: refusal.param.as_deref(),
                code: refusal.code.as_deref(),
            },
        }
    }
}

pub(crate) fn failure(refusal: &Refusal) -> Value {
    serde_json::to_value(Failure::of(refusal)).unwrap_or_default()
}

pub(super) fn error_event(failure: fn(&Refusal) -> Value, faults: &Faults) -> Bytes {
    let refusal = fault(500, "");
    let refusal = match &faults.error {
        Some(kind) => Refusal {
            kind: kind.clone(),
            ..refusal
        },
        None => refusal,
    };
    sse(None, &failure(&refusal).to_string(), faults)
}

/// OpenAI's words for an error status.
pub(crate) fn fault(status: u16, model: &str) -> Refusal {
    let (kind, code, message) = match status {
        401 => (
            "invalid_request_error",
            Some("invalid_api_key"),
            "Incorrect API key provided: sim-****. You can find your API key at https://platform.openai.com/account/api-keys.".to_owned(),
        ),
        402 | 403 => (
            "insufficient_quota",
            Some("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details.".to_owned(),
        ),
        404 => (
            "invalid_request_error",
            Some("model_not_found"),
            format!("The model `{model}` does not exist or you do not have access to it."),
        ),
        413 => ("invalid_request_error", None, "Request body is too large.".to_owned()),
        429 => (
            "requests",
            Some("rate_limit_exceeded"),
            format!("Rate limit reached for {model} in organization org-sim on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms."),
        ),
        503 => (
            "service_unavailable_error",
            None,
            "The engine is currently overloaded, please try again later".to_owned(),
        ),
        400..500 => ("invalid_request_error", None, "The request could not be handled.".to_owned()),
        _ => (
            "server_error",
            None,
            "The server had an error while processing your request. Sorry about that!".to_owned(),
        ),
    };
    let refusal = Refusal::new(status, kind, message);
    match code {
        Some(code) => refusal.code(code),
        None => refusal,
    }
}

pub(crate) fn headers(stamp: Stamp) -> Headers {
    let request = letters(stamp.sequence ^ 0x0a1, 32).to_lowercase();
    vec![
        ("access-control-expose-headers", "X-Request-ID".to_owned()),
        ("openai-organization", "sim-organization".to_owned()),
        ("openai-processing-ms", "12".to_owned()),
        ("openai-project", "proj_sim".to_owned()),
        ("openai-version", "2020-10-01".to_owned()),
        ("x-request-id", format!("req_{request}")),
        ("x-ratelimit-limit-requests", "10000".to_owned()),
        ("x-ratelimit-limit-tokens", "2000000".to_owned()),
        ("x-ratelimit-remaining-requests", "9999".to_owned()),
        ("x-ratelimit-remaining-tokens", "1999980".to_owned()),
        ("x-ratelimit-reset-requests", "6ms".to_owned()),
        ("x-ratelimit-reset-tokens", "0s".to_owned()),
        (
            "strict-transport-security",
            "max-age=31536000; includeSubDomains; preload".to_owned(),
        ),
        ("x-content-type-options", "nosniff".to_owned()),
        ("cf-cache-status", "DYNAMIC".to_owned()),
        (
            "set-cookie",
            "__cf_bm=sim-cookie; path=/; HttpOnly; Secure; SameSite=None".to_owned(),
        ),
        ("server", "cloudflare".to_owned()),
        ("cf-ray", format!("{:016x}-SIM", stamp.sequence)),
        ("alt-svc", "h3=\":443\"; ma=86400".to_owned()),
    ]
}
