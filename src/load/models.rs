//! The models of a configuration: those that it names, each completed from the catalogue where it says no more than a
//! provider, and beside them those of the catalogue that its providers offer.

use super::price::price;
use super::providers::{at_least_one, endpoint_dialect, policy};
use super::reader::{Members, Node};
use super::timeouts::{first_token, stream_upstream};
use crate::config::{Endpoint, Model, Provider};
use crate::error::quoted;
use crate::hash;
use crate::preference::fits;
use crate::provider::catalogue::{self, Listed, Offer};
use crate::provider::{Facts, MODALITIES, Modalities, PARAMETERS, Parameters, QUANTIZATIONS, ROWS, Row};
use serde_json::Value;
use std::collections::BTreeMap;

/// The configured providers; `false` beside one that has problems of its own.
type Providers = [(Provider, bool)];

/// The catalogue, as far as the configured providers go.
struct Catalogue<'p> {
    configured: &'p Providers,
    /// All of it, by id.
    models: Vec<Listed>,
    /// The place of the configured provider of each row of [`ROWS`], if it is configured.
    providers: Vec<Option<usize>>,
    /// Every configured provider, by id.
    by_id: BTreeMap<&'p str, usize>,
}

/// Reads `models` and `catalogue`.
pub(super) fn models(members: &mut Members<'_>, providers: &Providers) -> Vec<Model> {
    let named = members.optional("models");
    let switch = members.optional("catalogue");
    let by_id: BTreeMap<&str, usize> = (0..)
        .zip(providers)
        .map(|(at, (own, _))| (own.id.as_str(), at))
        .collect();
    let catalogue = Catalogue {
        configured: providers,
        models: catalogue::all(),
        providers: ROWS.iter().map(|row: &Row| by_id.get(row.id).copied()).collect(),
        by_id,
    };
    let mut models = named
        .as_ref()
        .map(|node| named_models(node, &catalogue))
        .unwrap_or_default();
    let chosen = match &switch {
        Some(node) => chosen(node, &catalogue),
        None if named.is_none() => catalogue.offered(|_| true),
        None => Vec::new(),
    };
    let nothing_chosen = chosen.is_empty();
    // Of two of one name the one that the configuration names comes first, and stays.
    models.extend(chosen);
    models.sort_by(|a, b| a.name.cmp(&b.name));
    models.dedup_by(|of_catalogue, own| of_catalogue.name == own.name);
    let is_empty = |node: &Node<'_>| node.value.as_object().is_some_and(serde_json::Map::is_empty);
    match (&named, &switch) {
        (Some(node), _) if is_empty(node) && nothing_chosen => node.problem("name at least one model"),
        (None, Some(node)) if node.value.as_bool() == Some(false) => {
            members.problem("models", "is missing, and the catalogue is switched off");
        }
        (None, Some(node)) if node.value.as_array().is_some_and(Vec::is_empty) => {
            node.problem("names nothing, and there are no models beside it");
        }
        // What the providers' own problems bring about is not told again, and patterns have their own.
        (
            None,
            None
            | Some(Node {
                value: Value::Bool(_),
                ..
            }),
        ) if nothing_chosen && !providers.is_empty() && providers.iter().all(|(_, sound)| *sound) => {
            members.problem(
                "models",
                "is missing, and the catalogue has no model of these providers",
            );
        }
        _ => {}
    }
    models
}

/// Reads `catalogue`: `true`, `false`, or patterns.
fn chosen(node: &Node<'_>, catalogue: &Catalogue<'_>) -> Vec<Model> {
    match node.value {
        Value::Bool(all) => catalogue.offered(|_| *all),
        Value::Array(_) => {
            let nodes = node.list();
            let patterns: Vec<_> = nodes.iter().filter_map(Node::string).collect();
            let models = catalogue.offered(|id| patterns.iter().any(|pattern| fits(pattern, id)));
            for node in &nodes {
                let pattern = node.value.as_str().filter(|pattern| !pattern.is_empty());
                if let Some(pattern) = pattern
                    && !models.iter().any(|model| fits(pattern, &model.name))
                {
                    node.problem(format!(
                        "{} fits no model of the catalogue that a provider here offers",
                        quoted(pattern)
                    ));
                }
            }
            models
        }
        _ => {
            node.problem("expected true, false, or a list of patterns such as anthropic/*");
            Vec::new()
        }
    }
}

