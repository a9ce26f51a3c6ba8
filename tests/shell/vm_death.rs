//! What a VM leaves behind that dies with exchanges under way: a line in the ledger and a charge for each, and nothing in
//! what all workers show together.

use super::envoy::{Envoy, chat_headers};
use super::host::{Shared, host};
use super::provider::{Event, answer, chat, config, streamed, streamed_head, test_with};
use super::vm::worker_sharing;
use crosspoint::dialect::client;
use crosspoint::exchange::Exchange;
use crosspoint::filter::set_memory_in_use;
use crosspoint::load;
use crosspoint::meter::budget::{Record, SPANS, Span};
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

fn with_key(more: Value) -> Value {
    let sha256 = crosspoint::hash::to_hex(&crosspoint::hash::sha256(b"right"));
    let mut key = json!({"name": "team", "sha256": sha256});
    key.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut config = config();
    config["keys"] = json!([key]);
    config
}

fn open(envoy: &mut Envoy) -> u32 {
    let mut headers = chat_headers();
    headers.set(b"authorization", b"Bearer right");
    envoy.open(&headers, false)
}

fn stream(envoy: &mut Envoy) -> u32 {
    let id = open(envoy);
    let mut body = chat("m/openai", true);
    body["max_tokens"] = json!(1_000);
    envoy.request_data(id, body.to_string().as_bytes(), true);
    for event in streamed_head("openai") {
        envoy.event(id, &event);
    }
    id
}

/// Sends so many words of an answer without end, in the course of a second.
fn say(envoy: &mut Envoy, id: u32, words: usize) {
    let pieces = streamed("openai", &"word ".repeat(words));
    for piece in &pieces[..words] {
        envoy.event(id, &Event::Data(piece.clone()));
    }
    envoy.advance(1_000);
    envoy.event(id, &Event::Data(pieces[words].clone()));
    envoy.tick();
}

fn cost(envoy: &Envoy, id: u32) -> u64 {
    envoy.receipt(id)["cost_pico_usd"].as_u64().unwrap()
}

/// What the only key has spent today, what is held of its budget, and what it has spent at all.
fn sums(after_ms: u64) -> (u64, u64, u64) {
    host(|host| {
        let shared = host.shared.lock().unwrap();
        let mut records = shared
            .records
            .iter()
            .filter(|(name, _)| name.contains(".budget."));
        let (_, (bytes, _)) = records.next().unwrap();
        assert!(records.next().is_none());
        let record = Record::from_bytes(bytes, "team").unwrap();
        let now = host.clock_ms + after_ms;
        let today = record.spent(Span::Day, now).0;
        assert!(
            SPANS
                .iter()
                .all(|(span, _)| after_ms > 0 || record.spent(*span, now).0 == today)
        );
        (today, record.held(now).0, record.total().0)
    })
}

fn open_exchanges() -> Option<u64> {
    host(|host| host.metric_value("crosspoint.exchanges_open", &[]))
}

#[test]
fn a_request_has_its_receipt_before_its_body_comes() {
    test_with(&with_key(json!({"metadata": {"team": "red"}})), |envoy| {
        let id = open(envoy);
        let receipts = envoy.receipts(id);
        assert_eq!(receipts.len(), 1);
        let receipt = &receipts[0];
        assert_eq!(
            (
                &receipt["state"],
                &receipt["outcome"],
                &receipt["key"],
                &receipt["key_metadata"]["team"]
            ),
            (&json!("open"), &json!("open"), &json!("team"), &json!("red"))
        );
        envoy.request_data(id, b"{", true);
        assert_eq!(envoy.receipt(id)["id"], receipt["id"]);
        assert_eq!(envoy.receipt(id)["state"], "final");
    });
}

#[test]
fn the_first_receipt_is_what_is_known_of_the_exchange_then() {
    let mut value = with_key(json!({"metadata": {"b": "\"2\"", "a": "1"}}));
    value["keys"][0]["name"] = json!("a \"team\"");
    let config = Rc::new(load::config(&value, None).unwrap());
    for client in [client::OPENAI_CHAT, client::at("/v1/embeddings").unwrap()] {
        for key in [None, Some("a \"team\"".to_owned())] {
            let exchange = Exchange::open(Rc::clone(&config), client, "gen-1".to_owned(), key, 77);
            let known = exchange.provisional(77).to_json();
            assert_eq!(
                String::from_utf8(exchange.begun()).unwrap(),
                String::from_utf8(known).unwrap()
            );
        }
    }
}

