//! `crosspoint check`: every problem of a configuration at once, or a summary of what it offers.

use crate::file;
use crosspoint::auth::Credential;
use crosspoint::config::{Config, Endpoint, Match, Model, Provider, Route, Unbounded};
use crosspoint::meter::budget::{Allowance, SPANS, Span};
use crosspoint::preference::Policy;
use crosspoint::route::is_allowed;
use crosspoint::time::rfc3339;
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The configuration, in YAML; - reads standard input
    config: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let file = file::read(&options.config)?;
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    print!("{}", summary(&file.config, &is_set));
    Ok(())
}

/// What a sound configuration offers, and which of its keys are not in the environment.
fn summary(config: &Config, is_set: &dyn Fn(&str) -> bool) -> String {
    let mut out = String::new();
    let endpoints: usize = config.models.iter().map(|model| model.endpoints.len()).sum();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "sound: {}", config.name);
    let _ = writeln!(out, "{} providers", config.providers.len());
    for provider in &config.providers {
        let (id, dialect, base) = (&provider.id, provider.dialect.name(), &provider.base);
        let scheme = if base.tls { "https" } else { "http" };
        let (authority, path, key) = (base.authority(), &base.path, key(provider, is_set));
        let _ = writeln!(out, "  {id}  {dialect}  {scheme}://{authority}{path}  {key}");
    }
    let _ = writeln!(out, "{} models, {endpoints} endpoints", config.models.len());
    for model in &config.models {
        let offers: Vec<_> = model
            .endpoints
            .iter()
            .filter_map(|endpoint| {
                let provider = config.providers.get(endpoint.provider)?;
                let price = match &endpoint.price {
                    None => " (no price)",
                    Some(price) if price.is_free() => " (free)",
                    Some(_) => "",
                };
                Some(format!("{}:{}{price}", provider.id, endpoint.model))
            })
            .collect();
        let _ = writeln!(out, "  {}  {}", model.name, offers.join(", "));
    }
    let unpriced = config.models.iter().flat_map(|model| &model.endpoints);
    let unpriced = unpriced.filter(|endpoint| endpoint.price.is_none()).count();
    if unpriced > 0 {
        let _ = writeln!(
            out,
            "warning: {unpriced} endpoints have no price: they come after those with one, and receipts leave their cost \
             out; write their price, 0 where nothing is charged"
        );
    }
    let has_budget = config.keys.iter().any(|key| key.allowance.longest().is_some());
    if unpriced > 0 && has_budget && config.budgets.unbounded != Unbounded::Reserve {
        let _ = writeln!(
            out,
            "warning: keys with a budget cannot use endpoints without a price"
        );
    }
    let mut endpoints = config.models.iter().flat_map(|model| &model.endpoints);
    if config.routing.prefer_local_region && endpoints.all(|endpoint| endpoint.policy.region.is_none()) {
        let _ = writeln!(
            out,
            "no endpoint has a region, so that routing.prefer_local_region changes nothing"
        );
    }
    let _ = match config.keys.len() {
        0 if config.identity.is_some() => writeln!(out, "no client keys: whoever identity names may call"),
        0 => writeln!(out, "no client keys: everybody who reaches the listener may call"),
        count => writeln!(out, "{count} client keys"),
    };
    for key in &config.keys {
        let limits = limits(&key.allowance);
        if !limits.is_empty() || key.disabled || key.expires_ms.is_some() {
            let ends = key.expires_ms.map(|ms| format!("until {}", rfc3339(ms)));
            let disabled = key.disabled.then(|| "disabled".to_owned());
            let said: Vec<_> = disabled.into_iter().chain(ends).chain(limits).collect();
            let _ = writeln!(out, "  {}  {}", key.name, said.join(", "));
        }
        if let Some(policy) = &key.policy {
            let _ = writeln!(out, "  {}  {}", key.name, allowed(policy, config));
        }
    }
    if !config.routes.is_empty() {
        let _ = writeln!(out, "{} policies of routes", config.routes.len());
    }
    for route in &config.routes {
        let _ = writeln!(out, "  {}", policy(route, config));
    }
    out
}

