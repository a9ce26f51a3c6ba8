//! Waiting for the callout of a response middleware in the gateway placement.
//!
//! Envoy dies where an attempt holds the end of its upstream's answer: the upstream's stream is gone by then, and Envoy
//! notifies it all the same when a client of the connection begins or ceases to read. So an attempt waits only while its answer
//! has neither begun to go out nor ended. From then on it lets everything pass, and the gateway placement makes the
//! callout and holds the answer: its next piece, its end, or, where nothing has gone out yet, its headers too.

use super::downstream;
use super::host::{self, Buffer, Level, Stream};
use super::slot::{Downstream, HeldHead, Slot};
use super::{queue, reply};
use crate::exchange::{Action as Next, Head};
use crate::middleware::Reply;
use std::rc::Rc;

/// The headers of an answer have come to the gateway placement; `true`: they are held, and with them all that follows.
pub(super) fn headers(slot: &Rc<Slot>, end: bool) -> bool {
    if !slot.wait.is_asked() {
        return false;
    }
    slot.wait.head.set(Some(HeldHead::Alone));
    slot.wait.ended.set(end);
    call(slot);
    true
}

/// A piece of an answer has come to the gateway placement; `true`: it is held.
pub(super) fn piece(slot: &Rc<Slot>, end: bool) -> bool {
    let holds = comes(slot, end);
    if holds && slot.wait.head.get().is_some() {
        slot.wait.head.set(Some(HeldHead::WithBody));
    }
    holds
}

/// The trailers of an answer have come to the gateway placement; `true`: they are held.
pub(super) fn trailers(slot: &Rc<Slot>) -> bool {
    comes(slot, true)
}

fn comes(slot: &Rc<Slot>, end: bool) -> bool {
    if slot.wait.is_asked() {
        call(slot);
    }
    let holds = slot.wait.is_under_way();
    if holds {
        slot.wait.ended.set(end);
    }
    holds
}

/// Makes the callout that was asked for. One that cannot be made has failed, which the stage hears of in the event loop's next
/// turn.
fn call(slot: &Rc<Slot>) {
    let Some((number, callout)) = slot.wait.asked.take() else {
        return;
    };
    slot.wait.waits.set(Some(number));
    if host::call(&callout).is_none() && !queue::defer(slot, fail) {
        host::log(
            Level::Error,
            "crosspoint: a callout could neither be made nor fail",
        );
        downstream::close(slot);
    }
}

/// The callout under way could not be made.
fn fail(slot: &Rc<Slot>) {
    answered(slot, Reply::Failed, false);
}

/// The callout under way has been answered; the gateway's context is the one that calls concern. `may_call`: another one can
/// be made from here.
pub(super) fn answered(slot: &Rc<Slot>, reply: Reply, may_call: bool) {
    let Some(number) = slot.wait.waits.take() else {
        return;
    };
    let now = host::now_ms();
    let mut reply = reply;
    let next = loop {
        let resumed = slot.with(|exchange| (exchange.resume(number, reply, now), exchange.take_samples()));
        let Some((next, samples)) = resumed else { return };
        super::health::store(slot.namespace, samples, now);
        match next {
            Next::Wait(callout) if may_call => {
                slot.wait.ask(number, callout);
                return call(slot);
            }
            Next::Wait(_) => reply = Reply::Failed,
            next => break next,
        }
    };
    match next {
        Next::Release { head } | Next::Retry { head } => give(slot, head),
        Next::BreakOff(bytes) => {
            if !slot.wait.ended.get() {
                downstream::close_soon(slot);
            }
            write(slot, &bytes);
        }
        Next::Pass(bytes) => write(slot, &bytes),
        Next::Hold | Next::Unchanged | Next::Wait(_) => write(slot, b""),
    }
}

/// Releases an answer of which nothing had gone out.
fn give(slot: &Slot, head: Head) {
    match slot.wait.head.take() {
        Some(HeldHead::WithBody) => {
            reply::write_held(head, true);
            slot.downstream.set(Downstream::Plain);
            host::resume(Stream::Response);
        }
        // Headers alone have no body to write into. A local reply takes their place, as long as they are held.
        Some(HeldHead::Alone) | None => host::respond(&head),
    }
}

/// Writes more of an answer that has begun, and lets go what is held of it.
fn write(slot: &Slot, bytes: &[u8]) {
    if !bytes.is_empty() && !host::append_buffer(Buffer::ResponseBody, bytes) {
        host::log(
            Level::Error,
            "crosspoint: a piece of an answer could not be written",
        );
    }
    let ended = slot.wait.ended.get();
    slot.downstream.set(if ended {
        Downstream::Plain
    } else {
        Downstream::Resumed
    });
    host::resume(Stream::Response);
}
