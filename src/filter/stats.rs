//! Envoy statistics: which there are, and which of them a settled exchange moves.
//!
//! Names are those of OpenTelemetry's conventions for generative AI, where these have one
//! (<https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai>): `gen_ai.server.…` is what our
//! callers see of us, an exchange at a time; `gen_ai.client.…` is what we see of a provider, an attempt at a time. Envoy's
//! histograms hold whole numbers and sum them up roughly, so times are in milliseconds or microseconds, as the name says,
//! and whatever is summed up is a counter, too. [`super::labels`] says how a name carries its labels.
//!
//! Every label has its values from the configuration or from a table of ours: nothing that a caller or a provider writes
//! makes a statistic.

use super::host::{self, Metric};
use super::identity::Caller;
use super::labels::{Family, with_family};
use super::state::Gateway;
use super::workers::Load;
use super::{budget, health};
use crate::chat::Operation;
use crate::config::{ANY, ClientKey, Config};
use crate::health::Standing;
use crate::meter::{AttemptLine, Outcome, Receipt};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

const REQUESTS: &str = "crosspoint.requests";
const ERRORS: &str = "crosspoint.errors";
const ATTEMPTS: &str = "crosspoint.attempts";
const FAILOVERS: &str = "crosspoint.failovers";
const COST: &str = "crosspoint.cost_pico_usd";
const UPSTREAM_COST: &str = "crosspoint.upstream_cost_pico_usd";
const KEY_REQUESTS: &str = "crosspoint.key_requests";
const KEY_TOKENS: &str = "crosspoint.key_tokens";
const KEY_COST: &str = "crosspoint.key_cost_pico_usd";
const BUDGET_USED: &str = "crosspoint.key_budget_used_pico_usd";
const BUDGET_LIMIT: &str = "crosspoint.key_budget_limit_pico_usd";
const STANDING: &str = "crosspoint.endpoint_standing";
const EXCHANGES_OPEN: &str = "crosspoint.exchanges_open";
const MEMORY: &str = "crosspoint.memory_bytes";
const MEMORY_HELD: &str = "crosspoint.memory_held_bytes";

const REQUEST_DURATION: &str = "gen_ai.server.request.duration_milliseconds";
const FIRST_TOKEN: &str = "gen_ai.server.time_to_first_token_milliseconds";
const PER_TOKEN: &str = "gen_ai.server.time_per_output_token_microseconds";
const ATTEMPT_DURATION: &str = "gen_ai.client.operation.duration_milliseconds";
const FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk_milliseconds";
const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
const INPUT: &str = "gen_ai.client.inference.usage.input_tokens";
const OUTPUT: &str = "gen_ai.client.inference.usage.output_tokens";
const CACHE_READ: &str = "gen_ai.client.inference.usage.cache_read.input_tokens";
const CACHE_WRITE: &str = "gen_ai.client.inference.usage.cache_write.input_tokens";
const REASONING: &str = "gen_ai.client.inference.usage.reasoning.output_tokens";

/// How often the standing of endpoints is shown, in milliseconds. Prometheus asks every 15 seconds or so.
const STANDING_MS: u64 = 5_000;
/// Of how many keys a tick shows the budgets, so that a worker is not held up: those of a thousand keys take five seconds.
const KEYS_AT_ONCE: usize = 100;

thread_local! {
    static UNLABELLED: RefCell<HashMap<&'static str, u32>> = RefCell::new(HashMap::new());
    /// The gauges of the endpoints that this worker has asked, by namespace and health key.
    static STANDINGS: RefCell<HashMap<(u64, u64), u32>> = RefCell::new(HashMap::new());
    /// When these were shown last.
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
    let all: Vec<_> = STANDINGS.with_borrow(|ids| ids.iter().map(|(key, id)| (*key, *id)).collect());
    for ((namespace, key), id) in all {
        host::record_metric(id, rank(health::view(namespace, key, now).standing(now)));
    }
}

/// Shows what the next of the keys with budgets may use and have used. Every worker does: all read the same records, so
/// whoever writes last is right, and a span that is over is seen to be without a request. Callers who have the limits of
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

/// Counts that there was no room for a body.
pub(super) fn no_room() {
    if let Some(id) = unlabelled(Metric::Counter, "crosspoint.memory_refusals") {
        host::increment_metric(id, 1);
    }
}

/// Counts that what a key has used could not be read or written.
pub(super) fn budgets_unavailable() {
    if let Some(id) = unlabelled(Metric::Counter, "crosspoint.budgets_unavailable") {
        host::increment_metric(id, 1);
    }
}

fn gauge(name: &'static str, value: u64) {
    if let Some(id) = unlabelled(Metric::Gauge, name) {
        host::record_metric(id, value);
    }
}

