//! Which endpoints an exchange may try, in which order, and why: a pure function.
//!
//! It knows nothing of shared data or clocks: how an endpoint stands is asked of a function that the caller gives.

mod preferences;
mod required;

pub use preferences::Preferences;

use crate::chat::Operation;
use crate::config::{Config, Endpoint, Model};
use crate::error::{Error, Kind, quoted};
use crate::hash;
use crate::health::Standing;
use required::{lost, nobody_left};

/// One place of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which of the configuration's models.
    pub model: usize,
    /// Which of its endpoints.
    pub endpoint: usize,
    /// Why it stands where it stands.
    pub reason: &'static str,
}

/// How an endpoint stands; with `true`, a trial is claimed if there is one to claim.
pub type Standings<'s> = &'s mut dyn FnMut(u64, bool) -> Standing;

/// The plan of an exchange: candidates in the order in which they are to be tried, at most as many as may be tried.
///
/// For each model in turn: the providers of `provider.order` first, as they stand there; then an endpoint on trial after
/// an outage; then one healthy endpoint drawn with weight 1/price²; then the other healthy ones by price; then those that
/// are rate-limited, and at last those that are down.
///
/// # Errors
/// When no model of the request is served here, or the preferences exclude every endpoint.
pub fn choose(
    config: &Config,
    models: &[String],
    preferences: &Preferences,
    standings: Standings<'_>,
    seed: u64,
) -> Result<Vec<Candidate>, Error> {
    let mut plan: Vec<Candidate> = Vec::new();
    let mut known = false;
    let mut may_claim = preferences.order.is_empty();
    for name in models {
        let Some((at, model)) = find(config, name) else {
            continue;
        };
        known = true;
        if plan.iter().any(|candidate| candidate.model == at) {
            continue;
        }
        let ranked = rank(config, model, preferences, standings, may_claim, seed);
        plan.extend(ranked.into_iter().map(|(endpoint, reason)| Candidate {
            model: at,
            endpoint,
            reason,
        }));
        may_claim = false;
    }
    if !known {
        let names: Vec<_> = models.iter().map(|name| quoted(name)).collect();
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "no model named {} is served here; GET /v1/models lists those that are",
                names.join(" or ")
            ),
        ));
    }
    if plan.is_empty()
        && !models
            .iter()
            .any(|name| serves(config, name, preferences.operation))
    {
        return Err(unserved(config, models, preferences.operation));
    }
    if plan.is_empty() {
        return Err(Error::new(
            Kind::NotFound,
            nobody_left(config, models, preferences),
        ));
    }
    // Without fallbacks only the first choice is left, or all that `order` names.
    if !preferences.allow_fallbacks && preferences.order.is_empty() {
        plan.truncate(1);
    }
    plan.truncate(config.routing.max_attempts);
    Ok(plan)
}

fn find<'c>(config: &'c Config, name: &str) -> Option<(usize, &'c Model)> {
    let at = config
        .models
        .binary_search_by(|model| model.name.as_str().cmp(name))
        .ok()?;
    config.models.get(at).map(|model| (at, model))
}

/// Whether any endpoint of this model serves an operation.
fn serves(config: &Config, name: &str, operation: Operation) -> bool {
    find(config, name).is_some_and(|(_, model)| model.serves(operation))
}

/// No endpoint of these models serves the operation: which others do.
fn unserved(config: &Config, models: &[String], operation: Operation) -> Error {
    const SHOWN: usize = 5;
    let asked: Vec<_> = models.iter().map(|name| quoted(name)).collect();
    let mut able: Vec<_> = config
        .models
        .iter()
        .filter(|model| model.serves(operation))
        .map(|model| model.name.as_str())
        .collect();
    let more = if able.len() > SHOWN { ", …" } else { "" };
    able.truncate(SHOWN);
    let hint = if able.is_empty() {
        "and no other model here does".to_owned()
    } else {
        format!("try {}{more}", able.join(", "))
    };
    Error::new(
        Kind::NotFound,
        format!(
            "no endpoint of {} serves {}: the format of its provider has no such operation; {hint}",
            asked.join(" or "),
            operation.name()
        ),
    )
}

/// An endpoint that may serve, with all that its place depends on.
struct Entry {
    endpoint: usize,
    place: Place,
    price: u64,
    /// Breaks ties among equal prices.
    draw: u64,
}

/// The groups of a plan, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Ordered(usize),
    Trial,
    Healthy,
    RateLimited,
    Down,
}

impl Place {
    const fn reason(self) -> &'static str {
        match self {
            Self::Ordered(_) => "order",
            Self::Trial => "trial",
            Self::Healthy => "price",
            Self::RateLimited => "rate_limited",
            Self::Down => "down",
        }
    }
}

