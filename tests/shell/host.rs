//! What the filter may ask of Envoy, and what Envoy remembers. No router here, and no pointers.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

mod callouts;
mod metrics;
mod shared;

pub(crate) const OK: u32 = 0;
pub(crate) const NOT_FOUND: u32 = 1;
pub(crate) const BAD_ARGUMENT: u32 = 2;
pub(crate) const EMPTY: u32 = 7;
pub(crate) const CAS_MISMATCH: u32 = 8;
pub(crate) const INTERNAL_FAILURE: u32 = 10;

/// Envoy's default limit of a held body, in bytes.
pub(crate) const BUFFER_LIMIT: usize = 1 << 20;

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::default());
}

/// Works on this thread's host. Must not call into the filter.
pub(crate) fn host<T>(work: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(work)
}

/// One host call: counted, and failed if it is its turn to fail.
pub(crate) fn call(name: &'static str, work: impl FnOnce(&mut Host) -> u32) -> u32 {
    host(|host| {
        host.calls += 1;
        if host.fail_call == Some(host.calls) || host.fail_named == Some(name) {
            return INTERNAL_FAILURE;
        }
        work(host)
    })
}

/// Headers in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    pub(crate) fn of<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.as_ref().to_vec(), value.as_ref().to_vec()))
                .collect(),
        )
    }

    /// The value; of several, joined by commas, as Envoy gives it.
    pub(crate) fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self
            .0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_slice())
            .collect();
        (!values.is_empty()).then(|| values.join(&b','))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name.as_bytes())
            .map(|value| String::from_utf8(value).unwrap())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).map(|text| text.parse().unwrap())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .0
            .iter()
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.0.push((name.to_vec(), value.to_vec()));
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(known, _)| known != name);
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let mut out = u32::try_from(self.0.len()).unwrap().to_le_bytes().to_vec();
        for (name, value) in &self.0 {
            out.extend(size(name));
            out.extend(size(value));
        }
        for part in self.0.iter().flat_map(|(name, value)| [name, value]) {
            out.extend(part);
            out.push(0);
        }
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if bytes.is_empty() {
            return Self::default();
        }
        let count = number(0);
        let mut at = 4 + count * 8;
        let mut next = |size: usize| {
            let part = bytes[at..at + size].to_vec();
            assert_eq!(bytes[at + size], 0);
            at += size + 1;
            part
        };
        Self(
            (0..count)
                .map(|index| (next(number(4 + index * 8)), next(number(8 + index * 8))))
                .collect(),
        )
    }

    /// What Envoy would stumble over.
    fn fault(&self) -> Option<String> {
        self.0.iter().find_map(|(name, value)| {
            let bad_name = name.is_empty()
                || name
                    .iter()
                    .any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii_graphic());
            let bad_value = value.iter().any(|byte| b"\r\n\0".contains(byte));
            (bad_name || bad_value).then(|| format!("no header: {:?}", String::from_utf8_lossy(name)))
        })
    }
}

/// One direction of one context.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Reachable from when they come until they are let go.
    pub(crate) headers: Option<Headers>,
    /// The headers callback paused.
    pub(crate) headers_held: bool,
    /// Reachable from when they come until they are let go.
    pub(crate) trailers: Option<Headers>,
    /// The piece that the current body callback shows.
    pub(crate) current: Option<Vec<u8>>,
    /// What body callbacks that paused left.
    pub(crate) held: Vec<u8>,
    /// The last body callback paused.
    pub(crate) buffering: bool,
    /// The last callback paused, and the filter has not gone on since.
    pub(crate) stopped: bool,
    /// The end was seen.
    pub(crate) end: bool,
}

impl Side {
    pub(crate) fn body(&mut self) -> Option<&mut Vec<u8>> {
        if self.buffering {
            Some(&mut self.held)
        } else {
            self.current.as_mut()
        }
    }
}

/// A context of the filter.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// The stream that it belongs to; 0 of a root.
    pub(crate) stream: u32,
    /// A root's configuration.
    pub(crate) configuration: Vec<u8>,
    pub(crate) request: Side,
    pub(crate) response: Side,
    pub(crate) tick_ms: u32,
}

