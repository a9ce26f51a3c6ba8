//! Client keys, and the list of models.

use super::envoy::{Envoy, chat_headers};
use super::host::Headers;
use super::provider::{Event, answer, chat, config, error, test, test_with};
use serde_json::{Value, json};

pub(crate) fn with_key() -> Value {
    let sha256: String = crosspoint::hash::sha256(b"right")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut config = config();
    config["keys"] = json!([{"name": "team", "sha256": sha256}]);
    config
}

pub(crate) fn post(envoy: &mut Envoy, authorization: Option<&[u8]>) -> u32 {
    let mut headers = chat_headers();
    if let Some(value) = authorization {
        headers.set(b"authorization", value);
    }
    let id = envoy.open(&headers, false);
    envoy.request_data(id, chat("m/openai", false).to_string().as_bytes(), true);
    id
}

/// A request with this key.
pub(crate) fn post_with(envoy: &mut Envoy, key: &str, request: &Value) -> u32 {
    let mut headers = chat_headers();
    headers.set(b"authorization", format!("Bearer {key}").as_bytes());
    let id = envoy.open(&headers, false);
    envoy.request_data(id, request.to_string().as_bytes(), true);
    id
}

#[test]
fn the_right_key_opens_and_is_named_in_the_receipt() {
    test_with(&with_key(), |envoy| {
        let id = post(envoy, Some(b"Bearer right"));
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        assert_eq!(envoy.client(id).status(), 200);
        assert_eq!(envoy.receipt(id)["key"], "team");
    });
}

#[test]
fn the_scheme_of_a_key_is_compared_without_case() {
    test_with(&with_key(), |envoy| {
        for authorization in [
            "bearer right",
            "BEARER right",
            "bEaReR   right",
            "Bearer \t right ",
        ] {
            let id = post(envoy, Some(authorization.as_bytes()));
            envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
            assert_eq!(envoy.client(id).status(), 200, "{authorization}");
            assert_eq!(envoy.receipt(id)["key"], "team");
        }
    });
}

#[test]
fn a_key_that_is_sent_twice_is_refused() {
    test_with(&with_key(), |envoy| {
        for (first, second) in [("right", "right"), ("right", "wrong"), ("wrong", "right")] {
            let mut headers = chat_headers();
            for key in [first, second] {
                let value = format!("Bearer {key}").into_bytes();
                headers.0.push((b"authorization".to_vec(), value));
            }
            let id = envoy.open(&headers, false);
            assert_eq!(envoy.client(id).status(), 400, "{first} {second}");
            let message = envoy.client(id).json()["error"]["message"].clone();
            assert_eq!(
                message,
                "the header authorization stands there more than once; send it once"
            );
        }
    });
}

#[test]
fn a_wrong_or_missing_key_is_refused() {
    test_with(&with_key(), |envoy| {
        for authorization in [
            None,
            Some(&b"Bearer wrong"[..]),
            Some(b"Bearer "),
            Some(b"right"),
            Some(b"Basic right"),
            Some(b"Bearer right\xff"),
            Some(b"Bearer rightx"),
            Some(b"Bearerright"),
            Some(b"Bearer\tright"),
            Some(b"Bearers right"),
            Some(b"\xff"),
        ] {
            let id = post(envoy, authorization);
            assert!(envoy.sent(id).is_empty());
            assert_eq!(envoy.client(id).status(), 401);
            assert_eq!(
                envoy.client(id).json()["error"]["metadata"]["error_type"],
                "authentication"
            );
            assert!(!envoy.client(id).text().contains("right"));
        }
    });
}

fn models(envoy: &mut Envoy, more: &[(&str, &str)]) -> u32 {
    get(envoy, "/v1/models", more)
}

pub(crate) fn get(envoy: &mut Envoy, target: &str, more: &[(&str, &str)]) -> u32 {
    let mut headers = chat_headers();
    headers.set(b":method", b"GET");
    headers.set(b":path", target.as_bytes());
    headers.0.extend(Headers::of(more.iter().copied()).0);
    envoy.open(&headers, true)
}

#[test]
fn the_models_are_listed() {
    test(|envoy| {
        let id = models(envoy, &[]);
        let client = envoy.client(id);
        assert_eq!(client.status(), 200);
        assert_eq!(client.header("content-type").unwrap(), "application/json");
        let list = client.json();
        assert_eq!(list["object"], "list");
        let names: Vec<_> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| &model["id"])
            .collect();
        assert_eq!(names, ["m/anthropic", "m/any", "m/bedrock", "m/openai"]);
        assert_eq!(list["data"][0]["pricing"]["prompt"], "0.000001");
    });
}

