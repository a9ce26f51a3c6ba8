//! What a budget holds, and what goes out for it.

use super::budgets::{post, record, small, with_key};
use super::envoy::Envoy;
use super::provider::{answer, chat, error, fails_over, test_with};
use serde_json::{Value, json};

fn now() -> u64 {
    super::host::host(|host| host.clock_ms)
}

fn held() -> u64 {
    record().held(now()).0
}

/// A key that may spend so much a day, and what becomes of requests that nothing bounds.
fn budget(usd: &str, unbounded: &str) -> Value {
    let mut config = with_key(json!({"budget": {"day": usd}}));
    config["budgets"] = json!({"unbounded": unbounded});
    config
}

fn sent(envoy: &Envoy, id: u32) -> Value {
    envoy.sent(id).last().unwrap().json()
}

#[test]
fn of_two_limits_the_one_that_goes_out_is_held() {
    test_with(&budget("1", "clamp"), |envoy| {
        let mut body = small();
        body["max_tokens"] = json!(30_000);
        body["max_completion_tokens"] = json!(1);
        let id = post(envoy, &body);
        let out = sent(envoy, id);
        assert_eq!(out["max_completion_tokens"], 1);
        assert!(out.get("max_tokens").is_none(), "{out}");
        assert!(held() < 100_000_000);
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        body["max_completion_tokens"] = json!(40_000);
        let id = post(envoy, &body);
        assert!(held() > 30_000 * 2_000_000);
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    });
}

#[test]
fn every_completion_is_held() {
    test_with(&budget("1", "clamp"), |envoy| {
        let mut body = small();
        body["max_tokens"] = json!(1_000);
        body["n"] = json!(4);
        let id = post(envoy, &body);
        assert!(
            (4_000 * 2_000_000..4_100 * 2_000_000).contains(&held()),
            "{}",
            held()
        );
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    });
}

#[test]
fn numbers_that_are_none_are_refused() {
    test_with(&budget("1", "clamp"), |envoy| {
        for (name, wrong) in [
            ("max_tokens", json!("30000")),
            ("max_completion_tokens", json!(1e10)),
            ("max_tokens", json!(-1)),
            ("n", json!("9")),
            ("best_of", json!(2.5)),
        ] {
            let mut body = small();
            body[name] = wrong;
            let id = post(envoy, &body);
            assert_eq!(envoy.client(id).status(), 400);
            let message = envoy.client(id).json()["error"]["message"].clone();
            let expected = format!("{name}: expected a whole number from 1 to 4294967295");
            assert!(message.as_str().unwrap().starts_with(&expected), "{message}");
        }
    });
}

#[test]
fn a_completion_without_a_limit_gets_one_that_the_budget_covers() {
    test_with(&budget("0.01", "clamp"), |envoy| {
        let id = post(envoy, &chat("m/any", false));
        let limit = sent(envoy, id)["max_completion_tokens"].as_u64().unwrap();
        // A sixteenth would be less than what is usual.
        assert_eq!(limit, 1_000);
        assert!((2_000_000_000..2_200_000_000).contains(&held()), "{}", held());
        // The next attempt has it, too.
        envoy.play(
            id,
            &fails_over(error("openai", 500), answer("anthropic", false, "hi")),
        );
        assert_eq!(sent(envoy, id)["max_tokens"], 1_000);
        assert_eq!(held(), 0);
    });
    test_with(&budget("0.001", "clamp"), |envoy| {
        let id = post(envoy, &chat("m/openai", false));
        let limit = sent(envoy, id)["max_completion_tokens"].as_u64().unwrap();
        assert!((400..500).contains(&limit), "{limit}");
        assert!(held() <= 1_000_000_000);
        let second = post(envoy, &chat("m/openai", false));
        assert_eq!(envoy.client(second).status(), 402);
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    });
}

#[test]
fn a_completion_without_a_limit_may_be_kept_or_refused() {
    test_with(&budget("0.01", "reserve"), |envoy| {
        let id = post(envoy, &chat("m/openai", false));
        assert!(sent(envoy, id).get("max_completion_tokens").is_none());
        assert!((2_000_000_000..2_200_000_000).contains(&held()), "{}", held());
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    });
    test_with(&budget("0.01", "refuse"), |envoy| {
        let id = post(envoy, &chat("m/openai", false));
        assert_eq!(envoy.client(id).status(), 400);
        let message = envoy.client(id).json()["error"]["message"].clone();
        assert!(
            message.as_str().unwrap().starts_with("max_tokens: missing"),
            "{message}"
        );
    });
}

#[test]
fn what_has_no_price_is_for_keys_without_a_budget() {
    let unpriced = |unbounded: &str| {
        let mut config = budget("1", unbounded);
        for model in ["m/any", "m/openai"] {
            let endpoint = config["models"][model]["endpoints"][0].as_object_mut().unwrap();
            endpoint.remove("price");
        }
        config
    };
    test_with(&unpriced("clamp"), |envoy| {
        let id = post(envoy, &small());
        assert_eq!(envoy.client(id).status(), 402);
        let mut any = chat("m/any", false);
        any["max_tokens"] = json!(10);
        let id = post(envoy, &any);
        envoy.play(id, &[("anthropic", answer("anthropic", false, "hi"))]);
        let receipt = envoy.receipt(id);
        assert_eq!(receipt["passed_over"][0]["reason"], "unbounded", "{receipt}");
    });
    test_with(&unpriced("reserve"), |envoy| {
        let id = post(envoy, &small());
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        let receipt = envoy.receipt(id);
        assert_eq!(
            (&receipt["unpriced"], &receipt["cost_pico_usd"]),
            (&json!(true), &json!(0))
        );
        assert_eq!(envoy.client(id).json()["usage"]["cost"], Value::Null);
    });
}
