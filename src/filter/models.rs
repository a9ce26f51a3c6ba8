//! `GET /v1/models`.

use crate::config::{Config, Model};
use crate::json;
use crate::meter::PicoUsd;
use serde::Serialize;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    name: &'a str,
    created: u64,
    owned_by: &'a str,
    pricing: Pricing,
}

/// USD per token, as decimal strings: the form that OpenRouter documents.
#[derive(Serialize)]
struct Pricing {
    prompt: String,
    completion: String,
}

/// The body of the answer.
pub(super) fn body(config: &Config) -> Vec<u8> {
    let data = config.models.iter().map(entry).collect();
    json::to_vec(&List { object: "list", data })
}

/// The price shown is that of the cheapest endpoint.
fn entry(model: &Model) -> Entry<'_> {
    let price = model
        .endpoints
        .iter()
        .map(|endpoint| endpoint.price.clone())
        .min_by_key(|price| price.rank())
        .unwrap_or_default();
    let usd = |price: PicoUsd| price.to_string();
    Entry {
        id: &model.name,
        object: "model",
        name: &model.name,
        created: 0,
        owned_by: model.name.split('/').next().unwrap_or_default(),
        pricing: Pricing {
            prompt: usd(price.prompt),
            completion: usd(price.completion),
        },
    }
}
