//! The health records in Envoy's shared data: read by every worker when planning, written after attempts.
//!
//! A plan reads through a short-lived copy. A failure is written at once, so that all workers know of it; what went well
//! waits for the next tick, or for the next failure, and is then written with all that came since. So an attempt costs two
//! calls of shared data at the most, and under load far fewer.

use super::store::{self, FEW_TRIES};
use crate::api::models::Live;
use crate::health::{HOLDS_MS, Record, Sample, Standing, Uptime, View};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;

/// Milliseconds that a worker may plan with its own copy of a record.
const COPY_MS: u64 = 100;
/// Samples of one endpoint that may wait.
const MOST_WAITING: usize = 64;

/// Outcomes that it takes to show an uptime.
const SHOWN: u32 = 5;

/// A namespace and a health key.
type Key = (u64, u64);

/// Knowledge of this worker about an endpoint.
#[derive(Debug, Default)]
struct Local {
    /// The record as it was read last, and when.
    copy: Option<(View, u64)>,
    /// Samples that are not written yet.
    waiting: Vec<Sample>,
    /// Attempts of this worker that are under way.
    running: u16,
    /// The number that the record has of that, and when it was written.
    told: (u16, u64),
}

thread_local! {
    static LOCAL: RefCell<HashMap<Key, Local>> = RefCell::new(HashMap::new());
    /// Tells this VM from others.
    static VM: Cell<u32> = const { Cell::new(0) };
}

/// Gives this VM a number that no other one has, if it has none.
pub(super) fn start(unique: u64) {
    if VM.get() == 0 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "half of a random number is one, too"
        )]
        VM.set(unique as u32 | 1);
    }
}

fn record_key((namespace, key): Key) -> store::Key {
    store::Key::health(namespace, key)
}

fn read(key: Key) -> Record {
    Record::from_bytes(&store::read(&record_key(key)).0)
}

fn keep(key: Key, record: &Record, now: u64) -> View {
    let view = record.view(VM.get(), now);
    LOCAL.with_borrow_mut(|local| local.entry(key).or_default().copy = Some((view, now)));
    view
}

/// Health of an endpoint, for planning.
pub(super) fn view(namespace: u64, key: u64, now: u64) -> View {
    let key = (namespace, key);
    let known = LOCAL.with_borrow(|local| local.get(&key).map(|local| (local.copy, local.running)));
    let (copy, running) = known.unwrap_or_default();
    let fresh = copy.filter(|(_, read)| now.saturating_sub(*read) < COPY_MS);
    let mut view = match fresh {
        Some((view, _)) => view,
        None => keep(key, &read(key), now),
    };
    view.in_flight = view.in_flight.saturating_add(u32::from(running));
    view
}

/// Health of an endpoint, as callers may read it.
pub(super) fn live(namespace: u64, key: u64, now: u64) -> Live {
    // Who looks around reads records that no plan of this worker may ever need, so no copy is kept.
    let record = read((namespace, key));
    let Uptime {
        last_5m,
        last_30m,
        last_1d,
    } = record.uptime(SHOWN, now);
    let view = record.view(VM.get(), now);
    Live {
        standing: Some(view.standing(now)),
        uptime: [last_5m, last_30m, last_1d],
        latency_ms: view.latency.map(|quantiles| quantiles.0),
        tokens_per_10_s: view.throughput.map(|quantiles| quantiles.0),
    }
}

/// Claims the trial of an endpoint; `false` when another worker was faster.
pub(super) fn claim(namespace: u64, key: u64, now: u64) -> bool {
    let key = (namespace, key);
    let (bytes, version) = store::read(&record_key(key));
    let record = Record::from_bytes(&bytes);
    let Some(claimed) = record.claim(now) else {
        keep(key, &record, now);
        return false;
    };
    let own = store::swap(&record_key(key), &claimed.to_bytes(), version);
    if own {
        keep(key, &claimed, now);
    }
    own
}

/// Takes samples.
pub(super) fn store(namespace: u64, samples: Vec<(u64, Sample)>, now: u64) {
    for (key, sample) in samples {
        let key = (namespace, key);
        let urgent = LOCAL.with_borrow_mut(|local| {
            let local = local.entry(key).or_default();
            local.waiting.push(sample);
            let bad = matches!(
                sample,
                Sample::Failure | Sample::Unclear { .. } | Sample::RateLimited { .. } | Sample::Nothing
            );
            // A success ends an outage, or a limit that grows.
            let healthy = local
                .copy
                .is_none_or(|(view, _)| !view.is_out() && view.standing(now) == Standing::Healthy);
            bad || !healthy || local.waiting.len() >= MOST_WAITING
        });
        if urgent {
            write(key, now);
        }
    }
}

/// Writes what waits, and renews this worker's word on its attempts under way.
pub(super) fn flush(now: u64) {
    let due = |local: &Local| {
        let (told, at) = local.told;
        // The number holds for a while, and a zero that was written needs no renewal.
        let renew = now.saturating_sub(at) >= HOLDS_MS / 3 && (local.running > 0 || told > 0);
        !local.waiting.is_empty() || renew
    };
    let keys: Vec<Key> = LOCAL.with_borrow(|local| {
        let all = local.iter().filter(|(_, local)| due(local));
        all.map(|(key, _)| *key).collect()
    });
    for key in keys {
        write(key, now);
    }
}

/// Writes what waits of one endpoint.
fn write(key: Key, now: u64) {
    let (samples, running) = LOCAL.with_borrow_mut(|local| {
        let local = local.entry(key).or_default();
        local.told = (local.running, now);
        (std::mem::take(&mut local.waiting), local.running)
    });
    let written = store::update(&record_key(key), FEW_TRIES, |bytes| {
        let record = Record::from_bytes(bytes.unwrap_or_default());
        let updated = samples
            .iter()
            .fold(record, |record, sample| record.update(*sample, now));
        let record = updated.report(VM.get(), running, now);
        Ok::<_, Infallible>((record.to_bytes(), record))
    });
    // Losing samples is fine.
    if let Ok(record) = written {
        keep(key, &record, now);
    }
}

/// An attempt under way: it counts as long as this lives.
#[derive(Debug)]
pub(super) struct Running(Key);

impl Running {
    /// One more.
    pub(super) fn begin(namespace: u64, key: u64) -> Self {
        let key = (namespace, key);
        count(key, |running| running.saturating_add(1));
        Self(key)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        count(self.0, |running| running.saturating_sub(1));
    }
}

fn count(key: Key, change: impl FnOnce(u16) -> u16) {
    // When a thread ends the map may be gone before the last attempt is.
    let _gone = LOCAL.try_with(|local| {
        if let Ok(mut local) = local.try_borrow_mut() {
            let local = local.entry(key).or_default();
            local.running = change(local.running);
        }
    });
}
