//! Cohere's errors: <https://docs.cohere.com/reference/errors>. A body is `{"id":"…","message":"…"}`.

use crate::dialect::shared::error::{self, silent};
use crate::error::{Error, Kind};
use crate::json::Members;

/// What a status means here that it does not mean elsewhere.
static BY_STATUS: &[(u16, Kind)] = &[
    // An invalid token: <https://docs.cohere.com/reference/chat>.
    (498, Kind::ProviderAuthentication),
    // A request that was cancelled, though not by its caller, who would not read this.
    (499, Kind::ProviderUnavailable),
];

/// Reads the body of a failed response.
pub(super) fn of_response(status: u16, body: &[u8]) -> Error {
    let known = BY_STATUS.iter().find(|(known, _)| *known == status);
    let kind = known.map_or_else(|| Kind::of_provider_status(status), |(_, kind)| *kind);
    of_body(&error::body(body), kind).unwrap_or_else(|| Error {
        kind,
        ..silent(Some(status))
    })
}

/// Reads an object that says what went wrong; `None` when it does not say.
pub(super) fn of_body(body: &Members<'_>, kind: Kind) -> Option<Error> {
    // `error` is how the end of a stream names it.
    let message = body.text("message").or_else(|| body.text("error"));
    let message = message.filter(|message| !message.is_empty())?;
    Some(error::told(kind, &message, None))
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
    fn every_documented_status_has_its_meaning() {
        for (status, kind) in [
            (400, Kind::InvalidRequest),
            (401, Kind::ProviderAuthentication),
            (402, Kind::PaymentRequired),
            (403, Kind::ProviderAuthentication),
            (404, Kind::ProviderNotFound),
            (422, Kind::Unprocessable),
            (429, Kind::RateLimitExceeded),
            (498, Kind::ProviderAuthentication),
            (499, Kind::ProviderUnavailable),
            (500, Kind::ProviderUnavailable),
            (501, Kind::ProviderUnavailable),
            (503, Kind::ProviderOverloaded),
            (504, Kind::Timeout),
        ] {
            check(status, r#"{"id":"i","message":"m"}"#, kind, "m");
        }
        assert_eq!(of_response(498, b"").kind, Kind::ProviderAuthentication);
    }
}
