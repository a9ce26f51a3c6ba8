//! The endpoints of a model, with how well each does.

use super::entry::{Architecture, Pricing, Shown};
use super::listing::{Listing, Live};
use crate::api::data::Data;
use crate::config::{Endpoint, Model};
use crate::health::Standing;
use crate::json;
use crate::meter::Price;
use serde::Serialize;

#[derive(Serialize)]
struct Endpoints<'a> {
    id: &'a str,
    name: &'a str,
    created: u64,
    architecture: Architecture,
    endpoints: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: String,
    model_id: &'a str,
    model_name: &'a str,
    provider_name: &'a str,
    /// What `provider.only` and its like call it.
    tag: String,
    quantization: Option<&'static str>,
    /// Where it is, and what becomes of what is sent there, as far as the configuration says.
    region: Option<&'a str>,
    zdr: Option<bool>,
    data_collection: Option<&'static str>,
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_prompt_tokens: Option<u64>,
    pricing: Pricing<'a>,
    supported_parameters: Vec<&'static str>,
    status: Option<i8>,
    /// The status in a word.
    standing: Option<&'static str>,
    uptime_last_5m: Option<f64>,
    uptime_last_30m: Option<f64>,
    uptime_last_1d: Option<f64>,
    latency_last_30m: Option<Percentiles>,
    throughput_last_30m: Option<Percentiles>,
}

#[derive(Serialize)]
struct Percentiles {
    p50: f64,
    p75: f64,
    p90: f64,
    p99: f64,
}

impl Percentiles {
    fn of([p50, p75, p90, p99]: [f64; 4]) -> Self {
        Self { p50, p75, p90, p99 }
    }
}

/// The endpoints of a model, the cheapest first.
pub(super) fn body(listing: &Listing<'_>, shown: &Shown<'_>) -> Vec<u8> {
    let model = shown.model;
    let mut endpoints = shown.endpoints.clone();
    endpoints.sort_by_key(|endpoint| Price::rank(endpoint.price.as_ref()));
    json::to_vec(&Data {
        data: Endpoints {
            id: &model.name,
            name: &model.title,
            created: 0,
            architecture: shown.architecture(),
            endpoints: endpoints
                .into_iter()
                .map(|endpoint| entry(listing, model, endpoint))
                .collect(),
        },
    })
}

fn entry<'a>(listing: &Listing<'a>, model: &'a Model, endpoint: &'a Endpoint) -> Entry<'a> {
    let provider = listing.config.providers.get(endpoint.provider);
    let provider = provider.map_or("", |provider| &provider.id);
    let Live {
        standing,
        uptime: [uptime_5m, uptime_30m, uptime_1d],
        latency_ms,
        tokens_per_10_s,
    } = listing.live(endpoint);
    let tenths = |value: u32| f64::from(value) / 10.0;
    Entry {
        name: format!("{provider} | {}", model.name),
        model_id: &model.name,
        model_name: &model.title,
        provider_name: provider,
        tag: match &endpoint.policy.region {
            Some(region) => format!("{provider}/{region}"),
            None => provider.to_owned(),
        },
        quantization: endpoint.facts.quantization,
        region: endpoint.policy.region.as_deref(),
        zdr: endpoint.policy.zdr,
        data_collection: endpoint
            .policy
            .collects_data
            .map(|collects| if collects { "allow" } else { "deny" }),
        context_length: endpoint.facts.context_length,
        max_completion_tokens: endpoint.facts.max_completion_tokens,
        max_prompt_tokens: None,
        pricing: Pricing::of(endpoint),
        supported_parameters: endpoint.facts.parameters.names().collect(),
        status: standing.map(|standing| status(standing).0),
        standing: standing.map(|standing| status(standing).1),
        uptime_last_5m: uptime_5m.map(tenths),
        uptime_last_30m: uptime_30m.map(tenths),
        uptime_last_1d: uptime_1d.map(tenths),
        latency_last_30m: latency_ms.map(|values| Percentiles::of(values.map(f64::from))),
        throughput_last_30m: tokens_per_10_s.map(|values| Percentiles::of(values.map(tenths))),
    }
}

/// OpenRouter's number, of which it only says that 0 is healthy and the others are below, and our word.
const fn status(standing: Standing) -> (i8, &'static str) {
    match standing {
        Standing::Healthy => (0, "healthy"),
        Standing::RateLimited => (-1, "rate_limited"),
        Standing::Trial => (-2, "recovering"),
        Standing::Down => (-3, "down"),
    }
}
