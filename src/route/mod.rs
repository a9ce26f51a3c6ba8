//! Which endpoints an exchange may try, in which order, and why: a pure function.
//!
//! It knows nothing of shared data or clocks: what is known of an endpoint's health is asked of a function that the
//! caller gives, and the time and the seed of every draw are arguments.

mod balance;
mod exclude;
mod needs;
mod preferences;

pub use needs::Needs;
pub use preferences::{Cutoffs, Preferences};

use crate::config::{Config, Endpoint, Model};
use crate::error::{Error, Kind, quoted};
use crate::hash;
use crate::health::{Band, Standing, View};

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

/// The reason of an endpoint that is tried for the first time after an outage.
pub const TRIAL: &str = "trial";
/// The reason of one that is down.
pub const DOWN: &str = "down";

/// What decides instead of balancing by price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The lowest price.
    Price,
    /// The most tokens per second.
    Throughput,
    /// The shortest time to the first token.
    Latency,
}

impl Sort {
    /// The one of this name.
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Price, Self::Throughput, Self::Latency];
        all.into_iter().find(|sort| sort.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Throughput => "throughput",
            Self::Latency => "latency",
        }
    }
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The model and its fallbacks, in order.
    pub models: &'a [String],
    /// What the caller said about routing.
    pub preferences: &'a Preferences,
    /// What the request needs.
    pub needs: &'a Needs<'a>,
}

/// When, and with what luck.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Decides every draw.
    pub seed: u64,
}

/// What is known of the health of an endpoint, by its health key.
pub type Views<'v> = &'v mut dyn FnMut(u64) -> View;

/// One request in this many looks at an endpoint of which nobody knows how fast it is, where that decides.
const EXPLORE: u64 = 32;

/// The plan of an exchange: candidates in the order in which they are to be tried, at most as many as may be tried.
///
/// For each model in turn: the providers of `provider.order` first, as they stand there; then an endpoint on trial after
/// an outage; then one healthy endpoint, drawn; then the other healthy ones by price; then the others by how little hope
/// there is. `provider.sort` and `provider.order` draw nothing.
///
/// A candidate with the reason [`TRIAL`] stands first or nowhere, and has to be claimed before it is tried.
///
/// # Errors
/// When no model of the request is served here, or the preferences exclude every endpoint.
pub fn choose(
    config: &Config,
    asked: &Asked<'_>,
    views: Views<'_>,
    moment: Moment,
) -> Result<Vec<Candidate>, Error> {
    let preferences = asked.preferences;
    let named = Named::all(config, asked.models);
    if named.is_empty() {
        let names: Vec<_> = asked.models.iter().map(|name| quoted(name)).collect();
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "no model named {} is served here; GET /v1/models lists those that are",
                names.join(" or ")
            ),
        ));
    }
    let mut plan: Vec<Candidate> = Vec::new();
    let together = if preferences.mix_models { named.len() } else { 1 };
    for models in named.chunks(together) {
        let mut entries = entries(config, models, asked, views, moment, plan.is_empty());
        order(&mut entries, models, asked, moment);
        plan.extend(entries.iter().map(|entry| Candidate {
            model: entry.model,
            endpoint: entry.at,
            reason: entry.reason,
        }));
    }
    if plan.is_empty() {
        return Err(exclude::nobody_left(config, &named, asked));
    }
    // Without fallbacks only the first choice is left, or all that `order` names.
    if !preferences.allow_fallbacks && preferences.order.is_empty() {
        plan.truncate(1);
    }
    plan.truncate(config.routing.max_attempts);
    Ok(plan)
}

/// A model as a caller names it.
#[derive(Clone, Copy)]
struct Named<'c> {
    at: usize,
    model: &'c Model,
    /// `:nitro`, `:floor`
    sort: Option<Sort>,
    /// `:free`
    free: bool,
}

impl<'c> Named<'c> {
    /// Those that are served here, each once.
    fn all(config: &'c Config, names: &[String]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::with_capacity(names.len());
        for named in names.iter().filter_map(|name| Self::find(config, name)) {
            if !all.iter().any(|known| known.at == named.at) {
                all.push(named);
            }
        }
        all
    }

