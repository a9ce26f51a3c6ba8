//! Labels in the names of statistics, and the ids of statistics at the host.
//!
//! A host call that counts wants an id, and one that gives the id wants the whole name. So a name is written and asked for
//! once in a VM's life; after that, counting is a look-up of the family and a walk over its few statistics.
//!
//! `crosspoint.requests;model=a/b;provider=p;outcome=success;` is what the rendered configuration makes
//! `crosspoint_requests{gen_ai_request_model="a/b",gen_ai_provider_name="p",outcome="success"}` of.

use super::host::{self, Metric};
use std::cell::RefCell;
use std::collections::HashMap;

/// A label's name and value.
type Label<'a> = (&'a str, &'a str);

/// A statistic, the values of its own labels, and its id.
type Known = (&'static str, [&'static str; 2], u32);

thread_local! {
    static UNLABELLED: RefCell<HashMap<&'static str, u32>> = RefCell::new(HashMap::new());
    static FAMILIES: RefCell<HashMap<String, Vec<Known>>> = RefCell::new(HashMap::new());
}

/// The statistics that have a model, a provider and an operation in common, or a client's key.
pub(super) struct Family<'a> {
    members: &'a [&'a str],
    known: &'a mut Vec<Known>,
}

/// Works on the family of a model, a provider and an operation, or of the name of a key alone.
pub(super) fn with_family<T>(members: &[&str], work: impl FnOnce(&mut Family<'_>) -> T) -> T {
    let name = members.join(";");
    FAMILIES.with_borrow_mut(|families| {
        let known = families.entry(name).or_default();
        work(&mut Family { members, known })
    })
}

/// The id of a statistic without labels.
pub(super) fn unlabelled(kind: Metric, name: &'static str) -> Option<u32> {
    UNLABELLED.with_borrow_mut(|ids| match ids.get(name) {
        Some(id) => Some(*id),
        None => host::define_metric(kind, name).inspect(|id| {
            ids.insert(name, *id);
        }),
    })
}

impl Family<'_> {
    /// Adds to a counter, which `labels` tell apart from others of its name.
    pub(super) fn count(&mut self, name: &'static str, labels: &[Label<'static>], offset: u64) {
        if offset > 0
            && let Some(id) = self.id(Metric::Counter, name, labels)
        {
            host::increment_metric(id, offset);
        }
    }

    /// Puts a value into a histogram.
    pub(super) fn observe(&mut self, name: &'static str, labels: &[Label<'static>], value: u64) {
        if let Some(id) = self.id(Metric::Histogram, name, labels) {
            host::record_metric(id, value);
        }
    }

    /// Shows a gauge's value.
    pub(super) fn show(&mut self, name: &'static str, labels: &[Label<'static>], value: u64) {
        if let Some(id) = self.id(Metric::Gauge, name, labels) {
            host::record_metric(id, value);
        }
    }

    /// Only what the host has accepted is kept: it may refuse once and accept later.
    fn id(&mut self, kind: Metric, name: &'static str, labels: &[Label<'static>]) -> Option<u32> {
        let value = |at: usize| labels.get(at).map_or("", |(_, value)| *value);
        let values = [value(0), value(1)];
        let same = |known: &&Known| known.0 == name && known.1 == values;
        if let Some((_, _, id)) = self.known.iter().find(same) {
            return Some(*id);
        }
        let id = self.define(kind, name, labels)?;
        self.known.push((name, values, id));
        Some(id)
    }

    /// Asks the host for the id of a statistic.
    pub(super) fn define(&self, kind: Metric, name: &str, labels: &[Label<'_>]) -> Option<u32> {
        let common: &[&str] = match self.members {
            [_] => &["key"],
            _ => &["model", "provider", "operation"],
        };
        let mut full = format!("{name};");
        let common = common
            .iter()
            .zip(self.members)
            .map(|(name, value)| (*name, *value));
        for (name, value) in common.chain(labels.iter().copied()) {
            // What would end a label must not stand in one, nor a label be empty.
            let value = value.replace([';', '\n', '\r', '\0'], "_");
            let value = if value.is_empty() { "_" } else { &value };
            full.extend([name, "=", value, ";"]);
        }
        host::define_metric(kind, &full)
    }
}
