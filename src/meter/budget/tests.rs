use super::*;
use crate::test;
use crate::time::parse_rfc3339;

const LIFE: u64 = 600_000;

fn at(text: &str) -> u64 {
    parse_rfc3339(text).unwrap()
}

fn now() -> u64 {
    at("2026-11-22T03:39:10Z")
}

fn allowance(budget: [Option<u64>; 3]) -> Allowance {
    Allowance {
        budget: budget.map(|amount| amount.map(PicoUsd)),
        ..Allowance::default()
    }
}

const fn demand(tokens: u64, cost: u64) -> Demand {
    Demand {
        tokens,
        completion: tokens,
        cost: PicoUsd(cost),
        completion_cost: PicoUsd(cost),
    }
}

const fn used(tokens: u64, cost: u64) -> Used {
    Used {
        tokens,
        cost: PicoUsd(cost),
        byok: PicoUsd(cost.saturating_mul(10)),
    }
}

#[test]
fn spans_begin_and_end_where_the_calendar_says() {
    // A Sunday.
    let now = now();
    let day = now / crate::time::DAY_MS;
    let start = |span: Span| crate::time::Date::of(span.start(day)).to_string();
    let end = |span: Span| crate::time::rfc3339(span.end_ms(now));
    assert_eq!(
        SPANS.map(|(span, _)| start(span)),
        ["2026-11-22", "2026-11-16", "2026-11-01"]
    );
    assert_eq!(
        SPANS.map(|(span, _)| end(span)),
        [
            "2026-11-23T00:00:00.000Z",
            "2026-11-23T00:00:00.000Z",
            "2026-12-01T00:00:00.000Z"
        ]
    );
    for (index, (span, name)) in SPANS.into_iter().enumerate() {
        assert_eq!((span as usize, span.name()), (index, name));
        for day in 4..100_000 {
            let start = span.start(day);
            let end = span.end_ms(day * crate::time::DAY_MS) / crate::time::DAY_MS;
            assert!(start <= day && day < end, "{name} {day}");
            assert_eq!((span.start(start), span.start(end)), (start, end));
        }
    }
}

#[test]
fn a_record_reads_as_it_was_written() {
    let record = Record::default();
    let (record, _) = record
        .admit(&allowance([Some(9), None, None]), &demand(3, 2), LIFE, now())
        .unwrap();
    let record = record.settle(None, &used(7, 5), now());
    let bytes = record.to_bytes("team");
    assert_eq!(bytes.len(), LENGTH + 4);
    assert_eq!(Record::from_bytes(&bytes, "team"), Some(record));
    let mut before = bytes.clone();
    before[0] = VERSION - 1;
    for wrong in [&bytes[1..], &[0; LENGTH + 4], &[], &[VERSION; LENGTH], &before] {
        assert_eq!(Record::from_bytes(wrong, "team"), None);
    }
}

#[test]
fn a_record_is_that_of_its_key_only() {
    let bytes = Record::default().to_bytes("team");
    for other in ["", "tea", "teams", "TEAM"] {
        assert_eq!(Record::from_bytes(&bytes, other), None, "{other}");
    }
}

#[test]
fn what_is_held_counts_until_it_is_settled() {
    let allowance = allowance([Some(10), None, None]);
    let (record, hold) = Record::default()
        .admit(&allowance, &demand(1, 6), LIFE, now())
        .unwrap();
    assert!(record.admit(&allowance, &demand(1, 5), LIFE, now()).is_err());
    assert!(record.admit(&allowance, &demand(1, 4), LIFE, now()).is_ok());
    let record = record.settle(Some(&hold), &used(1, 1), now());
    assert_eq!(
        (record.held(now()), record.spent(Span::Day, now())),
        (PicoUsd(0), PicoUsd(1))
    );
    assert!(record.admit(&allowance, &demand(1, 9), LIFE, now()).is_ok());
}

#[test]
fn a_budget_that_is_used_up_refuses_what_is_free_too() {
    let allowance = allowance([None, Some(5), None]);
    let record = Record::default().settle(None, &used(0, 5), now());
    let refusal = record.admit(&allowance, &demand(1, 0), LIFE, now()).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Budget {
            span: Span::Week,
            budget: PicoUsd(5),
            spent: PicoUsd(5),
            held: PicoUsd(0),
            resets_ms: at("2026-11-23"),
        }
    );
    assert!(
        record
            .admit(&allowance, &demand(1, 0), LIFE, at("2026-11-23"))
            .is_ok()
    );
}

