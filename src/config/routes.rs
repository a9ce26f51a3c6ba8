//! `preferences` and `routes`, and what a key may say of models, providers and preferences.

use super::parse::{limits, stages};
use super::reader::{Members, Node};
use super::timeouts::timeouts;
use super::{Alias, ClientKey, Limits, Match, Model, ModelRef, Provider, Route, Timeouts};
use crate::error::quoted;
use crate::headers;
use crate::preference::{MEMBERS, Places, Policy, PolicySource, fits, variant};
use crate::route;
use crate::route::names;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What policies may name.
pub(super) struct Served<'a> {
    pub(super) models: &'a [Model],
    pub(super) aliases: &'a [Alias],
    /// Whether there is a shortlist.
    pub(super) has_auto: bool,
    pub(super) providers: &'a [(Provider, bool)],
    /// What holds for all.
    pub(super) usual: Option<&'a Policy>,
}

/// What a route falls back to.
pub(super) struct Usual<'a> {
    pub(super) keys: &'a [ClientKey],
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
}

/// Reads `models`, `providers` and `preferences` of a route or a key.
pub(super) fn policy(
    members: &mut Members<'_>,
    source: PolicySource,
    served: &Served<'_>,
) -> Option<Rc<Policy>> {
    let names = || served.models.iter().map(|model| model.name.as_str());
    let models = members
        .optional("models")
        .and_then(|node| places(&node, names, "model"));
    let names = || served.providers.iter().map(|(provider, _)| provider.id.as_str());
    let providers = members
        .optional("providers")
        .and_then(|node| places(&node, names, "provider"));
    let preferred = preferences(members, source.clone(), served);
    if models.is_none() && providers.is_none() && preferred.is_none() {
        return None;
    }
    Some(Rc::new(Policy {
        models,
        providers,
        ..preferred.unwrap_or_else(|| Policy::empty(source))
    }))
}

/// Reads patterns: what fits one of them, and none of those that begin with `!`.
fn places<'n, I: Iterator<Item = &'n str>>(
    node: &Node<'_>,
    names: impl Fn() -> I,
    what: &str,
) -> Option<Places> {
    let nodes = node.list();
    if nodes.is_empty() {
        if node.value.is_array() {
            node.problem("is empty, which would allow nothing; leave it out to allow everything");
        }
        return None;
    }
    let (mut allowed, mut left_out) = (Vec::new(), Vec::new());
    for node in &nodes {
        let Some(text) = node.string() else { continue };
        let (list, pattern) = match text.strip_prefix('!') {
            Some(pattern) => (&mut left_out, pattern),
            None => (&mut allowed, text),
        };
        if !names().any(|name| fits(pattern, name)) {
            node.problem(format!("{} fits no {what} that is served here", quoted(pattern)));
        }
        list.push(pattern);
    }
    let any = |patterns: &[&str], name: &str| patterns.iter().any(|pattern| fits(pattern, name));
    let places = Places::of(names(), |name| {
        (allowed.is_empty() || any(&allowed, name)) && !any(&left_out, name)
    });
    // Where a pattern fits nothing, that was said.
    if places.count() == 0 && names().any(|name| any(&allowed, name) || any(&left_out, name)) {
        node.problem(format!("leaves no {what}"));
    }
    Some(places)
}

/// Reads `preferences`: the members of a request's `provider` object, and `models`, the fallbacks.
pub(super) fn preferences(
    members: &mut Members<'_>,
    source: PolicySource,
    served: &Served<'_>,
) -> Option<Policy> {
    let mut members = members.optional("preferences")?.members()?;
    let mut policy = Policy::empty(source);
    for name in MEMBERS {
        let Some(node) = members.optional(name) else {
            continue;
        };
        let read = serde_json::value::to_raw_value(node.value).ok();
        if let Some(Err(invalid)) = read.map(|raw| policy.preferences.set(name, &raw)) {
            let inside = invalid.path.strip_prefix(name).unwrap_or_default();
            Node {
                path: format!("{}{inside}", node.path),
                ..node
            }
            .problem(invalid.message);
        } else {
            check(name, &node, served);
        }
    }
    policy.fallbacks = members.optional("models").map(|node| fallbacks(&node, served));
    members.done();
    Some(policy)
}

/// Looks for what is understood and yet has no effect.
fn check(name: &str, node: &Node<'_>, served: &Served<'_>) {
    if matches!(name, "order" | "only" | "ignore") {
        for node in node.list() {
            let Some(named) = node.string() else { continue };
            let mut endpoints = served.models.iter().flat_map(|model| &model.endpoints);
            let means = |at: usize| served.providers.get(at).map(|(provider, _)| provider);
            let known = endpoints.any(|endpoint| {
                means(endpoint.provider).is_some_and(|provider| route::names(named, provider, endpoint))
            });
            let known = known
                || served
                    .providers
                    .iter()
                    .any(|(provider, _)| provider.id.eq_ignore_ascii_case(named));
            if !known {
                node.problem(format!("{} names no provider here", quoted(named)));
            }
        }
    }
    let Some(usual) = served.usual.map(|policy| &policy.preferences) else {
        return;
    };
    let loosens = match name {
        "data_collection" => !usual.allow_data_collection && node.value == "allow",
        "zdr" => usual.zdr && node.value == false,
        _ => false,
    };
    if loosens {
        node.problem(format!(
            "has no effect: preferences.{name} forbids it to all; say it there for those only whom it shall hold for"
        ));
    }
}

fn fallbacks(node: &Node<'_>, served: &Served<'_>) -> Vec<String> {
    let known = |name: &str| names::find(served.models, served.aliases, name);
    let mut fallbacks = Vec::new();
    for node in node.list() {
        let Some(name) = node.string() else { continue };
        match variant::split(name, known) {
            Ok((ModelRef::Auto, _)) if !served.has_auto => {
                node.problem(format!("{} needs a shortlist: write auto.models", quoted(name)));
            }
            Ok(_) => {}
            Err(unknown) => node.problem(match unknown.problem() {
                Some(problem) => format!("{}: {problem}", quoted(name)),
                None => format!("no model named {} is served here", quoted(name)),
            }),
        }
        fallbacks.push(name.to_owned());
    }
    fallbacks
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
