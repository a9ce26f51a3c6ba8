//! Ollama's errors: `{"error":"…"}`, as the body of a failed response or as a line of a stream that had begun well
//! (<https://docs.ollama.com/api/errors>).

use crate::dialect::shared::error::{self, silent};
use crate::error::{Error, Kind};
use crate::json::{self, Members, Shape};
use serde_json::value::RawValue;

/// Reads the body of a failed response.
pub(super) fn of_response(status: u16, body: &[u8]) -> Error {
    let kind = Kind::of_provider_status(status);
    error::body(body)
        .get("error")
        .and_then(|detail| of_detail(detail, kind))
        .unwrap_or_else(|| silent(Some(status)))
}

/// Reads the `error` member of a line, or of a body with status 200.
pub(super) fn of_line(detail: &RawValue) -> Error {
    of_detail(detail, Kind::ProviderUnavailable).unwrap_or_else(|| silent(None))
}

/// `None` when it says nothing. A proxy before Ollama may put an object there, as OpenAI does.
fn of_detail(detail: &RawValue, fallback: Kind) -> Option<Error> {
    let message = match json::shape(detail) {
        // What cannot be read says nothing.
        Shape::String => serde_json::from_str(detail.get()).ok(),
        _ => Members::of(detail).text("message").map(json::Str::into_string),
    };
    let message = message.filter(|message: &String| !message.is_empty())?;
    Some(error::told(fallback, &message, None))
}
