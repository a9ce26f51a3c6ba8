//! `GET /v1/models`, in OpenRouter's shape.

use crate::config::{Config, Endpoint, Model};
use crate::json;
use crate::meter::{KINDS, Price};
use crate::provider::{Modalities, Parameters};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    canonical_slug: &'a str,
    object: &'static str,
    name: &'a str,
    created: u64,
    owned_by: &'a str,
    context_length: Option<u64>,
    architecture: Architecture,
    pricing: Option<Pricing<'a>>,
    top_provider: TopProvider,
    supported_parameters: Vec<&'static str>,
}

#[derive(Serialize)]
struct Architecture {
    /// As in `text+image->text`.
    modality: Option<String>,
    input_modalities: Vec<&'static str>,
    output_modalities: Vec<&'static str>,
}

#[derive(Serialize)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    is_moderated: bool,
}

/// USD per token, as decimal strings; under `overrides` what stands instead where the prompt is long.
struct Pricing<'a> {
    price: &'a Price,
    above: Option<u64>,
}

/// OpenRouter's names of the prices of [`KINDS`], in their order.
const NAMES: [&str; KINDS.len()] = [
    "input_cache_read",
    "input_cache_write",
    "input_cache_write_1h",
    "internal_reasoning",
    "audio",
    "audio_output",
    "image_token",
    "image_output",
];

impl Serialize for Pricing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(above) = self.above {
            map.serialize_entry("min_prompt_tokens", &above)?;
        }
        let Price {
            prompt,
            completion,
            kinds,
            steps,
        } = self.price;
        let always = [("prompt", Some(*prompt)), ("completion", Some(*completion))];
        let prices = always.into_iter().chain(NAMES.into_iter().zip(*kinds));
        for (name, price) in prices {
            if let Some(price) = price {
                map.serialize_entry(name, &price.to_string())?;
            }
        }
        if !steps.is_empty() {
            let steps = steps.iter().map(|step| Self {
                price: &step.price,
                above: Some(step.above),
            });
            map.serialize_entry("overrides", &steps.collect::<Vec<_>>())?;
        }
        map.end()
    }
}

/// The body of the answer.
pub(super) fn body(config: &Config) -> Vec<u8> {
    let data = config.models.iter().map(entry).collect();
    json::to_vec(&List { object: "list", data })
}

/// The price shown is that of the cheapest endpoint, and so are the limits of the top provider; the context is the
/// longest that any endpoint has, and a modality or parameter is one that any endpoint knows.
fn entry(model: &Model) -> Entry<'_> {
    let endpoints = || model.endpoints.iter();
    let top = endpoints().min_by_key(|endpoint| endpoint.price.rank());
    let all =
        |of: fn(&Endpoint) -> Modalities| endpoints().map(of).fold(Modalities::default(), Modalities::union);
    let parameters = endpoints()
        .map(|endpoint| endpoint.facts.parameters)
        .fold(Parameters::default(), Parameters::union);
    let context = endpoints()
        .filter_map(|endpoint| endpoint.facts.context_length)
        .max();
    Entry {
        id: &model.name,
        canonical_slug: &model.name,
        object: "model",
        name: &model.title,
        created: 0,
        owned_by: model.name.split('/').next().unwrap_or_default(),
        context_length: context,
        architecture: architecture(
            all(|endpoint| endpoint.facts.input_modalities),
            all(|endpoint| endpoint.facts.output_modalities),
        ),
        pricing: top.map(|endpoint| Pricing {
            price: &endpoint.price,
            above: None,
        }),
        top_provider: TopProvider {
            context_length: top.and_then(|endpoint| endpoint.facts.context_length),
            max_completion_tokens: top.and_then(|endpoint| endpoint.facts.max_completion_tokens),
            is_moderated: false,
        },
        supported_parameters: parameters.names().collect(),
    }
}

fn architecture(input: Modalities, output: Modalities) -> Architecture {
    let joined = |modalities: Modalities| modalities.names().collect::<Vec<_>>().join("+");
    Architecture {
        modality: (!input.is_empty() && !output.is_empty())
            .then(|| format!("{}->{}", joined(input), joined(output))),
        input_modalities: input.names().collect(),
        output_modalities: output.names().collect(),
    }
}
