//! Errors of the Responses API. The body of a failed request is that of `openai-chat`; codes of its own come in events
//! and in responses that failed: openai/openai-python `types/responses/response_error.py`.

use crate::dialect::shared::error::known;
use crate::dialect::shared::openai_error::{in_band, of_body};
use crate::error::{Error, Kind};
use crate::json::Members;
use serde_json::value::RawValue;

/// What each code means, beyond those that chats have too.
static KINDS: &[(&str, Kind)] = &[
    ("bio_policy", Kind::ContentPolicyViolation),
    ("cyber_policy", Kind::ContentPolicyViolation),
    // The account's data may not be handled at this address: another provider may.
    ("data_residency_mismatch", Kind::ProviderAuthentication),
    ("empty_image_file", Kind::InvalidRequest),
    ("failed_to_download_image", Kind::InvalidRequest),
    ("image_content_policy_violation", Kind::ContentPolicyViolation),
    ("image_file_not_found", Kind::InvalidRequest),
    ("image_file_too_large", Kind::InvalidRequest),
    ("image_parse_error", Kind::InvalidRequest),
    ("image_too_large", Kind::InvalidRequest),
    ("image_too_small", Kind::InvalidRequest),
    ("invalid_base64_image", Kind::InvalidRequest),
    ("invalid_image", Kind::InvalidRequest),
    ("invalid_image_format", Kind::InvalidRequest),
    ("invalid_image_mode", Kind::InvalidRequest),
    ("invalid_image_url", Kind::InvalidRequest),
    // The prompt was flagged: https://platform.openai.com/docs/guides/safety-checks.
    ("invalid_prompt", Kind::ContentPolicyViolation),
    ("misalignment_policy_violation", Kind::ContentPolicyViolation),
    // openai/codex `codex-rs/codex-api/src/sse/responses.rs`
    ("server_is_overloaded", Kind::ProviderOverloaded),
    ("slow_down", Kind::ProviderOverloaded),
    ("unsupported_image_media_type", Kind::InvalidRequest),
    ("vector_store_timeout", Kind::Timeout),
];

/// Reads the body of a failed request.
pub(super) fn of_response(status: u16, body: &[u8]) -> Error {
    refined(of_body(status, body))
}

/// Reads an `error` event. Its members stand in it, as documented, or under `error`, as OpenAI sends them: vercel/ai
/// `packages/openai/src/responses/__fixtures__/openai-error.1.chunks.txt`.
pub(super) fn of_event(event: &RawValue) -> Error {
    let mut error = refined(in_band(Members::of(event).get("error").unwrap_or(event)));
    // The type of the event is no code.
    error.provider_code = error.provider_code.filter(|code| code != "error");
    error
}

/// Reads the `error` member of a response.
pub(super) fn of_detail(detail: &RawValue) -> Error {
    refined(in_band(detail))
}

fn refined(mut error: Error) -> Error {
    error.kind = known(KINDS, error.provider_code.as_deref()).unwrap_or(error.kind);
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn check(event: &str, kind: Kind, message: &str, code: Option<&str>) {
        let error = of_event(serde_json::from_str(event).unwrap());
        let found = (error.kind, error.message.as_str(), error.provider_code.as_deref());
        assert_eq!(found, (kind, message, code), "{event}");
    }

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(KINDS.is_sorted_by(|(one, _), (other, _)| one < other));
    }

    #[test]
    fn both_forms_of_an_event_are_read() {
        check(
            r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null,"sequence_number":1}"#,
            Kind::RateLimitExceeded,
            "m",
            Some("rate_limit_exceeded"),
        );
        check(
            r#"{"type":"error","error":{"type":"server_error","code":null,"message":"m"}}"#,
            Kind::ProviderUnavailable,
            "m",
            Some("server_error"),
        );
        check(
            r#"{"type":"error","code":null,"message":"m"}"#,
            Kind::ProviderUnavailable,
            "m",
            None,
        );
        let silent = "the provider reports an error without saying which";
        check(r#"{"type":"error"}"#, Kind::ProviderUnavailable, silent, None);
    }

    #[test]
    fn codes_of_its_own_are_known() {
        let body = br#"{"error":{"message":"m","type":"invalid_request_error","code":"invalid_prompt"}}"#;
        assert_eq!(of_response(400, body).kind, Kind::ContentPolicyViolation);
        let detail = r#"{"code":"vector_store_timeout","message":"m"}"#;
        let detail = serde_json::from_str(detail).unwrap();
        assert_eq!(of_detail(detail).kind, Kind::Timeout);
    }
}
