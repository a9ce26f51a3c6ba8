//! Writing to the client of a streamed answer at any time, not only when the provider sends something.
//!
//! Envoy lets a filter write into a body only inside a body callback, or while its last body callback paused. So the
//! gateway placement pauses on the first piece of a streamed answer and stays paused: the attempt placement appends its
//! bytes to that held body and resumes the stream, each time anew; a tick can do the same when the provider is silent. No
//! later callback resumes the first piece, so a message to this worker's own queue does, in the event loop's next turn.
//!
//! Envoy resumes a stream that a filter holds, and no other: [`Downstream`] tells which it is. One thing is not possible by
//! its rules. Each piece of the provider's gives the gateway one callback, in which it may either let bytes by or begin to hold;
//! so between the first piece and one that means nothing to the client, nothing is held, and neither is after a tick has
//! written. There [`write()`] resumes a stream that the filter does not hold: Envoy's debug builds assert against it, and its
//! release builds do what is meant. Without it a client would learn of a stall by a reset.

use super::host::{self, Buffer, Stream};
use super::slot::{Downstream, Slot};
use super::{queue, registry};
use crate::exchange::Head;
use proxy_wasm::types::Action;
use std::rc::Rc;

/// The most bytes that a held body is given at once. Envoy holds up to its buffer limit, 1 MiB by default, and beyond it
/// may crash; what is longer goes the plain way, through the body callbacks, which have no such limit.
pub(super) const MAX_PIECE: usize = 256 << 10;

/// A piece of an answer that streams has come to the gateway placement.
pub(super) fn piece(slot: &Rc<Slot>, size: usize, end: bool) -> Action {
    // A piece that comes this way while the body is held is the last one, or too long to be held.
    let plain = end || size > MAX_PIECE;
    let holds = match slot.downstream.get() {
        Downstream::Held | Downstream::Resumed => !plain,
        Downstream::Plain => !plain && size > 0 && queue::defer(slot, release_first),
    };
    slot.downstream.set(if holds {
        Downstream::Held
    } else {
        Downstream::Plain
    });
    if holds { Action::Pause } else { Action::Continue }
}

/// Resumes the stream after its first piece, which no later callback does.
fn release_first(slot: &Rc<Slot>) {
    if slot.downstream.get() == Downstream::Held && !slot.wait.holds_all() {
        slot.downstream.set(Downstream::Resumed);
        host::resume(Stream::Response);
    }
}

/// Writes to the client. Every host call that follows in the same callback concerns the gateway placement's context.
pub(super) fn write(slot: &Slot, bytes: &[u8]) -> bool {
    if slot.downstream.get() == Downstream::Plain || !host::set_effective_context(slot.gateway) {
        return false;
    }
    let written = host::append_buffer(Buffer::ResponseBody, bytes);
    slot.downstream.set(Downstream::Resumed);
    host::resume(Stream::Response);
    written
}

/// Stops holding the answer's body: the piece under way is too long to be held and goes the plain way, and the one after
/// it may be held again. Every host call that follows in the same callback concerns the gateway's context.
pub(super) fn resume(slot: &Slot) {
    let held = slot.downstream.replace(Downstream::Plain) == Downstream::Held;
    if held && host::set_effective_context(slot.gateway) {
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

/// Closes an answer that has failed, unless its provider ends it within a tick: the client does not want what
/// a provider goes on to send, and may pay for it.
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

/// Closes an answer at once. Every host call that follows in the same callback concerns the gateway placement's context.
pub(super) fn close(slot: &Slot) {
    if host::set_effective_context(slot.gateway) {
        // After the headers a local reply only resets the stream.
        host::respond(&Head {
            status: 504,
            headers: Vec::new(),
            body: Vec::new(),
        });
    }
}
