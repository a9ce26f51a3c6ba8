//! Responses as providers may send them.

use super::provider::{
    Event, PROVIDERS, answer, buffered, chat, error, fails_over, head, streamed, streamed_head, test,
};

#[test]
fn a_buffered_answer_may_end_with_trailers() {
    test(|envoy| {
        for provider in PROVIDERS {
            let script = vec![
                Event::Head(head(200, "application/json")),
                Event::Data(buffered(provider, "hi")),
                Event::Trailers,
            ];
            let id = envoy.exchange(&chat(&format!("m/{provider}"), false), &[(provider, script)]);
            let body = envoy.client(id).json();
            assert_eq!(body["choices"][0]["message"]["content"], "hi");
            assert_eq!(envoy.receipt(id)["outcome"], "success");
        }
    });
}

#[test]
fn a_streamed_answer_may_end_with_trailers() {
    test(|envoy| {
        for provider in PROVIDERS {
            let mut script = streamed_head(provider);
            script.extend(streamed(provider, "one two").into_iter().map(Event::Data));
            script.push(Event::Trailers);
            let id = envoy.exchange(&chat(&format!("m/{provider}"), true), &[(provider, script)]);
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!(
                client.streamed(),
                ("one two".to_owned(), true),
                "{provider}: {}",
                client.text()
            );
            assert_eq!(envoy.receipt(id)["outcome"], "success", "{provider}");
            assert_eq!(envoy.receipt(id)["tokens"]["completion"], 5);
        }
    });
}

#[test]
fn an_error_may_end_with_trailers() {
    test(|envoy| {
        let mut script = error("openai", 500);
        let Some(Event::End(body)) = script.pop() else {
            panic!()
        };
        script.extend([Event::Data(body), Event::Trailers]);
        let scripts = fails_over(script, answer("anthropic", false, "good"));
        let id = envoy.exchange(&chat("m/any", false), &scripts);
        assert_eq!(envoy.sent(id).len(), 2);
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn a_response_of_headers_alone_moves_on() {
    test(|envoy| {
        for stream in [false, true] {
            for status in [200, 204, 500] {
                let first = vec![Event::HeadOnly(head(status, "application/json"))];
                let scripts = fails_over(first, answer("anthropic", stream, "good"));
                let id = envoy.exchange(&chat("m/any", stream), &scripts);
                assert_eq!(envoy.sent(id).len(), 2, "{status}");
                assert_eq!(envoy.client(id).status(), 200);
                assert_eq!(envoy.receipt(id)["outcome"], "success");
            }
        }
    });
}

#[test]
fn a_last_response_of_headers_alone_still_ends_the_exchange() {
    test(|envoy| {
        for stream in [false, true] {
            for status in [200, 204, 400, 500] {
                for trailers in [false, true] {
                    let script = if trailers {
                        vec![Event::Head(head(status, "application/json")), Event::Trailers]
                    } else {
                        vec![Event::HeadOnly(head(status, "application/json"))]
                    };
                    let id = envoy.exchange(&chat("m/openai", stream), &[("openai", script)]);
                    assert!(envoy.client(id).complete, "{status}");
                    let expected = if status == 400 { 400 } else { 502 };
                    assert_eq!(
                        envoy.client(id).status(),
                        expected,
                        "{status} {stream} {trailers}"
                    );
                    assert_eq!(envoy.receipt(id)["outcome"], "error");
                }
            }
        }
    });
}

#[test]
fn headers_of_a_provider_that_are_no_text_are_ignored() {
    test(|envoy| {
        let mut headers = head(200, "application/json");
        headers.set(b"content-type", b"\xff");
        headers.set(b"content-encoding", b"\xff");
        headers.set(b"x-odd", b"\xff\xfe");
        let script = vec![Event::Head(headers), Event::End(buffered("openai", "hi"))];
        let id = envoy.exchange(&chat("m/openai", false), &[("openai", script)]);
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn an_error_after_the_first_token_is_an_event() {
    test(|envoy| {
        let mut pieces = streamed("anthropic", "one two");
        pieces.truncate(4);
        let mut script = streamed_head("anthropic");
        script.extend(pieces.into_iter().map(Event::Data));
        let overloaded =
            r#"{"type":"error","error":{"type":"overloaded_error","message":"provider said no"}}"#;
        script.push(Event::End(
            format!("event: error\ndata: {overloaded}\n\n").into_bytes(),
        ));
        let id = envoy.exchange(&chat("m/anthropic", true), &[("anthropic", script)]);
        let client = envoy.client(id);
        assert!(client.complete);
        assert_eq!(client.status(), 200);
        assert_eq!(client.streamed().0, "one two");
        assert!(client.text().contains("provider_overloaded"));
        assert!(!client.text().contains("event: error"));
        let receipt = envoy.receipt(id);
        assert_eq!(
            (&receipt["outcome"], &receipt["error_type"]),
            (&"cut".into(), &"provider_overloaded".into())
        );
    });
}

#[test]
fn what_follows_an_error_event_is_swallowed() {
    test(|envoy| {
        let mut script = streamed_head("openai");
        let pieces = streamed("openai", "one two");
        script.extend(pieces.iter().take(3).cloned().map(Event::Data));
        script.push(Event::Data(
            b"data: {\"error\":{\"message\":\"no\"}}\n\n".to_vec(),
        ));
        script.extend(pieces.into_iter().skip(2).map(Event::Data));
        script.push(Event::End(b"garbage".to_vec()));
        let id = envoy.exchange(&chat("m/openai", true), &[("openai", script)]);
        let client = envoy.client(id);
        assert!(client.complete);
        let (text, _) = client.streamed();
        assert_eq!(text, "one two");
        assert!(!client.text().contains("garbage"));
    });
}
