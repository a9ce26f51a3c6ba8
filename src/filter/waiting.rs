//! Waiting for the callout of a response middleware in the gateway placement.
//!
//! Envoy dies where an attempt holds the end of its upstream's answer: the upstream's stream is gone by then, and a client of
//! the same connection that begins or ceases to read is told to it all the same. So an attempt waits only while its answer
//! has neither begun to go out nor ended. From then on it lets everything go by, and the gateway placement makes the
//! callout and holds the answer: its next piece, its end, or, where nothing has gone out yet, its headers too.

use super::downstream::{self, Downstream};
use super::host::{self, Buffer, Level, Stream};
use super::registry::Slot;
use super::reply;
use crate::exchange::{Action as Next, Head};
use crate::middleware::{Callout, Reply};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What the gateway placement knows of a wait.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// The callout to make in the gateway's next callback, and the number of the attempt that it is for.
    asked: RefCell<Option<(usize, Callout)>>,
    /// The number of the attempt whose callout is under way.
    waits: Cell<Option<usize>>,
    /// The headers are held, because nothing has gone out yet.
    head: Cell<Option<HeldHead>>,
    /// The answer's end has come.
    ended: Cell<bool>,
}

/// The headers that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeldHead {
    /// They are all that has come.
    Alone,
    /// A body has come, which can be written into.
    WithBody,
}

impl Wait {
    /// Has the gateway placement make this callout.
    pub(super) fn ask(&self, number: usize, callout: Callout) {
        self.asked.replace(Some((number, callout)));
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.borrow().is_some()
    }

    /// Envoy itself answers in the place of what is held; `true`: something was.
    pub(super) fn give_up(&self) -> bool {
        self.head.take().is_some() && self.waits.take().is_some()
    }

    /// Whether what is held may not go before the callout is answered: the headers, or the end.
    pub(super) fn holds_all(&self) -> bool {
        self.is_under_way() && (self.ended.get() || self.head.get().is_some())
    }

    /// Whether the gateway placement must hold what comes.
    pub(super) fn is_under_way(&self) -> bool {
        self.waits.get().is_some()
    }
}

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
    if host::call(&callout).is_none() && !downstream::later(slot, downstream::Turn::Failed) {
        host::log(
            Level::Error,
            "crosspoint: a callout could neither be made nor fail",
        );
        downstream::close(slot);
    }
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

/// Lets an answer go of which nothing had gone out.
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
