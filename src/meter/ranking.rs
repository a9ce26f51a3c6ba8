//! How much each model is used: a record of fixed size for each model that is, and a list of which those are.
//!
//! Both live in Envoy's shared data, where every worker adds to them. Losing a sample is fine; garbage bytes or another
//! layout give an empty record. Times are milliseconds since 1970. The bill of an exchange is its receipt, not this.

use crate::bytes::{Reader, TIME, Writer};
use crate::hash;

/// The length of a record in shared data, in bytes.
pub const LENGTH: usize = 544;
const VERSION: u8 = 1;
/// How many models are counted; those that come later are not.
pub const MOST: usize = 1_000;
/// The lengths of a number of requests, of tokens, and of a bucket's number, in bytes.
const REQUESTS: usize = 4;
const TOKENS: usize = 6;
const EPOCH: usize = 4;

/// The key under which a model is counted. Only models of the configuration are, or of the built-in catalogue: no caller
/// chooses the name.
pub fn key(model: &str) -> u64 {
    hash::stable(&[model])
}

/// How much a model was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests that it answered, wholly or in part.
    pub requests: u64,
    /// The tokens of their prompts and completions.
    pub tokens: u64,
}

impl Count {
    /// Both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }
}

/// The record of one model: the last day by the hour, the last week by six hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    day: Ring,
    week: Ring,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            day: Ring::new(24, 3_600_000),
            week: Ring::new(28, 21_600_000),
        }
    }
}

impl Record {
    /// Reads a record; anything but a record of this version is an empty one.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut record = Self::default();
        let mut reader = Reader(bytes);
        if bytes.len() == LENGTH && reader.u8() == VERSION {
            record.day.read(&mut reader);
            record.week.read(&mut reader);
        }
        record
    }

    /// Writes the record, in [`LENGTH`] bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(LENGTH));
        writer.number(u64::from(VERSION), 1);
        self.day.write(&mut writer);
        self.week.write(&mut writer);
        writer.0.resize(LENGTH, 0);
        writer.0
    }

    /// Counts more use.
    #[must_use]
    pub fn add(mut self, count: Count, now: u64) -> Self {
        self.day.add(count, now);
        self.week.add(count, now);
        self
    }

    /// The use in a period that ends now.
    pub fn sum(&self, period: Period, now: u64) -> Count {
        match period {
            Period::Day => self.day.sum(now),
            Period::Week => self.week.sum(now),
        }
    }
}

/// For how long back is counted. The oldest bucket of it may already be gone, so that it is an hour less, or six.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// Seven days.
    Week,
}

/// Buckets of so many milliseconds each; the bucket of a number, counted from 1970, stands at its remainder. Not generic
/// over its lengths: that is 10 KB of code less.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ring {
    ms: u64,
    /// The number of the newest bucket.
    epoch: u64,
    buckets: Vec<Count>,
}

impl Ring {
    fn new(length: usize, ms: u64) -> Self {
        Self {
            ms,
            epoch: 0,
            buckets: vec![Count::default(); length],
        }
    }

    fn add(&mut self, count: Count, now: u64) {
        let epoch = now / self.ms;
        // A clock that went back changes nothing; one that jumped ahead empties the ring.
        for passed in (self.epoch.saturating_add(1)..=epoch)
            .rev()
            .take(self.buckets.len())
        {
            if let Some(bucket) = self.bucket(passed) {
                *bucket = Count::default();
            }
        }
        self.epoch = self.epoch.max(epoch);
        if let Some(bucket) = self.bucket(self.epoch) {
            *bucket = bucket.plus(count);
        }
    }

    fn sum(&self, now: u64) -> Count {
        let length = self.buckets.len();
        let newest = self.epoch.max(now / self.ms);
        let oldest = newest.saturating_sub(length as u64 - 1);
        (oldest..=self.epoch)
            .rev()
            .take(length)
            .filter_map(|epoch| self.buckets.get(self.place(epoch)))
            .fold(Count::default(), |sum, bucket| sum.plus(*bucket))
    }

    fn place(&self, epoch: u64) -> usize {
        usize::try_from(epoch % self.buckets.len() as u64).unwrap_or(0)
    }

    fn bucket(&mut self, epoch: u64) -> Option<&mut Count> {
        let place = self.place(epoch);
        self.buckets.get_mut(place)
    }

    fn read(&mut self, reader: &mut Reader<'_>) {
        self.epoch = reader.number(EPOCH);
        for bucket in &mut self.buckets {
            bucket.requests = reader.number(REQUESTS);
            bucket.tokens = reader.number(TOKENS);
        }
    }

    fn write(&self, writer: &mut Writer) {
        let fitting = |number: u64, length: usize| number.min((1 << (8 * length)) - 1);
        writer.number(fitting(self.epoch, EPOCH), EPOCH);
        for bucket in &self.buckets {
            writer.number(fitting(bucket.requests, REQUESTS), REQUESTS);
            writer.number(fitting(bucket.tokens, TOKENS), TOKENS);
        }
    }
}

/// Which models have a record, and since when is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// The time of the first use; 0: there was none.
    since: u64,
    /// Their keys, in order.
    models: Vec<u64>,
}

