//! Runs one exchange through the whole core, as the shell would: fixtures in, what a client and the ledger see out.

#![expect(dead_code, reason = "each test target uses its own part")]

use crosspoint::chat::Operation;
use crosspoint::config::Config;
use crosspoint::dialect::client::{self, ClientDialect};
use crosspoint::dialect::{DIALECTS, Dialect, SERVING};
use crosspoint::exchange::{Action, Ending, Exchange, ResponseHead};
use crosspoint::health::{Sample, View};
use crosspoint::load;
use crosspoint::middleware::Step;
use crosspoint::route::RouteContext;
use std::rc::Rc;

pub(crate) mod fixtures;

/// When every exchange here begins, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_760_000_000_000;

/// What a client got, and what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The status and headers; `None` when nothing was let out.
    pub(crate) head: Option<(u16, Vec<(String, String)>)>,
    /// All bytes of the body.
    pub(crate) body: Vec<u8>,
    /// Whether another endpoint was asked for.
    pub(crate) retried: bool,
    /// The final receipt, as it is logged.
    pub(crate) receipt: String,
    /// What was noted about the endpoint's health.
    pub(crate) samples: Vec<Sample>,
}

impl Served {
    /// This, as a golden file has it.
    pub(crate) fn golden(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some((status, headers)) = &self.head {
            out.extend(format!("status: {status}\n").bytes());
            // The configuration's one model is in all of them.
            for (name, value) in headers.iter().filter(|(name, _)| name != "x-crosspoint-model") {
                out.extend(format!("{name}: {value}\n").bytes());
            }
        }
        out.extend(format!("\nhealth: {:?}\nreceipt: {}\n\n", self.samples, self.receipt).bytes());
        out.extend_from_slice(&self.body);
        out
    }

    /// A member of the receipt.
    pub(crate) fn receipt_member(&self, name: &str) -> serde_json::Value {
        let receipt: serde_json::Value = serde_json::from_str(&self.receipt).unwrap();
        receipt.get(name).cloned().unwrap_or_default()
    }
}

/// A wire format that providers speak, and what it serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    /// The format.
    pub(crate) dialect: &'static Dialect,
    /// What it serves.
    pub(crate) operation: Operation,
    /// The dialect of the provider's chats.
    pub(crate) chats: &'static str,
    /// What stands in the names of the models that it is for.
    pub(crate) models: &'static str,
}

/// All of them: the dialects of chats, and what is spoken beside them.
pub(crate) fn spoken() -> Vec<Spoken> {
    let chats = DIALECTS.iter().map(|dialect| Spoken {
        dialect,
        operation: Operation::Chat,
        chats: dialect.name(),
        models: "",
    });
    let others = SERVING.iter().map(|serving| Spoken {
        dialect: serving.dialect,
        operation: serving.operation,
        chats: serving.beside,
        models: serving.models,
    });
    chats.chain(others).collect()
}

/// The format of this name.
pub(crate) fn spoken_as(name: &str) -> Spoken {
    let found = spoken().into_iter().find(|spoken| spoken.dialect.name() == name);
    found.unwrap_or_else(|| panic!("{name} is not spoken"))
}

/// A configuration with one endpoint, of this dialect.
pub(crate) fn config(dialect: &str) -> Rc<Config> {
    config_with(dialect, serde_json::json!({}))
}

/// The same, with more members.
pub(crate) fn config_with(dialect: &str, more: serde_json::Value) -> Rc<Config> {
    let Spoken { chats, models, .. } = spoken_as(dialect);
    let mut value = serde_json::json!({
        "providers": {"upstream": {"dialect": chats, "base_url": "https://upstream.example/v1"}},
        "models": {"author/model": {"endpoints": [
            {"provider": "upstream", "model": format!("upstream-{models}model"), "price": {"prompt": "3.00", "completion": "15.00", "cache_read": "0.30"}}
        ]}},
    });
    if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    Rc::new(load::config(&value, None).unwrap())
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// A stream, with token counts.
    Stream,
    /// A stream, without a word about token counts.
    QuietStream,
    /// One document.
    Buffered,
    /// One document, with vectors in base64.
    Base64,
}

impl Client {
    /// Those whose answers have goldens.
    pub(crate) const fn with_goldens(operation: Operation) -> [Self; 2] {
        match operation {
            Operation::Chat | Operation::Completions => [Self::Stream, Self::Buffered],
            Operation::Embeddings => [Self::Base64, Self::Buffered],
        }
    }

