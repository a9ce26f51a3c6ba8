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
use super::{Asked, Moment, Views};
use crate::config::{Alias, Config, Meant, Model};
use crate::error::{Error, Kind, quoted};
use crate::preference::auto::NAMES;
use crate::preference::variant::{self, Unknown, Variant};
use std::collections::BTreeSet;

/// How the name of a request came to mean a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// It is the model's own.
    #[default]
    Direct,
    /// It is the model's own, with a variant.
    Variant,
    /// It is an alias of the configuration.
    Alias,
    /// It is the newest of its family.
    Latest,
    /// It was picked from the shortlist.
    Auto,
    /// Others come first: of `models`, of an alias, or of the shortlist.
    Fallback,
}

impl Strategy {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Variant => "variant",
            Self::Alias => "alias",
            Self::Latest => "latest",
            Self::Auto => "auto",
            Self::Fallback => "fallback",
        }
    }
}

/// A model as a caller names it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'c> {
    /// Which of the configuration's models.
    pub at: usize,
    /// The model.
    pub model: &'c Model,
    /// What its variants ask for.
    pub variant: Variant,
    /// How it was found.
    pub strategy: Strategy,
}

/// What the names of a request mean.
#[derive(Debug, Default)]
pub struct Resolved<'c> {
    /// The models, each once, in order.
    pub models: Vec<Named<'c>>,
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
        self.models.push(Named {
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

/// What a name without variants means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// A model, by its place.
    Model(usize),
    /// The newest of a family, by its place.
    Latest(usize),
    /// An alias, by its place.
    Alias(usize),
    /// The shortlist.
    Auto,
}

/// What a name without variants means. Both lists are sorted by name.
pub fn base(models: &[Model], aliases: &[Alias], name: &str) -> Option<Base> {
    if let Some(at) = model(models, name) {
        return Some(Base::Model(at));
    }
    if let Ok(at) = aliases.binary_search_by(|alias| alias.name.as_str().cmp(name)) {
        return Some(Base::Alias(at));
    }
    if NAMES.contains(&name) {
        return Some(Base::Auto);
    }
    latest::newest(models, name).map(Base::Latest)
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
    asked: &Asked<'_>,
    views: Views<'_>,
    moment: Moment,
) -> Result<Resolved<'c>, Error> {
    let mut reading = Reading {
        config,
        asked,
        moment,
        resolved: Resolved::default(),
        unserved: Vec::new(),
        problems: Vec::new(),
    };
    for name in asked.models {
        reading.add(name, views)?;
    }
    if reading.resolved.models.is_empty() {
        return Err(reading.nothing());
    }
    if let [_] = asked.models {
        for name in asked.fallbacks() {
            reading.add(name, views)?;
        }
    }
    Ok(reading.resolved)
}

/// The names of a request while they are looked up.
struct Reading<'a, 'c> {
    config: &'c Config,
    asked: &'a Asked<'a>,
    moment: Moment,
    resolved: Resolved<'c>,
    /// The names that mean nothing.
    unserved: Vec<String>,
    /// What else is wrong with names.
    problems: Vec<String>,
}

impl Reading<'_, '_> {
    /// Adds what one name means.
    fn add(&mut self, name: &str, views: Views<'_>) -> Result<(), Error> {
        let config = self.config;
        let known = |name: &str| base(&config.models, &config.aliases, name);
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
            Base::Model(_) if variant.is_none() => Strategy::Direct,
            Base::Model(_) => Strategy::Variant,
            Base::Alias(_) => Strategy::Alias,
            Base::Latest(_) => Strategy::Latest,
            Base::Auto => Strategy::Auto,
        };
        let targets: Vec<(Base, Variant)> = match base {
            Base::Alias(at) => {
                let targets = config.aliases.get(at).map_or(&[][..], |alias| &alias.targets);
                let both = |target: &Meant| (target.base, target.variant.with(variant));
                targets.iter().map(both).collect()
            }
            Base::Model(_) | Base::Latest(_) | Base::Auto => vec![(base, variant)],
        };
        for (base, variant) in targets {
            match base {
                Base::Model(at) | Base::Latest(at) => self.resolved.add(config, at, variant, strategy),
                // Once is enough: it comes to the same.
                Base::Auto if !self.resolved.rated.is_empty() => {}
                Base::Auto => match auto::rate(config, self.asked, variant, views, self.moment) {
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
                Base::Alias(_) => {}
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
