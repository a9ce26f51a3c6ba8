//! Deadlines that ticks keep, and what a client is told that waits.

use super::envoy::Envoy;
use super::host::host;
use super::provider::{Event, Script, answer, chat, config, error, head, streamed, streamed_head, test_with};
use serde_json::{Value, json};

/// The deadlines of the first provider and of the others, in milliseconds; comments after 2 s where asked for.
fn with_deadlines(first: u64, others: u64, comments: bool) -> Value {
    let mut config = config();
    for (provider, ms) in [("openai", first), ("anthropic", others), ("bedrock", others)] {
        config["providers"][provider]["timeouts"] = json!({"first_token": format!("{ms}ms")});
    }
    if comments {
        config["timeouts"] = json!({"waiting_comment": {"after": "2s", "every": "3s", "early": true}});
    }
    config
}

/// Lets so many milliseconds pass, with the ticks that Envoy makes in them.
fn pass(envoy: &mut Envoy, ms: u64) {
    for _ in 0..ms / 500 {
        envoy.advance(500);
        envoy.tick();
    }
}

/// What an endpoint sends that has headers and says nothing.
fn silences() -> [Script; 3] {
    let comment = || Event::Data(b": still here\n\n".to_vec());
    let role = streamed("openai", "x").swap_remove(0);
    let mut commented = streamed_head("openai");
    commented.extend([comment(), comment()]);
    let mut begun = streamed_head("openai");
    begun.push(Event::Data(role));
    [streamed_head("openai"), commented, begun]
}

#[test]
fn an_endpoint_that_sent_headers_only_is_left_at_its_own_deadline() {
    test_with(&with_deadlines(2_000, 20_000, false), |envoy| {
        for script in silences() {
            let id = envoy.exchange(&chat("m/any", true), &[("openai", script)]);
            assert_eq!(
                envoy
                    .forwarded(id)
                    .number("x-envoy-upstream-rq-per-try-timeout-ms"),
                Some(20_000)
            );
            pass(envoy, 1_500);
            assert_eq!(envoy.sent(id).len(), 1);
            pass(envoy, 500);
            assert_eq!(envoy.sent(id).len(), 2);
            pass(envoy, 10_000);
            envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
            assert_eq!(envoy.client(id).streamed(), ("good".to_owned(), true));
            assert_eq!(
                envoy.attempts(id),
                json!([
                    ["openai", "error", "timeout", 200],
                    ["anthropic", "success", null, 200]
                ])
            );
            assert_eq!(envoy.receipt(id)["outcome"], "success");
        }
    });
}

#[test]
fn an_error_whose_body_never_ends_is_no_better_than_silence() {
    test_with(&with_deadlines(2_000, 20_000, false), |envoy| {
        let script = vec![Event::Head(head(500, "application/json"))];
        let id = envoy.exchange(&chat("m/any", true), &[("openai", script)]);
        pass(envoy, 2_000);
        assert_eq!(envoy.sent(id).len(), 2);
        envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
        assert_eq!(envoy.attempts(id)[0], json!(["openai", "error", "timeout", 500]));
    });
}

#[test]
fn without_headers_the_longest_deadline_ends_an_attempt_and_health_knows_before() {
    test_with(&with_deadlines(2_000, 20_000, false), |envoy| {
        let id = envoy.post(&chat("m/any", true));
        let writes = || host(|host| host.shared.lock().unwrap().writes);
        pass(envoy, 1_500);
        // Of the attempt under way.
        assert_eq!(writes(), 1);
        pass(envoy, 500);
        assert_eq!(writes(), 2);
        assert_eq!(envoy.sent(id).len(), 1);
        pass(envoy, 18_000);
        assert_eq!(envoy.sent(id).len(), 2);
        envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
        assert_eq!(
            envoy.attempts(id),
            json!([
                ["openai", "error", "timeout", null],
                ["anthropic", "success", null, 200]
            ])
        );
    });
}

