//! Policies of routes, and what keys may be used for.

use super::envoy::{Envoy, chat_headers};
use super::host::host;
use super::provider::{answer, chat, config, test_with};
use serde_json::{Value, json};

/// `team-a` has one provider and one key, `team-b` a middleware, a small cap and a prefix. The key `bob` has one model.
fn policies() -> Value {
    let sha256 = |key: &str| crosspoint::hash::to_hex(&crosspoint::hash::sha256(key.as_bytes()));
    let mut config = config();
    config["preferences"] = json!({"order": ["bedrock"]});
    config["keys"] = json!([
        {"name": "ann", "sha256": sha256("ann")},
        {"name": "bob", "sha256": sha256("bob"), "models": ["m/anthropic"]},
    ]);
    config["routes"] = json!({
        "team-a": {"providers": ["openai"], "keys": ["ann"]},
        "team-b": {
            "match": {"prefix": "/team-b"},
            "preferences": {"order": ["anthropic", "openai"], "only": ["openai", "anthropic"]},
            "middleware": [{"redact": {"rules": [{"literal": "secret", "mask": "***"}]}}],
            "limits": {"request_body": "1KiB"},
            "timeouts": {"total": "7s"},
        },
    });
    config
}

/// A request on a route with a key.
fn send(envoy: &mut Envoy, route: &str, key: &str, (method, target): (&str, &str), body: &Value) -> u32 {
    host(|host| route.clone_into(&mut host.route));
    let mut headers = chat_headers();
    headers.set(b":method", method.as_bytes());
    headers.set(b":path", target.as_bytes());
    headers.set(b"authorization", format!("Bearer {key}").as_bytes());
    let id = envoy.open(&headers, method == "GET");
    if method == "POST" {
        envoy.request_data(id, body.to_string().as_bytes(), true);
    }
    id
}

fn ask(envoy: &mut Envoy, route: &str, key: &str, body: &Value) -> u32 {
    send(envoy, route, key, ("POST", "/v1/chat/completions"), body)
}

fn any() -> Value {
    json!({"model": "m/any", "messages": [{"role": "user", "content": "Say something."}]})
}

fn tried(envoy: &mut Envoy, id: u32) -> String {
    envoy
        .sent(id)
        .first()
        .map_or(String::new(), |sent| sent.cluster.clone())
}

#[test]
fn the_route_decides_who_serves() {
    test_with(&policies(), |envoy| {
        for (route, provider) in [
            ("team-a", "openai"),
            ("team-b", "anthropic"),
            ("crosspoint", "bedrock"),
            ("no such route", "bedrock"),
            ("", "bedrock"),
        ] {
            let id = ask(envoy, route, "ann", &any());
            assert_eq!(tried(envoy, id), provider, "{route}");
            envoy.play(id, &[(provider, answer(provider, false, "hi"))]);
            assert_eq!(envoy.client(id).status(), 200);
        }
    });
}

#[test]
fn whose_rules_exclude_whom_is_said() {
    test_with(&policies(), |envoy| {
        for (route, key, model, set_by) in [
            ("team-a", "ann", "m/anthropic", "the policy of route team-a"),
            ("team-b", "ann", "m/bedrock", "the policy of route team-b"),
            ("", "bob", "m/openai", "key bob"),
        ] {
            let id = ask(envoy, route, key, &chat(model, false));
            assert_eq!(envoy.client(id).status(), 404);
            let error = envoy.client(id).json()["error"].clone();
            assert_eq!(error["availability"]["constraint"]["set_by"], set_by);
            assert_eq!(error["availability"]["endpoints"][0]["set_by"], set_by);
            assert!(error["message"].as_str().unwrap().contains(set_by), "{error}");
            assert!(envoy.sent(id).is_empty());
        }
    });
}

#[test]
fn a_key_that_the_route_does_not_name_is_refused() {
    test_with(&policies(), |envoy| {
        for target in [("POST", "/v1/chat/completions"), ("GET", "/v1/models")] {
            let id = send(envoy, "team-a", "bob", target, &any());
            assert_eq!(envoy.client(id).status(), 403);
            let error = envoy.client(id).json()["error"].clone();
            assert_eq!(error["metadata"]["error_type"], "permission_denied");
            assert_eq!(
                error["message"],
                "key bob may not be used here: the policy of route team-a does not name it"
            );
            assert!(envoy.sent(id).is_empty());
        }
        // Who has no key is told that first.
        let id = send(envoy, "team-a", "eve", ("GET", "/v1/models"), &any());
        assert_eq!(envoy.client(id).status(), 401);
    });
}

