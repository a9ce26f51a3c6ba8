//! Which endpoints an exchange may try, in which order, and why: a pure function.
//!
//! It knows nothing of shared data or clocks: what is known of an endpoint's health is asked of a function that the
//! caller gives, and the time and the seed of every draw are arguments.

pub mod auto;
mod balance;
mod deadline;
mod exclude;
pub mod latest;
pub mod names;
mod needs;
mod resolved;

pub use deadline::{first_token_ms, prompt_ms, whole_ms};
pub use exclude::{Exclusion, excluded, is_allowed, names};
pub use names::{Resolved, resolve};
pub use needs::Needs;
pub use resolved::{ResolvedModel, Strategy};

use crate::chat::Operation;
use crate::config::{Config, Endpoint};
use crate::error::Error;
use crate::hash;
use crate::health::{Band, Standing, View};
use crate::meter::Price;
use crate::preference::{Policy, Preferences, Sort, Variant, region};

/// One place of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which of the configuration's models.
    pub model: usize,
    /// Which of its endpoints.
    pub endpoint: usize,
    /// Why it stands where it stands.
    pub reason: &'static str,
    /// How its model was found.
    pub strategy: Strategy,
    /// What the variants of its model's name ask for.
    pub variant: Variant,
}

/// The reason of an endpoint that is tried for the first time after an outage.
pub const TRIAL: &str = "trial";
/// The reason of one that is down.
pub const DOWN: &str = "down";

/// Models, preferences, needs and policies that a choice is made from.
#[derive(Clone, Copy, Debug)]
pub struct RouteInput<'a> {
    /// The model and its fallbacks, in order.
    pub models: &'a [String],
    /// What the caller said about routing.
    pub preferences: &'a Preferences,
    /// What the request needs.
    pub needs: &'a Needs<'a>,
    /// The operator's policies for such requests, those first that are closest to it. What they prefer is in `preferences`
    /// already, see [`Preferences::complete`].
    pub policies: &'a [&'a Policy],
}

impl<'a> RouteInput<'a> {
    /// The fallbacks of a request that names none. A request for vectors has none: those of two models do not compare.
    fn fallbacks(&self) -> &'a [String] {
        if self.preferences.operation == Operation::Embeddings {
            return &[];
        }
        let said = self
            .policies
            .iter()
            .find_map(|policy| policy.fallbacks.as_deref());
        said.unwrap_or_default()
    }
}

/// The time and the seed of a choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteContext {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Decides every draw.
    pub seed: u64,
}

/// Look-up of an endpoint's health by its health key.
pub type HealthViews<'v> = &'v mut dyn FnMut(u64) -> View;

/// One request in this many looks at an endpoint of which nobody knows how fast it is, where that decides.
const EXPLORE: u64 = 32;
/// As many thousandths of attempts that failed are held against an endpoint of which nobody knows how reliable it is.
const UNKNOWN_UPTIME: u64 = 50;

/// The plan of an exchange: candidates in the order in which they are to be tried. The first `routing.max_attempts` may
/// be; the others take the places of those that a failure rules out.
///
/// For each model in turn: the providers of `provider.order` first, as they stand there; then an endpoint on trial after
/// an outage; then one healthy endpoint, drawn; then the other healthy ones by price, those without a known price last;
/// then the others by how little hope there is. `provider.sort` and `provider.order` draw nothing. Among those that do equally well the preferred regions come
/// first, and the draw is among those of one region.
///
/// A candidate with the reason [`TRIAL`] stands first or nowhere, and has to be claimed before it is tried.
///
/// What the policies and the request forbid is forbidden, whoever says it: a request never loosens what its key, its route or
/// the whole configuration forbids. The closest policy that names fallbacks does so for requests that name none.
///
/// # Errors
/// When no model of the request is served here, or the policies and preferences exclude every endpoint.
pub fn choose(
    config: &Config,
    input: &RouteInput<'_>,
    views: HealthViews<'_>,
    context: RouteContext,
) -> Result<Vec<Candidate>, Error> {
    let resolved = resolve(config, input, views, context)?;
    choose_among(config, &resolved.models, input, views, context)
}

