//! What a configuration takes from the catalogue, and how long that takes.

#![allow(clippy::disallowed_methods, reason = "tests have clocks and an environment")]

#[cfg(test)]
mod tests {
    use crosspoint::config::{Config, Endpoint};
    use crosspoint::load;
    use crosspoint::meter::{Kind, PicoUsd};
    use crosspoint::provider::catalogue;
    use crosspoint::provider::{Address, ROWS};
    use serde_json::Value;
    use std::time::{Duration, Instant};

    fn config(text: &str) -> Config {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        load::config(&value, None).unwrap_or_else(|problems| panic!("{problems:?} of\n{text}"))
    }

    fn names(config: &Config) -> Vec<&str> {
        config.models.iter().map(|model| model.name.as_str()).collect()
    }

    /// The endpoint of this model at this provider.
    fn endpoint<'c>(config: &'c Config, model: &str, provider: &str) -> &'c Endpoint {
        let model = config.model(model).unwrap();
        let mut endpoints = model.endpoints.iter();
        endpoints
            .find(|endpoint| config.providers[endpoint.provider].id == provider)
            .unwrap()
    }

    const SONNET: &str = "anthropic/claude-sonnet-4.5";

    #[test]
    fn without_models_everything_that_the_providers_offer_is_served() {
        let config = config(
            "providers: { openai: {}, anthropic: {}, groq: {}, mine: { dialect: openai-chat, base_url: 'http://mine' } }",
        );
        let names = names(&config);
        assert!(names.is_sorted() && names.len() > 40, "{}", names.len());
        for model in &config.models {
            assert!((1..=3).contains(&model.endpoints.len()), "{}", model.name);
        }
        let sonnet = endpoint(&config, SONNET, "anthropic");
        assert_eq!(sonnet.model, "claude-sonnet-4-5");
        assert_eq!(sonnet.price.as_ref().unwrap().completion, PicoUsd(15_000_000));
        assert_eq!(
            sonnet.price.as_ref().unwrap().of(Kind::CacheWrite1h),
            Some(PicoUsd(6_000_000))
        );
        assert!(sonnet.facts.context_length.unwrap() >= 200_000);
        assert!(sonnet.facts.input_modalities.contains("image"));
        assert_eq!(sonnet.facts.parameters.supports("tools"), Some(true));
        assert_eq!(config.model(SONNET).unwrap().title, "Claude Sonnet 4.5");
    }

    #[test]
    fn with_models_only_those_are_served_unless_the_catalogue_is_switched_on() {
        let named = "providers: { openai: {}, anthropic: {} }\nmodels: { anthropic/claude-sonnet-4.5: {}, my/own: { endpoints: [{ provider: openai, model: x }] } }\n";
        assert_eq!(names(&config(named)), [SONNET, "my/own"]);
        let all = config(&format!("{named}catalogue: true"));
        assert!(names(&all).len() > 40 && names(&all).is_sorted());
        assert!(all.model("my/own").is_some());
        let some = config(&format!(
            "{named}catalogue: ['openai/gpt-4o*', 'anthropic/*haiku-4.5']"
        ));
        for name in names(&some) {
            let fits = name.starts_with("openai/gpt-4o") || name == "anthropic/claude-haiku-4.5";
            assert!(fits || [SONNET, "my/own"].contains(&name), "{name}");
        }
        assert!(some.model("openai/gpt-4o-mini").is_some());
    }

    #[test]
    fn an_endpoint_takes_from_the_catalogue_what_it_does_not_say() {
        let config = config(
            "providers: { anthropic: {}, openrouter: {}, vllm: { base_url: 'http://vllm' } }\n\
             catalogue: true\n\
             models:\n\
             \x20 anthropic/claude-sonnet-4.5:\n\
             \x20   endpoints: [{ provider: anthropic }, { provider: openrouter, price: { prompt: 1 }, max_completion_tokens: 7, supported_parameters: [seed] }, { provider: vllm }]\n\
             \x20 anthropic/claude-opus-4.5:\n\
             \x20   endpoints: [{ provider: anthropic, model: my-tuned-one }]\n",
        );
        let plain = endpoint(&config, SONNET, "anthropic");
        assert_eq!(
            (plain.model.as_str(), plain.price.as_ref().unwrap().prompt),
            ("claude-sonnet-4-5", PicoUsd(3_000_000))
        );
        let changed = endpoint(&config, SONNET, "openrouter");
        assert_eq!(changed.model, SONNET);
        let price = changed.price.as_ref().unwrap();
        assert_eq!(
            (price.prompt, price.completion),
            (PicoUsd(1_000_000), PicoUsd(15_000_000))
        );
        assert_eq!(changed.facts.max_completion_tokens, Some(7));
        assert!(changed.facts.context_length.is_some());
        assert_eq!(changed.facts.parameters.supports("tools"), Some(false));
        let unknown = endpoint(&config, SONNET, "vllm");
        assert_eq!(
            (unknown.model.as_str(), unknown.facts.context_length),
            (SONNET, None)
        );
        assert_eq!(config.model(SONNET).unwrap().endpoints.len(), 3);
        // Another model of the same provider is not what the catalogue prices.
        let other = endpoint(&config, "anthropic/claude-opus-4.5", "anthropic");
        assert_eq!((&other.price, other.facts.context_length), (&None, None));
    }

    #[test]
    fn what_a_provider_serves_behind_another_api_is_none_of_its_offers() {
        for model in catalogue::all() {
            for offer in model.offers() {
                let (provider, upstream) = (offer.provider, offer.upstream);
                let elsewhere = match provider {
                    "azure" => upstream.starts_with("claude-"),
                    "amazon-bedrock" => upstream.starts_with("openai.gpt-5") || upstream.starts_with("xai."),
                    "google-vertex" => !upstream.starts_with("claude-") && !upstream.starts_with("gemini-"),
                    _ => false,
                };
                assert!(!elsewhere, "{provider}: {upstream}");
            }
        }
    }

    #[test]
    fn a_price_may_have_every_kind_and_steps() {
        let config = config(
            "providers: { openai: {} }\n\
             models: { a/b: { endpoints: [{ provider: openai, price: { prompt: 1, completion: 2, reasoning: 3, audio_input: '0.5', steps: [{ above: 200000, prompt: 4, cache_read: 0.1 }] } }] } }",
        );
        let price = endpoint(&config, "a/b", "openai").price.as_ref().unwrap();
        assert_eq!(price.of(Kind::Reasoning), Some(PicoUsd(3_000_000)));
        assert_eq!(price.of(Kind::AudioInput), Some(PicoUsd(500_000)));
        let step = &price.steps[0];
        assert_eq!(
            (step.above, step.price.prompt, step.price.completion),
            (200_000, PicoUsd(4_000_000), PicoUsd(2_000_000))
        );
        assert_eq!(step.price.of(Kind::CacheRead), Some(PicoUsd(100_000)));
        assert_eq!(step.price.of(Kind::Reasoning), Some(PicoUsd(3_000_000)));
    }

    /// Far above what it takes (a few milliseconds), for a debug build on a busy machine.
    #[test]
    fn everything_at_once_is_loaded_in_no_time() {
        let providers: serde_json::Map<String, Value> = ROWS
            .iter()
            .map(|row| {
                let own = match row.address {
                    Address::Known(_) => serde_json::json!({}),
                    Address::Like(_) => serde_json::json!({ "base_url": "http://127.0.0.1:1" }),
                };
                (row.id.to_owned(), own)
            })
            .collect();
        let value = serde_json::json!({ "providers": providers });
        let begin = Instant::now();
        let config = load::config(&value, None).unwrap();
        let took = begin.elapsed();
        let endpoints: usize = config.models.iter().map(|model| model.endpoints.len()).sum();
        println!(
            "{} models with {endpoints} endpoints in {took:?}",
            config.models.len()
        );
        // A few tenths of a second, unoptimised; much more is something quadratic.
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!(config.models.len(), catalogue::all().len());
        assert_eq!(
            endpoints,
            catalogue::all()
                .iter()
                .map(|model| model.offers().count())
                .sum::<usize>()
        );
    }
}
