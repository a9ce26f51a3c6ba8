//! The attempt placement: one context per try.

use super::contract::{EXCHANGE, GENERATION, RETRY_HEADER};
use super::dispatch::set_next_cluster;
use super::health::{self, Running};
use super::host::{self, Buffer, Level, Map, Stream};
use super::slot::{Downstream, Slot, Written};
use super::{budget, callout, downstream, memory, registry, reply, stats, tokens};
use crate::dialect::client;
use crate::error::{Error, Kind};
use crate::exchange::{Action as Next, Exchange, Refused, ResponseHead};
use crate::middleware::{Callout, Reply};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// Milliseconds between renewals of the receipt in filter state while an answer streams.
const RENEW_MS: u64 = 1_000;
/// Request headers that Envoy adds for tracing and that go on to the provider.
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// One try.
#[derive(Debug)]
pub(super) struct AttemptContext {
    context: u32,
    slot: Option<Rc<Slot>>,
    number: usize,
    /// The request's body, until it is written.
    body: Option<Vec<u8>>,
    /// The last response callback paused, so that the held body may be written outside of one.
    paused: bool,
    /// The headers were released.
    released: bool,
    renewed_ms: u64,
    /// Bytes of the answer that have come since a part of it went out.
    gathered: usize,
    /// The callout of a middleware that waits.
    asked: Option<Callout>,
    /// As long as it is there, the endpoint has this attempt under way.
    running: Option<Running>,
}

impl AttemptContext {
    pub(super) const fn new(context: u32) -> Self {
        Self {
            context,
            slot: None,
            number: 0,
            body: None,
            paused: false,
            released: false,
            renewed_ms: 0,
            gathered: 0,
            asked: None,
            running: None,
        }
    }

    /// Answers the client from here, without asking any provider.
    fn refuse(&self, message: &str) -> Action {
        host::log(Level::Error, &format!("crosspoint: {message}"));
        self.refuse_with(Error::new(Kind::Server, message))
    }

    fn refuse_with(&self, error: Error) -> Action {
        let head = match &self.slot {
            Some(slot) => slot.with(|exchange| exchange.refuse(error)),
            None => Some(reply::error(client::OPENAI_CHAT, &error)),
        };
        if let Some(head) = head {
            host::respond(&head);
        }
        Action::Pause
    }

    /// Stores what the exchange has learnt about endpoints.
    fn store_samples(&self, now: u64) {
        let Some(slot) = &self.slot else { return };
        let samples = slot.with(|exchange| exchange.take_samples()).unwrap_or_default();
        health::store(slot.namespace, samples, now);
    }

    /// Renews the receipt that stands in the log should the filter die.
    fn renew_receipt(&mut self, now: u64) {
        if now.saturating_sub(self.renewed_ms) < RENEW_MS {
            return;
        }
        self.renewed_ms = now;
        let Some(slot) = &self.slot else { return };
        if let Some(receipt) = slot.with(|exchange| exchange.provisional(now)) {
            slot.known.set(Some(budget::used(&receipt)));
            // If this fails the older receipt stands.
            let _ = host::set_property(GENERATION, &receipt.to_json());
        }
    }

    /// Notes that a tick has released what this context held.
    fn note_release(&mut self) {
        if self.slot.as_ref().is_some_and(|slot| slot.released.take()) {
            self.paused = false;
            self.released = true;
        }
    }

    /// True if there is room for `more` bytes of an answer of which long parts are held here.
    fn has_room(&mut self, slot: &Slot, more: usize, end: bool) -> bool {
        self.gathered = self.gathered.saturating_add(more);
        if self.gathered <= memory::SMALL {
            return true;
        }
        // At the end it is written anew, as a whole.
        let wanted = if end { self.gathered } else { more };
        memory::has_room(slot.memory, wanted.saturating_add(memory::SMALL))
            && memory::can_be_had(self.gathered)
    }

    /// Takes a piece of the response.
    fn take(&mut self, size: usize, end: bool) -> Action {
        let Some(slot) = self.slot.clone() else {
            return Action::Continue;
        };
        let now = host::now_ms();
        let number = self.number;
        if !self.has_room(&slot, size, end)
            && let Some(Some(next)) = slot.with(|exchange| exchange.no_room(number, memory::SMALL, now))
        {
            stats::no_room();
            return self.apply(&slot, next, end, now);
        }
        let bytes = if size > 0 {
            host::buffer(Buffer::ResponseBody)
        } else {
            Vec::new()
        };
        let bytes = bytes.as_slice();
        let Some(next) = slot.with(|exchange| exchange.body(number, bytes, end, now)) else {
            return Action::Continue;
        };
        if self.released {
            // What a client waited for, as comments told it, is known only now.
            self.store_samples(now);
        }
        self.apply(&slot, next, end, now)
    }

