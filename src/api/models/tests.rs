use super::*;
use crate::meter::ranking;
use crate::test;
use serde_json::{Value, json};

fn config() -> Config {
    let endpoint = |provider: &str, model: &str, prompt: &str, context: u64| {
        json!({
            "provider": provider, "model": model, "price": {"prompt": prompt, "completion": "8"},
            "quantization": "fp8", "region": "eu",
            "context_length": context, "input_modalities": ["text", "image"], "output_modalities": ["text"],
            "supported_parameters": ["tools", "seed"],
        })
    };
    let mut big = endpoint("openai", "big", "4", 200_000);
    big["region"] = json!("us-east-1");
    big["zdr"] = json!(true);
    let value = json!({
        "providers": {"openai": {}, "groq": {"data_collection": "deny"}},
        "models": {
            "acme/big": {"endpoints": [big]},
            "acme/fast": {"endpoints": [endpoint("groq", "fast", "1", 8_000), endpoint("openai", "fast", "2", 16_000)]},
            "other/plain": {"endpoints": [{"provider": "openai", "model": "plain"}]},
            "other/vectors": {"endpoints": [{
                "provider": "openai", "model": "vectors", "price": {"prompt": "0.02", "completion": "0"}, "context_length": 8_192,
                "input_modalities": ["text"], "output_modalities": ["embeddings"],
            }]},
        },
    });
    Config::read(&value, None).unwrap()
}

/// Only the endpoints of `acme/fast` have been asked: the dearer of them is the faster, and down.
fn live(key: u64) -> Live {
    let of = |provider| crate::hash::stable(&[provider, "fast"]);
    let known = |standing, latency, throughput| Live {
        standing: Some(standing),
        uptime: [Some(995), None, Some(1_000)],
        latency_ms: Some([latency; 4]),
        tokens_per_10_s: Some([throughput, throughput - 1, throughput - 2, throughput - 3]),
    };
    if key == of("groq") {
        known(Standing::Healthy, 250, 455)
    } else if key == of("openai") {
        known(Standing::Down, 90, 1_200)
    } else {
        Live::default()
    }
}

const NOW: u64 = 1_800_000_000_000;

/// `acme/fast` was used this hour, `other/plain` less often but for longer prompts, two days ago, and a model that has left.
fn ranking(config: &Config) -> Ranking {
    let use_of = |requests, tokens| ranking::Count { requests, tokens };
    let used = [
        ("acme/fast", use_of(9, 900), NOW - 1_000),
        ("other/plain", use_of(2, 5_000), NOW - 2 * 86_400_000),
        ("acme/gone", use_of(99, 99_000), NOW),
    ];
    let keys = used.map(|(name, ..)| ranking::key(name));
    let index = keys.iter().try_fold(ranking::Index::default(), |index, key| {
        index.with(*key, NOW - 3 * 86_400_000)
    });
    let record = |key| {
        let at = keys.iter().position(|other| *other == key).unwrap();
        ranking::Record::default().add(used[at].1, used[at].2)
    };
    Ranking::read(config, &index.unwrap(), record, NOW)
}

