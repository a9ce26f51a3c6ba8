//! What an OpenAI-compatible provider says when it fails: in a body of its own, or in band.

use super::error::{self, silent};
use crate::error::{Error, Kind};
use crate::json::{self, Members, Shape, Str};
use serde_json::value::RawValue;

/// How many of a validator's complaints a caller gets to read.
const MAX_COMPLAINTS: usize = 5;

/// The error of a response whose status is not 200.
pub(in crate::dialect) fn of_body(status: u16, body: &[u8]) -> Error {
    of_whole(body, Some(status))
}

/// An error that is the whole body or chunk, as vLLM's and Mistral's are.
pub(in crate::dialect) fn flat(body: &[u8], status: Option<u16>) -> Error {
    of_members(&error::body(body), status)
}

/// The error inside a response that had status 200.
pub(in crate::dialect) fn in_band(raw: &RawValue) -> Error {
    read_error(raw, None)
}

/// The data of an event that is called `error`, with or without a member of that name.
pub(in crate::dialect) fn of_event(data: &str) -> Error {
    of_whole(data.as_bytes(), None)
}

fn of_whole(bytes: &[u8], status: Option<u16>) -> Error {
    let said = error::body(bytes);
    match said.get("error") {
        Some(raw) => read_error(raw, status),
        None => of_members(&said, status),
    }
}

fn read_error(raw: &RawValue, status: Option<u16>) -> Error {
    match json::shape(raw) {
        Shape::String => classified(text(raw), None, "", None, status),
        _ => of_members(&Members::of(raw), status),
    }
}

fn of_members(members: &Members<'_>, status: Option<u16>) -> Error {
    let code = members.get("code").map(|code| code.get().trim_matches('"'));
    // Azure's word for what it blocked stands one level deeper (`content_filter` is the usual outer one).
    let inner = members.get("innererror").map(Members::of).unwrap_or_default();
    let inner = inner.text("code");
    let kind_name = members.text("type");
    let said = members.get("message").or_else(|| members.get("detail"));
    classified(
        said.and_then(message),
        code,
        kind_name.as_deref().unwrap_or(""),
        inner.as_deref(),
        status,
    )
}

/// A message is a text, or what a validator complains of (`{"detail":[{"loc":[…],"msg":"…"}]}`: FastAPI, and Mistral in
/// its message).
fn message(raw: &RawValue) -> Option<String> {
    match json::shape(raw) {
        Shape::String => text(raw),
        Shape::Object => message(Members::of(raw).get("detail")?),
        Shape::Array => {
            let complaints = json::items(raw.get()).take(MAX_COMPLAINTS).filter_map(complaint);
            Some(complaints.collect::<Vec<_>>().join("; "))
        }
        Shape::Null | Shape::Bool | Shape::Number => None,
    }
}

/// `messages.0.name: Extra inputs are not permitted`
fn complaint(raw: &RawValue) -> Option<String> {
    let members = Members::of(raw);
    let said = members.text("msg").filter(|said| !said.is_empty())?;
    let place = members.items("loc");
    let place: Vec<_> = place.map(|step| step.get().trim_matches('"')).collect();
    let place = place.strip_prefix(&["body"]).unwrap_or(&place).join(".");
    Some(if place.is_empty() {
        said.into_string()
    } else {
        format!("{place}: {}", &*said)
    })
}

fn text(raw: &RawValue) -> Option<String> {
    // What cannot be read says nothing.
    serde_json::from_str::<Str<'_>>(raw.get())
        .ok()
        .map(Str::into_string)
}

fn classified(
    message: Option<String>,
    code: Option<&str>,
    kind_name: &str,
    inner: Option<&str>,
    status: Option<u16>,
) -> Error {
    let numeric = code
        .and_then(|code| code.parse::<u16>().ok())
        .filter(|code| (400..600).contains(code));
    let named = match (code.unwrap_or(""), kind_name) {
        _ if inner == Some("ResponsibleAIPolicyViolation") => Some(Kind::ContentPolicyViolation),
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
    match message.filter(|message| !message.is_empty()) {
        Some(message) => error::told(kind, &message, code),
        None => Error::of_provider(kind, &silent(status).message, code),
    }
}