    fn request(self, operation: Operation) -> String {
        let prompt = match operation {
            Operation::Chat => r#""messages":[{"role":"user","content":"Say hi."}]"#,
            Operation::Completions => r#""prompt":"Say hi.""#,
            Operation::Embeddings => r#""input":"Say hi.""#,
        };
        let more = match self {
            Self::Stream => r#","stream":true,"stream_options":{"include_usage":true}"#,
            Self::QuietStream => r#","stream":true"#,
            Self::Buffered => "",
            Self::Base64 => r#","encoding_format":"base64""#,
        };
        format!(r#"{{"model":"author/model",{prompt}{more}}}"#)
    }

    /// The extension of this client's golden files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::QuietStream => "quiet",
            Self::Buffered => "buffered",
            Self::Base64 => "base64",
        }
    }
}

/// Serves a client of chats from a response with status 200 whose body comes in these pieces.
pub(crate) fn serve(config: &Rc<Config>, client: Client, content_type: &str, pieces: &[&[u8]]) -> Served {
    serve_operation(Operation::Chat, config, client, content_type, pieces)
}

/// The same for a client who wants anything.
pub(crate) fn serve_operation(
    operation: Operation,
    config: &Rc<Config>,
    client: Client,
    content_type: &str,
    pieces: &[&[u8]],
) -> Served {
    let head = ResponseHead {
        status: 200,
        content_type: Some(content_type),
        ..Default::default()
    };
    serve_any(operation, config, &client.request(operation), &head, pieces)
}

/// Who answers to an operation.
pub(crate) fn client_of(operation: Operation) -> &'static ClientDialect {
    let dialects = client::PATHS.iter().map(|(_, dialect)| *dialect);
    let mut found = dialects.filter(|dialect| dialect.operation() == operation);
    found.next().unwrap()
}

/// Serves any chat from any response.
pub(crate) fn serve_request(
    config: &Rc<Config>,
    request: &str,
    head: &ResponseHead<'_>,
    pieces: &[&[u8]],
) -> Served {
    serve_any(Operation::Chat, config, request, head, pieces)
}

/// Serves any request from any response.
pub(crate) fn serve_any(
    operation: Operation,
    config: &Rc<Config>,
    request: &str,
    head: &ResponseHead<'_>,
    pieces: &[&[u8]],
) -> Served {
    let mut exchange = Exchange::open(
        Rc::clone(config),
        client_of(operation),
        "gen-fixture".to_owned(),
        None,
        BEGIN_MS,
    );
    exchange.read(request.as_bytes().to_vec()).unwrap();
    assert!(matches!(exchange.run_request_middleware(), Step::Done));
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .unwrap();
    let cluster = exchange.next_cluster().unwrap().to_owned();
    let (number, _) = exchange.begin(&cluster, BEGIN_MS + 10).unwrap();
    exchange.headers(number, head, BEGIN_MS + 200);
    let mut served = Served {
        head: None,
        body: Vec::new(),
        retried: false,
        receipt: String::new(),
        samples: Vec::new(),
    };
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.iter().enumerate() {
        let action = exchange.body(number, piece, at == last, BEGIN_MS + 250);
        served.take(action, piece);
    }
    let (receipt, samples) = exchange.settle(Ending::Complete, BEGIN_MS + 300);
    served.receipt = String::from_utf8(receipt.to_json()).unwrap();
    let outcomes = samples.into_iter().map(|(_, sample)| sample);
    // How fast it was is the time that this file makes up.
    let is_speed = |sample: &Sample| {
        matches!(
            sample,
            Sample::FirstToken { .. } | Sample::Whole { .. } | Sample::Throughput { .. }
        )
    };
    served.samples = outcomes.filter(|sample| !is_speed(sample)).collect();
    served
}

impl Served {
    fn take(&mut self, action: Action, piece: &[u8]) {
        match action {
            Action::Hold => assert!(self.head.is_none(), "held after it was let out"),
            Action::Release { head } | Action::Retry { head } => {
                assert!(self.head.is_none(), "let out twice");
                self.body.extend_from_slice(&head.body);
                self.head = Some((head.status, head.headers));
            }
            Action::Pass(bytes) | Action::BreakOff(bytes) => {
                assert!(self.head.is_some() || bytes.is_empty(), "a body before its head");
                self.body.extend_from_slice(&bytes);
            }
            Action::Unchanged => self.body.extend_from_slice(piece),
            Action::Wait(_) => panic!("nothing here waits"),
        }
    }
}

/// An answer without what it is charged, which stands beside its counts.
pub(crate) fn uncharged(body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    let mut rest = body;
    let mut out = String::new();
    while let Some((before, charged)) = rest.split_once(",\"cost\":0") {
        out.push_str(before);
        // It ends with an object of its own.
        rest = charged.split_once('}').unwrap().1;
    }
    assert!(out.is_empty() != body.contains("\"cost_details\""), "{body}");
    out + rest
}
