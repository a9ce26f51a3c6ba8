//! Where prompts should go, and where they may.

use super::*;
use crate::test;

/// Four endpoints, of which nobody knows where the last one is.
fn regions() -> Config {
    config_with(&[
        ("us", "1", json!({"region": "us-east-1"})),
        ("eu", "2", json!({"region": "eu-west-1"})),
        ("eu2", "3", json!({"region": "eu"})),
        ("any", "1", json!({})),
    ])
}

#[test]
fn the_preferred_regions_come_first() {
    let config = regions();
    let plan = |region: &str, are: &[Is]| {
        let members = format!(r#""provider":{{"region":{region},"sort":"price"}}"#);
        plan(&config, &members, are, 1)
    };
    assert_eq!(
        plan(r#""EU""#, &[])[..2],
        ["eu:region", "eu2:region"],
        "a region means all that lie in it"
    );
    let two = plan(r#"["eu-west-1","us"]"#, &[]);
    assert_eq!(two[..2], ["eu:region", "us:region"]);
    assert_eq!(plan(r#"["eu-west-1","us"]"#, &[Down])[0], "eu:region");
    // Nowhere is nearer than where nobody answers.
    let down = plan(r#""eu""#, &[Well, Down, Limited]);
    assert!(
        down[..2].iter().all(|place| place.ends_with(":price")),
        "{down:?}"
    );
    assert_eq!(down[2..], ["eu2:rate_limited", "eu:down"]);
    // What was named comes before where it is.
    let order = r#""provider":{"order":["any"],"region":"eu","sort":"price"}"#;
    assert_eq!(
        self::plan(&config, order, &[], 1),
        ["any:order", "eu:region", "eu2:region", "us:price"]
    );
}

#[test]
fn the_draw_is_among_those_of_one_region() {
    let config = regions();
    let mut first = std::collections::BTreeMap::new();
    for seed in 0..1_000 {
        let plan = plan(&config, r#""provider":{"region":"eu"}"#, &[], seed);
        *first.entry(plan[0].clone()).or_insert(0) += 1;
    }
    let known: Vec<_> = first.keys().map(String::as_str).collect();
    assert_eq!(known, ["eu2:region", "eu:region"]);
    // 1/2² against 1/3².
    assert!((640..745).contains(&first["eu:region"]), "{first:?}");
}

#[test]
fn only_these_regions_may_serve() {
    let config = regions();
    let plan = |region: &str| {
        let members = format!(r#""provider":{{"region":{region},"sort":"price"}}"#);
        try_plan(&config, &members, &[], 1)
    };
    assert_eq!(plan(r#"{"only":"eu"}"#).unwrap(), ["eu:price", "eu2:price"]);
    assert_eq!(
        plan(r#"{"only":["eu","us"],"order":"us"}"#).unwrap(),
        ["us:region", "eu:price", "eu2:price"]
    );
    let error = plan(r#"{"only":"ap"}"#).unwrap_err();
    let said = [
        "provider.region",
        "is in us-east-1",
        "is in eu",
        "has no region in the configuration",
    ];
    assert!(
        said.iter().all(|part| error.message.contains(part)),
        "{}",
        error.message
    );
    let availability = error.availability.unwrap();
    assert_eq!(availability.code, "constraint_filtered");
    assert!(
        availability
            .endpoints
            .iter()
            .all(|one| one.excluded_by == "data_region")
    );
}

#[test]
fn the_local_region_comes_first_where_that_is_wished() {
    let config = |prefer: bool| {
        let mut config = regions();
        config.routing.prefer_local_region = prefer;
        config.set_local_region("eu-west-2");
        config
    };
    let sorted = r#""provider":{"sort":"price"}"#;
    let local = plan(&config(true), sorted, &[], 1);
    assert_eq!(
        local[..2],
        ["eu:region", "eu2:region"],
        "the nearest first, then around it"
    );
    let far = plan(&config(false), sorted, &[], 1);
    assert!(far.iter().all(|place| place.ends_with(":price")), "{far:?}");
    // A caller may want another one, or none.
    let other = r#""provider":{"region":"us","sort":"price"}"#;
    assert_eq!(plan(&config(true), other, &[], 1)[0], "us:region");
    let none = r#""provider":{"region":[],"sort":"price"}"#;
    assert_eq!(plan(&config(true), none, &[], 1), far);
}

#[test]
fn no_trial_is_farther_away_than_a_healthy_one() {
    let config = regions();
    let first = |members: &str, are: &[Is]| plan(&config, members, are, 1).swap_remove(0);
    let eu = r#""provider":{"region":"eu","sort":"price"}"#;
    assert_eq!(first(eu, &[Trial]), "eu:region");
    assert_eq!(first(eu, &[Trial, Trial]), "eu:trial");
    assert_eq!(first(eu, &[Trial, Down, Down, Down]), "us:trial");
    assert_eq!(
        first(r#""provider":{"region":"ap","sort":"price"}"#, &[Trial]),
        "us:trial"
    );
}

#[test]
fn nobody_is_slow_for_being_slower_than_one_elsewhere() {
    let config = regions();
    let are = [Fast(100, 0), Fast(900, 0), Fast(900, 0), Well];
    let near = plan(&config, r#""provider":{"region":"eu"}"#, &are, 1);
    assert!(
        near[..2].iter().all(|place| place.ends_with(":region")),
        "{near:?}"
    );
    let anywhere = plan(&config, r#""model":"m""#, &are, 1);
    assert!(
        anywhere[2..].iter().all(|place| place.ends_with(":slow")),
        "{anywhere:?}"
    );
}
