//! Serves what callers may read: `GET` of the paths of [`crate::api::models`].

use super::state::Gateway;
use super::{health, host, ranking, reply};
use crate::api::console;
use crate::api::models::{Listing, MODELS};
use crate::config::PolicyScope;
use crate::exchange::Head;

/// The answer to `GET` of a path and its query; `None` for a path that is not one of these.
pub(super) fn answer(gateway: &Gateway, terms: PolicyScope, path: &str, query: &str) -> Option<Head> {
    let now = host::now_ms();
    let config = &gateway.config;
    let rules = config.policies(terms);
    let listing = Listing {
        config,
        rules: &rules,
        prefix: config.prefix(terms),
        live: &|key| health::live(gateway.namespace, key, now),
        ranking: &|| ranking::read(gateway.namespace, &gateway.config, now),
    };
    let ruled = terms.key.and_then(|key| config.keys.get(key));
    let ruled = ruled.is_some_and(|key| key.policy.is_some());
    let place = terms.route.map_or(0, |route| route.saturating_add(1));
    let Some(models) = gateway
        .models
        .get(place)
        .filter(|_| (path, query) == (MODELS, "") && !ruled)
    else {
        return Some(reply::result(listing.answer(path, query)?));
    };
    let kept = models.get();
    let body = match kept {
        Some(body) => Ok(body.clone()),
        None => listing.answer(path, query)?,
    };
    if let (None, Ok(body)) = (kept, &body) {
        let _ = models.set(body.clone());
    }
    Some(reply::result(body))
}

/// The page.
pub(super) fn page() -> Head {
    Head {
        status: 200,
        headers: console::headers(),
        body: console::PAGE.as_bytes().to_vec(),
    }
}
