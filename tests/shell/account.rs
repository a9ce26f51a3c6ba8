//! What callers may read of what they have used.

use super::envoy::Envoy;
use super::host::{Headers, Shared, host};
use super::provider::{answer, chat, config, test};
use super::vm::worker_sharing;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn keyed() -> Value {
    let hash = |key: &str| crosspoint::hash::to_hex(&crosspoint::hash::sha256(key.as_bytes()));
    let mut config = config();
    config["keys"] = json!([
        {"name": "ann", "sha256": hash("a"), "budget": {"day": "2"}},
        {"name": "ben", "sha256": hash("b")},
    ]);
    config
}

fn ask(envoy: &mut Envoy, key: &str) -> String {
    let mut headers = super::envoy::chat_headers();
    headers.set(b"authorization", format!("Bearer {key}").as_bytes());
    let id = envoy.open(&headers, false);
    envoy.request_data(id, chat("m/openai", false).to_string().as_bytes(), true);
    envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    envoy.receipt(id)["id"].as_str().unwrap().to_owned()
}

fn get(envoy: &mut Envoy, key: &str, target: &str) -> (u64, Value) {
    let authorization = format!("Bearer {key}");
    let headers = Headers::of([
        (":method", "GET"),
        (":path", target),
        (":authority", "crosspoint"),
        (":scheme", "http"),
        ("authorization", &authorization),
    ]);
    let id = envoy.open(&headers, true);
    (envoy.client(id).status(), envoy.client(id).json())
}

#[test]
fn every_worker_tells_a_key_what_it_used_and_no_other_key() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    let ids: Vec<String> = (0..2)
        .flat_map(|_| {
            worker_sharing(Arc::clone(&shared), || {
                let mut envoy = Envoy::start(&keyed());
                let ids = [ask(&mut envoy, "a"), ask(&mut envoy, "a"), ask(&mut envoy, "b")];
                envoy.tick();
                envoy.assert_sound();
                ids
            })
        })
        .collect();
    worker_sharing(shared, || {
        let mut envoy = Envoy::start(&keyed());
        let (_, ann) = get(&mut envoy, "a", "/v1/key");
        let (_, ben) = get(&mut envoy, "b", "/v1/key");
        let (a, b) = (
            ann["data"]["usage"].as_f64().unwrap(),
            ben["data"]["usage"].as_f64().unwrap(),
        );
        assert!(b > 0.0 && (a - 2.0 * b).abs() < 1e-12, "{ann} {ben}");
        assert_eq!(
            (&ann["data"]["label"], &ann["data"]["limit"]),
            (&json!("ann"), &json!(2))
        );
        let (_, credits) = get(&mut envoy, "a", "/v1/credits");
        assert_eq!(credits["data"]["total_usage"], ann["data"]["usage"]);
        for (index, id) in ids.iter().enumerate() {
            let target = format!("/v1/generation?id={id}");
            let (own, other) = if index % 3 == 2 { ("b", "a") } else { ("a", "b") };
            let (status, body) = get(&mut envoy, own, &target);
            assert_eq!((status, &body["data"]["id"]), (200, &json!(id)));
            assert_eq!(body["data"]["provider_responses"][0]["provider_name"], "openai");
            assert_eq!(get(&mut envoy, other, &target).0, 404);
        }
        let (_, activity) = get(&mut envoy, "a", "/v1/activity");
        assert_eq!(activity["data"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&activity["data"][0]["requests"], &activity["data"][0]["model"]),
            (&json!(4), &json!("m/openai"))
        );
        let (_, none) = get(&mut envoy, "a", "/v1/activity?date=2020-01-01");
        assert_eq!(none["data"], json!([]));
        envoy.assert_sound();
    });
}

#[test]
fn what_is_not_understood_is_refused() {
    worker_sharing(Arc::default(), || {
        let mut envoy = Envoy::start(&keyed());
        for (target, status) in [
            ("/v1/key?all=1", 400),
            ("/v1/generation", 400),
            ("/v1/generation?id=gen-1", 404),
            ("/v1/activity?date=x", 400),
        ] {
            assert_eq!(get(&mut envoy, "a", target).0, status, "{target}");
        }
        assert_eq!(get(&mut envoy, "c", "/v1/key").0, 401);
        host(|host| host.fail_named = Some("get_shared"));
        assert_eq!(get(&mut envoy, "a", "/v1/key").0, 500);
        assert_eq!(get(&mut envoy, "a", "/v1/activity").0, 200);
        let id = ask(&mut envoy, "b");
        host(|host| host.fail_named = None);
        assert_eq!(get(&mut envoy, "b", &format!("/v1/generation?id={id}")).0, 200);
        envoy.assert_sound();
    });
}

#[test]
fn no_account_is_kept_where_there_are_no_keys() {
    test(|envoy| assert_eq!(get(envoy, "a", "/v1/key").0, 404));
}
