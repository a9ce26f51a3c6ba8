//! The most used models. The path is ours: OpenRouter shows its rankings on its site only.

use super::listing::Listing;
use crate::api::parameters;
use crate::error::{Error, quoted};
use crate::json;
use crate::meter::ranking::Period;
use serde::Serialize;

/// The length of the list without a `limit`.
const USUAL_LIMIT: usize = 20;

#[derive(Serialize)]
struct Rankings<'a> {
    object: &'static str,
    period: &'static str,
    sort: &'static str,
    /// The begin of counting, in seconds since 1970.
    since: Option<u64>,
    data: Vec<Entry<'a>>,
    total_count: usize,
}

#[derive(Serialize)]
struct Entry<'a> {
    rank: usize,
    id: &'a str,
    name: &'a str,
    requests: u64,
    tokens: u64,
}

/// The models that were used, the most used first.
pub(super) fn body(listing: &Listing<'_>, text: &str) -> Result<Vec<u8>, Error> {
    let (mut period, mut sort, mut limit) = (("week", Period::Week), "tokens", USUAL_LIMIT);
    parameters::each(text, |name, value| {
        match (name, value) {
            ("period", "day") => period = ("day", Period::Day),
            ("period", "week") => period = ("week", Period::Week),
            ("period", _) => return Err(parameters::wrong(name, "day or week", value)),
            ("sort", "tokens") => sort = "tokens",
            ("sort", "requests") => sort = "requests",
            ("sort", _) => return Err(parameters::wrong(name, "tokens or requests", value)),
            ("limit", _) => limit = parameters::limit(value)?,
            _ => {
                return Err(Error::invalid(format!(
                    "the parameter {} is unknown; known: period, sort, limit",
                    quoted(name)
                )));
            }
        }
        Ok(())
    })?;
    let ranking = (listing.ranking)();
    let models = &listing.config.models;
    let used = ranking.of(period.1);
    let mut used: Vec<_> = used
        .filter(|(at, _)| listing.shown(*at).is_some())
        .filter_map(|(at, count)| Some((models.get(at)?, count)))
        .collect();
    used.sort_by_cached_key(|(_, count)| {
        let by = if sort == "tokens" {
            count.tokens
        } else {
            count.requests
        };
        !by
    });
    let data = used.iter().take(limit).enumerate();
    Ok(json::to_vec(&Rankings {
        object: "list",
        period: period.0,
        sort,
        since: ranking.since_ms.map(|ms| ms / 1_000),
        data: data
            .map(|(at, (model, count))| Entry {
                rank: at + 1,
                id: &model.name,
                name: &model.title,
                requests: count.requests,
                tokens: count.tokens,
            })
            .collect(),
        total_count: used.len(),
    }))
}
