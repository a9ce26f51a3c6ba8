//! Other names of models: `aliases`, and the shortlist of `auto`.

use super::reader::{Members, Node};
use crate::config::{Alias, AliasTarget, Model, ModelRef, Shortlisted};
use crate::error::quoted;
use crate::preference::auto;
use crate::preference::variant::{self, Unknown};
use crate::route;
use std::collections::BTreeSet;

/// Reads `aliases`; `models` are sorted by name, and so is what comes out.
pub(super) fn aliases(node: &Node<'_>, models: &[Model], has_auto: bool) -> Vec<Alias> {
    let Some(members) = node.members() else {
        return Vec::new();
    };
    let mut written: Vec<RawAlias<'_>> = members
        .all()
        .into_iter()
        .map(|(name, node)| RawAlias::read(name, node, models))
        .collect();
    written.sort_by_key(|written| written.name);
    let mut reading = Reading {
        models,
        has_auto,
        names: written.iter().map(|written| bare(written.name)).collect(),
        done: vec![None; written.len()],
        under_way: Vec::new(),
        written,
    };
    for at in 0..reading.written.len() {
        reading.resolve(at);
    }
    let Reading { written, done, .. } = reading;
    let named = written.iter().zip(done);
    named
        .map(|(written, targets)| Alias {
            name: written.name.to_owned(),
            targets: targets.unwrap_or_default(),
        })
        .collect()
}

fn bare(name: &str) -> Alias {
    Alias {
        name: name.to_owned(),
        targets: Vec::new(),
    }
}

/// An alias as it is written.
struct RawAlias<'a> {
    name: &'a str,
    /// The names that it stands for, each with its place.
    targets: Vec<(&'a str, Node<'a>)>,
}

impl<'a> RawAlias<'a> {
    fn read(name: &'a str, node: Node<'a>, models: &[Model]) -> Self {
        if route::names::model(models, name).is_some() {
            node.problem("is the name of a model, which an alias may not stand before");
        } else if auto::NAMES.contains(&name) {
            node.problem("is the name of the automatic choice; write auto.models for that");
        } else if name.is_empty() || name.starts_with('~') {
            node.problem("a name is wanted that is not empty and does not begin with ~");
        }
        if node.value.as_array().is_some_and(Vec::is_empty) {
            node.problem("name at least one model");
        }
        let nodes = match node.value.is_array() {
            true => node.list(),
            false => vec![node],
        };
        let target = |node: Node<'a>| Some((node.string()?, node));
        Self {
            name,
            targets: nodes.into_iter().filter_map(target).collect(),
        }
    }
}

/// Finds out what aliases mean, each once.
struct Reading<'a> {
    models: &'a [Model],
    has_auto: bool,
    written: Vec<RawAlias<'a>>,
    /// The same names, to be looked up.
    names: Vec<Alias>,
    done: Vec<Option<Vec<AliasTarget>>>,
    /// The aliases through which the one that is being resolved was reached.
    under_way: Vec<usize>,
}

impl Reading<'_> {
    fn resolve(&mut self, at: usize) -> Vec<AliasTarget> {
        if let Some(known) = self.done.get(at).and_then(Option::as_ref) {
            return known.clone();
        }
        let Some(RawAlias { targets, .. }) = self.written.get(at) else {
            return Vec::new();
        };
        let targets = targets.clone();
        self.under_way.push(at);
        let mut out: Vec<AliasTarget> = Vec::new();
        let mut seen = BTreeSet::new();
        for (name, node) in targets {
            let found = self.target(name, &node).into_iter();
            out.extend(found.filter(|target| seen.insert(target.model)));
        }
        self.under_way.pop();
        if let Some(done) = self.done.get_mut(at) {
            *done = Some(out.clone());
        }
        out
    }

    fn target(&mut self, name: &str, node: &Node<'_>) -> Vec<AliasTarget> {
        let known = |name: &str| route::names::find(self.models, &self.names, name);
        let (model, variant) = match variant::split(name, known) {
            Ok(found) => found,
            Err(Unknown::Name) => {
                node.problem(format!("{} is no model here, and no alias", quoted(name)));
                return Vec::new();
            }
            Err(unknown) => {
                let problem = unknown.problem().unwrap_or_default();
                node.problem(format!("{}: {problem}", quoted(name)));
                return Vec::new();
            }
        };
        match model {
            ModelRef::Alias(at) if self.under_way.contains(&at) => {
                let through = self.under_way.iter().skip_while(|known| **known != at);
                let path: Vec<_> = through
                    .chain([&at])
                    .filter_map(|at| self.written.get(*at).map(|written| written.name))
                    .collect();
                node.problem(format!("leads back to itself: {}", path.join(" → ")));
                Vec::new()
            }
            ModelRef::Alias(at) => {
                let targets = self.resolve(at);
                let both = |target: AliasTarget| AliasTarget {
                    variant: target.variant.with(variant),
                    ..target
                };
                targets.into_iter().map(both).collect()
            }
            ModelRef::Auto if !self.has_auto => {
                node.problem(format!("{} needs a shortlist: write auto.models", quoted(name)));
                Vec::new()
            }
            ModelRef::Model(_) | ModelRef::Latest(_) | ModelRef::Auto => vec![AliasTarget { model, variant }],
        }
    }
}

/// Reads `auto`.
pub(super) fn auto(node: &Node<'_>, models: &[Model]) -> Vec<Shortlisted> {
    let Some(mut members) = node.members() else {
        return Vec::new();
    };
    let list = members.required("models");
    members.done();
    let Some((list, listed)) = list.and_then(|node| Some((node.members()?.all(), node))) else {
        return Vec::new();
    };
    if list.is_empty() {
        listed.problem("name at least one model");
    }
    let read = |(name, node): (&str, Node<'_>)| {
        let model = route::names::model(models, name);
        if model.is_none() {
            node.problem("is no model here");
        }
        shortlisted(model, &node)
    };
    list.into_iter().filter_map(read).collect()
}

fn shortlisted(model: Option<usize>, node: &Node<'_>) -> Option<Shortlisted> {
    let mut members = node.members()?;
    let general = members.required("score").and_then(|node| score(&node));
    let others = members.all().into_iter().filter(|(name, _)| *name != "score");
    let skills = others.filter_map(|(name, node)| Some((name.to_owned(), score(&node)?)));
    let skills = skills.collect();
    Some(Shortlisted {
        model: model?,
        score: general?,
        skills,
    })
}

/// A score, in thousandths.
fn score(node: &Node<'_>) -> Option<u32> {
    let score = node.value.as_f64().filter(|score| (0.0..=1.0).contains(score));
    if score.is_none() {
        node.problem("expected a number from 0 to 1");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is from 0 to 1000"
    )]
    score.map(|score| (score * 1_000.0).round() as u32)
}

/// Reads both; `auto` comes first, as an alias may mean it.
pub(super) fn names(members: &mut Members<'_>, models: &[Model]) -> (Vec<Alias>, Vec<Shortlisted>) {
    let aliases_node = members.optional("aliases");
    let auto_node = members.optional("auto");
    let has_auto = auto_node.is_some();
    let auto = auto_node.map(|node| auto(&node, models)).unwrap_or_default();
    let aliases = aliases_node
        .map(|node| aliases(&node, models, has_auto))
        .unwrap_or_default();
    (aliases, auto)
}