    /// The model of this name, or the variant of one: <https://openrouter.ai/docs/faq#what-are-model-variants>.
    fn find(config: &'c Config, name: &str) -> Option<Self> {
        let find = |name: &str| {
            let by_name = |model: &Model| model.name.as_str().cmp(name);
            let at = config.models.binary_search_by(by_name).ok()?;
            Some((at, config.models.get(at)?))
        };
        let named = |(at, model), sort, free| Self {
            at,
            model,
            sort,
            free,
        };
        if let Some(found) = find(name) {
            return Some(named(found, None, false));
        }
        let (base, variant) = name.rsplit_once(':')?;
        let (sort, free) = match variant {
            "nitro" => (Some(Sort::Throughput), false),
            "floor" => (Some(Sort::Price), false),
            "free" => (None, true),
            _ => return None,
        };
        Some(named(find(base)?, sort, free))
    }
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
    model: usize,
    at: usize,
    endpoint: &'c Endpoint,
    view: View,
    tier: Tier,
    /// What decides inside of a tier, the least first.
    by: u64,
    price: u64,
    /// Breaks ties.
    draw: u64,
    reason: &'static str,
}

/// What decides first, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tier {
    /// The place in `provider.order`.
    order: usize,
    /// It is known to lack something that the request needs.
    unfit: bool,
    place: Place,
    /// Others that cost no more are several times as fast.
    slow: bool,
    /// It is slower than the caller prefers.
    missed: bool,
}

/// Everybody who may serve.
fn entries<'c>(
    config: &'c Config,
    models: &[Named<'c>],
    asked: &Asked<'_>,
    views: Views<'_>,
    moment: Moment,
    first: bool,
) -> Vec<Entry<'c>> {
    let preferences = asked.preferences;
    let count = models.iter().map(|named| named.model.endpoints.len()).sum();
    let mut entries = Vec::with_capacity(count);
    // One request tries one endpoint, and only when nobody was named to be first.
    let mut may_try = first && preferences.order.is_empty();
    for named in models {
        for (at, endpoint) in named.model.endpoints.iter().enumerate() {
            let Some(provider) = config.providers.get(endpoint.provider) else {
                continue;
            };
            let serves = endpoint.dialect_for(preferences.operation).is_some();
            if !serves || exclude::why(preferences, named.free, provider, endpoint).is_some() {
                continue;
            }
            let mut in_order = preferences.order.iter();
            let view = views(endpoint.health_key);
            let unfit = !asked.needs.fit(endpoint);
            let mut place = place(&view, endpoint, moment);
            if place == Place::Trial && (unfit || !std::mem::take(&mut may_try)) {
                place = Place::Down;
            }
            entries.push(Entry {
                model: named.at,
                at,
                endpoint,
                view,
                tier: Tier {
                    order: in_order
                        .position(|name| exclude::names(name, provider, endpoint))
                        .unwrap_or(usize::MAX),
                    unfit,
                    place,
                    slow: false,
                    missed: !preferences.is_met(view.throughput, view.latency),
                },
                by: 0,
                price: endpoint.price.rank(),
                draw: hash::mix(moment.seed ^ endpoint.health_key),
                reason: "",
            });
        }
    }
    entries
}

fn place(view: &View, endpoint: &Endpoint, moment: Moment) -> Place {
    match (view.standing(moment.now_ms), view.band) {
        (Standing::Trial, _) => Place::Trial,
        (Standing::Down, _) => Place::Down,
        (Standing::RateLimited, _) => Place::RateLimited,
        (Standing::Healthy, Band::Unreliable) => Place::Unreliable,
        (Standing::Healthy, band) => {
            let luck = hash::mix(moment.seed.rotate_left(17) ^ endpoint.health_key) % 1_000;
            match band {
                _ if luck >= view.ramp(moment.now_ms) => Place::Recovering,
                Band::Degraded => Place::Degraded,
                _ => Place::Healthy,
            }
        }
    }
}

