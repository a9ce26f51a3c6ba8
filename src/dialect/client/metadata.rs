//! Members that answers of all operations have: `openrouter_metadata`, which tells how the request was routed.

use crate::json::{self, Members};
use serde::Serialize;

/// OpenRouter's name for how a request was routed.
const METADATA: &str = "openrouter_metadata";

/// Appends how the request was routed to the members of an answer or an error, if its caller wants to see it.
pub(super) fn metadata(out: &mut Vec<u8>, metadata: Option<&str>) {
    if let Some(metadata) = metadata {
        json::member(out, METADATA, |out| out.extend_from_slice(metadata.as_bytes()));
    }
}

/// The same for an answer of a provider's that was passed on.
pub(super) fn add_metadata(out: &mut Vec<u8>, added: Option<&str>) {
    if added.is_none() {
        return;
    }
    let body = std::mem::take(out);
    match Members::of_bytes(&body) {
        Some(members) => {
            // Who is a gateway too may have one of its own.
            let others = members.iter().filter(|(name, _)| &**name != METADATA);
            json::object(out, others, &mut |out, _, raw| json::write(out, raw));
            out.pop();
            metadata(out, added);
            out.push(b'}');
        }
        None => *out = body,
    }
}

/// Writes a member of an object.
pub(super) fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    json::write(out, name);
    out.push(b':');
    json::write(out, value);
}