#[test]
fn only_what_is_used_up_refuses_whatever_is_asked_for() {
    let limit = Allowance {
        requests_per_minute: Some(2),
        tokens_per_minute: Some(1),
        budget: [Some(10), Some(6), None].map(|amount| amount.map(PicoUsd)),
    };
    let (held, hold) = Record::default()
        .admit(&limit, &demand(1, 6), LIFE, now())
        .unwrap();
    assert!(held.admit(&limit, &demand(0, 0), LIFE, now()).is_err());
    assert_eq!(held.used_up(&limit, now()), None, "what is held may come back");
    let spent = held.settle(Some(&hold), &used(0, 6), now());
    let refusal = spent.used_up(&limit, now()).unwrap();
    assert!(matches!(refusal, Refusal::Budget { span: Span::Week, .. }));
    assert_eq!(spent.used_up(&limit, at("2026-11-23")), None);
    let twice = spent.settle(None, &used(0, 0), now());
    let refusal = twice.used_up(&limit, now()).unwrap();
    assert!(matches!(refusal, Refusal::Requests(Rate { remaining: 0, .. })));
}

#[test]
fn each_span_begins_anew_by_itself() {
    let record = Record::default().settle(None, &used(0, 7), now());
    let spent = |text| {
        SPANS.map(|(span, _)| {
            let spent = record.spent(span, at(text)).0;
            assert_eq!(record.byok(span, at(text)).0, spent * 10);
            spent
        })
    };
    assert_eq!(spent("2026-11-22T23:59:59Z"), [7, 7, 7]);
    assert_eq!(spent("2026-11-23"), [0, 0, 7]);
    assert_eq!(spent("2026-12-01"), [0, 0, 0]);
    assert_eq!(record.total(), PicoUsd(7));
    // A clock that goes back forgets nothing.
    let record = record.settle(None, &used(0, 1), at("2026-11-21"));
    assert_eq!(record.spent(Span::Day, now()), PicoUsd(8));
}

#[test]
fn a_hold_that_nobody_gives_back_ends_by_itself() {
    let limit = allowance([Some(10), None, None]);
    let (record, hold) = Record::default()
        .admit(&limit, &demand(1, 10), LIFE, now())
        .unwrap();
    let (life, late) = (now() + LIFE, now() + LIFE + LIFE / 8 + 1_000);
    assert!(record.admit(&limit, &demand(1, 1), LIFE, life).is_err());
    assert!(record.admit(&limit, &demand(1, 1), LIFE, late).is_ok());
    // Its own settlement, should it come all the same, takes nothing from others.
    let (record, _) = record.admit(&limit, &demand(1, 6), LIFE, late).unwrap();
    assert_eq!(
        record.settle(Some(&hold), &used(1, 1), late).held(late),
        PicoUsd(6)
    );
}

#[test]
fn requests_and_tokens_count_by_the_minute() {
    let limit = Allowance {
        requests_per_minute: Some(2),
        tokens_per_minute: Some(100),
        ..Allowance::default()
    };
    let (one, hold) = Record::default()
        .admit(&limit, &demand(60, 0), LIFE, now())
        .unwrap();
    let rate = |limit, remaining| Rate {
        limit,
        remaining,
        resets_ms: at("2026-11-22T03:40:00Z"),
    };
    let refused = one.admit(&limit, &demand(41, 0), LIFE, now()).unwrap_err();
    assert_eq!(refused, Refusal::Tokens(rate(100, 40)));
    let settled = one.settle(Some(&hold), &used(10, 0), now());
    let (two, _) = settled.admit(&limit, &demand(90, 0), LIFE, now()).unwrap();
    let refused = two.admit(&limit, &demand(0, 0), LIFE, now()).unwrap_err();
    assert_eq!(refused, Refusal::Requests(rate(2, 0)));
    let next = at("2026-11-22T03:40:00Z");
    // One that wants more than there is gets a minute for itself.
    let (big, _) = two.admit(&limit, &demand(5_000, 0), LIFE, next).unwrap();
    assert!(big.admit(&limit, &demand(1, 0), LIFE, next).is_err());
}

#[test]
fn tokens_beyond_the_estimate_count_when_they_are_known() {
    let limit = Allowance::default();
    let (record, hold) = Record::default()
        .admit(&limit, &demand(60, 0), LIFE, now())
        .unwrap();
    let next = now() + 60_000;
    assert_eq!(
        record.settle(Some(&hold), &used(100, 0), next).of_minute(next),
        (0, 40)
    );
    assert_eq!(
        record.settle(Some(&hold), &used(20, 0), next).of_minute(next),
        (0, 0)
    );
    assert_eq!(
        record.settle(Some(&hold), &used(20, 0), now()).of_minute(now()),
        (1, 20)
    );
}

#[test]
fn absurd_amounts_refuse_and_never_wrap() {
    let limit = allowance([Some(u64::MAX - 1), None, None]);
    let record = Record::default().settle(None, &used(u64::MAX, u64::MAX), now());
    let record = record.settle(None, &used(u64::MAX, u64::MAX), now());
    assert_eq!(record.total(), PicoUsd(u64::MAX));
    assert!(
        record
            .admit(&limit, &demand(u64::MAX, u64::MAX), u64::MAX, now())
            .is_err()
    );
    let free = Record::default().admit(&limit, &demand(u64::MAX, 1), u64::MAX, u64::MAX / 2);
    assert!(free.is_ok());
}

