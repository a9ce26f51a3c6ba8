//! Settlement of an exchange: its receipt goes to the access log, the key's budget, the account and the statistics.

use super::contract::{GENERATION, OWN_DETAILS};
use super::slot::Slot;
use super::state::Gateway;
use super::{account, budget, health, host, ranking, stats};
use crate::exchange::Ending;

/// Settles an exchange, unless it is settled already. The host calls concern the effective context, which must be the
/// gateway placement's, in its log callback.
pub(super) fn settle(gateway: &Gateway, slot: &Slot) {
    let Some(exchange) = slot.take() else { return };
    let now = host::now_ms();
    let ending = ending(&host::property_text(&["response", "code_details"]));
    let (receipt, samples) = exchange.settle(ending, now);
    let _ = host::set_property(GENERATION, &receipt.to_json());
    budget::settle(gateway, slot, &receipt, now);
    if let Some(caller) = &slot.caller {
        account::keep(gateway.namespace, caller, &receipt, now);
    }
    health::store(gateway.namespace, samples, now);
    ranking::count(gateway.namespace, &receipt);
    stats::settled(&receipt, &gateway.config, gateway.namespace);
}

/// The end of a stream by Envoy's response code details. Envoy calls a reset by the peer `remote_reset` on either side, and
/// names the upstream side first.
fn ending(details: &str) -> Ending {
    match details {
        "via_upstream" | OWN_DETAILS => Ending::Complete,
        details if details.starts_with("upstream") => Ending::Broken,
        details if details.contains("downstream") || details.contains("remote_reset") => Ending::ClientLeft,
        _ => Ending::Broken,
    }
}
