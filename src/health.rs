//! How well an endpoint does: a record of fixed size, and a pure function of (record, sample, now).
//!
//! The record lives in Envoy's shared data, where every worker sees it. Losing a sample is fine; a wrong clock, garbage
//! bytes or another layout give an empty record. Times are milliseconds since 1970. Routing sees a [`View`] of it.

mod breaker;
mod running;
mod sketch;
mod unclear;
mod window;

pub use breaker::Standing;
pub use running::HOLDS_MS;
pub use sketch::Quantiles;
pub use window::Outcomes;

use crate::bytes::{Reader, TIME, Writer};
use breaker::Breaker;
use running::Running;
use sketch::{FALLING, RISING, Sketch};
use unclear::Unclear;
use window::Window;

/// The length of a record in shared data, in bytes.
pub const LENGTH: usize = 1_056;
const VERSION: u8 = 4;
/// How many buckets of the shortest window are its newest part.
const NEWEST: usize = 2;
/// How many samples a quantile needs that routing may rely on.
const KNOWN: u64 = 5;
/// How many it takes to say what nearly all streams keep to.
const WELL_KNOWN: u64 = 20;
/// For how long routing remembers how fast an endpoint was that nobody asks any more.
const REMEMBERED_MS: u64 = 600_000;
/// For how long an endpoint that missed a deadline without a token counts as one that may be silent.
const SILENT_MS: u64 = 600_000;
/// How many outcomes of five minutes tell the uptime that routing looks at.
const TELLING: u32 = 20;
/// Below this uptime, in thousandths, an endpoint comes after the others, and below that it is a last resort.
/// <https://openrouter.ai/docs/guides/community/for-providers>
const DEGRADED: u32 = 950;
const UNRELIABLE: u32 = 800;

/// What one attempt taught about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It answered.
    Success,
    /// It failed, by its own fault.
    Failure,
    /// It failed, by its own fault or by that of the request.
    Unclear {
        /// A short hash of the caller's name. Of two names with the same hash one counts, and no more follows from it.
        caller: u32,
    },
    /// It asks for fewer requests, for this long if it said so.
    RateLimited {
        /// `Retry-After`, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The attempt ended without teaching anything (the caller's fault, or the client left): a claimed trial is free again.
    Nothing,
    /// How long a stream took to its first token.
    FirstToken {
        /// In milliseconds.
        ms: u64,
    },
    /// How long a buffered answer took, from the beginning of its attempt to its end.
    Whole {
        /// In milliseconds.
        ms: u64,
    },
    /// An attempt at a buffered answer missed its deadline without a token.
    Silent,
    /// How fast a completion came, from the beginning of its attempt to its end.
    Throughput {
        /// In tokens per 10 seconds.
        tokens_per_10_s: u64,
    },
}

/// How reliable an endpoint was in the last minutes, by its uptime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// At least 95 %, or nobody knows.
    #[default]
    Normal,
    /// 80 to 94 %.
    Degraded,
    /// Less.
    Unreliable,
}

/// What routing knows of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    breaker: Breaker,
    /// How reliable it was.
    pub band: Band,
    /// The share of its attempts of the last minutes that succeeded, in thousandths, where enough were made to tell.
    pub uptime: Option<u32>,
    /// The times to the first token in the last five minutes, in milliseconds.
    pub latency: Option<Quantiles>,
    /// The throughput in the last five minutes, in tokens per 10 seconds.
    pub throughput: Option<Quantiles>,
    /// The usual time to the first token, in milliseconds, remembered for longer.
    pub usual_ms: Option<u32>,
    /// What 99 % of the streams of the last five minutes kept to, to their first token; known from more of them.
    pub slowest_ms: Option<u32>,
    /// What 99 % of the buffered answers of the last five minutes took at most, in milliseconds; known from more of them.
    pub slowest_whole_ms: Option<u32>,
    /// Whether an attempt at a buffered answer met silence in the last ten minutes.
    pub silent: bool,
    /// How many attempts are under way.
    pub in_flight: u32,
}

impl View {
    /// Whether it may be asked at this time.
    pub fn standing(&self, now: u64) -> Standing {
        self.breaker.standing(now)
    }

    /// The part of its share that it may have after an outage, in thousandths.
    pub fn ramp(&self, now: u64) -> u64 {
        self.breaker.ramp(now)
    }

    /// Whether there is an outage that has not ended, be it due for a trial or not.
    pub const fn is_out(&self) -> bool {
        self.breaker.open_until > 0
    }
}

/// The share of attempts that succeeded, in thousandths; nothing where there were too few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    /// In the last 5 minutes.
    pub last_5m: Option<u32>,
    /// In the last 30 minutes.
    pub last_30m: Option<u32>,
    /// In the last day.
    pub last_1d: Option<u32>,
}

/// The record of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    breaker: Breaker,
    /// OpenRouter's 30 seconds; those before the last outage's end are forgotten.
    seconds: Window<6, 5_000>,
    minutes: Window<5, 60_000>,
    half_hour: Window<6, 300_000>,
    day: Window<12, 7_200_000>,
    latency: Sketch,
    throughput: Sketch,
    running: Running,
    unclear: Unclear,
    whole: Sketch,
    /// When an attempt at a buffered answer met silence last.
    silent: u64,
}

