//! Envoy statistics. Names carry their labels as `;name=value;`, which the rendered bootstrap makes into tags.

use super::host::{self, Metric};
use crate::meter::{Outcome, Receipt};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    static IDS: RefCell<HashMap<String, u32>> = RefCell::new(HashMap::new());
}

/// A label's value as it may stand in a name: what would end it is replaced.
fn label(value: &str) -> String {
    value.replace([';', '=', '\n', '\r', '\0'], "_")
}

fn id(kind: Metric, name: &str) -> Option<u32> {
    if let Some(id) = IDS.with_borrow(|ids| ids.get(name).copied()) {
        return Some(id);
    }
    let id = host::define_metric(kind, name)?;
    IDS.with_borrow_mut(|ids| ids.insert(name.to_owned(), id));
    Some(id)
}

fn count(name: &str, labels: &str, offset: u64) {
    if offset > 0
        && let Some(id) = id(Metric::Counter, &format!("crosspoint.{name};{labels}"))
    {
        host::increment_metric(id, offset);
    }
}

fn observe(name: &str, labels: &str, value: u64) {
    if let Some(id) = id(Metric::Histogram, &format!("crosspoint.{name};{labels}")) {
        host::record_metric(id, value);
    }
}

/// Shows how many exchanges are under way on the worker that reported last.
pub(super) fn open(exchanges: usize) {
    if let Some(id) = id(Metric::Gauge, "crosspoint.exchanges_open") {
        host::record_metric(id, exchanges as u64);
    }
}

/// Counts one settled exchange. `known` says whether the model is one of the configuration's: a name that a client made
/// up must not become a statistic.
pub(super) fn settled(receipt: &Receipt, known: bool) {
    let asked = if known {
        label(&receipt.model)
    } else {
        "unknown".to_owned()
    };
    let model = receipt.served_model.as_deref().map_or(asked, label);
    let provider = label(receipt.provider.as_deref().unwrap_or("none"));
    let labels = format!("model={model};provider={provider};");
    count(
        "requests",
        &format!("{labels}outcome={};", receipt.outcome.name()),
        1,
    );
    if let Some(error_type) = receipt.error_type {
        count("errors", &format!("{labels}type={error_type};"), 1);
    }
    for line in &receipt.attempts {
        let attempt = format!(
            "model={model};provider={};outcome={};",
            label(&line.provider),
            line.outcome.name()
        );
        count("attempts", &attempt, 1);
    }
    let failed = receipt
        .attempts
        .iter()
        .filter(|line| line.outcome == Outcome::Error)
        .count();
    let failovers = failed.min(receipt.attempts.len().saturating_sub(1));
    count("failovers", &labels, failovers as u64);
    if let Some(bill) = &receipt.bill {
        count("tokens", &format!("{labels}type=input;"), bill.usage.prompt);
        count("tokens", &format!("{labels}type=output;"), bill.usage.completion);
    }
    count("cost_pico_usd", &labels, receipt.cost.0);
    if let Some(ms) = receipt.first_token_ms {
        observe("time_to_first_token_ms", &labels, ms);
    }
    observe("duration_ms", &labels, receipt.duration_ms);
}
