//! Shares of endpoints that price decides between, and the places that health gives them.

use super::*;
use crate::test;

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