impl Index {
    /// Reads a list; anything but a list of this version is an empty one.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        if reader.u8() != VERSION {
            return Self::default();
        }
        let since = reader.time();
        let count = (reader.0.len() / size_of::<u64>()).min(MOST);
        Self {
            since,
            models: (0..count).map(|_| reader.number(size_of::<u64>())).collect(),
        }
    }

    /// Writes the list.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = 1 + TIME + self.models.len() * size_of::<u64>();
        let mut writer = Writer(Vec::with_capacity(length));
        writer.number(u64::from(VERSION), 1);
        writer.number(self.since, TIME);
        for key in &self.models {
            writer.number(*key, size_of::<u64>());
        }
        writer.0
    }

    /// The time of the first use of any model, if there was one.
    pub fn since_ms(&self) -> Option<u64> {
        Some(self.since).filter(|since| *since > 0)
    }

    /// Whether a model is listed.
    pub fn lists(&self, key: u64) -> bool {
        self.models.binary_search(&key).is_ok()
    }

    /// Lists one more; `None` when it is listed, or there is no room.
    #[must_use]
    pub fn with(mut self, key: u64, now: u64) -> Option<Self> {
        if self.models.is_empty() {
            self.since = now;
        }
        let at = self.models.binary_search(&key).err()?;
        (self.models.len() < MOST).then(|| {
            self.models.insert(at, key);
            self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    const HOUR: u64 = 3_600_000;
    /// Where a bucket of six hours begins.
    const NOW: u64 = 80_000 * 6 * HOUR;

    fn count(requests: u64, tokens: u64) -> Count {
        Count { requests, tokens }
    }

    fn both(record: &Record, now: u64) -> [Count; 2] {
        [Period::Day, Period::Week].map(|period| record.sum(period, now))
    }

    #[test]
    fn use_is_forgotten_after_a_day_and_after_a_week() {
        let record = Record::default()
            .add(count(1, 100), NOW)
            .add(count(2, 10), NOW + HOUR)
            .add(count(1, 1), NOW + 26 * HOUR);
        let all = count(4, 111);
        assert_eq!(both(&record, NOW + 26 * HOUR), [count(1, 1), all]);
        assert_eq!(both(&record, NOW + 7 * 24 * HOUR - 1), [count(0, 0), all]);
        assert_eq!(both(&record, NOW + 7 * 24 * HOUR), [count(0, 0), count(1, 1)]);
        assert_eq!(both(&record, NOW + 99 * 24 * HOUR), [count(0, 0); 2]);
        // Nor does a bucket come back that its place is used for anew.
        let later = record.add(count(5, 5), NOW + 7 * 24 * HOUR);
        assert_eq!(both(&later, NOW + 7 * 24 * HOUR), [count(5, 5), count(6, 6)]);
    }

    #[test]
    fn a_clock_that_goes_back_or_jumps_loses_no_more_than_it_must() {
        let record = Record::default()
            .add(count(1, 1), NOW)
            .add(count(1, 1), NOW - 99 * HOUR)
            .add(count(1, 1), 0);
        assert_eq!(both(&record, NOW), [count(3, 3); 2]);
        assert_eq!(both(&record, 0), [count(3, 3); 2]);
        let ahead = record.add(count(1, 1), u64::MAX);
        assert_eq!(both(&ahead, u64::MAX), [count(1, 1); 2]);
    }

    #[test]
    fn what_is_written_is_read_and_garbage_is_nothing() {
        let record = (0..400).fold(Record::default(), |record, hour| {
            record.add(count(hour, 1_000 * hour), NOW + hour * HOUR)
        });
        let bytes = record.to_bytes();
        assert_eq!((bytes.len(), Record::from_bytes(&bytes)), (LENGTH, record));
        for garbage in [
            Vec::new(),
            vec![0; LENGTH],
            vec![0xff; LENGTH],
            bytes[1..].to_vec(),
        ] {
            assert_eq!(Record::from_bytes(&garbage), Record::default());
        }
        let most = Record::default().add(count(u64::MAX, u64::MAX), NOW);
        let kept = Record::from_bytes(&most.to_bytes()).sum(Period::Day, NOW);
        assert_eq!(kept, count(u64::from(u32::MAX), (1 << 48) - 1));
        let mut any = vec![0xff; LENGTH];
        any[0] = VERSION;
        let full = Record::from_bytes(&any).add(count(1, 1), u64::MAX);
        assert!(full.sum(Period::Week, u64::MAX).tokens > 0);
    }

    #[test]
    fn models_are_listed_once_used_and_up_to_a_number() {
        let index = Index::default().with(7, NOW).unwrap().with(8, NOW + 1).unwrap();
        assert!(index.lists(7) && index.lists(8) && !index.lists(9));
        assert_eq!((index.since, Index::from_bytes(&index.to_bytes())), (NOW, index));
        let full = (0..MOST as u64).fold(Index::default(), |index, key| index.with(key, NOW).unwrap());
        assert_eq!(Index::from_bytes(&full.to_bytes()), full);
        assert_eq!(full.with(MOST as u64, NOW), None);
        for garbage in [&[][..], &[0xff; 99], &[0; 99]] {
            assert_eq!(Index::from_bytes(garbage), Index::default());
        }
        let cut = Index::from_bytes(&[VERSION, 1, 0, 0, 0, 0, 0, 9]);
        assert!(cut.models.is_empty());
    }
}
