//! The exchanges under way on this worker: how the gateway placement hands one to the attempt placement.
//!
//! Both placements run in one VM, so an exchange is handed over in memory. Nothing here is shared between workers.

use super::downstream::Downstream;
use super::identity::Caller;
use super::memory::Promise;
use super::waiting::Wait;
use crate::exchange::{Exchange, Head};
use crate::meter::budget::{Advance, Hold, Used};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

thread_local! {
    static EXCHANGES: RefCell<HashMap<String, Rc<Slot>>> = RefCell::new(HashMap::new());
}

/// What an attempt has written for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing: if the client is answered, Envoy does it itself.
    Nothing,
    /// An answer that goes out.
    Answer,
    /// An answer that goes out only if Envoy refuses the retry that was asked for.
    Retry,
}

/// One exchange and the contexts that work on it.
#[derive(Debug)]
pub(super) struct Slot {
    /// `None` once it is settled.
    exchange: RefCell<Option<Exchange>>,
    /// The namespace of the gateway's shared data.
    pub(super) namespace: u64,
    /// How much of the VM's memory may be in use before what is large is refused, in bytes.
    pub(super) memory: usize,
    /// What is promised to the request's body while it comes.
    pub(super) promise: Promise,
    /// Who calls, where callers have names.
    pub(super) caller: Option<Rc<Caller>>,
    /// What is held of the key's budget.
    pub(super) hold: Cell<Option<Hold>>,
    /// What the exchange has used, as its receipt says that was renewed last.
    pub(super) known: Cell<Option<Used>>,
    /// What of it is charged already.
    pub(super) advance: Cell<Option<Advance>>,
    /// The gateway placement's context.
    pub(super) gateway: u32,
    /// The context of the attempt that is under way.
    pub(super) attempt: Cell<u32>,
    /// What the attempt placement has written for the client.
    pub(super) written: Cell<Written>,
    /// What the client gets should Envoy refuse the retry that a tick has asked for.
    pub(super) refused: RefCell<Option<Head>>,
    /// A tick has released the answer that the attempt placement held.
    pub(super) released: Cell<bool>,
    /// What the gateway placement holds of the body of an answer that streams.
    pub(super) downstream: Cell<Downstream>,
    /// The callout of a middleware for which the gateway placement holds the answer.
    pub(super) wait: Wait,
    /// The answer was ended with an error event; what is left is to close it, at the tick that counts this down to zero.
    pub(super) closing: Cell<u8>,
}

impl Slot {
    /// Works on the exchange; `None` when it is settled. `work` must not call the host.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Exchange) -> T) -> Option<T> {
        self.exchange.try_borrow_mut().ok()?.as_mut().map(work)
    }

    /// A new attempt begins, in this context.
    pub(super) fn begin(&self, context: u32) {
        self.attempt.set(context);
        self.written.set(Written::Nothing);
        self.refused.replace(None);
    }

    /// Takes the exchange out, to settle it.
    pub(super) fn take(&self) -> Option<Exchange> {
        self.exchange.try_borrow_mut().ok()?.take()
    }
}

/// Enters an exchange.
pub(super) fn insert(
    exchange: Exchange,
    caller: Option<Rc<Caller>>,
    namespace: u64,
    gateway: u32,
) -> Rc<Slot> {
    let id = exchange.id().to_owned();
    let slot = Rc::new(Slot {
        memory: exchange.memory(),
        promise: Promise::default(),
        caller,
        hold: Cell::new(None),
        known: Cell::new(None),
        advance: Cell::new(None),
        exchange: RefCell::new(Some(exchange)),
        namespace,
        gateway,
        attempt: Cell::new(0),
        written: Cell::new(Written::Nothing),
        refused: RefCell::new(None),
        released: Cell::new(false),
        downstream: Cell::new(Downstream::Plain),
        wait: Wait::default(),
        closing: Cell::new(0),
    });
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.insert(id, Rc::clone(&slot)));
    slot
}

/// The exchange of this id.
pub(super) fn find(id: &str) -> Option<Rc<Slot>> {
    EXCHANGES.with_borrow(|exchanges| exchanges.get(id).cloned())
}

/// Removes the exchange of this id.
pub(super) fn remove(id: &str) {
    EXCHANGES.with_borrow_mut(|exchanges| exchanges.remove(id));
}

/// Every exchange under way.
pub(super) fn all() -> Vec<Rc<Slot>> {
    EXCHANGES.with_borrow(|exchanges| exchanges.values().cloned().collect())
}

/// How many exchanges are under way.
pub(super) fn len() -> usize {
    EXCHANGES.with_borrow(HashMap::len)
}
