//! What an exchange moves among Envoy's statistics, and how many calls that takes.

use super::access::{post, with_key};
use super::host::host;
use super::provider::{Script, answer, chat, config, error, test, test_with};
use serde_json::{Value, json};

fn value(start: &str, parts: &[&str]) -> Option<u64> {
    host(|host| host.metric_value(start, parts))
}

fn overloaded() -> Script {
    error("anthropic", 529)
}

#[test]
fn a_settled_exchange_is_counted() {
    test(|envoy| {
        envoy.exchange(
            &chat("m/openai", false),
            &[("openai", answer("openai", false, "hi"))],
        );
        let family = "model=m/openai;provider=openai;operation=chat;";
        let with = |more: &str| format!("{family}{more}");
        assert_eq!(
            value("crosspoint.requests;", &[&with("outcome=success;")]),
            Some(1)
        );
        assert_eq!(
            value("crosspoint.attempts;", &[&with("outcome=success;")]),
            Some(1)
        );
        let usage = "gen_ai.client.inference.usage";
        assert_eq!(value(&format!("{usage}.input_tokens;"), &[family]), Some(10));
        assert_eq!(value(&format!("{usage}.output_tokens;"), &[family]), Some(5));
        assert_eq!(
            value(&format!("{usage}.cache_read.input_tokens;"), &[family]),
            None
        );
        let histogram = "gen_ai.client.token.usage;";
        assert_eq!(value(histogram, &[&with("token_type=input;")]), Some(10));
        assert_eq!(value(histogram, &[&with("token_type=output;")]), Some(5));
        // 10 tokens at a dollar a million, and 5 at two.
        assert_eq!(value("crosspoint.cost_pico_usd;", &[family]), Some(20_000_000));
        assert_eq!(value("crosspoint.errors;", &[]), None);
        assert_eq!(value("crosspoint.key_requests;", &[]), None);
        assert_eq!(value("gen_ai.server.time_to_first_token", &[]), None);
    });
}

#[test]
fn a_failover_is_counted_where_it_came_from() {
    test(|envoy| {
        let mut request = chat("m/any", true);
        request["provider"] = json!({"order": ["anthropic", "openai"]});
        envoy.exchange(
            &request,
            &[
                ("anthropic", overloaded()),
                ("openai", answer("openai", true, "one two three")),
            ],
        );
        let failed = "provider=anthropic;operation=chat;error_type=provider_overloaded;";
        assert_eq!(value("crosspoint.failovers;", &[failed]), Some(1));
        let attempt = "provider=anthropic;operation=chat;outcome=error;error_type=provider_overloaded;";
        assert_eq!(value("crosspoint.attempts;", &[attempt]), Some(1));
        assert!(value("gen_ai.client.operation.duration", &[failed]).is_some());
        let served = "provider=openai;operation=chat;";
        assert!(value("gen_ai.client.operation.time_to_first_chunk", &[served]).is_some());
        assert!(value("gen_ai.server.time_to_first_token", &[served]).is_some());
        assert!(value("gen_ai.server.time_per_output_token", &[served]).is_some());
        assert_eq!(value("crosspoint.errors;", &[]), None);
    });
}

#[test]
fn a_name_that_a_client_made_up_is_no_label() {
    test(|envoy| {
        for name in ["made/up", "other", "evil;model=x"] {
            envoy.post(&json!({"model": name, "messages": []}));
        }
        let family = "model=unknown;provider=none;operation=chat;outcome=refused;";
        assert_eq!(value("crosspoint.requests;", &[family]), Some(3));
        assert_eq!(value("crosspoint.requests;", &[]), Some(3));
    });
}

#[test]
fn what_would_end_a_label_does_not_stand_in_one() {
    let mut odd = config();
    odd["models"]["a/b:c.d;outcome=x"] = odd["models"]["m/openai"].clone();
    test_with(&odd, |envoy| {
        envoy.exchange(
            &chat("a/b:c.d;outcome=x", false),
            &[("openai", answer("openai", false, "hi"))],
        );
        let family =
            "crosspoint.requests;model=a/b:c.d_outcome=x;provider=openai;operation=chat;outcome=success;";
        assert_eq!(value(family, &[]), Some(1));
    });
}

