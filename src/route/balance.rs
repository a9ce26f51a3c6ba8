//! Who of several healthy endpoints comes first when price decides: drawn with weight 1/price², so that a third of the
//! price is nine times the share; then, among those of about that price, whoever is less busy; and the same one for all of
//! a conversation where that saves reading its prompt anew.

use super::needs::Needs;
use super::{Entry, Place};
use crate::hash;
use crate::meter::Kind;

/// Slow is who takes so many times as long to the first token as another one does, and so many milliseconds more.
const SLOW_TIMES: u64 = 3;
const SLOW_MS: u64 = 200;

/// Whether `price` is at most a quarter more than `other`.
const fn costs_as_little(other: u64, price: u64) -> bool {
    other.saturating_mul(4) <= price.saturating_mul(5)
}

/// Finds those that are far slower than another one of their region that costs about as little: nobody gains anything by
/// asking them.
pub(super) fn mark_slow(entries: &mut [Entry<'_>]) {
    let mut known: Vec<(usize, u64, u64)> = entries
        .iter()
        .filter(|entry| entry.tier.place == Place::Healthy && !entry.tier.unfit)
        .filter_map(|entry| Some((entry.tier.region, entry.price, entry.view.usual_ms?.into())))
        .collect();
    // Every price with the shortest time that is to be had for it or less, in each region.
    known.sort_unstable();
    let mut shortest = (0, u64::MAX);
    for (region, _, ms) in &mut known {
        let (last, least) = shortest;
        shortest = (*region, if last == *region { least.min(*ms) } else { *ms });
        *ms = shortest.1;
    }
    for entry in entries {
        let Some(own) = entry.view.usual_ms.map(u64::from) else {
            continue;
        };
        let own_region = entry.tier.region;
        let reach = known.partition_point(|(region, price, _)| {
            *region < own_region || (*region == own_region && costs_as_little(*price, entry.price))
        });
        let best = reach.checked_sub(1).and_then(|at| known.get(at));
        let best = best.filter(|(region, ..)| *region == own_region);
        entry.tier.slow = entry.tier.place == Place::Healthy
            && best.is_some_and(|(_, _, best)| {
                own > best.saturating_mul(SLOW_TIMES) && own > best.saturating_add(SLOW_MS)
            });
    }
}

/// Puts one of a group that is sorted by price in front of the others.
pub(super) fn balance(group: &mut [Entry<'_>], needs: &Needs<'_>, seed: u64) {
    let lowest = group.first().map_or(0, |entry| entry.price);
    let may_stick = group.iter().any(caches);
    let affinity = may_stick.then(|| needs.affinity()).flatten();
    let everybody = |_: &Entry<'_>| true;
    let (at, reason) = match affinity.and_then(|affinity| draw_by(group, lowest, affinity)) {
        Some(at) if group.get(at).is_some_and(caches) => (at, "sticky"),
        // Who saves nothing has no claim to a conversation, so those share their part by each request.
        Some(_) => less_busy(group, lowest, seed, |entry| !caches(entry)),
        None => less_busy(group, lowest, seed, everybody),
    };
    if let Some(head) = group.get_mut(..=at) {
        head.rotate_right(1);
    }
    if let Some(first) = group.first_mut() {
        first.reason = match reason {
            "weighted" if first.tier.region < usize::MAX => "region",
            reason => reason,
        };
    }
}

/// Whether an endpoint reads a prompt that it has read before for less.
fn caches(entry: &Entry<'_>) -> bool {
    let price = entry.endpoint.price.as_ref();
    price.is_some_and(|price| price.of(Kind::CacheRead).is_some_and(|read| read < price.prompt))
}

/// 1/price², against the lowest price. Endpoints that cost nothing share all the weight; those without a known price are
/// of another tier, and all weigh the same there.
#[expect(clippy::cast_precision_loss, reason = "a weight need not be exact")]
fn weight(lowest: u64, price: u64) -> f64 {
    match (lowest, price) {
        (0, 0) => 1.0,
        (0, _) => 0.0,
        _ => (lowest as f64 / price as f64).powi(2),
    }
}

/// A number between 0 and 1, without either.
#[expect(clippy::cast_precision_loss, reason = "53 bits of a draw are plenty")]
fn fraction(seed: u64) -> f64 {
    ((hash::mix(seed) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Draws by a hash, so that the same hash draws the same endpoint as long as it is there, whoever else comes or goes:
/// weighted rendezvous hashing. Nothing is stored, and every worker and every Envoy comes to the same.
/// <https://en.wikipedia.org/wiki/Rendezvous_hashing#Weighted_rendezvous_hash>
fn draw_by(group: &[Entry<'_>], lowest: u64, hash: u64) -> Option<usize> {
    let far = |entry: &Entry<'_>| {
        let distance = -fraction(hash ^ entry.endpoint.health_key).ln();
        distance / weight(lowest, entry.price)
    };
    let entries = group.iter().enumerate();
    let nearest = entries.min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)));
    nearest.map(|(at, _)| at)
}

/// Draws one of those that may be, and a second one of about the same price; the less busy of the two.
fn less_busy(
    group: &[Entry<'_>],
    lowest: u64,
    seed: u64,
    may: impl Fn(&Entry<'_>) -> bool,
) -> (usize, &'static str) {
    let Some(first) = draw(group, lowest, seed, &may) else {
        return (0, "weighted");
    };
    let Some(drawn) = group.get(first) else {
        return (first, "weighted");
    };
    let alike = |entry: &Entry<'_>| {
        !std::ptr::eq(entry, drawn) && may(entry) && entry.price.abs_diff(drawn.price) <= drawn.price / 10
    };
    let second = draw(group, lowest, !seed, alike);
    let usual = group.iter().find_map(|entry| entry.view.usual_ms).unwrap_or(1);
    let load = |entry: &Entry<'_>| {
        let usual = u64::from(entry.view.usual_ms.unwrap_or(usual).max(1));
        usual.saturating_mul(u64::from(entry.view.in_flight) + 1)
    };
    match second.and_then(|at| Some((at, group.get(at)?))) {
        // What is about the same must not move shares.
        Some((at, other)) if load(other).saturating_mul(5) < load(drawn).saturating_mul(4) => {
            (at, "less_busy")
        }
        _ => (first, "weighted"),
    }
}

/// Draws one by weight.
fn draw(group: &[Entry<'_>], lowest: u64, seed: u64, may: impl Fn(&Entry<'_>) -> bool) -> Option<usize> {
    let weights = || {
        let entries = group.iter().enumerate().filter(|(_, entry)| may(entry));
        entries.map(|(at, entry)| (at, weight(lowest, entry.price)))
    };
    let total: f64 = weights().map(|(_, weight)| weight).sum();
    let mut point = fraction(seed) * total;
    let mut last = None;
    for (at, weight) in weights() {
        last = Some(at);
        point -= weight;
        if point < 0.0 {
            break;
        }
    }
    last
}
