//! The health records in Envoy's shared data: read by every worker when planning, written after attempts.

use super::host;
use crate::health::{Record, Sample, Standing};
use std::cell::RefCell;
use std::collections::HashMap;

/// How often a write is tried again when another worker was faster. Losing a sample is fine.
const TRIES: usize = 4;
/// How long a worker may plan with its own copy of a record, in milliseconds.
const COPY_MS: u64 = 50;

thread_local! {
    static COPIES: RefCell<HashMap<(u64, u64), (Record, u64)>> = RefCell::new(HashMap::new());
}

fn name(namespace: u64, key: u64) -> String {
    format!("crosspoint.{namespace:016x}.health.{key:016x}")
}

fn keep(namespace: u64, key: u64, record: Record, now: u64) {
    COPIES.with_borrow_mut(|copies| copies.insert((namespace, key), (record, now)));
}

/// How an endpoint stands; with `claim`, its trial is claimed if there is one.
pub(super) fn standing(namespace: u64, key: u64, claim: bool, now: u64) -> Standing {
    let copy = COPIES.with_borrow(|copies| copies.get(&(namespace, key)).copied());
    let fresh = copy.filter(|(_, read)| now.saturating_sub(*read) < COPY_MS);
    if let Some((record, _)) = fresh
        && !(claim && record.standing(now) == Standing::Trial)
    {
        return record.standing(now);
    }
    let name = name(namespace, key);
    let (bytes, cas) = host::shared(&name).unwrap_or_default();
    let record = Record::from_bytes(&bytes);
    let standing = record.standing(now);
    let Some(claimed) = record.claim(now).filter(|_| claim) else {
        keep(namespace, key, record, now);
        return standing;
    };
    if host::set_shared(&name, &claimed.to_bytes(), cas) {
        keep(namespace, key, claimed, now);
        Standing::Trial
    } else {
        // Another worker was faster: the trial is its own.
        Standing::Down
    }
}

/// Stores samples.
pub(super) fn store(namespace: u64, samples: Vec<(u64, Sample)>, now: u64) {
    for (key, sample) in samples {
        let name = name(namespace, key);
        for _ in 0..TRIES {
            let (bytes, cas) = host::shared(&name).unwrap_or_default();
            let record = Record::from_bytes(&bytes).update(sample, now);
            if host::set_shared(&name, &record.to_bytes(), cas) {
                keep(namespace, key, record, now);
                break;
            }
        }
    }
}
