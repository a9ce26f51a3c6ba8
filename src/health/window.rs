//! Successes and failures in a window that slides in steps: a ring of buckets.

use crate::bytes::{Reader, TIME, Writer};

/// How many outcomes there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Good ones.
    pub successes: u32,
    /// Bad ones.
    pub failures: u32,
}

impl Outcomes {
    /// All of them.
    pub const fn total(self) -> u32 {
        self.successes.saturating_add(self.failures)
    }

    /// The share of good ones in thousandths, if there are at least so many outcomes.
    pub fn uptime(self, at_least: u32) -> Option<u32> {
        let total = self.total();
        let share = u64::from(self.successes) * 1_000 / u64::from(total.max(1));
        (total >= at_least.max(1)).then(|| u32::try_from(share).unwrap_or(1_000))
    }
}

/// `N` buckets of `MS` milliseconds each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window<const N: usize, const MS: u64> {
    /// The number of the newest bucket, counted from 1970.
    epoch: u64,
    /// Bucket `n` stands at `n % N`.
    buckets: [Outcomes; N],
}

impl<const N: usize, const MS: u64> Default for Window<N, MS> {
    fn default() -> Self {
        Self {
            epoch: 0,
            buckets: [Outcomes::default(); N],
        }
    }
}

impl<const N: usize, const MS: u64> Window<N, MS> {
    pub(super) fn add(&mut self, failed: bool, now: u64) {
        let epoch = now / MS;
        // A clock that went back changes nothing; one that jumped ahead empties the window.
        for passed in (self.epoch.saturating_add(1)..=epoch).rev().take(N) {
            if let Some(bucket) = self.bucket(passed) {
                *bucket = Outcomes::default();
            }
        }
        self.epoch = self.epoch.max(epoch);
        if let Some(bucket) = self.bucket(self.epoch) {
            let count = if failed {
                &mut bucket.failures
            } else {
                &mut bucket.successes
            };
            *count = count.saturating_add(1);
        }
    }

    /// What the newest `buckets` hold that began at `since` or later.
    pub(super) fn sum(&self, buckets: usize, since: u64, now: u64) -> Outcomes {
        let mut sum = Outcomes::default();
        let newest = self.epoch.max(now / MS);
        for back in 0..buckets.min(N) as u64 {
            let Some(epoch) = newest.checked_sub(back) else {
                break;
            };
            if epoch > self.epoch || epoch.saturating_mul(MS) < since {
                continue;
            }
            let at = usize::try_from(epoch % N as u64).unwrap_or(0);
            if let Some(bucket) = self.buckets.get(at) {
                sum.successes = sum.successes.saturating_add(bucket.successes);
                sum.failures = sum.failures.saturating_add(bucket.failures);
            }
        }
        sum
    }

    fn bucket(&mut self, epoch: u64) -> Option<&mut Outcomes> {
        self.buckets
            .get_mut(usize::try_from(epoch % N as u64).unwrap_or(0))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut window = Self {
            epoch: reader.time(),
            ..Self::default()
        };
        for bucket in &mut window.buckets {
            bucket.successes = reader.u32();
            bucket.failures = reader.u32();
        }
        window
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(self.epoch, TIME);
        for bucket in &self.buckets {
            writer.number(u64::from(bucket.successes), 4);
            writer.number(u64::from(bucket.failures), 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn outcomes_leave_the_window_bucket_by_bucket() {
        let mut window = Window::<3, 1_000>::default();
        for at in [0, 500, 1_000, 2_999] {
            window.add(at == 500, NOW + at);
        }
        let sum = |now| {
            let outcomes = window.sum(3, 0, NOW + now);
            (outcomes.successes, outcomes.failures)
        };
        assert_eq!(
            [sum(2_999), sum(3_000), sum(4_000), sum(5_000)],
            [(3, 1), (2, 0), (1, 0), (0, 0)]
        );
        assert_eq!(window.sum(1, 0, NOW + 2_999).total(), 1);
        assert_eq!(window.sum(3, NOW + 1_000, NOW + 2_999).total(), 2);
    }

    #[test]
    fn uptime_needs_enough_outcomes() {
        let outcomes = Outcomes {
            successes: 19,
            failures: 1,
        };
        assert_eq!((outcomes.uptime(20), outcomes.uptime(21)), (Some(950), None));
        assert_eq!(Outcomes::default().uptime(0), None);
    }
}
