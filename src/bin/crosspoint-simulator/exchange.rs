//! One request to a provider: read it whole, record it, check it, then answer or fail as told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::ask::Ask;
use crate::fault::{Faults, split_model};
use crate::ledger::Page;
use crate::ledger::{Recorded, Watch};
use crate::provider::{Call, Provider, Refusal, Stamp};
use crate::script::{Script, streamed, whole};
use crate::shared::Shared;
use crate::table::PROVIDERS;
use crate::text::answer;

/// Answers one request. An error ends the connection without an answer.
pub(crate) async fn serve(
    shared: &Shared,
    page: &Arc<Page>,
    reset: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> io::Result<Response<Script>> {
    let sequence = shared.ledger.next();
    let stamp = Stamp { sequence, now: now() };
    let provider = page.provider;
    page.count_request();
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, provider.body_limit()).collect().await else {
        page.count_refused();
        return refuse(provider, &provider.fault(413, ""), &Faults::default(), stamp);
    };
    let body = body.to_bytes();
    let path = parts.uri.path();
    let call = Call {
        method: parts.method.as_str(),
        path,
        query: parts.uri.query(),
        headers: &parts.headers,
        body: &body,
        keys: &shared.keys,
    };
    for leak in leaks(&call, provider, &shared.client_prefixes) {
        page.leak(sequence, &leak);
    }
    if shared.ledger.record {
        page.keep(Recorded {
            index: sequence,
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            headers: parts.headers.clone(),
            body: body.clone(),
            settled: None,
        });
    }
    let ask = match provider.read(&call) {
        Ok(ask) => ask,
        Err(refusal) => {
            page.count_refused();
            return refuse(provider, &refusal, &Faults::default(), stamp);
        }
    };
    let faults = match page.faults(&ask.id, split_model(&ask.id).1) {
        Ok(faults) => faults,
        Err(why) => {
            page.count_refused();
            return refuse(
                provider,
                &provider.fault(400, "").message(why),
                &Faults::default(),
                stamp,
            );
        }
    };
    let watch = Watch::new(page.clone(), sequence);
    perform(provider, &ask, &faults, stamp, (watch, reset)).await
}

/// The answer to a good request, with what is to go wrong.
async fn perform(
    provider: &'static dyn Provider,
    ask: &Ask,
    faults: &Faults,
    stamp: Stamp,
    (mut watch, reset): (Watch, Arc<AtomicBool>),
) -> io::Result<Response<Script>> {
    if faults.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(faults.delay_ms)).await;
    }
    if faults.reset {
        reset.store(true, Ordering::Relaxed);
        watch.cut();
        return Err(io::Error::other("simulated reset"));
    }
    if faults.no_headers {
        // Ends when the client goes away: hyper then drops this future, and `watch` with it.
        return std::future::pending().await;
    }
    if faults.html {
        watch.refused();
        return page_of_html(faults);
    }
    let at_once = if ask.stream {
        None
    } else {
        faults.error_at.map(|_| provider.overloaded())
    };
    if let Some(status) = faults.status.or(at_once) {
        watch.refused();
        return refuse(provider, &provider.fault(status, ask.model()), faults, stamp);
    }
    if faults.error_200 {
        watch.refused();
        let refusal = Refusal {
            status: 200,
            ..provider.fault(500, ask.model())
        };
        return refuse(provider, &refusal, faults, stamp);
    }
    let answer = answer(ask, faults, provider.writes_cache());
    let completion = answer.usage.completion * ask.copies.max(1);
    watch.expect(&answer.usage, ask.copies.max(1));

    let mut response = Response::builder().status(200);
    for (name, value) in provider.headers(None, stamp) {
        response = response.header(name, value);
    }
    if faults.gzip {
        response = response.header("content-encoding", "gzip");
    }
    let script = if ask.stream {
        response = response.header("content-type", provider.stream_type());
        let pieces = provider.streamed(ask, &answer, faults, stamp);
        let steps = streamed(pieces, provider.error_event(ask, faults, stamp), faults)?;
        Script::new(steps, !faults.burst, reset, watch)
    } else {
        response = response.header("content-type", "application/json");
        let body = provider.buffered(ask, &answer, faults, stamp);
        let length = body.len() as u64;
        let steps = whole(body, completion, faults)?;
        let script = Script::new(steps, faults.chunk.is_some(), reset, watch);
        let declared = provider.declares_length() && !faults.gzip && !faults.garbage;
        if declared && faults.garbage_at.is_none() {
            script.declared(length)
        } else {
            script
        }
    };
    response.body(script).map_err(io::Error::other)
}