    /// Takes a response that has no body, and so none that ours could be written into: an answer of our own is given as a
    /// local reply, which ends the exchange.
    fn take_headers_only(&mut self, slot: &Rc<Slot>, now: u64) -> Action {
        let number = self.number;
        let Some(next) = slot.with(|exchange| exchange.body(number, b"", true, now)) else {
            return Action::Continue;
        };
        match next {
            Next::Release { head } if !head.body.is_empty() => {
                self.store_samples(now);
                self.released = true;
                slot.written.set(Written::Answer);
                host::respond(&head);
                Action::Pause
            }
            next => self.apply(slot, next, true, now),
        }
    }

    /// Makes the callout that the exchange wants, and then holds; one that cannot be made has failed, and the exchange goes on
    /// from there. Nothing is left to do where it is over.
    fn call_out(&mut self, slot: &Slot, mut next: Next, end: bool, now: u64) -> Option<Next> {
        let number = self.number;
        while let Next::Wait(callout) = next {
            if end || self.released {
                slot.wait.ask(number, callout);
                return Some(Next::Hold);
            }
            if host::call(&callout).is_some() {
                self.asked = Some(callout);
                return Some(Next::Hold);
            }
            next = slot.with(|exchange| exchange.resume(number, Reply::Failed, now))?;
        }
        Some(next)
    }

    /// Does what the exchange says.
    fn apply(&mut self, slot: &Rc<Slot>, next: Next, end: bool, now: u64) -> Action {
        let Some(next) = self.call_out(slot, next, end, now) else {
            return Action::Continue;
        };
        if matches!(next, Next::Hold) && (end || self.released) {
            return self.leave_to_gateway(slot);
        }
        if end {
            slot.closing.set(0);
        }
        if matches!(next, Next::BreakOff(_)) && !end {
            downstream::close_soon(slot);
        }
        self.paused = matches!(next, Next::Hold | Next::Wait(_));
        if !self.paused && !matches!(&next, Next::Pass(bytes) if bytes.is_empty()) {
            self.gathered = 0;
        }
        match next {
            Next::Hold | Next::Wait(_) => {
                host::set_buffer(Buffer::ResponseBody, b"");
                return Action::Pause;
            }
            // The last piece goes the plain way, and takes the end of the stream with it.
            Next::Unchanged if end || slot.downstream.get() == Downstream::Plain => {}
            Next::Unchanged => {
                let bytes = host::buffer(Buffer::ResponseBody);
                self.write(slot, &bytes, now);
                return Action::Continue;
            }
            Next::Pass(bytes) | Next::BreakOff(bytes)
                if (end && bytes.len() <= downstream::MAX_PIECE)
                    || slot.downstream.get() == Downstream::Plain =>
            {
                host::set_buffer(Buffer::ResponseBody, &bytes);
            }
            Next::Pass(bytes) | Next::BreakOff(bytes) => {
                self.write(slot, &bytes, now);
                return Action::Continue;
            }
            Next::Release { head } => {
                self.store_samples(now);
                self.released = true;
                slot.written.set(Written::Answer);
                if !end && head.status >= 400 {
                    // An error is complete, and must not wait for the end of what the provider sends.
                    host::respond(&head);
                    return Action::Pause;
                }
                reply::write_held(head, end);
            }
            Next::Retry { mut head } => {
                self.store_samples(now);
                set_next_cluster(slot);
                slot.written.set(Written::Retry);
                head.headers.push((RETRY_HEADER.to_owned(), "1".to_owned()));
                reply::write_held(head, end);
            }
        }
        // An answer that is complete is settled next.
        if self.released && !end {
            self.renew_receipt(now);
        }
        Action::Continue
    }

    /// Lets by what comes while a middleware waits, empty: the gateway placement holds it, and makes the callout.
    fn leave_to_gateway(&mut self, slot: &Slot) -> Action {
        self.paused = false;
        // The gateway placement can write only into a body that comes.
        let body: &[u8] = if self.released { b"" } else { b" " };
        host::set_buffer(Buffer::ResponseBody, body);
        if self.released {
            return Action::Continue;
        }
        // A callout that is under way ends with this context, and is made anew.
        if let Some(callout) = self.asked.take().filter(|_| !slot.wait.is_asked()) {
            slot.wait.ask(self.number, callout);
        }
        self.released = true;
        slot.with(Exchange::forgo_others);
        slot.written.set(Written::Answer);
        // The gateway placement writes the real ones, once it knows them.
        if !host::set_headers(Map::Response, &[(":status".to_owned(), "200".to_owned())]) {
            host::log(
                Level::Error,
                "crosspoint: the response headers could not be written",
            );
        }
        Action::Continue
    }

    /// Writes more of an answer that streams, from a body callback.
    fn write(&mut self, slot: &Slot, bytes: &[u8], now: u64) {
        self.renew_receipt(now);
        if bytes.len() > downstream::MAX_PIECE {
            host::set_buffer(Buffer::ResponseBody, bytes);
            downstream::resume(slot);
        } else {
            host::set_buffer(Buffer::ResponseBody, b"");
            Self::write_out(slot, bytes);
        }
    }

    fn write_out(slot: &Slot, bytes: &[u8]) {
        if !bytes.is_empty() && !downstream::write(slot, bytes) {
            host::log(
                Level::Error,
                "crosspoint: a piece of an answer could not be written",
            );
        }
    }
}

