//! What the names of a request mean: models that are served, in the order in which they are to be tried.
//!
//! | name | means |
//! |---|---|
//! | `author/slug` | the model |
//! | an alias | what the configuration says: a model, or several in order |
//! | `~author/family-latest` | the [newest](super::latest) model of the family |
//! | `crosspoint/auto` | the [shortlist](super::auto), the best first |
//! | any of these and `:variant` | the same, as its [`Variant`] says |

use super::auto::{self, Rated};
use super::latest;
use super::resolved::{ResolvedModel, Strategy};
use super::{HealthViews, RouteContext, RouteInput};
use crate::config::{Alias, AliasTarget, Config, Model, ModelRef};
use crate::error::{Error, Kind, quoted};
use crate::preference::auto::NAMES;
use crate::preference::variant::{self, Unknown, Variant};
use std::collections::BTreeSet;

/// What the names of a request mean.
#[derive(Debug, Default)]
pub struct Resolved<'c> {
    /// The models, each once, in order.
    pub models: Vec<ResolvedModel<'c>>,
    /// The shortlist as it was judged, where a name is [automatic](super::auto).
    pub rated: Vec<Rated>,
    /// The places of the models, once there are [`MANY`].
    places: BTreeSet<usize>,
}

/// From so many models on they are looked up by place; fewer are looked through faster.
const MANY: usize = 32;

impl<'c> Resolved<'c> {
    /// Adds a model behind those that are there, unless it is one of them.
    fn add(&mut self, config: &'c Config, at: usize, variant: Variant, strategy: Strategy) {
        let known = if self.models.len() < MANY {
            self.models.iter().any(|known| known.at == at)
        } else {
            self.places.contains(&at)
        };
        let Some(model) = config.models.get(at).filter(|_| !known) else {
            return;
        };
        let strategy = if self.models.is_empty() {
            strategy
        } else {
            Strategy::Fallback
        };
        self.models.push(ResolvedModel {
            at,
            model,
            variant,
            strategy,
        });
        match self.models.len() {
            ..MANY => {}
            MANY => self.places = self.models.iter().map(|known| known.at).collect(),
            _ => {
                self.places.insert(at);
            }
        }
    }
}

/// What a name without variants means. Both lists are sorted by name.
pub fn find(models: &[Model], aliases: &[Alias], name: &str) -> Option<ModelRef> {
    if let Some(at) = model(models, name) {
        return Some(ModelRef::Model(at));
    }
    if let Ok(at) = aliases.binary_search_by(|alias| alias.name.as_str().cmp(name)) {
        return Some(ModelRef::Alias(at));
    }
    if NAMES.contains(&name) {
        return Some(ModelRef::Auto);
    }
    latest::newest(models, name).map(ModelRef::Latest)
}

/// The place of a model in a list that is sorted by name.
pub fn model(models: &[Model], name: &str) -> Option<usize> {
    let by_name = |model: &Model| model.name.as_str().cmp(name);
    models.binary_search_by(by_name).ok()
}

/// What the names of a request mean. One that names a single model falls back on those that its policies name.
///
/// A name that means nothing is passed over where another one means something.
///
/// # Errors
/// When no name means anything: what is wrong with each.
pub fn resolve<'c>(
    config: &'c Config,
    input: &RouteInput<'_>,
    views: HealthViews<'_>,
    context: RouteContext,
) -> Result<Resolved<'c>, Error> {
    let mut reading = Reading {
        config,
        input,
        context,
        resolved: Resolved::default(),
        unserved: Vec::new(),
        problems: Vec::new(),
    };
    for name in input.models {
        reading.add(name, views)?;
    }
    if reading.resolved.models.is_empty() {
        return Err(reading.nothing());
    }
    if let [_] = input.models {
        for name in input.fallbacks() {
            reading.add(name, views)?;
        }
    }
    Ok(reading.resolved)
}

/// The names of a request while they are looked up.
struct Reading<'a, 'c> {
    config: &'c Config,
    input: &'a RouteInput<'a>,
    context: RouteContext,
    resolved: Resolved<'c>,
    /// The names that mean nothing.
    unserved: Vec<String>,
    /// What else is wrong with names.
    problems: Vec<String>,
}

impl Reading<'_, '_> {
    /// Adds what one name means.
    fn add(&mut self, name: &str, views: HealthViews<'_>) -> Result<(), Error> {
        let config = self.config;
        let known = |name: &str| find(&config.models, &config.aliases, name);
        let (base, variant) = match variant::split(name, known) {
            Ok(found) => found,
            Err(Unknown::Name) => {
                self.unserved.push(quoted(name));
                return Ok(());
            }
            Err(unknown) => {
                let problem = unknown.problem().unwrap_or_default();
                self.problems.push(format!("{}: {problem}", quoted(name)));
                return Ok(());
            }
        };
        let passed_over = !self.unserved.is_empty() || !self.problems.is_empty();
        let strategy = match base {
            _ if passed_over => Strategy::Fallback,
            ModelRef::Model(_) if variant.is_none() => Strategy::Direct,
            ModelRef::Model(_) => Strategy::Variant,
            ModelRef::Alias(_) => Strategy::Alias,
            ModelRef::Latest(_) => Strategy::Latest,
            ModelRef::Auto => Strategy::Auto,
        };
        let targets: Vec<(ModelRef, Variant)> = match base {
            ModelRef::Alias(at) => {
                let targets = config.aliases.get(at).map_or(&[][..], |alias| &alias.targets);
                let both = |target: &AliasTarget| (target.model, target.variant.with(variant));
                targets.iter().map(both).collect()
            }
            ModelRef::Model(_) | ModelRef::Latest(_) | ModelRef::Auto => vec![(base, variant)],
        };
        for (base, variant) in targets {
            match base {
                ModelRef::Model(at) | ModelRef::Latest(at) => {
                    self.resolved.add(config, at, variant, strategy)
                }
                // Once is enough: it comes to the same.
                ModelRef::Auto if !self.resolved.rated.is_empty() => {}
                ModelRef::Auto => match auto::rate(config, self.input, variant, views, self.context) {
                    Ok(rated) => {
                        for rated in rated.iter().filter(|rated| rated.verdict.may_serve()) {
                            self.resolved.add(config, rated.model, variant, strategy);
                        }
                        self.resolved.rated = rated;
                    }
                    Err(error) if error.kind == Kind::NotFound => self.problems.push(error.message),
                    Err(error) => return Err(error),
                },
                // What an alias means was found out when the configuration was read.
                ModelRef::Alias(_) => {}
            }
        }
        Ok(())
    }

    /// The error where no name means anything.
    fn nothing(mut self) -> Error {
        if !self.unserved.is_empty() {
            let names = self.unserved.join(" or ");
            self.problems.insert(
                0,
                format!("no model named {names} is served here; GET /v1/models lists those that are"),
            );
        }
        Error::new(Kind::NotFound, self.problems.join("; "))
    }
}
