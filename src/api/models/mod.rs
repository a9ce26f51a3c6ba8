//! `GET` of models, their endpoints with state and speed, providers, and the most used models.
//!
//! The paths, their parameters and the shapes of the answers are OpenRouter's
//! (<https://openrouter.ai/docs/api_reference/models>); `GET /v1/models/{id}` alone is OpenAI's, whose SDKs ask for it. A
//! [`Listing`] brings the configuration, and functions that read health and use: this room does not know where these lie.

mod endpoints;
mod entry;
mod listing;
mod providers;
mod query;
mod ranking;
mod rankings;

use super::data::Data;
use super::parameters::decode;
use crate::error::{Error, Kind, quoted};
use crate::json;
pub use entry::MODELS;
use entry::{Entry, Shown};
pub use listing::{Listing, Live};
use query::{Query, Sort};
pub use ranking::Ranking;
use serde::Serialize;

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

impl Listing<'_> {
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
}

/// The shape of one model.
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
