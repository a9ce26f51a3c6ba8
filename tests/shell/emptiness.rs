//! Answers without a token, and other failures that a caller can provoke: the endpoint serves everybody else on.

use super::access::post_with;
use super::envoy::Envoy;
use super::provider::{Event, PROVIDERS, Script, answer, chat, config, head, streamed_head, test, test_with};
use serde_json::{Value, json};

/// A complete answer without a token, whose provider gives `native` as the reason for its end.
fn empty(provider: &str, stream: bool, native: &str) -> Script {
    let old = match provider {
        "openai" => "\"stop\"",
        _ => "\"end_turn\"",
    };
    let mut script = answer(provider, stream, "");
    for event in &mut script {
        if let Event::Data(bytes) | Event::End(bytes) = event
            && let Ok(text) = String::from_utf8(bytes.clone())
        {
            *bytes = text.replace(old, &format!("{native:?}")).into_bytes();
        }
    }
    script
}

/// A request that names the providers in this order.
fn request(order: &[&str], stream: bool, stop: &Value) -> Value {
    let mut request = chat("m/any", stream);
    request["provider"] = json!({"order": order, "allow_fallbacks": false});
    request["stop"] = stop.clone();
    request
}

/// Whether the exchange ended with the empty answer of the first provider.
fn stands(provider: &'static str, native: &'static str, stop: &Value) -> bool {
    let mut results = Vec::new();
    test(|envoy| {
        for stream in [false, true] {
            if stream && provider == "bedrock" {
                // Binary frames carry a checksum over the reason; buffered answers show the rule.
                continue;
            }
            let other = if provider == "openai" {
                "anthropic"
            } else {
                "openai"
            };
            let scripts = [
                (provider, empty(provider, stream, native)),
                (other, answer(other, stream, "good")),
            ];
            let id = envoy.exchange(&request(&[provider, other], stream, stop), &scripts);
            assert_eq!(envoy.client(id).status(), 200);
            assert_eq!(
                envoy.client(id).text().contains("good"),
                envoy.sent(id).len() == 2
            );
            results.push(envoy.sent(id).len() == 1);
        }
    });
    assert!(
        results.iter().all(|result| *result == results[0]),
        "{provider} {native}"
    );
    results[0]
}

#[test]
fn an_answer_that_a_stop_sequence_of_the_request_ended_stands() {
    let stop = json!(["."]);
    for (provider, native) in [
        ("openai", "stop"),
        ("anthropic", "stop_sequence"),
        ("bedrock", "stop_sequence"),
    ] {
        assert!(stands(provider, native, &stop), "{provider}");
    }
    assert!(stands("openai", "stop", &json!(".")));
}

#[test]
fn an_empty_answer_that_no_stop_sequence_explains_moves_on() {
    for (provider, native, stop) in [
        ("openai", "stop", Value::Null),
        ("openai", "stop", json!([])),
        ("openai", "stop", json!("")),
        // These providers tell a stop sequence apart.
        ("anthropic", "end_turn", json!(["."])),
        ("bedrock", "end_turn", json!(["."])),
    ] {
        assert!(!stands(provider, native, &stop), "{provider} {stop}");
    }
}

#[test]
fn an_answer_that_its_limit_ended_stands() {
    for (provider, native) in [
        ("openai", "length"),
        ("anthropic", "max_tokens"),
        ("bedrock", "max_tokens"),
    ] {
        assert!(stands(provider, native, &Value::Null), "{provider}");
    }
}

#[test]
fn emptiness_costs_one_further_attempt() {
    test(|envoy| {
        for stream in [false, true] {
            let scripts = PROVIDERS.map(|provider| (provider, answer(provider, stream, "")));
            let id = envoy.exchange(&chat("m/any", stream), &scripts);
            assert_eq!(envoy.sent(id).len(), 2);
            assert_eq!(envoy.client(id).status(), 200);
            assert_eq!(envoy.receipt(id)["outcome"], "success");
            assert_eq!(
                envoy.attempts(id),
                json!([
                    ["openai", "error", "provider_unavailable", 200],
                    ["anthropic", "success", null, 200]
                ])
            );
        }
    });
}

