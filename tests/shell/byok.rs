//! Callers who bring a key of their own for a provider, and pay it themselves.

use super::envoy::{Envoy, chat_headers};
use super::host::Headers;
use super::provider::{answer, chat, config, error, test_with};
use serde_json::{Value, json};

/// Anthropic may be paid by callers for a fee, and Bedrock by callers alone.
fn paid_by_callers() -> Value {
    let mut config = config();
    config["providers"]["anthropic"]["byok"] = json!({"fee": "10%"});
    config["providers"]["bedrock"]["byok"] = json!(true);
    let bedrock = config["providers"]["bedrock"].as_object_mut().unwrap();
    bedrock.remove("key");
    config
}

fn ask(envoy: &mut Envoy, keys: Option<&str>) -> u32 {
    let mut headers = chat_headers();
    if let Some(keys) = keys {
        headers.set(b"x-provider-key", keys.as_bytes());
    }
    let id = envoy.open(&headers, false);
    envoy.request_data(id, chat("m/any", false).to_string().as_bytes(), true);
    id
}

#[test]
fn the_callers_key_goes_to_its_provider_first_and_nowhere_else() {
    test_with(&paid_by_callers(), |envoy| {
        let id = ask(envoy, Some("anthropic=sk-of-the-caller"));
        envoy.play(
            id,
            &[
                ("anthropic", error("anthropic", 529)),
                ("openai", answer("openai", false, "hi")),
            ],
        );
        assert_eq!(envoy.client(id).status(), 200);
        let sent = envoy.sent(id);
        assert_eq!(sent[0].headers.text("x-api-key").unwrap(), "sk-of-the-caller");
        for one in &sent[1..] {
            assert!(
                one.headers
                    .0
                    .iter()
                    .all(|(_, value)| value != b"sk-of-the-caller")
            );
        }
        assert!(
            sent.iter()
                .all(|one| one.headers.text("x-provider-key").is_none())
        );
        let receipt = envoy.receipt(id);
        assert_eq!(receipt["attempts"][0]["reason"], "byok");
        assert!(receipt.get("is_byok").is_none() && receipt.get("byok_cost_pico_usd").is_none());
        assert!(!receipt.to_string().contains("sk-of"));
    });
}

#[test]
fn who_pays_the_provider_is_charged_the_fee() {
    test_with(&paid_by_callers(), |envoy| {
        for (keys, part) in [("anthropic=sk-a", 10), ("bedrock = sk-b, ", 0)] {
            let id = ask(envoy, Some(keys));
            let provider = keys.split(['=', ' ']).next().unwrap();
            envoy.play(id, &[(provider, answer(provider, false, "hi"))]);
            let receipt = envoy.receipt(id);
            assert_eq!(receipt["is_byok"], true);
            assert_eq!(receipt["upstream_cost_pico_usd"], 0);
            let paid = receipt["byok_cost_pico_usd"].as_f64().unwrap();
            let usage = envoy.client(id).json()["usage"].clone();
            assert_eq!(usage["is_byok"], true);
            let upstream = usage["cost_details"]["upstream_inference_cost"].as_f64().unwrap();
            let charged = receipt["cost_pico_usd"].as_f64().unwrap();
            assert!(upstream > 0.0 && (upstream * 1e10 * f64::from(part) - charged).abs() < 1.0);
            assert!((upstream * 1e12 - paid).abs() < 1.0);
        }
    });
}

#[test]
fn who_pays_the_provider_is_held_the_fee_and_told_what_was_paid() {
    let mut config = paid_by_callers();
    let sha256 = crosspoint::hash::to_hex(&crosspoint::hash::sha256(b"right"));
    config["keys"] = json!([{"name": "team", "sha256": sha256, "budget": {"day": 1}}]);
    test_with(&config, |envoy| {
        let mut begin = |keys: Option<&str>| {
            let mut headers = chat_headers();
            headers.set(b"authorization", b"Bearer right");
            if let Some(keys) = keys {
                headers.set(b"x-provider-key", keys.as_bytes());
            }
            let id = envoy.open(&headers, false);
            let mut body = chat("m/anthropic", false);
            body["max_tokens"] = json!(1_000);
            envoy.request_data(id, body.to_string().as_bytes(), true);
            let held = get(envoy, "/v1/key")["budgets"][0]["held"].as_f64().unwrap();
            envoy.play(id, &[("anthropic", answer("anthropic", false, "hi"))]);
            (held, envoy.receipt(id))
        };
        let (whole, ours) = begin(None);
        let (part, theirs) = begin(Some("anthropic=sk-a"));
        assert!(
            whole > 0.0 && (part - whole / 10.0).abs() < 2e-12,
            "{whole} {part}"
        );
        let paid = theirs["byok_cost_pico_usd"].as_f64().unwrap() / 1e12;
        assert!(paid > 0.0);
        let key = get(envoy, "/v1/key");
        for name in ["", "_daily", "_weekly", "_monthly"] {
            assert_eq!(key[format!("byok_usage{name}")], paid);
        }
        assert_eq!(get(envoy, "/v1/credits")["byok_usage"], paid);
        assert_eq!(get(envoy, "/v1/activity")[0]["byok_usage_inference"], paid);
        for (receipt, is_byok) in [(&ours, false), (&theirs, true)] {
            let id = receipt["id"].as_str().unwrap();
            let told = get(envoy, &format!("/v1/generation?id={id}"));
            assert_eq!(told["is_byok"], is_byok);
            assert_eq!(told["provider_responses"][0]["is_byok"], is_byok);
            let upstream = told["upstream_inference_cost"].as_f64();
            assert_eq!(upstream, is_byok.then_some(paid));
        }
    });
}

