//! Everything at once, in any order.

use super::envoy::{Cluster, Envoy, chat_headers};
use super::guard::Guard;
use super::host::host;
use super::provider::{Event, PROVIDERS, Script, answer, chat, config, error, head, streamed, streamed_head};
use super::vm::worker;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

const TEXT: &str = "alpha beta? gamma delta";

/// Splitmix64.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        crosspoint::hash::mix(self.0)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A worker with many exchanges under way.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) envoy: Envoy,
    pub(crate) random: Random,
    /// What is left of each request's body.
    bodies: BTreeMap<u32, Vec<u8>>,
    /// What each attempt's provider still does.
    scripts: BTreeMap<(u32, usize), VecDeque<Event>>,
    streams: BTreeMap<u32, bool>,
}

impl Crowd {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        if random.one_in(2) {
            crosspoint::filter::add_middleware(Rc::new(Guard {
                requests: random.one_in(2),
                ends: random.one_in(2),
                ..Guard::default()
            }));
        }
        let mut config = config();
        if random.one_in(3) {
            config["middleware"] = json!([{"redact": {"rules": [{"literal": "secret"}]}}]);
        }
        let mut envoy = Envoy::start(&config);
        envoy.late_done = random.one_in(2);
        envoy.attempt_done_first = random.one_in(2);
        envoy.slow_loop = random.one_in(2);
        envoy.refuse_retries = random.one_in(4);
        Self {
            envoy,
            random,
            bodies: BTreeMap::new(),
            scripts: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    pub(crate) fn step(&mut self) {
        let open = self.envoy.open_streams();
        match self.random.below(40) {
            0 => self.envoy.tick(),
            1 => self.envoy.turn(),
            2 => {
                let ms = *self.random.pick(&[1, 100, 900, 5_000, 31_000, 61_000]);
                self.envoy.advance(ms);
            }
            3..6 => {
                if let Some(callout) = self.envoy.callouts().first() {
                    let replies = [Some((200, &b""[..])), Some((200, b"")), Some((403, b"")), None];
                    let reply = *self.random.pick(&replies);
                    self.envoy.answer_callout(callout.token, reply);
                }
            }
            6 => {
                for name in PROVIDERS {
                    let state = match self.random.below(20) {
                        0 => Cluster::NoHosts,
                        1 => Cluster::Overflow,
                        _ => Cluster::Up,
                    };
                    self.envoy.set_cluster(name, state);
                }
            }
            _ if open.is_empty() || (open.len() < 6 && self.random.one_in(8)) => self.open(),
            _ => {
                let id = *self.random.pick(&open);
                self.work(id);
            }
        }
    }

    fn open(&mut self) {
        let mut headers = chat_headers();
        if self.random.one_in(20) {
            headers.set(b":path", b"/elsewhere");
        }
        let end = self.random.one_in(20);
        let id = self.envoy.open(&headers, end);
        let stream = self.random.one_in(2);
        let mut request = match self.random.below(10) {
            0 => json!({"model": "no/such", "messages": []}),
            1 => json!([]),
            2 => chat("m/bedrock", stream),
            3 => chat("m/anthropic", stream),
            _ => chat("m/any", stream),
        };
        if self.random.one_in(3) && request["model"] == "m/any" {
            request["provider"] = Value::Null;
        }
        self.streams.insert(id, stream);
        self.bodies.insert(id, request.to_string().into_bytes());
    }

    fn work(&mut self, id: u32) {
        if self.random.one_in(60) {
            return self.envoy.client_leaves(id);
        }
        if self.random.one_in(150) {
            let (status, details) = *self.random.pick(&[
                (503, "no_healthy_upstream"),
                (504, "response_timeout"),
                (413, "request_payload_too_large"),
                (500, "wasm_fail_stream"),
            ]);
            let body = *self.random.pick(&["", "text"]);
            return self.envoy.local_reply(id, status, details, body);
        }
        if let Some(body) = self.bodies.get_mut(&id) {
            let size = self.random.below(body.len() + 1);
            let piece: Vec<u8> = body.drain(..size).collect();
            let last = body.is_empty();
            let trailers = self.random.one_in(4);
            self.envoy.request_data(id, &piece, last && !trailers);
            if last {
                self.bodies.remove(&id);
                if trailers {
                    self.envoy.request_trailers(id);
                }
            }
            return;
        }
        let Some(cluster) = self.envoy.waiting_cluster(id) else {
            return;
        };
        let key = (id, self.envoy.sent(id).len());
        if !self.scripts.contains_key(&key) {
            let script = self.script(&cluster, self.streams[&id]);
            self.scripts.insert(key, script.into());
        }
        if let Some(event) = self.scripts.get_mut(&key).unwrap().pop_front() {
            self.envoy.event(id, &event);
        }
    }

    fn script(&mut self, provider: &str, stream: bool) -> Script {
        let mut script = match self.random.below(12) {
            0 => error(provider, *self.random.pick(&[400, 401, 404, 422, 429, 500, 503])),
            1 => answer(provider, stream, ""),
            2 => vec![Event::HeadOnly(head(
                *self.random.pick(&[200, 204, 400, 500]),
                "application/json",
            ))],
            3 => vec![Event::Reset],
            4 => vec![
                Event::Head(head(200, "text/event-stream")),
                Event::End(b"data: {\"error\":{\"message\":\"no\",\"code\":500}}\n\n".to_vec()),
            ],
            5 => {
                let kinds: [&str; 3] = ["application/json", "text/event-stream", "text/html"];
                let kind: &str = kinds[self.random.below(kinds.len())];
                let status = *self.random.pick(&[200, 500]);
                vec![
                    Event::Head(head(status, kind)),
                    Event::End(b"\xff\x00garbage\n\n{".to_vec()),
                ]
            }
            6 => {
                // Cut anywhere.
                let mut script = streamed_head(provider);
                let bytes = streamed(provider, TEXT).concat();
                let size = self.random.below(bytes.len());
                script.push(Event::Data(bytes[..size].to_vec()));
                script.push(self.random.pick(&[Event::Reset, Event::End(Vec::new())]).clone());
                script
            }
            // Silence.
            7 => streamed_head(provider),
            _ => answer(provider, stream, TEXT),
        };
        if self.random.one_in(2) {
            script = self.cut(script);
        }
        script
    }

    /// The same bytes in other pieces.
    fn cut(&mut self, script: Script) -> Script {
        let mut out = Vec::new();
        for event in script {
            match event {
                Event::Data(bytes) | Event::End(bytes) if bytes.is_empty() => out.push(Event::Data(bytes)),
                Event::Data(bytes) => self.pieces(&bytes, &mut out),
                Event::End(bytes) => {
                    self.pieces(&bytes, &mut out);
                    out.push(
                        self.random
                            .pick(&[Event::End(Vec::new()), Event::Trailers])
                            .clone(),
                    );
                }
                other => out.push(other),
            }
        }
        out
    }

    fn pieces(&mut self, bytes: &[u8], out: &mut Script) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(1 + self.random.below(rest.len()));
            out.push(Event::Data(piece.to_vec()));
            rest = more;
        }
    }

    pub(crate) fn end(&mut self) -> usize {
        for id in self.envoy.open_streams() {
            self.envoy.client_leaves(id);
        }
        self.streams.len()
    }

    /// An answer that the receipt calls a success is whole; one that is not says why.
    fn check(&self) {
        for (&id, &stream) in &self.streams {
            let Some(receipt) = self.envoy.receipts(id).pop() else {
                continue;
            };
            let client = self.envoy.client(id);
            if receipt["outcome"] == "success" && client.complete {
                let text = if stream {
                    let (text, done) = client.streamed();
                    assert!(done, "{}", client.text());
                    text
                } else {
                    let body = client.json();
                    body["choices"][0]["message"]["content"]
                        .as_str()
                        .unwrap_or("")
                        .to_owned()
                };
                assert!(text == TEXT || text.is_empty(), "{id}: {text} {receipt}");
            }
            if let Some(headers) = client.headers.as_ref().filter(|_| client.complete) {
                let status = headers.number(":status").unwrap();
                assert_eq!(receipt["status"], status, "{id}: {receipt} {}", client.text());
                if status != 200 && !client.body.is_empty() {
                    assert_eq!(client.json()["error"]["code"], status);
                }
            }
        }
    }
}

#[test]
fn any_order_of_events_leaves_one_receipt_each_and_nothing_else() {
    let mut exchanges = 0;
    for seed in 0..120 {
        exchanges += worker(move || {
            let mut crowd = Crowd::new(seed);
            for _ in 0..1_500 {
                crowd.step();
            }
            let exchanges = crowd.end();
            crowd.envoy.turn();
            crowd.check();
            crowd.envoy.assert_sound();
            assert!(host(|host| host.callouts.is_empty()));
            exchanges
        });
    }
    assert!(exchanges > 3_000, "{exchanges}");
}
