//! Reports of the workers, in Envoy's shared data: one small record a VM, so that the next worker to tick can show a
//! statistic of them all.
//!
//! Records have numbered places, and no place is ever removed. A VM that does not report for some seconds is dead, or was
//! replaced: it counts no more, and another one may take its place.

use super::store::{self, Key};
use crate::bytes::{Reader, TIME, Writer};
use std::cell::Cell;

/// The version of the record's layout.
const VERSION: u8 = 1;
const LENGTH: usize = 1 + 8 + TIME + 4 + 8 + 8;
/// Milliseconds that a report counts: ten ticks.
const COUNTS_MS: u64 = 5_000;
/// Number of VMs that may report. A further one counts itself alone.
const PLACES: usize = 1_024;

thread_local! {
    /// Tells this VM from others.
    static VM: Cell<u64> = const { Cell::new(0) };
}

/// Load of one VM, or of all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Exchanges under way; of several VMs the sum.
    pub(super) exchanges: u64,
    /// The memory that a VM has taken, in bytes; of several VMs the most.
    pub(super) taken: u64,
    /// Bytes of it in use and promised; of several VMs the most.
    pub(super) held: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Report {
    vm: u64,
    at_ms: u64,
    load: Load,
}

impl Report {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if bytes.len() != LENGTH || reader.u8() != VERSION {
            return None;
        }
        Some(Self {
            vm: reader.number(8),
            at_ms: reader.time(),
            load: Load {
                exchanges: reader.number(4),
                taken: reader.number(8),
                held: reader.number(8),
            },
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(LENGTH));
        writer.number(u64::from(VERSION), 1);
        writer.number(self.vm, 8);
        writer.number(self.at_ms, TIME);
        writer.number(self.load.exchanges, 4);
        writer.number(self.load.taken, 8);
        writer.number(self.load.held, 8);
        writer.0
    }
}

/// Gives this VM a number that no other one has, if it has none.
pub(super) fn start(unique: u64) {
    if VM.get() == 0 {
        VM.set(unique | 1);
    }
}

/// Reports what this VM has; what all have that live.
pub(super) fn report(own: Load, now: u64) -> Load {
    let vm = VM.get();
    let mut all = own;
    let (mut place, mut free) = (None, None);
    for at in 0..PLACES {
        let key = Key::worker(at);
        let Ok((bytes, version)) = store::find(&key) else {
            return all;
        };
        let Some(bytes) = bytes else {
            free = free.or(Some((key, version)));
            break;
        };
        match Report::from_bytes(&bytes).filter(|report| now.saturating_sub(report.at_ms) < COUNTS_MS) {
            Some(report) if report.vm == vm => place = Some((key, version)),
            Some(Report { load, .. }) => {
                all.exchanges = all.exchanges.saturating_add(load.exchanges);
                all.taken = all.taken.max(load.taken);
                all.held = all.held.max(load.held);
            }
            None => free = free.or(Some((key, version))),
        }
    }
    let report = Report {
        vm,
        at_ms: now,
        load: own,
    };
    if let Some((key, version)) = place.or(free) {
        // Where another VM was faster the next tick finds a place.
        store::swap(&key, &report.to_bytes(), version);
    }
    all
}
