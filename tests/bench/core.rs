//! What the core costs by itself, natively, in nanoseconds an event or a request: `cargo bench` (`-- redact` chooses).
//!
//! Every line is the median of [`ROUNDS`] rounds, each long enough for the clock. Numbers of one machine in one run are
//! good for comparing with each other and for finding what has become slower; in Envoy the same code runs as WebAssembly.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that does not do what it measures had better stop"
)]

use crosspoint::chat::Request;
use crosspoint::config::Config;
use crosspoint::dialect::client;
use crosspoint::exchange::{Action, Ending, Exchange, ResponseHead};
use crosspoint::health::{Record, Sample, View};
use crosspoint::meter::sketch_prompt;
use crosspoint::ranking::{self, Count};
use crosspoint::route::{Asked, Moment, Needs, Preferences, choose};
#[cfg(feature = "tokenizer")]
use crosspoint::tokenizer::{Counter, Vocabulary};
use crosspoint::wire::{Frame, Framer, Framing};
use serde_json::{Value, json};
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(40);
/// Events of one stream.
const EVENTS: usize = 1_000;
const CAP: usize = 1 << 20;
/// One exchange's use of a model.
const COUNT: Count = Count {
    requests: 1,
    tokens: 2_000,
};

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let bench = |name: &str, unit: &str, per: usize, work: &mut dyn FnMut()| {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            let nanoseconds = measure(work) / per as f64;
            println!("{name:<58} {nanoseconds:>10.0} ns per {unit}");
        }
    };
    let plain = Rc::new(config(&json!([])));
    let redacting = Rc::new(config(&json!([
        { "redact": { "rules": [
            { "pattern": r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}", "mask": "[card]" },
            { "literal": "top secret" },
        ] } },
    ])));
    let (openai, anthropic, bedrock) = (openai_stream(), anthropic_stream(), bedrock_stream());

    bench("framer: server-sent events", "event", EVENTS, &mut || {
        frames(Framing::Sse, &anthropic);
    });
    bench(
        "framer: server-sent events, cut into 7 bytes",
        "event",
        EVENTS,
        &mut || {
            frames(Framing::Sse, &cut(&anthropic));
        },
    );
    bench("framer: AWS event stream", "event", EVENTS, &mut || {
        frames(Framing::EventStream, &bedrock);
    });
    for (name, config, model, stream, content_type) in [
        (
            "stream: openai passed through",
            &plain,
            "bench/openai",
            &openai,
            SSE,
        ),
        (
            "stream: anthropic to openai",
            &plain,
            "bench/anthropic",
            &anthropic,
            SSE,
        ),
        (
            "stream: bedrock to openai",
            &plain,
            "bench/bedrock",
            &bedrock,
            AWS,
        ),
        (
            "stream: openai through redact",
            &redacting,
            "bench/openai",
            &openai,
            SSE,
        ),
        (
            "stream: anthropic to openai through redact",
            &redacting,
            "bench/anthropic",
            &anthropic,
            SSE,
        ),
    ] {
        let request = request(model, true, 1_000);
        bench(name, "event", EVENTS, &mut || {
            exchange(config, &request, stream, content_type);
        });
    }
    let whole = [answer_of_anthropic()];
    for (size, kilobytes) in [(1_000, "1 KB"), (100_000, "100 KB")] {
        for (model, cluster) in [("bench/openai", "openai"), ("bench/anthropic", "anthropic")] {
            let request = request(model, false, size);
            let name = format!("request: {kilobytes} read, planned, written for {cluster}");
            bench(&name, "request", 1, &mut || {
                black_box(sent(&plain, &request));
            });
        }
    }
    let request = request("bench/anthropic", false, 1_000);
    bench(
        "exchange: buffered, anthropic, 1 KB in, 1 KB out",
        "request",
        1,
        &mut || {
            exchange(&plain, &request, &whole, "application/json");
        },
    );
    let (many, asking) = (many_endpoints(50), caching_request());
    let fast = Record::default().update(Sample::Success, 1_000);
    let fast = (0..10).fold(fast, |record, _| {
        record.update(Sample::FirstToken { ms: 300 }, 1_000)
    });
    for (name, view) in [
        ("nothing known", View::default()),
        ("all known", fast.view(1, 1_000)),
    ] {
        let models = ["m".to_owned()];
        let asked = Asked {
            models: &models,
            preferences: &Preferences::default(),
            needs: &Needs::of(&asking, None),
            rules: &[],
        };
        let mut seed = 0;
        let name = format!("route: choose of 50 endpoints, {name}");
        bench(&name, "request", 1, &mut || {
            seed += 1;
            let moment = Moment { now_ms: 1_000, seed };
            black_box(choose(&many, &asked, &mut |_| view, moment).expect("a plan"));
        });
    }
    bench(
        "health: a record read, updated, written",
        "sample",
        1,
        &mut || {
            let record = Record::from_bytes(black_box(&fast.to_bytes()));
            black_box(
                record
                    .update(Sample::FirstToken { ms: 300 }, 2_000)
                    .view(1, 2_000),
            );
        },
    );
    let used = (0..168).fold(ranking::Record::default(), |record, hour| {
        record.add(COUNT, hour * 3_600_000)
    });
    bench("ranking: a model's key, of a receipt", "exchange", 1, &mut || {
        black_box(ranking::key(black_box("anthropic/claude-sonnet-4.5")));
    });
    bench(
        "ranking: a record read, added to, written",
        "model and tick",
        1,
        &mut || {
            let record = ranking::Record::from_bytes(black_box(&used.to_bytes()));
            black_box(record.add(COUNT, 169 * 3_600_000));
        },
    );
    let image = request_with_image(20 << 20);
    bench(
        "prompt: estimated, a 20 MB image in it",
        "request",
        1,
        &mut || {
            black_box(sketch_prompt(black_box(&image), &["gpt-4o"]));
        },
    );
    #[cfg(feature = "tokenizer")]
    for vocabulary in Vocabulary::ALL {
        let mut counter = Counter::new(vocabulary);
        let name = format!("tokenizer: a delta of 4 tokens, {}", vocabulary.name());
        bench(&name, "delta", 1, &mut || {
            counter.feed(black_box(" and so it goes"));
        });
    }
    let (open, _) = sent(&plain, &request);
    bench("receipt: a provisional one as JSON", "receipt", 1, &mut || {
        black_box(open.provisional(2_000).to_json());
    });
}

