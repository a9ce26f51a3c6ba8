//! Which headers go where, and which never do.

use super::envoy::{Cluster, chat_headers};
use super::host::Headers;
use super::provider::{Event, PROVIDERS, answer, buffered, chat, error, fails_over, head, test};

/// A POST with these headers beside the usual ones.
fn post_with(envoy: &mut super::envoy::Envoy, model: &str, more: &[(&str, &str)]) -> u32 {
    let mut headers = chat_headers();
    headers.0.extend(Headers::of(more.iter().copied()).0);
    let id = envoy.open(&headers, false);
    envoy.request_data(id, chat(model, false).to_string().as_bytes(), true);
    id
}

const FORGED: [(&str, &str); 12] = [
    ("x-crosspoint-retry", "1"),
    ("x-crosspoint-provider", "evil"),
    ("x-envoy-max-retries", "100"),
    ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
    ("x-envoy-retry-on", "5xx"),
    ("x-envoy-original-path", "/evil"),
    ("x-generation-id", "gen-evil"),
    ("authorization", "Bearer of-the-client"),
    ("x-api-key", "of-the-client"),
    ("cookie", "session"),
    ("accept-encoding", "gzip"),
    ("traceparent", "00-trace-span-01"),
];

#[test]
fn only_listed_headers_reach_a_provider() {
    test(|envoy| {
        for (provider, own) in [
            ("openai", vec!["authorization"]),
            ("anthropic", vec!["anthropic-version", "x-api-key"]),
            ("bedrock", vec!["authorization"]),
        ] {
            let id = post_with(envoy, &format!("m/{provider}"), &FORGED);
            let mut expected = vec![
                ":authority",
                ":method",
                ":path",
                ":scheme",
                "accept",
                "accept-encoding",
                "content-length",
                "content-type",
                "traceparent",
                "user-agent",
            ];
            expected.extend(own);
            expected.sort_unstable();
            let sent = &envoy.sent(id)[0].headers;
            assert_eq!(sent.names(), expected);
            assert_eq!(sent.text("accept-encoding").unwrap(), "identity");
            assert_eq!(sent.text("traceparent").unwrap(), "00-trace-span-01");
            envoy.client_leaves(id);
        }
    });
}

#[test]
fn a_clients_internal_headers_go_no_further_than_the_gateway() {
    test(|envoy| {
        let id = post_with(envoy, "m/any", &FORGED);
        let forwarded = envoy.forwarded(id);
        let internal: Vec<_> = forwarded
            .names()
            .into_iter()
            .filter(|name| name.starts_with("x-") && name != "x-api-key")
            .collect();
        assert_eq!(
            internal,
            ["x-envoy-max-retries", "x-envoy-upstream-rq-per-try-timeout-ms"]
        );
        assert_eq!(forwarded.text("x-envoy-max-retries").unwrap(), "2");
        envoy.client_leaves(id);
    });
}

#[test]
fn a_clients_internal_headers_decide_nothing() {
    test(|envoy| {
        let id = post_with(envoy, "m/any", &FORGED);
        assert_eq!(envoy.sent(id).len(), 1);
        envoy.advance(5_000);
        assert_eq!(
            envoy.sent(id).len(),
            1,
            "the client's per-try timeout must not count"
        );
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        let client = envoy.client(id);
        assert_eq!(client.header("x-crosspoint-provider").unwrap(), "openai");
        assert_ne!(client.header("x-generation-id").unwrap(), "gen-evil");
    });
}

#[test]
fn every_attempt_has_the_headers_of_its_own_provider_only() {
    test(|envoy| {
        let scripts = PROVIDERS.map(|provider| (provider, error(provider, 500)));
        let id = envoy.exchange(&chat("m/any", false), &scripts);
        let sent = envoy.sent(id);
        assert_eq!(sent.len(), 3);
        for (sent, provider) in sent.iter().zip(PROVIDERS) {
            assert_eq!(sent.cluster, provider);
            for other in PROVIDERS {
                let key = format!("key-of-{}", other.to_uppercase());
                let shown = format!("{:?}{}", sent.headers, String::from_utf8_lossy(&sent.body));
                let bytes = format!("{:?}", key.as_bytes());
                let held = shown.contains(&key) || shown.contains(bytes.trim_matches(['[', ']']));
                assert_eq!(held, other == provider, "{other} at {provider}");
            }
        }
        assert!(
            sent[1].headers.text("authorization").is_none(),
            "attempts share one map"
        );
    });
}

