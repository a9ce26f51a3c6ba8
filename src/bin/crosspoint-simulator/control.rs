//! The control endpoint: faults for a whole provider, counters, recorded requests, predictions. JSON over HTTP.
//!
//! | | |
//! |---|---|
//! | `GET /health` | `{"status":"ok"}` |
//! | `GET /rules` | how tokens are counted, and every directive |
//! | `PUT /fault/{provider}` | `{"directives":"status=503;times=3"}` for every request of that provider; `GET` shows, `DELETE` clears |
//! | `GET /requests?provider=` | the last 1000 recorded requests, oldest first; `DELETE` forgets them |
//! | `GET /counters` | counts and leaks of each provider |
//! | `POST /predict/{provider}` | the answer to a provider request given as the body (`?path=` says where it went) |
//! | `POST /reset` | forgets everything: requests, counters, leaks, faults |

use std::io;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::fault::{DIRECTIVES, Faults, split_model};
use crate::ledger::Page;
use crate::percent;
use crate::provider::Call;
use crate::script::Script;
use crate::shared::Shared;
use crate::table::PROVIDERS;
use crate::text::{RULE, answer};

/// Answers one request to the control port.
pub(crate) async fn serve(shared: &Shared, request: Request<Incoming>) -> io::Result<Response<Script>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, 64 << 20)
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let (status, value) = route(
        shared,
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
        &body,
    );
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Script::plain(value.to_string()))
        .map_err(io::Error::other)
}

fn route(shared: &Shared, method: &str, path: &str, query: &str, body: &[u8]) -> (u16, Value) {
    let ledger = &shared.ledger;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (method, segments.as_slice()) {
        ("GET", ["health"]) => (200, json!({"status": "ok"})),
        ("GET", ["rules"]) => (200, json!({"tokens": RULE, "directives": DIRECTIVES})),
        ("GET", ["counters"]) => (200, ledger.counters()),
        ("POST", ["reset"]) => {
            ledger.reset();
            (200, json!({"reset": true}))
        }
        ("GET", ["requests"]) => match parameter(query, "provider") {
            None => (200, ledger.requests(None)),
            Some(name) => named(shared, name, |page| (200, ledger.requests(Some(page)))),
        },
        ("DELETE", ["requests"]) => {
            ledger.forget_requests();
            (200, json!([]))
        }
        ("GET", ["fault", name]) => named(shared, name, |page| (200, page.fault())),
        ("PUT", ["fault", name]) => named(shared, name, |page| {
            let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
            let Some(directives) = parsed.get("directives").and_then(Value::as_str) else {
                return (400, json!({"error": "the body is to be {\"directives\":\"…\"}"}));
            };
            match page.set_fault(Some(directives.to_owned())) {
                Ok(()) => (200, page.fault()),
                Err(why) => (400, json!({"error": why})),
            }
        }),
        ("DELETE", ["fault", name]) => named(shared, name, |page| {
            // Clearing parses nothing, so it cannot fail.
            let _ = page.set_fault(None);
            (200, Value::Null)
        }),
        ("POST", ["predict", name]) => named(shared, name, |page| predict(shared, page, query, body)),
        _ => (
            404,
            json!({"error": format!("no {method} {path} here; see --help and the module's documentation")}),
        ),
    }
}

/// What the provider would answer, without asking it: for tests that compare.
fn predict(shared: &Shared, page: &Page, query: &str, body: &[u8]) -> (u16, Value) {
    let (provider, keys) = (page.provider, &shared.keys);
    let mut headers = HeaderMap::new();
    let (name, prefix) = provider.key_header();
    let key = provider
        .secrets()
        .first()
        .map_or("", |secret| keys.get(secret.name));
    if let Ok(value) = HeaderValue::try_from(format!("{prefix}{key}")) {
        headers.insert(name, value);
    }
    headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let path = parameter(query, "path")
        .and_then(percent::decoded)
        .unwrap_or_default();
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path.as_str(), None),
    };
    match provider.read(&Call {
        method: "POST",
        path,
        query,
        headers: &headers,
        body,
        keys,
    }) {
        Err(refusal) => (refusal.status, json!({"refused": refusal.message})),
        Ok(ask) => {
            let faults = Faults::parse(split_model(&ask.id).1).unwrap_or_default();
            let said = answer(&ask, &faults, provider.writes_cache());
            let calls: Vec<Value> = said
                .calls
                .iter()
                .map(|c| json!({"name": c.name, "arguments": c.arguments}))
                .collect();
            let usage = json!({
                "prompt_tokens": said.usage.prompt, "completion_tokens": said.usage.completion,
                "reasoning_tokens": said.usage.reasoning, "cache_read_tokens": said.usage.cache_read,
                "cache_write_tokens": said.usage.cache_write,
            });
            let thought = said.whole_thought();
            let vectors = ask.embed.as_ref().map(|embed| embed.vectors(faults.empty));
            (
                200,
                json!({
                    "text": said.whole_text(), "thought": thought, "calls": calls, "usage": usage, "vectors": vectors,
                }),
            )
        }
    }
}

fn named(shared: &Shared, name: &str, then: impl FnOnce(&Page) -> (u16, Value)) -> (u16, Value) {
    match shared.ledger.page(name) {
        Some(page) => then(page),
        None => {
            let known: Vec<_> = PROVIDERS.iter().map(|provider| provider.name()).collect();
            let known = known.join(", ");
            (
                404,
                json!({"error": format!("no provider `{name}`; there are {known}")}),
            )
        }
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
