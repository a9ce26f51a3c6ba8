//! Bedrock's errors. The same words name an exception in a stream and, in other places, the failure of a request:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_Errors>.

use super::error::{self, silent};
use crate::error::{Error, Kind};
use crate::json::Members;

/// What each exception means. AWS writes them with a small or a capital first letter, and sometimes with a namespace
/// before a `#`. A refusal of our credential is the operator's business, not the caller's.
static KINDS: &[(&str, Kind)] = &[
    ("AccessDeniedException", Kind::ProviderAuthentication),
    ("ExpiredTokenException", Kind::ProviderAuthentication),
    ("IncompleteSignatureException", Kind::ProviderAuthentication),
    ("InternalServerException", Kind::ProviderUnavailable),
    ("InvalidSignatureException", Kind::ProviderAuthentication),
    (
        "MissingAuthenticationTokenException",
        Kind::ProviderAuthentication,
    ),
    ("ModelErrorException", Kind::ProviderUnavailable),
    ("ModelNotReadyException", Kind::ProviderOverloaded),
    ("ModelStreamErrorException", Kind::ProviderUnavailable),
    ("ModelTimeoutException", Kind::Timeout),
    ("ResourceNotFoundException", Kind::ProviderNotFound),
    ("ServiceQuotaExceededException", Kind::RateLimitExceeded),
    ("ServiceUnavailableException", Kind::ProviderOverloaded),
    ("ThrottlingException", Kind::RateLimitExceeded),
    ("UnknownOperationException", Kind::ProviderNotFound),
    ("UnrecognizedClientException", Kind::ProviderAuthentication),
    ("ValidationException", Kind::InvalidRequest),
];

/// Reads the body of a failed response.
pub(in crate::dialect) fn of_response(status: u16, body: &[u8]) -> Error {
    read(body, "", silent(Some(status)))
}

/// Reads an exception in a stream, or a body with status 200 that is no response.
pub(in crate::dialect) fn of_exception(name: &str, body: &[u8]) -> Error {
    read(body, name, silent(None))
}

/// `nothing`: the error when neither name nor body say anything.
fn read(body: &[u8], name: &str, nothing: Error) -> Error {
    let body = error::body(body);
    // Around the type in the answer to a path that AWS does not know stands one object more.
    let around = || Members::of(body.get("Output")?).text("__type");
    let code = body.text("__type").or_else(around);
    let code = code.as_deref().unwrap_or(name);
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    let known = KINDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(code))
        .map(|(_, kind)| *kind);
    let said = ["originalMessage", "message", "Message"];
    let said = said
        .into_iter()
        .filter_map(|name| body.text(name))
        .find(|said| !said.is_empty());
    let Some(message) = said.as_deref().or(Some(code).filter(|code| !code.is_empty())) else {
        return nothing;
    };
    let code = Some(code).filter(|code| !code.is_empty());
    error::told(known.unwrap_or(nothing.kind), message, code)
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
    fn the_three_spellings_of_a_body_are_read() {
        check(
            429,
            r#"{"message":"Too many requests"}"#,
            Kind::RateLimitExceeded,
            "Too many requests",
        );
        check(403, r#"{"Message":"no"}"#, Kind::ProviderAuthentication, "no");
        let body = r#"{"__type":"com.amazon.coral.service#ThrottlingException","message":"slow"}"#;
        check(400, body, Kind::RateLimitExceeded, "slow");
        let body =
            r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
        check(404, body, Kind::ProviderNotFound, "UnknownOperationException");
    }

    #[test]
    fn an_exception_is_known_by_its_name() {
        let body =
            br#"{"message":"Model Stream Error","originalStatusCode":500,"originalMessage":"It failed."}"#;
        let error = of_exception("modelStreamErrorException", body);
        assert_eq!(
            (error.kind, &*error.message),
            (Kind::ProviderUnavailable, "It failed.")
        );
        assert_eq!(of_exception("modelTimeoutException", b"").kind, Kind::Timeout);
        assert_eq!(of_exception("", b"").kind, Kind::ProviderUnavailable);
    }
}
