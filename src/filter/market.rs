//! Serves what callers may read: `GET` of the paths of [`crate::market`].

use super::gateway::Gateway;
use super::{health, host};
use crate::dialect::client;
use crate::error::Error;
use crate::exchange::Head;
use crate::market::{MODELS, Market};
use crate::web;

/// The answer to `GET` of a path and its query; `None` for a path that is not one of these.
pub(super) fn answer(gateway: &Gateway, path: &str, query: &str) -> Option<Head> {
    let now = host::now_ms();
    let market = Market {
        config: &gateway.config,
        live: &|key| health::live(gateway.namespace, key, now),
    };
    if (path, query) != (MODELS, "") {
        return Some(head(market.answer(path, query)?));
    }
    let kept = gateway.models.get();
    let body = match kept {
        Some(body) => Ok(body.clone()),
        None => market.answer(path, query)?,
    };
    if let (None, Ok(body)) = (kept, &body) {
        let _ = gateway.models.set(body.clone());
    }
    Some(head(body))
}

/// The page.
pub(super) fn page() -> Head {
    Head {
        status: 200,
        headers: web::headers(),
        body: web::PAGE.as_bytes().to_vec(),
    }
}

fn head(body: Result<Vec<u8>, Error>) -> Head {
    let (status, body) = match body {
        Ok(body) => (200, body),
        Err(error) => (error.status(), client::OPENAI_CHAT.error(&error, &[])),
    };
    Head {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body,
    }
}
