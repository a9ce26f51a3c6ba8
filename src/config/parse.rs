//! The members of a configuration, one function a section.

use super::billing::billing;
use super::keys;
use super::models::models;
use super::names::names;
use super::providers::providers;
use super::reader::{self, Members, Node, Problem, Problems};
use super::routes::{Served, Usual, preferences, routes};
use super::timeouts::timeouts;
use super::{
    Config, DEFAULT_MAX_REQUEST_BODY, DEFAULT_MAX_RESPONSE_BODY, DEFAULT_MEMORY, Environment, KeyIndex,
    Limits, Listen, Route, Routing, Timeouts,
};
use crate::middleware::{self, Middleware};
use crate::preference::PolicySource;
use serde_json::Value;
use std::rc::Rc;

pub(super) type Env<'e> = Option<Environment<'e>>;

/// The caps on sizes go up to this, in bytes: beyond it one request could take a worker's whole 32-bit memory.
const MAX_BODY: u64 = 256 << 20;
/// `limits.memory` has room below and above it in the 1 GiB that a VM has, in bytes.
const MEMORY: std::ops::RangeInclusive<u64> = (4 << 20)..=(768 << 20);

pub(super) fn config(value: &Value, env: Env<'_>) -> Result<Config, Vec<Problem>> {
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
        .map(|node| keys::keys(&node, identity_node.is_some(), &served))
        .unwrap_or_default();
    let identity = identity_node.and_then(|node| keys::identity(&node));
    if identity.is_none() && keys.iter().any(|key| key.name == keys::ANY) {
        members.problem(
            "identity",
            "is missing: the key * stands for callers that it names",
        );
    }
    let budgets = members
        .optional("budgets")
        .map(|node| keys::budgets(&node))
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
    let memory = self::memory(memory.as_ref(), limits, &routes);
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

pub(super) fn stages(node: &Node<'_>) -> Vec<Rc<dyn Middleware>> {
    node.list().iter().filter_map(stage).collect()
}

fn stage(node: &Node<'_>) -> Option<Rc<dyn Middleware>> {
    let mut members = node.members()?;
    let redact = members.optional("redact");
    members.done();
    let Some(redact) = redact else {
        node.problem("names no middleware; known: redact");
        return None;
    };
    let mut members = redact.members()?;
    let rules_node = members.required("rules");
    members.done();
    let rules_node = rules_node?;
    let nodes = rules_node.list();
    if nodes.is_empty() && rules_node.value.is_array() {
        rules_node.problem("name at least one rule");
    }
    let rules: Vec<_> = nodes.iter().filter_map(rule).collect();
    if rules.len() != nodes.len() {
        return None;
    }
    match middleware::redact::Redact::new(rules) {
        Ok(redact) => Some(Rc::new(redact)),
        Err(problems) => {
            for (index, message) in problems {
                if let Some(node) = nodes.get(index) {
                    node.problem(message);
                }
            }
            None
        }
    }
}

fn rule(node: &Node<'_>) -> Option<middleware::redact::Rule> {
    let mut members = node.members()?;
    let pattern = members.optional("pattern");
    let literal = members.optional("literal");
    let mask = members
        .optional("mask")
        .map_or(Some("[redacted]"), |node| node.string());
    members.done();
    let (text, is_literal) = match (&pattern, &literal) {
        (Some(node), None) => (node.string()?, false),
        (None, Some(node)) => (node.string()?, true),
        _ => {
            node.problem("needs either a pattern or a literal");
            return None;
        }
    };
    Some(middleware::redact::Rule {
        pattern: text.to_owned(),
        literal: is_literal,
        mask: mask?.to_owned(),
    })
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_body: usize::try_from(DEFAULT_MAX_REQUEST_BODY).unwrap_or(usize::MAX),
            response_body: usize::try_from(DEFAULT_MAX_RESPONSE_BODY).unwrap_or(usize::MAX),
        }
    }
}

/// The limits of a route.
pub(super) fn limits(members: Option<Members<'_>>, usual: Limits) -> Limits {
    let Some(mut members) = members else { return usual };
    let limits = sizes(Some(&mut members), usual);
    members.done();
    limits
}

fn sizes(members: Option<&mut Members<'_>>, mut limits: Limits) -> Limits {
    let Some(members) = members else { return limits };
    for (name, limit) in [
        ("request_body", &mut limits.request_body),
        ("response_body", &mut limits.response_body),
    ] {
        let Some(node) = members.optional(name) else {
            continue;
        };
        match size(&node).filter(|size| (1_024..=MAX_BODY).contains(&(*size as u64))) {
            Some(size) => *limit = size,
            None => node.problem("expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB"),
        }
    }
    limits
}

/// A number of bytes, or a size such as `32MiB`.
fn size(node: &Node<'_>) -> Option<usize> {
    let size = match node.value.as_str() {
        Some(text) => reader::bytes(text),
        None => node.as_whole(),
    };
    usize::try_from(size?).ok()
}

/// `limits.memory`: two of the largest bodies have room in it, or none could be read beside anything else.
fn memory(node: Option<&Node<'_>>, limits: Limits, routes: &[Route]) -> usize {
    let usual = usize::try_from(DEFAULT_MEMORY).unwrap_or(usize::MAX);
    let Some(node) = node else { return usual };
    let Some(memory) = size(node).filter(|size| MEMORY.contains(&(*size as u64))) else {
        node.problem("expected a size from 4MiB to 768MiB, such as 512MiB");
        return usual;
    };
    let all = routes.iter().map(|route| route.limits).chain([limits]);
    let largest = all
        .map(|limits| limits.request_body.max(limits.response_body))
        .max();
    let least = largest.unwrap_or_default().saturating_mul(2);
    if memory < least {
        node.problem(format!(
            "must be at least {least} bytes, twice the largest request_body and response_body; raise it, or lower them"
        ));
    }
    memory
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
