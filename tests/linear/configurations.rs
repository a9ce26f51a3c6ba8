//! Configurations, and what a request costs beside many keys, models and endpoints.

use crate::Case;
use crosspoint::chat::Request;
use crosspoint::config::Config;
use crosspoint::dialect::client;
use crosspoint::exchange::Exchange;
use crosspoint::hash;
use crosspoint::health::View;
use crosspoint::load;
use crosspoint::route::RouteContext;
use serde_json::{Map, Value, json};
use std::rc::Rc;

/// A configuration with so many of something.
type Many = fn(usize) -> Value;

fn mapping(count: usize, member: impl Fn(usize) -> (String, Value)) -> Value {
    Value::Object((0..count).map(member).collect::<Map<_, _>>())
}

fn provider(at: usize) -> (String, Value) {
    let url = format!("https://p{at}.example/v1");
    (
        format!("p{at}"),
        json!({"dialect": "openai-chat", "base_url": url}),
    )
}

fn model(at: usize, providers: usize) -> (String, Value) {
    let endpoint = json!({"provider": format!("p{}", at % providers), "model": format!("u{at}")});
    (format!("author/m{at}"), json!({"endpoints": [endpoint]}))
}

fn key(at: usize) -> Value {
    json!({"name": format!("key-{at}"), "sha256": sha256(at)})
}

fn sha256(at: usize) -> String {
    hash::sha256(secret(at).as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn secret(at: usize) -> String {
    format!("sk-{at}")
}

/// One provider and one model, with more members.
fn with(more: Value) -> Value {
    let mut value = json!({"providers": mapping(1, provider), "models": mapping(1, |at| model(at, 1))});
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

static READ: &[(&str, usize, Many)] = &[
    ("keys", 800, |count| {
        with(json!({"keys": (0..count).map(key).collect::<Vec<_>>()}))
    }),
    ("providers", 800, |count| {
        with(json!({"providers": mapping(count, provider)}))
    }),
    ("models", 800, |count| {
        with(json!({"models": mapping(count, |at| model(at, 1))}))
    }),
    ("providers, each with a model", 800, |count| {
        with(json!({"providers": mapping(count, provider), "models": mapping(count, |at| model(at, count))}))
    }),
    ("endpoints of a model", 800, |count| {
        let endpoints: Vec<Value> = (0..count)
            .map(|at| json!({"provider": "p0", "model": format!("u{at}")}))
            .collect();
        with(json!({"models": {"author/m0": {"endpoints": endpoints}}}))
    }),
    ("aliases", 800, |count| {
        with(json!({"aliases": mapping(count, |at| (format!("a{at}"), json!("author/m0")))}))
    }),
    ("names of an alias", 800, |count| {
        let names: Vec<String> = (0..count).map(|at| format!("author/m{at}")).collect();
        with(json!({"models": mapping(count, |at| model(at, 1)), "aliases": {"a": names}}))
    }),
    ("routes", 800, |count| {
        with(
            json!({"routes": mapping(count, |at| (format!("r{at}"), json!({"match": {"prefix": format!("/t{at}")}})))}),
        )
    }),
    ("keys of a route", 800, |count| {
        let names: Vec<String> = (0..count).map(|at| format!("key-{at}")).collect();
        with(
            json!({"keys": (0..count).map(key).collect::<Vec<_>>(), "routes": {"r": {"match": {"prefix": "/t"}, "keys": names}}}),
        )
    }),
    ("balances", 800, |count| {
        with(
            json!({"budgets": {"balances": mapping(count, |at| (format!("key-{at}"), json!({"total": "1.0"})))}}),
        )
    }),
];

/// What a request is served with.
static SERVED: &[(&str, usize, Many, &str)] = &[
    (
        "models",
        500,
        |count| with(json!({"models": mapping(count, |at| model(at, 1))})),
        "author/m0",
    ),
    ("endpoints of its model", 100, READ[4].2, "author/m0"),
    ("names of its alias", 50, READ[6].2, "a"),
    (
        "models of the shortlist",
        100,
        |count| {
            let scores = mapping(count, |at| {
                (format!("author/m{at}"), json!({"score": 0.5, "coding": 0.7}))
            });
            with(json!({"models": mapping(count, |at| model(at, 1)), "auto": {"models": scores}}))
        },
        "crosspoint/auto",
    ),
];

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let read = READ.iter().map(|(name, size, many)| Case {
        name: format!("configuration: {name}"),
        size: *size,
        prepare: Box::new(move |count| {
            let value = many(count);
            Box::new(move || {
                drop(config(&value));
                None
            })
        }),
    });
    let served = SERVED.iter().map(|(name, size, many, model)| Case {
        name: format!("request beside many {name}"),
        size: *size,
        prepare: Box::new(move |count| {
            let config = Rc::new(config(&many(count)));
            // The first one puts the memory in order that reading the configuration left.
            serve(&config, model);
            Box::new(move || {
                serve(&config, model);
                None
            })
        }),
    });
    // As often as there are keys: a look-up that takes twice as long beside twice as many takes four times as long.
    let keys = Case {
        name: "keys, each looked up by its hash and by its name".to_owned(),
        size: 500,
        prepare: Box::new(|count| {
            let config = config(&READ[0].2(count));
            Box::new(move || {
                for at in 0..count {
                    let found = config.key(&hash::sha256(secret(at).as_bytes()));
                    assert_eq!(found, Some(at));
                    assert_eq!(config.key_at(&format!("key-{at}")), found);
                }
                None
            })
        }),
    };
    read.chain(served).chain([keys])
}

fn config(value: &Value) -> Config {
    load::config(value, None).unwrap()
}

fn serve(config: &Rc<Config>, model: &str) {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"a"}}]}}"#).into_bytes();
    assert!(Request::parse(body.clone()).is_ok());
    let id = "gen-1".to_owned();
    let mut exchange = Exchange::open(Rc::clone(config), client::OPENAI_CHAT, id, None, 1);
    exchange.read(body).unwrap();
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .unwrap();
    for _ in 0..=exchange.max_retries() {
        let cluster = exchange.next_cluster().unwrap().to_owned();
        exchange.begin(&cluster, 2).unwrap();
    }
}
