//! Buffered requests at endpoints that accept them and say nothing.

use super::envoy::Envoy;
use super::provider::{
    Event, Script, answer, buffered, chat, config, head, streamed, streamed_head, test, test_with,
};
use serde_json::{Value, json};

/// A buffered request that may go to these providers, in this order.
fn request(order: &[&str]) -> Value {
    let mut request = chat("m/any", false);
    request["provider"] = json!({"order": order, "allow_fallbacks": false});
    request
}

/// The configuration with `stream_upstream` of one provider.
fn with_stream(provider: &str, mode: &str) -> Value {
    let mut config = config();
    config["providers"][provider]["stream_upstream"] = json!(mode);
    config
}

/// Whether attempt `at` asked its provider for a stream.
fn asked_for_stream(envoy: &Envoy, id: u32, at: usize) -> bool {
    let sent = &envoy.sent(id)[at];
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    body["stream"] == true || sent.headers.text(":path").unwrap().ends_with("/converse-stream")
}

fn envoys_deadline_ms(envoy: &Envoy, id: u32) -> u64 {
    let forwarded = envoy.forwarded(id);
    forwarded
        .number("x-envoy-upstream-rq-per-try-timeout-ms")
        .unwrap()
}

/// Lets so many milliseconds pass, with the ticks that Envoy makes in them.
fn pass(envoy: &mut Envoy, ms: u64) {
    for _ in 0..ms / 500 {
        envoy.advance(500);
        envoy.tick();
    }
}

/// A streamed answer whose pieces come every `every_ms`.
fn slowly(provider: &str, text: &str, every_ms: u64) -> Script {
    let pieces = answer(provider, true, text);
    let waits = pieces
        .into_iter()
        .flat_map(|event| [event, Event::Wait(every_ms)]);
    let mut script: Script = waits.collect();
    script.pop();
    script
}

