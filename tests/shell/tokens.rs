//! Tokens that one worker fetches and all share, and requests that wait for them.

use super::envoy::{Envoy, logs};
use super::host::{Shared, host};
use super::provider::{answer, chat, error};
use super::vm::worker_sharing;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const TOKENS: &str = "google-vertex-token";

/// `m/only` is served by Vertex alone, `m/both` by OpenAI too.
fn config() -> Value {
    let vertex = json!({"provider": "google-vertex", "model": "claude-sonnet-4-5", "price": {"prompt": "1.00", "completion": "0"}});
    let openai =
        json!({"provider": "openai", "model": "gpt", "price": {"prompt": "1.00", "completion": "0"}});
    json!({
        "providers": {
            "google-vertex": {
                "base_url": "https://vertex.example/v1/projects/p/locations/r",
                "key": {"google": {"service_account": {"env": "SHELL_ACCOUNT"}}},
            },
            "openai": {"key": {"env": "SHELL_OPENAI"}},
        },
        "models": {
            "m/only": {"endpoints": [vertex]},
            "m/both": {"endpoints": [vertex, openai]},
        },
    })
}

fn ask(model: &str, order: &[&str]) -> Value {
    let mut request = chat(model, false);
    request["provider"] = json!({"order": order});
    request
}

const VERTEX_FIRST: [&str; 2] = ["google-vertex", "openai"];
const OPENAI_FIRST: [&str; 2] = ["openai", "google-vertex"];

fn test(work: impl FnOnce(&mut Envoy) + Send) {
    test_sharing(Arc::default(), work);
}

fn test_sharing(shared: Arc<Mutex<Shared>>, work: impl FnOnce(&mut Envoy) + Send) {
    worker_sharing(shared, || {
        host(|host| host.callout_clusters.push(TOKENS.to_owned()));
        let mut envoy = Envoy::start(&config());
        work(&mut envoy);
        envoy.assert_sound();
        for line in logs() {
            assert!(!line.contains("ya29") && !line.contains("assertion"), "{line}");
        }
    });
}

fn token(name: &str, seconds: u64) -> Vec<u8> {
    let token =
        json!({"access_token": format!("ya29.{name}"), "expires_in": seconds, "token_type": "Bearer"});
    token.to_string().into_bytes()
}

/// Ticks, and answers the fetch that is made then.
fn fetch(envoy: &mut Envoy, answer: Option<(u16, &[u8])>) {
    envoy.tick();
    let callouts = envoy.callouts();
    assert_eq!(callouts.len(), 1, "{callouts:?}");
    assert_eq!(callouts[0].cluster, TOKENS);
    assert!(callouts[0].body.starts_with(b"grant_type="));
    envoy.answer_callout(callouts[0].token, answer);
}

fn authorization(envoy: &Envoy, id: u32) -> String {
    envoy
        .sent(id)
        .last()
        .unwrap()
        .headers
        .text("authorization")
        .unwrap()
}

fn serve(envoy: &mut Envoy, id: u32) {
    envoy.play(
        id,
        &[
            ("google-vertex", answer("anthropic", false, "hi")),
            ("openai", answer("openai", false, "hi")),
        ],
    );
    assert_eq!(envoy.client(id).status(), 200);
}

#[test]
fn the_first_request_waits_for_the_token() {
    test(|envoy| {
        let id = envoy.post(&chat("m/only", false));
        let other = envoy.post(&ask("m/both", &VERTEX_FIRST));
        assert!(envoy.sent(id).is_empty() && envoy.sent(other).is_empty());
        fetch(envoy, Some((200, &token("a", 3_600))));
        for id in [id, other] {
            assert_eq!(authorization(envoy, id), "Bearer ya29.a");
            assert_eq!(envoy.sent(id)[0].cluster, "google-vertex");
            serve(envoy, id);
        }
        let later = envoy.post(&chat("m/only", false));
        assert_eq!(authorization(envoy, later), "Bearer ya29.a");
        serve(envoy, later);
    });
}

#[test]
fn a_request_that_another_provider_serves_waits_for_no_token() {
    test(|envoy| {
        let id = envoy.post(&ask("m/both", &OPENAI_FIRST));
        assert_eq!(authorization(envoy, id), "Bearer key-of-OPENAI");
        serve(envoy, id);
    });
}

