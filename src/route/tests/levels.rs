//! What a request, its key, its route and the whole configuration say, together.

use super::*;
use crate::test;

/// The providers `a`, `b` and `c`, dearer in this order, for the models `m` and `n`; `members` say the rest.
fn config(members: Value) -> Config {
    let provider = |more: Value| {
        let mut provider = json!({"dialect": "openai-chat", "base_url": "http://h/v1"});
        if let (Value::Object(provider), Value::Object(more)) = (&mut provider, more) {
            provider.extend(more);
        }
        provider
    };
    let endpoints = [("a", "1"), ("b", "2"), ("c", "4")].map(|(name, price)| {
        json!({
            "provider": name, "price": {"prompt": price, "completion": price}, "supported_parameters": ["seed"],
        })
    });
    let mut value = json!({
        "providers": {
            "a": provider(json!({"data_collection": "allow"})),
            "b": provider(json!({"data_collection": "deny", "zdr": true})),
            "c": provider(json!({"data_collection": "deny"})),
        },
        "models": {"m": {"endpoints": endpoints}, "n": {"endpoints": endpoints}},
    });
    if let (Value::Object(value), Value::Object(members)) = (&mut value, members) {
        value.extend(members);
    }
    load::config(&value, None).unwrap_or_else(|problems| panic!("{problems:?}"))
}

const SCOPE: PolicyScope = PolicyScope {
    route: Some(0),
    key: Some(0),
};

/// A configuration whose levels have these preferences.
fn levels(all: Value, route: Value, key: Value) -> Config {
    config(json!({
        "preferences": all,
        "routes": {"r": {"preferences": route}},
        "keys": [{"name": "k", "sha256": "0".repeat(64), "preferences": key}],
    }))
}

/// Who is tried, in order, for a request on the route with the key.
fn tried(config: &Config, members: &str) -> String {
    let plan = try_plan_under(config, SCOPE, members, &[], 1).unwrap();
    let names = plan.iter().map(|place| place.split(':').next().unwrap());
    names.collect::<Vec<_>>().join(" ")
}

fn refused(config: &Config, members: &str) -> Error {
    try_plan_under(config, SCOPE, members, &[], 1).unwrap_err()
}

