//! Policies: the `preferences` of the whole configuration, and what a route or a key may say of models, providers and
//! preferences.

use super::reader::{Members, Node};
use crate::config::{Alias, Model, ModelRef, Provider};
use crate::error::quoted;
use crate::preference::{MEMBERS, Places, Policy, PolicySource, fits, variant};
use crate::route::{self, names};
use std::rc::Rc;

/// Models, aliases and providers that policies may name.
pub(super) struct Served<'a> {
    pub(super) models: &'a [Model],
    pub(super) aliases: &'a [Alias],
    /// True where there is a shortlist.
    pub(super) has_auto: bool,
    pub(super) providers: &'a [(Provider, bool)],
    /// The policy of the whole configuration.
    pub(super) usual: Option<&'a Policy>,
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
