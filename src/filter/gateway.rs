//! The gateway placement: one context per client request.

use super::contract::{GENERATION, RETRY_HEADER, STUB};
use super::dispatch::dispatch;
use super::headers::Headers;
use super::host::{self, Buffer, Map, Stream};
use super::identity::Caller;
use super::request_head::{self, RequestHead};
use super::slot::{Downstream, Slot, Written};
use super::state::Gateway;
use super::{
    account, budget, callout, downstream, health, identity, market, memory, registry, reply, settlement,
    stats, waiting,
};
use crate::api::account::generation;
use crate::config::PolicyScope;
use crate::dialect::client::{self, ClientDialect};
use crate::error::{Error, Kind};
use crate::exchange::{Exchange, Head};
use crate::headers;
use crate::middleware::{Reply, Step};
use crate::route::RouteContext;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// One client request.
#[derive(Debug)]
pub(super) struct GatewayContext {
    gateway: Rc<Gateway>,
    context: u32,
    phase: Phase,
    slot: Option<Rc<Slot>>,
    id: String,
    /// The dialect of the path that was asked for.
    client: &'static ClientDialect,
    terms: PolicyScope,
    /// The caller, where callers have names.
    caller: Option<Rc<Caller>>,
    /// A local reply of Envoy's is being replaced with this.
    replacement: Option<Vec<u8>>,
    /// The answer is a stream.
    streams: bool,
}

#[derive(Debug)]
enum Phase {
    /// Nothing has come.
    Start,
    /// The request's body is coming. Envoy holds it: memory that a VM has once taken is never given back.
    Reading,
    /// A request middleware waits for its callout.
    Waiting,
    /// The request is on its way, or was answered from here.
    Done,
}

impl GatewayContext {
    pub(super) const fn new(gateway: Rc<Gateway>, context: u32) -> Self {
        Self {
            gateway,
            context,
            phase: Phase::Start,
            slot: None,
            id: String::new(),
            client: client::OPENAI_CHAT,
            terms: PolicyScope {
                route: None,
                key: None,
            },
            caller: None,
            replacement: None,
            streams: false,
        }
    }

    /// Opens the exchange of a request.
    fn open(&mut self) -> Rc<Slot> {
        let now = host::now_ms();
        // An exchange without a caller cannot be looked up.
        let place = match &self.caller {
            Some(_) => account::place(&self.gateway),
            None => self.gateway.random(),
        };
        self.id = generation::id(now, self.gateway.random(), place);
        let config = Rc::clone(&self.gateway.config);
        let key = self.caller.as_ref().map(|caller| caller.name.clone());
        let exchange = Exchange::open(config, self.client, self.id.clone(), key, now).under(self.terms);
        let slot = Slot::new(
            exchange,
            self.caller.clone(),
            self.gateway.namespace,
            self.context,
        );
        let slot = registry::insert(self.id.clone(), slot);
        self.slot = Some(Rc::clone(&slot));
        slot
    }

    /// Answers with an error, in the exchange's name if there is one.
    fn refuse(&mut self, error: Error) -> Action {
        self.phase = Phase::Done;
        let Some(slot) = &self.slot else {
            return self.respond(&reply::error(self.client, &error));
        };
        slot.promise.end();
        reply::refuse(slot, error)
    }

    /// The policy of the route that Envoy has chosen, by its place.
    fn route(&self) -> Option<usize> {
        let config = &self.gateway.config;
        if config.routes.is_empty() {
            return None;
        }
        config.route(&host::property_text(&["xds", "route_name"]))
    }

    /// Notes who calls, if he may use this route.
    fn authenticate(&mut self, headers: &Headers) -> Result<(), Error> {
        let config = Rc::clone(&self.gateway.config);
        let Some(caller) = identity::caller(&config, headers)? else {
            return Ok(());
        };
        let (name, key) = (&caller.name, caller.key);
        if config.is_admitted(PolicyScope { key, ..self.terms }) {
            self.terms.key = key;
            self.caller = Some(Rc::new(caller));
            return Ok(());
        }
        let route = self.terms.route.and_then(|route| config.routes.get(route));
        let route = route.map_or("", |route| &route.name);
        Err(Error::new(
            Kind::PermissionDenied,
            format!("key {name} may not be used here: the policy of route {route} does not name it"),
        ))
    }

    /// True if the response that goes out names this exchange, so that a placement of ours has written it.
    fn is_own_answer(&self) -> bool {
        host::header(Map::Response, headers::GENERATION_ID).is_some_and(|id| id == self.id.as_bytes())
    }

    /// Answers what may be read here.
    fn serve(&mut self, path: &str, query: &str) -> Option<Action> {
        let account = account::answer(&self.gateway, self.caller.as_deref(), path, query);
        let head = account.or_else(|| market::answer(&self.gateway, self.terms, path, query))?;
        Some(self.respond(&head))
    }