impl Catalogue<'_> {
    fn find(&self, id: &str) -> Option<&Listed> {
        let at = self.models.binary_search_by(|model| model.id.cmp(id)).ok()?;
        self.models.get(at)
    }

    /// The models that are wanted and that a configured provider offers.
    fn offered(&self, wanted: impl Fn(&str) -> bool) -> Vec<Model> {
        let wanted = self.models.iter().filter(|model| wanted(model.id));
        wanted
            .map(|model| self.model(model))
            .filter(|model| !model.endpoints.is_empty())
            .collect()
    }

    /// A model with what the configured providers offer of it.
    fn model(&self, listed: &Listed) -> Model {
        let endpoint = |offer: Offer| {
            let row = ROWS.binary_search_by(|row| row.id.cmp(offer.provider)).ok()?;
            let provider = self.providers.get(row).copied().flatten()?;
            let (configured, _) = self.configured.get(provider)?;
            let (dialect, quirks) = endpoint_dialect(configured, offer.upstream, None)?;
            let (facts, price) = offer.terms()?;
            Some(Endpoint {
                provider,
                model: offer.upstream.to_owned(),
                dialect,
                quirks,
                price: Some(price),
                facts,
                policy: configured.policy.clone(),
                first_token_ms: configured.first_token_ms,
                stream_upstream: configured.stream_upstream,
                // Both names are the catalogue's, which is built in.
                health_key: hash::stable(&[offer.provider, offer.upstream]),
            })
        };
        Model {
            name: listed.id.to_owned(),
            title: listed.title.to_owned(),
            endpoints: listed.offers().filter_map(endpoint).collect(),
        }
    }

    /// The ids that are most like a name, for a message.
    fn nearest(&self, name: &str) -> String {
        let slug = |id: &str| {
            id.split_once('/')
                .map_or_else(|| id.to_owned(), |(_, slug)| slug.to_owned())
        };
        let own_slug = slug(name);
        let most = name.len() / 8 + 1;
        let models = self.models.iter().map(|model| {
            // The right slug of a wrong author is near, too.
            let by_slug = distance(&own_slug, &slug(model.id)) + 1;
            (distance(name, model.id).min(by_slug), model.id)
        });
        let near: Vec<_> = models.filter(|(distance, _)| *distance <= most).collect();
        let least = near.iter().map(|(distance, _)| *distance).min();
        let nearest = near.iter().filter(|(distance, _)| Some(*distance) == least);
        let near: Vec<_> = nearest.take(3).map(|(_, id)| *id).collect();
        match &*near {
            [] => String::new(),
            near => format!("; like it: {}", near.join(", ")),
        }
    }
}

