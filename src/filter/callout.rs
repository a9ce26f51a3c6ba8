//! Replies to callouts, taken over from the host as far as there is memory for them.

use super::host::{self, Buffer, Map};
use super::{memory, stats};
use crate::middleware::Reply;

/// The reply to the callout that has just ended, with a body of `length` bytes. Without room for it below the memory mark it
/// counts as failed.
pub(super) fn reply(mark: usize, length: usize) -> Reply {
    let has_room = memory::has_room(mark, length) && memory::can_be_had(length);
    if !has_room {
        stats::no_room();
    }
    let status = host::header_text(Map::CallResponse, ":status").and_then(|text| text.parse().ok());
    match status.filter(|_| has_room) {
        Some(status) => Reply::Response {
            status,
            body: host::buffer(Buffer::CallResponseBody),
        },
        None => Reply::Failed,
    }
}