/// What Envoy keeps of a stream for all its contexts.
#[derive(Debug, Default)]
pub(crate) struct StreamInfo {
    pub(crate) filter_state: BTreeMap<String, Vec<u8>>,
    /// Every receipt that was written, in order.
    pub(crate) receipts: Vec<Vec<u8>>,
    pub(crate) code_details: String,
    pub(crate) cluster: String,
    pub(crate) route_cleared: bool,
}

/// What waits for the end of the callback.
#[derive(Debug)]
pub(crate) enum Deferred {
    LocalReply {
        context: u32,
        status: u32,
        headers: Headers,
        body: Vec<u8>,
        details: String,
    },
    Continue {
        context: u32,
        response: bool,
    },
}

/// A callout that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Callout {
    pub(crate) token: u32,
    pub(crate) context: u32,
    pub(crate) cluster: String,
    pub(crate) body: Vec<u8>,
}

/// Shared data, which several workers may have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) records: BTreeMap<String, (Vec<u8>, u32)>,
    cas: u32,
    /// So many of the next writes with a compare-and-swap are overtaken.
    pub(crate) overtaken: usize,
    pub(crate) writes: usize,
}

#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) kind: u32,
    pub(crate) name: String,
    pub(crate) values: Vec<u64>,
}

/// One worker's host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) clock_ms: u64,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) streams: BTreeMap<u32, StreamInfo>,
    /// What Envoy calls the route that it chooses.
    pub(crate) route: String,
    /// The context that calls concern.
    pub(crate) effective: u32,
    pub(crate) deferred: VecDeque<Deferred>,
    pub(crate) callouts: Vec<Callout>,
    /// The clusters that callouts may go to.
    pub(crate) callout_clusters: Vec<String>,
    pub(crate) callout_answer: Option<(Headers, Vec<u8>)>,
    pub(crate) shared: Arc<Mutex<Shared>>,
    pub(crate) metrics: Vec<Metric>,
    /// How often a metric was defined, and how often one was moved.
    pub(crate) metric_calls: (u64, u64),
    pub(crate) logs: Vec<(u32, String)>,
    /// Queues: the root that made each, and its messages.
    pub(crate) queues: Vec<(u32, VecDeque<Vec<u8>>)>,
    /// Which queue's root is to be told, in the event loop's next turn.
    pub(crate) ready: VecDeque<u32>,
    pub(crate) limit: usize,
    /// What would have crashed Envoy or hung a stream.
    pub(crate) violations: Vec<String>,
    pub(crate) calls: u64,
    /// This call fails.
    pub(crate) fail_call: Option<u64>,
    /// All calls of this function fail.
    pub(crate) fail_named: Option<&'static str>,
    tokens: u32,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            clock_ms: 1_790_000_000_000,
            contexts: BTreeMap::new(),
            streams: BTreeMap::new(),
            route: "crosspoint".to_owned(),
            effective: 0,
            deferred: VecDeque::new(),
            callouts: Vec::new(),
            callout_clusters: vec!["guard".to_owned()],
            callout_answer: None,
            shared: Arc::default(),
            metrics: Vec::new(),
            metric_calls: (0, 0),
            logs: Vec::new(),
            queues: Vec::new(),
            ready: VecDeque::new(),
            limit: BUFFER_LIMIT,
            violations: Vec::new(),
            calls: 0,
            fail_call: None,
            fail_named: None,
            tokens: 0,
        }
    }
}

impl Host {
    fn context(&mut self) -> Option<&mut Context> {
        self.contexts.get_mut(&self.effective)
    }

    /// The headers of a map kind, while they are reachable.
    pub(crate) fn map(&mut self, kind: u32) -> Option<&mut Headers> {
        match kind {
            0 => self.context()?.request.headers.as_mut(),
            1 => self.context()?.request.trailers.as_mut(),
            2 => self.context()?.response.headers.as_mut(),
            3 => self.context()?.response.trailers.as_mut(),
            6 => self.callout_answer.as_mut().map(|(headers, _)| headers),
            _ => None,
        }
    }