/// An answer that is longer than the gateway takes.
fn too_long() -> Script {
    let mut script = vec![Event::Head(head(200, "application/json"))];
    script.extend((0..5).map(|_| Event::Data(vec![b' '; 256 << 10])));
    script.push(Event::End(Vec::new()));
    script
}

#[test]
fn an_answer_that_is_too_long_costs_one_further_attempt() {
    test(|envoy| {
        let scripts = PROVIDERS.map(|provider| (provider, too_long()));
        let id = envoy.exchange(&chat("m/any", false), &scripts);
        assert_eq!(envoy.sent(id).len(), 2);
        assert_eq!(envoy.client(id).status(), 502);
    });
}

/// For these keys; the first provider is the cheapest.
fn with_keys(names: &[&str]) -> Value {
    let key = |name: &&str| {
        let sha256 = crosspoint::hash::to_hex(&crosspoint::hash::sha256(name.as_bytes()));
        json!({"name": name, "sha256": sha256})
    };
    let mut config = config();
    config["models"]["m/any"]["endpoints"][0]["price"]["prompt"] = json!("0.50");
    config["keys"] = names.iter().map(key).collect();
    config
}

/// The provider that is asked first for the next request, which is answered well.
fn first_asked(envoy: &mut Envoy, key: &str) -> String {
    let mut request = chat("m/any", false);
    // An order would hold for an endpoint that is down, too.
    request["provider"] = json!({"sort": "price"});
    let id = post_with(envoy, key, &request);
    let scripts = PROVIDERS.map(|provider| (provider, answer(provider, false, "good")));
    envoy.play(id, &scripts);
    envoy.attempts(id)[0][0].as_str().unwrap().to_owned()
}

#[test]
fn one_caller_cannot_make_an_endpoint_look_broken() {
    test_with(&with_keys(&["a", "b"]), |envoy| {
        for script in [answer("openai", false, ""), too_long()] {
            for _ in 0..20 {
                let id = post_with(envoy, "a", &chat("m/any", false));
                envoy.play(
                    id,
                    &[
                        ("openai", script.clone()),
                        ("anthropic", answer("anthropic", false, "good")),
                    ],
                );
                assert_eq!(envoy.sent(id).len(), 2);
            }
            assert_eq!(first_asked(envoy, "b"), "openai");
        }
    });
}

#[test]
fn an_endpoint_whose_answers_to_three_callers_are_empty_is_down() {
    test_with(&with_keys(&["a", "b", "c"]), |envoy| {
        for key in ["a", "b", "c"] {
            let id = post_with(envoy, key, &chat("m/any", false));
            let scripts = [
                ("openai", answer("openai", false, "")),
                ("anthropic", answer("anthropic", false, "good")),
            ];
            envoy.play(id, &scripts);
            assert_eq!(envoy.sent(id).len(), 2, "{key}");
        }
        assert_ne!(first_asked(envoy, "a"), "openai");
    });
}

#[test]
fn a_prompt_that_takes_all_of_the_deadline_to_read_is_no_outage() {
    test_with(&with_keys(&["a", "b"]), |envoy| {
        for (length, down) in [(300_000, false), (10, true)] {
            for _ in 0..3 {
                let mut request = chat("m/any", true);
                request["messages"][0]["content"] = json!("x".repeat(length));
                let id = post_with(envoy, "a", &request);
                envoy.play(id, &[("openai", vec![Event::Wait(30_000)])]);
                assert_eq!(envoy.sent(id).len(), 2);
                envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
            }
            let first = first_asked(envoy, "b");
            assert_eq!(first != "openai", down, "{length}: {first}");
        }
    });
}

#[test]
fn callers_who_leave_count_nothing() {
    test_with(&with_keys(&["a", "b", "c"]), |envoy| {
        for key in ["a", "b", "c"] {
            for stream in [false, true] {
                let id = post_with(envoy, key, &chat("m/any", stream));
                if stream {
                    envoy.event(id, &streamed_head("openai")[0]);
                }
                envoy.client_leaves(id);
            }
        }
        assert_eq!(first_asked(envoy, "b"), "openai");
    });
}
