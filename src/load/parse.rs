//! The members of a configuration, one function a section.

use super::billing::billing;
use super::client_keys;
use super::limits::{self, sizes};
use super::middleware::stages;
use super::models::models;
use super::names::names;
use super::policy::{Served, preferences};
use super::providers::providers;
use super::reader::{Members, Node, Problem, Problems};
use super::routes::{Usual, routes};
use super::timeouts::timeouts;
use super::{Env, Environment};
use crate::config::{ANY, Config, KeyIndex, Limits, Listen, Routing, Timeouts};
use crate::preference::PolicySource;
use serde_json::Value;
use std::rc::Rc;

/// Reads a configuration. `env` gives the value of an environment variable; without it, keys are not looked up.
///
/// # Errors
/// Every problem, each with its path.
pub fn config(value: &Value, env: Option<Environment<'_>>) -> Result<Config, Vec<Problem>> {
    let problems = Problems::default();
    let config = read(
        &Node {
            path: String::new(),
            value,
            problems: &problems,
        },
        env,
    );
    let problems = problems.into_inner();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn read(root: &Node<'_>, env: Env<'_>) -> Option<Config> {
    let mut members = root.members()?;
    let name = members
        .optional("name")
        .and_then(|node| node.string())
        .unwrap_or("default")
        .to_owned();
    let providers = members
        .required("providers")
        .map(|node| providers(&node, env))
        .unwrap_or_default();
    let models = models(&mut members, &providers);
    let (aliases, auto) = names(&mut members, &models);
    let served = Served {
        models: &models,
        aliases: &aliases,
        has_auto: !auto.is_empty(),
        providers: &providers,
        usual: None,
    };
    let preferences = preferences(&mut members, PolicySource::Config, &served).map(Rc::new);
    let served = Served {
        usual: preferences.as_deref(),
        ..served
    };
    let keys_node = members.optional("keys");
    let identity_node = members.optional("identity");
    let keys = keys_node
        .map(|node| client_keys::client_keys(&node, identity_node.is_some(), &served))
        .unwrap_or_default();
    let identity = identity_node.and_then(|node| client_keys::identity(&node));
    if identity.is_none() && keys.iter().any(|key| key.name == ANY) {
        members.problem(
            "identity",
            "is missing: the key * stands for callers that it names",
        );
    }
    let budgets = members
        .optional("budgets")
        .map(|node| client_keys::budgets(&node))
        .unwrap_or_default();
    let middleware = members
        .optional("middleware")
        .map(|node| stages(&node))
        .unwrap_or_default();
    let mut limits_members = members.optional("limits").and_then(|node| node.members());
    let limits = sizes(limits_members.as_mut(), Limits::default());
    let memory = limits_members
        .as_mut()
        .and_then(|members| members.optional("memory"));
    if let Some(members) = limits_members {
        members.done();
    }
    let timeouts = timeouts(
        members.optional("timeouts").and_then(|node| node.members()),
        Timeouts::default(),
    );
    let usual = Usual {
        keys: &keys,
        limits,
        timeouts,
    };
    let routes = members
        .optional("routes")
        .map(|node| routes(&node, &served, &usual))
        .unwrap_or_default();
    let memory = limits::memory(memory.as_ref(), limits, &routes);
    let routing = routing(members.optional("routing").and_then(|node| node.members()));
    let billing = billing(members.optional("billing").and_then(|node| node.members()));
    let page = members.optional("page").and_then(|node| node.boolean());
    let listen = listen(
        members.optional("listen").and_then(|node| node.members()),
        "0.0.0.0",
        10_000,
    );
    let admin = listen_admin(&mut members);
    members.done();
    Some(Config {
        name,
        providers: providers.into_iter().map(|(provider, _)| provider).collect(),
        models,
        aliases,
        auto,
        key_index: KeyIndex::of(&keys),
        keys,
        identity,
        budgets,
        preferences,
        routes,
        middleware,
        limits,
        memory,
        timeouts,
        routing,
        billing,
        page: page.unwrap_or(false),
        listen,
        admin,
    })
}

fn listen_admin(members: &mut Members<'_>) -> Listen {
    listen(
        members.optional("admin").and_then(|node| node.members()),
        "127.0.0.1",
        9_901,
    )
}

fn routing(members: Option<Members<'_>>) -> Routing {
    let mut routing = Routing {
        max_attempts: 4,
        prefer_local_region: false,
        local_regions: Vec::new(),
    };
    let Some(mut members) = members else {
        return routing;
    };
    if let Some(node) = members.optional("max_attempts") {
        match node
            .as_whole()
            .filter(|count| (1..=20).contains(count))
            .map(usize::try_from)
        {
            Some(Ok(count)) => routing.max_attempts = count,
            _ => node.problem("expected a whole number from 1 to 20"),
        }
    }
    let local = members.optional("prefer_local_region");
    routing.prefer_local_region = local.and_then(|node| node.boolean()).unwrap_or(false);
    members.done();
    routing
}

fn listen(members: Option<Members<'_>>, address: &str, port: u16) -> Listen {
    let mut listen = Listen {
        address: address.to_owned(),
        port,
    };
    let Some(mut members) = members else { return listen };
    if let Some(node) = members.optional("address") {
        match node
            .value
            .as_str()
            .filter(|text| text.parse::<std::net::IpAddr>().is_ok())
        {
            Some(text) => text.clone_into(&mut listen.address),
            None => node.problem("expected an IP address"),
        }
    }
    if let Some(node) = members.optional("port") {
        match node.as_whole().map(u16::try_from) {
            Some(Ok(port)) if port != 0 => listen.port = port,
            _ => node.problem("expected a port from 1 to 65535"),
        }
    }
    members.done();
    listen
}
