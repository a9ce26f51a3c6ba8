//! How well an endpoint does: a small record of fixed size, and a pure function of (record, sample, now).
//!
//! The record lives in Envoy's shared data, where every worker sees it. Losing a sample is fine; a wrong clock, garbage
//! bytes or an older layout give an empty record. Times are milliseconds since 1970.

/// The length of a record in shared data, in bytes.
pub const LENGTH: usize = 64;
const VERSION: u8 = 1;
/// The window in which failures count, in buckets of [`BUCKET_MS`]: OpenRouter's 30 seconds.
const BUCKETS: usize = 6;
const BUCKET_MS: u64 = 5_000;
/// This many failures in a row are an outage.
const CONSECUTIVE: u16 = 3;
/// Or this many in the window, when they are at least half of all outcomes there.
const IN_WINDOW: u32 = 5;
/// How long an outage lasts before one request may try again; doubled each time that the trial fails.
const OPEN_MS: u64 = 5_000;
const OPEN_MAX_MS: u64 = 60_000;
/// How long one request may take to try; after that another one may.
const PROBE_MS: u64 = 15_000;
/// How long an endpoint that answered 429 without saying how long is left alone, and the longest it may ask for.
const LIMITED_MS: u64 = 2_000;
const LIMITED_MAX_MS: u64 = 120_000;

/// What one attempt taught about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It answered.
    Success,
    /// It failed, by its own fault.
    Failure,
    /// It asks for fewer requests, for this long if it said so.
    RateLimited {
        /// `Retry-After`, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The attempt ended without teaching anything (the caller's fault, or the client left): a claimed trial is free again.
    Nothing,
}

/// What routing sees of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No outage.
    Healthy,
    /// It was down and may be tried by whoever claims the trial first.
    Trial,
    /// It asks for fewer requests.
    RateLimited,
    /// It is down.
    Down,
}

/// The record of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The number of the newest bucket, counted from 1970.
    epoch: u64,
    /// Successes by bucket; bucket `n` stands at `n % BUCKETS`.
    successes: [u16; BUCKETS],
    /// Failures by bucket.
    failures: [u16; BUCKETS],
    /// Failures since the last success.
    consecutive: u16,
    /// How many times in a row the outage began anew.
    reopened: u8,
    /// The outage lasts until then; 0: there is none.
    open_until: u64,
    /// A trial is under way until then.
    probe_until: u64,
    /// The endpoint wants to be left alone until then.
    limited_until: u64,
}

impl Record {
    /// Reads a record; anything but a record of this version is an empty one.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        if bytes.len() != LENGTH || reader.number(1) != u64::from(VERSION) {
            return Self::default();
        }
        let mut record = Self {
            epoch: reader.number(8),
            ..Self::default()
        };
        for count in record.successes.iter_mut().chain(&mut record.failures) {
            *count = reader.u16();
        }
        record.consecutive = reader.u16();
        record.reopened = u8::try_from(reader.number(1)).unwrap_or(u8::MAX);
        // Six bytes hold milliseconds until the year 10889.
        record.open_until = reader.number(6);
        record.probe_until = reader.number(6);
        record.limited_until = reader.number(6);
        record
    }

    /// Writes the record.
    pub fn to_bytes(&self) -> [u8; LENGTH] {
        let mut out = Vec::with_capacity(LENGTH);
        out.push(VERSION);
        out.extend_from_slice(&self.epoch.to_le_bytes());
        for count in self.successes.iter().chain(&self.failures) {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.extend_from_slice(&self.consecutive.to_le_bytes());
        out.push(self.reopened);
        for time in [self.open_until, self.probe_until, self.limited_until] {
            out.extend(time.to_le_bytes().into_iter().take(6));
        }
        out.resize(LENGTH, 0);
        out.try_into().unwrap_or([0; LENGTH])
    }

    /// Takes one sample.
    #[must_use]
    pub fn update(mut self, sample: Sample, now: u64) -> Self {
        self.advance(now);
        match sample {
            Sample::Success => {
                bump(&mut self.successes, self.epoch);
                self.consecutive = 0;
                self.reopened = 0;
                self.open_until = 0;
                self.probe_until = 0;
            }
            Sample::Failure => {
                bump(&mut self.failures, self.epoch);
                self.consecutive = self.consecutive.saturating_add(1);
                self.fail(now);
            }
            Sample::RateLimited { retry_after_ms } => {
                let wait = retry_after_ms.unwrap_or(LIMITED_MS).min(LIMITED_MAX_MS);
                self.limited_until = self.limited_until.max(now.saturating_add(wait));
                self.probe_until = 0;
            }
            Sample::Nothing => self.probe_until = 0,
        }
        self
    }

    /// What routing sees at this time.
    pub fn standing(&self, now: u64) -> Standing {
        // A time further away than any outage can last is that of a clock that went wrong.
        let lasts = |until: u64, longest: u64| until > now && until - now <= longest;
        if lasts(self.open_until, OPEN_MAX_MS) || (self.open_until > 0 && lasts(self.probe_until, PROBE_MS)) {
            Standing::Down
        } else if lasts(self.limited_until, LIMITED_MAX_MS) {
            Standing::RateLimited
        } else if self.open_until > 0 {
            Standing::Trial
        } else {
            Standing::Healthy
        }
    }

    /// Claims the trial of an endpoint that was down; `None` when there is none to claim.
    pub fn claim(mut self, now: u64) -> Option<Self> {
        if self.standing(now) != Standing::Trial {
            return None;
        }
        self.probe_until = now.saturating_add(PROBE_MS);
        Some(self)
    }

    /// One more failure: begins an outage, or begins it anew.
    fn fail(&mut self, now: u64) {
        let was_trial = self.open_until > 0 && self.open_until <= now;
        let failures: u32 = self.failures.iter().map(|&count| u32::from(count)).sum();
        let successes: u32 = self.successes.iter().map(|&count| u32::from(count)).sum();
        let in_window = failures >= IN_WINDOW && failures >= successes;
        if was_trial {
            self.reopened = self.reopened.saturating_add(1);
        } else if self.open_until > now || !(self.consecutive >= CONSECUTIVE || in_window) {
            return;
        }
        let length = OPEN_MS.saturating_mul(1 << self.reopened.min(6)).min(OPEN_MAX_MS);
        self.open_until = now.saturating_add(length);
        self.probe_until = 0;
    }

    /// Forgets the buckets that have left the window.
    fn advance(&mut self, now: u64) {
        let epoch = now / BUCKET_MS;
        // A clock that went back changes nothing; one that jumped ahead empties the window.
        for passed in (self.epoch.saturating_add(1)..=epoch).rev().take(BUCKETS) {
            clear(&mut self.successes, passed);
            clear(&mut self.failures, passed);
        }
        self.epoch = self.epoch.max(epoch);
    }
}