fn get(envoy: &mut Envoy, target: &str) -> Value {
    let headers = Headers::of([
        (":method", "GET"),
        (":path", target),
        (":authority", "crosspoint"),
        (":scheme", "http"),
        ("authorization", "Bearer right"),
    ]);
    let id = envoy.open(&headers, true);
    envoy.client(id).json()["data"].clone()
}

#[test]
fn a_provider_that_callers_pay_alone_is_asked_for_nobody_else() {
    test_with(&paid_by_callers(), |envoy| {
        let mut request = chat("m/any", false);
        request["provider"] = json!({"only": ["bedrock"]});
        let id = envoy.open(&chat_headers(), false);
        envoy.request_data(id, request.to_string().as_bytes(), true);
        let error = envoy.client(id).json()["error"].clone();
        assert_eq!(error["code"], 404);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("wants the caller's own key"), "{message}");
    });
}

#[test]
fn a_refused_key_of_a_caller_says_nothing_of_the_endpoint() {
    test_with(&paid_by_callers(), |envoy| {
        for status in [401, 402, 429] {
            for _ in 0..10 {
                let id = ask(envoy, Some("anthropic=sk-spent"));
                envoy.play(
                    id,
                    &[
                        ("anthropic", error("anthropic", status)),
                        ("openai", answer("openai", false, "hi")),
                    ],
                );
                assert_eq!(envoy.receipt(id)["attempts"][0]["provider"], "anthropic");
            }
        }
    });
}

#[test]
fn a_header_that_is_none_is_refused_and_not_repeated() {
    test_with(&paid_by_callers(), |envoy| {
        for (keys, expected) in [
            ("sk-secret", "expected provider=key"),
            ("", "names no key"),
            (" , ", "names no key"),
            (
                "anthropic=sk-secret, anthropic=sk-secret2",
                "more than one key for anthropic",
            ),
            ("anthropic=", "expected provider=key"),
            (
                "openai=sk-secret",
                "\"openai\" is no provider that takes callers' keys here; those that do: anthropic, bedrock",
            ),
        ] {
            let id = ask(envoy, Some(keys));
            let client = envoy.client(id);
            assert_eq!(client.status(), 400);
            assert!(
                client.text().replace("\\\"", "\"").contains(expected),
                "{}",
                client.text()
            );
            assert!(!client.text().contains("sk-secret"));
        }
    });
}

#[test]
fn a_header_that_is_unreadable_or_stands_twice_is_refused_in_the_callers_dialect() {
    test_with(&paid_by_callers(), |envoy| {
        let twice = [&b"anthropic=sk-a"[..], b"bedrock=sk-b"];
        for (values, expected) in [
            (&[&b"anthropic=sk-\xff"[..]][..], "is no UTF-8"),
            (&twice[..], "more than once"),
        ] {
            for name in ["x-provider-key", "x-session-id", "x-crosspoint-metadata"] {
                let mut headers = chat_headers();
                for value in values {
                    headers.0.push((name.as_bytes().to_vec(), value.to_vec()));
                }
                let id = envoy.open(&headers, false);
                envoy.request_data(id, chat("m/any", false).to_string().as_bytes(), true);
                assert!(envoy.sent(id).is_empty(), "the operator would pay");
                assert_eq!(envoy.client(id).status(), 400, "{name} {expected}");
                let error = envoy.client(id).json()["error"].clone();
                assert_eq!(error["type"], "invalid_request_error");
                let message = error["message"].as_str().unwrap();
                assert!(message.contains(name) && message.contains(expected), "{message}");
                assert_eq!(envoy.receipt(id)["outcome"], "refused");
            }
        }
    });
}
