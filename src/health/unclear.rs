//! Failures that a request may have caused as well as the endpoint: an empty answer, an answer that is too long.
//!
//! One caller can provoke these as often as it likes. So they count against the endpoint only once requests of three
//! callers met one within a minute, and each caller's count once in that minute.

use crate::bytes::{Reader, TIME, Writer};

/// How many callers must meet such failures.
const CALLERS: usize = 3;
/// Within this time, in milliseconds.
const WITHIN_MS: u64 = 60_000;
/// How many callers are remembered, the latest ones.
const SLOTS: usize = 4;

/// What one caller's requests met. Times are milliseconds since 1970; 0: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// A short hash of the caller's name. Two names with the same hash are one caller, so a collision can only make an
    /// endpoint look better.
    caller: u32,
    /// When a request of this caller met such a failure last.
    at: u64,
    /// When one of them counted against the endpoint.
    counted: u64,
}

/// What counts against the endpoint now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// So many failures.
    pub(super) failures: usize,
    /// So many of them came after the last success.
    pub(super) in_a_row: usize,
    /// Requests of enough callers meet such failures, whether or not one more counts.
    pub(super) is_endpoint: bool,
}

/// The latest of such failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unclear {
    seen: [Seen; SLOTS],
    /// The last success of the endpoint.
    succeeded: u64,
}

/// Whether a time lies within the last minute. One in the future is that of a clock that went wrong.
const fn is_fresh(at: u64, now: u64) -> bool {
    at > 0 && at <= now && now - at < WITHIN_MS
}

impl Unclear {
    pub(super) const fn succeed(&mut self, now: u64) {
        self.succeeded = now;
    }

    /// Takes a failure that a request of `caller` met.
    pub(super) fn add(&mut self, caller: u32, now: u64) -> Counted {
        let own = self
            .seen
            .iter()
            .position(|seen| seen.caller == caller && seen.at > 0);
        let oldest = || (0..SLOTS).min_by_key(|slot| self.seen.get(*slot).map(|seen| seen.at));
        if let Some(slot) = own.or_else(oldest).and_then(|slot| self.seen.get_mut(slot)) {
            if slot.caller != caller {
                *slot = Seen::default();
            }
            slot.caller = caller;
            slot.at = now;
        }
        let fresh = self.seen.iter_mut().filter(|seen| is_fresh(seen.at, now));
        let mut fresh: Vec<_> = fresh.collect();
        let mut counted = Counted {
            is_endpoint: fresh.len() >= CALLERS,
            ..Counted::default()
        };
        if !counted.is_endpoint {
            return counted;
        }
        fresh.retain(|seen| !is_fresh(seen.counted, now));
        for seen in fresh {
            seen.counted = now;
            counted.failures += 1;
            counted.in_a_row += usize::from(seen.at >= self.succeeded);
        }
        counted
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut unclear = Self {
            succeeded: reader.time(),
            ..Self::default()
        };
        for seen in &mut unclear.seen {
            *seen = Seen {
                caller: reader.u32(),
                at: reader.time(),
                counted: reader.time(),
            };
        }
        unclear
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(self.succeeded, TIME);
        for seen in &self.seen {
            writer.number(u64::from(seen.caller), 4);
            writer.number(seen.at, TIME);
            writer.number(seen.counted, TIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    const NOW: u64 = 1_800_000_000_000;

    /// How many failures count, and in a row, after each of these.
    fn check(steps: &[(u32, u64)], expected: &[(usize, usize)]) {
        let mut unclear = Unclear::default();
        let counted = steps.iter().map(|(caller, at)| {
            let counted = unclear.add(*caller, NOW + at);
            (counted.failures, counted.in_a_row)
        });
        assert_eq!(counted.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_caller_counts_nothing_however_often() {
        check(&[(1, 0), (1, 1), (1, 2), (1, 3), (1, 70_000)], &[(0, 0); 5]);
    }

    #[test]
    fn the_third_caller_makes_all_three_count_and_each_counts_once_a_minute() {
        check(
            &[
                (1, 0),
                (2, 1),
                (3, 2),
                (3, 3),
                (1, 4),
                (4, 5),
                (1, 60_001),
                (2, 60_002),
            ],
            &[(0, 0), (0, 0), (3, 3), (0, 0), (0, 0), (1, 1), (0, 0), (3, 3)],
        );
    }

    #[test]
    fn three_callers_in_more_than_a_minute_count_nothing() {
        check(&[(1, 0), (2, 30_000), (3, 60_000)], &[(0, 0); 3]);
        // The first of them was here again.
        check(
            &[(1, 0), (2, 30_000), (1, 31_000), (3, 60_000)],
            &[(0, 0), (0, 0), (0, 0), (3, 3)],
        );
    }

    #[test]
    fn what_came_before_a_success_is_not_in_a_row() {
        let mut unclear = Unclear::default();
        unclear.add(1, NOW);
        unclear.succeed(NOW + 1);
        unclear.add(2, NOW + 2);
        let counted = unclear.add(3, NOW + 3);
        assert_eq!((counted.failures, counted.in_a_row), (3, 2));
    }
}