/// The number of bytes to change, add or leave out to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, x) in a.bytes().enumerate() {
        let (mut diagonal, mut left) = (at, at + 1);
        for (y, above) in b.bytes().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(x != y);
            diagonal = *above;
            left = changed.min(*above + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn named_models(node: &Node<'_>, catalogue: &Catalogue<'_>) -> Vec<Model> {
    let Some(members) = node.members() else {
        return Vec::new();
    };
    let read = |(name, node): (&str, Node<'_>)| named_model(name, &node, catalogue);
    members.all().into_iter().filter_map(read).collect()
}

fn named_model(name: &str, node: &Node<'_>, catalogue: &Catalogue<'_>) -> Option<Model> {
    let mut members = node.members()?;
    let endpoints_node = members.optional("endpoints");
    members.done();
    let listed = catalogue.find(name);
    let Some(endpoints_node) = endpoints_node else {
        return from_catalogue(name, node, catalogue, listed);
    };
    let nodes = endpoints_node.list();
    if nodes.is_empty() && endpoints_node.value.is_array() {
        endpoints_node.problem("name at least one endpoint");
    }
    let endpoints = nodes
        .iter()
        .filter_map(|node| endpoint(name, node, catalogue, listed))
        .collect();
    Some(Model {
        name: name.to_owned(),
        title: listed.map_or(name, |listed| listed.title).to_owned(),
        endpoints,
    })
}

/// A model that the configuration only names.
fn from_catalogue(
    name: &str,
    node: &Node<'_>,
    catalogue: &Catalogue<'_>,
    listed: Option<&Listed>,
) -> Option<Model> {
    let Some(listed) = listed else {
        node.problem(format!(
            "is not in the catalogue, so it needs endpoints{}",
            catalogue.nearest(name)
        ));
        return None;
    };
    let model = catalogue.model(listed);
    if model.endpoints.is_empty() {
        let who: Vec<_> = listed.offers().map(|offer| offer.provider).collect();
        node.problem(format!(
            "is offered by no provider here; the catalogue knows of {}",
            who.join(", ")
        ));
    }
    Some(model)
}

fn endpoint(
    model: &str,
    node: &Node<'_>,
    catalogue: &Catalogue<'_>,
    listed: Option<&Listed>,
) -> Option<Endpoint> {
    let mut members = node.members()?;
    let provider_node = members.required("provider");
    let provider_id = provider_node.as_ref().and_then(Node::string);
    let upstream_node = members.optional("model");
    let upstream = upstream_node.as_ref().map(|node| node.string());
    // What the catalogue knows of it stands where the configuration says nothing.
    let offer = listed.and_then(|listed| {
        let mut offers = listed.offers();
        offers.find(|offer| {
            Some(offer.provider) == provider_id
                && upstream.is_none_or(|upstream| upstream == Some(offer.upstream))
        })
    });
    let (facts, usual) = match offer.and_then(|offer| offer.terms()) {
        Some((facts, price)) => (facts, Some(price)),
        None => (Facts::default(), None),
    };
    let dialect_node = members.optional("dialect");
    let price = match members.optional("price") {
        Some(node) => price(&node, usual.as_ref()),
        None => usual,
    };
    let facts = read_facts(&mut members, facts);
    let policy = policy(&mut members);
    let first_token_ms = first_token(&mut members);
    let stream_upstream = stream_upstream(&mut members);
    members.done();
    let upstream = match upstream {
        Some(upstream) => upstream?,
        None => offer.map_or(model, |offer| offer.upstream),
    };
    let (provider_node, provider_id) = (provider_node?, provider_id?);
    let Some(provider) = catalogue.by_id.get(provider_id).copied() else {
        let known = catalogue.configured.iter();
        let known: Vec<_> = known.map(|(provider, _)| provider.id.as_str()).collect();
        provider_node.problem(format!(
            "{} is not under providers ({})",
            quoted(provider_id),
            known.join(", ")
        ));
        return None;
    };
    let (configured, _) = catalogue.configured.get(provider)?;
    let (dialect, quirks) = endpoint_dialect(configured, upstream, dialect_node.as_ref())?;
    Some(Endpoint {
        provider,
        model: upstream.to_owned(),
        dialect,
        quirks,
        price,
        facts,
        policy: policy.or(&configured.policy),
        first_token_ms: first_token_ms.or(configured.first_token_ms),
        stream_upstream: stream_upstream.unwrap_or(configured.stream_upstream),
        // The operator writes both names; no caller adds an endpoint.
        health_key: hash::stable(&[provider_id, upstream]),
    })
}

fn read_facts(members: &mut Members<'_>, mut facts: Facts) -> Facts {
    for (name, fact) in [
        ("context_length", &mut facts.context_length),
        ("max_completion_tokens", &mut facts.max_completion_tokens),
    ] {
        if let Some(node) = members.optional(name) {
            *fact = at_least_one(&node);
        }
    }
    for (name, fact) in [
        ("input_modalities", &mut facts.input_modalities),
        ("output_modalities", &mut facts.output_modalities),
    ] {
        if let Some(node) = members.optional(name) {
            *fact = Modalities::default();
            names(&node, MODALITIES, |name| fact.add(name));
        }
    }
    if let Some(node) = members.optional("supported_parameters") {
        facts.parameters = Parameters::none();
        names(&node, PARAMETERS, |name| facts.parameters.add(name));
    }
    if let Some(node) = members.optional("quantization")
        && let Some(name) = node.string()
    {
        facts.quantization = QUANTIZATIONS.iter().find(|known| **known == name).copied();
        if facts.quantization.is_none() {
            let known = QUANTIZATIONS.join(", ");
            node.problem(format!("{} is unknown; known: {known}", quoted(name)));
        }
    }
    facts
}

/// Reads a list of names; `add` says whether it knows one.
fn names(node: &Node<'_>, table: &[(&str, char)], mut add: impl FnMut(&str) -> bool) {
    for node in node.list() {
        if let Some(name) = node.string()
            && !add(name)
        {
            let known: Vec<_> = table.iter().map(|(name, _)| *name).collect();
            node.problem(format!(
                "{} is unknown; known: {}",
                quoted(name),
                known.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_distance_is_the_least_number_of_changes() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("a/b-1", "a/b.1", 1),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
