//! What a budget holds against what a provider could charge for what goes out: for requests of any form, in every format.
//!
//! The other side is written here anew: it reads the body that goes out as its provider would, counts its texts by a real
//! vocabulary, and charges for completions as long as the limit in it.

#[cfg(test)]
#[cfg(feature = "tokenizer")]
mod tests {
    use crosspoint::config::Config;
    use crosspoint::dialect::client::{self, ClientDialect};
    use crosspoint::exchange::Exchange;
    use crosspoint::health::View;
    use crosspoint::load;
    use crosspoint::meter::{PicoUsd, TokenCounter};
    use crosspoint::route::RouteContext;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde::Deserialize;
    use serde::de::{MapAccess, Visitor};
    use serde_json::{Map, Value, json};
    use std::fmt;
    use std::rc::Rc;

    const NOW: u64 = 1_800_000_000_000;
    /// Pico-USD a token.
    const PROMPT: u64 = 3_000_000;
    const COMPLETION: u64 = 15_000_000;

    /// The formats, and models for which each writes limits and thinking in a way of its own.
    const PLACES: &[(&str, &str)] = &[
        ("openai-chat", "gpt-4o"),
        ("openai-chat", "o3"),
        ("openai-responses", "gpt-5"),
        ("anthropic-messages", "claude-sonnet-4-5"),
        ("anthropic-messages", "claude-opus-5"),
        ("anthropic-bedrock", "claude-sonnet-4-5"),
        ("bedrock-converse", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock-converse", "amazon.nova-pro-v1:0"),
        ("gemini", "gemini-2.5-flash"),
        ("cohere-v2", "command-a-reasoning-08-2025"),
        ("ollama", "llama3"),
    ];

    /// A model for each place, one that all of them serve, and a key with a budget.
    fn config(unbounded: &str) -> Config {
        let mut providers = Map::new();
        let mut models = Map::new();
        let mut all = Vec::new();
        for (at, (dialect, model)) in PLACES.iter().enumerate() {
            let name = format!("p{at}");
            let provider = json!({"dialect": dialect, "base_url": format!("http://{name}/v1")});
            providers.insert(name.clone(), provider);
            let endpoint = json!({
                "provider": name, "model": model, "price": {"prompt": "3", "completion": "15"},
                "context_length": 200_000, "max_completion_tokens": 32_000,
            });
            models.insert(format!("m/{name}"), json!({"endpoints": [endpoint.clone()]}));
            all.push(endpoint);
        }
        models.insert("m/all".to_owned(), json!({"endpoints": all}));
        let key = json!({"name": "team", "sha256": "00".repeat(32), "budget": {"day": 1}});
        let value = json!({
            "providers": providers, "models": models, "keys": [key], "budgets": {"unbounded": unbounded},
            "routing": {"max_attempts": 20},
        });
        load::config(&value, None).unwrap()
    }

    /// An object in which no member stands twice, at any depth.
    struct Once(Value);

    impl<'de> Deserialize<'de> for Once {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Members;
            impl<'de> Visitor<'de> for Members {
                type Value = Once;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                    let mut out = Map::new();
                    while let Some((name, value)) = map.next_entry::<String, Value>()? {
                        if out.insert(name.clone(), value).is_some() {
                            return Err(serde::de::Error::custom(format!("{name} stands twice")));
                        }
                    }
                    Ok(Once(Value::Object(out)))
                }
            }
            deserializer.deserialize_map(Members)
        }
    }

    /// The texts of a value: what a provider could read of it.
    fn texts(value: &Value, counter: &mut TokenCounter, marks: &mut u64) {
        match value {
            Value::String(text) if text.starts_with("data:image/png") => {}
            Value::String(text) => {
                counter.feed(text);
                counter.end_text();
            }
            Value::Array(items) => items.iter().for_each(|item| texts(item, counter, marks)),
            Value::Object(members) => {
                *marks += u64::from(members.contains_key("role")) * 4;
                members.values().for_each(|item| texts(item, counter, marks));
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    /// What an image of 512 × 512 pixels comes to, closely looked at, by what the makers of these models document.
    fn image_tokens(model: &str) -> u64 {
        match model {
            "gpt-5" => 70 + 140,
            "o3" => 75 + 150,
            "gemini-2.5-flash" => 258,
            model if model.contains("claude") => 19 * 19,
            _ => 85 + 170,
        }
    }

    /// The tokens that a provider counts in the prompt of a body.
    fn prompt_tokens(model: &str, body: &Value) -> u64 {
        let mut counter = TokenCounter::of(&["gpt-4o"]);
        let mut marks = 3;
        for name in [
            "messages",
            "input",
            "contents",
            "system",
            "systemInstruction",
            "instructions",
            "prompt",
        ] {
            if let Some(value) = body.get(name) {
                texts(value, &mut counter, &mut marks);
            }
        }
        let images = body.to_string().matches("data:image/png").count() as u64;
        let schema = ["tools", "response_format", "toolConfig", "format"]
            .iter()
            .filter_map(|name| body.get(name));
        schema.for_each(|value| counter.feed(&value.to_string()));
        counter.count() + marks + images * image_tokens(model)
    }

    /// The limit that a body gives, as its provider reads it, of all completions together.
    fn completion_tokens(dialect: &str, body: &Value) -> Option<u64> {
        let at = |pointer: &str| {
            let value = body.pointer(pointer).filter(|value| !value.is_null())?;
            Some(value.as_u64().expect("a whole number"))
        };
        let choices = ["/n", "/best_of"].into_iter().filter_map(at).max().unwrap_or(1);
        let limit = match dialect {
            "openai-chat" => match (at("/max_tokens"), at("/max_completion_tokens")) {
                (Some(_), Some(_)) => panic!("two limits: {body}"),
                (one, other) => one.or(other),
            },
            "openai-completions" => at("/max_tokens"),
            "openai-responses" => at("/max_output_tokens"),
            "anthropic-messages" | "anthropic-bedrock" | "cohere-v2" => at("/max_tokens"),
            "bedrock-converse" => at("/inferenceConfig/maxTokens"),
            "gemini" => at("/generationConfig/maxOutputTokens"),
            "ollama" => at("/options/num_predict"),
            other => panic!("{other}"),
        };
        let choices = match dialect {
            "gemini" => at("/generationConfig/candidateCount").unwrap_or(1),
            "openai-completions" => choices * body["prompt"].as_array().map_or(1, |list| list.len() as u64),
            _ => choices,
        };
        Some(limit? * choices)
    }

    struct Sent {
        dialect: &'static str,
        model: &'static str,
        body: Value,
        held: PicoUsd,
    }

    /// What goes out for a request, at every place of its plan, and what is held for it; `None`: it is refused.
    fn send(config: &Rc<Config>, client: &'static ClientDialect, body: &str, free: u64) -> Option<Vec<Sent>> {
        let key = Some("team".to_owned());
        let mut exchange = Exchange::open(Rc::clone(config), client, "gen-1".to_owned(), key, NOW);
        exchange.read(body.as_bytes().to_vec()).ok()?;
        exchange
            .plan(&mut |_| View::default(), RouteContext { now_ms: NOW, seed: 1 })
            .ok()?;
        let ask = exchange.ask(false, true, NOW).ok()?;
        let (demand, limit) = ask.within(Some(PicoUsd(free)));
        if demand.cost.0 > free {
            return None;
        }
        exchange.clamp(limit);
        let mut sent = Vec::new();
        while let Some(cluster) = exchange.next_cluster().map(ToOwned::to_owned) {
            let (number, outgoing) = exchange.begin(&cluster, NOW).unwrap();
            let place = config
                .providers
                .iter()
                .find(|provider| provider.cluster == cluster)
                .unwrap();
            let Once(body) = serde_json::from_slice(&outgoing.body).unwrap();
            let dialect = match client.name() {
                "openai-completions" => "openai-completions",
                _ => place.dialect.name(),
            };
            let at: usize = place.id.trim_start_matches('p').parse().unwrap();
            sent.push(Sent {
                dialect,
                model: PLACES[at].1,
                body,
                held: demand.cost,
            });
            exchange.gone(number, NOW);
        }
        Some(sent)
    }

    /// What is held covers what could be charged for everything that goes out.
    fn check(config: &Rc<Config>, client: &'static ClientDialect, body: &str, free: u64) -> usize {
        let Some(sent) = send(config, client, body, free) else {
            return 0;
        };
        for Sent {
            dialect,
            model,
            body: out,
            held,
        } in &sent
        {
            let completion =
                completion_tokens(dialect, out).unwrap_or_else(|| panic!("no limit: {body}\n{out}"));
            let prompt = prompt_tokens(model, out);
            let charged = prompt * PROMPT + completion * COMPLETION;
            assert!(
                held.0 >= charged,
                "{dialect}: {} held, {charged} charged ({prompt} + {completion} tokens)\n{body}\n{out}",
                held.0
            );
        }
        sent.len()
    }

    /// A text, of words, of figures, of any characters, or escaped.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "([a-z]{1,12} ){0,40}",
            "[A-Za-z0-9 ,.;:_(){}\\[\\]\"'/\\\\\n\t-]{0,200}",
            "[0-9.]{0,60}",
            "\\PC{0,40}",
            "[\u{4e00}-\u{9fff}]{0,40}",
            "[\u{1f300}-\u{1faff}]{0,20}",
            " {0,50}",
        ]
    }

    /// A PNG of 512 × 512 pixels, as far as its header goes.
    fn image() -> &'static str {
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAgAAAAIACAYAAAD0eNT6"
    }

    fn message() -> impl Strategy<Value = String> {
        let role = select(&["user", "system", "assistant"][..]);
        let content = prop_oneof![
            4 => text().prop_map(|text| json!(text)),
            1 => text().prop_map(|text| json!([
                {"type": "text", "text": text},
                {"type": "image_url", "image_url": {"url": image(), "detail": "high"}},
            ])),
        ];
        (role, content, any::<bool>()).prop_map(|(role, content, twice)| {
            let role = if content.is_array() { "user" } else { role };
            // A reader of the first one and a reader of the last one see different texts.
            match (twice, role) {
                (true, "user") if content.is_string() => {
                    format!(r#"{{"role":"user","content":"x","content":{content}}}"#)
                }
                _ => format!(r#"{{"role":"{role}","content":{content}}}"#),
            }
        })
    }

    /// A member that says how much may be written, or something near it.
    fn member() -> impl Strategy<Value = String> {
        let names = [
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "max_new_tokens",
            "n",
            "best_of",
            "generation_config",
            "generationConfig",
            "num_predict",
            "options",
        ];
        let values = prop_oneof![
            6 => (1_u32..40_000).prop_map(|number| number.to_string()),
            1 => (1_u32..4).prop_map(|number| number.to_string()),
            1 => select(&["null", "\"30000\"", "1e4", "100.0", "-1", "0", "true", "4294967296"][..])
                .prop_map(ToOwned::to_owned),
            1 => Just(r#"{"num_predict":30000,"max_output_tokens":30000,"maxOutputTokens":30000}"#.to_owned()),
        ];
        (select(names.to_vec()), values).prop_map(|(name, value)| format!("\"{name}\":{value}"))
    }

    fn extra() -> impl Strategy<Value = String> {
        let others = [
            r#""reasoning":{"effort":"high"}"#,
            r#""reasoning":{"max_tokens":5000}"#,
            r#""reasoning_effort":"low""#,
            r#""temperature":0.5"#,
            r#""tools":[{"type":"function","function":{"name":"look","description":"Looks around here.","parameters":{"type":"object","properties":{"at":{"type":"string"}}}}}]"#,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"a":{"type":"string"}}}}}"#,
            r#""stop":"x""#,
            r#""stream":true"#,
        ];
        prop_oneof![3 => member(), 1 => select(others.to_vec()).prop_map(ToOwned::to_owned)]
    }

    fn chat() -> impl Strategy<Value = String> {
        let messages = proptest::collection::vec(message(), 1..5);
        let members = proptest::collection::vec(extra(), 0..5);
        let model = prop_oneof![
            4 => (0..PLACES.len()).prop_map(|at| format!("m/p{at}")),
            1 => Just("m/all".to_owned()),
        ];
        (model, messages, members).prop_map(|(model, messages, members)| {
            let members: String = members.iter().map(|member| format!(",{member}")).collect();
            format!(
                r#"{{"model":"{model}","messages":[{}]{members}}}"#,
                messages.join(",")
            )
        })
    }

    fn completion() -> impl Strategy<Value = String> {
        let prompt = prop_oneof![
            text().prop_map(|text| json!(text).to_string()),
            proptest::collection::vec(text(), 1..4).prop_map(|texts| json!(texts).to_string()),
        ];
        (prompt, proptest::collection::vec(member(), 0..4)).prop_map(|(prompt, members)| {
            let members: String = members.iter().map(|member| format!(",{member}")).collect();
            format!(r#"{{"model":"m/p0","prompt":{prompt}{members}}}"#)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn a_hold_covers_what_a_chat_may_cost(body in chat(), free in select(&[100_000_000_000_u64, 10_000_000_000_000][..])) {
            let config = Rc::new(config("clamp"));
            check(&config, client::OPENAI_CHAT, &body, free);
        }

        #[test]
        fn a_hold_covers_what_a_completion_may_cost(body in completion(), free in select(&[100_000_000_000_u64, 10_000_000_000_000][..])) {
            let config = Rc::new(config("clamp"));
            check(&config, client::at("/v1/completions").unwrap(), &body, free);
        }
    }

    /// Of the limits that a caller gives one is written, and it is the one that is held.
    #[test]
    fn two_limits_are_one() {
        let config = Rc::new(config("clamp"));
        for (at, (dialect, _)) in PLACES.iter().enumerate() {
            let body = format!(
                r#"{{"model":"m/p{at}","messages":[{{"role":"user","content":"hi"}}],"max_tokens":30000,"max_completion_tokens":20}}"#
            );
            let sent = send(&config, client::OPENAI_CHAT, &body, 10_000_000_000_000).unwrap();
            assert_eq!(completion_tokens(dialect, &sent[0].body), Some(20), "{dialect}");
            assert_eq!(check(&config, client::OPENAI_CHAT, &body, 10_000_000_000_000), 1);
        }
    }

    /// A fallback that writes another limit is covered, too.
    #[test]
    fn a_clamp_goes_to_every_attempt() {
        let config = Rc::new(config("clamp"));
        let body = r#"{"model":"m/all","messages":[{"role":"user","content":"hi"}]}"#;
        for free in [40_000_000_000, 1_000_000_000_000, 100_000_000_000_000] {
            assert_eq!(check(&config, client::OPENAI_CHAT, body, free), PLACES.len());
        }
        let sent = send(&config, client::OPENAI_CHAT, body, 100_000_000_000_000).unwrap();
        for Sent { dialect, body, .. } in sent {
            assert!(
                completion_tokens(dialect, &body).unwrap() <= 32_000,
                "{dialect}: {body}"
            );
        }
    }

    /// What nothing bounds is held at the context, kept as it is, or refused, as the operator says.
    #[test]
    fn what_nothing_bounds_is_the_operators_choice() {
        let open = r#"{"model":"m/p0","messages":[{"role":"user","content":"hi"}]}"#;
        let sound = r#"{"model":"m/p0","max_tokens":9,"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}"#;
        let page = r#"{"model":"m/p0","max_tokens":9,"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"https://h/a.pdf"}}]}]}"#;
        let free = 10_000_000_000_000;
        let held = |unbounded: &str, body: &str| {
            let sent = send(&Rc::new(config(unbounded)), client::OPENAI_CHAT, body, free)?;
            Some((sent[0].held.0, completion_tokens("openai-chat", &sent[0].body)))
        };
        let (clamped, limit) = held("clamp", open).unwrap();
        assert!(
            limit == Some(32_000) && clamped >= 32_000 * COMPLETION,
            "{clamped} {limit:?}"
        );
        let (reserved, limit) = held("reserve", open).unwrap();
        assert!(limit.is_none() && reserved >= 1_000 * COMPLETION && reserved < clamped);
        assert_eq!(held("refuse", open), None);
        for body in [sound, page] {
            let (clamped, _) = held("clamp", body).unwrap();
            assert!(clamped >= 200_000 * PROMPT, "{clamped}");
            let (reserved, _) = held("reserve", body).unwrap();
            assert!(reserved < 1_000 * PROMPT);
            assert_eq!(held("refuse", body), None);
        }
    }
}
