//! Use of models, in Envoy's shared data: the use by this worker's receipts waits for the next tick, and is then
//! added to the record of its model. So an exchange costs no call of shared data, and a model one write a tick.

use super::store::{self, FEW_TRIES, Unchanged};
use crate::api::models::Ranking;
use crate::config::Config;
use crate::meter::Receipt;
use crate::meter::ranking::{Count, Index, Record, key};
use std::cell::RefCell;
use std::convert::Infallible;

/// A namespace and the key of a model.
type Key = (u64, u64);

/// Knowledge of this worker about a model.
#[derive(Clone, Copy, Default)]
struct Local {
    /// Use that is not written yet.
    waiting: Count,
    /// True once it is certain to be listed.
    listed: bool,
}

thread_local! {
    /// By key. There are few, and a map is 10 KB of code.
    static LOCAL: RefCell<Vec<(Key, Local)>> = const { RefCell::new(Vec::new()) };
}

/// Changes the knowledge of this worker about a model.
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
            // Losing a sample is fine.
            let _lost = store::update(&record_key(key), FEW_TRIES, |bytes| {
                let record = Record::from_bytes(bytes.unwrap_or_default());
                Ok::<_, Infallible>((record.add(local.waiting, now).to_bytes(), ()))
            });
        }
    }
}

fn record_key((namespace, model): Key) -> store::Key {
    store::Key::ranking(namespace, model)
}

/// Lists a model, if there is room; true if it is listed.
fn is_listed(key: Key, now: u64) -> bool {
    let written = store::update(&store::Key::rankings(key.0), FEW_TRIES, |bytes| {
        let index = Index::from_bytes(bytes.unwrap_or_default());
        let listed = index.lists(key.1);
        let longer = index.with(key.1, now).ok_or(listed)?;
        Ok::<_, bool>((longer.to_bytes(), ()))
    });
    // What was read is certain; what was written is looked at once more, so that a list that was lost is written anew.
    let listed = matches!(written, Err(Unchanged::Refused(true)));
    if listed {
        with_local(key, |local| local.listed = true);
    }
    listed || written.is_ok()
}

/// Use of the models of a configuration.
pub(super) fn read(namespace: u64, config: &Config, now: u64) -> Ranking {
    let index = Index::from_bytes(&store::read(&store::Key::rankings(namespace)).0);
    let record = |key| Record::from_bytes(&store::read(&record_key((namespace, key))).0);
    Ranking::read(config, &index, record, now)
}