fn with(provider: &str) -> String {
    format!(r#""model":"m","provider":{provider}"#)
}

#[test]
fn of_every_wish_the_closest_to_the_request_counts() {
    let order = |name: &str| json!({"order": [name]});
    let none = || json!({});
    let own = r#"{"order":["a"]}"#;
    for (all, route, key, request, first) in [
        (order("c"), none(), none(), "{}", "c"),
        (order("c"), order("b"), none(), "{}", "b"),
        (order("c"), none(), order("b"), "{}", "b"),
        (order("c"), order("c"), order("b"), "{}", "b"),
        (order("c"), order("c"), order("b"), own, "a"),
        (none(), order("c"), none(), own, "a"),
    ] {
        let plan = tried(&levels(all, route, key), &with(request));
        assert!(plan.starts_with(first), "{request}: {plan}");
    }
}

#[test]
fn every_wish_has_levels() {
    let all = |all: Value| levels(all, json!({}), json!({}));
    let config = all(json!({"allow_fallbacks": false, "sort": "price"}));
    assert_eq!(tried(&config, &with("{}")), "a");
    assert_eq!(tried(&config, &with(r#"{"allow_fallbacks":true}"#)), "a b c");
    let config = all(json!({"sort": {"by": "price", "partition": "none"}}));
    assert_eq!(tried(&config, r#""models":["m","n"]"#), "m/a n/a m/b n/b n/c m/c");
    let own = r#""models":["m","n"],"provider":{"sort":{"partition":"model"}}"#;
    assert_eq!(tried(&config, own), "m/a m/b m/c n/a n/b n/c");
    let config = all(json!({"quantizations": ["fp8"]}));
    let message = refused(&config, &with("{}")).message;
    assert!(
        message.ends_with("c (m) has unknown [preferences.quantizations of the configuration]"),
        "{message}"
    );
    let own = r#"{"quantizations":["unknown"],"sort":"price"}"#;
    assert_eq!(tried(&config, &with(own)), "a b c");
    let config = all(json!({"require_parameters": true, "order": ["a"], "allow_fallbacks": false}));
    let logged = r#""top_k":2,"model":"m""#;
    let message = refused(&config, logged).message;
    assert!(
        message.contains(
            "b (m) is not named, and fallbacks are switched off [preferences.order of the configuration]"
        ),
        "{message}"
    );
    assert!(
        message.contains("lacks top_k [preferences.require_parameters of the configuration]"),
        "{message}"
    );
    let own = format!(r#"{logged},"provider":{{"require_parameters":false}}"#);
    assert_eq!(tried(&config, &own), "a");
}

#[test]
fn what_is_said_of_the_sort_replaces_an_order_behind_it() {
    let order = || json!({"order": ["c"]});
    let sort = || json!({"sort": "price"});
    let none = || json!({});
    let floor = r#""model":"m:floor""#;
    assert_eq!(tried(&levels(order(), none(), sort()), &with("{}")), "a b c");
    assert_eq!(tried(&levels(sort(), none(), order()), &with("{}")), "c a b");
    let both = json!({"sort": "price", "order": ["b"]});
    assert_eq!(tried(&levels(both, none(), none()), &with("{}")), "b a c");
    let config = levels(none(), order(), none());
    assert_eq!(tried(&config, &with(r#"{"sort":"price"}"#)), "a b c");
    // A variant is what the request says, but less than its `sort`.
    assert_eq!(tried(&config, floor), "a b c");
    let config = levels(json!({"sort": "throughput"}), none(), none());
    let reasons = |members: &str| try_plan_under(&config, SCOPE, members, &[], 1).unwrap();
    assert_eq!(reasons(floor), ["a:price", "b:price", "c:price"]);
    let own = r#""model":"m:floor","provider":{"sort":"latency"}"#;
    assert!(reasons(own).iter().all(|place| place.ends_with(":latency")));
}

#[test]
fn what_one_level_forbids_none_allows() {
    let deny = || json!({"data_collection": "deny"});
    let most = |price: u8| json!({"max_price": {"prompt": price}});
    let none = || json!({});
    for (all, route, key, request, plan) in [
        (
            deny(),
            none(),
            none(),
            r#"{"data_collection":"allow","sort":"price"}"#,
            "b c",
        ),
        (none(), deny(), none(), r#"{"sort":"price"}"#, "b c"),
        (none(), none(), deny(), r#"{"zdr":true}"#, "b"),
        (json!({"zdr": true}), none(), none(), r#"{"zdr":false}"#, "b"),
        (
            most(2),
            none(),
            none(),
            r#"{"max_price":{"prompt":9},"sort":"price"}"#,
            "a b",
        ),
        (most(9), none(), most(1), "{}", "a"),
        (
            json!({"only": ["a", "b"]}),
            json!({"only": ["b", "c"]}),
            none(),
            r#"{"only":["a","b","c"]}"#,
            "b",
        ),
        (
            json!({"ignore": ["a"]}),
            json!({"ignore": ["b"]}),
            none(),
            r#"{"ignore":[],"order":["a"]}"#,
            "c",
        ),
    ] {
        assert_eq!(tried(&levels(all, route, key), &with(request)), plan, "{request}");
    }
}

#[test]
fn what_each_level_forbids_is_said_to_be_its_own() {
    let config = config(json!({
        "preferences": {"data_collection": "deny"},
        "routes": {"r": {"models": ["m"], "providers": ["!b"]}},
        "keys": [{"name": "k", "sha256": "0".repeat(64), "models": ["*"], "preferences": {"ignore": ["c"]}}],
    }));
    assert_eq!(
        refused(&config, &with("{}")).message,
        "no endpoint of the model may serve this request: \
         a (m) may store prompts or train with them [preferences.data_collection of the configuration]; \
         b (m) is not allowed [providers of the policy of route r]; \
         c (m) is named [preferences.ignore of key k]"
    );
    let availability = refused(&config, r#""model":"n""#).availability.unwrap();
    let words: Vec<_> = availability.endpoints.iter().map(|one| one.excluded_by).collect();
    assert_eq!(words, ["allowed_models", "allowed_models", "allowed_providers"]);
    let first = &availability.endpoints[0];
    assert_eq!(first.set_by.as_deref(), Some("the policy of route r"));
    assert_eq!(first.field, "models");
}

#[test]
fn usual_fallbacks_follow_where_a_request_names_none() {
    let usual = json!({"models": ["n"], "only": ["a"]});
    let config = levels(usual.clone(), json!({}), json!({}));
    assert_eq!(tried(&config, r#""model":"m""#), "m/a n/a");
    assert_eq!(tried(&config, r#""models":["m","no"]"#), "m/a");
    assert_eq!(tried(&config, r#""model":"n""#), "n/a");
    // What nobody knows is not served by something else.
    let message = refused(&config, r#""model":"x""#).message;
    assert!(message.starts_with("no model named \"x\""), "{message}");
    let none = levels(usual, json!({}), json!({"models": []}));
    assert_eq!(tried(&none, r#""model":"m""#), "m/a");
}

#[test]
fn patterns_allow_and_leave_out() {
    for (models, expected) in [
        (json!(["*"]), "m n"),
        (json!(["m"]), "m"),
        (json!(["!m"]), "n"),
        (json!(["*", "!n*"]), "m"),
    ] {
        let config = config(json!({"routes": {"r": {"models": models}}}));
        let allowed = config.routes[0].policy.as_ref().unwrap().models.clone().unwrap();
        let names = config
            .models
            .iter()
            .enumerate()
            .filter(|(at, _)| allowed.has(*at));
        let names: Vec<_> = names.map(|(_, model)| model.name.as_str()).collect();
        assert_eq!(names.join(" "), expected);
    }
}

#[test]
fn rules_hold_for_what_a_name_means() {
    let config = config(json!({
        "aliases": {"both": ["m", "n"], "other": "n:floor"},
        "auto": {"models": {"m": {"score": 1}, "n": {"score": 0.5}}},
        "routes": {"r": {"models": ["n"], "preferences": {"sort": "throughput", "models": ["other"]}}},
        "keys": [{"name": "k", "sha256": "0".repeat(64), "providers": ["a", "b"]}],
    }));
    let named = |name: &str| tried(&config, &format!(r#""model":"{name}""#));
    for name in ["both", "crosspoint/auto"] {
        assert_eq!(named(name), "n/a n/b", "{name}");
    }
    // The fallback of a route may have any kind of name.
    assert_eq!(named("m"), "n/a n/b");
    // What a name says counts more than what the route does.
    let plan = try_plan_under(&config, SCOPE, r#""model":"other""#, &[], 1).unwrap();
    assert!(plan.iter().all(|place| place.ends_with(":price")), "{plan:?}");
    let nobody = refused(
        &config,
        r#""model":"crosspoint/auto","provider":{"only":["b"],"ignore":["b"]}"#,
    );
    assert_eq!(
        nobody.message,
        "no model of the shortlist of crosspoint/auto may serve this request: m: excluded by models of the policy of \
         route r; n: excluded by provider.only"
    );
}

#[test]
fn who_takes_no_tools_is_told_whose_wish_excludes_him() {
    let exacto = levels(json!({}), json!({"sort": "exacto"}), json!({}));
    let message = refused(&exacto, r#""model":"m""#).message;
    let expected = "a (m) takes no tools [preferences.sort of the policy of route r]";
    assert!(message.contains(expected), "{message}");
    let message = refused(&exacto, r#""model":"m:exacto""#).message;
    assert!(
        message.contains("a (m) takes no tools [provider.sort]"),
        "{message}"
    );
    assert!(try_plan_under(&exacto, SCOPE, r#""model":"m:floor""#, &[], 1).is_ok());
}
