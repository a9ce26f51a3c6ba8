//! How much models are used: counted from receipts, kept in shared data.

use super::access::get;
use super::envoy::Envoy;
use super::host::{Shared, host};
use super::provider::{PROVIDERS, answer, chat, config, error, test};
use super::vm::worker_sharing;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn use_model(envoy: &mut Envoy, model: &str, times: usize) {
    for _ in 0..times {
        envoy.exchange(
            &chat(model, false),
            &PROVIDERS.map(|name| (name, answer(name, false, "hi"))),
        );
    }
}

fn rankings(envoy: &mut Envoy, query: &str) -> Value {
    let id = get(envoy, &format!("/v1/rankings{query}"), &[]);
    assert_eq!(envoy.client(id).status(), 200);
    envoy.client(id).json()
}

/// The models that were used, each with how often.
fn used(envoy: &mut Envoy, query: &str) -> Vec<(String, u64)> {
    let list = rankings(envoy, query);
    let rows = list["data"].as_array().unwrap().iter();
    rows.map(|row| {
        let id = row["id"].as_str().unwrap().to_owned();
        (id, row["requests"].as_u64().unwrap())
    })
    .collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let owned = expected.iter().map(|(name, count)| ((*name).to_owned(), *count));
    owned.collect()
}

/// The names in shared data that have to do with use.
fn names() -> Vec<String> {
    host(|host| {
        let shared = host.shared.lock().unwrap();
        let names = shared.records.keys().filter(|name| name.contains(".ranking"));
        names.cloned().collect()
    })
}

#[test]
fn only_what_was_answered_counts() {
    test(|envoy| {
        assert_eq!(
            rankings(envoy, ""),
            json!({"object": "list", "period": "week", "sort": "tokens", "since": null, "data": [], "total_count": 0})
        );
        let failing = PROVIDERS.map(|name| (name, error(name, 400)));
        envoy.exchange(&chat("m/openai", false), &failing);
        envoy.post(&chat("m/none", false));
        envoy.tick();
        assert_eq!((used(envoy, ""), names()), (Vec::new(), Vec::new()));
        use_model(envoy, "m/openai", 1);
        use_model(envoy, "m/anthropic", 2);
        assert_eq!(used(envoy, ""), [], "the tick writes it");
        let now = host(|host| host.clock_ms);
        envoy.tick();
        assert_eq!(
            used(envoy, "?sort=requests"),
            pairs(&[("m/anthropic", 2), ("m/openai", 1)])
        );
        let list = rankings(envoy, "?period=day&sort=requests");
        assert_eq!(list["since"], now / 1_000);
        let tokens = list["data"][1]["tokens"].as_u64().unwrap();
        assert!(tokens > 0, "{list}");
        // A record for each of them, and the list.
        assert_eq!(names().len(), 3);
    });
}

#[test]
fn all_workers_and_all_configurations_count_together() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    let mut smaller = config();
    smaller["models"].as_object_mut().unwrap().remove("m/openai");
    for (config, model, expected) in [
        (config(), "m/openai", &[("m/openai", 1)][..]),
        (smaller, "m/any", &[("m/any", 1)]),
        (config(), "m/any", &[("m/any", 2), ("m/openai", 1)]),
    ] {
        worker_sharing(Arc::clone(&shared), || {
            let mut envoy = Envoy::start(&config);
            use_model(&mut envoy, model, 1);
            envoy.tick();
            assert_eq!(used(&mut envoy, "?sort=requests"), pairs(expected));
            envoy.assert_sound();
        });
    }
}

#[test]
fn a_list_that_was_lost_gets_its_model_back() {
    test(|envoy| {
        use_model(envoy, "m/openai", 1);
        envoy.tick();
        host(|host| {
            let mut shared = host.shared.lock().unwrap();
            shared.records.retain(|name, _| !name.ends_with(".rankings"));
        });
        assert_eq!(used(envoy, ""), []);
        use_model(envoy, "m/openai", 1);
        envoy.tick();
        assert_eq!(used(envoy, ""), pairs(&[("m/openai", 2)]));
    });
}

#[test]
fn a_write_that_is_overtaken_again_and_again_is_given_up() {
    test(|envoy| {
        use_model(envoy, "m/openai", 2);
        envoy.tick();
        use_model(envoy, "m/openai", 1);
        host(|host| host.shared.lock().unwrap().overtaken = usize::MAX);
        envoy.tick();
        host(|host| host.shared.lock().unwrap().overtaken = 0);
        assert_eq!(used(envoy, ""), pairs(&[("m/openai", 2)]));
        use_model(envoy, "m/openai", 1);
        envoy.tick();
        assert_eq!(used(envoy, ""), pairs(&[("m/openai", 3)]));
    });
}

#[test]
fn garbage_in_shared_data_is_an_empty_record() {
    test(|envoy| {
        use_model(envoy, "m/openai", 1);
        envoy.tick();
        host(|host| {
            let mut shared = host.shared.lock().unwrap();
            shared
                .records
                .values_mut()
                .for_each(|record| record.0 = vec![0xff; 64]);
        });
        assert_eq!(used(envoy, ""), []);
        use_model(envoy, "m/openai", 1);
        envoy.tick();
        assert_eq!(used(envoy, ""), pairs(&[("m/openai", 1)]));
    });
}
