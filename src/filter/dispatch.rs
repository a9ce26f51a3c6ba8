//! Dispatch of a planned request: sets everything that the router reads, and lets the request go on.

use super::contract::{CLUSTER, EXCHANGE, GENERATION, MAX_RETRIES_HEADER, PER_TRY_TIMEOUT_HEADER, STUB};
use super::host::{self, Map};
use super::registry::Slot;
use super::tokens;
use crate::error::{Error, Kind};
use proxy_wasm::types::Action;

/// Answers with an error, in the name of the exchange.
pub(super) fn refuse(slot: &Slot, error: Error) -> Action {
    if let Some(head) = slot.with(|exchange| exchange.refuse(error)) {
        host::respond(&head);
    }
    Action::Pause
}

/// Dispatches a planned request. The host calls concern the effective context, which must be the gateway placement's.
pub(super) fn dispatch(slot: &Slot) -> Action {
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