impl Context for AttemptContext {
    fn on_http_call_response(&mut self, _token: u32, _headers: usize, body: usize, _trailers: usize) {
        let Some(slot) = self.slot.clone() else { return };
        self.asked = None;
        let now = host::now_ms();
        let (number, reply) = (self.number, callout::reply(slot.memory, body));
        let Some(next) = slot.with(|exchange| exchange.resume(number, reply, now)) else {
            return;
        };
        // A write to the client leaves the gateway's context effective; it is this one that was paused.
        if self.apply(&slot, next, false, now) == Action::Continue
            && host::set_effective_context(self.context)
        {
            host::resume(Stream::Response);
        }
    }

    fn on_done(&mut self) -> bool {
        self.running = None;
        if let Some(slot) = self.slot.take() {
            let now = host::now_ms();
            let number = self.number;
            let samples = slot.with(|exchange| {
                exchange.gone(number, now);
                exchange.take_samples()
            });
            health::store(slot.namespace, samples.unwrap_or_default(), now);
        }
        true
    }
}

impl HttpContext for AttemptContext {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let id = host::property_text(&[EXCHANGE]);
        let Some(slot) = registry::find(&id) else {
            return self.refuse(
                "the attempt placement finds no exchange: do the vm_id and vm_config of both placements match?",
            );
        };
        slot.begin(self.context);
        self.slot = Some(Rc::clone(&slot));
        let cluster = host::property_text(&["xds", "cluster_name"]);
        let now = host::now_ms();
        if let Some(id) = slot.with(|exchange| exchange.next_token()).flatten()
            && let Some(token) = tokens::find(&slot, &id, now)
        {
            slot.with(|exchange| exchange.give_token(id, token));
        }
        let length = slot.with(|exchange| exchange.unwritten()).unwrap_or_default();
        if !memory::can_be_had(length) {
            stats::no_room();
            return self.refuse_with(Error::gateway_full("a further attempt"));
        }
        let (number, mut outgoing) = match slot.with(|exchange| exchange.begin(&cluster, now)) {
            Some(Ok(begun)) => begun,
            Some(Err(Refused::WrongCluster)) => {
                return self.refuse("the request was routed to a cluster that is not the planned provider's");
            }
            Some(Err(Refused::NothingPlanned)) => return self.refuse("there is no endpoint left to try"),
            Some(Err(Refused::CannotEncode)) => {
                return self.refuse("the request cannot be written for this endpoint");
            }
            Some(Err(Refused::NoToken)) => {
                return self.refuse("the token for this endpoint's provider has run out");
            }
            None => return self.refuse("the exchange is over"),
        };
        self.number = number;
        let endpoint = slot.with(|exchange| exchange.health_key()).flatten();
        self.running = endpoint.map(|key| Running::begin(slot.namespace, key));
        for name in TRACE_HEADERS {
            if let Some(value) = host::header_text(Map::Request, name) {
                outgoing.headers.push((name.to_owned(), value));
            }
        }
        if !host::set_headers(Map::Request, &outgoing.headers) {
            return self.refuse("the request headers could not be written");
        }
        self.body = Some(outgoing.body);
        tokens::drop_missing(&slot, now);
        self.store_samples(now);
        // Should this attempt never answer, Envoy goes to the next candidate all the same.
        set_next_cluster(&slot);
        Action::Continue
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        // The stub makes room for the real body; whatever else comes is no part of it.
        host::set_buffer(Buffer::RequestBody, &self.body.take().unwrap_or_default());
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        host::drop_trailers(Map::RequestTrailers);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Some(slot) = self.slot.clone() else {
            return Action::Continue;
        };
        let headers = host::headers(Map::Response);
        let status = headers
            .text(":status")
            .and_then(|text| text.parse().ok())
            .unwrap_or(502);
        let head = ResponseHead {
            status,
            content_type: headers.text("content-type"),
            content_encoding: headers.text("content-encoding"),
            retry_after: headers.text("retry-after"),
            retry_after_ms: headers.text("retry-after-ms"),
        };
        let (now, number) = (host::now_ms(), self.number);
        slot.with(|exchange| exchange.headers(number, &head, now));
        if end_of_stream {
            return self.take_headers_only(&slot, now);
        }
        self.paused = true;
        Action::Pause
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.note_release();
        self.take(size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        host::drop_trailers(Map::ResponseTrailers);
        self.note_release();
        if self.paused {
            return self.take(0, true);
        }
        // Outside of a body callback only the gateway placement's held body can be written.
        let Some(slot) = self.slot.clone() else {
            return Action::Continue;
        };
        slot.closing.set(0);
        let (now, number) = (host::now_ms(), self.number);
        match slot.with(|exchange| exchange.body(number, b"", true, now)) {
            Some(Next::Pass(bytes) | Next::BreakOff(bytes)) => Self::write_out(&slot, &bytes),
            Some(Next::Wait(callout)) => slot.wait.ask(number, callout),
            _ => {}
        }
        Action::Continue
    }
}
