//! Budgets of keys: refusals, settlements, several workers.

use super::envoy::{Envoy, chat_headers};
use super::host::{Shared, host};
use super::provider::{Event, answer, buffered, chat, config, error, head, test_with};
use super::vm::{worker, worker_sharing};
use crosspoint::meter::budget::{Record, Span};
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

/// What an exchange cost, in pico-USD.
pub(crate) fn cost(envoy: &Envoy, id: u32) -> u64 {
    envoy.receipt(id)["cost_pico_usd"].as_u64().unwrap()
}

pub(crate) fn with_key(more: Value) -> Value {
    let sha256 = crosspoint::hash::to_hex(&crosspoint::hash::sha256(b"right"));
    let mut key = json!({"name": "team", "sha256": sha256});
    key.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut config = config();
    config["keys"] = json!([key]);
    config
}

pub(crate) fn post_as(envoy: &mut Envoy, header: (&str, &str), body: &Value) -> u32 {
    let mut headers = chat_headers();
    headers.set(header.0.as_bytes(), header.1.as_bytes());
    let id = envoy.open(&headers, false);
    envoy.request_data(id, body.to_string().as_bytes(), true);
    id
}

pub(crate) fn post(envoy: &mut Envoy, body: &Value) -> u32 {
    post_as(envoy, ("authorization", "Bearer right"), body)
}

pub(crate) fn small() -> Value {
    let mut body = chat("m/openai", false);
    body["max_tokens"] = json!(10);
    body
}

pub(crate) fn ask(envoy: &mut Envoy) -> u32 {
    let id = post(envoy, &small());
    if envoy.sent(id).len() == 1 {
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    }
    id
}

/// The record of the only key.
pub(crate) fn record() -> Record {
    host(|host| {
        let shared = host.shared.lock().unwrap();
        let mut records = shared
            .records
            .iter()
            .filter(|(name, _)| name.contains(".budget."));
        let (_, (bytes, _)) = records.next().unwrap();
        assert!(records.next().is_none());
        Record::from_bytes(bytes, "team").unwrap()
    })
}

pub(crate) fn now() -> u64 {
    host(|host| host.clock_ms)
}

pub(crate) fn unavailable() -> Option<u64> {
    host(|host| host.metric_value("crosspoint.budgets_unavailable", &[]))
}