    pub(crate) fn set_map(&mut self, kind: u32, headers: Headers) -> u32 {
        if let Some(fault) = headers.fault() {
            self.violations.push(fault);
        }
        match self.map(kind) {
            Some(map) => {
                *map = headers;
                OK
            }
            None => BAD_ARGUMENT,
        }
    }

    pub(crate) fn buffer(&mut self, kind: u32) -> Option<&mut Vec<u8>> {
        match kind {
            0 => self.context()?.request.body(),
            1 => self.context()?.response.body(),
            4 => self.callout_answer.as_mut().map(|(_, body)| body),
            7 => Some(&mut self.context()?.configuration),
            _ => None,
        }
    }

    pub(crate) fn set_buffer(&mut self, kind: u32, start: usize, size: usize, bytes: &[u8]) -> u32 {
        let limit = self.limit;
        let paused = match (kind, self.context()) {
            (0, Some(context)) => context.request.buffering,
            (1, Some(context)) => context.response.buffering,
            _ => false,
        };
        let Some(buffer) = self.buffer(kind) else {
            return BAD_ARGUMENT;
        };
        let from = start.min(buffer.len());
        let to = start.saturating_add(size).min(buffer.len());
        buffer.splice(from..to, bytes.iter().copied());
        let length = buffer.len();
        if paused && length > limit {
            self.violations.push(format!(
                "{length} bytes written into a held body: this crashes Envoy"
            ));
        }
        OK
    }

    fn stream(&mut self) -> Option<&mut StreamInfo> {
        let stream = self.context()?.stream;
        self.streams.get_mut(&stream)
    }

    pub(crate) fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let route = self.route.clone();
        let info = self.stream()?;
        match path {
            b"xds\0route_name" => Some(route.into_bytes()),
            b"xds\0cluster_name" => Some(info.cluster.clone().into_bytes()),
            b"response\0code_details" => {
                Some(info.code_details.clone().into_bytes()).filter(|details| !details.is_empty())
            }
            name => info
                .filter_state
                .get(&String::from_utf8_lossy(name).into_owned())
                .cloned(),
        }
    }

    pub(crate) fn set_property(&mut self, name: &[u8], value: &[u8]) -> u32 {
        let Some(info) = self.stream() else {
            return BAD_ARGUMENT;
        };
        let name = String::from_utf8(name.to_vec()).unwrap();
        if name == "crosspoint_generation" {
            info.receipts.push(value.to_vec());
        }
        info.filter_state.insert(name, value.to_vec());
        OK
    }

    pub(crate) fn set_effective(&mut self, context: u32) -> u32 {
        if !self.contexts.contains_key(&context) {
            return BAD_ARGUMENT;
        }
        self.effective = context;
        OK
    }

    pub(crate) fn defer_continue(&mut self, stream: u32) -> u32 {
        let context = self.effective;
        if stream > 1 || self.context().is_none_or(|context| context.stream == 0) {
            return BAD_ARGUMENT;
        }
        self.deferred.push_back(Deferred::Continue {
            context,
            response: stream == 1,
        });
        OK
    }

    pub(crate) fn defer_reply(&mut self, status: u32, details: &[u8], headers: Headers, body: &[u8]) -> u32 {
        let context = self.effective;
        if self.context().is_none_or(|context| context.stream == 0) {
            return BAD_ARGUMENT;
        }
        if let Some(fault) = headers.fault() {
            self.violations.push(fault);
        }
        self.deferred.push_back(Deferred::LocalReply {
            context,
            status,
            headers,
            body: body.to_vec(),
            details: String::from_utf8(details.to_vec()).unwrap(),
        });
        OK
    }

    pub(crate) fn clear_route(&mut self) -> u32 {
        match self.stream() {
            Some(info) => {
                info.route_cleared = true;
                OK
            }
            None => BAD_ARGUMENT,
        }
    }
}