impl Record {
    /// Reads a record; anything but a record of this version is an empty one.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        if bytes.len() != LENGTH || reader.u8() != VERSION {
            return Self::default();
        }
        Self {
            breaker: Breaker::read(&mut reader),
            seconds: Window::read(&mut reader),
            minutes: Window::read(&mut reader),
            half_hour: Window::read(&mut reader),
            day: Window::read(&mut reader),
            latency: Sketch::read(&mut reader),
            throughput: Sketch::read(&mut reader),
            running: Running::read(&mut reader),
            unclear: Unclear::read(&mut reader),
            whole: Sketch::read(&mut reader),
            silent: reader.time(),
        }
    }

    /// Writes the record, in [`LENGTH`] bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(LENGTH));
        writer.number(u64::from(VERSION), 1);
        self.breaker.write(&mut writer);
        self.seconds.write(&mut writer);
        self.minutes.write(&mut writer);
        self.half_hour.write(&mut writer);
        self.day.write(&mut writer);
        self.latency.write(&mut writer);
        self.throughput.write(&mut writer);
        self.running.write(&mut writer);
        self.unclear.write(&mut writer);
        self.whole.write(&mut writer);
        writer.number(self.silent, TIME);
        writer.0.resize(LENGTH, 0);
        writer.0
    }

    /// Takes one sample.
    #[must_use]
    pub fn update(mut self, sample: Sample, now: u64) -> Self {
        match sample {
            Sample::Success => {
                if self.breaker.succeed(now) {
                    self.seconds = Window::default();
                }
                self.count(false, now);
                self.unclear.succeed(now);
            }
            Sample::Failure => {
                self.count(true, now);
                self.fail(now);
            }
            Sample::Unclear { caller } => {
                let counted = self.unclear.add(caller, now);
                // It has failed its trial, even if every caller's failure has counted before.
                let trial = usize::from(counted.is_endpoint && self.breaker.open_until > 0);
                for _ in 0..counted.failures.max(trial) {
                    self.count(true, now);
                }
                for _ in 0..counted.in_a_row.max(trial) {
                    self.fail(now);
                }
            }
            Sample::RateLimited { retry_after_ms } => self.breaker.limit(retry_after_ms, now),
            Sample::Nothing => self.breaker.give_back(),
            Sample::Whole { ms } => self.whole.add(u32::try_from(ms).unwrap_or(u32::MAX), now),
            Sample::Silent => self.silent = now,
            Sample::FirstToken { ms } => self.latency.add(u32::try_from(ms).unwrap_or(u32::MAX), now),
            Sample::Throughput { tokens_per_10_s } => {
                let value = u32::try_from(tokens_per_10_s).unwrap_or(u32::MAX);
                self.throughput.add(value, now);
            }
        }
        self
    }

    /// Takes a VM's word on how many attempts it has under way.
    #[must_use]
    pub fn report(mut self, vm: u32, count: u16, now: u64) -> Self {
        self.running.report(vm, count, now);
        self
    }

    /// What routing sees at this time, in this VM; of the attempts under way those of other VMs.
    pub fn view(&self, vm: u32, now: u64) -> View {
        // What was before an outage ended says nothing about what is now.
        let uptime = self.minutes.sum(5, self.breaker.recovered, now).uptime(TELLING);
        View {
            breaker: self.breaker,
            band: match uptime {
                Some(..UNRELIABLE) => Band::Unreliable,
                Some(UNRELIABLE..DEGRADED) => Band::Degraded,
                _ => Band::Normal,
            },
            uptime,
            latency: self.latency.recent(RISING, KNOWN, now),
            throughput: self.throughput.recent(FALLING, KNOWN, now),
            usual_ms: self.latency.usual(KNOWN, REMEMBERED_MS, now),
            slowest_ms: self
                .latency
                .recent(RISING, WELL_KNOWN, now)
                .map(Quantiles::slowest),
            slowest_whole_ms: self.whole.recent(RISING, WELL_KNOWN, now).map(Quantiles::slowest),
            silent: self.silent > 0 && now.abs_diff(self.silent) < SILENT_MS,
            in_flight: self.running.others(vm, now),
        }
    }

    /// Whether it may be asked at this time.
    pub fn standing(&self, now: u64) -> Standing {
        self.breaker.standing(now)
    }

    /// How reliable it was; `at_least` so many attempts say so.
    pub fn uptime(&self, at_least: u32, now: u64) -> Uptime {
        Uptime {
            last_5m: self.outcomes(now).uptime(at_least),
            last_30m: self.half_hour.sum(6, 0, now).uptime(at_least),
            last_1d: self.day.sum(12, 0, now).uptime(at_least),
        }
    }

    /// What came of the attempts of the last five minutes.
    pub fn outcomes(&self, now: u64) -> Outcomes {
        self.minutes.sum(5, 0, now)
    }

    /// Claims the trial of an endpoint that was down; `None` when there is none to claim.
    pub fn claim(mut self, now: u64) -> Option<Self> {
        self.breaker.claim(now).then_some(self)
    }

    /// Tells the breaker of a failure that the windows hold.
    fn fail(&mut self, now: u64) {
        let (all, newest) = (self.seconds.sum(6, 0, now), self.seconds.sum(NEWEST, 0, now));
        self.breaker.fail(all, newest, now);
    }

    fn count(&mut self, failed: bool, now: u64) {
        self.seconds.add(failed, now);
        self.minutes.add(failed, now);
        self.half_hour.add(failed, now);
        self.day.add(failed, now);
    }
}

#[cfg(test)]
mod tests;
