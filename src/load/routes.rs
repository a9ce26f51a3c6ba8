//! `routes`: the policies of routes, and which requests take them.

use super::limits::limits;
use super::middleware::stages;
use super::policy::{Served, policy};
use super::reader::Node;
use super::timeouts::timeouts;
use crate::config::{ClientKey, Limits, Match, Route, Timeouts};
use crate::error::quoted;
use crate::headers;
use crate::preference::{Places, PolicySource};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Keys, limits and deadlines of the whole configuration, which a route starts from.
pub(super) struct Usual<'a> {
    pub(super) keys: &'a [ClientKey],
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
}

/// Reads `routes`.
pub(super) fn routes(node: &Node<'_>, served: &Served<'_>, usual: &Usual<'_>) -> Vec<Route> {
    let Some(members) = node.members() else {
        return Vec::new();
    };
    let named = members.all();
    let mut routes: Vec<Route> = Vec::with_capacity(named.len());
    let mut matched = BTreeMap::<Match, String>::new();
    for (name, node) in named {
        if name.is_empty() || name == DEFAULT {
            node.problem(format!(
                "is the name of no route that may have a policy; {DEFAULT} is that of the others"
            ));
        }
        let Some(route) = route(name, &node, served, usual) else {
            continue;
        };
        if let Some(other) = matched.get(&route.matches) {
            node.problem(format!("matches the same requests as {}", quoted(other)));
        } else if !route.matches.is_empty() {
            matched.insert(route.matches.clone(), name.to_owned());
        }
        routes.push(route);
    }
    routes.sort_by(|a, b| a.name.cmp(&b.name));
    routes
}

/// The rendered route of all requests that no policy matches.
const DEFAULT: &str = "crosspoint";

fn route(name: &str, node: &Node<'_>, served: &Served<'_>, usual: &Usual<'_>) -> Option<Route> {
    let mut members = node.members()?;
    let name: Rc<str> = Rc::from(name);
    let matches = members.optional("match").and_then(|node| matching(&node));
    let policy = policy(&mut members, PolicySource::Route(Rc::clone(&name)), served);
    let middleware = members.optional("middleware").map(|node| stages(&node));
    let limits = limits(
        members.optional("limits").and_then(|node| node.members()),
        usual.limits,
    );
    let timeouts = timeouts(
        members.optional("timeouts").and_then(|node| node.members()),
        usual.timeouts,
    );
    let keys = members.optional("keys").map(|node| keys(&node, usual.keys));
    members.done();
    Some(Route {
        name,
        matches: matches.unwrap_or_default(),
        policy,
        middleware,
        limits,
        timeouts,
        keys,
    })
}

fn keys(node: &Node<'_>, keys: &[ClientKey]) -> Places {
    let nodes = node.list();
    if nodes.is_empty() && node.value.is_array() {
        node.problem("is empty, which would let nobody in; leave it out to let every key in");
    }
    let known: BTreeSet<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let mut named = BTreeSet::new();
    for node in &nodes {
        let Some(name) = node.string() else { continue };
        if !known.contains(name) {
            node.problem(format!("{} is the name of no key under keys", quoted(name)));
        }
        named.insert(name);
    }
    Places::of(keys, |key| named.contains(key.name.as_str()))
}

fn matching(node: &Node<'_>) -> Option<Match> {
    let mut members = node.members()?;
    let prefix = members
        .optional("prefix")
        .and_then(|node| checked(&node, is_prefix, "a path such as /team-a, without / at its end"));
    let host = members.optional("host").and_then(|node| {
        checked(
            &node,
            is_host,
            "a host name such as team-a.example.com, without port",
        )
    });
    let header = members.optional("header").and_then(|node| header(&node));
    members.done();
    let matches = Match {
        prefix,
        host: host.map(|host| host.to_ascii_lowercase()),
        header,
    };
    if node.value.as_object().is_some_and(serde_json::Map::is_empty) {
        node.problem("says nothing; it may say prefix, host and header");
    }
    Some(matches)
}

fn header(node: &Node<'_>) -> Option<(String, String)> {
    let mut members = node.members()?;
    let name = members
        .required("name")
        .and_then(|node| checked(&node, is_header, "the name of a header that is the caller's own"));
    let value = members
        .required("value")
        .and_then(|node| checked(&node, is_value, "text of visible ASCII"));
    members.done();
    Some((name?.to_ascii_lowercase(), value?))
}

fn checked(node: &Node<'_>, is_sound: fn(&str) -> bool, what: &str) -> Option<String> {
    let text = node.string()?;
    if !is_sound(text) {
        node.problem(format!("expected {what}, found {}", quoted(text)));
        return None;
    }
    Some(text.to_owned())
}

fn is_prefix(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let parts = text.strip_prefix('/').map(|text| text.split('/'));
    text.bytes().all(sound)
        && parts.is_some_and(|mut parts| parts.all(|part| !matches!(part, "" | "." | "..")))
}

fn is_host(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

/// Headers that begin so are Envoy's or the gateway's, and taken away before the route is looked up again.
fn is_header(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let taken = ["x-envoy-", headers::OWN_PREFIX];
    let taken = taken.iter().any(|prefix| text.starts_with(prefix));
    text.bytes().all(sound) && !taken && !["content-length", headers::GENERATION_ID].contains(&text.as_str())
}

fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text
}