    fn respond(&mut self, head: &Head) -> Action {
        self.phase = Phase::Done;
        host::respond(head);
        Action::Pause
    }

    /// Begins a request. Its body is still to come.
    fn begin(&mut self, headers: &Headers, end_of_stream: bool) -> Action {
        let slot = self.open();
        if let Some(caller) = &self.caller
            && let Err(error) = budget::greet(&self.gateway, caller, host::now_ms())
        {
            return self.refuse(error);
        }
        // Should the VM die while it reads the request, this is its receipt.
        if let Some(receipt) = slot.with(|exchange| exchange.begun()) {
            let _ = host::set_property(GENERATION, &receipt);
        }
        let head = match RequestHead::read(headers) {
            Ok(head) => head,
            Err(error) => return self.refuse(error),
        };
        let taken = slot.with(|exchange| {
            if let Some(session) = head.session {
                exchange.set_session(session.to_owned());
            }
            if head.shows_routing {
                exchange.show_routing();
            }
            head.own_keys.map_or(Ok(()), |keys| exchange.set_own_keys(keys))?;
            Ok::<_, Error>(exchange.limits().request_body)
        });
        let limit = match taken {
            Some(Ok(limit)) => limit,
            Some(Err(error)) => return self.refuse(error),
            None => return Action::Pause,
        };
        if head.length.is_some_and(|length| length > limit) {
            return self.refuse(too_large(limit));
        }
        if end_of_stream {
            return self.refuse(Error::invalid(format!(
                "the request has no body; send a JSON object with model and {}",
                self.client.operation().prompt()
            )));
        }
        if !self.has_room(&slot, 0, head.length.unwrap_or(0)) {
            return self.refuse(full());
        }
        self.phase = Phase::Reading;
        Action::Pause
    }

    /// True if there is room for the body, of which so many bytes have come and so many are declared.
    fn has_room(&self, slot: &Slot, come: usize, declared: usize) -> bool {
        let has_room = slot.promise.renew(self.gateway.config.memory, come, declared);
        if !has_room {
            stats::no_room();
        }
        has_room
    }

    /// The body is complete, and Envoy holds it: takes it, and leaves the stub.
    fn admit(&mut self) -> Action {
        self.phase = Phase::Done;
        let Some(slot) = self.slot.clone() else {
            host::set_buffer(Buffer::RequestBody, STUB);
            return Action::Continue;
        };
        // It stands here as it came, and as it goes out.
        let can_be_had = memory::can_be_had(slot.promise.longest());
        let body = if can_be_had {
            host::buffer(Buffer::RequestBody)
        } else {
            Vec::new()
        };
        host::set_buffer(Buffer::RequestBody, STUB);
        slot.promise.end();
        if !can_be_had {
            stats::no_room();
            return self.refuse(full());
        }
        match slot.with(|exchange| exchange.read(body).map(|()| exchange.run_request_middleware())) {
            Some(Ok(step)) => self.step(&slot, step),
            Some(Err(error)) => self.refuse(error),
            None => Action::Continue,
        }
    }

    /// Does as a step of the request middleware asks.
    fn step(&mut self, slot: &Rc<Slot>, mut step: Step) -> Action {
        loop {
            match step {
                Step::Done => return self.plan(slot),
                Step::Reject(error) => return self.refuse(error),
                Step::Wait(callout) => {
                    if host::call(&callout).is_some() {
                        self.phase = Phase::Waiting;
                        return Action::Pause;
                    }
                    let Some(next) = slot.with(|exchange| exchange.resume_request_middleware(Reply::Failed))
                    else {
                        return Action::Continue;
                    };
                    step = next;
                }
            }
        }
    }