fn text(envoy: &Envoy, id: u32) -> String {
    let client = envoy.client(id);
    assert_eq!((client.status(), client.complete), (200, true));
    assert_eq!(client.header("content-type").unwrap(), "application/json");
    assert_eq!(client.json()["object"], "chat.completion");
    client.json()["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_silent_endpoint_is_left_and_the_last_one_may_take_all_the_time() {
    for provider in ["anthropic", "bedrock"] {
        test(|envoy| {
            let id = envoy.post(&request(&["openai", provider]));
            assert_eq!(envoys_deadline_ms(envoy, id), 300_000);
            pass(envoy, 299_500);
            assert_eq!(envoy.sent(id).len(), 1);
            assert!(!asked_for_stream(envoy, id, 0));
            pass(envoy, 500);
            assert_eq!(envoy.sent(id).len(), 2);
            assert!(asked_for_stream(envoy, id, 1));
            // More than five minutes, of which Envoy's deadline sees the time to the first token.
            envoy.play(id, &[(provider, slowly(provider, "a b c d", 55_000))]);
            assert_eq!(text(envoy, id), "a b c d");
            assert_eq!(
                envoy.attempts(id),
                json!([
                    ["openai", "error", "timeout", null],
                    [provider, "success", null, 200]
                ])
            );
        });
    }
}

#[test]
fn an_endpoint_that_needs_five_minutes_serves() {
    // The only one that can be asked has all the time.
    test(|envoy| {
        let id = envoy.post(&chat("m/openai", false));
        assert_eq!(envoys_deadline_ms(envoy, id), 600_000);
        pass(envoy, 300_000);
        envoy.play(id, &[("openai", answer("openai", false, "long"))]);
        assert_eq!(text(envoy, id), "long");
    });
    // One of several has its share, and what it is known to need.
    let mut config = config();
    config["timeouts"] = json!({"total": "20m"});
    test_with(&config, |envoy| {
        for _ in 0..3 {
            let id = envoy.post(&request(&["openai", "anthropic"]));
            pass(envoy, 300_000);
            envoy.play(id, &[("openai", answer("openai", false, "long"))]);
            assert_eq!(text(envoy, id), "long");
            assert_eq!(envoy.sent(id).len(), 1);
        }
    });
}

#[test]
fn the_deadline_is_three_times_what_buffered_answers_take() {
    test(|envoy| {
        for (took_ms, expected) in [(100, 60_000..=60_100), (30_000, 80_000..=110_000)] {
            envoy.advance(600_000);
            let slow = [("openai", vec![Event::Wait(took_ms)])];
            let ids: Vec<_> = (0..20)
                .map(|_| envoy.post(&request(&["openai", "anthropic"])))
                .collect();
            envoy.play(ids[0], &slow);
            for id in ids {
                envoy.play(id, &[("openai", answer("openai", false, "good"))]);
            }
            envoy.tick();
            let id = envoy.post(&request(&["openai", "anthropic"]));
            let deadline = envoys_deadline_ms(envoy, id);
            assert!(expected.contains(&deadline), "{deadline}");
            envoy.advance(deadline);
            assert_eq!(envoy.sent(id).len(), 2);
            envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
            assert_eq!(text(envoy, id), "good");
        }
    });
}

#[test]
fn an_endpoint_whose_answer_has_headers_only_is_left_at_its_own_deadline() {
    let mut config = config();
    config["timeouts"] = json!({"total": "20s"});
    test_with(&config, |envoy| {
        let mut silent = vec![Event::Head(head(200, "application/json"))];
        silent.push(Event::Data(b" ".to_vec()));
        let id = envoy.exchange(&request(&["openai", "anthropic"]), &[("openai", silent)]);
        pass(envoy, 10_000);
        assert_eq!(envoy.sent(id).len(), 2);
        envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
        assert_eq!(text(envoy, id), "good");
        assert_eq!(envoy.attempts(id)[0], json!(["openai", "error", "timeout", 200]));
    });
}

#[test]
fn an_endpoint_that_was_silent_lately_is_asked_for_a_stream() {
    test(|envoy| {
        let id = envoy.post(&request(&["openai", "anthropic"]));
        pass(envoy, 300_000);
        envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);

        let id = envoy.post(&request(&["openai", "anthropic"]));
        assert!(asked_for_stream(envoy, id, 0));
        assert_eq!(envoys_deadline_ms(envoy, id), 30_000);
        envoy.play(id, &[("openai", slowly("openai", "a b c", 9_000))]);
        assert_eq!(text(envoy, id), "a b c");
        assert_eq!(envoy.sent(id).len(), 1);

        // It is left at its first-token deadline.
        let id = envoy.post(&request(&["openai", "anthropic"]));
        envoy.advance(30_000);
        assert_eq!(envoy.sent(id).len(), 2);
        envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
        assert_eq!(text(envoy, id), "good");

        // Where no other endpoint can be asked a stream would only end it earlier.
        let id = envoy.post(&chat("m/openai", false));
        assert!(!asked_for_stream(envoy, id, 0));
        envoy.play(id, &[("openai", answer("openai", false, "good"))]);

        envoy.advance(600_000);
        let id = envoy.post(&request(&["openai", "anthropic"]));
        assert!(!asked_for_stream(envoy, id, 0));
        envoy.play(id, &[("openai", answer("openai", false, "good"))]);
    });
}

#[test]
fn the_configuration_says_who_is_asked_for_a_stream() {
    test_with(&with_stream("openai", "always"), |envoy| {
        for model in ["m/openai", "m/any"] {
            let id = envoy.post(&chat(model, false));
            assert!(asked_for_stream(envoy, id, 0));
            envoy.play(id, &[("openai", answer("openai", true, "good"))]);
            assert_eq!(text(envoy, id), "good");
        }
        // OpenAI streams audio in other formats than it answers with.
        let mut request = chat("m/openai", false);
        request["audio"] = json!({"voice": "alloy", "format": "wav"});
        let id = envoy.post(&request);
        assert!(!asked_for_stream(envoy, id, 0));
        envoy.play(id, &[("openai", answer("openai", false, "good"))]);
    });
    test_with(&with_stream("anthropic", "never"), |envoy| {
        let id = envoy.post(&request(&["openai", "anthropic"]));
        assert_eq!(envoys_deadline_ms(envoy, id), 300_000);
        envoy.advance(300_000);
        assert!(!asked_for_stream(envoy, id, 1));
        envoy.play(id, &[("anthropic", answer("anthropic", false, "good"))]);
        assert_eq!(text(envoy, id), "good");
    });
}