#[test]
fn what_a_dead_vm_had_open_is_charged_once_at_its_last_known_cost() {
    for more in [json!({"budget": {"day": "1", "month": "10"}}), json!({})] {
        let has_budget = more["budget"].is_object();
        let config = with_key(more);
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let known = worker_sharing(Arc::clone(&shared), || {
            let mut envoy = Envoy::start(&config);
            let ids = [stream(&mut envoy), stream(&mut envoy)];
            // One that has no answer yet.
            let _silent = stream(&mut envoy);
            let held = has_budget.then(|| sums(0).1);
            for id in ids {
                say(&mut envoy, id, 20);
            }
            envoy.tick();
            let known: u64 = ids.iter().map(|id| cost(&envoy, *id)).sum();
            assert!(known > 0);
            let (spent, still_held, _) = sums(0);
            assert_eq!(spent, known);
            assert_eq!(held.unwrap_or(known), still_held + known);
            known
        });
        // That VM is gone, and another one goes on.
        worker_sharing(shared, || {
            let mut envoy = Envoy::start(&config);
            envoy.advance(10_000);
            for _ in 0..20 {
                envoy.advance(500);
                envoy.tick();
            }
            assert_eq!(sums(0).0, known);
            let id = stream(&mut envoy);
            envoy.client_leaves(id);
            assert_eq!(sums(0).0, known + cost(&envoy, id));
            // What was still held ends by itself.
            assert_eq!(sums(3_600_000).1, 0);
            envoy.tick();
        });
    }
}

#[test]
fn what_was_charged_in_advance_is_settled_with_the_rest() {
    for more in [json!({"budget": {"day": "1", "month": "10"}}), json!({})] {
        test_with(&with_key(more), |envoy| {
            let [left, ended] = [stream(envoy), stream(envoy)];
            for id in [left, ended, left] {
                say(envoy, id, 20);
            }
            assert!(sums(0).0 > 0);
            envoy.client_leaves(left);
            // The provider's own count is less than what was estimated.
            for piece in streamed("openai", "end").into_iter().skip(1) {
                envoy.event(ended, &Event::Data(piece));
            }
            envoy.event(ended, &Event::End(Vec::new()));
            let all = cost(envoy, left) + cost(envoy, ended);
            envoy.tick();
            assert_eq!(sums(0), (all, 0, all));
        });
    }
}

#[test]
fn nothing_is_lost_where_shared_data_is_away_for_a_while() {
    test_with(&with_key(json!({"budget": {"day": "1"}})), |envoy| {
        let id = stream(envoy);
        say(envoy, id, 20);
        let (spent, ..) = sums(0);
        assert!(spent > 0);
        host(|host| host.fail_named = Some("set_shared"));
        say(envoy, id, 20);
        assert_eq!(sums(0).0, spent);
        host(|host| host.fail_named = None);
        say(envoy, id, 1);
        assert!(sums(0).0 > spent);
        envoy.client_leaves(id);
        let cost = cost(envoy, id);
        assert_eq!(sums(0), (cost, 0, cost));
    });
}

#[test]
fn statistics_of_workers_come_together_and_a_dead_one_counts_no_more() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    worker_sharing(Arc::clone(&shared), || {
        let mut envoy = Envoy::start(&config());
        let _open = [(); 2].map(|()| envoy.open(&chat_headers(), false));
        set_memory_in_use(7_000_000);
        envoy.tick();
        assert_eq!(open_exchanges(), Some(2));
    });
    worker_sharing(Arc::clone(&shared), || {
        let mut envoy = Envoy::start(&config());
        let id = envoy.open(&chat_headers(), false);
        envoy.tick();
        assert_eq!(open_exchanges(), Some(3));
        let held = || host(|host| host.metric_value("crosspoint.memory_held_bytes", &[]));
        assert_eq!(held(), Some(7_000_000));
        envoy.advance(4_000);
        envoy.tick();
        assert_eq!(open_exchanges(), Some(3));
        envoy.advance(1_000);
        envoy.tick();
        assert_eq!(open_exchanges(), Some(1));
        assert_eq!(held(), Some(0));
        envoy.client_leaves(id);
        envoy.tick();
        assert_eq!(open_exchanges(), Some(0));
    });
    let places = |shared: &Arc<Mutex<Shared>>| {
        let shared = shared.lock().unwrap();
        shared
            .records
            .keys()
            .filter(|name| name.contains(".worker."))
            .count()
    };
    assert_eq!(places(&shared), 2);
    worker_sharing(Arc::clone(&shared), || {
        let mut envoy = Envoy::start(&config());
        envoy.advance(60_000);
        envoy.tick();
        let id = envoy.post(&chat("m/openai", false));
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        envoy.tick();
        assert_eq!(open_exchanges(), Some(0));
    });
    assert_eq!(places(&shared), 2, "a dead worker's place is taken again");
}