fn refuse(
    provider: &'static dyn Provider,
    refusal: &Refusal,
    faults: &Faults,
    stamp: Stamp,
) -> io::Result<Response<Script>> {
    let mut response = Response::builder()
        .status(refusal.status)
        .header("content-type", "application/json");
    for (name, value) in provider.headers(Some(refusal), stamp) {
        response = response.header(name, value);
    }
    if let Some(seconds) = faults.retry_after {
        response = response.header("retry-after", seconds);
    }
    response
        .body(Script::plain(provider.refusal_body(refusal, stamp)))
        .map_err(io::Error::other)
}

fn page_of_html(faults: &Faults) -> io::Result<Response<Script>> {
    const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad \
        Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";
    Response::builder()
        .status(faults.status.unwrap_or(502))
        .header("content-type", "text/html")
        .header("server", "cloudflare")
        .body(Script::plain(Bytes::from_static(PAGE.as_bytes())))
        .map_err(io::Error::other)
}

/// What a request carries that this provider must not see.
fn leaks(call: &Call<'_>, provider: &dyn Provider, client_prefixes: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let body = std::str::from_utf8(call.body).unwrap_or_default();
    for owner in PROVIDERS {
        for secret in owner.secrets() {
            let (what, value) = (secret.name, call.keys.get(secret.name));
            if value.is_empty() || (secret.sent && owner.name() == provider.name()) {
                continue;
            }
            for (name, text) in call.headers {
                if String::from_utf8_lossy(text.as_bytes()).contains(value) {
                    found.push(format!("header {name} carries the key {what}"));
                }
            }
            if call.query.is_some_and(|query| query.contains(value)) || call.path.contains(value) {
                found.push(format!("path carries the key {what}"));
            }
            if body.contains(value) {
                found.push(format!("body carries the key {what}"));
            }
        }
    }
    for (name, value) in call.headers {
        if name.as_str().starts_with("x-crosspoint-") {
            found.push(format!("internal header {name}"));
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        let mut words = value.split([' ', ',', ';', '=']);
        if words.any(|word| {
            client_prefixes
                .iter()
                .any(|p| !p.is_empty() && word.starts_with(p.as_str()))
        }) {
            found.push(format!("header {name} carries a client's key"));
        }
    }
    found
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;

    #[test]
    fn foreign_keys_and_internal_headers_are_leaks() {
        let keys = crate::table::sample_keys();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer sim-openai-key".parse().unwrap());
        headers.insert("x-api-key", "sim-anthropic-key".parse().unwrap());
        headers.insert("x-crosspoint-plan", "1".parse().unwrap());
        headers.insert("x-other", "Bearer cp-12345".parse().unwrap());
        let call = Call {
            method: "POST",
            path: "/",
            query: None,
            headers: &headers,
            body: b"sim-bedrock-key",
            keys: &keys,
        };
        let found = leaks(&call, PROVIDERS[0], &["cp-".to_owned()]);
        assert_eq!(found.len(), 4, "{found:?}");
        headers.remove("x-api-key");
        headers.remove("x-crosspoint-plan");
        headers.remove("x-other");
        let call = Call {
            method: "POST",
            path: "/",
            query: None,
            headers: &headers,
            body: b"{}",
            keys: &keys,
        };
        assert!(leaks(&call, PROVIDERS[0], &["cp-".to_owned()]).is_empty());
    }
}