/// A small generator, so that what fails can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = crate::hash::mix(self.0);
        self.0 % bound
    }
}

/// Whatever the order of admissions, settlements and time: no money is lost or invented, what is held is what is under
/// way, and a budget is exceeded only by what exchanges cost beyond their demand.
#[test]
fn nothing_is_lost_whatever_happens_in_which_order() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let limit = allowance([Some(2_000), Some(5_000), Some(9_000)]);
        let mut record = Record::default();
        let mut open: Vec<(Hold, u64)> = Vec::new();
        let (mut clock, mut total, mut beyond) = (now() + seed * 3_600_000, 0, 0);
        for _ in 0..400 {
            clock += random.below(2_000);
            open.retain(|(hold, _)| hold.until_ms > clock);
            if random.below(2) == 0 {
                let demand = demand(random.below(50), random.below(200));
                if let Ok((next, hold)) = record.admit(&limit, &demand, LIFE, clock) {
                    let spent = next.spent(Span::Day, clock).0 + next.held(clock).0;
                    assert!(spent <= 2_000 + beyond, "seed {seed}");
                    record = next;
                    open.push((hold, clock));
                }
            } else if !open.is_empty() {
                let at = usize::try_from(random.below(open.len() as u64)).unwrap();
                let (hold, begun) = open.swap_remove(at);
                assert!(hold.until_ms > begun + LIFE, "seed {seed}");
                let cost = random.below(250);
                beyond += cost.saturating_sub(hold.cost.0);
                record = record.settle(Some(&hold), &used(random.below(60), cost), clock);
                total += cost;
            }
            record = Record::from_bytes(&record.to_bytes("k"), "k").unwrap();
            let held: u64 = open.iter().map(|(hold, _)| hold.cost.0).sum();
            assert_eq!(
                (record.total().0, record.held(clock).0),
                (total, held),
                "seed {seed}"
            );
        }
    }
}

/// What a VM that dies has charged in advance stays charged, and no more of its hold than the rest stays held.
#[test]
fn what_is_charged_in_advance_is_held_no_more_and_settled_once() {
    let allowance = allowance([Some(100), None, Some(1_000)]);
    let (record, hold) = Record::default()
        .admit(&allowance, &demand(10, 40), LIFE, now())
        .unwrap();
    let sums = |record: &Record, at| {
        let spent = SPANS.map(|(span, _)| record.spent(span, at).0);
        (spent, record.held(at).0, record.total().0)
    };
    assert_eq!(sums(&record, now()), ([0; 3], 40, 0));
    let (record, first) = record.advance(Some(&hold), None, &used(3, 15), now());
    assert_eq!(sums(&record, now()), ([15; 3], 25, 15));
    let (record, second) = record.advance(Some(&hold), Some(&first), &used(5, 25), now());
    assert_eq!(sums(&record, now()), ([25; 3], 15, 25));
    assert_eq!(record.byok(Span::Day, now()), PicoUsd(250));
    let (less, third) = record.advance(Some(&hold), Some(&second), &used(1, 5), now());
    assert_eq!(sums(&less, now()), ([5; 3], 35, 5));
    for (record, before) in [(record, second), (less, third)] {
        let settled = record.settle_rest(Some(&hold), Some(&before), &used(9, 30), now());
        assert_eq!(sums(&settled, now()), ([30; 3], 0, 30));
        assert_eq!(settled.of_minute(now()), (1, 9));
        assert_eq!(
            (settled.byok(Span::Week, now()), settled.byok_total()),
            (PicoUsd(300), PicoUsd(300))
        );
        let free = record.settle_rest(Some(&hold), Some(&before), &used(0, 0), now());
        assert_eq!(sums(&free, now()), ([0; 3], 0, 0));
    }
    let (beyond, fourth) = record.advance(Some(&hold), Some(&second), &used(9, 60), now());
    assert_eq!(sums(&beyond, now()), ([60; 3], 0, 60));
    let settled = beyond.settle_rest(Some(&hold), Some(&fourth), &used(9, 61), now());
    assert_eq!(sums(&settled, now()), ([61; 3], 0, 61));
    // The VM has died: what it had charged stays, and the rest of the hold ends by itself.
    assert_eq!(sums(&record, now() + 2 * LIFE), ([25; 3], 0, 25));
}

#[test]
fn what_is_charged_in_advance_before_midnight_counts_before_midnight() {
    let before_midnight = at("2026-11-21T23:59:00Z");
    let other = Record::default().settle(None, &used(0, 7), before_midnight);
    let (record, advance) = other.advance(None, None, &used(3, 15), before_midnight);
    let settled = record.settle_rest(None, Some(&advance), &used(3, 20), now());
    assert_eq!(settled.spent(Span::Day, now()), PicoUsd(5));
    assert_eq!(settled.spent(Span::Week, now()), PicoUsd(27));
    assert_eq!(settled.total(), PicoUsd(27));
}