#[test]
fn a_folded_answer_is_the_buffered_one() {
    for provider in ["openai", "anthropic", "bedrock"] {
        let mut answers = Vec::new();
        for mode in ["always", "never"] {
            test_with(&with_stream(provider, mode), |envoy| {
                let id = envoy.exchange(
                    &chat(&format!("m/{provider}"), false),
                    &[(provider, answer(provider, mode == "always", "a b c"))],
                );
                let mut body = envoy.client(id).json();
                let receipt = envoy.receipt(id);
                // The provider's own id, where its answer is passed on.
                for member in ["id", "created", "model", "provider"] {
                    body.as_object_mut().unwrap().remove(member);
                }
                let choice = body["choices"][0].as_object_mut().unwrap();
                for member in ["native_finish_reason", "logprobs"] {
                    choice.remove(member);
                }
                choice["message"].as_object_mut().unwrap().remove("refusal");
                // Zeros that an answer which is passed on does not have.
                let usage = body["usage"].as_object_mut().unwrap();
                usage.retain(|name, _| !name.ends_with("_details") || name == "cost_details");
                answers.push((body, receipt["tokens"].clone(), receipt["cost_pico_usd"].clone()));
                assert_eq!(receipt["stream"], false);
            });
        }
        assert_eq!(answers[0], answers[1], "{provider}");
    }
}

#[test]
fn what_breaks_after_the_first_token_is_told_in_the_document() {
    test_with(&with_stream("openai", "always"), |envoy| {
        let begin = || {
            let mut script = streamed_head("openai");
            script.extend(
                streamed("openai", "half of it")
                    .into_iter()
                    .take(3)
                    .map(Event::Data),
            );
            script
        };
        // An error in band; a stall, which a tick finds.
        for stalls in [false, true] {
            let id = envoy.exchange(&chat("m/any", false), &[("openai", begin())]);
            assert_eq!(envoy.client(id).text(), "\n");
            if stalls {
                pass(envoy, 61_000);
            } else {
                let error = br#"data: {"error":{"message":"provider said no","code":500}}"#;
                envoy.event(id, &Event::End([error.as_slice(), b"\n\n"].concat()));
            }
            let client = envoy.client(id);
            assert_eq!(client.status(), 200);
            let body = client.json();
            assert_eq!(body["choices"][0]["message"]["content"], "half of ");
            assert_eq!(body["choices"][0]["finish_reason"], "error");
            let kind = if stalls { "timeout" } else { "provider_unavailable" };
            assert_eq!(body["error"]["metadata"]["error_type"], kind);
            assert_eq!(envoy.sent(id).len(), 1);
            assert_eq!(envoy.receipt(id)["outcome"], "cut");
        }
    });
}

#[test]
fn a_client_may_leave_while_its_answer_is_folded() {
    test_with(&with_stream("openai", "always"), |envoy| {
        let mut script = streamed_head("openai");
        script.extend(
            streamed("openai", "half of it")
                .into_iter()
                .take(3)
                .map(Event::Data),
        );
        let id = envoy.exchange(&chat("m/any", false), &[("openai", script)]);
        envoy.client_leaves(id);
        assert_eq!(envoy.receipt(id)["outcome"], "cancelled");
    });
}

#[test]
fn a_provider_that_answers_whole_all_the_same_is_read() {
    test_with(&with_stream("openai", "always"), |envoy| {
        let script = vec![
            Event::Head(head(200, "application/json")),
            Event::End(buffered("openai", "whole")),
        ];
        let id = envoy.exchange(&chat("m/openai", false), &[("openai", script)]);
        assert_eq!(text(envoy, id), "whole");
    });
}

#[test]
fn what_an_abandoned_attempt_may_cost_is_in_the_receipt() {
    let mut config = config();
    config["providers"]["openai"]["on_cancel"] = json!("bills_all");
    test_with(&config, |envoy| {
        let mut request = request(&["openai", "anthropic"]);
        request["max_tokens"] = json!(100);
        let id = envoy.post(&request);
        envoy.advance(300_000);
        envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
        let receipt = envoy.receipt(id);
        let line = &receipt["attempts"][0];
        assert_eq!(line["tokens"]["completion"], 100);
        assert!(line["cost_pico_usd"].as_u64().unwrap() >= 200_000_000);
        assert_eq!(receipt["attempts"][1]["cost_pico_usd"], Value::Null);
        // The caller pays for what it got.
        assert_eq!(receipt["cost_pico_usd"], 20_000_000);
    });
}
