//! What a caller who asks for it sees of how a request was routed, and what the receipt says of it.

use super::envoy::{Envoy, chat_headers};
use super::host::Headers;
use super::provider::{Event, PROVIDERS, Script, answer, chat, error, streamed_head, test, test_with};
use serde_json::{Value, json};

const OURS: (&str, &str) = ("x-crosspoint-metadata", "enabled");

/// A chat with one more header, and its answers.
fn ask(envoy: &mut Envoy, header: (&str, &str), body: &Value, scripts: &[(&str, Script)]) -> u32 {
    let mut headers = chat_headers();
    headers.0.extend(Headers::of([header]).0);
    let id = envoy.open(&headers, false);
    envoy.request_data(id, body.to_string().as_bytes(), true);
    envoy.play(id, scripts);
    id
}

/// The `openrouter_metadata` of a body, or of the last chunk of a stream.
fn metadata(envoy: &Envoy, id: u32) -> Value {
    let text = envoy.client(id).text();
    let chunks = text
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: {"));
    let last = chunks.last().map(|chunk| format!("{{{chunk}"));
    let body: Value = serde_json::from_str(last.as_deref().unwrap_or(text)).unwrap();
    body["openrouter_metadata"].clone()
}

#[test]
fn who_asks_sees_whom_the_request_went_to() {
    test(|envoy| {
        for stream in [false, true] {
            for provider in PROVIDERS {
                let mut body = chat("m/any", stream);
                body["provider"] = json!({"order": [provider], "ignore": [PROVIDERS.iter().find(|other| **other != provider).unwrap()]});
                let id = ask(
                    envoy,
                    OURS,
                    &body,
                    &[(provider, answer(provider, stream, "one two"))],
                );
                let seen = metadata(envoy, id);
                let third = seen["endpoints"]["available"][1]["provider"].clone();
                let ignored = body["provider"]["ignore"][0].clone();
                assert_eq!(
                    seen,
                    json!({
                        "requested": "m/any", "strategy": "direct", "region": null,
                        "summary": format!("available=2, excluded=1, selected={provider}"),
                        "attempt": 1, "is_byok": false,
                        "endpoints": {
                            "total": 3,
                            "available": [
                                {"provider": provider, "model": "m/any", "selected": true, "reason": "order"},
                                {"provider": third, "model": "m/any", "selected": false, "reason": seen["endpoints"]["available"][1]["reason"]},
                            ],
                            "excluded": [{
                                "provider": ignored, "model": "m/any", "reason": "allowed_providers",
                                "field": "provider.ignore", "detail": "is named",
                            }],
                        },
                        "attempts": [{"provider": provider, "model": "m/any", "status": 200}],
                    })
                );
                if stream {
                    assert_eq!(envoy.client(id).streamed(), ("one two".to_owned(), true));
                }
            }
        }
    });
}

#[test]
fn each_of_the_three_headers_is_heard_and_nothing_else() {
    test(|envoy| {
        for (name, value, shown) in [
            ("x-crosspoint-metadata", "enabled", true),
            ("x-openrouter-metadata", "Enabled", true),
            ("x-openrouter-experimental-metadata", "enabled", true),
            ("x-openrouter-metadata", "disabled", false),
            ("x-crosspoint-metadata", "yes", false),
            ("x-other-metadata", "enabled", false),
        ] {
            for stream in [false, true] {
                let script = [("openai", answer("openai", stream, "hi"))];
                let id = ask(envoy, (name, value), &chat("m/openai", stream), &script);
                let text = envoy.client(id).text();
                assert_eq!(
                    text.contains("openrouter_metadata"),
                    shown,
                    "{name}: {value}: {text}"
                );
                assert!(
                    envoy.sent(id)[0].headers.text(name).is_none(),
                    "{name} went to a provider"
                );
            }
        }
    });
}

#[test]
fn a_failover_shows_every_attempt() {
    test(|envoy| {
        for stream in [false, true] {
            let scripts = [
                ("openai", error("openai", 401)),
                ("anthropic", vec![Event::Reset]),
                ("bedrock", answer("bedrock", stream, "good")),
            ];
            let id = ask(envoy, OURS, &chat("m/any", stream), &scripts);
            let seen = metadata(envoy, id);
            assert_eq!(seen["attempt"], 3);
            assert_eq!(
                seen["attempts"],
                json!([
                    {"provider": "openai", "model": "m/any", "status": 502, "error_type": "provider_unavailable"},
                    {"provider": "anthropic", "model": "m/any", "status": 502, "error_type": "provider_unavailable"},
                    {"provider": "bedrock", "model": "m/any", "status": 200},
                ])
            );
            assert_eq!(envoy.client(id).header("x-crosspoint-attempts").unwrap(), "3");
        }
    });
}

#[test]
fn an_error_shows_it_beside_the_error() {
    test(|envoy| {
        let scripts = PROVIDERS.map(|provider| (provider, error(provider, 503)));
        let id = ask(envoy, OURS, &chat("m/any", true), &scripts);
        let seen = metadata(envoy, id);
        assert_eq!(seen["attempt"], 3);
        assert_eq!(seen["attempts"].as_array().unwrap().len(), 3);
        let available = seen["endpoints"]["available"].as_array().unwrap();
        assert!(available.iter().all(|one| one["selected"] == false));
        assert_eq!(envoy.client(id).json()["error"]["code"], 503);
        assert_eq!(envoy.client(id).header("x-crosspoint-model").unwrap(), "m/any");
    });
}

#[test]
fn a_request_that_nobody_may_serve_shows_why() {
    test(|envoy| {
        let mut body = chat("m/any", false);
        body["provider"] = json!({"only": ["nobody"]});
        let id = ask(envoy, OURS, &body, &[]);
        assert_eq!(envoy.client(id).status(), 404);
        let seen = metadata(envoy, id);
        assert_eq!(
            (&seen["attempt"], &seen["endpoints"]["total"]),
            (&json!(0), &json!(3))
        );
        assert_eq!(seen["endpoints"]["available"], json!([]));
        let excluded = seen["endpoints"]["excluded"].as_array().unwrap();
        assert!(excluded.iter().all(|one| one["field"] == "provider.only") && excluded.len() == 3);
        assert!(seen.get("attempts").is_none());
        let receipt = envoy.receipt(id);
        assert_eq!(
            (&receipt["considered"], &receipt["outcome"]),
            (&json!(3), &json!("refused"))
        );
        assert_eq!(
            receipt["passed_over"][0],
            json!({"provider": "openai", "model": "openai-model", "reason": "allowed_providers"})
        );
    });
}

#[test]
fn what_is_refused_before_it_is_routed_shows_nothing() {
    test(|envoy| {
        for body in [json!({"messages": []}), chat("m/unheard", false)] {
            let id = ask(envoy, OURS, &body, &[]);
            assert!(envoy.client(id).status() >= 400);
            assert_eq!(metadata(envoy, id), Value::Null);
        }
    });
}

#[test]
fn an_error_in_the_middle_shows_it_too() {
    test(|envoy| {
        for provider in PROVIDERS {
            let mut script = answer(provider, true, "one two");
            script.truncate(streamed_head(provider).len() + 3);
            script.push(Event::End(Vec::new()));
            let id = ask(
                envoy,
                OURS,
                &chat(&format!("m/{provider}"), true),
                &[(provider, script)],
            );
            assert_eq!(
                metadata(envoy, id)["attempts"],
                json!([{
                    "provider": provider, "model": format!("m/{provider}"), "status": 502,
                    "error_type": "provider_unavailable",
                }])
            );
        }
    });
}

#[test]
fn a_format_that_cannot_carry_the_request_is_a_reason() {
    test(|envoy| {
        let mut body = chat("m/any", false);
        body["n"] = json!(2);
        let id = ask(envoy, OURS, &body, &[("openai", answer("openai", false, "hi"))]);
        let excluded = metadata(envoy, id)["endpoints"]["excluded"].clone();
        assert_eq!(excluded.as_array().unwrap().len(), 2);
        for one in excluded.as_array().unwrap() {
            assert_eq!(one["reason"], "format");
            assert!(one["detail"].as_str().unwrap().starts_with("n: "), "{one}");
        }
    });
}

#[test]
fn a_receipt_says_who_was_left_and_who_was_passed_over() {
    let mut config = super::provider::config();
    config["models"]["m/b"] = config["models"]["m/bedrock"].clone();
    test_with(&config, |envoy| {
        let mut body = chat("m/any", false);
        body["models"] = json!(["m/b"]);
        body["max_tokens"] = json!(5);
        let scripts = [
            ("openai", error("openai", 402)),
            ("anthropic", error("anthropic", 400)),
            ("bedrock", answer("bedrock", false, "good")),
        ];
        let id = ask(envoy, OURS, &body, &scripts);
        let receipt = envoy.receipt(id);
        assert_eq!(
            (&receipt["strategy"], &receipt["considered"]),
            (&json!("fallback"), &json!(4))
        );
        assert_eq!(receipt["served_model"], "m/b");
        assert_eq!(receipt.get("untried"), None);
        // What Anthropic does not take no other endpoint of the model is shown.
        assert_eq!(
            receipt["passed_over"],
            json!([{"provider": "bedrock", "model": "bedrock-model", "reason": "invalid_request"}])
        );
        assert_eq!(envoy.client(id).header("x-crosspoint-model").unwrap(), "m/b");
        let id = envoy.exchange(
            &chat("m/any", false),
            &[("openai", answer("openai", false, "good"))],
        );
        let receipt = envoy.receipt(id);
        assert_eq!(
            receipt["untried"],
            json!([
                {"provider": "anthropic", "model": "anthropic-model", "reason": "order"},
                {"provider": "bedrock", "model": "bedrock-model", "reason": "order"},
            ])
        );
        assert!(receipt.get("strategy").is_none() && receipt.get("passed_over").is_none());
    });
}

#[test]
fn a_caller_and_the_receipt_are_told_how_the_model_was_found() {
    let mut config = super::provider::config();
    config["aliases"] = json!({"quick": "m/openai"});
    config["auto"] = json!({"models": {"m/anthropic": {"score": 0.5}, "m/openai": {"score": 0.75}, "m/bedrock": {"score": 1}}});
    test_with(&config, |envoy| {
        for (name, strategy) in [
            ("m/openai", "direct"),
            ("m/openai:nitro", "variant"),
            ("quick", "alias"),
            ("~m/openai-latest", "latest"),
            ("crosspoint/auto", "auto"),
        ] {
            let mut body = chat(name, false);
            body["provider"] = json!({"ignore": ["bedrock"]});
            let id = ask(envoy, OURS, &body, &[("openai", answer("openai", false, "good"))]);
            let (seen, receipt) = (metadata(envoy, id), envoy.receipt(id));
            assert_eq!(
                (&seen["requested"], &seen["strategy"]),
                (&json!(name), &json!(strategy))
            );
            let noted = (strategy != "direct").then_some(strategy);
            assert_eq!(receipt.get("strategy").and_then(Value::as_str), noted);
            assert_eq!(receipt["served_model"], "m/openai");
            let shortlist = json!([
                {"model": "m/openai", "score": 0.75, "reason": "able"},
                {"model": "m/anthropic", "score": 0.5, "reason": "able"},
                {"model": "m/bedrock", "score": 1.0, "reason": "excluded by provider.ignore"},
            ]);
            let shown = seen.get("shortlist").cloned();
            assert_eq!(shown, (strategy == "auto").then_some(shortlist));
        }
        let scripts = [
            ("openai", error("openai", 503)),
            ("anthropic", answer("anthropic", false, "good")),
        ];
        let mut body = chat("crosspoint/auto", false);
        body["provider"] = json!({"ignore": ["bedrock"]});
        let id = ask(envoy, OURS, &body, &scripts);
        assert_eq!(metadata(envoy, id)["strategy"], "fallback");
        assert_eq!(envoy.receipt(id)["strategy"], "fallback");
    });
}