fn rank(
    config: &Config,
    model: &Model,
    preferences: &Preferences,
    standings: Standings<'_>,
    mut may_claim: bool,
    seed: u64,
) -> Vec<(usize, &'static str)> {
    let mut entries: Vec<Entry> = Vec::with_capacity(model.endpoints.len());
    for (index, endpoint) in model.endpoints.iter().enumerate() {
        let Some(place) = place(config, endpoint, preferences, standings, &mut may_claim) else {
            continue;
        };
        let draw = hash::mix(seed ^ hash::mix(index as u64));
        entries.push(Entry {
            endpoint: index,
            place,
            price: endpoint.price.rank(),
            draw,
        });
    }
    entries.sort_by_key(|entry| (entry.place, entry.price, entry.draw));
    let healthy = entries.iter().position(|entry| entry.place == Place::Healthy);
    let mut drawn = None;
    if let (Some(first), false) = (healthy, preferences.cheapest_first) {
        let count = entries
            .iter()
            .filter(|entry| entry.place == Place::Healthy)
            .count();
        if let Some(group) = entries
            .get_mut(first..first + count)
            .filter(|group| group.len() > 1)
        {
            let at = draw(group, seed);
            drawn = group.get(at).map(|entry| entry.endpoint);
            if let Some(head) = group.get_mut(..=at) {
                head.rotate_right(1);
            }
        }
    }
    entries
        .into_iter()
        .map(|entry| {
            let reason = if drawn == Some(entry.endpoint) {
                "weighted"
            } else {
                entry.place.reason()
            };
            (entry.endpoint, reason)
        })
        .collect()
}

/// Where an endpoint belongs; `None` when it may not serve.
fn place(
    config: &Config,
    endpoint: &Endpoint,
    preferences: &Preferences,
    standings: Standings<'_>,
    may_claim: &mut bool,
) -> Option<Place> {
    endpoint.dialect_for(preferences.operation)?;
    let provider = config.providers.get(endpoint.provider)?.id.as_str();
    if !preferences.admit(provider) || lost(config, endpoint, preferences).next().is_some() {
        return None;
    }
    if let Some(position) = preferences.order.iter().position(|name| name == provider) {
        return Some(Place::Ordered(position));
    }
    Some(match standings(endpoint.health_key, *may_claim) {
        Standing::Healthy => Place::Healthy,
        Standing::RateLimited => Place::RateLimited,
        Standing::Down => Place::Down,
        Standing::Trial if *may_claim => {
            *may_claim = false;
            Place::Trial
        }
        Standing::Trial => Place::Down,
    })
}

