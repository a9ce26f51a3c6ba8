//! Choices from small shortlists, and what holds of all of them.

use super::*;
use crate::chat::Request;
use crate::health::{Record, Sample, View};
use crate::load;
use crate::preference::Preferences;
use crate::route::{Needs, Strategy, choose, resolve};
use crate::test;
use serde_json::json;

const NOW: u64 = 1_800_000_000_000;

/// `a/best` reads images, `a/cheap` has tools, `a/long` has the longest context; `a/other` is not on the list.
fn config() -> Config {
    let endpoint = |price: &str, more: serde_json::Value| {
        let mut endpoint = json!({"provider": "p", "price": {"prompt": price, "completion": price}});
        endpoint
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"endpoints": [endpoint]})
    };
    let value = json!({
        "providers": {"p": {"dialect": "openai-chat", "base_url": "http://h/v1"}},
        "models": {
            "a/best": endpoint("9", json!({"input_modalities": ["text", "image"], "supported_parameters": ["seed"], "context_length": 1_000})),
            "a/cheap": endpoint("1", json!({"input_modalities": ["text"], "supported_parameters": ["tools"], "context_length": 1_000})),
            "a/long": endpoint("3", json!({"input_modalities": ["text"], "supported_parameters": ["seed"], "context_length": 100_000})),
            "a/other": endpoint("1", json!({})),
        },
        "auto": {"models": {
            "a/best": {"score": 0.9, "coding": 0.5},
            "a/cheap": {"score": 0.5, "coding": 0.8},
            "a/long": {"score": 0.5, "german": 1},
        }},
    });
    load::config(&value, None).unwrap()
}