/// Puts the endpoints in order, and says why.
fn order(entries: &mut [Entry<'_>], models: &[Named<'_>], asked: &Asked<'_>, moment: Moment) {
    let preferences = asked.preferences;
    let sort = preferences
        .sort
        .or_else(|| models.first().and_then(|named| named.sort));
    let balanced = sort.is_none() && preferences.order.is_empty();
    let explores = hash::mix(!moment.seed).is_multiple_of(EXPLORE);
    let unknown = if explores { 0 } else { u64::MAX };
    if balanced {
        balance::mark_slow(entries);
    }
    for entry in entries.iter_mut() {
        entry.by = match sort {
            None | Some(Sort::Price) => entry.price,
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
            balance::balance(group, asked.needs, moment.seed);
        }
    }
}

impl Tier {
    fn reason(self, sort: Option<Sort>) -> &'static str {
        match self.place {
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
            Place::Healthy => sort.map_or("price", Sort::name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Request;
    use crate::health::{Record, Sample};
    use crate::test;
    use serde_json::{Value, json};

    const NOW: u64 = 1_800_000_000_000;

    /// The models `m` and `n`, each with these endpoints: the provider, the price, and more members.
    fn config_with(endpoints: &[(&str, &str, Value)]) -> Config {
        let provider = json!({"dialect": "openai-chat", "base_url": "http://h/v1"});
        let providers: serde_json::Map<_, _> = endpoints
            .iter()
            .map(|(name, ..)| ((*name).to_owned(), provider.clone()))
            .collect();
        let list: Vec<_> = endpoints
            .iter()
            .map(|(name, price, more)| {
                let mut endpoint = json!({"provider": name, "price": {"prompt": price, "completion": price}});
                if let (Value::Object(endpoint), Value::Object(more)) = (&mut endpoint, more.clone()) {
                    endpoint.extend(more);
                }
                endpoint
            })
            .collect();
        let models = json!({"m": {"endpoints": list}, "n": {"endpoints": list}});
        let value = json!({"providers": providers, "models": models, "routing": {"max_attempts": 20}});
        Config::read(&value, None).unwrap()
    }

    fn config(endpoints: &[(&str, &str)]) -> Config {
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|(name, price)| (*name, *price, json!({})))
            .collect();
        config_with(&endpoints)
    }

    /// How endpoints stand: healthy, on trial, limited, down, back for half of the ramp.
    #[derive(Clone, Copy)]
    enum Is {
        Well,
        Trial,
        Limited,
        Down,
        Back,
        Degraded,
        Unreliable,
        /// The milliseconds to the first token, and the attempts under way.
        Fast(u64, u32),
    }
    use Is::{Back, Degraded, Down, Fast, Limited, Trial, Unreliable, Well};

    fn view(is: Is) -> View {
        let many = |sample, count, at| {
            (0..count).fold(Record::default(), move |record: Record, _| {
                record.update(sample, at)
            })
        };
        let share = |failures: u64| {
            (0..100_u64).fold(Record::default(), |record, at| {
                let failed = (at + 1) * failures / 100 > at * failures / 100;
                record.update(if failed { Sample::Failure } else { Sample::Success }, NOW)
            })
        };
        let record = match is {
            Well => Record::default(),
            Trial => many(Sample::Failure, 3, NOW - 5_000),
            Limited => many(Sample::RateLimited { retry_after_ms: None }, 1, NOW),
            Down => many(Sample::Failure, 3, NOW),
            Back => many(Sample::Failure, 3, NOW - 20_000).update(Sample::Success, NOW - 7_500),
            Degraded => share(10),
            Unreliable => share(25),
            Fast(ms, _) => (0..10).fold(Record::default(), |record, _| {
                let tokens_per_10_s = 1_000_000 / ms;
                record
                    .update(Sample::FirstToken { ms }, NOW)
                    .update(Sample::Throughput { tokens_per_10_s }, NOW)
            }),
        };
        let in_flight = if let Fast(_, in_flight) = is { in_flight } else { 0 };
        let mut view = record.view(1, NOW);
        view.in_flight = in_flight;
        view
    }

    /// The plan for a request with these members, as `provider:reason`.
    fn try_plan(config: &Config, members: &str, are: &[Is], seed: u64) -> Result<Vec<String>, Error> {
        let text = format!(r#"{{"messages":[{{"role":"user","content":"Hi."}}],{members}}}"#);
        let request = Request::parse(text.into_bytes()).unwrap();
        let keys: Vec<u64> = config.models[0]
            .endpoints
            .iter()
            .map(|endpoint| endpoint.health_key)
            .collect();
        let mut views = |key: u64| {
            let at = keys.iter().position(|other| *other == key).unwrap_or(usize::MAX);
            view(are.get(at).copied().unwrap_or(Well))
        };
        let models: Vec<String> = match request.get::<Vec<String>>("models").unwrap() {
            Some(models) => models,
            None => vec![request.get("model").unwrap().unwrap_or_else(|| "m".to_owned())],
        };
        let asked = Asked {
            models: &models,
            preferences: &Preferences::of(&request)?,
            needs: &Needs::of(&request, None),
        };
        let plan = choose(config, &asked, &mut views, Moment { now_ms: NOW, seed })?;
        Ok(plan
            .iter()
            .map(|candidate| {
                let model = &config.models[candidate.model];
                let provider = &config.providers[model.endpoints[candidate.endpoint].provider];
                let model = if models.len() > 1 {
                    format!("{}/", model.name)
                } else {
                    String::new()
                };
                format!("{model}{}:{}", provider.id, candidate.reason)
            })
            .collect())
    }

    fn plan(config: &Config, members: &str, are: &[Is], seed: u64) -> Vec<String> {
        try_plan(config, members, are, seed).unwrap()
    }

    /// How often each provider comes first, in thousandths, and with these reasons.
    fn shares(config: &Config, members: &str, are: &[Is]) -> Vec<u32> {
        let count = config.models[0].endpoints.len();
        let mut firsts = vec![0; count];
        for seed in 0..10_000 {
            let first = plan(config, members, are, seed).swap_remove(0);
            let at = (0..count)
                .find(|at| first.starts_with(&config.providers[*at].id))
                .unwrap();
            firsts[at] += 1;
        }
        firsts.into_iter().map(|count| count / 10).collect()
    }

    fn assert_about(shares: &[u32], expected: &[u32]) {
        let close = shares.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 15);
        assert!(
            close && shares.len() == expected.len(),
            "{shares:?}, expected {expected:?}"
        );
    }

    const NONE: &str = r#""x":1"#;

    #[test]
    fn the_healthy_come_before_the_others_by_how_much_hope_there_is() {
        let names = ["a", "b", "c", "d", "e"];
        let config = config(&names.map(|name| (name, "1")));
        assert_eq!(
            plan(&config, NONE, &[Down, Limited, Unreliable, Degraded, Well], 1),
            [
                "e:price",
                "d:degraded",
                "c:unreliable",
                "b:rate_limited",
                "a:down"
            ]
        );
    }

    #[test]
    fn a_trial_goes_first_and_there_is_one() {
        let config = config(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(
            plan(&config, NONE, &[Well, Trial, Trial], 1),
            ["b:trial", "a:price", "c:down"]
        );
        // Somebody else was named to be first.
        let order = r#""provider":{"order":["a"]}"#;
        assert_eq!(
            plan(&config, order, &[Well, Trial, Well], 1),
            ["a:order", "c:price", "b:down"]
        );
        let both = plan(&config, r#""models":["m","n"]"#, &[Well, Trial, Well], 1);
        assert_eq!(both.iter().filter(|place| place.ends_with("trial")).count(), 1);
    }

    #[test]
    fn a_third_of_the_price_is_nine_times_the_share() {
        let config = config(&[("a", "1"), ("b", "3")]);
        assert_about(&shares(&config, NONE, &[]), &[900, 100]);
        assert_eq!(plan(&config, NONE, &[], 1)[0], "a:weighted");
    }

    #[test]
    fn what_costs_nothing_comes_first() {
        let config = config(&[("a", "0"), ("b", "3"), ("c", "0")]);
        for seed in 0..100 {
            assert_eq!(plan(&config, NONE, &[], seed)[2], "b:price");
        }
    }

    #[test]
    fn who_comes_back_gets_a_part_of_its_share() {
        let config = config(&[("a", "1"), ("b", "1")]);
        assert_about(&shares(&config, NONE, &[Back, Well]), &[262, 738]);
        let reasons: Vec<_> = (0..10)
            .map(|seed| plan(&config, NONE, &[Back, Well], seed))
            .collect();
        assert!(reasons.contains(&vec!["b:price".to_owned(), "a:recovering".to_owned()]));
    }

    #[test]
    fn of_two_at_a_price_the_less_busy_one_is_asked() {
        let config = config(&[("a", "1"), ("b", "1.05"), ("c", "3")]);
        let are = [Fast(300, 9), Fast(300, 2), Fast(300, 0)];
        let shares = shares(&config, NONE, &are);
        assert!(shares[0] == 0 && (40..70).contains(&shares[2]), "{shares:?}");
        let reasons: Vec<_> = (0..20)
            .map(|seed| plan(&config, NONE, &are, seed).swap_remove(0))
            .collect();
        assert!(reasons.contains(&"b:less_busy".to_owned()), "{reasons:?}");
    }

    #[test]
    fn who_is_far_slower_and_no_cheaper_comes_after_the_others() {
        let config = config(&[("a", "1"), ("b", "1.2"), ("c", "3")]);
        let are = [Fast(3_000, 0), Fast(300, 0), Fast(400, 0)];
        assert_eq!(plan(&config, NONE, &are, 1)[2], "a:slow");
        // What is cheap may be slow.
        let are = [Fast(3_000, 0), Fast(2_900, 0), Fast(300, 0)];
        assert!(
            !plan(&config, NONE, &are, 1)
                .iter()
                .any(|place| place.ends_with("slow"))
        );
    }

    #[test]
    fn a_session_stays_where_its_prompt_is_cached() {
        let cached = json!({"price": {"prompt": "1", "completion": "1", "cache_read": "0.1"}});
        let config = config_with(&[
            ("a", "1", cached.clone()),
            ("b", "1", cached.clone()),
            ("c", "1", cached),
        ]);
        let first = |session: u64, seed: u64, are: &[Is]| {
            let member = format!(r#""session_id":"{session}""#);
            plan(&config, &member, are, seed).swap_remove(0)
        };
        let mut on = [0; 3];
        for session in 0..600 {
            let home = first(session, 1, &[]);
            assert!(home.ends_with(":sticky"));
            on[usize::from(home.as_bytes()[0] - b'a')] += 1;
            // Neither luck nor load moves it.
            assert_eq!(
                home,
                first(session, 2, &[Fast(300, 9), Fast(300, 0), Fast(300, 1)])
            );
            // An outage moves those that are there, and no others.
            let moved = first(session, 3, &[Down, Well, Well]);
            assert_eq!(moved == home, !home.starts_with('a'));
        }
        assert!(on.iter().all(|count| (160..240).contains(count)), "{on:?}");
    }

    #[test]
    fn nothing_sticks_where_nothing_is_cached_or_something_else_decides() {
        let plain = config(&[("a", "1"), ("b", "1")]);
        assert_about(&shares(&plain, r#""session_id":"s""#, &[]), &[500, 500]);
        let cached = json!({"price": {"prompt": "1", "completion": "1", "cache_read": "0.1"}});
        let config = config_with(&[("a", "1", cached), ("b", "1", json!({}))]);
        let reason = |members: &str| plan(&config, members, &[], 1).swap_remove(0);
        assert_eq!(
            reason(r#""session_id":"s","provider":{"sort":"price"}"#)
                .split_once(':')
                .unwrap()
                .1,
            "price"
        );
        assert_eq!(
            reason(r#""session_id":"s","provider":{"order":["b"]}"#),
            "b:order"
        );
    }

    #[test]
    fn order_only_ignore_and_fallbacks_are_honoured() {
        let config = config(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let plan = |provider: &str| plan(&config, &format!(r#""provider":{provider}"#), &[], 1);
        assert_eq!(plan(r#"{"order":["c","B"]}"#), ["c:order", "b:order", "a:price"]);
        let fixed = r#"{"order":["c","b"],"allow_fallbacks":false}"#;
        assert_eq!(plan(fixed), ["c:order", "b:order"]);
        assert_eq!(plan(r#"{"only":["b"]}"#), ["b:price"]);
        assert_eq!(plan(r#"{"ignore":["a","b"]}"#), ["c:price"]);
        assert_eq!(plan(r#"{"sort":"price"}"#), ["a:price", "b:price", "c:price"]);
        assert_eq!(plan(r#"{"allow_fallbacks":false,"sort":"price"}"#).len(), 1);
    }

    #[test]
    fn a_base_name_means_all_regions_and_variants() {
        let config = config_with(&[
            ("g", "1", json!({"region": "us-east5"})),
            ("g/eu", "1", json!({})),
            ("h", "1", json!({"quantization": "fp8"})),
        ]);
        let only = |name: &str| -> Vec<String> {
            let provider = format!(r#""provider":{{"only":["{name}"],"sort":"price"}}"#);
            let plan = try_plan(&config, &provider, &[], 1).unwrap_or_default();
            let mut ids: Vec<_> = plan.iter().map(|place| place.replace(":price", "")).collect();
            ids.sort();
            ids
        };
        assert_eq!(only("g"), ["g", "g/eu"]);
        assert_eq!(only("g/us-east5"), ["g"]);
        assert_eq!(only("G/EU"), ["g/eu"]);
        assert_eq!(only("h/fp8"), ["h"]);
        assert!(only("g/us").is_empty() && only("h/fp16").is_empty());
    }

    #[test]
    fn sort_goes_by_what_was_measured() {
        let config = config(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let are = [Fast(900, 0), Well, Fast(300, 0)];
        for (members, reason) in [
            (r#""provider":{"sort":"latency"}"#, "latency"),
            (r#""provider":{"sort":{"by":"throughput"}}"#, "throughput"),
            (r#""model":"m:nitro""#, "throughput"),
        ] {
            let expected = [("c", reason), ("a", reason), ("b", reason)];
            let expected = expected.map(|(name, reason)| format!("{name}:{reason}"));
            let plans: Vec<_> = (0..320).map(|seed| plan(&config, members, &are, seed)).collect();
            let strict = plans.iter().filter(|plan| **plan == expected).count();
            assert!(
                (300..320).contains(&strict),
                "{strict}: now and then an unknown one is looked at"
            );
        }
        let floor = plan(&config, r#""model":"m:floor""#, &are, 1);
        assert_eq!(floor, ["a:price", "b:price", "c:price"]);
    }

    #[test]
    fn who_is_slower_than_preferred_comes_last_of_the_healthy() {
        let config = config(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let latency = r#""provider":{"preferred_max_latency":0.5}"#;
        let are = [Fast(600, 0), Fast(400, 0), Down];
        assert_eq!(
            plan(&config, latency, &are, 1),
            ["b:price", "a:preference", "c:down"]
        );
        let throughput = r#""provider":{"preferred_min_throughput":{"p90":200}}"#;
        assert_eq!(
            plan(&config, throughput, &are, 1),
            ["b:price", "a:preference", "c:down"]
        );
    }

    #[test]
    fn who_is_known_not_to_fit_comes_last() {
        let config = config_with(&[
            ("a", "1", json!({"supported_parameters": ["seed"]})),
            ("b", "2", json!({})),
        ]);
        assert_eq!(plan(&config, r#""tools":[{}]"#, &[], 1), ["b:price", "a:unfit"]);
        assert_eq!(
            plan(&config, r#""tools":[{}]"#, &[Well, Down], 1),
            ["b:down", "a:unfit"]
        );
    }

    #[test]
    fn only_what_costs_nothing_is_free() {
        let config = config(&[("a", "0"), ("b", "3")]);
        assert_eq!(plan(&config, r#""model":"m:free""#, &[], 1), ["a:price"]);
        assert!(try_plan(&config, r#""model":"m:online""#, &[], 1).is_err());
    }

    #[test]
    fn fallback_models_follow_in_their_order_or_all_stand_in_one_row() {
        let config = config(&[("a", "1"), ("b", "2")]);
        let models = r#""models":["n","unknown","m","n:floor"]"#;
        let sorted = |partition: &str| {
            let sort =
                format!(r#"{models},"provider":{{"sort":{{"by":"price","partition":"{partition}"}}}}"#);
            plan(&config, &sort, &[], 1)
        };
        assert_eq!(
            sorted("model"),
            ["n/a:price", "n/b:price", "m/a:price", "m/b:price"]
        );
        let mut mixed = sorted("none");
        mixed[..2].sort();
        mixed[2..].sort();
        assert_eq!(mixed, ["m/a:price", "n/a:price", "m/b:price", "n/b:price"]);
    }

    #[test]
    fn every_exclusion_has_its_message() {
        let config = config_with(&[
            ("a", "1", json!({"zdr": true, "quantization": "fp8"})),
            (
                "b",
                "3",
                json!({"data_collection": "allow", "zdr": false, "supported_parameters": []}),
            ),
            ("c", "2", json!({})),
        ]);
        let excluded = |members: &str| {
            let error = try_plan(&config, members, &[], 1).unwrap_err();
            let availability = error.availability.unwrap();
            let all: Vec<_> = availability.endpoints.iter().map(ToString::to_string).collect();
            assert!(error.message.ends_with(&all.join("; ")));
            assert_eq!(all.len(), 3, "{all:?}");
            (
                availability.code,
                all[1].clone(),
                availability.endpoints[1].excluded_by,
            )
        };
        for (members, code, detail, word) in [
            (
                r#""provider":{"only":["z"]}"#,
                "constraint_filtered",
                "b (m) is not named [provider.only]",
                "allowed_providers",
            ),
            (
                r#""provider":{"ignore":["a","b","c"]}"#,
                "constraint_filtered",
                "b (m) is named [provider.ignore]",
                "allowed_providers",
            ),
            (
                r#""provider":{"order":["z"],"allow_fallbacks":false}"#,
                "constraint_filtered",
                "b (m) is not named, and fallbacks are switched off [provider.order]",
                "allowed_providers",
            ),
            (
                r#""provider":{"data_collection":"deny","ignore":["a"]}"#,
                "privacy_restricted",
                "b (m) may store prompts or train with them [provider.data_collection]",
                "data_policy:training",
            ),
            (
                r#""provider":{"zdr":true,"ignore":["a"]}"#,
                "privacy_restricted",
                "b (m) keeps data [provider.zdr]",
                "data_policy:zdr",
            ),
            (
                r#""provider":{"quantizations":["bf16"]}"#,
                "constraint_filtered",
                "b (m) has unknown [provider.quantizations]",
                "quantization",
            ),
            (
                r#""provider":{"max_price":{"prompt":0.9}}"#,
                "constraint_filtered",
                "b (m) costs 3 USD per million prompt tokens, 3 per million completion tokens [provider.max_price]",
                "max_price",
            ),
            (
                r#""provider":{"require_parameters":true},"x_search_filter":{"a":1},"n":2,"seed":1,"reasoning":{"summary":"auto"}"#,
                "constraint_filtered",
                "b (m) lacks seed, reasoning.summary [provider.require_parameters]",
                "require_parameters",
            ),
            (
                r#""model":"m:free""#,
                "constraint_filtered",
                "b (m) costs 3 USD per million prompt tokens, 3 per million completion tokens [model]",
                "max_price",
            ),
        ] {
            assert_eq!(excluded(members), (code, detail.to_owned(), word), "{members}");
        }
        let only = |provider: &str| plan(&config, &format!(r#""provider":{provider}"#), &[], 1);
        assert_eq!(only(r#"{"zdr":true}"#), ["a:price"]);
        assert_eq!(only(r#"{"data_collection":"deny"}"#), ["a:price"]);
        assert_eq!(only(r#"{"quantizations":["fp8"]}"#), ["a:price"]);
        assert_eq!(
            only(r#"{"quantizations":["unknown"],"sort":"price"}"#),
            ["c:price", "b:price"]
        );
        assert_eq!(only(r#"{"max_price":{"completion":"1"}}"#), ["a:price"]);
        let unknown = try_plan(&config, r#""provider":{"zdr":true,"only":["c"]}"#, &[], 1).unwrap_err();
        assert!(
            unknown.message.contains("c (m) has no zdr in the configuration"),
            "{}",
            unknown.message
        );
    }

    #[test]
    fn a_model_that_nobody_serves_is_not_found() {
        let config = config(&[("a", "1")]);
        let error = try_plan(&config, r#""model":"x""#, &[], 1).unwrap_err();
        assert!(error.message.contains(r#"no model named "x""#) && error.availability.is_none());
    }

    #[test]
    fn a_required_parameter_must_be_carried() {
        let providers: serde_json::Map<_, _> = ["anthropic", "groq", "openai"]
            .map(|name| (name.to_owned(), json!({})))
            .into_iter()
            .collect();
        let endpoints = ["anthropic", "groq", "openai"].map(|name| json!({"provider": name, "model": "x"}));
        let value = json!({"providers": providers, "models": {"m": {"endpoints": endpoints}}});
        let config = Config::read(&value, None).unwrap();
        let members = r#""seed":1,"logprobs":true,"stop":null,"provider":{"require_parameters":true}"#;
        assert_eq!(plan(&config, members, &[], 1), ["openai:price"]);
        let refused = members.replace("true}", r#"true,"ignore":["openai"]}"#);
        let error = try_plan(&config, &refused, &[], 1).unwrap_err();
        assert!(
            error.message.contains(
                "anthropic (x) lacks seed, logprobs [provider.require_parameters]; groq (x) lacks logprobs"
            ),
            "{}",
            error.message
        );
    }

    /// Which endpoints may serve a request of an operation.
    fn able(config: &Config, operation: crate::chat::Operation, text: &str) -> Result<Vec<usize>, String> {
        let request = Request::parse(text.as_bytes().to_vec()).unwrap().of(operation);
        let model: String = request.get("model").unwrap().unwrap();
        let asked = Asked {
            models: &[model],
            preferences: &Preferences::of(&request).unwrap(),
            needs: &Needs::of(&request, None),
        };
        let plan = choose(config, &asked, &mut |_| View::default(), Moment::default());
        let plan = plan.map_err(|error| error.message)?;
        let mut served: Vec<_> = plan.iter().map(|candidate| candidate.endpoint).collect();
        served.sort_unstable();
        Ok(served)
    }

    #[test]
    fn who_does_not_serve_the_operation_is_left_out() {
        use crate::chat::Operation::{Completions, Embeddings};
        let names = ["anthropic", "google-ai-studio", "groq", "openai"];
        let providers: serde_json::Map<_, _> = names
            .map(|name| (name.to_owned(), json!({})))
            .into_iter()
            .collect();
        let endpoints = |names: &[&str]| -> Vec<Value> {
            names
                .iter()
                .map(|name| json!({"provider": name, "model": "x"}))
                .collect()
        };
        let models =
            json!({"all": {"endpoints": endpoints(&names)}, "none": {"endpoints": endpoints(&names[..1])}});
        let config = Config::read(&json!({"providers": providers, "models": models}), None).unwrap();
        let embeddings = |more: &str| {
            let text =
                format!(r#"{{"model":"all","input":"a"{more},"provider":{{"require_parameters":true}}}}"#);
            able(&config, Embeddings, &text).unwrap()
        };
        assert_eq!(embeddings(""), [1, 2, 3]);
        assert_eq!(
            embeddings(r#","input_type":"search_query","dimensions":8"#),
            [1, 2]
        );
        assert_eq!(embeddings(r#","user":"u""#), [2, 3]);
        let completions =
            r#"{"model":"all","prompt":"a","logprobs":2,"provider":{"require_parameters":true}}"#;
        assert_eq!(able(&config, Completions, completions).unwrap(), [3]);
        assert_eq!(
            able(&config, Embeddings, r#"{"model":"none","input":"a"}"#).unwrap_err(),
            "no endpoint of \"none\" serves embeddings: the format of its provider has no such operation; try all"
        );
    }
}