#[test]
fn a_token_goes_to_its_own_provider_alone() {
    test(|envoy| {
        fetch(envoy, Some((200, &token("a", 3_600))));
        let id = envoy.post(&ask("m/both", &VERTEX_FIRST));
        envoy.play(
            id,
            &[
                ("google-vertex", error("anthropic", 503)),
                ("openai", answer("openai", false, "hi")),
            ],
        );
        let sent: Vec<_> = envoy
            .sent(id)
            .iter()
            .map(|sent| sent.headers.text("authorization").unwrap())
            .collect();
        assert_eq!(sent, ["Bearer ya29.a", "Bearer key-of-OPENAI"]);
    });
}

#[test]
fn two_workers_make_one_fetch() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    test_sharing(Arc::clone(&shared), |first| {
        first.tick();
        let callouts = first.callouts();
        assert_eq!(callouts.len(), 1);
        let other = Arc::clone(&shared);
        test_sharing(other, |second| {
            second.tick();
            assert!(second.callouts().is_empty());
            let id = second.post(&chat("m/only", false));
            assert!(second.sent(id).is_empty());
            // The first worker's fetch ends.
            let record = crosspoint::auth::access_token::TokenRecord::fetched(
                crosspoint::auth::google::answer(
                    &crosspoint::middleware::Reply::Response {
                        status: 200,
                        body: token("a", 3_600),
                    },
                    host(|host| host.clock_ms),
                )
                .unwrap(),
                host(|host| host.clock_ms),
            );
            host(|host| {
                let mut shared = host.shared.lock().unwrap();
                let names: Vec<_> = shared
                    .records
                    .keys()
                    .filter(|name| name.contains(".token."))
                    .cloned()
                    .collect();
                assert_eq!(names.len(), 1);
                shared.set(&names[0], &record.to_bytes(), 0);
            });
            second.tick();
            assert_eq!(authorization(second, id), "Bearer ya29.a");
            serve(second, id);
        });
        first.answer_callout(callouts[0].token, Some((200, &token("b", 3_600))));
        let id = first.post(&chat("m/only", false));
        assert_eq!(authorization(first, id), "Bearer ya29.b");
        serve(first, id);
    });
}

#[test]
fn a_token_is_replaced_ahead_of_its_end() {
    test(|envoy| {
        fetch(envoy, Some((200, &token("a", 3_600))));
        envoy.advance(3_374_000);
        envoy.tick();
        assert!(envoy.callouts().is_empty());
        envoy.advance(2_000);
        envoy.tick();
        let callouts = envoy.callouts();
        assert_eq!(callouts.len(), 1);
        // Nobody waits while the old one holds.
        let id = envoy.post(&chat("m/only", false));
        assert_eq!(authorization(envoy, id), "Bearer ya29.a");
        serve(envoy, id);
        envoy.answer_callout(callouts[0].token, Some((200, &token("b", 3_600))));
        let id = envoy.post(&chat("m/only", false));
        assert_eq!(authorization(envoy, id), "Bearer ya29.b");
        serve(envoy, id);
    });
}

