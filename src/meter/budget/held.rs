//! Money that exchanges under way may cost, by when it is free again at the latest.

use crate::bytes::{Reader, TIME, Writer};
use crate::meter::PicoUsd;

/// How many ends are told apart. More than [`STEPS`], and some to spare for a configuration that changes.
const PLACES: usize = 12;
/// A lifetime is cut into so many steps, at the ends of which holds end.
const STEPS: u64 = 8;
/// No step is shorter, in milliseconds.
const SHORTEST_MS: u64 = 1_000;

/// The length in bytes.
pub(super) const LENGTH: usize = PLACES * (TIME + 8);

/// Amounts, each with the time at which it is free again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held([(u64, PicoUsd); PLACES]);

impl Held {
    /// All that is held now.
    pub(super) fn sum(&self, now: u64) -> PicoUsd {
        let live = self.0.iter().filter(|(until, _)| *until > now);
        live.fold(PicoUsd::default(), |sum, (_, amount)| sum.plus(*amount))
    }

    /// Holds an amount for somewhat longer than `lifetime`; until when, which is where it is given back.
    pub(super) fn add(&mut self, amount: PicoUsd, lifetime_ms: u64, now: u64) -> u64 {
        let step = (lifetime_ms / STEPS).max(SHORTEST_MS);
        let until = (now.saturating_add(lifetime_ms) / step)
            .saturating_add(1)
            .saturating_mul(step);
        let same = self.0.iter().position(|(end, _)| *end == until);
        let free = || self.0.iter().position(|(end, _)| *end <= now);
        // All in use: a change of the lifetime. The one that ends last is the nearest to what was asked for.
        let last = || (0..PLACES).max_by_key(|at| self.0.get(*at).map(|(end, _)| *end));
        let at = same.or_else(free).or_else(last).unwrap_or(0);
        let Some(place) = self.0.get_mut(at) else {
            return until;
        };
        if place.0 <= now {
            *place = (until, PicoUsd::default());
        }
        place.1 = place.1.plus(amount);
        place.0
    }

    /// Holds `now` of what was held as `before`.
    pub(super) fn change(&mut self, until_ms: u64, before: PicoUsd, now: PicoUsd) {
        if let Some((_, held)) = self.0.iter_mut().find(|(end, _)| *end == until_ms) {
            *held = held.plus(now).minus(before);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut held = Self::default();
        for place in &mut held.0 {
            *place = (reader.time(), PicoUsd(reader.number(8)));
        }
        held
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        for (until, amount) in self.0 {
            writer.number(until, TIME);
            writer.number(amount.0, 8);
        }
    }
}
