//! How much models are used, in Envoy's shared data: what this worker's receipts say waits for the next tick, and is then
//! added to the record of its model. So an exchange costs no call of shared data, and a model one write a tick.

use super::host;
use crate::config::Config;
use crate::meter::Receipt;
use crate::ranking::{Count, Index, Ranking, Record, key};
use std::cell::RefCell;

/// How often a write is tried again when another worker was faster. Losing a sample is fine.
const TRIES: usize = 4;

/// A namespace and the key of a model.
type Key = (u64, u64);

/// What this worker knows of a model.
#[derive(Clone, Copy, Default)]
struct Local {
    /// What is not written yet.
    waiting: Count,
    /// Whether it is certain to be listed.
    listed: bool,
}

thread_local! {
    /// By key. There are few, and a map is 10 KB of code.
    static LOCAL: RefCell<Vec<(Key, Local)>> = const { RefCell::new(Vec::new()) };
}

/// Changes what this worker knows of a model.
fn with_local(key: Key, change: impl FnOnce(&mut Local)) {
    LOCAL.with_borrow_mut(|all| {
        let at = all
            .binary_search_by_key(&key, |(key, _)| *key)
            .unwrap_or_else(|at| {
                all.insert(at, (key, Local::default()));
                at
            });
        if let Some((_, local)) = all.get_mut(at) {
            change(local);
        }
    });
}

fn name((namespace, key): Key) -> String {
    format!("crosspoint.{namespace:016x}.ranking.{key:016x}")
}

fn index_name(namespace: u64) -> String {
    format!("crosspoint.{namespace:016x}.rankings")
}

/// Counts an exchange that a model of the configuration answered.
pub(super) fn count(namespace: u64, receipt: &Receipt) {
    let Some(model) = &receipt.served_model else {
        return;
    };
    let usage = receipt.bill.map(|bill| bill.usage).unwrap_or_default();
    let one = Count {
        requests: 1,
        tokens: usage.prompt.saturating_add(usage.completion),
    };
    with_local((namespace, key(model)), |local| {
        local.waiting = local.waiting.plus(one)
    });
}

/// Writes what waits.
pub(super) fn flush(now: u64) {
    let all = LOCAL.with_borrow(Clone::clone);
    for (key, local) in all.into_iter().filter(|(_, local)| local.waiting.requests > 0) {
        with_local(key, |local| local.waiting = Count::default());
        if local.listed || is_listed(key, now) {
            update(&name(key), |bytes| {
                Some(Record::from_bytes(bytes).add(local.waiting, now).to_bytes())
            });
        }
    }
}

/// Whether a model is listed, after listing it where there is room.
fn is_listed(key: Key, now: u64) -> bool {
    let mut listed = false;
    let written = update(&index_name(key.0), |bytes| {
        let index = Index::from_bytes(bytes);
        listed = index.lists(key.1);
        index.with(key.1, now).map(|index| index.to_bytes())
    });
    // A first write is not compared with anything, so another worker's may replace it: only what is read is known.
    if listed {
        with_local(key, |local| local.listed = true);
    }
    listed || written
}

/// Changes what stands under a name, if there is a change to make.
fn update(name: &str, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> bool {
    for _ in 0..TRIES {
        let (bytes, cas) = host::shared(name).unwrap_or_default();
        match change(&bytes) {
            Some(bytes) if host::set_shared(name, &bytes, cas) => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// How much the models of a configuration were used.
pub(super) fn read(namespace: u64, config: &Config, now: u64) -> Ranking {
    let bytes = |name: &str| host::shared(name).unwrap_or_default().0;
    let index = Index::from_bytes(&bytes(&index_name(namespace)));
    let record = |key| Record::from_bytes(&bytes(&name((namespace, key))));
    Ranking::read(config, &index, record, now)
}
