//! Records after some samples, and what routing sees of them.

use super::breaker::{LIMITED_MAX_MS, OPEN_MS, PROBE_MS, RAMP_MS};
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
fn failures_that_requests_may_have_caused_are_an_outage_once_three_callers_met_one() {
    let unclear = |caller| Sample::Unclear { caller };
    let mut record = (0..50).fold(Record::default(), |record, at| {
        record.update(unclear(1), NOW + at)
    });
    record = record.update(unclear(2), NOW + 50);
    assert_eq!(record.standing(NOW + 51), Standing::Healthy);
    assert_eq!(record.outcomes(NOW + 51).total(), 0);
    record = record.update(unclear(3), NOW + 52);
    assert_eq!(record.standing(NOW + 53), Standing::Down);
    assert_eq!(record.outcomes(NOW + 53).failures, 3);
    // A trial that meets the same begins the outage anew.
    let back = NOW + 52 + OPEN_MS;
    let record = record.claim(back).unwrap().update(unclear(1), back);
    assert_eq!(record.standing(back + OPEN_MS), Standing::Down);
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
    let now = NOW + 36_000;
    let record = record.update(Sample::Failure, now);
    let outcomes = record.seconds.sum(6, 0, now);
    assert_eq!((outcomes.successes, outcomes.failures), (0, 1));
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
fn a_rate_limit_that_says_nothing_lasts_longer_each_time() {
    let limited = Sample::RateLimited { retry_after_ms: None };
    let record = after(&[(limited, 0), (limited, 1), (limited, 2_001)]);
    assert_eq!(record.standing(NOW + 6_000), Standing::RateLimited);
    assert_eq!(record.standing(NOW + 6_001), Standing::Healthy);
    let record = record
        .update(Sample::Success, NOW + 7_000)
        .update(limited, NOW + 7_000);
    assert_eq!(record.standing(NOW + 9_000), Standing::Healthy);
}

#[test]
fn a_busy_endpoint_is_not_down_for_three_failures_by_chance() {
    let mut record = Record::default();
    for at in 0..200 {
        record = record.update(Sample::Success, NOW + at);
    }
    for at in 0..6 {
        record = record.update(Sample::Failure, NOW + 200 + at);
        assert_eq!(record.standing(NOW + 210), Standing::Healthy, "{at}");
    }
    record = record.update(Sample::Failure, NOW + 210);
    assert_eq!(record.standing(NOW + 210), Standing::Down);
}

#[test]
fn half_of_many_new_failures_are_an_outage_whatever_was_before() {
    let mut record = Record::default();
    for at in 0..1_000 {
        record = record.update(Sample::Success, NOW + at);
    }
    for at in 0..10 {
        let sample = Sample::Success;
        record = record.update(Sample::Failure, NOW + 20_000 + at);
        if at < 9 {
            record = record.update(sample, NOW + 20_000 + at);
        }
    }
    assert_eq!(record.standing(NOW + 20_010), Standing::Down);
}

#[test]
fn what_came_back_gets_its_share_step_by_step_and_a_relapse_is_noticed_at_once() {
    let record = after(&[(Sample::Failure, 0), (Sample::Failure, 0), (Sample::Failure, 0)]);
    let back = NOW + OPEN_MS;
    let record = record.claim(back).unwrap().update(Sample::Success, back);
    let ramp = |after| record.view(0, back).ramp(back + after);
    assert_eq!([ramp(0), ramp(RAMP_MS / 2), ramp(RAMP_MS)], [50, 525, 1_000]);
    let once = record.update(Sample::Failure, back + 1);
    assert_eq!(once.standing(back + 1), Standing::Healthy);
    let twice = once.update(Sample::Failure, back + 2);
    assert_eq!(twice.standing(back + 2 * OPEN_MS), Standing::Down);
}

#[test]
fn uptime_has_its_bands() {
    let bands = [
        (100, 5, Band::Normal),
        (100, 6, Band::Degraded),
        (100, 20, Band::Degraded),
        (100, 21, Band::Unreliable),
    ];
    for (total, failures, band) in bands.into_iter().chain([(19, 4, Band::Normal)]) {
        let mut record = Record::default();
        for at in 0..total {
            // Spread, so that there is no outage.
            let failed = (at + 1) * failures / total > at * failures / total;
            record = record.update(if failed { Sample::Failure } else { Sample::Success }, NOW);
        }
        assert_eq!(record.view(0, NOW).band, band, "{failures} of {total}");
        assert_eq!(record.view(0, NOW + 300_000).band, Band::Normal);
    }
}

#[test]
fn uptime_is_told_for_minutes_and_for_a_day() {
    let mut record = Record::default();
    for at in 0..20 {
        let later = if at < 10 { 0 } else { 1_200_000 };
        let sample = if at < 15 { Sample::Success } else { Sample::Failure };
        record = record.update(sample, NOW + later);
    }
    let uptime = record.uptime(10, NOW + 1_200_000);
    assert_eq!(
        (uptime.last_5m, uptime.last_30m, uptime.last_1d),
        (Some(500), Some(750), Some(750))
    );
    let uptime = record.uptime(10, NOW + 3_600_000);
    assert_eq!(
        (uptime.last_5m, uptime.last_30m, uptime.last_1d),
        (None, None, Some(750))
    );
}

#[test]
fn how_fast_an_endpoint_was_is_remembered_when_it_is_asked_no_more() {
    let mut record = Record::default();
    for _ in 0..KNOWN {
        assert_eq!(record.view(0, NOW).usual_ms, None);
        record = record
            .update(Sample::FirstToken { ms: 400 }, NOW)
            .update(Sample::Throughput { tokens_per_10_s: 500 }, NOW);
    }
    let view = record.view(0, NOW + 1);
    let about = |value: u32, exact: u32| value.abs_diff(exact) * 5 < exact;
    assert!(about(view.usual_ms.unwrap(), 400) && about(view.latency.unwrap().median(), 400));
    assert!(about(view.throughput.unwrap().median(), 500));
    let view = record.view(0, NOW + 400_000);
    assert!(view.latency.is_none() && view.throughput.is_none() && view.usual_ms.is_some());
    assert_eq!(record.view(0, NOW + REMEMBERED_MS).usual_ms, None);
}

#[test]
fn an_endpoint_is_known_to_be_silent_for_ten_minutes() {
    let record = after(&[(Sample::Silent, 0)]);
    let silent = |after| record.view(0, NOW + after).silent;
    assert_eq!(
        [silent(0), silent(SILENT_MS - 1), silent(SILENT_MS)],
        [true, true, false]
    );
    assert!(!Record::default().view(0, NOW).silent);
}

#[test]
fn what_buffered_answers_take_is_known_from_twenty_of_them() {
    let take = |record: Record, _| record.update(Sample::Whole { ms: 10_000 }, NOW);
    let known = |count| {
        (0..count)
            .fold(Record::default(), take)
            .view(0, NOW + 1)
            .slowest_whole_ms
    };
    assert_eq!(known(19), None);
    assert!((8_000..13_000).contains(&known(20).unwrap()), "{:?}", known(20));
}

#[test]
fn garbage_is_an_empty_record() {
    assert_eq!(Record::from_bytes(b"garbage"), Record::default());
    assert_eq!(Record::from_bytes(&[0xff; LENGTH]), Record::default());
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::super::breaker::OPEN_MAX_MS;
    use super::*;
    use proptest::prelude::*;

    fn sample() -> impl Strategy<Value = Sample> {
        prop_oneof![
            Just(Sample::Success),
            Just(Sample::Failure),
            Just(Sample::Nothing),
            any::<u32>().prop_map(|caller| Sample::Unclear { caller }),
            any::<u64>().prop_map(|ms| Sample::FirstToken { ms }),
            any::<u64>().prop_map(|ms| Sample::Whole { ms }),
            Just(Sample::Silent),
            any::<u64>().prop_map(|tokens_per_10_s| Sample::Throughput { tokens_per_10_s }),
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
                prop_assert!(!matches!(record.standing(later), Standing::Down | Standing::RateLimited) || record.breaker.open_until > now);
                let _view = record.view(7, now);
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
