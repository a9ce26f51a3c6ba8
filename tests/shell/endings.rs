//! How exchanges end otherwise than with a whole answer.

use super::envoy::Envoy;
use super::host::host;
use super::provider::{
    Event, PROVIDERS, answer, chat, config, fails_over, streamed, streamed_head, test, test_with,
};
use serde_json::{Value, json};

/// A stream of this provider that has delivered some words.
fn begun(envoy: &mut Envoy, provider: &str) -> u32 {
    let id = envoy.post(&chat(&format!("m/{provider}"), true));
    envoy.event(id, &streamed_head(provider)[0]);
    let words = "one two three four five six seven eight";
    let pieces = streamed(provider, words);
    for piece in pieces.iter().take(8) {
        envoy.response_data(id, piece, false);
    }
    assert!(envoy.client(id).streamed().0.contains("five"), "{provider}");
    id
}

#[test]
fn a_client_that_leaves_mid_stream_is_billed_for_what_came() {
    test(|envoy| {
        for provider in PROVIDERS {
            let id = begun(envoy, provider);
            envoy.client_leaves(id);
            let receipt = envoy.receipt(id);
            assert_eq!(receipt["outcome"], "cancelled", "{provider}");
            assert_eq!(receipt["provider"], provider);
            assert_eq!(receipt["tokens"]["completion_source"], "estimate");
            assert!(receipt["tokens"]["completion"].as_u64().unwrap() >= 5);
            assert!(receipt["tokens"]["prompt"].as_u64().unwrap() > 0);
            assert!(receipt["on_cancel"].is_string());
            assert_eq!(receipt["attempts"][0]["outcome"], "cancelled");
        }
    });
}

/// As a request that is dropped before its provider has counted it.
#[test]
fn an_image_in_a_long_request_counts_by_the_rule_of_the_model_that_served() {
    let mut config = config();
    config["models"]["m/openai"]["endpoints"][0]["model"] = json!("gpt-4o-mini");
    test_with(&config, |envoy| {
        let mut request = chat("m/openai", true);
        // The header of a PNG of 1024×1024, and 300 KB of whatever.
        let url = format!(
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAIAAAAA{}",
            "A".repeat(300_000)
        );
        request["messages"][0]["content"] = json!([{"type": "image_url", "image_url": {"url": url}}]);
        let id = envoy.post(&request);
        envoy.event(id, &streamed_head("openai")[0]);
        for piece in streamed("openai", "one two three four").iter().take(4) {
            envoy.response_data(id, piece, false);
        }
        envoy.client_leaves(id);
        let tokens = &envoy.receipt(id)["tokens"];
        assert_eq!(tokens["prompt_source"], "estimate");
        // 2833 and four times 5667, and those of a message.
        assert_eq!(tokens["prompt"], 25_501 + 5);
    });
}

#[test]
fn a_client_that_leaves_before_the_first_token_is_not_billed() {
    test(|envoy| {
        let id = envoy.post(&chat("m/openai", true));
        envoy.client_leaves(id);
        let receipt = envoy.receipt(id);
        assert_eq!(receipt["outcome"], "cancelled");
        assert_eq!(receipt["cost_pico_usd"], 0);
        let id = envoy.post(&chat("m/openai", true));
        envoy.event(id, &streamed_head("openai")[0]);
        envoy.client_leaves(id);
        assert_eq!(envoy.receipt(id)["cost_pico_usd"], 0);
    });
}

#[test]
fn a_stream_that_is_reset_is_cut() {
    test(|envoy| {
        for provider in PROVIDERS {
            let id = begun(envoy, provider);
            envoy.reset(id);
            assert!(!envoy.client(id).complete);
            assert_eq!(envoy.sent(id).len(), 1);
            let receipt = envoy.receipt(id);
            assert_eq!(receipt["outcome"], "cut", "{provider}");
            assert_eq!(receipt["error_type"], "provider_unavailable");
            assert_eq!(receipt["tokens"]["completion_source"], "estimate");
            assert_eq!(receipt["attempts"][0]["outcome"], "cut");
        }
    });
}

#[test]
fn the_order_of_the_last_callbacks_does_not_matter() {
    test(|envoy| {
        envoy.attempt_done_first = true;
        let id = begun(envoy, "openai");
        envoy.reset(id);
        assert_eq!(envoy.receipt(id)["outcome"], "cut");
    });
}

#[test]
fn a_stream_that_ends_too_early_is_cut() {
    test(|envoy| {
        let id = begun(envoy, "anthropic");
        envoy.response_data(id, b"", true);
        assert!(envoy.client(id).complete);
        let client = envoy.client(id).text();
        assert!(client.contains("\"error\""), "{client}");
        assert_eq!(envoy.receipt(id)["outcome"], "cut");
    });
}