    /// Plans, and dispatches the request.
    fn plan(&mut self, slot: &Rc<Slot>) -> Action {
        self.phase = Phase::Done;
        let now = host::now_ms();
        let namespace = self.gateway.namespace;
        let seed = self.gateway.random();
        // The one place where the core asks back: the function reads shared data and touches no exchange.
        let mut views = |key| health::view(namespace, key, now);
        let moment = RouteContext { now_ms: now, seed };
        let planned = slot.with(|exchange| exchange.plan(&mut views, moment).map(|()| exchange.trial()));
        if let (Some(Ok(_)), Some(caller)) = (&planned, &self.caller) {
            match budget::admit(&self.gateway, caller, slot, now) {
                Ok(hold) => slot.hold.set(hold),
                Err(error) => return self.refuse(error),
            }
        }
        if let Some(Ok(Some(trial))) = planned
            && !health::claim(namespace, trial, now)
        {
            slot.with(Exchange::forgo_trial);
        }
        match planned {
            Some(Ok(_)) => dispatch(slot, now),
            Some(Err(error)) => self.refuse(error),
            None => Action::Continue,
        }
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(
        Kind::PayloadTooLarge,
        format!("the request is larger than {limit} bytes; raise limits.request_body"),
    )
}

fn full() -> Error {
    Error::gateway_full("a request of this length")
}

impl Context for GatewayContext {
    fn on_http_call_response(&mut self, _token: u32, _headers: usize, body: usize, _trailers: usize) {
        let Some(slot) = self.slot.clone() else { return };
        let reply = callout::reply(slot.memory, body);
        if !matches!(self.phase, Phase::Waiting) {
            return waiting::answered(&slot, reply, true);
        }
        let Some(step) = slot.with(|exchange| exchange.resume_request_middleware(reply)) else {
            return;
        };
        if self.step(&slot, step) == Action::Continue {
            host::resume(Stream::Request);
        }
    }
}

impl HttpContext for GatewayContext {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let headers = host::headers(Map::Request);
        request_head::drop_internal(&headers);
        let method = headers.text(":method").unwrap_or_default();
        let target = headers.text(":path").unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.terms.route = self.route();
        let prefix = self.gateway.config.prefix(self.terms);
        let inside = path.strip_prefix(prefix).filter(|inside| inside.starts_with('/'));
        let path = inside.unwrap_or(path);
        if (method, path) == ("GET", crate::api::console::PATH) && self.gateway.config.page {
            // Before any key: a browser has none yet, and the page holds no data.
            return self.respond(&market::page());
        }
        let client = client::at(path);
        self.client = client.unwrap_or(self.client);
        if let Err(error) = self.authenticate(&headers) {
            return self.refuse(error);
        }
        let served = match (method, client) {
            ("POST", Some(_)) => Some(self.begin(&headers, end_of_stream)),
            ("GET", _) => self.serve(path, query),
            _ => None,
        };
        served.unwrap_or_else(|| self.refuse(request_head::not_served(method, path)))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match self.phase {
            Phase::Reading => {
                let limit = self.gateway.config.limits(self.terms).request_body;
                let refusal = match &self.slot {
                    _ if size > limit => Some(too_large(limit)),
                    Some(slot) if !self.has_room(slot, size, 0) => Some(full()),
                    _ => None,
                };
                if let Some(error) = refusal {
                    host::set_buffer(Buffer::RequestBody, b"");
                    return self.refuse(error);
                }
                if end_of_stream {
                    self.admit()
                } else {
                    Action::Pause
                }
            }
            Phase::Waiting => Action::Pause,
            Phase::Start | Phase::Done => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        host::drop_trailers(Map::RequestTrailers);
        match self.phase {
            // The body was paused, so it may still be written.
            Phase::Reading => self.admit(),
            Phase::Waiting => Action::Pause,
            Phase::Start | Phase::Done => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Some(slot) = &self.slot else {
            return Action::Continue;
        };
        if waiting::headers(slot, end_of_stream) {
            self.streams = slot.with(|exchange| exchange.is_streaming()) == Some(true);
            return Action::Pause;
        }
        let given_up = slot.wait.give_up();
        match slot.written.get() {
            Written::Answer if !given_up => {
                self.streams = slot.with(|exchange| exchange.is_streaming()) == Some(true);
                return Action::Continue;
            }
            Written::Answer | Written::Retry | Written::Nothing => {}
        }
        let refused = slot.refused.take();
        if let Some(head) = refused.filter(|_| self.is_own_answer()) {
            // Envoy has refused the retry that a tick asked for, outside of any body callback that could have written a body.
            host::respond(&head);
            return Action::Pause;
        }
        if self.is_own_answer() {
            // Refused before any attempt; or Envoy has refused the retry that an attempt asked for.
            host::remove_header(Map::Response, RETRY_HEADER);
            return Action::Continue;
        }
        self.replacement = reply::replace(slot, end_of_stream);
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if let Some(body) = &mut self.replacement {
            host::set_buffer(Buffer::ResponseBody, &std::mem::take(body));
            return Action::Continue;
        }
        match &self.slot {
            Some(slot) if waiting::piece(slot, end_of_stream) => {
                slot.downstream.set(Downstream::Held);
                Action::Pause
            }
            Some(slot) if self.streams => downstream::piece(slot, size, end_of_stream),
            _ => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        host::drop_trailers(Map::ResponseTrailers);
        let Some(slot) = &self.slot else {
            return Action::Continue;
        };
        if waiting::trailers(slot) {
            return Action::Pause;
        }
        slot.downstream.set(Downstream::Plain);
        Action::Continue
    }

    fn on_log(&mut self) {
        if let Some(slot) = self.slot.take() {
            registry::remove(&self.id);
            settlement::settle(&self.gateway, &slot);
        }
    }
}

impl Drop for GatewayContext {
    /// Envoy always logs before it deletes; if it ever did not, the registry must not keep the exchange.
    fn drop(&mut self) {
        registry::remove(&self.id);
    }
}
