//! Queries of the list of models.

use super::*;
use crate::test;

/// The names of the models that a query chooses, without their authors.
fn chosen(query: &str) -> String {
    let list = ask(&format!("/v1/models?{query}")).unwrap();
    let ids = list["data"].as_array().unwrap().iter();
    let ids: Vec<_> = ids.map(|model| model["id"].as_str().unwrap()).collect();
    let slugs = ids.iter().map(|id| id.split_once('/').unwrap().1);
    slugs.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_query_chooses_models() {
    for (query, models) in [
        ("", "big fast plain vectors"),
        ("q=", "big fast plain vectors"),
        ("q=FA", "fast"),
        ("q=acme+big", "big"),
        ("q=acme%2Ff", "fast"),
        ("supported_parameters=tools,seed", "big fast"),
        ("supported_parameters=tools,top_k", ""),
        ("input_modalities=text", "big fast vectors"),
        ("input_modalities=text,image", "big fast"),
        ("output_modalities=text", "big fast"),
        ("output_modalities=text,embeddings", "big fast vectors"),
        ("output_modalities=all", "big fast plain vectors"),
        ("providers=groq", "fast"),
        ("providers=groq,openai", "big fast plain vectors"),
        ("providers=nobody", ""),
        ("model_authors=other", "plain vectors"),
        ("context=16000", "big fast"),
        ("zdr=true", "big"),
        ("zdr=false", "big fast plain vectors"),
        ("data_collection=deny", "big fast"),
        ("data_collection=allow", "big fast plain vectors"),
        ("region=eu", "fast"),
        ("region=ap,us", "big"),
        // One endpoint has to be all of it.
        ("region=eu&zdr=true", ""),
        ("max_price=1", "fast vectors"),
        ("min_price=0.02&max_price=1.5", "fast vectors"),
        ("min_output_price=8", "big fast"),
        ("max_output_price=7.999", "vectors"),
    ] {
        assert_eq!(chosen(query), models, "{query}");
    }
}

#[test]
fn what_is_not_known_comes_last_in_any_order() {
    for (sort, models) in [
        ("pricing-low-to-high", "vectors fast big plain"),
        ("pricing-high-to-low", "big fast vectors plain"),
        ("context-high-to-low", "big fast vectors plain"),
        ("throughput-high-to-low", "fast big plain vectors"),
        ("latency-low-to-high", "fast big plain vectors"),
        ("top-weekly", "plain fast big vectors"),
        ("most-popular", "fast plain big vectors"),
    ] {
        assert_eq!(chosen(&format!("sort={sort}")), models, "{sort}");
    }
}

#[test]
fn pages_lead_to_each_other() {
    let mut target = "/v1/models?limit=2&q=a&sort=context-high-to-low".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = ask(&target).unwrap();
        assert_eq!(page["total_count"], 3);
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["id"].clone()),
        );
        let Some(next) = page["links"]["next"].as_str() else {
            break;
        };
        target = next.to_owned();
    }
    assert_eq!(seen, ["acme/big", "acme/fast", "other/plain"]);
    let page = ask("/v1/models?limit=1&q=acme%2F").unwrap();
    assert_eq!(page["links"]["next"], "/v1/models?q=acme%2F&offset=1&limit=1");
    let last = ask("/v1/models?offset=99").unwrap();
    assert_eq!(
        (&last["data"], &last["links"]["next"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(ask("/v1/models").unwrap()["links"]["next"], Value::Null);
}

#[test]
fn a_query_has_no_more_names_than_may_be_compared_with_all_models() {
    let of = |name: &str, separator: &str| {
        let names = vec!["a"; crate::caps::MAX_NAMES + 1].join(separator);
        ask(&format!("/v1/models?{name}={names}")).unwrap_err()
    };
    for (name, separator) in [("q", "+"), ("providers", ","), ("region", ",")] {
        let expected = format!("{name}: 257 items; at most 256 are allowed in one request");
        assert!(of(name, separator).contains(&expected), "{name}");
    }
}

#[test]
fn a_wrong_query_is_refused_by_name() {
    for (query, part) in [
        (
            "x=y",
            "the parameter \"x\" is unknown; known: q, supported_parameters",
        ),
        (
            "category=legal",
            "category: not supported; the catalogue of this gateway puts models into no categories",
        ),
        ("zdr=yes", "zdr: expected true or false, found \"yes\""),
        ("data_collection=no", "data_collection: expected allow or deny"),
        ("region=", "region: expected values separated by commas"),
        ("sort=newest", "sort: expected one of pricing-low-to-high"),
        (
            "limit=0",
            "limit: expected a whole number from 1 to 1000, found \"0\"",
        ),
        ("limit=1001", "limit: expected"),
        ("limit=-1", "limit: expected"),
        ("offset=99999999999999999999", "offset: expected"),
        (
            "context=8k",
            "context: expected a whole number of tokens, found \"8k\"",
        ),
        (
            "max_price=cheap",
            "max_price: expected a price in USD per million tokens",
        ),
        ("min_price=-1", "min_price: expected"),
        (
            "supported_parameters=speed",
            "supported_parameters: \"speed\" is unknown; known: tools",
        ),
        (
            "input_modalities=smell",
            "input_modalities: \"smell\" is unknown; known: text, image",
        ),
        ("providers=", "providers: expected values separated by commas"),
        ("q=a&q=b", "\"q\" is given twice"),
        ("q=%f", "the query cannot be decoded at \"q=%f\""),
        ("q=%ff", "cannot be decoded"),
        ("%=1", "cannot be decoded"),
    ] {
        for path in ["/v1/models", "/v1/models/count"] {
            let error = ask(&format!("{path}?{query}")).unwrap_err();
            assert!(
                error.starts_with("400 ") && error.contains(part),
                "{query}: {error}"
            );
        }
    }
}

#[test]
fn models_are_counted() {
    let count = |query| ask(&format!("/v1/models/count{query}")).unwrap();
    assert_eq!(count(""), json!({"data": {"count": 4}}));
    assert_eq!(
        count("?output_modalities=embeddings&limit=1"),
        json!({"data": {"count": 1}})
    );
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[std::prelude::v1::test]
        fn any_query_is_answered_or_refused(query in "([a-z_]{1,12}=[-%+,0-9a-fé&=]{0,12}&?){0,4}|\\PC{0,40}") {
            let answer = answer(&config(), MODELS, &query);
            prop_assert!(answer.is_some_and(|answer| answer.is_ok() || answer.is_err_and(|error| error.status() == 400)));
        }

        #[std::prelude::v1::test]
        fn known_parameters_take_any_value(at in 0..17_usize, value in "[-%+,.0-9a-f]{0,24}") {
            let names = "q supported_parameters input_modalities output_modalities providers model_authors context min_price \
                         max_price min_output_price max_output_price zdr data_collection region sort offset limit";
            let name = names.split_whitespace().nth(at).unwrap();
            if let Some(Err(error)) = answer(&config(), MODELS, &format!("{name}={value}")) {
                prop_assert!(!error.message.contains("is unknown; known: q,"), "{}", error.message);
            }
        }

        #[std::prelude::v1::test]
        fn any_path_is_answered(path in "/v1/models?/(\\PC|%|/){0,20}") {
            if let Some(Err(error)) = answer(&config(), &path, "") {
                prop_assert_eq!(error.status(), 404);
            }
        }
    }
}