#[test]
fn what_a_key_uses_is_counted_by_its_name() {
    test_with(&with_key(), |envoy| {
        let id = post(envoy, Some(b"Bearer right"));
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        assert_eq!(
            value("crosspoint.key_requests;key=team;outcome=success;", &[]),
            Some(1)
        );
        assert_eq!(
            value("crosspoint.key_tokens;key=team;token_type=output;", &[]),
            Some(5)
        );
        assert_eq!(
            value("crosspoint.key_cost_pico_usd;key=team;", &[]),
            Some(20_000_000)
        );
    });
}

#[test]
fn a_budget_is_shown_by_the_tick_and_ends_with_its_window() {
    let mut config = with_key();
    config["keys"][0]["budget"] = json!({"day": "0.5", "month": 3});
    let more = |name: &str, more: Value| {
        let sha256 = crosspoint::hash::to_hex(&crosspoint::hash::sha256(name.as_bytes()));
        let mut key = json!({"name": name, "sha256": sha256});
        key.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        key
    };
    let keys = config["keys"].as_array_mut().unwrap();
    keys.push(more("free", json!({"requests_per_minute": 9})));
    keys.extend((0..150).map(|at| more(&format!("k{at}"), json!({"budget": {"week": at}}))));
    let shown = |what: &str, key: &str, window: &str| {
        let labels = format!("key={key};window={window};");
        value(&format!("crosspoint.key_budget_{what}_pico_usd;{labels}"), &[])
    };
    test_with(&config, |envoy| {
        envoy.tick();
        assert_eq!(shown("used", "team", "day"), Some(0));
        assert_eq!(shown("limit", "team", "day"), Some(500_000_000_000));
        assert_eq!(shown("limit", "team", "week"), None);
        assert_eq!(
            shown("limit", "k149", "week"),
            None,
            "so many are not shown at once"
        );
        let calls = host(|host| host.metric_calls);
        envoy.tick();
        assert_eq!(shown("limit", "k149", "week"), Some(149_000_000_000_000));
        assert_eq!(value("crosspoint.key_budget", &["key=free;"]), None);
        let id = post(envoy, Some(b"Bearer right"));
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        assert!(host(|host| host.metric_calls).1 < calls.1 + 120);
        assert_eq!(shown("used", "team", "day"), Some(0), "not by the request");
        envoy.tick();
        assert_eq!(shown("used", "team", "day"), Some(20_000_000));
        envoy.advance(86_400_000);
        envoy.tick();
        envoy.tick();
        assert_eq!(shown("used", "team", "day"), Some(0));
        envoy.advance(31 * 86_400_000);
        envoy.tick();
        envoy.tick();
        assert_eq!(shown("used", "team", "month"), Some(0));
    });
}

#[test]
fn the_standing_of_what_was_asked_is_shown() {
    let standing = || value("crosspoint.endpoint_standing;", &["provider=anthropic;"]);
    test(move |envoy| {
        let mut ask = |script| {
            envoy.exchange(&chat("m/anthropic", false), &[("anthropic", script)]);
            envoy.advance(6_000);
            envoy.tick();
        };
        ask(answer("anthropic", false, "hi"));
        assert_eq!(standing(), Some(0));
        for _ in 0..5 {
            ask(overloaded());
        }
        assert!(standing() > Some(0));
    });
}

/// The ids are asked for once; afterwards an exchange costs a fixed number of calls.
#[test]
fn counting_takes_few_calls_and_no_look_up() {
    test(|envoy| {
        let mut exchange = |stream: bool| {
            let before = host(|host| host.metric_calls);
            envoy.exchange(
                &chat("m/openai", stream),
                &[("openai", answer("openai", stream, "one two three"))],
            );
            let after = host(|host| host.metric_calls);
            (after.0 - before.0, after.1 - before.1)
        };
        assert_eq!(exchange(true), (14, 13));
        assert_eq!(exchange(true), (0, 13));
        assert_eq!(exchange(false), (0, 10));
    });
}
