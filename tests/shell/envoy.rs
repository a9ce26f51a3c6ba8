//! Plays Envoy's connection manager and router around the filter: both placements, retries, local replies, and the order
//! of the callbacks at the end, as ENVOY.md saw them.

use super::host::{Callout, Context, Headers, StreamInfo, host};
use super::provider::{Event, Script};
use super::vm;
use serde_json::{Value, json};
use std::collections::BTreeMap;

mod manager;
mod router;
mod seen;

const GATEWAY_ROOT: u32 = 1;
const ATTEMPT_ROOT: u32 = 2;

/// How a cluster takes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cluster {
    Up,
    /// The name does not resolve.
    NoHosts,
    /// A circuit breaker is open.
    Overflow,
    /// The request comes to this cluster instead.
    Misrouted(&'static str),
}

/// What an attempt sent to its provider.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) cluster: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Headers>,
}

impl Sent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What the client got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) headers: Option<Headers>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Headers>,
    /// The response came to its end.
    pub(crate) complete: bool,
}

impl Client {
    pub(crate) fn status(&self) -> u64 {
        self.headers.as_ref().unwrap().number(":status").unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.as_ref().unwrap().text(name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The text of a streamed answer, and whether it ended with `[DONE]`.
    pub(crate) fn streamed(&self) -> (String, bool) {
        let mut text = String::new();
        let mut done = false;
        for line in self.text().lines() {
            match line.strip_prefix("data: ") {
                Some("[DONE]") => done = true,
                Some(data) => {
                    let chunk: Value = serde_json::from_str(data).unwrap();
                    text += chunk["choices"][0]["delta"]["content"].as_str().unwrap_or("");
                }
                None => {}
            }
        }
        (text, done)
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Request,
    Response,
}

/// The attempt under way.
#[derive(Debug)]
struct Live {
    context: u32,
    cluster: String,
    deadline_ms: Option<u64>,
    /// The router has its response headers.
    answered: bool,
    /// The provider has begun, or ended, its response.
    begun: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Stream {
    attempt: Option<Live>,
    /// Attempts that are over and were not told.
    gone: Vec<u32>,
    request_headers: Headers,
    request_body: Vec<u8>,
    request_trailers: Option<Headers>,
    request_end: bool,
    /// The request is on its way, or was answered.
    routed: bool,
    retries: u64,
    per_try_ms: Option<u64>,
    /// The request's headers as they left the gateway.
    forwarded: Headers,
    sent: Vec<Sent>,
    client: Client,
    ended: bool,
}

#[derive(Debug)]
pub(crate) struct Envoy {
    streams: BTreeMap<u32, Stream>,
    clusters: BTreeMap<String, Cluster>,
    next_context: u32,
    /// The router does not retry, whatever it is asked.
    pub(crate) refuse_retries: bool,
    /// A failed attempt is told of its end after the next one has begun.
    pub(crate) late_done: bool,
    /// The attempt is told of the end before the gateway.
    pub(crate) attempt_done_first: bool,
    /// The event loop's next turn comes only when it is called for.
    pub(crate) slow_loop: bool,
    /// The placements run in two VMs: an attempt finds another registry than its gateway's.
    pub(crate) other_vm: bool,
}

impl Envoy {
    /// Configures both placements.
    pub(crate) fn start(config: &Value) -> Self {
        let gateway = json!({"placement": "gateway", "config": config});
        assert!(root(GATEWAY_ROOT, gateway.to_string().as_bytes()), "{:?}", logs());
        assert!(root(ATTEMPT_ROOT, br#"{"placement":"attempt"}"#));
        let clusters = config["providers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(id, provider)| {
                let cluster = provider["cluster"].as_str().unwrap_or(id);
                (cluster.to_owned(), Cluster::Up)
            });
        Self {
            streams: BTreeMap::new(),
            clusters: clusters.collect(),
            next_context: 10,
            refuse_retries: false,
            late_done: false,
            attempt_done_first: false,
            slow_loop: false,
            other_vm: false,
        }
    }

    pub(crate) fn set_cluster(&mut self, name: &str, cluster: Cluster) {
        self.clusters.insert(name.to_owned(), cluster);
    }

    /// A whole exchange: a POST of `body`, and what each provider does when it is asked.
    pub(crate) fn exchange(&mut self, body: &Value, scripts: &[(&str, Script)]) -> u32 {
        let id = self.post(body);
        self.play(id, scripts);
        id
    }

    /// A POST of `body` in one piece.
    pub(crate) fn post(&mut self, body: &Value) -> u32 {
        let id = self.open(&chat_headers(), false);
        self.request_data(id, body.to_string().as_bytes(), true);
        id
    }

    /// Has the providers do as scripted, until the stream has ended or waits.
    pub(crate) fn play(&mut self, id: u32, scripts: &[(&str, Script)]) {
        while let Some(cluster) = self.waiting_cluster(id) {
            let attempt = self.sent(id).len();
            let Some((_, script)) = scripts.iter().find(|(name, _)| *name == cluster) else {
                return;
            };
            for event in script {
                if self.sent(id).len() == attempt {
                    self.event(id, event);
                }
            }
            if self.sent(id).len() == attempt {
                return;
            }
        }
    }

    pub(crate) fn event(&mut self, id: u32, event: &Event) {
        match event {
            Event::Head(headers) => self.respond(id, headers.clone(), false),
            Event::HeadOnly(headers) => self.respond(id, headers.clone(), true),
            Event::Data(bytes) => self.response_data(id, bytes, false),
            Event::End(bytes) => self.response_data(id, bytes, true),
            Event::Trailers => self.response_trailers(id),
            Event::Reset => self.reset(id),
            Event::Wait(ms) => self.advance(*ms),
        }
    }

    pub(crate) fn open(&mut self, headers: &Headers, end: bool) -> u32 {
        let id = self.context(0, GATEWAY_ROOT);
        host(|host| host.streams.insert(id, StreamInfo::default()));
        let stream = Stream {
            request_end: end,
            ..Stream::default()
        };
        self.streams.insert(id, stream);
        if let Some(headers) = self.pass_headers(id, Way::Request, headers.clone(), end) {
            self.streams.get_mut(&id).unwrap().request_headers = headers;
            self.route_if_ended(id);
        }
        self.turn_if_fast();
        id
    }

    pub(crate) fn request_data(&mut self, id: u32, bytes: &[u8], end: bool) {
        if self.takes_request(id) {
            self.streams.get_mut(&id).unwrap().request_end = end;
            if let Some((headers, body)) = self.pass_data(id, Way::Request, bytes, end) {
                self.forward_request(id, headers, body);
            }
        }
        self.turn_if_fast();
    }

    pub(crate) fn request_trailers(&mut self, id: u32) {
        if self.takes_request(id) {
            self.streams.get_mut(&id).unwrap().request_end = true;
            if let Some((headers, body)) = self.pass_trailers(id, Way::Request, trailers()) {
                self.forward_request(id, headers, body);
            }
        }
        self.turn_if_fast();
    }

    pub(crate) fn respond(&mut self, id: u32, headers: Headers, end: bool) {
        if let Some(live) = self.live(id)
            && !live.begun
        {
            live.begun = true;
            live.ended = end;
            let context = live.context;
            if let Some(headers) = self.pass_headers(context, Way::Response, headers, end) {
                self.hand_to_router(id, headers, end);
            }
        }
        self.turn_if_fast();
    }

    pub(crate) fn response_data(&mut self, id: u32, bytes: &[u8], end: bool) {
        if let Some(live) = self.live(id)
            && live.begun
        {
            live.ended = end;
            let context = live.context;
            if let Some((headers, body)) = self.pass_data(context, Way::Response, bytes, end) {
                self.take_from_attempt(id, headers, Some(body), end);
            }
        }
        self.turn_if_fast();
    }

    pub(crate) fn response_trailers(&mut self, id: u32) {
        if let Some(live) = self.live(id)
            && live.begun
        {
            live.ended = true;
            let context = live.context;
            if let Some((headers, body)) = self.pass_trailers(context, Way::Response, trailers()) {
                let trailers = manager::take_trailers(context, Way::Response);
                let body = Some(body).filter(|body| !body.is_empty());
                self.take_from_attempt(id, headers, body, false);
                self.hand_trailers_on(id, context, trailers.unwrap_or_default());
            }
        }
        self.turn_if_fast();
    }

    /// The provider's connection fails, or is reset.
    pub(crate) fn reset(&mut self, id: u32) {
        if let Some(live) = self.live(id) {
            live.ended = true;
            if live.answered {
                self.finish(
                    id,
                    "upstream_reset_after_response_started{connection_termination}",
                );
            } else {
                let details = "upstream_reset_before_response_started{connection_termination}";
                self.retry_or_reply(id, 503, details, "upstream connect error");
            }
        }
        self.turn_if_fast();
    }

    pub(crate) fn client_leaves(&mut self, id: u32) {
        if !self.streams[&id].ended {
            self.finish(id, "downstream_remote_disconnect");
        }
        self.turn_if_fast();
    }

    /// Envoy itself answers.
    pub(crate) fn local_reply(&mut self, id: u32, status: u32, details: &str, body: &str) {
        let headers = Headers::of(
            [("content-type", "text/plain")]
                .into_iter()
                .filter(|_| !body.is_empty()),
        );
        self.reply(id, status, headers, body.as_bytes(), details);
    }

    /// Lets time pass; attempts that are out of it by then are ended.
    pub(crate) fn advance(&mut self, ms: u64) {
        let target = host(|host| host.clock_ms) + ms;
        loop {
            let due = self
                .streams
                .iter()
                .filter_map(|(id, stream)| {
                    let live = stream.attempt.as_ref().filter(|live| !live.answered)?;
                    Some((live.deadline_ms?, *id))
                })
                .min()
                .filter(|(deadline, _)| *deadline <= target);
            let Some((deadline, id)) = due else { break };
            host(|host| host.clock_ms = host.clock_ms.max(deadline));
            self.retry_or_reply(id, 504, "upstream_per_try_timeout", "upstream request timeout");
            self.turn_if_fast();
        }
        host(|host| host.clock_ms = target);
    }

    pub(crate) fn tick(&mut self) {
        vm::tick(GATEWAY_ROOT);
        self.after();
        self.turn_if_fast();
    }

    /// One turn of the event loop: what was sent through queues arrives.
    pub(crate) fn turn(&mut self) {
        while let Some(queue) = host(|host| host.ready.pop_front()) {
            let root = host(|host| host.queues[queue as usize - 1].0);
            vm::queue_ready(root, queue);
            self.after();
        }
    }

    /// Callouts that wait for an answer.
    pub(crate) fn callouts(&self) -> Vec<Callout> {
        host(|host| host.callouts.clone())
    }

    /// Answers a callout; `None`: it failed.
    pub(crate) fn answer_callout(&mut self, token: u32, answer: Option<(u16, &[u8])>) {
        let known = host(|host| {
            let known = host.callouts.iter().any(|callout| callout.token == token);
            host.callouts.retain(|callout| callout.token != token);
            host.callout_answer =
                answer.map(|(status, body)| (Headers::of([(":status", status.to_string())]), body.to_vec()));
            known
        });
        if known {
            let (headers, body) = answer.map_or((0, 0), |(_, body)| (1, body.len()));
            vm::call_response(GATEWAY_ROOT, token, headers, body);
            host(|host| host.callout_answer = None);
            self.after();
        }
        self.turn_if_fast();
    }
}

/// Makes and configures a root context.
pub(crate) fn root(root: u32, configuration: &[u8]) -> bool {
    host(|host| {
        let context = Context {
            configuration: configuration.to_vec(),
            ..Context::default()
        };
        host.contexts.insert(root, context);
    });
    vm::create(root, 0);
    vm::configure(root, configuration.len())
}

/// The lines of the log.
pub(crate) fn logs() -> Vec<String> {
    host(|host| host.logs.iter().map(|(_, line)| line.clone()).collect())
}

pub(crate) fn chat_headers() -> Headers {
    Headers::of([
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        (":authority", "gateway"),
        (":scheme", "http"),
        ("content-type", "application/json"),
    ])
}

/// Trailers that must go nowhere.
fn trailers() -> Headers {
    Headers::of([
        ("authorization", "Bearer of-the-trailers"),
        ("set-cookie", "a=b"),
        ("x-crosspoint-retry", "1"),
        ("x-generation-id", "gen-evil"),
        ("grpc-status", "0"),
    ])
}

fn set_details(id: u32, details: &str) {
    host(|host| {
        let info = host.streams.get_mut(&id).unwrap();
        details.clone_into(&mut info.code_details);
    });
}

fn violation(text: impl Into<String>) {
    host(|host| host.violations.push(text.into()));
}
