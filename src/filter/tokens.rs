//! The tokens that providers want, in Envoy's shared data: fetched by one worker ahead of their end, read by all.
//!
//! A root context looks by tick whether a token has to be fetched, and makes the call: its reply comes to the root, which
//! no client can take away.

use super::host::{self, Level};
use super::slot::Slot;
use super::state::Gateway;
use super::store;
use crate::auth::access_token::{TokenRecord, TokenState};
use crate::auth::{Credential, Secret, TokenKey, google};
use crate::config::Config;
use crate::middleware::Reply;
use std::cell::RefCell;

/// Milliseconds that a token must still hold for an attempt to be planned with it.
const SPARE_MS: u64 = 30_000;

thread_local! {
    static FETCHES: RefCell<Vec<Fetch>> = const { RefCell::new(Vec::new()) };
}

/// A call under way.
#[derive(Debug)]
struct Fetch {
    call: u32,
    /// The record of the token.
    key: store::Key,
    claimed: TokenRecord,
    provider: String,
}

fn standing(slot: &Slot, id: &str, spare_ms: u64, now: u64) -> TokenState {
    let (bytes, _) = store::read(&store::Key::token(slot.namespace, id));
    TokenRecord::from_bytes(&bytes).standing(spare_ms, now)
}

/// The token with this id, while it holds.
pub(super) fn find(slot: &Slot, id: &str, now: u64) -> Option<Secret> {
    match standing(slot, id, 0, now) {
        TokenState::Ready(token) => Some(token),
        TokenState::Coming | TokenState::Missing => None,
    }
}

/// True if the token of the first candidate is being fetched.
pub(super) fn is_coming(slot: &Slot, now: u64) -> bool {
    let id = slot.with(|exchange| exchange.next_token()).flatten();
    id.is_some_and(|id| standing(slot, &id, SPARE_MS, now) == TokenState::Coming)
}

/// Takes candidates without a token out of the front of the plan.
pub(super) fn drop_missing_first(slot: &Slot, now: u64) {
    while let Some(id) = slot.with(|exchange| exchange.next_token()).flatten() {
        if matches!(standing(slot, &id, SPARE_MS, now), TokenState::Ready(_)) {
            return;
        }
        slot.with(|exchange| exchange.drop_without(&id, now));
    }
}

/// Takes candidates without a token out of the rest of the plan: an attempt can neither wait nor pass itself over.
pub(super) fn drop_missing(slot: &Slot, now: u64) {
    let ids = slot.with(|exchange| exchange.tokens_ahead()).unwrap_or_default();
    for id in ids {
        if !matches!(standing(slot, &id, SPARE_MS, now), TokenState::Ready(_)) {
            slot.with(|exchange| exchange.drop_without(&id, now));
        }
    }
}

/// Fetches the tokens that are due. The calls are made for the effective context, which must be the root's.
pub(super) fn tick(gateway: &Gateway, now: u64) {
    for (provider, key) in keys(&gateway.config) {
        fetch(gateway.namespace, provider, key, now);
    }
}

fn keys(config: &Config) -> impl Iterator<Item = (&str, &TokenKey)> {
    config
        .providers
        .iter()
        .filter_map(|provider| match &provider.key {
            Some(Credential::Google(key)) => Some((provider.id.as_str(), key.as_ref())),
            Some(Credential::Plain(_) | Credential::Aws(_)) | None => None,
        })
}

/// Fetches a token, if that is due and no other worker is at it.
fn fetch(namespace: u64, provider: &str, key: &TokenKey, now: u64) {
    let record_key = store::Key::token(namespace, &key.id);
    let (bytes, version) = store::read(&record_key);
    let Some(claimed) = TokenRecord::from_bytes(&bytes).claim(now) else {
        return;
    };
    if !store::swap(&record_key, &claimed.to_bytes(), version) {
        return;
    }
    let source = key.source();
    let callout = source.and_then(|source| google::request(&source, &key.url, &key.cluster, now));
    match callout.and_then(|callout| host::call(&callout)) {
        Some(call) => FETCHES.with_borrow_mut(|fetches| {
            fetches.push(Fetch {
                call,
                key: record_key,
                claimed,
                provider: provider.to_owned(),
            });
        }),
        None => {
            warn(
                provider,
                &format!("the cluster {} could not be called", key.cluster),
            );
            store::put(&record_key, &claimed.failed(now).to_bytes());
        }
    }
}

/// Takes the reply to a call; `false`: the call was none of these.
pub(super) fn answered(call: u32, reply: &Reply, now: u64) -> bool {
    let found = FETCHES.with_borrow_mut(|fetches| {
        let at = fetches.iter().position(|fetch| fetch.call == call)?;
        Some(fetches.swap_remove(at))
    });
    let Some(Fetch {
        key,
        claimed,
        provider,
        ..
    }) = found
    else {
        return false;
    };
    match google::answer(reply, now) {
        // Any token will do, whichever worker has the lease by now.
        Ok(token) => {
            store::put(&key, &TokenRecord::fetched(token, now).to_bytes());
        }
        Err(why) => {
            warn(&provider, &why);
            let (bytes, version) = store::read(&key);
            let record = TokenRecord::from_bytes(&bytes);
            if record.is_leased_as(&claimed) {
                // If another worker was faster, its word stands.
                store::swap(&key, &record.failed(now).to_bytes(), version);
            }
        }
    }
    true
}

fn warn(provider: &str, why: &str) {
    host::log(
        Level::Warn,
        &format!("crosspoint: no token for provider {provider}: {why}"),
    );
}
