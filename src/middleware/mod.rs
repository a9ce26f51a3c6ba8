//! Stages that may change a request before it is planned, and each delta before the client sees it.
//!
//! A [`Middleware`] is configured once and shared; for each exchange it gives a [`RequestStage`], for each attempt a
//! fresh [`ResponseStage`] (a failed attempt leaves nothing behind). Requests pass the chain in order, deltas in reverse.
//! A stage may wait for an HTTP callout: the shell makes it, pauses the exchange, and resumes the stage with the reply. One for
//! an answer is made a second time where the provider has ended before its reply, and nothing of the answer has gone out.

mod chain;
mod pattern;
pub mod redact;

pub use chain::{MAX_WAITING, RequestChain, ResponseChain, Step};

use crate::chat::{Delta, Request};
use crate::error::Error;
use std::fmt::Debug;

/// A configured stage.
pub trait Middleware: Debug {
    /// Its part in requests, if it has one.
    fn request(&self) -> Option<Box<dyn RequestStage>> {
        None
    }

    /// Its part in the response to `request`, if it has one.
    fn response(&self, request: &Request) -> Option<Box<dyn ResponseStage>> {
        let _ = request;
        None
    }
}

/// A stage at work on one request.
pub trait RequestStage: Debug {
    /// Looks at the request, and may change it.
    fn run(&mut self, request: &mut Request) -> Verdict;

    /// Goes on after [`Verdict::Wait`].
    fn resume(&mut self, request: &mut Request, reply: Reply) -> Verdict {
        let _ = (request, reply);
        Verdict::Continue
    }
}

/// A stage at work on one response.
pub trait ResponseStage: Debug {
    /// Takes one delta; pushes onto `out` what may go on: the same, another, several, or none for now.
    fn delta(&mut self, delta: Delta, out: &mut Vec<Delta>) -> Verdict;

    /// The response is complete: whatever was held back must go on now.
    fn finish(&mut self, out: &mut Vec<Delta>) -> Verdict {
        let _ = out;
        Verdict::Continue
    }

    /// Goes on after [`Verdict::Wait`].
    fn resume(&mut self, reply: Reply, out: &mut Vec<Delta>) -> Verdict {
        let _ = (reply, out);
        Verdict::Continue
    }
}

/// What a stage decided.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// End the exchange with this error.
    Reject(Error),
    /// Make this call, then resume the stage.
    Wait(Callout),
}

/// An HTTP call that a stage wants to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// The Envoy cluster to call.
    pub cluster: String,
    /// All headers, the pseudo-headers `:method`, `:path`, `:authority` included.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait, in milliseconds.
    pub timeout_ms: u64,
}

/// How a callout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// With a response.
    Response {
        /// Its HTTP status.
        status: u16,
        /// Its body.
        body: Vec<u8>,
    },
    /// With none: no connection, a reset, a timeout, or the cluster is unknown.
    Failed,
}
