//! The workloads: what an exchange, an event, a plan or a look-up costs.

use crate::answers::{
    EVENTS, answer_of_anthropic, answer_of_openai, anthropic_stream, bedrock_stream, openai_stream,
};
use crate::parts::{
    caching_request, config, cut, exchange, frames, many_endpoints, many_keys, request, request_with_image,
    sent,
};
use crosspoint::hash;
use crosspoint::health::{Record, Sample, View};
use crosspoint::meter::ranking::{self, Count};
use crosspoint::meter::sketch_prompt;
use crosspoint::preference::Preferences;
use crosspoint::route::{Needs, RouteContext, RouteInput, choose};
#[cfg(feature = "tokenizer")]
use crosspoint::tokenizer::{Counter, Vocabulary};
use crosspoint::wire::Framing;
use serde_json::json;
use std::hint::black_box;
use std::rc::Rc;

const SSE: &str = "text/event-stream";
const AWS: &str = "application/vnd.amazon.eventstream";
/// One exchange's use of a model.
const COUNT: Count = Count {
    requests: 1,
    tokens: 2_000,
};
/// As many client keys as a large gateway has.
const KEYS: usize = 10_001;

/// Something that is done over and over.
pub(crate) struct Workload {
    pub(crate) name: String,
    /// What it is counted by, and how many of these one go has.
    pub(crate) unit: &'static str,
    pub(crate) per: usize,
    pub(crate) work: Box<dyn FnMut()>,
}

fn workload(name: impl Into<String>, unit: &'static str, work: impl FnMut() + 'static) -> Workload {
    Workload {
        name: name.into(),
        unit,
        per: 1,
        work: Box::new(work),
    }
}

fn of_events(name: impl Into<String>, work: impl FnMut() + 'static) -> Workload {
    Workload {
        per: EVENTS,
        ..workload(name, "event", work)
    }
}

/// All of them whose names have one of these parts in them; all, where there is none.
pub(crate) fn all(wanted: &[String]) -> Vec<Workload> {
    let mut all = Vec::new();
    framers(&mut all);
    streams(&mut all);
    requests(&mut all);
    planning(&mut all);
    records(&mut all);
    counting(&mut all);
    all.retain(|one| wanted.is_empty() || wanted.iter().any(|part| one.name.contains(part.as_str())));
    all
}

fn framers(all: &mut Vec<Workload>) {
    let (anthropic, bedrock) = (anthropic_stream(), bedrock_stream());
    let small = cut(&anthropic);
    all.push(of_events("framer: server-sent events", move || {
        frames(Framing::Sse, &anthropic);
    }));
    all.push(of_events(
        "framer: server-sent events, cut into 7 bytes",
        move || {
            frames(Framing::Sse, &small);
        },
    ));
    all.push(of_events("framer: AWS event stream", move || {
        frames(Framing::EventStream, &bedrock);
    }));
}

fn streams(all: &mut Vec<Workload>) {
    let plain = Rc::new(config(&json!([])));
    let redacting = Rc::new(config(&json!([
        { "redact": { "rules": [
            { "pattern": r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}", "mask": "[card]" },
            { "literal": "top secret" },
        ] } },
    ])));
    let (openai, anthropic, bedrock) = (openai_stream(), anthropic_stream(), bedrock_stream());
    for (name, config, model, stream, content_type) in [
        ("openai passed through", &plain, "bench/openai", &openai, SSE),
        ("anthropic to openai", &plain, "bench/anthropic", &anthropic, SSE),
        ("bedrock to openai", &plain, "bench/bedrock", &bedrock, AWS),
        ("openai through redact", &redacting, "bench/openai", &openai, SSE),
        (
            "anthropic to openai through redact",
            &redacting,
            "bench/anthropic",
            &anthropic,
            SSE,
        ),
    ] {
        let (config, stream) = (Rc::clone(config), stream.clone());
        let request = request(model, true, 1_000);
        all.push(of_events(format!("stream: {name}"), move || {
            exchange(&config, &request, &stream, content_type);
        }));
    }
    for (name, stream) in [("openai", &openai), ("anthropic", &anthropic)] {
        let (config, stream) = (Rc::clone(&plain), stream.clone());
        let request = request(&format!("bench/{name}-folded"), false, 1_000);
        all.push(of_events(format!("fold: {name} into a document"), move || {
            exchange(&config, &request, &stream, SSE);
        }));
    }
}