/// The id of a statistic without labels.
fn unlabelled(kind: Metric, name: &'static str) -> Option<u32> {
    UNLABELLED.with_borrow_mut(|ids| match ids.get(name) {
        Some(id) => Some(*id),
        None => host::define_metric(kind, name).inspect(|id| {
            ids.insert(name, *id);
        }),
    })
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

/// Counts one settled exchange of a gateway with this configuration and this namespace of shared data.
pub(super) fn settled(receipt: &Receipt, config: &Config, namespace: u64) {
    // A name that a client made up must not become a statistic.
    let asked = || config.model(&receipt.model).map(|model| model.name.as_str());
    let served = receipt.served_model.as_deref();
    let model = served.or_else(asked).unwrap_or("unknown");
    let provider = receipt.provider.as_deref().unwrap_or("none");
    let operation = convention(receipt.operation);
    with_family(&[model, provider, operation], |family| exchange(family, receipt));
    if let Some(key) = &receipt.key {
        with_family(&[key], |family| client(family, receipt));
    }
    for (at, line) in receipt.attempts.iter().enumerate() {
        let model = config.models.get(line.listed).map_or(model, |model| &model.name);
        let last = at + 1 == receipt.attempts.len();
        with_family(&[model, &line.provider, operation], |family| {
            attempt(family, line, last, receipt.stream);
        });
        watch(line, model, operation, namespace);
    }
}

/// The convention's name of an operation.
const fn convention(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat => "chat",
        Operation::Completions => "text_completion",
        Operation::Embeddings => "embeddings",
    }
}

fn exchange(family: &mut Family<'_>, receipt: &Receipt) {
    family.count(REQUESTS, &[("outcome", receipt.outcome.name())], 1);
    let failure = receipt.error_type.map(|error_type| ("error_type", error_type));
    if let Some(failure) = failure {
        family.count(ERRORS, &[failure], 1);
    }
    family.count(COST, &[], receipt.cost.0);
    let wasted = receipt.attempts.iter().filter_map(|line| line.wasted);
    let wasted = wasted.fold(0, |sum: u64, (_, cost)| {
        sum.saturating_add(cost.unwrap_or_default().0)
    });
    family.count(UPSTREAM_COST, &[], receipt.upstream_cost.0.saturating_sub(wasted));
    family.observe(REQUEST_DURATION, failure.as_slice(), receipt.duration_ms);
    let usage = receipt.bill.map(|bill| bill.usage);
    if let Some(usage) = usage {
        family.count(INPUT, &[], usage.prompt);
        family.count(OUTPUT, &[], usage.completion);
        family.count(CACHE_READ, &[], usage.cache_read);
        family.count(CACHE_WRITE, &[], usage.cache_write);
        family.count(REASONING, &[], usage.reasoning);
        family.observe(TOKEN_USAGE, &[("token_type", "input")], usage.prompt);
        family.observe(TOKEN_USAGE, &[("token_type", "output")], usage.completion);
    }
    // A buffered answer has no first token that anybody saw, and the convention speaks of good answers only.
    let good = receipt.stream && receipt.outcome == Outcome::Success;
    if let Some(first_ms) = receipt.first_token_ms.filter(|_| good) {
        family.observe(FIRST_TOKEN, &[], first_ms);
        let further = usage.map_or(0, |usage| usage.completion.saturating_sub(1));
        let took_us = receipt.duration_ms.saturating_sub(first_ms).saturating_mul(1_000);
        if let Some(each_us) = took_us.checked_div(further) {
            family.observe(PER_TOKEN, &[], each_us);
        }
    }
}

/// What a client's key has used.
fn client(family: &mut Family<'_>, receipt: &Receipt) {
    family.count(KEY_REQUESTS, &[("outcome", receipt.outcome.name())], 1);
    family.count(KEY_COST, &[], receipt.cost.0);
    if let Some(bill) = &receipt.bill {
        family.count(KEY_TOKENS, &[("token_type", "input")], bill.usage.prompt);
        family.count(KEY_TOKENS, &[("token_type", "output")], bill.usage.completion);
    }
}

fn attempt(family: &mut Family<'_>, line: &AttemptLine, last: bool, stream: bool) {
    let outcome = ("outcome", line.outcome.name());
    match line.error_type.map(|error_type| ("error_type", error_type)) {
        Some(failure) => {
            family.count(ATTEMPTS, &[outcome, failure], 1);
            if !last {
                family.count(FAILOVERS, &[failure], 1);
            }
            family.observe(ATTEMPT_DURATION, &[failure], line.duration_ms);
        }
        None => {
            family.count(ATTEMPTS, &[outcome], 1);
            family.observe(ATTEMPT_DURATION, &[], line.duration_ms);
        }
    }
    // Whoever failed and charges for it has that counted as its own.
    if let Some((_, Some(cost))) = line.wasted {
        family.count(UPSTREAM_COST, &[], cost.0);
    }
    if let Some(ms) = line.first_token_ms.filter(|_| stream) {
        family.observe(FIRST_CHUNK, &[], ms);
    }
}

/// From now on the standing of this attempt's endpoint is shown.
fn watch(line: &AttemptLine, model: &str, operation: &'static str, namespace: u64) {
    let key = (namespace, line.health_key);
    if STANDINGS.with_borrow(|ids| ids.contains_key(&key)) {
        return;
    }
    let id = with_family(&[model, &line.provider, operation], |family| {
        family.define(Metric::Gauge, STANDING, &[("endpoint", &line.model)])
    });
    if let Some(id) = id {
        STANDINGS.with_borrow_mut(|ids| ids.insert(key, id));
    }
}
