//! Work left to the next turn of the event loop, by a message to this worker's own queue.

use super::host;
use super::slot::Slot;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Work on an exchange. The gateway placement's context is the effective one.
type Work = fn(&Rc<Slot>);

thread_local! {
    static QUEUE: Cell<Option<u32>> = const { Cell::new(None) };
    static DEFERRED: RefCell<Vec<(Rc<Slot>, Work)>> = const { RefCell::new(Vec::new()) };
}

/// Makes this worker's queue, under a name that no other worker has.
pub(super) fn start(unique: u64) {
    QUEUE.set(host::register_queue(&format!("crosspoint.queue.{unique:016x}")));
}

/// Leaves work to the event loop's next turn; `false`: it cannot be left.
pub(super) fn defer(slot: &Rc<Slot>, work: Work) -> bool {
    let sent = QUEUE.get().is_some_and(|queue| host::enqueue(queue, b""));
    if sent {
        DEFERRED.with_borrow_mut(|deferred| deferred.push((Rc::clone(slot), work)));
    }
    sent
}

/// Does what was left to this turn. The queue has a message.
pub(super) fn ready(queue: u32) {
    while host::dequeue(queue).is_some() {}
    for (slot, work) in DEFERRED.take() {
        // The host refuses a context that is gone by now, and nothing is lost.
        if host::set_effective_context(slot.gateway) {
            work(&slot);
        }
    }
}