/// An event with a byte that is no UTF-8, in a member that nobody looks at.
const NOT_UTF8: &[u8] = b"data: {\"system_fingerprint\":\"rotten\xff\",\"choices\":[]}\n\n";

#[test]
fn an_event_that_does_not_hold_fails_over_before_the_first_token() {
    test(|envoy| {
        let mut first = streamed_head("openai");
        first.push(Event::Data(streamed("openai", "one").remove(0)));
        first.push(Event::Data(NOT_UTF8.to_vec()));
        let scripts = fails_over(first, answer("anthropic", true, "good"));
        let id = envoy.exchange(&chat("m/any", true), &scripts);
        assert_eq!(envoy.client(id).streamed(), ("good".to_owned(), true));
        assert_eq!(
            envoy.attempts(id),
            json!([
                ["openai", "error", "provider_unavailable", 200],
                ["anthropic", "success", null, 200]
            ])
        );
    });
}

#[test]
fn an_event_that_does_not_hold_after_the_first_token_ends_the_stream() {
    test(|envoy| {
        let id = begun(envoy, "openai");
        envoy.response_data(id, NOT_UTF8, false);
        let broken = envoy.client(id).text().to_owned();
        let error: Value = serde_json::from_str(broken.rsplit("data: ").next().unwrap()).unwrap();
        assert_eq!(error["error"]["code"], 502);
        assert!(!broken.contains("rotten"), "{broken}");
        for piece in streamed("openai", "more") {
            envoy.response_data(id, &piece, false);
        }
        envoy.response_data(id, b"", true);
        assert!(envoy.client(id).complete);
        assert_eq!(envoy.client(id).text(), broken);
        assert_eq!(envoy.receipt(id)["outcome"], "cut");
    });
}

#[test]
fn an_answer_that_has_failed_is_closed_though_its_provider_goes_on() {
    test(|envoy| {
        let id = begun(envoy, "openai");
        envoy.response_data(id, NOT_UTF8, false);
        envoy.tick();
        envoy.response_data(id, &streamed("openai", "more")[1], false);
        assert!(!envoy.has_ended(id));
        envoy.tick();
        assert!(envoy.has_ended(id) && !envoy.client(id).complete);
        assert_eq!(envoy.receipt(id)["outcome"], "cut");
        assert_eq!(
            envoy.attempts(id),
            json!([["openai", "cut", "provider_unavailable", 200]])
        );
    });
}

#[test]
fn a_stream_that_falls_silent_is_ended() {
    test(|envoy| {
        let id = begun(envoy, "openai");
        envoy.advance(59_000);
        envoy.tick();
        assert!(!envoy.has_ended(id));
        envoy.advance(1_001);
        envoy.tick();
        let samples = host(|host| host.shared.lock().unwrap().writes);
        assert_eq!(samples, 2, "one of the success, one of the stall");
        envoy.tick();
        envoy.client_leaves(id);
        let receipt = envoy.receipt(id);
        assert_eq!(receipt["outcome"], "cut");
        assert_eq!(receipt["error_type"], "timeout");
        assert_eq!(envoy.attempts(id), json!([["openai", "cut", "timeout", 200]]));
    });
}

#[test]
fn a_stream_that_goes_on_slowly_is_not_ended() {
    test(|envoy| {
        let id = begun(envoy, "openai");
        for _ in 0..5 {
            envoy.advance(50_000);
            envoy.tick();
            envoy.response_data(id, b": still here\n\n", false);
        }
        assert!(!envoy.has_ended(id));
        envoy.client_leaves(id);
    });
}

#[test]
fn the_last_piece_goes_out_though_the_event_loop_is_slow() {
    test(|envoy| {
        envoy.slow_loop = true;
        let id = begun_slowly(envoy);
        envoy.response_data(id, b"data: [DONE]\n\n", true);
        envoy.turn();
        let client = envoy.client(id);
        assert!(client.complete);
        assert_eq!(client.streamed(), ("one two".to_owned(), true));
    });
}

fn begun_slowly(envoy: &mut Envoy) -> u32 {
    let id = envoy.post(&chat("m/openai", true));
    envoy.event(id, &streamed_head("openai")[0]);
    let mut pieces = streamed("openai", "one two");
    pieces.pop();
    for piece in pieces {
        envoy.response_data(id, &piece, false);
    }
    id
}

#[test]
fn a_stall_of_a_stream_that_waits_for_its_first_token_is_the_deadlines_matter() {
    let mut config = config();
    config["timeouts"] = json!({"first_token": "1h", "stall": "1s"});
    test_with(&config, |envoy| {
        let id = envoy.post(&chat("m/openai", true));
        envoy.advance(60_000);
        envoy.tick();
        assert!(!envoy.has_ended(id));
        envoy.client_leaves(id);
    });
}
