//! `crosspoint/auto`: a model that is picked from the operator's shortlist by what a request declares to need. Nothing of
//! a prompt is read for it but what kinds of content it has, and its length.
//!
//! A pure function of the shortlist, the request's needs and preferences, the health of endpoints, and a seed. Every model
//! of the shortlist comes out with its score and the reason for its place.

use super::resolved::{ResolvedModel, Strategy};
use super::{HealthViews, RouteContext, RouteInput, exclude};
use crate::config::{Config, Endpoint, Shortlisted};
use crate::error::{Error, Kind, quoted};
use crate::hash;
use crate::health::Standing;
use crate::preference::auto::{AutoPreferences, NAMES, PLUGIN};
use crate::preference::{Variant, fits};
use std::cmp::Reverse;

/// A model of the shortlist, and why it stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rated {
    /// Which of the configuration's models.
    pub model: usize,
    /// Its score for this request, in thousandths.
    pub score: u32,
    /// What decides before the score.
    pub verdict: Verdict,
}

impl Rated {
    /// Its score for this request, as a configuration has it.
    pub fn score(&self) -> f64 {
        f64::from(self.score) / 1_000.0
    }
}

/// Whether a model can serve a request, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can.
    Able,
    /// It could, but all of its endpoints that do are down or ask for fewer requests.
    Down,
    /// It is known to lack something that the request needs: the last resort.
    Unfit(&'static str),
    /// It may not serve: the member that says so, and whose it is if not the request's.
    Excluded(String),
}

impl Verdict {
    /// What comes before what. Who may not serve comes last.
    const fn rank(&self) -> u8 {
        match self {
            Self::Able => 0,
            Self::Down => 1,
            Self::Unfit(_) => 2,
            Self::Excluded(_) => 3,
        }
    }

    /// Whether it may be tried at all.
    pub const fn may_serve(&self) -> bool {
        !matches!(self, Self::Excluded(_))
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Able => f.write_str("able"),
            Self::Down => f.write_str("down"),
            Self::Unfit(what) => write!(f, "unfit: {what}"),
            Self::Excluded(by) => write!(f, "excluded by {by}"),
        }
    }
}

/// The shortlist in the order in which it is to be tried, and behind it who may not serve.
///
/// # Errors
/// When there is no shortlist, a hint is not known, or nobody is left.
pub fn rate(
    config: &Config,
    input: &RouteInput<'_>,
    variant: Variant,
    views: HealthViews<'_>,
    context: RouteContext,
) -> Result<Vec<Rated>, Error> {
    let wanted = &input.preferences.auto;
    if config.auto.is_empty() {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "{} picks from a shortlist, and none is configured: write auto.models, with a score for each",
                NAMES[0]
            ),
        ));
    }
    known_hints(config, wanted)?;
    let mut rated: Vec<Rated> = config
        .auto
        .iter()
        .map(|listed| Rated {
            model: listed.model,
            score: score(listed, wanted),
            verdict: verdict(config, listed, input, variant, views, context),
        })
        .collect();
    let name = |rated: &Rated| config.models.get(rated.model).map_or("", |model| &model.name);
    rated.sort_by_cached_key(|rated| {
        // Of equal scores the seed decides, and the name breaks a tie of draws.
        // The names are those of the configuration, and the draw only puts models in order.
        let draw = hash::mix(context.seed ^ hash::stable(&[name(rated)]));
        (rated.verdict.rank(), Reverse(rated.score), draw, rated.model)
    });
    if !rated.first().is_some_and(|first| first.verdict.may_serve()) {
        let said = rated
            .iter()
            .map(|rated| format!("{}: {}", name(rated), rated.verdict));
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "no model of the shortlist of {} may serve this request: {}",
                NAMES[0],
                said.collect::<Vec<_>>().join("; ")
            ),
        ));
    }
    Ok(rated)
}

fn known_hints(config: &Config, wanted: &AutoPreferences) -> Result<(), Error> {
    let skills = || config.auto.iter().flat_map(|listed| &listed.skills);
    let unknown = |hint: &&String| !skills().any(|(skill, _)| skill == *hint);
    let Some(hint) = wanted.hints.iter().find(unknown) else {
        return Ok(());
    };
    let mut known: Vec<_> = skills().map(|(skill, _)| skill.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    Err(Error::invalid(format!(
        "plugins: {PLUGIN} has no scores for the hint {}; known: {}",
        quoted(hint),
        known.join(", ")
    )))
}

/// The mean of the scores for what is hinted at; the general score stands in for one that a model has not.
fn score(listed: &Shortlisted, wanted: &AutoPreferences) -> u32 {
    let of = |hint: &String| {
        let own = listed.skills.iter().find(|(skill, _)| skill == hint);
        own.map_or(listed.score, |(_, score)| *score)
    };
    let sum = wanted.hints.iter().map(of).fold(0, u32::saturating_add);
    let count = u32::try_from(wanted.hints.len()).unwrap_or(u32::MAX);
    sum.checked_div(count).unwrap_or(listed.score)
}

fn verdict(
    config: &Config,
    listed: &Shortlisted,
    input: &RouteInput<'_>,
    variant: Variant,
    views: HealthViews<'_>,
    context: RouteContext,
) -> Verdict {
    let wanted = &input.preferences.auto;
    let excluded = |by: &str| Verdict::Excluded(by.to_owned());
    let Some(model) = config.models.get(listed.model) else {
        return excluded("model");
    };
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, &model.name));
    if !wanted.allowed.is_empty() && !matches(&wanted.allowed) {
        return excluded("allowed_models");
    }
    if matches(&wanted.excluded) {
        return excluded("excluded_models");
    }
    let named = ResolvedModel {
        at: listed.model,
        model,
        variant,
        strategy: Strategy::Auto,
    };
    let preferences = input.preferences.for_variant(variant.sort);
    let input = &RouteInput {
        preferences: &preferences,
        ..*input
    };
    let mut best = None::<Verdict>;
    for endpoint in &model.endpoints {
        let own = match excluded_by(config, input, &named, endpoint) {
            Some(by) => Verdict::Excluded(by),
            None => match input.needs.lacking(endpoint) {
                Some(what) => Verdict::Unfit(what),
                None => match views(endpoint.health_key).standing(context.now_ms) {
                    Standing::Healthy | Standing::Trial => return Verdict::Able,
                    Standing::RateLimited | Standing::Down => Verdict::Down,
                },
            },
        };
        // Of those that may not serve the first one's reason is told.
        if best.as_ref().is_none_or(|best| own.rank() < best.rank()) {
            best = Some(own);
        }
    }
    best.unwrap_or_else(|| excluded("model"))
}

/// The member of a request or of its policies that excludes an endpoint.
fn excluded_by(
    config: &Config,
    input: &RouteInput<'_>,
    named: &ResolvedModel<'_>,
    endpoint: &Endpoint,
) -> Option<String> {
    let provider = config.providers.get(endpoint.provider)?;
    if endpoint.dialect_for(input.preferences.operation).is_none() {
        return Some("the operation".to_owned());
    }
    let (why, source) = exclude::why(input, named, provider, endpoint)?;
    let field = why.field(source.is_some());
    Some(match source {
        Some(source) => format!("{field} of {source}"),
        None => field,
    })
}

#[cfg(test)]
mod tests;
