//! Rules for the budgets of keys, and what was used before this Envoy started.

use crate::meter::PicoUsd;
use crate::meter::budget::SPANS;

/// Treatment of a request whose key has a budget and whose cost nothing bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unbounded {
    /// It gets a limit that the budget covers, and holds the endpoint's whole context where its prompt has no bound. What
    /// has no price is left out.
    #[default]
    Clamp,
    /// It holds what requests usually cost, and may cost more.
    Reserve,
    /// It is refused.
    Refuse,
}

/// Rules for budgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// True where a key with limits is let through while its usage is unavailable.
    pub allow_when_unavailable: bool,
    /// Treatment of requests whose cost nothing bounds.
    pub unbounded: Unbounded,
    /// Usage before this Envoy started, by key.
    pub balances: Vec<Balance>,
}

impl Budgets {
    /// The earlier usage of a key.
    pub fn balance(&self, key: &str) -> Option<&Balance> {
        let found = self
            .balances
            .binary_search_by(|balance| balance.key.as_str().cmp(key));
        self.balances.get(found.ok()?)
    }
}

/// Usage of a key before this Envoy started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The name of the key.
    pub key: String,
    /// By span: a day in it, since 1970, and the amount.
    pub spent: [Option<(u64, PicoUsd)>; SPANS.len()],
    /// All that it had used.
    pub total: Option<PicoUsd>,
}