/// Draws one of a group sorted by price, with weight 1/price². Endpoints that cost nothing share all the weight.
fn draw(group: &[Entry], seed: u64) -> usize {
    let lowest = group.first().map_or(0, |entry| entry.price);
    #[expect(clippy::cast_precision_loss, reason = "a weight need not be exact")]
    let weight = |price: u64| match (lowest, price) {
        (0, 0) => 1.0,
        (0, _) => 0.0,
        _ => (lowest as f64 / price as f64).powi(2),
    };
    let total: f64 = group.iter().map(|entry| weight(entry.price)).sum();
    #[expect(clippy::cast_precision_loss, reason = "53 bits of a draw are plenty")]
    let mut point = (hash::mix(seed) >> 11) as f64 / (1_u64 << 53) as f64 * total;
    for (at, entry) in group.iter().enumerate() {
        point -= weight(entry.price);
        if point < 0.0 {
            return at;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn config(endpoints: &[(&str, &str)]) -> Config {
        let providers: serde_json::Map<_, _> = endpoints
            .iter()
            .map(|(name, _)| {
                (
                    (*name).to_owned(),
                    serde_json::json!({"dialect": "openai-chat", "base_url": "http://h/v1"}),
                )
            })
            .collect();
        let list: Vec<_> = endpoints
            .iter()
            .map(|(name, price)| serde_json::json!({"provider": name, "price": {"prompt": price, "completion": price}}))
            .collect();
        let value = serde_json::json!({"providers": providers, "models": {"m": {"endpoints": list}, "n": {"endpoints": list}}});
        Config::read(&value, None).unwrap()
    }

    fn read(provider: &str) -> Preferences {
        let text = format!(r#"{{"provider":{provider}}}"#);
        Preferences::of(&crate::chat::Request::parse(text.into_bytes()).unwrap()).unwrap()
    }

    fn plan(
        config: &Config,
        preferences: &str,
        standing: impl Fn(usize) -> Standing,
        seed: u64,
    ) -> Vec<String> {
        let preferences: Preferences = read(preferences);
        let keys: Vec<u64> = config.models[0]
            .endpoints
            .iter()
            .map(|endpoint| endpoint.health_key)
            .collect();
        let mut standings =
            |key: u64, _: bool| standing(keys.iter().position(|other| *other == key).unwrap());
        choose(config, &["m".to_owned()], &preferences, &mut standings, seed)
            .unwrap()
            .iter()
            .map(|candidate| {
                let endpoint = &config.models[candidate.model].endpoints[candidate.endpoint];
                format!("{}:{}", config.providers[endpoint.provider].id, candidate.reason)
            })
            .collect()
    }

    #[test]
    fn the_healthy_come_before_the_limited_and_the_down() {
        let config = config(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let standing = |at| [Standing::Down, Standing::RateLimited, Standing::Healthy][at];
        assert_eq!(
            plan(&config, "{}", standing, 1),
            ["c:price", "b:rate_limited", "a:down"]
        );
    }

    #[test]
    fn a_trial_goes_first() {
        let config = config(&[("a", "1"), ("b", "2")]);
        let standing = |at| [Standing::Healthy, Standing::Trial][at];
        assert_eq!(plan(&config, "{}", standing, 1), ["b:trial", "a:price"]);
    }

    #[test]
    fn a_third_of_the_price_is_nine_times_the_share() {
        let config = config(&[("a", "1"), ("b", "3")]);
        let first = (0..20_000)
            .filter(|&seed| plan(&config, "{}", |_| Standing::Healthy, seed)[0] == "a:weighted")
            .count();
        assert!((17_700..18_300).contains(&first), "{first}");
    }

    #[test]
    fn what_costs_nothing_comes_first() {
        let config = config(&[("a", "0"), ("b", "3"), ("c", "0")]);
        for seed in 0..100 {
            assert_eq!(plan(&config, "{}", |_| Standing::Healthy, seed)[2], "b:price");
        }
    }

    #[test]
    fn order_only_ignore_and_fallbacks_are_honoured() {
        let config = config(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let healthy = |_| Standing::Healthy;
        assert_eq!(
            plan(&config, r#"{"order":["c","b"]}"#, healthy, 1),
            ["c:order", "b:order", "a:price"]
        );
        assert_eq!(
            plan(
                &config,
                r#"{"order":["c","b"],"allow_fallbacks":false}"#,
                healthy,
                1
            ),
            ["c:order", "b:order"]
        );
        assert_eq!(plan(&config, r#"{"only":["b"]}"#, healthy, 1), ["b:price"]);
        assert_eq!(plan(&config, r#"{"ignore":["a","b"]}"#, healthy, 1), ["c:price"]);
        assert_eq!(
            plan(&config, r#"{"sort":"price"}"#, healthy, 7),
            ["a:price", "b:price", "c:price"]
        );
        assert_eq!(
            plan(&config, r#"{"allow_fallbacks":false,"sort":"price"}"#, healthy, 1).len(),
            1
        );
    }

    #[test]
    fn fallback_models_follow_in_their_order() {
        let config = config(&[("a", "1")]);
        let models = [
            "n".to_owned(),
            "unknown".to_owned(),
            "m".to_owned(),
            "n".to_owned(),
        ];
        let plan = choose(
            &config,
            &models,
            &Preferences::default(),
            &mut |_, _| Standing::Healthy,
            1,
        )
        .unwrap();
        assert_eq!(
            plan.iter().map(|candidate| candidate.model).collect::<Vec<_>>(),
            [1, 0]
        );
    }

    #[test]
    fn who_does_not_serve_the_operation_is_left_out() {
        let value = serde_json::json!({
            "providers": {"anthropic": {}, "openai": {}, "groq": {}},
            "models": {
                "all": {"endpoints": [{"provider": "anthropic", "model": "x"}, {"provider": "openai", "model": "x"}]},
                "none": {"endpoints": [{"provider": "anthropic", "model": "x"}]},
            },
        });
        let config = Config::read(&value, None).unwrap();
        let preferences = Preferences {
            operation: Operation::Embeddings,
            ..Default::default()
        };
        let choose = |model: &str| {
            choose(
                &config,
                &[model.to_owned()],
                &preferences,
                &mut |_, _| Standing::Healthy,
                1,
            )
        };
        let plan = choose("all").unwrap();
        assert_eq!(
            plan.iter()
                .map(|candidate| candidate.endpoint)
                .collect::<Vec<_>>(),
            [1]
        );
        let error = choose("none").unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (
                Kind::NotFound,
                "no endpoint of \"none\" serves embeddings: the format of its provider has no such operation; try all"
            )
        );
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_the_reason() {
        let config = config(&[("a", "1")]);
        let refuse = |models: &[&str], preferences: &str| {
            let models: Vec<_> = models.iter().map(|name| (*name).to_owned()).collect();
            let preferences = read(preferences);
            choose(&config, &models, &preferences, &mut |_, _| Standing::Healthy, 1)
                .unwrap_err()
                .message
        };
        assert!(refuse(&["x"], "{}").contains(r#"no model named "x""#));
        assert!(refuse(&["m"], r#"{"only":["z"]}"#).contains("exclude every endpoint"));
    }
}
