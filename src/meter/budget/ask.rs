//! What an exchange asks of a budget: a demand that is known, and of completions without a limit one that may be made to
//! fit.

use super::Demand;
use crate::meter::PicoUsd;

/// The least limit that is written: OpenAI's Responses API takes none below.
/// <https://github.com/openai/openai-openapi> (`max_output_tokens`)
pub const LEAST_LIMIT: u64 = 16;
/// The part of what is left that a limit of ours may cost, as long as that is more than completions usually come to: others
/// ask at the same time.
const SHARE: u64 = 16;

/// What an exchange asks of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// What it may cost at the endpoints that have a limit.
    pub known: Demand,
    /// What it may cost at those that have none.
    pub open: Option<Open>,
}

/// Completions without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// What all but the completions costs at the dearest endpoint.
    pub base: PicoUsd,
    /// What one token of each completion costs at the dearest endpoint.
    pub rate: PicoUsd,
    /// How many completions are written.
    pub completions: u64,
    /// The longest completion that any endpoint writes.
    pub most: u64,
    /// How long completions usually are.
    pub usual: u64,
}

impl Ask {
    /// What to hold where so much is free, and the limit that is to be written then. What is not free is asked for all the
    /// same, and refused.
    pub fn within(&self, free: Option<PicoUsd>) -> (Demand, Option<u64>) {
        let (Some(open), Some(free)) = (self.open, free) else {
            return (self.known, None);
        };
        let limit = open.limit(free);
        let completion_cost = open.rate.times(limit);
        let cost = open.base.plus(completion_cost);
        if self.known.cost > cost {
            return (self.known, Some(limit));
        }
        let demand = Demand {
            tokens: self.known.tokens,
            completion: limit.saturating_mul(open.completions),
            cost,
            completion_cost,
        };
        (demand, Some(limit))
    }
}

impl Open {
    fn limit(&self, free: PicoUsd) -> u64 {
        let affordable = |amount: u64| {
            let left = amount.saturating_sub(self.base.0);
            left.checked_div(self.rate.0).unwrap_or(u64::MAX)
        };
        let share = affordable(free.0 / SHARE);
        let usual = self.usual.min(affordable(free.0));
        share.max(usual).min(self.most).max(LEAST_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_limit_of_ours_is_what_is_left_covers() {
        let ask = Ask {
            known: Demand {
                tokens: 7,
                ..Demand::default()
            },
            open: Some(Open {
                base: PicoUsd(100),
                rate: PicoUsd(20),
                completions: 2,
                most: 5_000,
                usual: 1_000,
            }),
        };
        for (free, limit) in [
            // All that an endpoint writes.
            (2_000_000, 5_000),
            // A part of what is left.
            (641_600, 2_000),
            // At least what is usual,
            (160_100, 1_000),
            // as far as that is covered.
            (20_100, 1_000),
            (10_100, 500),
            (420, 16),
            // This is refused.
            (419, 16),
            (0, 16),
        ] {
            let (demand, written) = ask.within(Some(PicoUsd(free)));
            assert_eq!(written, Some(limit), "{free}");
            assert_eq!(demand.cost, PicoUsd(100 + 20 * limit), "{free}");
            assert_eq!((demand.tokens, demand.completion), (7, 2 * limit));
            assert_eq!(demand.cost.0 <= free, free >= 420, "{free}");
        }
        assert_eq!(ask.within(None), (ask.known, None));
    }

    #[test]
    fn the_dearest_of_all_is_held() {
        let known = Demand {
            tokens: 7,
            completion: 9,
            cost: PicoUsd(1_000),
            completion_cost: PicoUsd(900),
        };
        let open = Open {
            base: PicoUsd(1),
            rate: PicoUsd(1),
            completions: 1,
            most: 100,
            usual: 10,
        };
        let ask = Ask {
            known,
            open: Some(open),
        };
        assert_eq!(ask.within(Some(PicoUsd(2_000))), (known, Some(100)));
        assert_eq!(Ask { known, open: None }.within(Some(PicoUsd(1))), (known, None));
    }

    #[test]
    fn what_costs_nothing_has_the_endpoints_limit() {
        let open = Some(Open {
            most: 77,
            completions: 1,
            ..Open::default()
        });
        let ask = Ask {
            open,
            ..Ask::default()
        };
        let (demand, limit) = ask.within(Some(PicoUsd(0)));
        assert_eq!((demand.cost, limit), (PicoUsd(0), Some(77)));
    }
}
