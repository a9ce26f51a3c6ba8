//! Envoy's own answers, told in the client's dialect.

use super::envoy::{Cluster, Envoy, chat_headers};
use super::provider::{Event, chat, test};
use serde_json::Value;

fn check(envoy: &Envoy, id: u32, status: u64, error_type: &str) -> Value {
    let client = envoy.client(id);
    assert!(client.complete);
    assert_eq!(client.status(), status);
    assert_eq!(client.header("content-type").unwrap(), "application/json");
    assert_eq!(client.header("x-generation-id").unwrap(), envoy.receipt(id)["id"]);
    let error = client.json()["error"].clone();
    assert_eq!(error["code"], status);
    assert_eq!(error["metadata"]["error_type"], error_type);
    assert_eq!(envoy.receipt(id)["status"], status);
    assert_eq!(envoy.receipt(id)["error_type"], error_type);
    error
}

#[test]
fn no_healthy_upstream_is_told_in_our_words() {
    test(|envoy| {
        envoy.set_cluster("openai", Cluster::NoHosts);
        let id = envoy.post(&chat("m/openai", false));
        check(envoy, id, 502, "provider_unavailable");
        assert_eq!(envoy.attempts(id)[0][1], "error");
    });
}

#[test]
fn an_overflow_is_told_in_our_words() {
    test(|envoy| {
        envoy.set_cluster("openai", Cluster::Overflow);
        let id = envoy.post(&chat("m/openai", false));
        check(envoy, id, 503, "provider_overloaded");
    });
}

#[test]
fn a_failed_connection_without_a_retry_is_told_in_our_words() {
    test(|envoy| {
        let id = envoy.exchange(&chat("m/openai", true), &[("openai", vec![Event::Reset])]);
        check(envoy, id, 502, "provider_unavailable");
    });
}

#[test]
fn a_timeout_is_told_in_our_words() {
    test(|envoy| {
        let id = envoy.post(&chat("m/openai", true));
        envoy.advance(30_000);
        check(envoy, id, 504, "timeout");
        assert_eq!(envoy.attempts(id)[0][2], "timeout");
    });
}

#[test]
fn an_oversize_request_that_envoy_refuses_is_told_in_our_words() {
    test(|envoy| {
        let id = envoy.open(&chat_headers(), false);
        envoy.request_data(id, b"{", false);
        envoy.local_reply(id, 413, "request_payload_too_large", "Payload Too Large");
        check(envoy, id, 413, "payload_too_large");
    });
}

#[test]
fn a_local_reply_without_a_body_keeps_its_status() {
    test(|envoy| {
        for (status, told) in [(503, 502), (504, 504), (413, 413)] {
            let id = envoy.post(&chat("m/openai", false));
            envoy.local_reply(id, status, "some_reason", "");
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!((client.status(), client.text()), (told, ""));
            assert_eq!(envoy.receipt(id)["status"], told);
        }
    });
}

#[test]
fn a_local_reply_to_what_is_no_chat_request_stays_as_it_is() {
    test(|envoy| {
        let mut headers = chat_headers();
        headers.set(b":path", b"/elsewhere");
        let id = envoy.open(&headers, true);
        assert_eq!(envoy.client(id).status(), 404);
        assert_eq!(envoy.client(id).json()["error"]["code"], 404);
    });
}

#[test]
fn an_overflow_is_no_sign_of_an_endpoints_health() {
    test(|envoy| {
        envoy.set_cluster("openai", Cluster::Overflow);
        for _ in 0..6 {
            envoy.post(&chat("m/openai", false));
        }
        let records = super::host::host(|host| host.shared.lock().unwrap().records.len());
        assert_eq!(records, 0);
    });
}
