//! One exchange under way, and the state that the contexts working on it share.

use super::identity::Caller;
use super::memory::Promise;
use crate::exchange::{Exchange, Head};
use crate::meter::budget::{Advance, Hold, Used};
use crate::middleware::Callout;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The last thing that an attempt has written for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing: if the client is answered, Envoy does it itself.
    Nothing,
    /// An answer that goes out.
    Answer,
    /// An answer that goes out only if Envoy refuses the retry that was asked for.
    Retry,
}

/// The part of an answer's body that the gateway placement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Downstream {
    /// Nothing: its last body callback let the piece by. Nothing can be written outside of a callback.
    Plain,
    /// Its last body callback paused, and the stream was not resumed since.
    Held,
    /// Its last body callback paused, and the stream was resumed.
    Resumed,
}

/// State of a wait for the callout of a response middleware.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// The callout to make in the gateway's next callback, and the number of the attempt that needs it.
    pub(super) asked: RefCell<Option<(usize, Callout)>>,
    /// The number of the attempt that waits for a callout under way.
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
    /// Bytes of the VM's memory that may be in use before large bodies are refused.
    pub(super) memory: usize,
    /// Memory promised to the request's body while it comes.
    pub(super) promise: Promise,
    /// The caller, where callers have names.
    pub(super) caller: Option<Rc<Caller>>,
    /// The part of the key's budget that is held for this exchange.
    pub(super) hold: Cell<Option<Hold>>,
    /// Use of the exchange by the last renewal of its receipt, until a tick charges it.
    pub(super) known: Cell<Option<Used>>,
    /// The part of the use that is charged already.
    pub(super) advance: Cell<Option<Advance>>,
    /// The gateway placement's context.
    pub(super) gateway: u32,
    /// The context of the attempt that is under way.
    pub(super) attempt: Cell<u32>,
    /// The last thing that the attempt placement has written for the client.
    pub(super) written: Cell<Written>,
    /// The answer to the client should Envoy refuse the retry that a tick has asked for.
    pub(super) refused: RefCell<Option<Head>>,
    /// A tick has released the answer that the attempt placement held.
    pub(super) released: Cell<bool>,
    /// The part of the body of a streamed answer that the gateway placement holds.
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

    /// True if the headers or the end are held, which may not go out before the callout is answered.
    pub(super) fn holds_all(&self) -> bool {
        self.is_under_way() && (self.ended.get() || self.head.get().is_some())
    }

    /// True if the gateway placement must hold the next piece.
    pub(super) fn is_under_way(&self) -> bool {
        self.waits.get().is_some()
    }
}
