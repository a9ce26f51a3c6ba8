//! Counts of a provider that cannot be: more than its endpoint can have read or written.

use super::envoy::{Envoy, chat_headers};
use super::host::host;
use super::provider::{
    Event, Script, answer, buffered, chat, fails_over, head, streamed, streamed_head, test,
};
use serde_json::{Value, json};

const MOST: &str = "18446744073709551615";

/// Writes counts of 2⁶⁴−1 in the place of those that an answer has.
fn inflated(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let count = |text: String, name: &str, usual: &str| {
        text.replace(&format!("\"{name}\":{usual}"), &format!("\"{name}\":{MOST}"))
    };
    let text = ["prompt_tokens", "input_tokens", "inputTokens"]
        .iter()
        .fold(text, |text, name| count(text, name, "10"));
    ["completion_tokens", "output_tokens", "outputTokens"]
        .iter()
        .fold(text, |text, name| count(text, name, "5"))
        .into_bytes()
}

fn whole(body: Vec<u8>) -> Script {
    vec![Event::Head(head(200, "application/json")), Event::End(body)]
}

/// An answer with such counts.
fn claims(provider: &str, stream: bool) -> Script {
    if !stream {
        return whole(inflated(&buffered(provider, "one two three")));
    }
    let mut script = streamed_head(provider);
    let pieces = streamed(provider, "one two three").concat();
    script.push(Event::End(inflated(&pieces)));
    script
}

fn counter(start: &str) -> Option<u64> {
    host(|host| host.metric_value(start, &["model=m/openai;provider=openai;operation=chat;"]))
}

/// What the receipt says, and what the client reads.
fn check(envoy: &Envoy, id: u32, cost: u64) {
    let receipt = envoy.receipt(id);
    let tokens = &receipt["tokens"];
    assert_eq!(tokens["claimed"]["completion"], json!(u64::MAX), "{receipt}");
    assert_eq!(tokens["claimed"]["prompt"], json!(u64::MAX), "{receipt}");
    let (prompt, completion) = (
        tokens["prompt"].as_u64().unwrap(),
        tokens["completion"].as_u64().unwrap(),
    );
    assert!(
        (4..20).contains(&prompt) && (3..6).contains(&completion),
        "{receipt}"
    );
    assert_eq!(tokens["prompt_source"], "estimate");
    assert_ne!(tokens["completion_source"], "provider");
    assert_eq!(
        receipt["cost_pico_usd"],
        prompt * 1_000_000 + completion * 2_000_000
    );
    assert!(receipt["cost_pico_usd"].as_u64().unwrap() < cost);
    let text = envoy.client(id).text();
    assert!(!text.contains(MOST), "{text}");
    assert!(
        text.contains(&format!("\"completion_tokens\":{completion}")),
        "{text}"
    );
    assert!(text.contains(&format!("\"prompt_tokens\":{prompt}")), "{text}");
}

#[test]
fn counts_that_cannot_be_are_not_billed() {
    test(|envoy| {
        for provider in ["openai", "anthropic", "bedrock"] {
            for stream in [false, true] {
                if stream && provider == "bedrock" {
                    continue;
                }
                let mut body = chat(&format!("m/{provider}"), stream);
                body["stream_options"] = json!({"include_usage": true});
                let id = envoy.exchange(&body, &[(provider, claims(provider, stream))]);
                check(envoy, id, 50_000_000);
            }
        }
    });
}

#[test]
fn statistics_do_not_wrap() {
    test(|envoy| {
        let request = chat("m/openai", false);
        let id = envoy.exchange(&request, &[("openai", claims("openai", false))]);
        let tokens = envoy.receipt(id)["tokens"].clone();
        for (kind, name) in [("prompt", "input"), ("completion", "output")] {
            let counted = counter(&format!("gen_ai.client.inference.usage.{name}_tokens;"));
            assert_eq!(counted, tokens[kind].as_u64(), "{tokens}");
        }
        let again = envoy.exchange(&request, &[("openai", answer("openai", false, "hi"))]);
        assert!(envoy.receipt(again)["tokens"].get("claimed").is_none());
    });
}

#[test]
fn a_limit_bounds_every_choice() {
    test(|envoy| {
        for (claimed, billed) in [(20, 20), (21, 3)] {
            let mut body = chat("m/openai", false);
            body["max_tokens"] = json!(10);
            body["n"] = json!(2);
            let mut answer: Value = serde_json::from_slice(&buffered("openai", "one two three")).unwrap();
            answer["usage"]["completion_tokens"] = json!(claimed);
            let answer = answer.to_string().into_bytes();
            let id = envoy.exchange(&body, &[("openai", whole(answer))]);
            let tokens = &envoy.receipt(id)["tokens"];
            assert_eq!(tokens["completion"], billed, "{tokens}");
            assert_eq!(tokens.get("claimed").is_some(), claimed > 20);
        }
    });
}

#[test]
fn a_failed_attempt_is_not_believed_either() {
    test(|envoy| {
        let mut body = chat("m/any", false);
        body["max_tokens"] = json!(100);
        let empty = whole(inflated(&buffered("openai", "")));
        let id = envoy.exchange(&body, &fails_over(empty, answer("anthropic", false, "hi")));
        let receipt = envoy.receipt(id);
        let wasted = &receipt["attempts"][0];
        assert_eq!(
            wasted["tokens"]["claimed"]["prompt"],
            json!(u64::MAX),
            "{receipt}"
        );
        assert!(
            wasted["cost_pico_usd"].as_u64().unwrap() < 50_000_000,
            "{receipt}"
        );
    });
}

#[test]
fn embeddings_are_bounded_by_their_inputs() {
    test(|envoy| {
        let mut headers = chat_headers();
        headers.set(b":path", b"/v1/embeddings");
        let id = envoy.open(&headers, false);
        let body = json!({"model": "m/openai", "input": ["one two", "three"]});
        envoy.request_data(id, body.to_string().as_bytes(), true);
        let vector = |at: u32| json!({"object": "embedding", "index": at, "embedding": [0.5]});
        let answer = json!({
            "object": "list", "data": [vector(0), vector(1)], "model": "x",
            "usage": {"prompt_tokens": u64::MAX, "total_tokens": u64::MAX},
        });
        envoy.play(id, &[("openai", whole(answer.to_string().into_bytes()))]);
        let receipt = envoy.receipt(id);
        assert_eq!(
            receipt["tokens"]["claimed"]["prompt"],
            json!(u64::MAX),
            "{receipt}"
        );
        assert_eq!(receipt["tokens"]["prompt"], 3);
        let client = envoy.client(id).json();
        assert_eq!(client["usage"]["prompt_tokens"], 3, "{client}");
    });
}
