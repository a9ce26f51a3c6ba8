//! What a caller is told who is not admitted.

use super::{Demand, Rate, Refusal};
use crate::error::{self, Error, Kind};
use crate::meter::PicoUsd;
use crate::time::rfc3339;

/// How long to wait, in milliseconds, where only exchanges under way stand in the way.
const SOON_MS: u64 = 1_000;

impl Refusal {
    /// The error: 429 for what the next minute mends, 402 for what only money does.
    pub fn error(&self, demand: &Demand, now: u64) -> Error {
        match *self {
            Self::Requests(rate) => limited(rate, "requests", now),
            Self::Tokens(rate) => limited(rate, "tokens", now),
            Self::Budget {
                span,
                budget,
                spent,
                held,
                resets_ms,
            } => {
                let span = span.name();
                let left = PicoUsd(budget.0.saturating_sub(spent.0));
                if left.0 == 0 {
                    return Error::new(
                        Kind::PaymentRequired,
                        format!(
                            "Insufficient credits: the key's budget of {budget} USD a {span} is used up; it begins anew at {}",
                            rfc3339(resets_ms)
                        ),
                    );
                }
                let free = PicoUsd(left.0.saturating_sub(held.0));
                // Clients look for the two numbers in OpenRouter's own words.
                let mut error = Error::new(
                    Kind::PaymentRequired,
                    format!(
                        "This request requires more credits, or fewer max_tokens. You requested up to {} tokens, but can \
                         only afford {}: {left} USD are left of the key's budget of {budget} USD a {span}, of which \
                         requests under way hold {held} USD",
                        demand.completion,
                        affordable(demand, free)
                    ),
                );
                if demand.cost <= left {
                    error.retry_after_ms = Some(SOON_MS);
                }
                error
            }
        }
    }
}

/// How many tokens of the completion an amount pays for, beside the prompt.
fn affordable(demand: &Demand, amount: PicoUsd) -> u64 {
    let of_prompt = demand.cost.0.saturating_sub(demand.completion_cost.0);
    let left = u128::from(amount.0.saturating_sub(of_prompt));
    let tokens = left * u128::from(demand.completion) / u128::from(demand.completion_cost.0.max(1));
    u64::try_from(tokens).unwrap_or(u64::MAX).min(demand.completion)
}

fn limited(rate: Rate, what: &str, now: u64) -> Error {
    let mut error = Error::new(
        Kind::RateLimitExceeded,
        format!(
            "Rate limit exceeded: the key may use {} {what} a minute",
            rate.limit
        ),
    );
    error.retry_after_ms = Some(rate.resets_ms.saturating_sub(now));
    error.rate_limit = Some(Box::new(error::RateLimit {
        limit: rate.limit,
        remaining: rate.remaining,
        resets_ms: rate.resets_ms,
    }));
    error
}
