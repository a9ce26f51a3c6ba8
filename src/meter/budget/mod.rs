//! What a client's key may use, and what it has used: a record of fixed size, and pure functions of (record, what
//! happened, now).
//!
//! The record lies in Envoy's shared data, where every worker sees it. An exchange is *admitted* with a demand: an
//! estimate of its tokens and their price, which is held; and *settled* with what it really used, for which the hold is
//! given back. While it goes on, what it is known to cost is charged in *advance*, and that much of the hold is given back:
//! a VM that dies takes no debts with it. Requests and tokens count in the minute of the clock in which the exchange was admitted; money counts in
//! the day, the week (from Monday) and the month in which it was settled, all in UTC.
//!
//! A hold ends by itself when no exchange that it could belong to can be alive any more, so that a VM that dies leaves
//! none behind. Nothing here wraps: what would be too large stays at the largest number, and refuses.

mod ask;
mod held;
mod record;
mod refusal;
mod span;

pub use ask::{Ask, LEAST_LIMIT, Open};
pub use record::{LENGTH, Record, VERSION};
pub use span::{SPANS, Span};

use super::PicoUsd;
use held::Held;

/// What a key may use. What has no limit is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in a minute of the clock.
    pub requests_per_minute: Option<u64>,
    /// Tokens in a minute of the clock, prompts and completions together.
    pub tokens_per_minute: Option<u64>,
    /// Money, by [`Span`].
    pub budget: [Option<PicoUsd>; SPANS.len()],
}

impl Allowance {
    /// Whether there is any limit.
    pub fn is_limited(&self) -> bool {
        *self != Self::default()
    }

    /// The budget of a span, if there is one.
    pub fn budget(&self, span: Span) -> Option<PicoUsd> {
        self.budget.get(span as usize).copied().flatten()
    }

    /// All budgets, that of the shortest span first.
    pub fn budgets(&self) -> impl DoubleEndedIterator<Item = (Span, PicoUsd)> {
        let budget = |(span, _): (Span, &str)| Some((span, self.budget(span)?));
        SPANS.into_iter().filter_map(budget)
    }

    /// The budget of the longest span that has one.
    pub fn longest(&self) -> Option<(Span, PicoUsd)> {
        self.budgets().next_back()
    }
}

/// What an exchange is expected to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Tokens of prompt and completion.
    pub tokens: u64,
    /// Of these, tokens of the completion.
    pub completion: u64,
    /// What they cost at the dearest endpoint that may serve.
    pub cost: PicoUsd,
    /// Of that, what the completion costs.
    pub completion_cost: PicoUsd,
}

/// What an exchange has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Tokens of prompt and completion.
    pub tokens: u64,
    /// What they cost.
    pub cost: PicoUsd,
    /// What the caller has paid a provider itself. It counts against no budget.
    pub byok: PicoUsd,
}

/// What was charged for an exchange before its end, should the end never come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// What the caller was charged.
    pub cost: PicoUsd,
    /// What the caller has paid a provider itself.
    pub byok: PicoUsd,
    /// When that was charged last, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What was set aside for an exchange when it was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Until when the money is held, in milliseconds since 1970: the place where it is given back.
    pub until_ms: u64,
    /// The money.
    pub cost: PicoUsd,
    /// The minute since 1970 in which the tokens count.
    pub minute: u64,
    /// The tokens.
    pub tokens: u64,
}

/// Why an exchange is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many requests in this minute.
    Requests(Rate),
    /// Too many tokens in this minute.
    Tokens(Rate),
    /// The budget of a span is used up, or what is left of it does not cover the demand.
    Budget {
        /// Which.
        span: Span,
        /// The whole of it.
        budget: PicoUsd,
        /// What was spent of it.
        spent: PicoUsd,
        /// What exchanges under way hold of it.
        held: PicoUsd,
        /// When the next span begins, in milliseconds since 1970.
        resets_ms: u64,
    },
}

/// A limit per minute, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When the next minute begins, in milliseconds since 1970.
    pub resets_ms: u64,
}

#[cfg(test)]
mod tests;