#[test]
fn requests_beyond_the_limit_of_a_minute_are_refused_until_it_is_over() {
    test_with(&with_key(json!({"requests_per_minute": 2})), |envoy| {
        let ids: Vec<_> = (0..3).map(|_| ask(envoy)).collect();
        let statuses: Vec<_> = ids.iter().map(|id| envoy.client(*id).status()).collect();
        assert_eq!(statuses, [200, 200, 429]);
        let client = envoy.client(ids[2]);
        let resets = (now() / 60_000 + 1) * 60_000;
        assert_eq!(client.header("x-ratelimit-limit").unwrap(), "2");
        assert_eq!(client.header("x-ratelimit-remaining").unwrap(), "0");
        assert_eq!(client.header("x-ratelimit-reset").unwrap(), resets.to_string());
        let wait = (resets - now()).div_ceil(1_000);
        assert_eq!(client.header("retry-after").unwrap(), wait.to_string());
        let error = &client.json()["error"];
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!(429), &json!("rate_limit_error"))
        );
        assert_eq!(error["metadata"]["headers"]["X-RateLimit-Limit"], "2");
        let receipt = envoy.receipt(ids[2]);
        assert_eq!(
            (&receipt["outcome"], &receipt["status"]),
            (&json!("refused"), &json!(429))
        );
        assert_eq!(receipt["attempts"], json!([]));
        envoy.advance(60_000);
        let id = ask(envoy);
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn tokens_are_held_at_first_and_counted_at_last() {
    test_with(&with_key(json!({"tokens_per_minute": 100})), |envoy| {
        let mut greedy = small();
        greedy["max_tokens"] = json!(90);
        let first = post(envoy, &greedy);
        let second = post(envoy, &greedy);
        assert_eq!(envoy.client(second).status(), 429);
        envoy.play(first, &[("openai", answer("openai", false, "hi"))]);
        let tokens = &envoy.receipt(first)["tokens"];
        let used = tokens["prompt"].as_u64().unwrap() + tokens["completion"].as_u64().unwrap();
        assert_eq!(record().of_minute(now()), (1, used));
    });
}

#[test]
fn a_budget_is_kept_to_the_last_pico_dollar() {
    test_with(&with_key(json!({"budget": {"day": "0.0001"}})), |envoy| {
        let mut sum = 0;
        let refused = loop {
            let id = ask(envoy);
            if envoy.client(id).status() != 200 {
                break id;
            }
            sum += cost(envoy, id);
        };
        assert!(sum > 50_000_000 && sum <= 100_000_000, "{sum}");
        assert_eq!(record().spent(Span::Day, now()).0, sum);
        assert_eq!(record().held(now()).0, 0);
        let client = envoy.client(refused);
        assert_eq!(client.status(), 402);
        let error = &client.json()["error"];
        assert_eq!(
            (&error["code"], &error["metadata"]["error_type"]),
            (&json!(402), &json!("payment_required"))
        );
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("You requested up to 10 tokens, but can only afford")
        );
        assert_eq!(envoy.receipt(refused)["outcome"], "refused");
        envoy.advance(86_400_000);
        let id = ask(envoy);
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn what_goes_wrong_gives_back_what_was_held() {
    test_with(&with_key(json!({"budget": {"month": 1}})), |envoy| {
        let failed = post(envoy, &small());
        envoy.play(failed, &[("openai", error("openai", 500))]);
        let left = post(envoy, &small());
        assert!(record().held(now()).0 > 0);
        envoy.client_leaves(left);
        let billed = cost(envoy, failed) + cost(envoy, left);
        assert_eq!((record().held(now()).0, record().total().0), (0, billed));
    });
}

/// A body that never ends, and how many calls that took.
fn begin(envoy: &mut Envoy, key: &[u8]) -> (u32, u64) {
    let mut headers = chat_headers();
    headers.set(b"authorization", &[b"Bearer ", key].concat());
    let before = host(|host| host.calls);
    let id = envoy.open(&headers, false);
    (id, host(|host| host.calls) - before)
}

#[test]
fn what_is_used_up_refuses_before_the_body_and_any_callout() {
    for (limit, status) in [
        (json!({"budget": {"day": "0.00009"}}), 402),
        (json!({"requests_per_minute": 1}), 429),
    ] {
        // More comes than is held for it.
        let mut more: Value = serde_json::from_slice(&buffered("openai", "hi")).unwrap();
        more["usage"]["prompt_tokens"] = json!(90);
        let more = vec![
            Event::Head(head(200, "application/json")),
            Event::End(more.to_string().into_bytes()),
        ];
        worker(|| {
            crosspoint::filter::add_middleware(Rc::new(super::guard::requests()));
            let mut envoy = Envoy::start(&with_key(limit));
            let first = post(&mut envoy, &small());
            let token = envoy.callouts()[0].token;
            envoy.answer_callout(token, Some((200, b"yes")));
            envoy.play(first, &[("openai", more)]);
            assert_eq!(envoy.client(first).status(), 200);
            let (id, _) = begin(&mut envoy, b"right");
            assert_eq!(envoy.client(id).status(), status);
            assert!(envoy.callouts().is_empty() && envoy.sent(id).is_empty());
            let receipt = envoy.receipt(id);
            assert_eq!(
                (&receipt["outcome"], &receipt["status"], &receipt["key"]),
                (&json!("refused"), &json!(status), &json!("team"))
            );
            envoy.assert_sound();
        });
    }
}

#[test]
fn a_key_with_limits_costs_one_look_when_its_request_begins() {
    let mut config = with_key(json!({"budget": {"day": 1}}));
    let sha256 = crosspoint::hash::to_hex(&crosspoint::hash::sha256(b"free"));
    let keys = config["keys"].as_array_mut().unwrap();
    keys.push(json!({"name": "free", "sha256": sha256}));
    test_with(&config, |envoy| {
        // Places of generations are claimed in blocks.
        let ids = [begin(envoy, b"right").0, begin(envoy, b"free").0];
        let (limited, calls) = begin(envoy, b"right");
        let (free, fewer) = begin(envoy, b"free");
        assert_eq!(calls, fewer + 1);
        for id in ids.into_iter().chain([limited, free]) {
            envoy.client_leaves(id);
        }
    });
}

#[test]
fn a_key_that_is_disabled_or_expired_opens_nothing() {
    for more in [json!({"disabled": true}), json!({"expires": "2020-01-01"})] {
        test_with(&with_key(more), |envoy| {
            let id = ask(envoy);
            assert_eq!(envoy.client(id).status(), 401);
        });
    }
    test_with(
        &with_key(json!({"expires": "2200-01-01", "metadata": {"cost_centre": "12"}})),
        |envoy| {
            let id = ask(envoy);
            assert_eq!(envoy.client(id).status(), 200);
            assert_eq!(envoy.receipt(id)["key_metadata"], json!({"cost_centre": "12"}));
        },
    );
}

#[test]
fn a_caller_that_another_filter_names_has_its_limits() {
    let mut config = with_key(json!({"requests_per_minute": 1}));
    config["identity"] = json!({"header": "x-user"});
    let other = json!({"name": "*", "requests_per_minute": 2});
    config["keys"].as_array_mut().unwrap().push(other);
    test_with(&config, |envoy| {
        let mut statuses = |user: &str| {
            [(); 3].map(|()| {
                let id = post_as(envoy, ("x-user", user), &small());
                if envoy.sent(id).len() == 1 {
                    envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
                    assert_eq!(envoy.receipt(id)["key"], user);
                }
                envoy.client(id).status()
            })
        };
        assert_eq!(statuses("team"), [200, 429, 429]);
        assert_eq!(statuses("ann"), [200, 200, 429]);
        assert_eq!(statuses("ben"), [200, 200, 429]);
        let id = post_as(envoy, ("x-user", ""), &small());
        assert_eq!(envoy.client(id).status(), 401);
    });
}

/// Two names whose short hashes are the same.
const ALIKE: [&str; 2] = ["user-0f88ebsvwp7w", "user-103b5a6ndoua"];

#[test]
fn a_name_made_to_look_like_another_has_an_account_of_its_own() {
    let [one, other] = ALIKE.map(|name| crosspoint::hash::stable(&[name]));
    assert_eq!(one, other);
    let mut config = with_key(json!({}));
    config["identity"] = json!({"header": "x-user"});
    config["keys"] = json!([{"name": "*", "requests_per_minute": 1}]);
    test_with(&config, |envoy| {
        let ids = ALIKE.map(|user| {
            let id = post_as(envoy, ("x-user", user), &small());
            envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
            assert_eq!(envoy.client(id).status(), 200, "{user}");
            envoy.receipt(id)["id"].as_str().unwrap().to_owned()
        });
        envoy.tick();
        for (user, own) in ALIKE.into_iter().zip(&ids) {
            let mut get = |target: &str| {
                let id = super::access::get(envoy, target, &[("x-user", user)]);
                (envoy.client(id).status(), envoy.client(id).json())
            };
            let (_, activity) = get("/v1/activity");
            assert_eq!(activity["data"][0]["requests"], 1, "{user}");
            for id in &ids {
                let (status, _) = get(&format!("/v1/generation?id={id}"));
                assert_eq!(status, if id == own { 200 } else { 404 });
            }
            let id = post_as(envoy, ("x-user", user), &small());
            assert_eq!(envoy.client(id).status(), 429, "{user}");
        }
    });
}

#[test]
fn what_was_used_before_counts_in_its_own_span_only() {
    let mut config = with_key(json!({"budget": {"day": "5", "month": "9"}}));
    let day = crosspoint::time::Date::of(worker(now) / 86_400_000).to_string();
    let balance = |day: &str| json!({"team": {"day": {"start": day, "used": "4.99999999"}, "total": "7"}});
    config["budgets"] = json!({"balances": balance(&day)});
    test_with(&config, |envoy| {
        let id = ask(envoy);
        assert_eq!(envoy.client(id).status(), 402);
    });
    config["budgets"] = json!({"balances": balance("2020-02-29")});
    test_with(&config, |envoy| {
        let id = ask(envoy);
        assert_eq!(envoy.client(id).status(), 200);
        let total = cost(envoy, id);
        assert_eq!(record().total().0, 7_000_000_000_000 + total);
        assert_eq!(record().spent(Span::Day, now()).0, total);
    });
}

#[test]
fn what_a_key_without_limits_uses_is_written_by_the_tick() {
    test_with(&with_key(json!({})), |envoy| {
        let sum: u64 = (0..3)
            .map(|_| {
                let id = ask(envoy);
                cost(envoy, id)
            })
            .sum();
        envoy.tick();
        assert_eq!(record().total().0, sum);
    });
}

#[test]
fn workers_have_one_budget_in_common_and_a_new_vm_goes_on_with_it() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    let config = with_key(json!({"requests_per_minute": 3}));
    let statuses: Vec<u64> = (0..2)
        .flat_map(|_| {
            worker_sharing(Arc::clone(&shared), || {
                let mut envoy = Envoy::start(&config);
                let ids = [ask(&mut envoy), ask(&mut envoy)];
                let statuses = ids.map(|id| envoy.client(id).status());
                envoy.assert_sound();
                statuses
            })
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[test]
fn the_filters_own_rate_limits_learn_who_used_how_much() {
    test_with(&with_key(json!({})), |envoy| {
        let id = ask(envoy);
        let receipt = envoy.receipt(id);
        let state = |name: &str| {
            host(|host| {
                let bytes = host.streams[&id].filter_state[name].clone();
                String::from_utf8(bytes).unwrap()
            })
        };
        let tokens = &receipt["tokens"];
        let sum = tokens["prompt"].as_u64().unwrap() + tokens["completion"].as_u64().unwrap();
        assert_eq!(state("crosspoint_key"), "team");
        assert_eq!(state("crosspoint_tokens"), sum.to_string());
        assert_eq!(
            state("crosspoint_cost_micro_usd"),
            cost(envoy, id).div_ceil(1_000_000).to_string()
        );
    });
}