#[test]
fn a_query_is_honoured_or_refused() {
    test(|envoy| {
        // The list as a whole is kept; a part of it must not be.
        for (target, count) in [("/v1/models", 4), ("/v1/models?q=bed", 1), ("/v1/models?", 4)] {
            let id = get(envoy, target, &[]);
            assert_eq!(envoy.client(id).json()["data"].as_array().unwrap().len(), count);
        }
        let id = get(envoy, "/v1/models?speed=high", &[]);
        assert_eq!(envoy.client(id).status(), 400);
        let error = envoy.client(id).json()["error"].clone();
        assert_eq!(error["type"], "invalid_request_error");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("\"speed\" is unknown")
        );
    });
}

#[test]
fn an_endpoint_that_goes_down_is_shown_so() {
    test(|envoy| {
        let shown = |envoy: &mut Envoy| {
            let id = get(envoy, "/v1/models/m/openai/endpoints", &[]);
            assert_eq!(envoy.client(id).status(), 200);
            envoy.client(id).json()["data"]["endpoints"][0].clone()
        };
        let before = shown(envoy);
        assert_eq!(
            (&before["status"], &before["standing"]),
            (&json!(0), &json!("healthy"))
        );
        for _ in 0..3 {
            envoy.exchange(&chat("m/openai", false), &[("openai", error("openai", 503))]);
        }
        envoy.advance(200);
        assert_eq!(shown(envoy)["standing"], "down");
    });
}

#[test]
fn an_endpoint_is_shown_with_its_uptime_and_speed() {
    test(|envoy| {
        for _ in 0..10 {
            let mut script = answer("openai", true, "one two");
            script.insert(1, Event::Wait(120));
            envoy.exchange(&chat("m/openai", true), &[("openai", script)]);
        }
        envoy.tick();
        let id = get(envoy, "/v1/models/m/openai/endpoints", &[]);
        let endpoint = envoy.client(id).json()["data"]["endpoints"][0].clone();
        for span in ["5m", "30m", "1d"] {
            assert_eq!(endpoint[format!("uptime_last_{span}")], 100.0, "{endpoint}");
        }
        let latency = endpoint["latency_last_30m"]["p50"].as_f64().unwrap();
        assert!((80.0..=160.0).contains(&latency), "{endpoint}");
        // So few tokens tell nothing of it.
        assert_eq!(endpoint["throughput_last_30m"], Value::Null);
    });
}

#[test]
fn the_page_is_served_where_it_is_wanted() {
    let mut wanted = with_key();
    wanted["page"] = json!(true);
    test_with(&wanted, |envoy| {
        let id = get(envoy, "/crosspoint", &[]);
        let client = envoy.client(id);
        assert_eq!(client.status(), 200);
        assert_eq!(client.header("content-type").unwrap(), "text/html; charset=utf-8");
        let policy = client.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert_eq!(client.text(), crosspoint::api::console::PAGE);
        let id = get(envoy, "/v1/models", &[]);
        assert_eq!(envoy.client(id).status(), 401);
    });
    test(|envoy| {
        let id = get(envoy, "/crosspoint", &[]);
        assert_eq!(envoy.client(id).status(), 404);
    });
}

#[test]
fn all_that_is_told_is_told_to_keys_only() {
    test_with(&with_key(), |envoy| {
        for target in [
            "/v1/models/m/openai",
            "/v1/models/m/openai/endpoints",
            "/v1/models/count",
            "/v1/providers",
        ] {
            let id = get(envoy, target, &[]);
            assert_eq!(envoy.client(id).status(), 401, "{target}");
            let id = get(envoy, target, &[("authorization", "Bearer right")]);
            assert_eq!(envoy.client(id).status(), 200, "{target}");
        }
    });
}

#[test]
fn the_models_need_a_key_too() {
    test_with(&with_key(), |envoy| {
        let id = models(envoy, &[]);
        assert_eq!(envoy.client(id).status(), 401);
        let id = models(envoy, &[("authorization", "Bearer right")]);
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn a_name_of_another_filter_that_cannot_be_taken_leaves_nothing_to_the_key() {
    let mut config = with_key();
    config["identity"] = json!({"header": "x-user"});
    test_with(&config, |envoy| {
        let long = [b'x'; 257];
        for (names, expected) in [
            (&[&b"team"[..], b"team"][..], "more than once"),
            (&[b"team\xff"], "is no UTF-8 of at most 256 bytes"),
            (&[&long], "is no UTF-8 of at most 256 bytes"),
        ] {
            let mut headers = chat_headers();
            headers.set(b"authorization", b"Bearer right");
            for name in names {
                headers.0.push((b"x-user".to_vec(), name.to_vec()));
            }
            let id = envoy.open(&headers, false);
            assert_eq!(envoy.client(id).status(), 400);
            let error = envoy.client(id).json()["error"].clone();
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains("x-user") && message.contains(expected),
                "{message}"
            );
        }
    });
}
