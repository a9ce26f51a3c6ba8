//! Plans of small configurations, and what is said when there is none.

use super::*;
use crate::chat::Request;
use crate::config::PolicyScope;
use crate::health::{Record, Sample};
use crate::load;
use crate::test;
use serde_json::{Value, json};

mod exclusions;
mod levels;
mod names;
mod regions;

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
    load::config(&value, None).unwrap()
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
    try_plan_under(config, PolicyScope::default(), members, are, seed)
}

/// The same on a route, with a key.
fn try_plan_under(
    config: &Config,
    scope: PolicyScope,
    members: &str,
    are: &[Is],
    seed: u64,
) -> Result<Vec<String>, Error> {
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
    let policies = config.policies(scope);
    let mut preferences = Preferences::of(&request)?;
    preferences.complete(&policies, &request);
    let asked = Asked {
        models: &models,
        preferences: &preferences,
        needs: &Needs::of(&request, None),
        policies: &policies,
    };
    let plan = choose(config, &asked, &mut views, Moment { now_ms: NOW, seed })?;
    Ok(plan
        .iter()
        .map(|candidate| {
            let model = &config.models[candidate.model];
            let provider = &config.providers[model.endpoints[candidate.endpoint].provider];
            let named = models.len() > 1 || policies.iter().any(|policy| policy.fallbacks.is_some());
            let model = if named {
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
    let config = config_with(&[
        ("o", "1", json!({"region": "eu", "quantization": "fp8"})),
        ("o/priority", "2", json!({})),
        ("o/flex", "1", json!({})),
    ]);
    let order = |name: &str| {
        let order = format!(r#""provider":{{"order":["{name}"],"allow_fallbacks":false}}"#);
        plan(&config, &order, &[], 1)
    };
    assert_eq!(order("o"), ["o:order"], "tiers have prices of their own");
    assert_eq!(order("o/priority"), ["o/priority:order"]);
    assert_eq!(order("o/eu/fp8"), ["o:order"]);
    let ignored = plan(&config, r#""provider":{"ignore":["O/FP8","o/flex"]}"#, &[], 1);
    assert_eq!(ignored, ["o/priority:price"]);
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
}

#[test]
fn an_unknown_price_is_not_a_free_one() {
    let no_price = || json!({"price": null});
    let mixed = config_with(&[
        ("a", "5", json!({})),
        ("b", "", no_price()),
        ("c", "1", json!({})),
    ]);
    for seed in 0..200 {
        let drawn = plan(&mixed, NONE, &[], seed);
        assert_eq!(drawn[2], "b:price", "{drawn:?}");
        // Health comes before the price.
        let down = plan(&mixed, NONE, &[Down, Well, Down], seed);
        assert_eq!(down[0], "b:price");
    }
    for sorted in [r#""provider":{"sort":"price"}"#, r#""model":"m:floor""#] {
        assert_eq!(plan(&mixed, sorted, &[], 1), ["c:price", "a:price", "b:price"]);
    }
    let fast = [Fast(900, 0), Fast(100, 0), Fast(900, 0)];
    assert_eq!(plan(&mixed, NONE, &fast, 1)[2], "b:price");
    let by_speed = plan(&mixed, r#""provider":{"sort":"latency"}"#, &fast, 1);
    assert_eq!(by_speed[0], "b:latency");
    for asks in [
        r#""model":"m:free","provider":{"only":["b"]}"#,
        r#""provider":{"only":["b"],"max_price":{"prompt":1000}}"#,
        r#""provider":{"only":["b"],"max_price":{"request":1}}"#,
    ] {
        let error = try_plan(&mixed, asks, &[], 1).unwrap_err().message;
        assert!(
            error.contains("b (m) has no price in the configuration"),
            "{error}"
        );
    }
    // Where none has a price they share the load.
    let none = config_with(&[("a", "", no_price()), ("b", "", no_price())]);
    let firsts = |name| {
        let drawn = (0..200).filter(|seed| plan(&none, NONE, &[], *seed)[0].starts_with(name));
        drawn.count()
    };
    assert!(firsts("a") > 60 && firsts("b") > 60);
}

#[test]
fn what_costs_nothing_by_the_token_may_cost_by_the_kind_or_the_hour() {
    for dear in [
        json!({"prompt": 0, "completion": 0, "cache_write": 1}),
        json!({"prompt": 0, "completion": 0, "steps": [{"above": 9, "prompt": 1}]}),
        json!({"prompt": 0, "completion": 0, "times": [{"from": "01:00", "to": "02:00", "completion": 1}]}),
    ] {
        let config = config_with(&[("a", "0", json!({"price": dear}))]);
        assert!(
            try_plan(&config, r#""model":"m:free""#, &[], 1).is_err(),
            "{dear}"
        );
    }
}

#[test]
fn fallback_models_follow_in_their_order_or_all_stand_in_one_row() {
    let config = config(&[("a", "1"), ("b", "2")]);
    let models = r#""models":["n","unknown","m","n:floor"]"#;
    let sorted = |partition: &str| {
        let sort = format!(r#"{models},"provider":{{"sort":{{"by":"price","partition":"{partition}"}}}}"#);
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

/// Which endpoints may serve a request of an operation.
fn able(config: &Config, operation: crate::chat::Operation, text: &str) -> Result<Vec<usize>, String> {
    let request = Request::parse(text.as_bytes().to_vec()).unwrap().of(operation);
    let model: String = request.get("model").unwrap().unwrap();
    let asked = Asked {
        models: &[model],
        preferences: &Preferences::of(&request).unwrap(),
        needs: &Needs::of(&request, None),
        policies: &[],
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
    let config = load::config(&json!({"providers": providers, "models": models}), None).unwrap();
    let embeddings = |more: &str| {
        let text = format!(r#"{{"model":"all","input":"a"{more},"provider":{{"require_parameters":true}}}}"#);
        able(&config, Embeddings, &text).unwrap()
    };
    assert_eq!(embeddings(""), [1, 2, 3]);
    assert_eq!(
        embeddings(r#","input_type":"search_query","dimensions":8"#),
        [1, 2]
    );
    assert_eq!(embeddings(r#","user":"u""#), [2, 3]);
    let completions = r#"{"model":"all","prompt":"a","logprobs":2,"provider":{"require_parameters":true}}"#;
    assert_eq!(able(&config, Completions, completions).unwrap(), [3]);
    assert_eq!(
        able(&config, Embeddings, r#"{"model":"none","input":"a"}"#).unwrap_err(),
        "no endpoint of \"none\" serves embeddings: the format of its provider has no such operation; try all"
    );
}

#[test]
fn every_model_has_a_place_among_those_that_may_be_tried() {
    let of = |model, endpoint| Candidate {
        model,
        endpoint,
        reason: "",
        strategy: Strategy::Direct,
        variant: Variant::default(),
    };
    let check = |counts: &[usize], most: usize, expected: &[(usize, usize)]| {
        let models = counts.iter().enumerate();
        let mut plan: Vec<_> = models
            .flat_map(|(model, count)| (0..*count).map(move |endpoint| of(model, endpoint)))
            .collect();
        spread(&mut plan, most);
        let places: Vec<_> = plan.iter().map(|place| (place.model, place.endpoint)).collect();
        assert_eq!(places, expected, "{counts:?} within {most}");
    };
    check(&[2, 1], 4, &[(0, 0), (0, 1), (1, 0)]);
    check(&[3, 2], 3, &[(0, 0), (0, 1), (1, 0), (0, 2), (1, 1)]);
    check(&[2, 2, 2], 2, &[(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]);
    check(&[1, 3], 3, &[(0, 0), (1, 0), (1, 1), (1, 2)]);
    check(&[3], 1, &[(0, 0), (0, 1), (0, 2)]);
}
