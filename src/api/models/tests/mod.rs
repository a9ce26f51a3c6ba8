mod queries;

use super::*;
use crate::config::Config;
use crate::health::Standing;
use crate::load;
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
    load::config(&value, None).unwrap()
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

fn answer(config: &Config, path: &str, query: &str) -> Option<Result<Vec<u8>, Error>> {
    let listing = Listing {
        config,
        rules: &[],
        prefix: "",
        live: &live,
        ranking: &|| ranking(config),
    };
    listing.answer(path, query)
}

fn ask(target: &str) -> Result<Value, String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match answer(&config(), path, query).unwrap() {
        Ok(body) => Ok(serde_json::from_slice(&body).unwrap()),
        Err(error) => Err(format!("{} {}", error.status(), error.message)),
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
fn other_paths_have_no_answer() {
    let config = config();
    for path in [
        "/",
        "",
        "/v1/modelsx",
        "/v1/model",
        "/v1/models2/a",
        "/v1/rankings/",
        "/v1/providers/",
    ] {
        assert!(answer(&config, path, "").is_none(), "{path}");
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
    let config = load::config(&value, None).unwrap();
    let ask = |path: &str, query: &str| -> Value {
        let body = answer(&config, path, query).unwrap().unwrap();
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
