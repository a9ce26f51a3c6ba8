//! Whom zero-completion insurance saves the cost of the tokens: <https://openrouter.ai/docs/guides/features/zero-completion-insurance>.

use super::provider::{Event, PROVIDERS, Script, answer, buffered, chat, head, streamed_head, test};
use serde_json::{Value, json};

/// 10 tokens in at 1 USD per million, and so many out at 2.
fn price(completion: u64) -> u64 {
    10 * 1_000_000 + completion * 2_000_000
}

fn check(script: Script, cost: u64, insured: &Value) {
    test(|envoy| {
        let id = envoy.exchange(&chat("m/openai", false), &[("openai", script)]);
        assert_eq!(envoy.client(id).status(), 200);
        let receipt = envoy.receipt(id);
        assert_eq!(receipt["cost_pico_usd"], cost);
        assert_eq!(&receipt["insured_pico_usd"], insured);
        assert_eq!(receipt["tokens"]["prompt"], 10);
    });
}

/// A buffered answer of OpenAI's with this text, reason and number of tokens.
fn ends(text: &str, finish: &Value, tokens: u64) -> Script {
    let mut body: Value = serde_json::from_slice(&buffered("openai", text)).unwrap();
    body["choices"][0]["finish_reason"] = finish.clone();
    body["usage"]["completion_tokens"] = json!(tokens);
    vec![
        Event::Head(head(200, "application/json")),
        Event::End(body.to_string().into_bytes()),
    ]
}

#[test]
fn an_answer_without_tokens_or_reason_costs_nothing() {
    check(ends("", &Value::Null, 0), 0, &json!(price(0)));
}

#[test]
fn an_answer_that_ends_with_an_error_costs_nothing() {
    check(ends("half of", &json!("error"), 5), 0, &json!(price(5)));
}

#[test]
fn an_answer_without_tokens_that_says_why_is_billed() {
    check(ends("", &json!("stop"), 0), price(0), &Value::Null);
    check(ends("", &json!("content_filter"), 0), price(0), &Value::Null);
}

#[test]
fn tokens_that_nobody_sees_are_billed() {
    check(ends("", &Value::Null, 7), price(7), &Value::Null);
}

#[test]
fn a_stream_that_ends_with_our_error_costs_nothing() {
    test(|envoy| {
        for provider in PROVIDERS {
            let id = envoy.post(&chat(&format!("m/{provider}"), true));
            let mut script = answer(provider, true, "one two");
            script.truncate(streamed_head(provider).len() + 3);
            script.push(Event::End(Vec::new()));
            script.iter().for_each(|event| envoy.event(id, event));
            assert!(envoy.client(id).text().contains("\"finish_reason\":\"error\""));
            let receipt = envoy.receipt(id);
            assert_eq!(
                (&receipt["outcome"], &receipt["cost_pico_usd"]),
                (&json!("cut"), &json!(0))
            );
            assert!(receipt["insured_pico_usd"].as_u64().unwrap() > 0, "{provider}");
        }
    });
}
