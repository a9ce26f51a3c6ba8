//! Envoy statistics. Names carry their labels as `;name=value;`, which the rendered bootstrap makes into tags.

use super::host::{self, Metric};
use crate::meter::{Outcome, Receipt};
use std::cell::RefCell;
use std::collections::HashMap;

/// The ids of a family's statistics, by name and by the value of the label that tells them apart.
type Ids = HashMap<(&'static str, &'static str), u32>;

thread_local! {
    static GAUGES: RefCell<HashMap<&'static str, u32>> = RefCell::new(HashMap::new());
    /// The families, by their labels.
    static FAMILIES: RefCell<HashMap<String, Ids>> = RefCell::new(HashMap::new());
}

/// Shows how many exchanges are under way and how much memory the VM has, both of the worker that reported last.
pub(super) fn running(exchanges: usize) {
    gauge("crosspoint.exchanges_open", exchanges as u64);
    gauge("crosspoint.memory_bytes", host::memory_bytes());
}

fn gauge(name: &'static str, value: u64) {
    let id = GAUGES.with_borrow_mut(|ids| match ids.get(name) {
        Some(id) => Some(*id),
        None => host::define_metric(Metric::Gauge, name).inspect(|id| {
            ids.insert(name, *id);
        }),
    });
    if let Some(id) = id {
        host::record_metric(id, value);
    }
}

/// Counts one settled exchange. `known` says whether the model is one of the configuration's: a name that a client made
/// up must not become a statistic.
pub(super) fn settled(receipt: &Receipt, known: bool) {
    let asked = if known { receipt.model.as_str() } else { "unknown" };
    let model = receipt.served_model.as_deref().unwrap_or(asked);
    let provider = receipt.provider.as_deref().unwrap_or("none");
    with_family(model, provider, |family| {
        family.count("requests", Some(("outcome", receipt.outcome.name())), 1);
        if let Some(error_type) = receipt.error_type {
            family.count("errors", Some(("type", error_type)), 1);
        }
        let failed = receipt
            .attempts
            .iter()
            .filter(|line| line.outcome == Outcome::Error)
            .count();
        family.count(
            "failovers",
            None,
            failed.min(receipt.attempts.len().saturating_sub(1)) as u64,
        );
        if let Some(bill) = &receipt.bill {
            family.count("tokens", Some(("type", "input")), bill.usage.prompt);
            family.count("tokens", Some(("type", "output")), bill.usage.completion);
        }
        family.count("cost_pico_usd", None, receipt.cost.0);
        if let Some(ms) = receipt.first_token_ms {
            family.observe("time_to_first_token_ms", ms);
        }
        family.observe("duration_ms", receipt.duration_ms);
    });
    for line in &receipt.attempts {
        with_family(model, &line.provider, |family| {
            family.count("attempts", Some(("outcome", line.outcome.name())), 1);
        });
    }
}

/// The statistics of one model at one provider.
struct Family<'a> {
    labels: &'a str,
    ids: &'a mut Ids,
}

fn with_family(model: &str, provider: &str, work: impl FnOnce(&mut Family<'_>)) {
    // What would end a label must not stand in one.
    let label = |text: &str| text.replace([';', '=', '\n', '\r', '\0'], "_");
    let labels = format!("model={};provider={};", label(model), label(provider));
    FAMILIES.with_borrow_mut(|families| match families.get_mut(&labels) {
        Some(ids) => work(&mut Family { labels: &labels, ids }),
        None => {
            let mut ids = Ids::new();
            work(&mut Family {
                labels: &labels,
                ids: &mut ids,
            });
            families.insert(labels, ids);
        }
    });
}

impl Family<'_> {
    /// Adds to a counter, which `label` tells apart from others of its name.
    fn count(&mut self, name: &'static str, label: Option<(&'static str, &'static str)>, offset: u64) {
        if offset > 0
            && let Some(id) = self.id(Metric::Counter, name, label)
        {
            host::increment_metric(id, offset);
        }
    }

    fn observe(&mut self, name: &'static str, value: u64) {
        if let Some(id) = self.id(Metric::Histogram, name, None) {
            host::record_metric(id, value);
        }
    }

    /// Only what the host has accepted is kept: it may refuse once and accept later.
    fn id(
        &mut self,
        kind: Metric,
        name: &'static str,
        label: Option<(&'static str, &'static str)>,
    ) -> Option<u32> {
        let key = (name, label.map_or("", |(_, value)| value));
        if let Some(id) = self.ids.get(&key) {
            return Some(*id);
        }
        let label = label.map_or_else(String::new, |(label, value)| format!("{label}={value};"));
        let id = host::define_metric(kind, &format!("crosspoint.{name};{}{label}", self.labels))?;
        self.ids.insert(key, id);
        Some(id)
    }
}