#[test]
fn an_endpoint_that_was_late_may_still_serve() {
    test_with(&with_deadlines(2_000, 20_000, false), |envoy| {
        let id = envoy.post(&chat("m/any", true));
        pass(envoy, 5_000);
        envoy.play(id, &[("openai", answer("openai", true, "late"))]);
        assert_eq!(envoy.client(id).streamed(), ("late".to_owned(), true));
        assert_eq!(envoy.attempts(id), json!([["openai", "success", null, 200]]));
    });
}

#[test]
fn the_last_endpoint_has_as_long_as_any() {
    test_with(&with_deadlines(20_000, 2_000, false), |envoy| {
        let mut request = chat("m/any", true);
        request["provider"] = json!({"order": ["openai", "anthropic"], "allow_fallbacks": false});
        let id = envoy.exchange(&request, &[("openai", error("openai", 500))]);
        envoy.event(id, &streamed_head("anthropic")[0]);
        pass(envoy, 19_500);
        assert!(!envoy.has_ended(id));
        pass(envoy, 500);
        assert_eq!(envoy.client(id).status(), 504);
        assert_eq!(
            envoy.client(id).json()["error"]["metadata"]["error_type"],
            "timeout"
        );
    });
}

#[test]
fn a_retry_that_is_refused_is_answered_with_the_error() {
    test_with(&with_deadlines(2_000, 20_000, false), |envoy| {
        envoy.refuse_retries = true;
        for script in silences() {
            let id = envoy.exchange(&chat("m/any", true), &[("openai", script)]);
            pass(envoy, 2_000);
            assert!(envoy.has_ended(id));
            let client = envoy.client(id);
            assert_eq!(client.status(), 504);
            assert_eq!(client.json()["error"]["metadata"]["error_type"], "timeout");
            assert!(client.header("x-crosspoint-retry").is_none());
            let receipt = envoy.receipt(id);
            assert_eq!(
                (&receipt["outcome"], &receipt["status"]),
                (&json!("error"), &json!(504))
            );
        }
    });
}

#[test]
fn a_buffered_answer_has_all_the_time() {
    test_with(&with_deadlines(2_000, 20_000, true), |envoy| {
        let id = envoy.post(&chat("m/any", false));
        envoy.event(id, &Event::Head(head(200, "application/json")));
        pass(envoy, 60_000);
        assert_eq!(envoy.sent(id).len(), 1);
        assert!(!envoy.has_ended(id));
        envoy.client_leaves(id);
    });
}

const COMMENT: &str = ": crosspoint processing\n\n";

/// A stream that has begun without a token.
fn waits(envoy: &mut Envoy, script: &Script) -> u32 {
    let id = envoy.post(&chat("m/any", true));
    for event in script {
        envoy.event(id, event);
    }
    pass(envoy, 1_500);
    assert!(envoy.client(id).headers.is_none());
    pass(envoy, 500);
    id
}

#[test]
fn a_client_that_waits_is_told_so_and_gets_the_answer() {
    test_with(&with_deadlines(60_000, 60_000, true), |envoy| {
        let [_, commented, begun] = silences();
        for (script, first) in [(commented, 0), (begun, 1)] {
            let id = waits(envoy, &script);
            let client = envoy.client(id);
            assert_eq!(client.status(), 200);
            assert_eq!(client.header("content-type").unwrap(), "text/event-stream");
            assert!(client.text().starts_with(COMMENT));
            pass(envoy, 6_000);
            assert_eq!(envoy.client(id).text().matches(COMMENT).count(), 3);
            for event in answer("openai", true, "at last").split_off(1 + first) {
                envoy.event(id, &event);
            }
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!(client.streamed(), ("at last".to_owned(), true));
            assert_eq!(client.text().matches(COMMENT).count(), 3);
            let receipt = envoy.receipt(id);
            assert_eq!(
                (&receipt["outcome"], &receipt["status"]),
                (&json!("success"), &json!(200))
            );
            assert_eq!(receipt["first_token_ms"], 8_000);
            assert_eq!(envoy.attempts(id), json!([["openai", "success", null, 200]]));
        }
    });
}