fn slot(counts: &mut [u16; BUCKETS], epoch: u64) -> Option<&mut u16> {
    counts.get_mut(usize::try_from(epoch % BUCKETS as u64).unwrap_or(0))
}

fn bump(counts: &mut [u16; BUCKETS], epoch: u64) {
    if let Some(count) = slot(counts, epoch) {
        *count = count.saturating_add(1);
    }
}

fn clear(counts: &mut [u16; BUCKETS], epoch: u64) {
    if let Some(count) = slot(counts, epoch) {
        *count = 0;
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// The next little-endian number of this many bytes; what is missing counts as zero.
    fn number(&mut self, length: usize) -> u64 {
        let (head, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        head.iter()
            .rev()
            .fold(0, |number, &byte| (number << 8) | u64::from(byte))
    }

    fn u16(&mut self) -> u16 {
        u16::try_from(self.number(2)).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    const NOW: u64 = 1_800_000_000_000;

    fn after(samples: &[(Sample, u64)]) -> Record {
        samples.iter().fold(Record::default(), |record, &(sample, at)| {
            record.update(sample, NOW + at)
        })
    }

    #[test]
    fn three_failures_in_a_row_are_an_outage_and_one_success_ends_it() {
        let record = after(&[(Sample::Failure, 0), (Sample::Failure, 1)]);
        assert_eq!(record.standing(NOW + 2), Standing::Healthy);
        let record = record.update(Sample::Failure, NOW + 2);
        assert_eq!(record.standing(NOW + 3), Standing::Down);
        assert_eq!(record.standing(NOW + 2 + OPEN_MS), Standing::Trial);
        let record = record.update(Sample::Success, NOW + 3 + OPEN_MS);
        assert_eq!(record.standing(NOW + 3 + OPEN_MS), Standing::Healthy);
    }

    #[test]
    fn one_request_claims_the_trial() {
        let record = after(&[(Sample::Failure, 0), (Sample::Failure, 0), (Sample::Failure, 0)]);
        assert_eq!(record.claim(NOW + 1), None);
        let claimed = record.claim(NOW + OPEN_MS).unwrap();
        assert_eq!(claimed.standing(NOW + OPEN_MS + 1), Standing::Down);
        assert_eq!(claimed.claim(NOW + OPEN_MS + 1), None);
        // The one that claimed it has vanished.
        assert_eq!(claimed.standing(NOW + OPEN_MS + PROBE_MS), Standing::Trial);
    }

    #[test]
    fn a_failed_trial_doubles_the_outage() {
        let record = after(&[(Sample::Failure, 0), (Sample::Failure, 0), (Sample::Failure, 0)]);
        let record = record
            .claim(NOW + OPEN_MS)
            .unwrap()
            .update(Sample::Failure, NOW + OPEN_MS);
        assert_eq!(record.standing(NOW + 3 * OPEN_MS - 1), Standing::Down);
        assert_eq!(record.standing(NOW + 3 * OPEN_MS), Standing::Trial);
    }

    #[test]
    fn an_abandoned_trial_is_free_again() {
        let record = after(&[(Sample::Failure, 0), (Sample::Failure, 0), (Sample::Failure, 0)]);
        let record = record
            .claim(NOW + OPEN_MS)
            .unwrap()
            .update(Sample::Nothing, NOW + OPEN_MS);
        assert_eq!(record.standing(NOW + OPEN_MS), Standing::Trial);
    }

    #[test]
    fn many_failures_among_some_successes_are_an_outage() {
        let mut record = Record::default();
        for at in 0..4 {
            record = record
                .update(Sample::Success, NOW + at)
                .update(Sample::Failure, NOW + at);
            assert_eq!(record.standing(NOW + at), Standing::Healthy);
        }
        record = record.update(Sample::Failure, NOW + 9);
        assert_eq!(record.standing(NOW + 9), Standing::Down);
    }

    #[test]
    fn failures_are_forgotten_after_the_window() {
        let mut record = Record::default();
        for at in 0..4 {
            record = record
                .update(Sample::Failure, NOW + at)
                .update(Sample::Success, NOW + at);
        }
        let record = record.update(Sample::Failure, NOW + 31_000 + BUCKET_MS);
        assert_eq!(record.failures.iter().sum::<u16>(), 1);
        assert_eq!(record.successes.iter().sum::<u16>(), 0);
    }

    #[test]
    fn a_rate_limit_is_no_outage_and_ends_by_itself() {
        let record = after(&[(
            Sample::RateLimited {
                retry_after_ms: Some(7_000),
            },
            0,
        )]);
        assert_eq!(record.standing(NOW + 6_999), Standing::RateLimited);
        assert_eq!(record.standing(NOW + 7_000), Standing::Healthy);
        let forever = after(&[(
            Sample::RateLimited {
                retry_after_ms: Some(u64::MAX),
            },
            0,
        )]);
        assert_eq!(forever.standing(NOW + LIMITED_MAX_MS), Standing::Healthy);
    }

    #[test]
    fn garbage_is_an_empty_record() {
        assert_eq!(Record::from_bytes(b"garbage"), Record::default());
        assert_eq!(Record::from_bytes(&[0xff; LENGTH]), Record::default());
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        fn sample() -> impl Strategy<Value = Sample> {
            prop_oneof![
                Just(Sample::Success),
                Just(Sample::Failure),
                Just(Sample::Nothing),
                any::<Option<u64>>().prop_map(|retry_after_ms| Sample::RateLimited { retry_after_ms }),
            ]
        }

        proptest! {
            #[std::prelude::v1::test]
            fn records_survive_shared_data(steps in prop::collection::vec((sample(), 0..100_000_u64), 0..50)) {
                let mut record = Record::default();
                for (sample, at) in steps {
                    record = record.update(sample, NOW + at);
                    prop_assert_eq!(Record::from_bytes(&record.to_bytes()), record);
                }
            }

            #[std::prelude::v1::test]
            fn any_bytes_and_any_clock_give_a_standing(
                bytes in prop::collection::vec(any::<u8>(), LENGTH..=LENGTH), sample in sample(), now in any::<u64>(),
            ) {
                let mut bytes = bytes;
                bytes[0] = VERSION;
                let record = Record::from_bytes(&bytes).update(sample, now);
                let later = now.saturating_add(OPEN_MAX_MS + LIMITED_MAX_MS + PROBE_MS);
                if later < u64::MAX {
                    prop_assert!(!matches!(record.standing(later), Standing::Down | Standing::RateLimited) || record.open_until > now);
                }
            }

            #[std::prelude::v1::test]
            fn an_endpoint_always_comes_back(steps in prop::collection::vec((sample(), 0..60_000_u64), 0..60)) {
                let mut record = Record::default();
                let mut last = 0;
                for (sample, at) in steps {
                    last = last.max(at);
                    record = record.update(sample, NOW + at);
                }
                let later = NOW + last + OPEN_MAX_MS.max(LIMITED_MAX_MS).max(PROBE_MS);
                prop_assert!(matches!(record.standing(later), Standing::Healthy | Standing::Trial));
            }

            #[std::prelude::v1::test]
            fn a_success_always_ends_an_outage(steps in prop::collection::vec((sample(), 0..60_000_u64), 0..60)) {
                let mut record = Record::default();
                for (sample, at) in steps {
                    record = record.update(sample, NOW + at);
                }
                let record = record.update(Sample::Success, NOW + 60_000);
                prop_assert!(!matches!(record.standing(NOW + 60_000), Standing::Down | Standing::Trial));
            }
        }
    }
}
