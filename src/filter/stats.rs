//! Envoy statistics that exchanges move, most of them when they are settled. [`super::gauges`] has the others.
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
use super::labels::{Family, unlabelled, with_family};
use crate::chat::Operation;
use crate::config::Config;
use crate::meter::{AttemptLine, Outcome, Receipt};
use std::cell::RefCell;
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
const STANDING: &str = "crosspoint.endpoint_standing";
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

thread_local! {
    /// The gauges of the endpoints that this worker has asked, by namespace and health key.
    static STANDINGS: RefCell<HashMap<(u64, u64), u32>> = RefCell::new(HashMap::new());
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

/// Counts the use of a client's key.
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
    // A provider that fails and charges for it has the cost counted as its own.
    if let Some((_, Some(cost))) = line.wasted {
        family.count(UPSTREAM_COST, &[], cost.0);
    }
    if let Some(ms) = line.first_token_ms.filter(|_| stream) {
        family.observe(FIRST_CHUNK, &[], ms);
    }
}

/// The endpoints that this worker has asked: namespace and health key, and the id of the gauge of their standing.
pub(super) fn standings() -> Vec<((u64, u64), u32)> {
    STANDINGS.with_borrow(|ids| ids.iter().map(|(key, id)| (*key, *id)).collect())
}

/// Has the standing of this attempt's endpoint shown from now on.
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
