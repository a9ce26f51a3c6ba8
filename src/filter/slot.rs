//! One exchange under way, and what the contexts that work on it know of each other.

use super::identity::Caller;
use super::memory::Promise;
use crate::exchange::{Exchange, Head};
use crate::meter::budget::{Advance, Hold, Used};
use crate::middleware::Callout;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

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

/// What the gateway placement holds of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Downstream {
    /// Nothing: its last body callback let the piece by. Nothing can be written outside of a callback.
    Plain,
    /// Its last body callback paused, and the stream was not resumed since.
    Held,
    /// Its last body callback paused, and the stream was resumed.
    Resumed,
}

/// What the gateway placement knows of a wait.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// The callout to make in the gateway's next callback, and the number of the attempt that it is for.
    pub(super) asked: RefCell<Option<(usize, Callout)>>,
    /// The number of the attempt whose callout is under way.
    pub(super) waits: Cell<Option<usize>>,
    /// The headers are held, because nothing has gone out yet.
    pub(super) head: Cell<Option<HeldHead>>,
    /// The answer's end has come.
    pub(super) ended: Cell<bool>,
}

/// The headers that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldHead {
    /// They are all that has come.
    Alone,
    /// A body has come, which can be written into.
    WithBody,
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
    /// An exchange that begins, in this context of the gateway placement.
    pub(super) fn new(exchange: Exchange, caller: Option<Rc<Caller>>, namespace: u64, gateway: u32) -> Self {
        Self {
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
        }
    }

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
