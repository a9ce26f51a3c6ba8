//! A streaming sketch of a distribution, for quantiles: counts in buckets that grow by a third each.
//!
//! Two halves of 150 seconds each hold what came in the last five minutes; the older half is dropped as a whole. Inside a
//! bucket values are taken to be spread evenly, so a quantile is a few percent off, and at most a third.

use crate::bytes::{Reader, TIME, Writer};

const BUCKETS: usize = 48;
/// How long one half takes samples, in milliseconds.
const HALF_MS: u64 = 150_000;
/// The quantiles that are asked for, in percent.
pub(super) const RISING: [u64; 4] = [50, 75, 90, 99];
/// The same of what is the better the more it is.
pub(super) const FALLING: [u64; 4] = [50, 25, 10, 1];

/// Where the buckets begin: 1, 2, 3 … 1.1 million.
const BOUNDS: [u32; BUCKETS] = bounds();

#[expect(
    clippy::indexing_slicing,
    reason = "in a constant: it fails when compiling, or never"
)]
const fn bounds() -> [u32; BUCKETS] {
    let mut bounds = [1; BUCKETS];
    let mut at = 1;
    while at < BUCKETS {
        let last = bounds[at - 1];
        bounds[at] = if last < 6 {
            last + 1
        } else {
            last / 3 * 4 + last % 3
        };
        at += 1;
    }
    bounds
}

/// What half of all attempts, 75 %, 90 % and 99 % of them kept to: were not slower than that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles(pub [u32; RISING.len()]);

impl Quantiles {
    /// The median.
    pub const fn median(self) -> u32 {
        let [median, ..] = self.0;
        median
    }

    /// What 99 % kept to.
    pub const fn slowest(self) -> u32 {
        let [.., slowest] = self.0;
        slowest
    }
}

/// A distribution of positive whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sketch {
    /// When the newer half began to take samples.
    begun: u64,
    newer: [u16; BUCKETS],
    older: [u16; BUCKETS],
}

impl Default for Sketch {
    fn default() -> Self {
        Self {
            begun: 0,
            newer: [0; BUCKETS],
            older: [0; BUCKETS],
        }
    }
}

impl Sketch {
    pub(super) fn add(&mut self, value: u32, now: u64) {
        // A time in the future is that of a clock that went wrong.
        if self.begun > now || now - self.begun >= HALF_MS {
            let gone = self.begun > now || now - self.begun >= 2 * HALF_MS;
            self.older = if gone { [0; BUCKETS] } else { self.newer };
            self.newer = [0; BUCKETS];
            self.begun = now;
        }
        let at = BOUNDS.partition_point(|bound| *bound <= value).saturating_sub(1);
        if self.newer.get(at).is_some_and(|count| *count == u16::MAX) {
            // The shape is what counts.
            for count in self.newer.iter_mut().chain(&mut self.older) {
                *count /= 2;
            }
        }
        if let Some(count) = self.newer.get_mut(at) {
            *count += 1;
        }
    }

    /// The quantiles, if there are at least so many samples of the last five minutes.
    pub(super) fn recent(&self, percents: [u64; 4], at_least: u64, now: u64) -> Option<Quantiles> {
        if now.checked_sub(self.begun)? >= 2 * HALF_MS || self.total() < at_least.max(1) {
            return None;
        }
        Some(Quantiles(percents.map(|percent| self.quantile(percent))))
    }

    /// The median, if there are at least so many samples, of whatever time within `remembered_ms`.
    pub(super) fn usual(&self, at_least: u64, remembered_ms: u64, now: u64) -> Option<u32> {
        let known = now.checked_sub(self.begun)? < remembered_ms && self.total() >= at_least.max(1);
        known.then(|| self.quantile(50))
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        let halves = self.newer.iter().zip(&self.older);
        halves.map(|(newer, older)| u64::from(*newer) + u64::from(*older))
    }

    fn total(&self) -> u64 {
        self.counts().sum()
    }

    fn quantile(&self, percent: u64) -> u32 {
        // In hundredths of a sample.
        let wanted = percent * self.total();
        let mut below = 0;
        let uppers = BOUNDS.iter().skip(1).chain(BOUNDS.last());
        for ((lower, upper), here) in BOUNDS.iter().zip(uppers).zip(self.counts()) {
            let up_to = below + here * 100;
            if here > 0 && wanted <= up_to {
                let width = u64::from(upper - lower);
                let inside = width * wanted.saturating_sub(below) / (here * 100);
                return u32::try_from(u64::from(*lower) + inside).unwrap_or(u32::MAX);
            }
            below = up_to;
        }
        0
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut sketch = Self {
            begun: reader.time(),
            ..Self::default()
        };
        for count in sketch.newer.iter_mut().chain(&mut sketch.older) {
            *count = reader.u16();
        }
        sketch
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(self.begun, TIME);
        for count in self.newer.iter().chain(&self.older) {
            writer.u16(*count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hash, test};

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn bounds_rise_by_a_third_up_to_a_quarter_of_an_hour() {
        for pair in BOUNDS.windows(2) {
            assert!(
                pair[0] < pair[1] && pair[1] <= pair[0].max(3) * 4 / 3 + 1,
                "{pair:?}"
            );
        }
        assert!(BOUNDS[BUCKETS - 1] > 800_000, "{BOUNDS:?}");
    }

    #[test]
    fn quantiles_are_within_a_tenth() {
        // A long tail, as latencies have: 100 ms and upwards.
        let mut values: Vec<u32> = (0..5_000_u64)
            .map(|at| {
                let uniform = (hash::mix(at) >> 40) as f64 / (1_u64 << 24) as f64;
                (100.0 * (1.0 - uniform).powf(-0.6)) as u32
            })
            .collect();
        let mut sketch = Sketch::default();
        for value in &values {
            sketch.add(*value, NOW);
        }
        values.sort_unstable();
        let found = sketch.recent(RISING, 1, NOW).unwrap();
        for (found, percent) in found.0.into_iter().zip(RISING) {
            let exact = f64::from(values[values.len() * percent as usize / 100]);
            let off = (f64::from(found) / exact - 1.0).abs();
            assert!(off < 0.1, "p{percent}: {found} for {exact}");
        }
    }

    #[test]
    fn samples_are_forgotten_after_five_minutes() {
        let mut sketch = Sketch::default();
        sketch.add(10, NOW);
        sketch.add(1_000, NOW + HALF_MS);
        let median = |at| sketch.recent(RISING, 1, NOW + at).map(Quantiles::median);
        assert!(median(HALF_MS).unwrap() < 20);
        assert_eq!(median(3 * HALF_MS), None);
        sketch.add(1_000, NOW + 2 * HALF_MS);
        let median = sketch.recent(RISING, 1, NOW + 2 * HALF_MS).unwrap().median();
        assert!((800..1_300).contains(&median), "{median}");
    }

    #[test]
    fn a_full_bucket_keeps_the_shape() {
        let mut sketch = Sketch::default();
        for at in 0..200_000 {
            sketch.add(if at % 4 == 0 { 1_000 } else { 10 }, NOW);
        }
        let Quantiles([p50, _, p90, _]) = sketch.recent(RISING, 1, NOW).unwrap();
        assert!(p50 < 14 && p90 > 800, "{p50} {p90}");
    }
}
