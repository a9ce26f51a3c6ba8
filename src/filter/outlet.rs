//! Writing to the client of a streamed answer at any time, not only when the provider sends something.
//!
//! Envoy lets a filter write into a body only inside a body callback, or while its last body callback paused. So the
//! gateway placement pauses on the first piece of a streamed answer and stays paused: the attempt placement appends its
//! bytes to that held body and lets it go on, each time anew; a tick can do the same when the provider is silent. The
//! first piece has nobody behind it to let it go, so a message to this worker's own queue does, in the event loop's next
//! turn.

use super::host::{self, Buffer, Stream};
use super::registry::{self, Slot};
use crate::exchange::Head;
use std::cell::{Cell, RefCell};

/// The most bytes that a held body is given at once. Envoy holds up to its buffer limit, 1 MiB by default, and beyond it
/// may crash; what is longer goes the plain way, through the body callbacks, which have no such limit.
pub(super) const MAX_PIECE: usize = 256 << 10;

thread_local! {
    /// This worker's queue.
    static QUEUE: Cell<Option<u32>> = const { Cell::new(None) };
    /// The gateway contexts whose first piece waits.
    static WAITING: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Makes this worker's queue, under a name that no other worker has.
pub(super) fn start(unique: u64) {
    QUEUE.set(host::register_queue(&format!("crosspoint.outlet.{unique:016x}")));
}

/// The gateway placement holds the first piece of an answer: have it let go. `false`: it must not be held.
pub(super) fn open(slot: &Slot) -> bool {
    let Some(queue) = QUEUE.get() else { return false };
    if !host::enqueue(queue, b"") {
        return false;
    }
    WAITING.with_borrow_mut(|waiting| waiting.push(slot.gateway));
    slot.open.set(true);
    true
}

/// The queue has a message: lets every waiting first piece go.
pub(super) fn ready(queue: u32) {
    while host::dequeue(queue).is_some() {}
    for gateway in WAITING.take() {
        // A context that is gone by now is refused by the host, and nothing is lost.
        if host::set_effective_context(gateway) {
            host::resume(Stream::Response);
        }
    }
}

/// Writes to the client. Every host call that follows in the same callback concerns the gateway placement's context.
pub(super) fn write(slot: &Slot, bytes: &[u8]) -> bool {
    if !slot.open.get() || !host::set_effective_context(slot.gateway) {
        return false;
    }
    let written = host::append_buffer(Buffer::ResponseBody, bytes);
    host::resume(Stream::Response);
    written
}

/// Stops holding the answer's body: the piece under way is too long to be held and goes the plain way, and the one after
/// it may open the outlet anew. Every host call that follows in the same callback concerns the gateway's context.
pub(super) fn let_go(slot: &Slot) {
    slot.open.set(false);
    if host::set_effective_context(slot.gateway) {
        host::resume(Stream::Response);
    }
}

/// Ends an answer that has fallen silent: with its last event now and the connection a tick later, or at once where
/// nothing can be written any more.
pub(super) fn break_off(slot: &Slot, event: &[u8]) {
    slot.closing.set(1);
    if !write(slot, event) {
        close(slot);
    }
}

/// Closes an answer that has failed, unless its provider ends it within a tick: what a provider goes on to send is wanted by
/// nobody and may be paid.
pub(super) fn close_soon(slot: &Slot) {
    slot.closing.set(2);
}

/// Closes the answers that were ended a tick ago.
pub(super) fn close_ended() {
    for slot in registry::all() {
        match slot.closing.get() {
            0 => {}
            1 => close(&slot),
            ticks => slot.closing.set(ticks - 1),
        }
    }
}

fn close(slot: &Slot) {
    if host::set_effective_context(slot.gateway) {
        // After the headers a local reply only resets the stream.
        host::respond(&Head {
            status: 504,
            headers: Vec::new(),
            body: Vec::new(),
        });
    }
}
