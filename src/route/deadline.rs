//! How long an endpoint may take to a stream's first token: as configured for it, or by its own latency.

use crate::config::Timeouts;
use crate::health::View;

/// How many bytes of a prompt give one millisecond more: about 2,000 tokens a second. What an endpoint took for others'
/// prompts says little of one that is far longer.
const BYTES_PER_MS: u64 = 8;

/// How many times what nearly all buffered answers took the next one may take, and how long it may take at least: how long
/// an answer becomes its request decides, and one that is given up is paid for.
const WHOLE_FACTOR: u64 = 3;
const WHOLE_MIN_MS: u64 = 60_000;

/// How long an endpoint may take to read a prompt, in milliseconds.
pub const fn prompt_ms(prompt_bytes: usize) -> u64 {
    prompt_bytes as u64 / BYTES_PER_MS
}

/// The deadline of an endpoint, in milliseconds from the beginning of its attempt. `own` is what is configured for it.
pub fn first_token_ms(timeouts: &Timeouts, own: Option<u64>, view: &View, prompt_bytes: usize) -> u64 {
    if let Some(own) = own {
        return own;
    }
    match (timeouts.adaptive, view.slowest_ms) {
        (Some(adaptive), Some(slowest)) => {
            let usual = u64::from(slowest).saturating_mul(adaptive.factor_percent) / 100;
            let deadline = usual.max(adaptive.min_ms).saturating_add(prompt_ms(prompt_bytes));
            deadline.min(adaptive.max_ms)
        }
        (None, _) | (_, None) => timeouts.first_token_ms,
    }
}

/// The deadline of an endpoint for a buffered answer, in milliseconds from the beginning of its attempt: three times what
/// 99 % of its buffered answers took, and the time that the prompt takes more. `share_ms` is the attempt's share of all
/// time: it has no more, and all of it where nothing is known.
pub fn whole_ms(view: &View, share_ms: u64, prompt_bytes: usize) -> u64 {
    view.slowest_whole_ms.map_or(share_ms, |slowest| {
        let usual = u64::from(slowest).saturating_mul(WHOLE_FACTOR);
        let deadline = usual.max(WHOLE_MIN_MS).saturating_add(prompt_ms(prompt_bytes));
        deadline.min(share_ms)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Adaptive;
    use crate::health::{Record, Sample};
    use crate::test;

    const NOW: u64 = 1_800_000_000_000;

    const fn timeouts(adaptive: bool) -> Timeouts {
        let by_latency = Adaptive {
            factor_percent: 300,
            min_ms: 5_000,
            max_ms: 30_000,
        };
        Timeouts {
            first_token_ms: 30_000,
            adaptive: if adaptive { Some(by_latency) } else { None },
            waiting: None,
            stall_ms: 60_000,
            total_ms: 600_000,
        }
    }

    /// The deadline of an endpoint whose streams took `ms` each.
    fn after(samples: u64, ms: u64, own: Option<u64>, prompt: usize) -> u64 {
        let take = |record: Record, _| record.update(Sample::FirstToken { ms }, NOW);
        let view = (0..samples).fold(Record::default(), take).view(0, NOW + 1);
        first_token_ms(&timeouts(true), own, &view, prompt)
    }

    #[test]
    fn few_samples_leave_the_usual_deadline() {
        assert_eq!(
            (after(0, 100, None, 0), after(19, 100, None, 0)),
            (30_000, 30_000)
        );
        assert_eq!(after(20, 100, None, 0), 5_000);
    }

    #[test]
    fn the_deadline_is_some_times_what_nearly_all_kept_to() {
        let deadline = after(100, 3_000, None, 0);
        assert!((8_000..12_000).contains(&deadline), "{deadline}");
        assert_eq!(after(100, 20_000, None, 0), 30_000);
    }

    #[test]
    fn long_prompts_have_more_time() {
        assert_eq!(after(100, 100, None, 80_000), 15_000);
        assert_eq!(after(100, 100, None, 8_000_000), 30_000);
    }

    #[test]
    fn what_is_configured_holds() {
        assert_eq!(after(100, 3_000, Some(700), 80_000), 700);
        assert_eq!(after(0, 0, Some(90_000), 0), 90_000);
    }

    #[test]
    fn without_adaptive_experience_changes_nothing() {
        let record = (0..100).fold(Record::default(), |record, _| {
            record.update(Sample::FirstToken { ms: 100 }, NOW)
        });
        let view = record.view(0, NOW + 1);
        assert_eq!(first_token_ms(&timeouts(false), None, &view, 0), 30_000);
    }

    #[test]
    fn a_buffered_answer_has_a_minute_at_least_and_its_share_at_most() {
        let after = |ms, share, prompt| {
            let take = |record: Record, _| record.update(Sample::Whole { ms }, NOW);
            let view = (0..20).fold(Record::default(), take).view(0, NOW + 1);
            whole_ms(&view, share, prompt)
        };
        assert_eq!(after(5_000, 300_000, 0), 60_000);
        assert_eq!(after(5_000, 300_000, 80_000), 70_000);
        let thrice = after(50_000, 300_000, 0);
        assert!((120_000..200_000).contains(&thrice), "{thrice}");
        assert_eq!(after(200_000, 300_000, 0), 300_000);
        assert_eq!(after(5_000, 2_000, 0), 2_000);
        assert_eq!(whole_ms(&View::default(), 300_000, 80_000), 300_000);
    }

    #[test]
    fn what_was_five_minutes_ago_is_no_experience() {
        let record = (0..100).fold(Record::default(), |record, _| {
            record.update(Sample::FirstToken { ms: 100 }, NOW)
        });
        let view = record.view(0, NOW + 300_000);
        assert_eq!(first_token_ms(&timeouts(true), None, &view, 0), 30_000);
    }
}
