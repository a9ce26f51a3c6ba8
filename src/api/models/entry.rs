//! One model in OpenRouter's shape.

use crate::config::{Endpoint, Model};
use crate::meter::ranking::Count;
use crate::meter::{KINDS, PicoUsd, Price};
use crate::provider::{Modalities, Parameters};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// The path of the list of models; the paths of each are below it.
pub const MODELS: &str = "/v1/models";

/// What the endpoints of a model come to together: the limits of the top provider, which is the cheapest, the longest
/// context that any endpoint has, and each modality and parameter that any endpoint knows.
pub(super) struct Shown<'a> {
    pub(super) model: &'a Model,
    pub(super) endpoints: Vec<&'a Endpoint>,
    /// The alias under which it is shown, if it is one.
    pub(super) alias: Option<&'a str>,
    pub(super) top: Option<&'a Endpoint>,
    pub(super) context: Option<u64>,
    pub(super) input: Modalities,
    pub(super) output: Modalities,
    pub(super) parameters: Parameters,
    /// How much it was used in a week, where the order goes by that.
    pub(super) used: Option<Count>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(model: &'a Model, endpoints: Vec<&'a Endpoint>) -> Self {
        let facts = || endpoints.iter().map(|endpoint| endpoint.facts);
        Self {
            model,
            alias: None,
            top: endpoints
                .iter()
                .copied()
                .min_by_key(|endpoint| Price::rank(endpoint.price.as_ref())),
            context: facts().filter_map(|facts| facts.context_length).max(),
            input: facts()
                .map(|facts| facts.input_modalities)
                .fold(Modalities::default(), Modalities::union),
            output: facts()
                .map(|facts| facts.output_modalities)
                .fold(Modalities::default(), Modalities::union),
            parameters: facts()
                .map(|facts| facts.parameters)
                .fold(Parameters::default(), Parameters::union),
            endpoints,
            used: None,
        }
    }

    /// Who made it: what stands before the first slash of its name.
    pub(super) fn author(&self) -> &'a str {
        self.model.name.split('/').next().unwrap_or_default()
    }

    pub(super) fn entry(&self, prefix: &str) -> Entry<'a> {
        let model = self.model;
        Entry {
            id: self.alias.unwrap_or(&model.name),
            canonical_slug: &model.name,
            object: "model",
            name: &model.title,
            created: 0,
            owned_by: self.author(),
            context_length: self.context,
            architecture: self.architecture(),
            pricing: self.top.map(Pricing::of),
            top_provider: TopProvider {
                context_length: self.top.and_then(|endpoint| endpoint.facts.context_length),
                max_completion_tokens: self.top.and_then(|endpoint| endpoint.facts.max_completion_tokens),
                is_moderated: false,
            },
            supported_parameters: self.parameters.names().collect(),
            used_last_week: self
                .used
                .map(|Count { requests, tokens }| Used { requests, tokens }),
            alias_target: self.alias.map(|_| AliasTarget {
                name: &model.title,
                slug: &model.name,
            }),
            links: Details {
                details: format!("{prefix}{MODELS}/{}/endpoints", model.name),
            },
        }
    }

    pub(super) fn architecture(&self) -> Architecture {
        let joined = |modalities: Modalities| modalities.names().collect::<Vec<_>>().join("+");
        Architecture {
            modality: (!self.input.is_empty() && !self.output.is_empty())
                .then(|| format!("{}->{}", joined(self.input), joined(self.output))),
            input_modalities: self.input.names().collect(),
            output_modalities: self.output.names().collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Entry<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    used_last_week: Option<Used>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_target: Option<AliasTarget<'a>>,
    links: Details,
}

/// The model that an alias means first: <https://openrouter.ai/docs/client-sdks/typescript/models/modelaliastarget>.
#[derive(Serialize)]
struct AliasTarget<'a> {
    name: &'a str,
    slug: &'a str,
}

#[derive(Serialize)]
struct Used {
    requests: u64,
    tokens: u64,
}

#[derive(Serialize)]
struct Details {
    /// Where its endpoints are told of.
    details: String,
}

#[derive(Serialize)]
pub(super) struct Architecture {
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

/// USD per token, as decimal strings; under `overrides` what stands instead where the prompt is long, or at some times of
/// the day.
pub(super) struct Pricing<'a> {
    /// `None`: no price is known.
    price: Option<&'a Price>,
    when: When,
}

/// When prices are paid.
enum When {
    Usually,
    /// Where the prompt has more tokens.
    Above(u64),
    /// Between these minutes of the day (UTC).
    Between(u16, u16),
}

impl<'a> Pricing<'a> {
    pub(super) const fn of(endpoint: &'a Endpoint) -> Self {
        Self {
            price: endpoint.price.as_ref(),
            when: When::Usually,
        }
    }
}

/// OpenRouter's word for a price that is not known beforehand, as of its `openrouter/auto`.
const UNKNOWN: &str = "-1";

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
        match self.when {
            When::Usually => {}
            When::Above(above) => map.serialize_entry("min_prompt_tokens", &above)?,
            When::Between(from, to) => {
                let time = |minute| format!("{:02}:{:02}", minute / 60, minute % 60);
                map.serialize_entry("from", &time(from))?;
                map.serialize_entry("to", &time(to))?;
            }
        }
        let Price {
            prompt,
            completion,
            request,
            kinds,
            steps,
            times,
        } = match self.price {
            Some(price) => price,
            None => {
                for name in ["prompt", "completion"] {
                    map.serialize_entry(name, UNKNOWN)?;
                }
                return map.end();
            }
        };
        let always = [("prompt", Some(*prompt)), ("completion", Some(*completion))];
        let prices = always.into_iter().chain(NAMES.into_iter().zip(*kinds));
        for (name, price) in prices {
            if let Some(price) = price {
                map.serialize_entry(name, &price.to_string())?;
            }
        }
        if *request != PicoUsd::default() {
            map.serialize_entry("request", &request.to_string())?;
        }
        let steps = steps.iter().map(|step| Self {
            price: Some(&step.price),
            when: When::Above(step.above),
        });
        let times = times.iter().map(|time| Self {
            price: Some(&time.price),
            when: When::Between(time.from, time.to),
        });
        let overrides: Vec<_> = times.chain(steps).collect();
        if !overrides.is_empty() {
            map.serialize_entry("overrides", &overrides)?;
        }
        map.end()
    }
}
