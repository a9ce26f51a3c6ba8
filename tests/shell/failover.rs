//! What moves an exchange to its next candidate, and what does not.

use super::provider::{
    Event, PROVIDERS, Script, answer, buffered, chat, error, fails_over, head, streamed, streamed_head, test,
};
use serde_json::{Value, json};

/// Fails the first provider and checks that the second answers, buffered and streamed.
fn check(first: impl Fn(bool) -> Script + Send, expected: Value) {
    test(move |envoy| {
        for stream in [false, true] {
            let scripts = fails_over(first(stream), answer("anthropic", stream, "good"));
            let id = envoy.exchange(&chat("m/any", stream), &scripts);
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!(client.status(), 200);
            let text = if stream {
                client.streamed().0
            } else {
                client.json()["choices"][0]["message"]["content"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            assert_eq!(text, "good");
            assert!(!client.text().contains("said no"));
            assert_eq!(client.header("x-crosspoint-attempts").unwrap(), "2");
            assert_eq!(envoy.sent(id).len(), 2);
            assert_eq!(envoy.receipt(id)["outcome"], "success");
            assert_eq!(
                envoy.attempts(id),
                json!([expected, ["anthropic", "success", null, 200]])
            );
        }
    });
}

#[test]
fn a_server_error_moves_on() {
    check(
        |_| error("openai", 500),
        json!(["openai", "error", "provider_unavailable", 500]),
    );
}

#[test]
fn a_rate_limit_moves_on() {
    check(
        |_| error("openai", 429),
        json!(["openai", "error", "rate_limit_exceeded", 429]),
    );
}

#[test]
fn a_refused_key_moves_on() {
    check(
        |_| error("openai", 401),
        json!(["openai", "error", "provider_unavailable", 401]),
    );
}

#[test]
fn an_unknown_upstream_model_moves_on() {
    check(
        |_| error("openai", 404),
        json!(["openai", "error", "provider_unavailable", 404]),
    );
}

#[test]
fn an_error_inside_a_good_status_moves_on() {
    check(
        |stream| {
            let body = r#"{"error":{"message":"provider said no","type":"server_error","code":500}}"#;
            if stream {
                let mut script = streamed_head("openai");
                script.push(Event::End(format!("data: {body}\n\n").into_bytes()));
                script
            } else {
                vec![
                    Event::Head(head(200, "application/json")),
                    Event::End(body.as_bytes().to_vec()),
                ]
            }
        },
        json!(["openai", "error", "provider_unavailable", 200]),
    );
}

#[test]
fn an_empty_completion_moves_on() {
    check(
        |stream| answer("openai", stream, ""),
        json!(["openai", "error", "provider_unavailable", 200]),
    );
}

#[test]
fn garbage_moves_on() {
    check(
        |stream| {
            let mut script = if stream {
                streamed_head("openai")
            } else {
                vec![Event::Head(head(200, "application/json"))]
            };
            script.push(Event::End(b"data: <html>\xff\n\n".to_vec()));
            script
        },
        json!(["openai", "error", "provider_unavailable", 200]),
    );
}

#[test]
fn a_compressed_answer_moves_on() {
    check(
        |_| {
            let mut headers = head(200, "application/json");
            headers.set(b"content-encoding", b"gzip");
            vec![Event::Head(headers), Event::End(vec![31, 139, 8, 0])]
        },
        json!(["openai", "error", "provider_unavailable", 200]),
    );
}

#[test]
fn a_reset_before_the_headers_moves_on() {
    check(
        |_| vec![Event::Reset],
        json!(["openai", "error", "provider_unavailable", null]),
    );
}

#[test]
fn a_reset_between_headers_and_first_token_moves_on() {
    check(
        |stream| {
            if stream {
                let mut script = streamed_head("openai");
                script.push(Event::Data(streamed("openai", "x").swap_remove(0)));
                script.push(Event::Reset);
                script
            } else {
                let half = buffered("openai", "half").split_at(20).0.to_vec();
                vec![
                    Event::Head(head(200, "application/json")),
                    Event::Data(half),
                    Event::Reset,
                ]
            }
        },
        json!(["openai", "error", "provider_unavailable", 200]),
    );
}

#[test]
fn silence_before_the_first_token_moves_on() {
    test(|envoy| {
        for first in [vec![], streamed_head("openai")] {
            let mut first = first;
            first.push(Event::Wait(29_999));
            let id = envoy.exchange(&chat("m/any", true), &[("openai", first)]);
            assert_eq!(envoy.sent(id).len(), 1);
            envoy.advance(1);
            assert_eq!(envoy.sent(id).len(), 2);
            envoy.play(id, &[("anthropic", answer("anthropic", true, "good"))]);
            assert_eq!(envoy.client(id).streamed().0, "good");
            assert_eq!(envoy.attempts(id)[0][2], "timeout");
        }
    });
}

#[test]
fn the_first_token_deadline_ends_with_the_first_token() {
    test(|envoy| {
        let id = envoy.post(&chat("m/any", true));
        for event in answer("openai", true, "a b c") {
            envoy.event(id, &event);
            if envoy.client(id).headers.is_some() {
                envoy.advance(31_000);
            }
        }
        assert_eq!(envoy.sent(id).len(), 1);
        assert_eq!(envoy.client(id).streamed(), ("a b c".to_owned(), true));
    });
}

#[test]
fn the_callers_own_fault_is_answered_at_once() {
    test(|envoy| {
        for provider in PROVIDERS {
            for (status, error_type) in [
                (400, "invalid_request"),
                (413, "payload_too_large"),
                (422, "unprocessable"),
            ] {
                let mut request = chat("m/any", false);
                request["provider"] = json!({"order": [provider]});
                let id = envoy.exchange(&request, &[(provider, error(provider, status))]);
                assert_eq!(envoy.sent(id).len(), 1, "{provider} {status}");
                let client = envoy.client(id);
                assert_eq!(client.status(), u64::from(status));
                let error = &client.json()["error"];
                assert_eq!(error["metadata"]["error_type"], error_type);
                assert_eq!(error["message"], "provider said no");
                assert_eq!(error["metadata"]["provider_name"], provider);
                let receipt = envoy.receipt(id);
                assert_eq!(
                    (&receipt["outcome"], &receipt["status"]),
                    (&json!("error"), &json!(status))
                );
            }
        }
    });
}

#[test]
fn a_refused_retry_leaves_the_translated_error() {
    test(|envoy| {
        envoy.refuse_retries = true;
        for stream in [false, true] {
            for provider in PROVIDERS {
                let mut request = chat("m/any", stream);
                request["provider"] = json!({"order": [provider]});
                let id = envoy.exchange(&request, &[(provider, error(provider, 503))]);
                assert_eq!(envoy.sent(id).len(), 1);
                let client = envoy.client(id);
                assert_eq!(client.status(), 503);
                let body = client.json();
                assert_eq!(body["error"]["code"], 503);
                assert_eq!(body["error"]["metadata"]["error_type"], "provider_overloaded");
                assert_eq!(envoy.receipt(id)["status"], 503);
            }
        }
    });
}

#[test]
fn when_all_fail_the_last_error_lists_those_before() {
    test(|envoy| {
        let scripts = PROVIDERS.map(|provider| (provider, error(provider, 500)));
        let id = envoy.exchange(&chat("m/any", false), &scripts);
        let client = envoy.client(id);
        assert_eq!(client.status(), 502);
        let error = client.json()["error"].clone();
        assert_eq!(error["metadata"]["provider_name"], "bedrock");
        let previous: Vec<_> = error["metadata"]["previous_errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["provider"].clone())
            .collect();
        assert_eq!(previous, ["openai", "anthropic"]);
        assert_eq!(envoy.attempts(id).as_array().unwrap().len(), 3);
    });
}

#[test]
fn the_end_of_a_failed_attempt_may_be_told_late() {
    test(|envoy| {
        envoy.late_done = true;
        for first in [error("openai", 500), vec![Event::Reset]] {
            let scripts = fails_over(first, answer("anthropic", true, "good"));
            let id = envoy.exchange(&chat("m/any", true), &scripts);
            assert_eq!(envoy.client(id).streamed().0, "good");
            assert_eq!(envoy.attempts(id).as_array().unwrap().len(), 2);
            assert_eq!(envoy.receipt(id)["outcome"], "success");
        }
    });
}

#[test]
fn a_held_answer_over_the_cap_moves_on() {
    test(|envoy| {
        let mut script = vec![Event::Head(head(200, "application/json"))];
        script.extend((0..5).map(|_| Event::Data(vec![b' '; 256 << 10])));
        let scripts = fails_over(script, answer("anthropic", false, "good"));
        let id = envoy.exchange(&chat("m/any", false), &scripts);
        assert_eq!(envoy.client(id).status(), 200);
        assert_eq!(envoy.attempts(id)[0][2], "provider_unavailable");
    });
}