/// What a key may use.
fn limits(allowance: &Allowance) -> Vec<String> {
    let a_minute = |limit: Option<u64>, what| limit.map(|limit| format!("{limit} {what} a minute"));
    let rates = [
        a_minute(allowance.requests_per_minute, "requests"),
        a_minute(allowance.tokens_per_minute, "tokens"),
    ];
    let budget = |(span, name): (Span, &str)| Some(format!("{} USD a {name}", allowance.budget(span)?));
    let budgets = SPANS.into_iter().map(budget);
    rates.into_iter().chain(budgets).flatten().collect()
}

fn policy(route: &Route, config: &Config) -> String {
    let Match { prefix, host, header } = &route.matches;
    let header = header.as_ref().map(|(name, value)| format!("{name}: {value}"));
    let host = host.as_ref().map(|host| format!("host {host}"));
    let matches: Vec<_> = [prefix.clone(), host, header].into_iter().flatten().collect();
    let matches = match &*matches {
        [] => "no match: not rendered".to_owned(),
        matches => matches.join(", "),
    };
    let allowed = match &route.policy {
        Some(policy) => allowed(policy, config),
        None => "all models".to_owned(),
    };
    let keys = match &route.keys {
        None => "every key".to_owned(),
        Some(keys) => {
            let keys = config.keys.iter().enumerate().filter(|(at, _)| keys.has(*at));
            let names: Vec<_> = keys.map(|(_, key)| key.name.as_str()).collect();
            format!("keys {}", names.join(", "))
        }
    };
    format!("{}  {matches}  {allowed}  {keys}", route.name)
}

/// The share of what is served that a policy allows.
fn allowed(policy: &Policy, config: &Config) -> String {
    let endpoints = |(at, model): (usize, &Model)| -> (usize, usize) {
        let allowed = |endpoint: &&Endpoint| {
            let provider = config.providers.get(endpoint.provider);
            provider.is_some_and(|provider| is_allowed(&[policy], at, provider, endpoint))
        };
        let allowed = model.endpoints.iter().filter(allowed).count();
        (model.endpoints.len(), allowed)
    };
    let counts: Vec<_> = config.models.iter().enumerate().map(endpoints).collect();
    let models = counts.iter().filter(|(_, allowed)| *allowed > 0).count();
    let (all, allowed) = counts
        .iter()
        .fold((0, 0), |(all, allowed), one| (all + one.0, allowed + one.1));
    format!(
        "{models} of {} models, {allowed} of {all} endpoints",
        counts.len()
    )
}

fn key(provider: &Provider, is_set: &dyn Fn(&str) -> bool) -> String {
    let Some(key) = &provider.key else {
        return "no key".to_owned();
    };
    let wanted = key.variables();
    let wanted = wanted
        .iter()
        .filter(|variable| !variable.optional || is_set(&variable.env));
    let (set, missing): (Vec<_>, Vec<_>) = wanted
        .map(|variable| variable.env.as_str())
        .partition(|name| is_set(name));
    let all = [&*set, &*missing].concat().join(", ");
    let hint = "Envoy will refuse the filter without it";
    match (key, &*missing) {
        (Credential::Google(key), []) if key.account.is_none() => format!("tokens from {}", key.url),
        (Credential::Google(key), []) => format!("tokens from {} with {all}", key.url),
        (Credential::Google(key), _) => format!(
            "tokens from {} with {all}, which is not set here; {hint}",
            key.url
        ),
        (Credential::Plain(_), []) => format!("key from {all}"),
        (Credential::Plain(_), _) => format!("key from {all}, which is not set here; {hint}"),
        (Credential::Aws(key), []) => format!("signed for {} with {all}", key.region),
        (Credential::Aws(key), missing) => {
            let missing = missing.join(", ");
            format!(
                "signed for {} with {all}; not set here: {missing}; {hint}",
                key.region
            )
        }
    }
}