fn ask(target: &str) -> Result<Value, String> {
    let config = config();
    let market = Market {
        config: &config,
        rules: &[],
        prefix: "",
        live: &live,
        ranking: &|| ranking(&config),
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match market.answer(path, query).unwrap() {
        Ok(body) => Ok(serde_json::from_slice(&body).unwrap()),
        Err(error) => Err(format!("{} {}", error.status(), error.message)),
    }
}

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
fn an_unknown_price_is_shown_as_such() {
    let page = ask("/v1/models?q=plain").unwrap();
    let unknown = json!({"prompt": "-1", "completion": "-1"});
    assert_eq!(page["data"][0]["pricing"], unknown);
    let page = ask("/v1/models/other/plain/endpoints").unwrap();
    assert_eq!(page["data"]["endpoints"][0]["pricing"], unknown);
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

#[test]
fn one_model_is_told_in_both_shapes() {
    let list = ask("/v1/models?q=acme/fast").unwrap();
    let entry = &list["data"][0];
    assert_eq!(entry["links"]["details"], "/v1/models/acme/fast/endpoints");
    assert_eq!(&ask("/v1/models/acme/fast").unwrap(), entry);
    assert_eq!(&ask("/v1/models/acme%2Ffast").unwrap(), entry);
    assert_eq!(ask("/v1/model/acme/fast").unwrap(), json!({"data": entry}));
    for path in [
        "/v1/models/acme/none",
        "/v1/models/",
        "/v1/models/acme/none/endpoints",
        "/v1/model/acme/fast/endpoints",
        "/v1/models/%zz",
    ] {
        let error = ask(path).unwrap_err();
        assert!(error.starts_with("404 no model named"), "{error}");
    }
}

#[test]
fn endpoints_are_shown_with_how_they_do() {
    let data = ask("/v1/models/acme/fast/endpoints").unwrap()["data"].clone();
    assert_eq!(
        (&data["id"], &data["architecture"]["modality"]),
        (&json!("acme/fast"), &json!("text+image->text"))
    );
    let [groq, openai] = data["endpoints"].as_array().unwrap().as_slice() else {
        panic!("{data}")
    };
    assert_eq!(
        (&groq["provider_name"], &groq["tag"]),
        (&json!("groq"), &json!("groq/eu"))
    );
    assert_eq!(
        (&groq["status"], &groq["standing"]),
        (&json!(0), &json!("healthy"))
    );
    assert_eq!(
        (&openai["status"], &openai["standing"]),
        (&json!(-3), &json!("down"))
    );
    assert_eq!(
        (
            &groq["uptime_last_5m"],
            &groq["uptime_last_30m"],
            &groq["uptime_last_1d"]
        ),
        (&json!(99.5), &Value::Null, &json!(100.0))
    );
    assert_eq!(groq["latency_last_30m"]["p99"], 250.0);
    assert_eq!(
        groq["throughput_last_30m"],
        json!({"p50": 45.5, "p75": 45.4, "p90": 45.3, "p99": 45.2})
    );
    assert_eq!(
        (&openai["context_length"], &openai["pricing"]["prompt"]),
        (&json!(16_000), &json!("0.000002"))
    );
    assert_eq!(groq["quantization"], "fp8");
    let policy = |one: &Value| [&one["region"], &one["zdr"], &one["data_collection"]].map(Clone::clone);
    assert_eq!(policy(groq), [json!("eu"), Value::Null, json!("deny")]);
    let big = ask("/v1/models/acme/big/endpoints").unwrap()["data"]["endpoints"][0].clone();
    assert_eq!(policy(&big), [json!("us-east-1"), json!(true), Value::Null]);
    let data = ask("/v1/models/other/plain/endpoints").unwrap()["data"].clone();
    let unknown = &data["endpoints"][0];
    for name in [
        "status",
        "standing",
        "uptime_last_5m",
        "latency_last_30m",
        "throughput_last_30m",
        "quantization",
        "region",
        "zdr",
        "data_collection",
    ] {
        assert_eq!(unknown.get(name), Some(&Value::Null), "{name}");
    }
}

#[test]
fn providers_are_listed() {
    let list = ask("/v1/providers").unwrap();
    let groq = json!({
        "name": "groq", "slug": "groq", "privacy_policy_url": null, "terms_of_service_url": null, "status_page_url": null,
        "headquarters": null, "datacenters": null, "dialect": "openai-chat", "on_cancel": "bills_all", "models": 1,
    });
    assert_eq!(list["data"][0], groq);
    assert_eq!(
        (&list["data"][1]["slug"], &list["data"][1]["models"]),
        (&json!("openai"), &json!(4))
    );
}

#[test]
fn the_most_used_models_are_ranked() {
    let row = |rank, slug: &str, requests, tokens| json!({"rank": rank, "id": slug, "name": slug, "requests": requests, "tokens": tokens});
    let (fast, plain) = (
        |rank| row(rank, "acme/fast", 9, 900),
        |rank| row(rank, "other/plain", 2, 5_000),
    );
    for (query, rows) in [
        ("", json!([plain(1), fast(2)])),
        ("?period=week&sort=requests", json!([fast(1), plain(2)])),
        ("?sort=requests&limit=1", json!([fast(1)])),
        ("?period=day", json!([fast(1)])),
    ] {
        let list = ask(&format!("/v1/rankings{query}")).unwrap();
        assert_eq!(list["data"], rows, "{query}");
        assert_eq!(list["since"], (NOW - 3 * 86_400_000) / 1_000);
    }
    let day = ask("/v1/rankings?period=day").unwrap();
    assert_eq!(
        (&day["period"], &day["sort"], &day["total_count"]),
        (&json!("day"), &json!("tokens"), &json!(1))
    );
    for (query, part) in [
        ("period=month", "period: expected day or week, found \"month\""),
        ("sort=cost", "sort: expected tokens or requests"),
        ("limit=0", "limit: expected a whole number"),
        (
            "offset=1",
            "the parameter \"offset\" is unknown; known: period, sort, limit",
        ),
        ("sort=tokens&sort=tokens", "is given twice"),
    ] {
        let error = ask(&format!("/v1/rankings?{query}")).unwrap_err();
        assert!(error.starts_with("400 ") && error.contains(part), "{error}");
    }
}

#[test]
fn use_is_told_where_models_are_ordered_by_it() {
    let of = |query: &str| ask(&format!("/v1/models?{query}")).unwrap()["data"].clone();
    let weekly = of("sort=top-weekly");
    assert_eq!(
        weekly[0]["used_last_week"],
        json!({"requests": 2, "tokens": 5_000})
    );
    assert_eq!(weekly[3]["used_last_week"], json!({"requests": 0, "tokens": 0}));
    assert_eq!(of("q=fast")[0].get("used_last_week"), None);
}

#[test]
fn other_paths_are_not_of_the_market() {
    let config = config();
    let market = Market {
        config: &config,
        rules: &[],
        prefix: "",
        live: &live,
        ranking: &|| ranking(&config),
    };
    for path in [
        "/",
        "",
        "/v1/modelsx",
        "/v1/model",
        "/v1/models2/a",
        "/v1/rankings/",
        "/v1/providers/",
    ] {
        assert!(market.answer(path, "").is_none(), "{path}");
    }
}

#[test]
fn aliases_are_listed_with_what_they_mean() {
    let value = json!({
        "providers": {"openai": {}},
        "models": {
            "acme/big-1": {"endpoints": [{"provider": "openai"}]},
            "acme/big-2": {"endpoints": [{"provider": "openai"}]},
        },
        "aliases": {"fast": ["acme/big-1:nitro", "acme/big-2"], "best": "crosspoint/auto"},
        "auto": {"models": {"acme/big-2": {"score": 1}}},
    });
    let config = Config::read(&value, None).unwrap();
    let market = Market {
        config: &config,
        rules: &[],
        prefix: "",
        live: &|_| Live::default(),
        ranking: &Ranking::default,
    };
    let ask = |path: &str, query: &str| -> Value {
        let body = market.answer(path, query).unwrap().unwrap();
        serde_json::from_slice(&body).unwrap()
    };
    let list = ask(MODELS, "");
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["id"])
        .collect();
    assert_eq!(ids, ["acme/big-1", "acme/big-2", "fast"]);
    assert!(list["data"][0].get("alias_target").is_none());
    let target = json!({"name": "acme/big-1", "slug": "acme/big-1"});
    assert_eq!(list["data"][2]["alias_target"], target);
    assert_eq!(ask(MODELS, "q=fast")["total_count"], 1);
    assert_eq!(ask("/v1/models/fast", "")["canonical_slug"], "acme/big-1");
    let latest = ask("/v1/models/~acme/big-latest", "");
    assert_eq!(latest["id"], "~acme/big-latest");
    assert_eq!(latest["alias_target"]["slug"], "acme/big-2");
    assert_eq!(ask("/v1/models/fast/endpoints", "")["data"]["id"], "acme/big-1");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[std::prelude::v1::test]
        fn any_query_is_answered_or_refused(query in "([a-z_]{1,12}=[-%+,0-9a-fé&=]{0,12}&?){0,4}|\\PC{0,40}") {
            let config = config();
            let market = Market { config: &config, rules: &[], prefix: "", live: &live, ranking: &|| ranking(&config) };
            let answer = market.answer(MODELS, &query);
            prop_assert!(answer.is_some_and(|answer| answer.is_ok() || answer.is_err_and(|error| error.status() == 400)));
        }

        #[std::prelude::v1::test]
        fn known_parameters_take_any_value(at in 0..17_usize, value in "[-%+,.0-9a-f]{0,24}") {
            let names = "q supported_parameters input_modalities output_modalities providers model_authors context min_price \
                         max_price min_output_price max_output_price zdr data_collection region sort offset limit";
            let name = names.split_whitespace().nth(at).unwrap();
            let config = config();
            let market = Market { config: &config, rules: &[], prefix: "", live: &live, ranking: &|| ranking(&config) };
            if let Some(Err(error)) = market.answer(MODELS, &format!("{name}={value}")) {
                prop_assert!(!error.message.contains("is unknown; known: q,"), "{}", error.message);
            }
        }

        #[std::prelude::v1::test]
        fn any_path_is_answered(path in "/v1/models?/(\\PC|%|/){0,20}") {
            let config = config();
            let market = Market { config: &config, rules: &[], prefix: "", live: &live, ranking: &|| ranking(&config) };
            if let Some(Err(error)) = market.answer(&path, "") {
                prop_assert_eq!(error.status(), 404);
            }
        }
    }
}
