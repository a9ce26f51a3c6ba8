//! Requests as clients may send them.

use super::envoy::{Envoy, chat_headers};
use super::host::Headers;
use super::provider::{answer, chat, test, test_with};
use serde_json::json;

fn succeeds(envoy: &mut Envoy, id: u32) {
    assert_eq!(
        envoy.sent(id)[0].json()["messages"][0]["content"],
        "Say something."
    );
    envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    assert_eq!(envoy.client(id).status(), 200);
}

fn refused(envoy: &Envoy, id: u32, status: u64) -> String {
    assert!(envoy.has_ended(id));
    assert!(envoy.sent(id).is_empty());
    let client = envoy.client(id);
    assert_eq!(client.status(), status, "{}", client.text());
    let error = client.json()["error"].clone();
    assert_eq!(error["code"], status);
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_body_may_come_in_any_pieces() {
    test(|envoy| {
        let body = chat("m/openai", false).to_string();
        for size in [1, 13, body.len()] {
            let id = envoy.open(&chat_headers(), false);
            for piece in body.as_bytes().chunks(size) {
                envoy.request_data(id, piece, false);
            }
            envoy.request_data(id, b"", true);
            succeeds(envoy, id);
        }
    });
}

#[test]
fn a_body_may_end_with_trailers() {
    test(|envoy| {
        let body = chat("m/openai", false).to_string();
        let id = envoy.open(&chat_headers(), false);
        for piece in body.as_bytes().chunks(20) {
            envoy.request_data(id, piece, false);
        }
        envoy.request_trailers(id);
        succeeds(envoy, id);
    });
}

#[test]
fn trailers_without_a_body_are_a_malformed_request() {
    test(|envoy| {
        let id = envoy.open(&chat_headers(), false);
        envoy.request_trailers(id);
        refused(envoy, id, 400);
    });
}

#[test]
fn a_request_without_a_body_is_refused() {
    test(|envoy| {
        let id = envoy.open(&chat_headers(), true);
        assert!(refused(envoy, id, 400).contains("no body"));
        assert_eq!(envoy.receipt(id)["outcome"], "refused");
    });
}

#[test]
fn what_is_no_request_is_refused() {
    test(|envoy| {
        for body in [
            &b""[..],
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"{\"model\":\"\xff\"}",
            b"{\"model\":7}",
            b"{\"messages\":[]}",
        ] {
            let id = envoy.open(&chat_headers(), false);
            envoy.request_data(id, body, true);
            refused(envoy, id, 400);
            assert_eq!(envoy.receipt(id)["error_type"], "invalid_request");
        }
    });
}

#[test]
fn more_items_than_may_be_are_refused_before_anything_is_sent() {
    test(|envoy| {
        let names = vec!["a"; 300];
        for (member, value, place) in [
            ("provider", json!({"only": names}), "provider.only: 300 items"),
            ("provider", json!({"order": names}), "provider.order: 300 items"),
            ("provider", json!({"ignore": names}), "provider.ignore: 300 items"),
            (
                "plugins",
                json!([{"id": "auto-router", "hints": names}]),
                "plugins.hints: 300 items",
            ),
            ("models", json!(names), "models: 300 items"),
            ("stop", json!(names), "stop: 300 items"),
            (
                "messages",
                json!(vec![json!({}); 70_000]),
                "messages: 70000 items; at most 65536 are allowed in one request",
            ),
        ] {
            let mut body = chat("m/openai", false);
            body[member] = value;
            let id = envoy.post(&body);
            let message = refused(envoy, id, 400);
            assert!(message.starts_with(place), "{message}");
            assert_eq!(envoy.receipt(id)["error_type"], "invalid_request");
        }
    });
}

#[test]
fn an_unknown_model_is_refused() {
    test(|envoy| {
        let id = envoy.post(&chat("no/such", false));
        assert!(refused(envoy, id, 404).contains("no/such"));
    });
}

#[test]
fn a_declared_length_over_the_cap_is_refused_before_the_body() {
    test(|envoy| {
        for length in ["5000000", "18446744073709551615"] {
            let mut headers = chat_headers();
            headers.set(b"content-length", length.as_bytes());
            let id = envoy.open(&headers, false);
            assert!(refused(envoy, id, 413).contains("limits.request_body"));
        }
    });
}

#[test]
fn an_undeclared_length_over_the_cap_is_refused() {
    let mut config = super::provider::config();
    config["limits"] = json!({"request_body": "2KiB"});
    test_with(&config, |envoy| {
        let id = envoy.open(&chat_headers(), false);
        envoy.request_data(id, &[b' '; 2000], false);
        assert!(!envoy.has_ended(id));
        envoy.request_data(id, &[b' '; 100], false);
        refused(envoy, id, 413);
        assert_eq!(envoy.receipt(id)["error_type"], "payload_too_large");
    });
}

#[test]
fn a_wrong_content_length_is_no_concern_of_ours() {
    test(|envoy| {
        for length in ["1", "x", "-1", "99999999999999999999999", "\u{e9}"] {
            let mut headers = chat_headers();
            headers.set(b"content-length", length.as_bytes());
            let id = envoy.open(&headers, false);
            envoy.request_data(id, chat("m/openai", false).to_string().as_bytes(), true);
            succeeds(envoy, id);
        }
    });
}

#[test]
fn header_values_that_are_no_text_are_let_pass_or_ignored() {
    test(|envoy| {
        let mut headers = chat_headers();
        headers.0.extend(
            Headers::of([
                (&b"x-odd"[..], &b"\xff\xfe"[..]),
                (b"traceparent", b"\xff"),
                (b"content-length", b"\xff"),
                (b"authorization", b"Bearer \xff"),
                (b"x-envoy-\xff", b"\xff"),
            ])
            .0,
        );
        let id = envoy.open(&headers, false);
        envoy.request_data(id, chat("m/openai", false).to_string().as_bytes(), true);
        assert_eq!(envoy.sent(id)[0].headers.get(b"traceparent"), None);
        succeeds(envoy, id);
    });
}

#[test]
fn an_odd_target_is_not_found() {
    test(|envoy| {
        let long = "/".repeat(70_000);
        for (method, path) in [
            (&b"GET"[..], &b"/v1/chat/completions"[..]),
            (b"POST", b"/v1/models"),
            (b"POST", b"/"),
            (b"POST", b""),
            (b"POST", b"*"),
            (b"POST", b"/v1/chat/completions/"),
            (b"POST", b"/v1/../v1/chat/completions"),
            (b"POST", b"?/v1/chat/completions"),
            (b"POST", b"/v1/\xff"),
            (b"POST", long.as_bytes()),
            (b"", b"/v1/models"),
            (b"\xff", b"/v1/models"),
            (b"P\"\r\nX", b"/v1/models"),
            (b"CONNECT", b"gateway:443"),
        ] {
            for end in [false, true] {
                let mut headers = chat_headers();
                headers.set(b":method", method);
                headers.set(b":path", path);
                let id = envoy.open(&headers, end);
                let message = refused(envoy, id, 404);
                assert!(message.len() < 300 && message.contains("is not served here"));
            }
        }
        let mut headers = chat_headers();
        headers.remove(b":path");
        headers.remove(b":method");
        let id = envoy.open(&headers, true);
        refused(envoy, id, 404);
    });
}

#[test]
fn a_query_does_not_change_the_target() {
    test(|envoy| {
        let mut headers = chat_headers();
        headers.set(b":path", b"/v1/chat/completions?beta=true");
        let id = envoy.open(&headers, false);
        envoy.request_data(id, chat("m/openai", false).to_string().as_bytes(), true);
        succeeds(envoy, id);
    });
}

#[test]
fn a_client_that_leaves_while_it_asks_leaves_nothing() {
    test(|envoy| {
        let id = envoy.open(&chat_headers(), false);
        envoy.request_data(id, b"{\"mod", false);
        envoy.client_leaves(id);
        assert_eq!(envoy.receipt(id)["outcome"], "cancelled");
        let id = envoy.open(&chat_headers(), false);
        envoy.client_leaves(id);
        assert_eq!(envoy.receipt(id)["outcome"], "cancelled");
    });
}

#[test]
fn what_the_client_sends_is_sent_on_once_and_whole() {
    test(|envoy| {
        let mut request = chat("m/openai", false);
        request["seed"] = json!(18_446_744_073_709_551_615_u64);
        request["verbosity"] = json!("low");
        let id = envoy.post(&request);
        let sent = envoy.sent(id)[0].json();
        assert_eq!(sent["seed"], request["seed"]);
        assert_eq!(sent["verbosity"], "low");
        assert_eq!(sent["model"], "openai-model");
        assert_eq!(
            envoy.sent(id)[0].headers.text(":path").unwrap(),
            "/v1/chat/completions"
        );
        assert_eq!(
            envoy.sent(id)[0].headers.text(":authority").unwrap(),
            "api.openai.com"
        );
        succeeds(envoy, id);
    });
}
