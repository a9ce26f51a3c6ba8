//! Plans of small configurations, and what is said when there is none.

use super::*;
use crate::chat::Request;
use crate::config::PolicyScope;
use crate::health::{Record, Sample};
use crate::load;
use crate::test;
use serde_json::{Value, json};

mod balance;
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
    let asked = RouteInput {
        models: &models,
        preferences: &preferences,
        needs: &Needs::of(&request, None),
        policies: &policies,
    };
    let plan = choose(config, &asked, &mut views, RouteContext { now_ms: NOW, seed })?;
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
    let asked = RouteInput {
        models: &[model],
        preferences: &Preferences::of(&request).unwrap(),
        needs: &Needs::of(&request, None),
        policies: &[],
    };
    let plan = choose(config, &asked, &mut |_| View::default(), RouteContext::default());
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
