//! Whether an endpoint is down, may be tried again, or asks for fewer requests.
//!
//! An outage lasts for a while; then one request claims a trial; when that succeeds, the endpoint gets its share back
//! step by step, so that what has just come back is not run over.

use super::window::Outcomes;
use crate::bytes::{Reader, TIME, Writer};

/// This many failures in a row are an outage, and more where there were many successes: at a busy endpoint that fails one
/// time in five, three in a row are nothing.
const CONSECUTIVE: u32 = 3;
/// Or this many in the window, when they are at least half of all outcomes there; or twice as many of the newest ones.
const IN_WINDOW: u32 = 5;
/// How long an outage lasts before one request may try again; doubled each time that the trial fails.
pub(super) const OPEN_MS: u64 = 5_000;
/// The longest outage. With the trial and the ramp it lets an endpoint be back within a minute of its recovery.
pub(super) const OPEN_MAX_MS: u64 = 30_000;
/// How long one request may take to try; after that another one may.
pub(super) const PROBE_MS: u64 = 15_000;
/// How long an endpoint takes to get its whole share back.
pub(super) const RAMP_MS: u64 = 15_000;
/// The share that it begins with, in thousandths.
const RAMP_FROM: u64 = 50;
/// How long an endpoint that answered 429 without saying how long is left alone, doubled when it does so again at once;
/// the longest that this becomes; and the longest that it may ask for.
const LIMITED_MS: u64 = 2_000;
const LIMITED_AGAIN_MS: u64 = 32_000;
pub(super) const LIMITED_MAX_MS: u64 = 120_000;

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

/// The breaker of one endpoint. Times are milliseconds since 1970; 0: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    /// Failures since the last success.
    consecutive: u16,
    /// How many times in a row the outage began anew.
    reopened: u8,
    /// How many times in a row the endpoint asked for fewer requests.
    limited: u8,
    /// The outage lasts until then.
    pub(super) open_until: u64,
    /// A trial is under way until then.
    probe_until: u64,
    /// The last outage ended then.
    pub(super) recovered: u64,
    /// The endpoint wants to be left alone until then.
    limited_until: u64,
}

/// Whether a time is still to come. One that is further away than it can be is that of a clock that went wrong.
const fn lasts(until: u64, longest: u64, now: u64) -> bool {
    until > now && until - now <= longest
}

impl Breaker {
    pub(super) fn standing(&self, now: u64) -> Standing {
        if lasts(self.open_until, OPEN_MAX_MS, now)
            || (self.open_until > 0 && lasts(self.probe_until, PROBE_MS, now))
        {
            Standing::Down
        } else if lasts(self.limited_until, LIMITED_MAX_MS, now) {
            Standing::RateLimited
        } else if self.open_until > 0 {
            Standing::Trial
        } else {
            Standing::Healthy
        }
    }

    /// The part of its share that an endpoint may have, in thousandths.
    pub(super) fn ramp(&self, now: u64) -> u64 {
        match now.checked_sub(self.recovered) {
            Some(passed) if self.recovered > 0 && passed < RAMP_MS => {
                RAMP_FROM + (1_000 - RAMP_FROM) * passed / RAMP_MS
            }
            _ => 1_000,
        }
    }

    /// Claims the trial; `false` when there is none to claim.
    pub(super) fn claim(&mut self, now: u64) -> bool {
        let free = self.standing(now) == Standing::Trial;
        if free {
            self.probe_until = now.saturating_add(PROBE_MS);
        }
        free
    }

    /// Gives a claimed trial back.
    pub(super) const fn give_back(&mut self) {
        self.probe_until = 0;
    }

    /// One success; `true` when it ends an outage.
    pub(super) fn succeed(&mut self, now: u64) -> bool {
        self.consecutive = 0;
        self.limited = 0;
        self.probe_until = 0;
        let ends = std::mem::take(&mut self.open_until) > 0;
        if ends {
            self.recovered = now;
        } else if self.ramp(now) == 1_000 {
            self.reopened = 0;
        }
        ends
    }

    /// One failure, with what the window holds, and what the newest of it.
    pub(super) fn fail(&mut self, window: Outcomes, newest: Outcomes, now: u64) {
        self.consecutive = self.consecutive.saturating_add(1);
        let consecutive = u32::from(self.consecutive);
        let half = |outcomes: Outcomes, least: u32| {
            outcomes.failures >= least && outcomes.failures >= outcomes.successes
        };
        let was_open = self.open_until > 0;
        let was_trial = was_open && self.probe_until > 0;
        // What has just come back is not given the benefit of the doubt.
        let relapsed = !was_open && self.ramp(now) < 1_000 && consecutive > 1;
        let enough = consecutive >= CONSECUTIVE + (1 + window.successes / 8).ilog2();
        if was_trial || relapsed {
            self.reopened = self.reopened.saturating_add(1);
        } else if lasts(self.open_until, OPEN_MAX_MS, now)
            || !(was_open || enough || half(window, IN_WINDOW) || half(newest, 2 * IN_WINDOW))
        {
            return;
        }
        let length = OPEN_MS.saturating_mul(1 << self.reopened.min(6)).min(OPEN_MAX_MS);
        self.open_until = now.saturating_add(length);
        self.probe_until = 0;
    }

    pub(super) fn limit(&mut self, retry_after_ms: Option<u64>, now: u64) {
        let again = LIMITED_MS
            .saturating_mul(1 << self.limited.min(6))
            .min(LIMITED_AGAIN_MS);
        // Those that come while it is limited were sent before that was known.
        if !lasts(self.limited_until, LIMITED_MAX_MS, now) {
            self.limited = self.limited.saturating_add(1);
        }
        let wait = retry_after_ms.unwrap_or(again).min(LIMITED_MAX_MS);
        self.limited_until = self.limited_until.max(now.saturating_add(wait));
        self.probe_until = 0;
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            consecutive: reader.u16(),
            reopened: reader.u8(),
            limited: reader.u8(),
            open_until: reader.time(),
            probe_until: reader.time(),
            recovered: reader.time(),
            limited_until: reader.time(),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.number(u64::from(self.consecutive), 2);
        writer.number(u64::from(self.reopened), 1);
        writer.number(u64::from(self.limited), 1);
        for time in [
            self.open_until,
            self.probe_until,
            self.recovered,
            self.limited_until,
        ] {
            writer.number(time, TIME);
        }
    }
}
