//! What the workloads are made of: configurations, requests, and the way of an exchange through the core.

use crate::answers::EVENTS;
use crosspoint::chat::Request;
use crosspoint::config::Config;
use crosspoint::dialect::client;
use crosspoint::exchange::{Action, Ending, Exchange, ResponseHead};
use crosspoint::hash;
use crosspoint::health::View;
use crosspoint::load;
use crosspoint::route::RouteContext;
use crosspoint::wire::{Frame, Framer, Framing};
use serde_json::{Value, json};
use std::hint::black_box;
use std::rc::Rc;

const CAP: usize = 1 << 20;

pub(crate) fn config(middleware: &Value) -> Config {
    let provider = |dialect: &str| json!({ "base_url": "http://127.0.0.1:1/v1", "dialect": dialect });
    let model = |provider: &str, stream_upstream: &str| {
        let price = json!({ "prompt": "3.00", "completion": "15.00" });
        let endpoint = json!({
            "provider": provider, "model": "upstream-model", "price": price, "stream_upstream": stream_upstream,
        });
        json!({ "endpoints": [endpoint] })
    };
    let value = json!({
        "providers": {
            "openai": provider("openai-chat"),
            "anthropic": provider("anthropic-messages"),
            "bedrock": provider("bedrock-converse"),
        },
        "models": {
            "bench/openai": model("openai", "auto"),
            "bench/anthropic": model("anthropic", "auto"),
            "bench/bedrock": model("bedrock", "auto"),
            "bench/openai-folded": model("openai", "always"),
            "bench/anthropic-folded": model("anthropic", "always"),
        },
        "middleware": middleware,
    });
    load::config(&value, None).expect("a configuration")
}

/// A model with so many endpoints, all of which cache, and all of whose facts are known.
pub(crate) fn many_endpoints(count: usize) -> Config {
    let provider = json!({ "base_url": "http://127.0.0.1:1/v1", "dialect": "openai-chat" });
    let names: Vec<String> = (0..count).map(|at| format!("p{at}")).collect();
    let providers: serde_json::Map<_, _> = names
        .iter()
        .map(|name| (name.clone(), provider.clone()))
        .collect();
    let endpoints: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let price =
                json!({ "prompt": format!("{}", at % 7 + 1), "completion": "15.00", "cache_read": "0.1" });
            json!({
                "provider": name, "price": price, "context_length": 128_000, "max_completion_tokens": 16_000,
                "input_modalities": ["text", "image"], "supported_parameters": ["tools", "max_tokens"],
            })
        })
        .collect();
    let value = json!({ "providers": providers, "models": { "m": { "endpoints": endpoints } } });
    load::config(&value, None).expect("a configuration")
}

/// So many keys of clients, `cp-key-0` and on.
pub(crate) fn many_keys(count: usize) -> Config {
    let hex = |digest: [u8; 32]| {
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let keys: Vec<Value> = (0..count)
        .map(|at| {
            let digest = hash::sha256(format!("cp-key-{at}").as_bytes());
            json!({ "name": format!("caller-{at}"), "sha256": hex(digest) })
        })
        .collect();
    let provider = json!({ "base_url": "http://127.0.0.1:1/v1", "dialect": "openai-chat" });
    let endpoints = json!([{ "provider": "openai", "price": { "prompt": "1", "completion": "2" } }]);
    let value = json!({
        "providers": { "openai": provider }, "models": { "m": { "endpoints": endpoints } }, "keys": keys,
    });
    load::config(&value, None).expect("a configuration")
}

/// A request that needs tools, and has a beginning to be known by.
pub(crate) fn caching_request() -> Request {
    let tools = json!([{ "type": "function", "function": { "name": "f", "parameters": {} } }]);
    let messages =
        json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Well?" }]);
    let body = json!({ "model": "m", "messages": messages, "tools": tools, "max_tokens": 1_000 });
    Request::parse(serde_json::to_vec(&body).unwrap()).expect("a request")
}

/// One JPEG of so many bytes, whose size stands behind 40 KB of other things.
pub(crate) fn request_with_image(bytes: usize) -> Request {
    let mut jpeg = b"\xff\xd8\xff\xe1\x9c\x40".to_vec();
    jpeg.resize(40_004, 0x5a);
    jpeg.extend(b"\xff\xc0\0\x11\x08\x0b\xd0\x0f\xc0\x03");
    jpeg.resize(bytes / 4 * 3, 0x5a);
    let url = format!("data:image/jpeg;base64,{}", crosspoint::base64::encode(&jpeg));
    let part = json!({ "type": "image_url", "image_url": { "url": url } });
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [part] }] });
    Request::parse(serde_json::to_vec(&body).unwrap()).expect("a request")
}

/// A conversation of about `size` bytes.
pub(crate) fn request(model: &str, stream: bool, size: usize) -> Vec<u8> {
    let text = "He said \"this is it\":\n* the first of the points, then the second — and so on, as ever.\n"
        .repeat(4);
    let mut messages = vec![json!({ "role": "system", "content": "You are brief." })];
    for turn in 0..size.saturating_sub(200) / (text.len() + 40) {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({ "role": role, "content": text }));
    }
    messages.push(json!({ "role": "user", "content": "Well?" }));
    let body = json!({
        "model": model, "messages": messages, "max_tokens": 1_000, "temperature": 0.7, "stream": stream,
    });
    serde_json::to_vec(&body).unwrap()
}

pub(crate) fn sent(config: &Rc<Config>, request: &[u8]) -> (Exchange, usize) {
    let mut exchange = Exchange::open(
        Rc::clone(config),
        client::OPENAI_CHAT,
        "gen-bench".into(),
        None,
        1_000,
    );
    exchange.read(request.to_vec()).expect("a request");
    exchange.run_request_middleware();
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .expect("a plan");
    let cluster = exchange.next_cluster().unwrap().to_owned();
    let (number, outgoing) = exchange.begin(&cluster, 1_001).expect("an attempt");
    black_box(outgoing);
    (exchange, number)
}

/// A whole exchange; every piece of the answer comes by itself.
pub(crate) fn exchange(config: &Rc<Config>, request: &[u8], answer: &[Vec<u8>], content_type: &str) {
    let (mut exchange, number) = sent(config, request);
    let head = ResponseHead {
        status: 200,
        content_type: Some(content_type),
        ..ResponseHead::default()
    };
    exchange.headers(number, &head, 1_010);
    for (at, piece) in answer.iter().enumerate() {
        let action = exchange.body(number, piece, at + 1 == answer.len(), 1_020);
        assert!(!matches!(action, Action::Retry { .. }), "the answer was refused");
        black_box(action);
    }
    let (receipt, _) = exchange.settle(Ending::Complete, 1_030);
    assert_eq!(receipt.outcome.name(), "success");
    black_box(receipt.to_json());
}

pub(crate) fn frames(framing: Framing, pieces: &[Vec<u8>]) {
    let mut framer = Framer::new(framing, CAP);
    let mut count = 0;
    let mut sink = |frame: Frame<'_>| {
        black_box(frame);
        count += 1;
    };
    for piece in pieces {
        framer.feed(piece, &mut sink).unwrap();
    }
    framer.finish(&mut sink).unwrap();
    assert!(count >= EVENTS, "{count} frames");
}

pub(crate) fn cut(pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
    pieces.concat().chunks(7).map(<[u8]>::to_vec).collect()
}
