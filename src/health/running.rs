//! How many attempts are under way at an endpoint, as each VM says of itself: a VM that died is forgotten after a while,
//! which a count of comings and goings would never do.

use crate::bytes::{Reader, TIME, Writer};

const SLOTS: usize = 8;
/// How long a VM's word holds, in milliseconds. It renews it in time (`filter::health`).
pub const HOLDS_MS: u64 = 15_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    vm: u32,
    count: u16,
    at: u64,
}

/// One slot for each VM; where there are more of them, those that spoke last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Running([Slot; SLOTS]);

impl Running {
    pub(super) fn report(&mut self, vm: u32, count: u16, now: u64) {
        let own = self.0.iter().position(|slot| slot.vm == vm);
        let oldest = || (0..SLOTS).min_by_key(|at| self.0.get(*at).map(|slot| slot.at));
        if let Some(slot) = own.or_else(oldest).and_then(|at| self.0.get_mut(at)) {
            *slot = Slot { vm, count, at: now };
        }
    }

    /// What the VMs but `vm` have under way.
    pub(super) fn others(&self, vm: u32, now: u64) -> u32 {
        let fresh = |slot: &&Slot| slot.vm != vm && now.abs_diff(slot.at) < HOLDS_MS;
        let counts = self.0.iter().filter(fresh).map(|slot| u32::from(slot.count));
        counts.sum()
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut running = Self::default();
        for slot in &mut running.0 {
            *slot = Slot {
                vm: reader.u32(),
                count: reader.u16(),
                at: reader.time(),
            };
        }
        running
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        for slot in &self.0 {
            writer.number(u64::from(slot.vm), 4);
            writer.number(u64::from(slot.count), 2);
            writer.number(slot.at, TIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn a_vm_that_died_is_forgotten() {
        let mut running = Running::default();
        running.report(1, 5, NOW);
        running.report(2, 7, NOW + 1);
        running.report(1, 6, NOW + 2);
        assert_eq!((running.others(2, NOW + 3), running.others(3, NOW + 3)), (6, 13));
        assert_eq!(running.others(3, NOW + HOLDS_MS + 1), 6);
        assert_eq!(running.others(3, NOW + HOLDS_MS + 2), 0);
    }

    #[test]
    fn the_vm_that_was_silent_longest_gives_way() {
        let mut running = Running::default();
        for vm in 1..=9 {
            running.report(vm, 1, NOW + u64::from(vm));
        }
        assert_eq!(running.others(0, NOW + 10), 8);
        assert!(running.0.iter().all(|slot| slot.vm != 1));
    }
}
