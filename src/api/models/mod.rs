//! What is served here, told to whoever asks: models, their endpoints with how well these do, providers, and which models
//! are used most.
//!
//! The paths, their parameters and the shapes of the answers are OpenRouter's
//! (<https://openrouter.ai/docs/api_reference/models>); `GET /v1/models/{id}` alone is OpenAI's, whose SDKs ask for it. It
//! reads the configuration and, through a function that the caller gives, what is known of an endpoint's health; it does
//! not know where that lies.

mod endpoints;
mod entry;
mod providers;
mod query;
mod ranking;
mod rankings;

use super::data::Data;
use crate::chat::Operation;
use crate::config::{Config, Endpoint, Model, Rules};
use crate::error::{Error, Kind, quoted};
use crate::health::Standing;
use crate::json;
use crate::meter::ranking::{Count, Period};
use crate::route;
use crate::route::names::{self, Base};
use entry::{Entry, Shown};
use query::{Query, Sort, decode};
pub use ranking::Ranking;
use serde::Serialize;

/// The path of the list.
pub const MODELS: &str = "/v1/models";

/// How an endpoint does. What is not known is shown as `null`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Whether it may be asked.
    pub standing: Option<Standing>,
    /// The share of its answers among its answers and failures, in thousandths: in the last 5 minutes, 30 minutes, day.
    pub uptime: [Option<u32>; 3],
    /// The time to the first token that 50, 75, 90 and 99 percent of its streams kept to, in milliseconds.
    pub latency_ms: Option<[u32; 4]>,
    /// The throughput that as many completions reached, in tokens per 10 seconds.
    pub tokens_per_10_s: Option<[u32; 4]>,
}

/// What is told of.
#[derive(Clone, Copy)]
pub struct Market<'a> {
    /// What is served.
    pub config: &'a Config,
    /// What the caller may use of it; the rest is not told of.
    pub rules: &'a [&'a Rules],
    /// What stands before the paths that the caller asks for.
    pub prefix: &'a str,
    /// How an endpoint does, by the key under which that is kept.
    pub live: &'a dyn Fn(u64) -> Live,
    /// How much its models were used.
    pub ranking: &'a dyn Fn() -> Ranking,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
    total_count: usize,
    links: Links,
}

#[derive(Serialize)]
struct Links {
    /// The next page.
    next: Option<String>,
}

#[derive(Serialize)]
struct Number {
    count: usize,
}

impl<'a> Market<'a> {
    /// The answer to `GET` of a path and its query; `None` for a path that is not one of these.
    pub fn answer(&self, path: &str, query: &str) -> Option<Result<Vec<u8>, Error>> {
        Some(match path {
            MODELS => self.list(query),
            "/v1/models/count" => self.count(query),
            "/v1/providers" => Ok(providers::body(self)),
            "/v1/rankings" => rankings::body(self, query),
            _ => {
                let (shape, name) = match path.strip_prefix("/v1/model/") {
                    Some(name) => (Shape::OpenRouter, name),
                    None => (Shape::OpenAi, path.strip_prefix("/v1/models/")?),
                };
                decode(name, false).map_or_else(|| Err(unknown(name)), |name| self.one(&name, shape))
            }
        })
    }

    fn list(&self, text: &str) -> Result<Vec<u8>, Error> {
        let query = Query::read(text)?;
        let models = self.chosen(&query);
        let page = models.iter().skip(query.offset).take(query.limit);
        Ok(json::to_vec(&List {
            object: "list",
            data: page.map(|shown| shown.entry(self.prefix)).collect(),
            total_count: models.len(),
            links: Links {
                next: query.next(self.prefix, text, models.len()),
            },
        }))
    }

    fn count(&self, text: &str) -> Result<Vec<u8>, Error> {
        let count = self.chosen(&Query::read(text)?).len();
        let data = Number { count };
        Ok(json::to_vec(&Data { data }))
    }

