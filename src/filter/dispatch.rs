//! Dispatch of a planned request: sets everything that the router reads, and lets the request proceed. A request
//! for a first provider without a token waits for the token here, for a while.

use super::contract::{CLUSTER, EXCHANGE, GENERATION, MAX_RETRIES_HEADER, PER_TRY_TIMEOUT_HEADER, STUB};
use super::host::{self, Level, Map, Stream};
use super::reply::refuse;
use super::slot::Slot;
use super::tokens;
use crate::error::{Error, Kind};
use proxy_wasm::types::Action;
use std::cell::RefCell;
use std::rc::Rc;

/// Milliseconds that a request may wait for a token.
const WAIT_MS: u64 = 5_000;

thread_local! {
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

/// A request that waits for the token of its first candidate.
#[derive(Debug)]
struct Waiting {
    slot: Rc<Slot>,
    until_ms: u64,
}

/// Dispatches a planned request, at once or as soon as the token of its first candidate is there. The host calls concern
/// the effective context, which must be the gateway placement's.
pub(super) fn dispatch(slot: &Rc<Slot>, now: u64) -> Action {
    if !tokens::is_coming(slot, now) {
        return send(slot);
    }
    let waiting = Waiting {
        slot: Rc::clone(slot),
        until_ms: now.saturating_add(WAIT_MS),
    };
    WAITING.with_borrow_mut(|all| all.push(waiting));
    Action::Pause
}

fn send(slot: &Slot) -> Action {
    let now = host::now_ms();
    tokens::drop_missing_first(slot, now);
    let planned = slot.with(|exchange| {
        (
            exchange.next_cluster().map(ToOwned::to_owned),
            exchange.max_retries(),
            exchange.per_try_timeout_ms(),
            exchange.id().to_owned(),
            exchange.provisional(now).to_json(),
        )
    });
    let (cluster, retries, timeout_ms, id, receipt) = match planned {
        Some((Some(cluster), retries, timeout_ms, id, receipt)) => {
            (cluster, retries, timeout_ms, id, receipt)
        }
        Some((None, ..)) => {
            let message = "no token could be had for any of the endpoints";
            return refuse(slot, Error::new(Kind::ProviderAuthentication, message));
        }
        None => return Action::Continue,
    };
    let _ = host::set_property(EXCHANGE, id.as_bytes());
    if !host::set_property(CLUSTER, cluster.as_bytes()) {
        return refuse(slot, Error::new(Kind::Server, "the cluster could not be set"));
    }
    let _ = host::set_property(GENERATION, &receipt);
    host::set_header(Map::Request, "content-length", &STUB.len().to_string());
    host::set_header(Map::Request, MAX_RETRIES_HEADER, &retries.to_string());
    host::set_header(Map::Request, PER_TRY_TIMEOUT_HEADER, &timeout_ms.to_string());
    host::clear_route_cache();
    Action::Continue
}

/// Sets the cluster of the next attempt, should Envoy make one.
pub(super) fn set_next_cluster(slot: &Slot) {
    let cluster = slot
        .with(|exchange| exchange.next_cluster().map(ToOwned::to_owned))
        .flatten();
    if let Some(cluster) = cluster
        && !host::set_property(CLUSTER, cluster.as_bytes())
    {
        host::log(Level::Warn, "crosspoint: the next cluster could not be set");
    }
}

/// Dispatches the requests that have their token by now, or have waited for it long enough.
pub(super) fn wake(now: u64) {
    let waiting = WAITING.take();
    let (stay, go): (Vec<_>, Vec<_>) = waiting
        .into_iter()
        .partition(|waiting| now < waiting.until_ms && tokens::is_coming(&waiting.slot, now));
    WAITING.with_borrow_mut(|all| all.extend(stay));
    for Waiting { slot, .. } in go {
        // A context that is gone by now is refused by the host, and an exchange that is over sends nothing.
        if slot.with(|_| ()).is_some()
            && host::set_effective_context(slot.gateway)
            && send(&slot) == Action::Continue
        {
            host::resume(Stream::Request);
        }
    }
}
