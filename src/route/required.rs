//! `provider.require_parameters`: which parameters of a request an endpoint would be served without.

use super::Preferences;
use crate::config::{Config, Endpoint};
use crate::dialect::{Fate, Feature};

/// Why no endpoint may serve.
pub(super) fn nobody_left(config: &Config, models: &[String], preferences: &Preferences) -> String {
    let mut lacking = Vec::new();
    let models = models.iter().filter_map(|name| config.model(name));
    for endpoint in models.flat_map(|model| &model.endpoints) {
        let provider = config.providers.get(endpoint.provider);
        let Some(provider) = provider.filter(|provider| preferences.admit(&provider.id)) else {
            continue;
        };
        let names: Vec<_> = lost(config, endpoint, preferences).collect();
        if names.is_empty() {
            continue;
        }
        lacking.push(format!(
            "{} ({}) lacks {}",
            provider.id,
            endpoint.model,
            names.join(", ")
        ));
    }
    if lacking.is_empty() {
        return "provider.only and provider.ignore exclude every endpoint of the model; widen them"
            .to_owned();
    }
    format!(
        "provider.require_parameters: no endpoint that may serve takes every parameter of the request: {}",
        lacking.join("; ")
    )
}

/// The required parameters that an endpoint would be served without. What a catalogue says of the parameters of an
/// endpoint belongs here too.
pub(super) fn lost<'a>(
    config: &'a Config,
    endpoint: &'a Endpoint,
    preferences: &'a Preferences,
) -> impl Iterator<Item = &'static str> + 'a {
    let provider = config.providers.get(endpoint.provider);
    provider.into_iter().flat_map(move |provider| {
        let target = provider.target(endpoint, false);
        let required = preferences.required.iter();
        // Who does not serve the operation lacks no parameter of it.
        let dialect = endpoint.dialect_for(preferences.operation);
        let lacks = move |feature: &&&'static Feature| {
            dialect.is_some_and(|dialect| feature.fate(dialect, &target) != Fate::Carried)
        };
        required.filter(lacks).map(|feature| feature.name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::choose;
    use super::*;
    use crate::chat::{Operation, Request};
    use crate::error::Error;
    use crate::health::Standing;
    use crate::test;

    /// The providers that a request with `seed` and `logprobs` may go to.
    fn plan(providers: &[&str], provider: &str) -> Result<Vec<String>, Error> {
        let keyed: serde_json::Map<_, _> = providers
            .iter()
            .map(|name| ((*name).to_owned(), serde_json::json!({})))
            .collect();
        let list: Vec<_> = providers
            .iter()
            .map(|name| serde_json::json!({"provider": name, "model": "x"}))
            .collect();
        let value = serde_json::json!({"providers": keyed, "models": {"m": {"endpoints": list}}});
        let config = Config::read(&value, None).unwrap();
        let text = format!(r#"{{"model":"m","seed":1,"logprobs":true,"stop":null,"provider":{provider}}}"#);
        let preferences = Preferences::of(&Request::parse(text.into_bytes())?)?;
        let plan = choose(
            &config,
            &["m".to_owned()],
            &preferences,
            &mut |_, _| Standing::Healthy,
            1,
        )?;
        let name = |candidate: &super::super::Candidate| {
            let endpoint = &config.models[candidate.model].endpoints[candidate.endpoint];
            config.providers[endpoint.provider].id.clone()
        };
        Ok(plan.iter().map(name).collect())
    }

    #[test]
    fn an_endpoint_that_lacks_a_required_parameter_is_passed_over() {
        let all = ["anthropic", "groq", "openai"];
        assert_eq!(plan(&all, r#"{"require_parameters":true}"#).unwrap(), ["openai"]);
        assert_eq!(plan(&all, "{}").unwrap().len(), 3);
    }

    #[test]
    fn parameters_of_the_other_operations_may_be_required_too() {
        let value = serde_json::json!({
            "providers": {"anthropic": {}, "openai": {}, "groq": {}, "google-ai-studio": {}},
            "models": {"m": {"endpoints": [
                {"provider": "anthropic", "model": "x"}, {"provider": "google-ai-studio", "model": "x"},
                {"provider": "groq", "model": "x"}, {"provider": "openai", "model": "x"},
            ]}},
        });
        let config = Config::read(&value, None).unwrap();
        let plan = |operation, more: &str| {
            let text = format!(r#"{{"model":"m",{more},"provider":{{"require_parameters":true}}}}"#);
            let request = Request::parse(text.into_bytes()).unwrap().of(operation);
            let preferences = Preferences::of(&request).unwrap();
            let names = ["m".to_owned()];
            let plan = choose(&config, &names, &preferences, &mut |_, _| Standing::Healthy, 1);
            plan.map(|plan| {
                let mut served: Vec<_> = plan.iter().map(|candidate| candidate.endpoint).collect();
                served.sort_unstable();
                served
            })
            .map_err(|error| error.message)
        };
        let embeddings = |more: &str| plan(Operation::Embeddings, &format!(r#""input":"a"{more}"#));
        assert_eq!(embeddings("").unwrap(), [1, 2, 3]);
        assert_eq!(
            embeddings(r#","input_type":"search_query","dimensions":8"#).unwrap(),
            [1, 2]
        );
        assert_eq!(embeddings(r#","user":"u""#).unwrap(), [2, 3]);
        assert_eq!(
            plan(Operation::Completions, r#""prompt":"a","logprobs":2"#).unwrap(),
            [3]
        );
    }

    #[test]
    fn whom_the_caller_excludes_is_not_blamed() {
        let provider = r#"{"require_parameters":true,"ignore":["anthropic"]}"#;
        let error = plan(&["anthropic", "groq"], provider).unwrap_err();
        assert!(
            error.message.ends_with("request: groq (x) lacks logprobs"),
            "{}",
            error.message
        );
        let error = plan(&["anthropic"], provider).unwrap_err();
        assert!(
            error.message.contains("exclude every endpoint"),
            "{}",
            error.message
        );
    }

    #[test]
    fn the_error_says_what_excludes_whom() {
        let error = plan(&["anthropic", "groq"], r#"{"require_parameters":true}"#).unwrap_err();
        assert_eq!(
            error.message,
            "provider.require_parameters: no endpoint that may serve takes every parameter of the request: \
             anthropic (x) lacks seed, logprobs; groq (x) lacks logprobs"
        );
    }
}
