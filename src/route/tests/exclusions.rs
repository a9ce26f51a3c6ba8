//! Who may not serve, and what the caller is told of it.

use super::*;
use crate::test;

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
    let per_request = config_with(&[
        (
            "d",
            "0",
            json!({"price": {"prompt": 0, "completion": 0, "request": "0.01"}}),
        ),
        ("e", "1", json!({})),
    ]);
    for (members, message) in [
        (
            r#""provider":{"only":["d"],"max_price":{"request":0.009}}"#,
            "0.01 per request [provider.max_price]",
        ),
        (
            r#""model":"m:free","provider":{"only":["d"]}"#,
            "0.01 per request [model]",
        ),
    ] {
        let told = try_plan(&per_request, members, &[], 1).unwrap_err().message;
        assert!(told.contains(message), "{told}");
    }
    let request = plan(
        &per_request,
        r#""provider":{"max_price":{"request":0.01},"sort":"price"}"#,
        &[],
        1,
    );
    assert_eq!(request, ["d:price", "e:price"]);
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
    let config = load::config(&value, None).unwrap();
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
