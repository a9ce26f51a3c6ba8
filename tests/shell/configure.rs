//! Configurations, good and bad.

use super::envoy::{Envoy, chat_headers, logs, root};
use super::host::host;
use super::provider::config;
use super::vm::worker;
use serde_json::{Value, json};

/// A configuration that must be refused, and the lines that say why.
fn refused(configuration: &[u8]) -> Vec<String> {
    worker(|| {
        assert!(!root(1, configuration));
        assert!(host(|host| host.logs.iter().all(|(level, _)| *level == 4)));
        logs()
    })
}

fn gateway(config: Value) -> Vec<u8> {
    json!({"placement": "gateway", "config": config})
        .to_string()
        .into_bytes()
}

#[test]
fn what_is_no_json_is_refused() {
    for bytes in [&b""[..], b"{", b"\xff", b"{}{}"] {
        let lines = refused(bytes);
        assert!(lines.len() == 1 && lines[0].contains("is no JSON"), "{lines:?}");
    }
}

#[test]
fn a_wrong_placement_is_refused() {
    for bytes in [
        &b"{}"[..],
        b"[]",
        b"null",
        b"7",
        br#"{"placement":"router"}"#,
        br#"{"placement":7}"#,
    ] {
        let lines = refused(bytes);
        assert!(
            lines.len() == 1 && lines[0].contains("placement: expected"),
            "{lines:?}"
        );
    }
}

#[test]
fn every_problem_of_a_configuration_is_logged() {
    let mut config = config();
    config["providers"]["openai"]["key"] = json!({"env": "SHELL_NOT_SET"});
    config["models"]["m/any"]["endpoints"][0]["provider"] = json!("nobody");
    config["timeouts"] = json!({"stall": "soon"});
    config["made_up"] = json!(1);
    let lines = refused(&gateway(config));
    for part in [
        "config.providers.openai.key: env SHELL_NOT_SET is not set",
        "config.models.m/any.endpoints[0].provider",
        "config.timeouts.stall",
        "made_up",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn a_missing_configuration_is_refused() {
    assert!(!refused(br#"{"placement":"gateway"}"#).is_empty());
    assert!(!refused(&gateway(json!([]))).is_empty());
}

#[test]
fn only_the_gateway_ticks() {
    worker(|| {
        Envoy::start(&config());
        assert!(host(|host| host.contexts[&1].tick_ms) > 0);
        assert_eq!(host(|host| host.contexts[&2].tick_ms), 0);
    });
}

#[test]
fn an_unconfigured_root_lets_everything_pass() {
    worker(|| {
        assert!(!root(1, b"{"));
        super::vm::create(11, 1);
        for callback in [
            super::vm::Callback::RequestHeaders { end: false },
            super::vm::Callback::RequestBody { size: 1, end: true },
            super::vm::Callback::ResponseHeaders { end: true },
        ] {
            assert!(super::vm::run(11, callback));
        }
        super::vm::done(11);
        super::vm::tick(1);
    });
}

#[test]
fn an_exchange_keeps_the_configuration_that_it_began_with() {
    worker(|| {
        let mut envoy = Envoy::start(&config());
        let id = envoy.open(&chat_headers(), false);
        // A new listener: new roots in the same VM, with a configuration that no longer has the model.
        let mut changed = config();
        changed["models"] = json!({"m/new": {"endpoints": [{"provider": "openai"}]}});
        assert!(root(3, &gateway(changed)));
        envoy.request_data(
            id,
            super::provider::chat("m/openai", false).to_string().as_bytes(),
            true,
        );
        assert_eq!(envoy.sent(id).len(), 1);
        envoy.client_leaves(id);
        super::vm::done(3);
        host(|host| host.contexts.remove(&3));
        envoy.assert_sound();
    });
}
