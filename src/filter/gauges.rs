//! Gauges: shown by the tick, of all workers alike.

use super::host::{self, Metric};
use super::identity::Caller;
use super::labels::{unlabelled, with_family};
use super::state::Gateway;
use super::workers::Load;
use super::{budget, health, stats};
use crate::config::{ANY, ClientKey};
use crate::health::Standing;
use std::cell::Cell;

const BUDGET_USED: &str = "crosspoint.key_budget_used_pico_usd";
const BUDGET_LIMIT: &str = "crosspoint.key_budget_limit_pico_usd";
const EXCHANGES_OPEN: &str = "crosspoint.exchanges_open";
const MEMORY: &str = "crosspoint.memory_bytes";
const MEMORY_HELD: &str = "crosspoint.memory_held_bytes";

/// Milliseconds between two updates of the standing of endpoints. Prometheus asks every 15 seconds or so.
const STANDING_MS: u64 = 5_000;
/// Of how many keys a tick shows the budgets, so that a worker is not held up: those of a thousand keys take five seconds.
const KEYS_AT_ONCE: usize = 100;

thread_local! {
    /// The last update of the standing of endpoints.
    static SHOWN_MS: Cell<u64> = const { Cell::new(0) };
}

/// Shows how many exchanges are under way at all workers, how much memory the VM has that has most, and how the endpoints
/// stand, which all workers know alike.
pub(super) fn running(all: Load, now: u64) {
    gauge(EXCHANGES_OPEN, all.exchanges);
    gauge(MEMORY, all.taken);
    gauge(MEMORY_HELD, all.held);
    if now.saturating_sub(SHOWN_MS.get()) < STANDING_MS {
        return;
    }
    SHOWN_MS.set(now);
    for ((namespace, key), id) in stats::standings() {
        host::record_metric(id, rank(health::view(namespace, key, now).standing(now)));
    }
}

/// Shows what the next of the keys with budgets may use and have used. Every worker does: all read the same records, so
/// the last to write is right, and a span that is over is seen to be without a request. Callers who have the limits of
/// [`ANY`] are not in the configuration, and not shown.
pub(super) fn budgets(gateway: &Gateway, now: u64) {
    let keys = &gateway.config.keys;
    let limited = |key: &ClientKey| key.name != ANY && key.allowance.longest().is_some();
    let begin = gateway.shown.get();
    let mut next = 0;
    let rest = keys.iter().enumerate().skip(begin);
    for (at, key) in rest.filter(|(_, key)| limited(key)).take(KEYS_AT_ONCE) {
        next = at.saturating_add(1);
        let Ok(record) = budget::record(gateway, &Caller::of_key(at, key)) else {
            continue;
        };
        with_family(&[&key.name], |family| {
            for (span, limit) in key.allowance.budgets() {
                let window = [("window", span.name())];
                family.show(BUDGET_USED, &window, record.spent(span, now).0);
                family.show(BUDGET_LIMIT, &window, limit.0);
            }
        });
    }
    // At the end, it begins anew.
    gateway.shown.set(next % keys.len().max(1));
}

fn gauge(name: &'static str, value: u64) {
    if let Some(id) = unlabelled(Metric::Gauge, name) {
        host::record_metric(id, value);
    }
}

/// A standing as a number, the worse the higher: `status` of `/v1/models/…/endpoints` without its sign.
const fn rank(standing: Standing) -> u64 {
    match standing {
        Standing::Healthy => 0,
        Standing::RateLimited => 1,
        Standing::Trial => 2,
        Standing::Down => 3,
    }
}