#[test]
fn a_refused_fetch_is_as_a_refused_key_and_is_made_again_later() {
    test(|envoy| {
        let only = envoy.post(&chat("m/only", false));
        let both = envoy.post(&ask("m/both", &VERTEX_FIRST));
        fetch(envoy, Some((400, br#"{"error":"invalid_grant"}"#)));
        assert_eq!(envoy.client(only).status(), 502);
        assert!(envoy.sent(only).is_empty());
        assert_eq!(
            envoy.attempts(only),
            json!([["google-vertex", "error", "provider_unavailable", null]])
        );
        assert_eq!(envoy.sent(both)[0].cluster, "openai");
        serve(envoy, both);
        assert_eq!(
            envoy.attempts(both),
            json!([
                ["google-vertex", "error", "provider_unavailable", null],
                ["openai", "success", null, 200]
            ])
        );
        let warned = "crosspoint: no token for provider google-vertex: the token endpoint answered with status 400 \"invalid_grant\"";
        assert!(logs().contains(&warned.to_owned()), "{:?}", logs());
        // Until the next fetch is due, nobody waits.
        let next = envoy.post(&ask("m/both", &VERTEX_FIRST));
        assert_eq!(envoy.sent(next)[0].cluster, "openai");
        serve(envoy, next);
        envoy.tick();
        assert!(envoy.callouts().is_empty());
        envoy.advance(1_000);
        fetch(envoy, None);
        envoy.advance(1_999);
        envoy.tick();
        assert!(envoy.callouts().is_empty());
        envoy.advance(1);
        fetch(envoy, Some((200, &token("a", 3_600))));
        let id = envoy.post(&chat("m/only", false));
        assert_eq!(authorization(envoy, id), "Bearer ya29.a");
        serve(envoy, id);
    });
}

#[test]
fn a_request_waits_only_so_long() {
    test(|envoy| {
        let id = envoy.post(&ask("m/both", &VERTEX_FIRST));
        envoy.tick();
        envoy.advance(4_999);
        envoy.tick();
        assert!(envoy.sent(id).is_empty());
        envoy.advance(1);
        envoy.tick();
        assert_eq!(envoy.sent(id)[0].cluster, "openai");
        serve(envoy, id);
    });
}

#[test]
fn the_lease_of_a_dead_worker_lapses() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    test_sharing(Arc::clone(&shared), |dead| dead.tick());
    test_sharing(shared, |envoy| {
        envoy.tick();
        assert!(envoy.callouts().is_empty());
        envoy.advance(10_000);
        fetch(envoy, Some((200, &token("a", 3_600))));
        let id = envoy.post(&chat("m/only", false));
        serve(envoy, id);
    });
}

#[test]
fn a_fallback_without_a_token_is_never_asked() {
    test(|envoy| {
        let id = envoy.post(&ask("m/both", &OPENAI_FIRST));
        envoy.play(id, &[("openai", error("openai", 500))]);
        assert_eq!(envoy.sent(id).len(), 1);
        assert_eq!(envoy.client(id).status(), 502);
        assert_eq!(
            envoy.attempts(id),
            json!([
                ["google-vertex", "error", "provider_unavailable", null],
                ["openai", "error", "provider_unavailable", 500],
            ])
        );
    });
}

#[test]
fn a_fallback_with_a_token_is_asked_with_it() {
    test(|envoy| {
        fetch(envoy, Some((200, &token("a", 3_600))));
        let id = envoy.post(&ask("m/both", &OPENAI_FIRST));
        envoy.play(
            id,
            &[
                ("openai", error("openai", 500)),
                ("google-vertex", answer("anthropic", false, "hi")),
            ],
        );
        assert_eq!(authorization(envoy, id), "Bearer ya29.a");
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn a_token_that_runs_out_under_a_failing_attempt_is_not_sent() {
    test(|envoy| {
        fetch(envoy, Some((200, &token("a", 60))));
        let id = envoy.post(&ask("m/both", &OPENAI_FIRST));
        envoy.advance(60_000);
        envoy.play(id, &[("openai", error("openai", 500))]);
        assert!(envoy.sent(id).iter().all(|sent| sent.cluster == "openai"));
        assert_eq!(envoy.client(id).status(), 500);
    });
}

#[test]
fn a_client_may_leave_while_it_waits() {
    test(|envoy| {
        let id = envoy.post(&chat("m/only", false));
        envoy.client_leaves(id);
        fetch(envoy, Some((200, &token("a", 3_600))));
        assert!(envoy.sent(id).is_empty());
        assert_eq!(envoy.receipt(id)["outcome"], "cancelled");
    });
}

#[test]
fn a_cluster_that_is_not_there_is_a_failed_fetch() {
    test(|envoy| {
        host(|host| host.callout_clusters.clear());
        let id = envoy.post(&ask("m/both", &VERTEX_FIRST));
        envoy.tick();
        assert_eq!(envoy.sent(id)[0].cluster, "openai");
        serve(envoy, id);
        let warned = "crosspoint: no token for provider google-vertex: the cluster google-vertex-token could not be called";
        assert!(logs().contains(&warned.to_owned()), "{:?}", logs());
    });
}
