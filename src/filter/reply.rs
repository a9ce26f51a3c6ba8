//! Answers of the gateway's own: local replies, and what stands in the place of a held response or of Envoy's own reply.

use super::contract::OWN_DETAILS;
use super::health;
use super::host::{self, Buffer, Level, Map};
use super::slot::Slot;
use crate::dialect::client::{self, ClientDialect};
use crate::error::Error;
use crate::exchange::Head;
use proxy_wasm::types::Action;

/// An error outside of any exchange, in the form of a client dialect.
pub(super) fn error(dialect: &ClientDialect, error: &Error) -> Head {
    json(error.status(), dialect.error(error, &[]))
}

/// The result of a `GET`, or the error in its place.
pub(super) fn result(body: Result<Vec<u8>, Error>) -> Head {
    match body {
        Ok(body) => json(200, body),
        Err(why) => error(client::OPENAI_CHAT, &why),
    }
}

fn json(status: u16, body: Vec<u8>) -> Head {
    Head {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body,
    }
}

/// Refuses a request with an error of its exchange.
pub(super) fn refuse(slot: &Slot, error: Error) -> Action {
    if let Some(head) = slot.with(|exchange| exchange.refuse(error)) {
        host::respond(&head);
    }
    Action::Pause
}

/// Writes an answer into the held response: the headers, and the first bytes of the body. `end`: the response has ended.
pub(super) fn write_held(mut head: Head, end: bool) {
    // A response that ended with its headers has no body to write into; the headers alone must do.
    let written = host::set_buffer(Buffer::ResponseBody, &head.body);
    let length = if written { head.body.len() } else { 0 };
    if !set_headers(&mut head, end.then_some(length)) {
        host::log(
            Level::Error,
            "crosspoint: the response headers could not be written",
        );
    }
}

/// Writes the headers of the exchange's own answer over those of a local reply of Envoy's. Returns the body, which only the
/// body callback can write; nothing where Envoy's reply stays. `end`: the reply has no body.
pub(super) fn replace(slot: &Slot, end: bool) -> Option<Vec<u8>> {
    let status = host::header_text(Map::Response, ":status")
        .and_then(|text| text.parse().ok())
        .unwrap_or(500);
    let details = host::property_text(&["response", "code_details"]);
    if details == OWN_DETAILS {
        // The attempt placement refused without knowing the exchange.
        return None;
    }
    let now = host::now_ms();
    let (mut head, samples) = slot.with(|exchange| {
        (
            exchange.local_reply(status, &details, now),
            exchange.take_samples(),
        )
    })?;
    health::store(slot.namespace, samples, now);
    if end {
        // No body may follow, so the headers alone must do.
        head.body.clear();
    }
    let length = head.body.len();
    if !set_headers(&mut head, Some(length)) {
        host::log(Level::Warn, "crosspoint: a local reply could not be rewritten");
        return None;
    }
    Some(head.body)
}

fn set_headers(head: &mut Head, length: Option<usize>) -> bool {
    head.headers.push((":status".to_owned(), head.status.to_string()));
    if let Some(length) = length {
        head.headers
            .push(("content-length".to_owned(), length.to_string()));
    }
    host::set_headers(Map::Response, &head.headers)
}