    /// The models that a query asks for, in the order that it asks for.
    fn chosen<'s>(&'s self, query: &Query) -> Vec<Shown<'s>> {
        let used = query
            .sort
            .is_some_and(Sort::is_by_use)
            .then(|| self.used_in_a_week());
        let models = (0..self.config.models.len()).filter_map(|at| {
            let used = used.as_ref().map(|used| {
                let found = used.binary_search_by_key(&at, |(at, _)| *at);
                let found = found.ok().and_then(|found| used.get(found));
                found.map(|(_, count)| *count).unwrap_or_default()
            });
            Some(Shown {
                used,
                ..self.shown(at)?
            })
        });
        let aliases = self.config.aliases.iter();
        let aliases = aliases.filter_map(|alias| self.named(&alias.name));
        let all = models.chain(aliases);
        let mut models: Vec<_> = all.filter(|shown| query.matches(self.config, shown)).collect();
        if let Some(sort) = query.sort {
            models.sort_by_cached_key(|shown| sort.key(self, shown));
        }
        models
    }

    /// By the places of models in the configuration, in its order.
    fn used_in_a_week(&self) -> Vec<(usize, Count)> {
        (self.ranking)().of(Period::Week).collect()
    }

    /// A model by itself, or its endpoints.
    fn one(&self, name: &str, shape: Shape) -> Result<Vec<u8>, Error> {
        let endpoints_of = name.strip_suffix("/endpoints").filter(|_| shape == Shape::OpenAi);
        if let Some(shown) = endpoints_of.and_then(|name| self.named(name)) {
            return Ok(endpoints::body(self, &shown));
        }
        let entry = self.named(name).ok_or_else(|| unknown(name))?.entry(self.prefix);
        Ok(match shape {
            Shape::OpenAi => json::to_vec(&entry),
            Shape::OpenRouter => json::to_vec(&Data { data: entry }),
        })
    }

    /// What is shown under a name: a model, or what an alias or a family means first.
    fn named<'s>(&'s self, name: &'s str) -> Option<Shown<'s>> {
        let Config { models, aliases, .. } = self.config;
        let base = names::base(models, aliases, name)?;
        let meant = match base {
            Base::Alias(at) => aliases.get(at)?.targets.first()?.base,
            Base::Model(_) | Base::Latest(_) | Base::Auto => base,
        };
        let (Base::Model(at) | Base::Latest(at)) = meant else {
            return None;
        };
        Some(Shown {
            alias: Some(name).filter(|_| !matches!(base, Base::Model(_))),
            ..self.shown(at)?
        })
    }

    /// A model with those of its endpoints that the caller may use, if there are any.
    fn shown(&self, at: usize) -> Option<Shown<'a>> {
        let model = self.config.models.get(at)?;
        let shown = Shown::of(model, self.endpoints(at, model));
        (self.rules.is_empty() || !shown.endpoints.is_empty()).then_some(shown)
    }

    /// The endpoints of a model that the caller may use.
    fn endpoints(&self, at: usize, model: &'a Model) -> Vec<&'a Endpoint> {
        let allowed = |endpoint: &&Endpoint| {
            let provider = self.config.providers.get(endpoint.provider);
            provider.is_some_and(|provider| route::is_allowed(self.rules, at, provider, endpoint))
        };
        model.endpoints.iter().filter(allowed).collect()
    }

    /// How an endpoint does at what it is mostly asked for.
    fn live(&self, endpoint: &Endpoint) -> Live {
        let operations = [Operation::Chat, Operation::Embeddings, Operation::Completions];
        let serves = |operation: &Operation| endpoint.dialect_for(*operation).is_some();
        let operation = operations.into_iter().find(serves).unwrap_or_default();
        (self.live)(operation.health_key(endpoint.health_key))
    }

    /// The medians of what is known of a model's endpoints.
    fn medians(&self, shown: &Shown<'_>, of: fn(Live) -> Option<[u32; 4]>) -> impl Iterator<Item = u32> {
        let endpoints = shown.endpoints.iter();
        endpoints.filter_map(move |endpoint| of(self.live(endpoint)).map(|[median, ..]| median))
    }
}

/// How one model is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The model itself.
    OpenAi,
    /// Under `data`.
    OpenRouter,
}

fn unknown(name: &str) -> Error {
    let name = quoted(name);
    Error::new(
        Kind::NotFound,
        format!("no model named {name} is served here; GET {MODELS} lists those that are"),
    )
}

#[cfg(test)]
mod tests;