/// Nanoseconds for one go.
fn measure(work: &mut dyn FnMut()) -> f64 {
    let mut goes = 1_u32;
    while time(goes, work) < ROUND {
        goes *= 2;
    }
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| time(goes, work).as_secs_f64() * 1e9 / f64::from(goes))
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().unwrap()
}

fn time(goes: u32, work: &mut dyn FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..goes {
        work();
    }
    begun.elapsed()
}

const SSE: &str = "text/event-stream";
const AWS: &str = "application/vnd.amazon.eventstream";

fn config(middleware: &Value) -> Config {
    let provider = |dialect: &str| json!({ "base_url": "http://127.0.0.1:1/v1", "dialect": dialect });
    let model = |provider: &str| {
        let price = json!({ "prompt": "3.00", "completion": "15.00" });
        json!({ "endpoints": [{ "provider": provider, "model": "upstream-model", "price": price }] })
    };
    let value = json!({
        "providers": {
            "openai": provider("openai-chat"),
            "anthropic": provider("anthropic-messages"),
            "bedrock": provider("bedrock-converse"),
        },
        "models": {
            "bench/openai": model("openai"),
            "bench/anthropic": model("anthropic"),
            "bench/bedrock": model("bedrock"),
        },
        "middleware": middleware,
    });
    Config::read(&value, None).expect("a configuration")
}

/// A model with so many endpoints, all of which cache, and all of whose facts are known.
fn many_endpoints(count: usize) -> Config {
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
    Config::read(&value, None).expect("a configuration")
}

/// A request that needs tools, and has a beginning to be known by.
fn caching_request() -> Request {
    let tools = json!([{ "type": "function", "function": { "name": "f", "parameters": {} } }]);
    let messages =
        json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Well?" }]);
    let body = json!({ "model": "m", "messages": messages, "tools": tools, "max_tokens": 1_000 });
    Request::parse(serde_json::to_vec(&body).unwrap()).expect("a request")
}