#[test]
fn a_route_has_a_middleware_limits_and_deadlines_of_its_own() {
    test_with(&policies(), |envoy| {
        for (route, text) in [("team-a", "a secret"), ("team-b", "a ***")] {
            let id = ask(envoy, route, "ann", &any());
            let provider = tried(envoy, id);
            let timeout = envoy.forwarded(id).text("x-envoy-upstream-rq-per-try-timeout-ms");
            // One endpoint has all of the time, one of two its half.
            let expected = if route == "team-b" { "3500" } else { "600000" };
            assert_eq!(timeout.unwrap(), expected);
            envoy.play(id, &[(&provider, answer(&provider, false, "a secret"))]);
            let said = envoy.client(id).json()["choices"][0]["message"]["content"].clone();
            assert_eq!(said, text);
            let mut long = any();
            long["user"] = json!("x".repeat(2_000));
            let id = ask(envoy, route, "ann", &long);
            assert_eq!(envoy.sent(id).is_empty(), route == "team-b");
            match envoy.sent(id).is_empty() {
                true => assert_eq!(envoy.client(id).status(), 413),
                false => envoy.play(id, &[(&provider, answer(&provider, false, "hi"))]),
            }
        }
    });
}

#[test]
fn a_routes_prefix_stands_before_every_path() {
    let mut config = policies();
    config["page"] = json!(true);
    test_with(&config, |envoy| {
        let id = send(
            envoy,
            "team-b",
            "ann",
            ("POST", "/team-b/v1/chat/completions"),
            &any(),
        );
        let provider = tried(envoy, id);
        assert!(
            !envoy.sent(id)[0]
                .headers
                .text(":path")
                .unwrap()
                .contains("team-b")
        );
        envoy.play(id, &[(&provider, answer(&provider, false, "hi"))]);
        assert_eq!(envoy.client(id).status(), 200);
        let id = send(envoy, "team-b", "", ("GET", "/team-b/crosspoint"), &any());
        assert_eq!(envoy.client(id).status(), 200);
        let id = send(
            envoy,
            "team-b",
            "ann",
            ("GET", "/team-b/v1/models?limit=1"),
            &any(),
        );
        let list = envoy.client(id).json();
        assert_eq!(list["links"]["next"], "/team-b/v1/models?offset=1&limit=1");
        let details = list["data"][0]["links"]["details"].as_str().unwrap().to_owned();
        let id = send(envoy, "team-b", "ann", ("GET", &details), &any());
        assert_eq!(envoy.client(id).status(), 200, "{details}");
        // Elsewhere it is no path at all.
        for target in ["/team-b/v1/models", "/team-bv1/models"] {
            let id = send(envoy, "team-a", "ann", ("GET", target), &any());
            assert_eq!(envoy.client(id).status(), 404);
        }
    });
}

#[test]
fn only_what_may_be_used_is_told_of() {
    test_with(&policies(), |envoy| {
        let told = |envoy: &mut Envoy, route: &str, key: &str, target: &str, member: &str| {
            let id = send(envoy, route, key, ("GET", target), &any());
            let data = envoy.client(id).json()["data"].clone();
            let list = data.as_array().or_else(|| data["endpoints"].as_array()).cloned();
            let names = list.unwrap_or_default().into_iter();
            let names: Vec<_> = names
                .map(|one| one[member].as_str().unwrap().to_owned())
                .collect();
            names.join(" ")
        };
        // Twice, as a list is kept.
        for _ in 0..2 {
            for (route, key, models, providers) in [
                (
                    "",
                    "ann",
                    "m/anthropic m/any m/bedrock m/openai",
                    "anthropic bedrock openai",
                ),
                ("", "bob", "m/anthropic", "anthropic"),
                ("team-a", "ann", "m/any m/openai", "openai"),
                ("team-b", "ann", "m/anthropic m/any m/openai", "anthropic openai"),
                ("team-b", "bob", "m/anthropic", "anthropic"),
            ] {
                assert_eq!(
                    told(envoy, route, key, "/v1/models", "id"),
                    models,
                    "{route} {key}"
                );
                assert_eq!(told(envoy, route, key, "/v1/providers", "slug"), providers);
            }
        }
        let of = |envoy: &mut Envoy, route: &str, model: &str| {
            told(
                envoy,
                route,
                "ann",
                &format!("/v1/models/{model}/endpoints"),
                "provider_name",
            )
        };
        assert_eq!(of(envoy, "team-b", "m/any"), "openai anthropic");
        let id = send(envoy, "team-b", "ann", ("GET", "/v1/models/m/bedrock"), &any());
        assert_eq!(envoy.client(id).status(), 404);
    });
}

#[test]
fn the_route_is_asked_for_only_where_there_are_policies() {
    let calls = |config: &Value| {
        let mut calls = 0;
        test_with(config, |envoy| {
            host(|host| host.calls = 0);
            let id = ask(envoy, "by-hand", "ann", &chat("m/openai", false));
            calls = host(|host| host.calls);
            envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        });
        calls
    };
    let plain = calls(&config());
    let mut with_routes = config();
    with_routes["routes"] = json!({"by-hand": {"providers": ["openai"]}});
    // How long the name is, and the name.
    assert_eq!(calls(&with_routes), plain + 1);
}
