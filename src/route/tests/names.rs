//! What the name of a model may be.

use super::*;
use crate::test;

/// The plan of a configuration beside one provider of each format, as `model/provider:strategy`.
fn named(config: &Value, members: &str) -> Result<Vec<String>, String> {
    let config = load::config(config, None).unwrap();
    let text = format!(r#"{{"messages":[{{"role":"user","content":"Hi."}}],{members}}}"#);
    let request = Request::parse(text.into_bytes()).unwrap();
    let models: Vec<String> = match request.get("models").unwrap() {
        Some(models) => models,
        None => vec![request.get("model").unwrap().unwrap()],
    };
    let asked = RouteInput {
        models: &models,
        preferences: &Preferences::of(&request).map_err(|error| error.message)?,
        needs: &Needs::of(&request, None),
        policies: &[],
    };
    let plan = choose(&config, &asked, &mut |_| View::default(), RouteContext::default());
    let told = |candidate: &Candidate| {
        let model = &config.models[candidate.model];
        let endpoint = &model.endpoints[candidate.endpoint];
        let provider = &config.providers[endpoint.provider].id;
        format!("{}/{provider}:{}", model.name, candidate.strategy.name())
    };
    Ok(plan.map_err(|error| error.message)?.iter().map(told).collect())
}

#[test]
fn a_name_may_be_an_alias_or_a_family() {
    let config = json!({
        "providers": {"openai": {}},
        "models": {
            "a/m-1": {"endpoints": [{"provider": "openai", "model": "m"}]},
            "a/m-1.2": {"endpoints": [{"provider": "openai", "model": "m"}]},
            "a/m-1:thinking": {"endpoints": [{"provider": "openai", "model": "t"}]},
        },
        "aliases": {"list": ["new:floor", "a/m-1", "a/m-1.2"], "new": "~a/m-latest"},
    });
    for (name, expected) in [
        ("a/m-1", &["a/m-1/openai:direct"][..]),
        ("a/m-1:floor", &["a/m-1/openai:variant"]),
        ("a/m-1:thinking", &["a/m-1:thinking/openai:direct"]),
        ("~a/m-latest", &["a/m-1.2/openai:latest"]),
        ("~a/m-latest:nitro", &["a/m-1.2/openai:latest"]),
        ("new", &["a/m-1.2/openai:alias"]),
        ("list:floor", &["a/m-1.2/openai:alias", "a/m-1/openai:fallback"]),
    ] {
        let members = format!(r#""model":"{name}""#);
        assert_eq!(named(&config, &members).unwrap(), expected, "{name}");
    }
    let several = r#""models":["lost","a/m-1:slow","list"]"#;
    assert_eq!(named(&config, several).unwrap()[0], "a/m-1.2/openai:fallback");
    assert_eq!(
        named(&config, r#""models":["lost","a/m-1:slow","~a/n-latest"]"#).unwrap_err(),
        "no model named \"lost\" or \"~a/n-latest\" is served here; GET /v1/models lists those that are; \"a/m-1:slow\": \
         it has no variant :slow here; known: :nitro, :floor, :exacto, :free, :online, :thinking"
    );
}

#[test]
fn a_variant_leaves_out_who_cannot_keep_its_promise() {
    let endpoint = |provider: &str, model: &str| json!({"provider": provider, "model": model});
    let mut known = endpoint("groq", "known");
    known["supported_parameters"] = json!(["web_search_options", "reasoning"]);
    let config = json!({
        "providers": {"openai": {}, "anthropic": {}, "google-ai-studio": {}, "cohere": {}, "groq": {}},
        "models": {
            "m": {"endpoints": [
                endpoint("openai", "gpt-5"), endpoint("openai", "gpt-5-search-api"), endpoint("anthropic", "claude-sonnet-4-5"),
                endpoint("google-ai-studio", "gemini-2.5-flash"), endpoint("cohere", "command-r7b-12-2024"), known,
            ]},
            "n": {"endpoints": [endpoint("openai", "gpt-5"), endpoint("cohere", "command-r7b-12-2024")]},
            "o": {"endpoints": [{
                "provider": "openai", "model": "gpt-5.1", "dialect": "openai-responses", "supported_parameters": ["seed"],
            }]},
        },
        "routing": {"max_attempts": 20},
    });
    let mut online = named(&config, r#""model":"m:online""#).unwrap();
    online.sort();
    let served = ["anthropic", "google-ai-studio", "groq", "openai"];
    assert_eq!(online, served.map(|name| format!("m/{name}:variant")));
    assert_eq!(
        named(&config, r#""model":"n:online""#).unwrap_err(),
        "no endpoint of the model may serve this request: \
         openai (gpt-5) has no search of the web that its provider runs, when asked in openai-chat [model]; \
         cohere (command-r7b-12-2024) has no search of the web that its provider runs, when asked in cohere-v2 [model]"
    );
    let mut thinking = named(&config, r#""model":"m:thinking""#).unwrap();
    thinking.dedup();
    assert!(
        !thinking.iter().any(|place| place.contains("cohere")),
        "{thinking:?}"
    );
    assert!(
        named(&config, r#""model":"o:thinking""#)
            .unwrap_err()
            .contains("openai (gpt-5.1) does not think when it is asked to [model]")
    );
    assert!(
        named(&config, r#""model":"o:exacto""#)
            .unwrap_err()
            .contains("openai (gpt-5.1) takes no tools [provider.sort]")
    );
}

#[test]
fn exacto_goes_by_uptime() {
    let config = config(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let are = [Degraded, Well, Fast(300, 0)];
    for members in [r#""model":"m:exacto""#, r#""provider":{"sort":"exacto"}"#] {
        let plans: Vec<_> = (0..64).map(|seed| plan(&config, members, &are, seed)).collect();
        let expected = ["b:exacto", "c:exacto", "a:degraded"];
        assert!(plans.iter().all(|plan| *plan == expected), "{plans:?}");
    }
}