fn requests(all: &mut Vec<Workload>) {
    let plain = Rc::new(config(&json!([])));
    for (size, kilobytes) in [(1_000, "1 KB"), (100_000, "100 KB")] {
        for (name, answer) in [
            ("openai", answer_of_openai()),
            ("anthropic", answer_of_anthropic()),
        ] {
            let request = request(&format!("bench/{name}"), false, size);
            let (config, begun, answer) = (Rc::clone(&plain), request.clone(), [answer]);
            all.push(workload(
                format!("request: {kilobytes} read, planned, written for {name}"),
                "request",
                move || {
                    black_box(sent(&config, &begun));
                },
            ));
            let config = Rc::clone(&plain);
            all.push(workload(
                format!("exchange: buffered, {name}, {kilobytes} in, 1 KB out"),
                "request",
                move || exchange(&config, &request, &answer, "application/json"),
            ));
        }
    }
}

fn planning(all: &mut Vec<Workload>) {
    let many = Rc::new(many_endpoints(50));
    let fast = known();
    for (name, view) in [
        ("nothing known", View::default()),
        ("all known", fast.view(1, 1_000)),
    ] {
        let (many, asking) = (Rc::clone(&many), caching_request());
        let mut seed = 0;
        all.push(workload(
            format!("route: choose of 50 endpoints, {name}"),
            "request",
            move || {
                seed += 1;
                let models = ["m".to_owned()];
                let asked = RouteInput {
                    models: &models,
                    preferences: &Preferences::default(),
                    needs: &Needs::of(&asking, None),
                    policies: &[],
                };
                let moment = RouteContext { now_ms: 1_000, seed };
                black_box(choose(&many, &asked, &mut |_| view, moment).expect("a plan"));
            },
        ));
    }
    let keyed = many_keys(KEYS);
    let last = format!("cp-key-{}", KEYS - 1);
    all.push(workload(
        format!("key: the last of {KEYS} found"),
        "request",
        move || {
            let found = keyed.key(&hash::sha256(black_box(last.as_bytes())));
            assert_eq!(found, Some(KEYS - 1));
        },
    ));
}

/// The record of an endpoint that does well.
fn known() -> Record {
    let fast = Record::default().update(Sample::Success, 1_000);
    (0..10).fold(fast, |record, _| {
        record.update(Sample::FirstToken { ms: 300 }, 1_000)
    })
}

fn records(all: &mut Vec<Workload>) {
    let fast = known();
    all.push(workload(
        "health: a record read, updated, written",
        "sample",
        move || {
            let record = Record::from_bytes(black_box(&fast.to_bytes()));
            black_box(
                record
                    .update(Sample::FirstToken { ms: 300 }, 2_000)
                    .view(1, 2_000),
            );
        },
    ));
    let used = (0..168).fold(ranking::Record::default(), |record, hour| {
        record.add(COUNT, hour * 3_600_000)
    });
    all.push(workload(
        "ranking: a model's key, of a receipt",
        "exchange",
        || {
            black_box(ranking::key(black_box("anthropic/claude-sonnet-4.5")));
        },
    ));
    all.push(workload(
        "ranking: a record read, added to, written",
        "model and tick",
        move || {
            let record = ranking::Record::from_bytes(black_box(&used.to_bytes()));
            black_box(record.add(COUNT, 169 * 3_600_000));
        },
    ));
}

fn counting(all: &mut Vec<Workload>) {
    let image = request_with_image(20 << 20);
    all.push(workload(
        "prompt: estimated, a 20 MB image in it",
        "request",
        move || {
            black_box(sketch_prompt(black_box(&image), &["gpt-4o"]));
        },
    ));
    #[cfg(feature = "tokenizer")]
    for vocabulary in Vocabulary::ALL {
        let mut counter = Counter::new(vocabulary);
        let name = format!("tokenizer: a delta of 4 tokens, {}", vocabulary.name());
        all.push(workload(name, "delta", move || {
            counter.feed(black_box(" and so it goes"));
        }));
    }
    let plain = Rc::new(config(&json!([])));
    let (open, _) = sent(&plain, &request("bench/anthropic", false, 1_000));
    all.push(workload(
        "receipt: a provisional one as JSON",
        "receipt",
        move || {
            black_box(open.provisional(2_000).to_json());
        },
    ));
}
