//! The parts of an Envoy configuration that every target has: the two placements, the route, the clusters.

use super::template::{fill, json, scalar, seconds};
use super::{Gateway, Source};
use crosspoint::auth::{BaseUrl, Credential};
use crosspoint::config::{Config, PolicyScope, Provider, Upstream};
use serde_json::json;
use std::net::IpAddr;

/// Without a route, and with each.
fn all_scopes(config: &Config) -> impl Iterator<Item = PolicyScope> {
    let routes = (0..config.routes.len()).map(Some);
    [None]
        .into_iter()
        .chain(routes)
        .map(|route| PolicyScope { route, key: None })
}

/// Envoy's buffer limits: twice our caps, because what a dialect makes of a body may be longer than the body.
pub(super) fn buffer_limit(config: &Config) -> String {
    const SLACK: usize = 1 << 20;
    let limits = all_scopes(config).map(|scope| config.limits(scope));
    let caps = limits.map(|limits| limits.request_body.max(limits.response_body));
    caps.max()
        .unwrap_or_default()
        .saturating_mul(2)
        .saturating_add(SLACK)
        .to_string()
}

/// The typed configuration of the filter in front of the router.
pub(super) fn gateway_filter(gateway: &Gateway, source: &Source) -> String {
    wasm_filter(
        gateway,
        source,
        "gateway",
        &json!({ "placement": "gateway", "config": gateway.value }),
    )
}

/// The typed configuration of the router, with the filter that runs for every attempt.
pub(super) fn router(gateway: &Gateway, source: &Source) -> String {
    let attempt = wasm_filter(gateway, source, "attempt", &json!({ "placement": "attempt" }));
    fill(include_str!("envoy/router.yaml"), &[("attempt", &attempt)])
}

fn wasm_filter(
    gateway: &Gateway,
    source: &Source,
    placement: &str,
    configuration: &serde_json::Value,
) -> String {
    let keys = key_envs(&gateway.config);
    let mut environment = String::new();
    if !keys.is_empty() {
        environment.push_str("environment_variables:\n  host_env_keys:\n");
        environment.extend(keys.iter().map(|key| format!("  - {}\n", scalar(key))));
    }
    let values = [
        ("placement", placement),
        ("wasm", &scalar(&source.wasm)),
        ("environment", &environment),
        ("configuration", &json(configuration)),
    ];
    fill(include_str!("envoy/wasm.yaml"), &values)
}

/// The environment variables that hold keys, each once.
fn key_envs(config: &Config) -> Vec<&str> {
    let mut keys: Vec<_> = config
        .providers
        .iter()
        .filter_map(|provider| provider.key.as_ref())
        .flat_map(Credential::variables)
        .map(|variable| variable.env.as_str())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The same, for a comment.
pub(super) fn key_envs_shown(config: &Config) -> String {
    match key_envs(config).join(", ") {
        none if none.is_empty() => "none".to_owned(),
        keys => keys,
    }
}

/// What a route does: the body limit, where attempts go, and what is retried.
pub(super) fn route(config: &Config, scope: PolicyScope, source: &Source) -> String {
    let matches: String = config
        .providers
        .iter()
        .map(|provider| {
            fill(
                include_str!("envoy/match.yaml"),
                &[("cluster", &scalar(&provider.cluster))],
            )
        })
        .collect();
    let retries = config.routing.max_attempts.saturating_sub(1).to_string();
    let retry = if source.without_failover {
        String::new()
    } else {
        fill(include_str!("envoy/retry.yaml"), &[("retries", &retries)])
    };
    let values = [
        ("buffer_limit", &*buffer_limit(config)),
        ("timeout", &*seconds(config.timeouts(scope).total_ms)),
        ("matches", &*matches),
        ("retry", &*retry),
    ];
    fill(include_str!("envoy/route.yaml"), &values)
}

/// Above the longest answer, which the route's own timeout ends.
pub(super) fn stream_idle_timeout(config: &Config) -> String {
    const SLACK_MS: u64 = 30_000;
    let totals = all_scopes(config).map(|scope| config.timeouts(scope).total_ms);
    seconds(totals.max().unwrap_or_default().saturating_add(SLACK_MS))
}

pub(super) fn access_log(path: &str) -> String {
    fill(
        include_str!("envoy/access_log.yaml"),
        &[("access_log_path", &scalar(path))],
    )
}

/// Whether the host is an IP address rather than a name.
pub(super) fn is_address(base: &BaseUrl) -> bool {
    base.host.parse::<IpAddr>().is_ok()
}

/// One cluster a host.
pub(super) fn clusters(config: &Config, source: &Source) -> String {
    config
        .providers
        .iter()
        .flat_map(Provider::upstreams)
        .map(|Upstream { cluster, base, .. }| {
            let is_address = is_address(base);
            let values = [
                ("cluster", scalar(cluster)),
                (
                    "type",
                    if is_address { "STATIC" } else { "STRICT_DNS" }.to_owned(),
                ),
                (
                    "dns",
                    if is_address {
                        ""
                    } else {
                        "dns_lookup_family: V4_PREFERRED\nrespect_dns_ttl: true"
                    }
                    .to_owned(),
                ),
                ("host", scalar(&base.host)),
                ("port", base.port.to_string()),
                ("protocol", protocol(base).to_owned()),
                (
                    "tls",
                    if base.tls {
                        tls(base, is_address, &source.ca_file)
                    } else {
                        String::new()
                    },
                ),
            ];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            fill(include_str!("envoy/cluster.yaml"), &values)
        })
        .collect()
}

fn protocol(base: &BaseUrl) -> &'static str {
    if base.tls {
        "auto_config:\n  http_protocol_options: {}\n  http2_protocol_options: {}"
    } else {
        "explicit_http_config:\n  http_protocol_options: {}"
    }
}

fn tls(base: &BaseUrl, is_address: bool, ca_file: &str) -> String {
    let host = scalar(&base.host);
    let sni = format!("sni: {host}\nauto_sni_san_validation: true");
    // An address is no name that SNI could carry.
    let san =
        format!("match_typed_subject_alt_names:\n- san_type: IP_ADDRESS\n  matcher:\n    exact: {host}");
    let (name, san) = if is_address {
        ("", san.as_str())
    } else {
        (sni.as_str(), "")
    };
    fill(
        include_str!("envoy/tls.yaml"),
        &[("name", name), ("ca_file", &scalar(ca_file)), ("san", san)],
    )
}