fn asked<T>(members: &str, then: impl FnOnce(&RouteInput<'_>) -> Result<T, Error>) -> Result<T, String> {
    let text = format!(r#"{{"model":"crosspoint/auto",{members}}}"#);
    let request = Request::parse(text.into_bytes()).unwrap();
    let preferences = Preferences::of(&request).map_err(|error| error.message)?;
    let models: Vec<String> = match request.get("models").unwrap() {
        Some(models) => models,
        None => vec![request.get("model").unwrap().unwrap()],
    };
    let asked = RouteInput {
        models: &models,
        preferences: &preferences,
        needs: &Needs::of(&request, None),
        policies: &[],
    };
    then(&asked).map_err(|error| error.message)
}

/// The shortlist as `name score verdict`.
fn rated_with(members: &str, views: HealthViews<'_>, seed: u64) -> Result<Vec<String>, String> {
    let config = config();
    let moment = RouteContext { now_ms: NOW, seed };
    let rated = asked(members, |asked| {
        rate(&config, asked, Variant::default(), views, moment)
    })?;
    let told = |rated: &Rated| {
        let name = &config.models[rated.model].name;
        format!("{name} {} {}", rated.score, rated.verdict)
    };
    Ok(rated.iter().map(told).collect())
}

fn rated(members: &str) -> Result<Vec<String>, String> {
    rated_with(members, &mut |_| View::default(), 1)
}

const HI: &str = r#""messages":[{"role":"user","content":"Hi."}]"#;

#[test]
fn the_best_score_is_first_and_every_model_has_its_reason() {
    let with = |more: &str| rated(&format!("{HI},{more}")).unwrap();
    let mut all = with(r#""seed":1"#);
    all[1..].sort();
    assert_eq!(all, ["a/best 900 able", "a/cheap 500 able", "a/long 500 able"]);
    assert_eq!(
        with(r#""tools":[{}]"#)[0],
        "a/cheap 500 able",
        "the others take no tools"
    );
    assert_eq!(with(r#""tools":[{}]"#)[1], "a/best 900 unfit: tools");
    assert_eq!(
        with(r#""provider":{"max_price":{"prompt":4}}"#)[2],
        "a/best 900 excluded by provider.max_price"
    );
    let long = format!(
        r#""messages":[{{"role":"user","content":"{}"}}]"#,
        "word ".repeat(3_000)
    );
    assert_eq!(
        rated(&long).unwrap()[..2],
        ["a/long 500 able", "a/best 900 unfit: context_length"]
    );
    let image = r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]"#;
    assert_eq!(rated(image).unwrap()[0], "a/best 900 able");
}

#[test]
fn hints_choose_the_scores() {
    let hinted = |hints: &str| {
        rated(&format!(
            r#"{HI},"plugins":[{{"id":"auto-router","hints":{hints}}}]"#
        ))
    };
    assert_eq!(
        hinted(r#"["coding"]"#).unwrap(),
        ["a/cheap 800 able", "a/best 500 able", "a/long 500 able"]
            .map(str::to_owned)
            .to_vec()
    );
    assert_eq!(
        hinted(r#"["coding","german"]"#).unwrap()[0],
        "a/long 750 able",
        "the mean, in which the general score stands in"
    );
    assert_eq!(
        hinted(r#"["poetry"]"#).unwrap_err(),
        r#"plugins: auto-router has no scores for the hint "poetry"; known: coding, german"#
    );
}

#[test]
fn the_plugin_is_honoured_or_refused_by_name() {
    let plugin = |members: &str| {
        rated(&format!(
            r#"{HI},"plugins":[{{"id":"web"}},{{"id":"auto-router",{members}}}]"#
        ))
    };
    let excluded = plugin(r#""allowed_models":["a/*"],"excluded_models":["*best"]"#).unwrap();
    assert_eq!(excluded[2], "a/best 900 excluded by excluded_models");
    let allowed = plugin(r#""allowed_models":["a/best"],"excluded_models":null"#).unwrap();
    assert_eq!(allowed[0], "a/best 900 able");
    assert_eq!(
        plugin(r#""allowed_models":["b/*"]"#).unwrap_err(),
        "no model of the shortlist of crosspoint/auto may serve this request: a/best: excluded by allowed_models; \
         a/cheap: excluded by allowed_models; a/long: excluded by allowed_models"
            .replace("a/cheap: excluded by allowed_models; a/long", &two_by_draw())
    );
    assert_eq!(
        plugin(r#""pin_model":true"#).unwrap_err(),
        "plugins[1].pin_model: auto-router does not support it; known: id, enabled, allowed_models, excluded_models, hints"
    );
    assert_eq!(
        plugin(r#""allowed_models":"a/*""#).unwrap_err(),
        "plugins[1].allowed_models: expected a list of strings"
    );
    assert_eq!(
        plugin(r#""enabled":false,"excluded_models":["*"]"#).unwrap()[0],
        "a/best 900 able"
    );
}

/// The two models of equal scores, in the order that the seed draws.
fn two_by_draw() -> String {
    let order = rated(HI).unwrap();
    let name = |line: &str| line.split(' ').next().unwrap().to_owned();
    format!(
        "{}: excluded by allowed_models; {}",
        name(&order[1]),
        name(&order[2])
    )
}

#[test]
fn who_is_down_comes_after_who_is_not() {
    let config = config();
    let key = config.models[0].endpoints[0].health_key;
    let down = (0..3).fold(Record::default(), |record: Record, _| {
        record.update(Sample::Failure, NOW)
    });
    let mut views = |asked: u64| match asked == key {
        true => down.view(1, NOW),
        false => View::default(),
    };
    assert_eq!(rated_with(HI, &mut views, 1).unwrap()[2], "a/best 900 down");
}

#[test]
fn the_plan_follows_the_shortlist_and_says_so() {
    let config = config();
    let plan = asked(HI, |asked| {
        choose(&config, asked, &mut |_| View::default(), RouteContext::default())
    })
    .unwrap();
    let told: Vec<_> = plan
        .iter()
        .map(|candidate| (candidate.model, candidate.strategy))
        .collect();
    assert_eq!(told[0], (0, Strategy::Auto));
    assert!(
        told.len() == 3
            && told[1..]
                .iter()
                .all(|(_, strategy)| *strategy == Strategy::Fallback)
    );
    let openrouters = format!(r#"{HI},"models":["openrouter/auto:free","a/other"]"#);
    let named = asked(&openrouters, |asked| {
        let resolved = resolve(&config, asked, &mut |_| View::default(), RouteContext::default())?;
        Ok(resolved.models.iter().map(|named| named.at).collect::<Vec<_>>())
    });
    assert_eq!(named.unwrap(), [3], "none is free, and another model is named");
}

#[test]
fn without_a_shortlist_the_name_says_what_is_to_be_configured() {
    let providers = json!({"p": {"dialect": "openai-chat", "base_url": "http://h"}});
    let value = json!({"providers": providers, "models": {"m": {"endpoints": [{"provider": "p"}]}}});
    let config = load::config(&value, None).unwrap();
    let error = asked(HI, |asked| {
        choose(&config, asked, &mut |_| View::default(), RouteContext::default())
    });
    assert_eq!(
        error.unwrap_err(),
        "crosspoint/auto picks from a shortlist, and none is configured: write auto.models, with a score for each"
    );
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is asked for: the same seed gives the same, everybody is told of once, and nobody stands before a better one.
        #[test]
        fn a_choice_is_total_ordered_and_repeatable(
            seed: u64,
            tools: bool,
            price in 0_u32..12,
            hints in prop::sample::subsequence(vec!["coding", "german"], 0..=2),
        ) {
            let config = config();
            let tools = if tools { r#","tools":[{}]"# } else { "" };
            let members = format!(
                r#"{HI}{tools},"provider":{{"max_price":{{"prompt":{price}}}}},"plugins":[{{"id":"auto-router","hints":{hints:?}}}]"#
            );
            let moment = RouteContext { now_ms: NOW, seed };
            let once = || asked(&members, |asked| {
                rate(&config, asked, Variant::default(), &mut |_| View::default(), moment)
            });
            prop_assert_eq!(once(), once());
            let Ok(rated) = once() else {
                prop_assert!(price < 1);
                return Ok(());
            };
            let mut models: Vec<_> = rated.iter().map(|rated| rated.model).collect();
            models.sort_unstable();
            prop_assert_eq!(models, [0, 1, 2]);
            for pair in rated.windows(2) {
                let order = |rated: &Rated| (rated.verdict.rank(), Reverse(rated.score));
                prop_assert!(order(&pair[0]) <= order(&pair[1]));
            }
            for rated in rated {
                let dear = [9, 1, 3][rated.model] > price;
                prop_assert_eq!(dear, !rated.verdict.may_serve());
            }
        }
    }
}