#[test]
fn only_listed_headers_of_a_provider_reach_the_client() {
    test(|envoy| {
        for stream in [false, true] {
            let mut script = answer("openai", stream, "hi");
            let Event::Head(headers) = &mut script[0] else {
                panic!()
            };
            headers.0.extend(
                Headers::of([
                    ("set-cookie", "a=b"),
                    ("alt-svc", "h3"),
                    ("x-crosspoint-retry", "1"),
                    ("x-envoy-upstream-service-time", "1"),
                    ("openai-organization", "org"),
                    ("x-generation-id", "gen-evil"),
                    ("content-length", "3"),
                ])
                .0,
            );
            let id = envoy.exchange(&chat("m/any", stream), &[("openai", script)]);
            assert_eq!(envoy.sent(id).len(), 1, "a provider asked for a retry");
            let names = envoy.client(id).headers.as_ref().unwrap().names();
            let own = if stream { "cache-control" } else { "content-length" };
            let mut expected = vec![
                ":status",
                "content-type",
                "x-crosspoint-attempts",
                "x-crosspoint-model",
                "x-crosspoint-provider",
                "x-generation-id",
                own,
            ];
            expected.sort_unstable();
            assert_eq!(names, expected);
            assert_eq!(
                envoy.client(id).header("x-generation-id").unwrap(),
                envoy.receipt(id)["id"]
            );
        }
    });
}

#[test]
fn the_wish_to_retry_never_reaches_the_client() {
    test(|envoy| {
        envoy.refuse_retries = true;
        let id = envoy.exchange(&chat("m/any", false), &[("openai", error("openai", 500))]);
        assert_eq!(envoy.client(id).header("x-crosspoint-retry"), None);
    });
}

#[test]
fn an_attempt_on_a_wrong_cluster_sends_nothing() {
    test(|envoy| {
        envoy.set_cluster("openai", Cluster::Misrouted("anthropic"));
        let id = envoy.post(&chat("m/openai", false));
        assert!(envoy.sent(id).is_empty());
        assert_eq!(envoy.client(id).status(), 500);
        assert_eq!(envoy.client(id).json()["error"]["code"], 500);
        assert_eq!(envoy.receipt(id)["status"], 500);
    });
}

#[test]
fn a_retry_on_a_wrong_cluster_sends_nothing() {
    test(|envoy| {
        envoy.set_cluster("anthropic", Cluster::Misrouted("openai"));
        let id = envoy.exchange(&chat("m/any", false), &[("openai", error("openai", 500))]);
        assert_eq!(envoy.sent(id).len(), 1);
        assert_eq!(envoy.client(id).status(), 500);
        assert_eq!(envoy.receipt(id)["outcome"], "error");
    });
}

#[test]
fn an_attempt_without_an_exchange_sends_nothing() {
    test(|envoy| {
        envoy.other_vm = true;
        let id = envoy.post(&chat("m/openai", false));
        assert!(envoy.sent(id).is_empty());
        assert_eq!(envoy.client(id).status(), 500);
        let error = envoy.client(id).json();
        assert!(
            error["error"]["message"]
                .as_str()
                .unwrap()
                .contains("vm_config of both placements")
        );
        assert!(
            super::envoy::logs()
                .iter()
                .any(|line| line.contains("finds no exchange"))
        );
    });
}

#[test]
fn a_key_is_in_no_log_line_receipt_or_body() {
    test(|envoy| {
        let scripts = fails_over(
            vec![
                Event::Head(head(401, "application/json")),
                Event::End(b"{\"error\":{\"message\":\"bad key\"}}".to_vec()),
            ],
            vec![
                Event::Head(head(200, "application/json")),
                Event::End(buffered("anthropic", "hi")),
            ],
        );
        let id = envoy.exchange(&chat("m/any", false), &scripts);
        let receipts: Vec<String> = envoy.receipts(id).iter().map(ToString::to_string).collect();
        let everything = [
            super::envoy::logs().concat(),
            receipts.concat(),
            envoy.client(id).text().to_owned(),
        ];
        assert!(!everything.concat().contains("key-of-"));
        assert!(
            !everything.concat().contains("Say something"),
            "no prompt is shown either"
        );
    });
}

#[test]
fn trailers_of_a_client_reach_no_provider() {
    test(|envoy| {
        let id = envoy.open(&chat_headers(), false);
        envoy.request_data(id, chat("m/any", false).to_string().as_bytes(), false);
        envoy.request_trailers(id);
        let scripts = fails_over(error("openai", 500), answer("anthropic", false, "hi"));
        envoy.play(id, &scripts);
        assert_eq!(envoy.client(id).status(), 200);
        let empty = Some(Headers::default());
        let sent = envoy.sent(id).iter().map(|sent| &sent.trailers);
        assert_eq!(sent.collect::<Vec<_>>(), [&empty, &empty]);
    });
}

#[test]
fn trailers_of_a_provider_reach_no_client() {
    test(|envoy| {
        for (stream, last) in [(false, buffered("openai", "hi")), (true, Vec::new())] {
            let mut script = answer("openai", stream, "hi");
            script.pop();
            script.extend([Event::Data(last), Event::Trailers]);
            let id = envoy.exchange(&chat("m/openai", stream), &[("openai", script)]);
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!(client.trailers, Some(Headers::default()), "{stream}");
        }
    });
}