/// One JPEG of so many bytes, whose size stands behind 40 KB of other things.
fn request_with_image(bytes: usize) -> Request {
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
fn request(model: &str, stream: bool, size: usize) -> Vec<u8> {
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

fn sent(config: &Rc<Config>, request: &[u8]) -> (Exchange, usize) {
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
        .plan(&mut |_| View::default(), Moment::default())
        .expect("a plan");
    let cluster = exchange.next_cluster().unwrap().to_owned();
    let (number, outgoing) = exchange.begin(&cluster, 1_001).expect("an attempt");
    black_box(outgoing);
    (exchange, number)
}

/// A whole exchange; every piece of the answer comes by itself.
fn exchange(config: &Rc<Config>, request: &[u8], answer: &[Vec<u8>], content_type: &str) {
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

fn frames(framing: Framing, pieces: &[Vec<u8>]) {
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

fn cut(pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
    pieces.concat().chunks(7).map(<[u8]>::to_vec).collect()
}

/// `EVENTS` events, the first and the last ones included.
fn stream(first: &[Vec<u8>], each: &dyn Fn(usize) -> Vec<u8>, last: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let tokens = EVENTS - first.len() - last.len();
    first
        .iter()
        .cloned()
        .chain((0..tokens).map(each))
        .chain(last.iter().cloned())
        .collect()
}

fn token(at: usize) -> &'static str {
    [
        " and",
        " words",
        " follow",
        " —",
        " 日本語",
        ", \\\"quoted\\\"",
        " 4111",
    ]
    .into_iter()
    .cycle()
    .nth(at % 7)
    .unwrap()
}

fn openai_stream() -> Vec<Vec<u8>> {
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-BkQ0fcQnYyn8wyiyk6wKLfRrzwTvo\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\
             \"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_07871e2ad8\",\
             \"choices\":[{choices}],\"usage\":{usage}}}\n\n"
        )
        .into_bytes()
    };
    let delta = |delta: &str, finish: &str| {
        let choice =
            format!("{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}");
        chunk(&choice, "null")
    };
    stream(
        &[delta(
            r#"{"role":"assistant","content":"","refusal":null}"#,
            "null",
        )],
        &|at| delta(&format!("{{\"content\":\"{}\"}}", token(at)), "null"),
        &[
            delta("{}", "\"stop\""),
            chunk(
                "",
                r#"{"prompt_tokens":20,"completion_tokens":200,"total_tokens":220}"#,
            ),
            b"data: [DONE]\n\n".to_vec(),
        ],
    )
}

fn anthropic_stream() -> Vec<Vec<u8>> {
    let event = |name: &str, members: &str| {
        format!("event: {name}\ndata: {{\"type\":\"{name}\"{members}}}\n\n").into_bytes()
    };
    stream(
        &[
            event(
                "message_start",
                ",\"message\":{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\
                 \"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":20,\"output_tokens\":1}}",
            ),
            event(
                "content_block_start",
                r#","index":0,"content_block":{"type":"text","text":""}"#,
            ),
        ],
        &|at| {
            let text = token(at);
            let members = format!(",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}");
            event("content_block_delta", &members)
        },
        &[
            event("content_block_stop", ",\"index\":0"),
            event(
                "message_delta",
                r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}"#,
            ),
            event("message_stop", ""),
        ],
    )
}

fn bedrock_stream() -> Vec<Vec<u8>> {
    stream(
        &[message("messageStart", r#"{"p":"abcd","role":"assistant"}"#)],
        &|at| {
            let text = token(at);
            let payload = format!(
                "{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{text}\"}},\"p\":\"abcdefghijkl\"}}"
            );
            message("contentBlockDelta", &payload)
        },
        &[
            message("contentBlockStop", r#"{"contentBlockIndex":0,"p":"abc"}"#),
            message("messageStop", r#"{"p":"abcdef","stopReason":"end_turn"}"#),
            message(
                "metadata",
                r#"{"metrics":{"latencyMs":400},"p":"a","usage":{"inputTokens":20,"outputTokens":200,"totalTokens":220}}"#,
            ),
        ],
    )
}

/// One message of an AWS event stream.
fn message(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":event-type", event),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ] {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(headers.len() + payload.len() + 16).unwrap();
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload.as_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn answer_of_anthropic() -> Vec<u8> {
    let text = "and naïve words follow — too as \"quoted\" text does. ".repeat(15);
    serde_json::to_vec(&json!({
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 20, "output_tokens": 200 },
    }))
    .unwrap()
}