/// The same, where it is known already what the names of the request mean.
///
/// # Errors
/// When the policies and preferences exclude every endpoint of these models.
pub fn choose_among(
    config: &Config,
    named: &[ResolvedModel<'_>],
    input: &RouteInput<'_>,
    views: HealthViews<'_>,
    context: RouteContext,
) -> Result<Vec<Candidate>, Error> {
    let preferences = input.preferences;
    let mut plan: Vec<Candidate> = Vec::new();
    let together = if preferences.mix_models { named.len() } else { 1 };
    for models in named.chunks(together.max(1)) {
        let variant = models.first().and_then(|named| named.variant.sort);
        let preferences = preferences.for_variant(variant);
        let input = &RouteInput {
            preferences: &preferences,
            ..*input
        };
        let mut entries = entries(config, models, input, views, context, plan.is_empty());
        order(&mut entries, models, input, context);
        plan.extend(entries.iter().map(|entry| Candidate {
            model: entry.named.at,
            endpoint: entry.at,
            reason: entry.reason,
            strategy: entry.named.strategy,
            variant: entry.named.variant,
        }));
    }
    if plan.is_empty() {
        return Err(exclude::nobody_left(config, named, input));
    }
    // Without fallbacks only the first choice is left, or all that `order` names.
    if !preferences.allow_fallbacks && preferences.order.is_empty() {
        plan.truncate(1);
    }
    if !preferences.mix_models {
        spread(&mut plan, config.routing.max_attempts);
    }
    Ok(plan)
}

/// Keeps a place among the first `most` for every model, as far as they go: what a model cannot do another can. The
/// candidates for which that leaves no place come last.
fn spread(plan: &mut Vec<Candidate>, most: usize) {
    let mut later = Vec::new();
    let mut models = plan.chunk_by(|a, b| a.model == b.model).count();
    let (mut kept, mut model) = (0_usize, usize::MAX);
    plan.retain(|candidate| {
        let first = candidate.model != model;
        if first {
            (model, models) = (candidate.model, models.saturating_sub(1));
        }
        let keeps = first || kept.saturating_add(models) < most;
        if keeps {
            kept = kept.saturating_add(1);
        } else {
            later.push(*candidate);
        }
        keeps
    });
    plan.append(&mut later);
}

/// Where an endpoint stands by its health, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Trial,
    Healthy,
    /// Less than 95 % of its attempts succeeded.
    Degraded,
    /// Back from an outage, and others have its share of this request.
    Recovering,
    /// Less than 80 %.
    Unreliable,
    RateLimited,
    Down,
}

/// An endpoint that may serve, with all that its place depends on.
struct Entry<'c> {
    named: ResolvedModel<'c>,
    at: usize,
    endpoint: &'c Endpoint,
    view: View,
    tier: Tier,
    /// What decides inside of a tier, the least first.
    by: u64,
    /// See [`Price::rank`].
    price: u64,
    /// Breaks ties.
    draw: u64,
    reason: &'static str,
}

/// What decides first, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tier {
    /// The caller does not pay it itself.
    ours: bool,
    /// The place in `provider.order`.
    order: usize,
    /// It is known to lack something that the request needs.
    unfit: bool,
    place: Place,
    /// The place among the preferred regions.
    region: usize,
    /// Others that cost no more are several times as fast.
    slow: bool,
    /// It is slower than the caller prefers.
    missed: bool,
    /// It has no known price, where price decides: unknown is not free.
    unpriced: bool,
}

/// Everybody who may serve.
fn entries<'c>(
    config: &'c Config,
    models: &[ResolvedModel<'c>],
    input: &RouteInput<'_>,
    views: HealthViews<'_>,
    context: RouteContext,
    first: bool,
) -> Vec<Entry<'c>> {
    let preferences = input.preferences;
    let count = models.iter().map(|named| named.model.endpoints.len()).sum();
    let mut entries = Vec::with_capacity(count);
    let regions = preferences.region.order.as_ref();
    let regions = regions.unwrap_or(&config.routing.local_regions);
    for named in models {
        for (at, endpoint) in named.model.endpoints.iter().enumerate() {
            let Some(provider) = config.providers.get(endpoint.provider) else {
                continue;
            };
            let serves = endpoint.dialect_for(preferences.operation).is_some();
            if !serves || exclude::why(input, named, provider, endpoint).is_some() {
                continue;
            }
            let mut in_order = preferences.order.iter();
            let view = views(endpoint.health_key);
            let unfit = !input.needs.fit(endpoint);
            entries.push(Entry {
                named: *named,
                at,
                endpoint,
                view,
                tier: Tier {
                    ours: !preferences.own_keys.contains(&endpoint.provider),
                    order: in_order
                        .position(|name| exclude::names(name, provider, endpoint))
                        .unwrap_or(usize::MAX),
                    unfit,
                    place: place(&view, endpoint, context),
                    region: region::place(regions, endpoint.policy.region.as_deref()).unwrap_or(usize::MAX),
                    slow: false,
                    missed: !preferences.is_met(view.throughput, view.latency),
                    unpriced: false,
                },
                by: 0,
                price: Price::rank(endpoint.price_at(context.now_ms)),
                draw: hash::mix(context.seed ^ endpoint.health_key),
                reason: "",
            });
        }
    }
    // Nobody goes first when somebody was named to be.
    allow_trial(&mut entries, first && preferences.order.is_empty());
    entries
}