#[test]
fn no_comment_comes_after_the_first_token() {
    test_with(&with_deadlines(60_000, 60_000, true), |envoy| {
        let [_, commented, _] = silences();
        let id = waits(envoy, &commented);
        for piece in streamed("openai", "one two").iter().take(2) {
            envoy.response_data(id, piece, false);
        }
        pass(envoy, 9_000);
        assert_eq!(envoy.client(id).text().matches(COMMENT).count(), 1);
        envoy.client_leaves(id);
    });
}

#[test]
fn where_nothing_of_the_body_has_come_nothing_is_let_out() {
    test_with(&with_deadlines(4_000, 60_000, true), |envoy| {
        for script in [vec![], streamed_head("openai")] {
            let id = envoy.post(&chat("m/openai", true));
            for event in &script {
                envoy.event(id, event);
            }
            pass(envoy, 3_500);
            assert!(envoy.client(id).headers.is_none());
            pass(envoy, 500);
            assert_eq!(envoy.client(id).status(), 504);
        }
    });
}

#[test]
fn what_fails_after_comments_ends_in_an_event() {
    test_with(&with_deadlines(6_000, 60_000, true), |envoy| {
        let [_, commented, _] = silences();
        // By its deadline, by its own word, and by its end.
        for (way, error_type) in [
            (0, "timeout"),
            (1, "provider_unavailable"),
            (2, "provider_unavailable"),
        ] {
            let id = waits(envoy, &commented);
            match way {
                0 => pass(envoy, 4_000),
                1 => {
                    let event = b"data: {\"error\":{\"message\":\"said no\",\"code\":500}}\n\n";
                    envoy.response_data(id, event, true);
                }
                _ => envoy.response_data(id, b"data: <html>\n\n", true),
            }
            let text = envoy.client(id).text().to_owned();
            assert!(
                text.starts_with(COMMENT) && text.contains("\"finish_reason\":\"error\""),
                "{text}"
            );
            envoy.tick();
            if !envoy.has_ended(id) {
                envoy.client_leaves(id);
            }
            let receipt = envoy.receipt(id);
            assert_eq!(receipt["outcome"], "error", "{way} {receipt}");
            assert_eq!(
                (&receipt["status"], &receipt["error_type"]),
                (&json!(200), &json!(error_type))
            );
            assert_eq!(receipt["cost_pico_usd"], 0);
            assert_eq!(envoy.attempts(id), json!([["openai", "error", error_type, 200]]));
            assert_eq!(envoy.sent(id).len(), 1);
        }
    });
}

#[test]
fn a_client_that_leaves_while_it_waits_is_not_billed() {
    test_with(&with_deadlines(60_000, 60_000, true), |envoy| {
        let [_, commented, _] = silences();
        let id = waits(envoy, &commented);
        envoy.client_leaves(id);
        let receipt = envoy.receipt(id);
        assert_eq!(
            (&receipt["outcome"], &receipt["cost_pico_usd"]),
            (&json!("cancelled"), &json!(0))
        );
        assert_eq!(envoy.attempts(id), json!([["openai", "cancelled", null, 200]]));
    });
}

#[test]
fn trailers_after_comments_end_the_answer() {
    test_with(&with_deadlines(60_000, 60_000, true), |envoy| {
        let [_, commented, _] = silences();
        let id = waits(envoy, &commented);
        envoy.event(id, &Event::Trailers);
        assert!(envoy.client(id).complete);
    });
}

#[test]
fn without_comments_configured_nothing_is_let_out() {
    test_with(&with_deadlines(60_000, 60_000, false), |envoy| {
        let [_, commented, _] = silences();
        let id = envoy.exchange(&chat("m/any", true), &[("openai", commented)]);
        pass(envoy, 50_000);
        assert!(envoy.client(id).headers.is_none());
        envoy.client_leaves(id);
    });
}