/// Leaves one trial at the most: one request tries one endpoint, and none that is farther away than a healthy one.
fn allow_trial(entries: &mut [Entry<'_>], may_try: bool) {
    let region = |tier: Tier| tier.region;
    let tiers = || entries.iter().map(|entry| entry.tier);
    let healthy = tiers().filter(|tier| tier.place == Place::Healthy && !tier.unfit);
    let nearest = healthy.map(region).min().unwrap_or(usize::MAX);
    let trials = tiers().filter(|tier| tier.place == Place::Trial && !tier.unfit);
    let best = trials.map(region).min().filter(|best| *best <= nearest);
    let mut best = best.filter(|_| may_try);
    for tier in entries.iter_mut().map(|entry| &mut entry.tier) {
        if tier.place != Place::Trial {
            continue;
        }
        if !tier.unfit && best == Some(tier.region) {
            best = None;
        } else {
            tier.place = Place::Down;
        }
    }
}

fn place(view: &View, endpoint: &Endpoint, context: RouteContext) -> Place {
    match (view.standing(context.now_ms), view.band) {
        (Standing::Trial, _) => Place::Trial,
        (Standing::Down, _) => Place::Down,
        (Standing::RateLimited, _) => Place::RateLimited,
        (Standing::Healthy, Band::Unreliable) => Place::Unreliable,
        (Standing::Healthy, band) => {
            let luck = hash::mix(context.seed.rotate_left(17) ^ endpoint.health_key) % 1_000;
            match band {
                _ if luck >= view.ramp(context.now_ms) => Place::Recovering,
                Band::Degraded => Place::Degraded,
                _ => Place::Healthy,
            }
        }
    }
}

/// Puts the endpoints in order, and says why.
fn order(
    entries: &mut [Entry<'_>],
    models: &[ResolvedModel<'_>],
    input: &RouteInput<'_>,
    context: RouteContext,
) {
    let preferences = input.preferences;
    let sort = preferences
        .sort
        .or_else(|| models.first().and_then(|named| named.variant.sort));
    let balanced = sort.is_none() && preferences.order.is_empty();
    let explores = hash::mix(!context.seed).is_multiple_of(EXPLORE);
    let unknown = if explores { 0 } else { u64::MAX };
    if balanced {
        balance::mark_slow(entries);
    }
    for entry in entries.iter_mut() {
        entry.tier.unpriced = matches!(sort, None | Some(Sort::Price)) && entry.endpoint.price.is_none();
        entry.by = match sort {
            None | Some(Sort::Price) => entry.price,
            Some(Sort::Exacto) => match entry.view.uptime {
                Some(uptime) => u64::from(1_000_u32.saturating_sub(uptime)),
                // Nobody knows: after who is known to be good, before who is known to be bad.
                None if explores => 0,
                None => UNKNOWN_UPTIME,
            },
            Some(Sort::Latency) => entry.view.latency.map_or(unknown, |known| known.median().into()),
            Some(Sort::Throughput) => entry.view.throughput.map_or(unknown, |known| {
                u64::from(u32::MAX).saturating_sub(known.median().into())
            }),
        };
        entry.reason = entry.tier.reason(sort);
    }
    entries.sort_by_key(|entry| (entry.tier, entry.by, entry.price, entry.draw));
    let healthy = |entry: &Entry<'_>| entry.tier.place == Place::Healthy;
    if balanced && let Some(first) = entries.iter().position(healthy) {
        let rest = entries.get_mut(first..).unwrap_or_default();
        let tier = rest.first().map(|entry| entry.tier);
        let count = rest.iter().take_while(|entry| Some(entry.tier) == tier).count();
        if let Some(group) = rest.get_mut(..count).filter(|group| group.len() > 1) {
            balance::balance(group, input.needs, context.seed);
        }
    }
}

impl Tier {
    fn reason(self, sort: Option<Sort>) -> &'static str {
        match self.place {
            _ if !self.ours => "byok",
            _ if self.order < usize::MAX => "order",
            Place::Trial => TRIAL,
            Place::Down => DOWN,
            Place::RateLimited => "rate_limited",
            _ if self.unfit => "unfit",
            Place::Unreliable => "unreliable",
            Place::Recovering => "recovering",
            Place::Degraded => "degraded",
            Place::Healthy if self.slow => "slow",
            Place::Healthy if self.missed => "preference",
            Place::Healthy if self.region < usize::MAX => "region",
            Place::Healthy => sort.map_or("price", Sort::name),
        }
    }
}

#[cfg(test)]
mod tests;
