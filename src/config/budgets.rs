//! Rules for the budgets of keys, and what was used before this Envoy started.

use crate::meter::PicoUsd;
use crate::meter::budget::SPANS;

/// What becomes of a request of a key with a budget where nothing bounds what it may cost.
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

/// How budgets are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Whether a key with limits is let through when nobody can tell what it has used.
    pub allow_when_unavailable: bool,
    /// What becomes of requests that nothing bounds.
    pub unbounded: Unbounded,
    /// What was used before this Envoy started, by key.
    pub balances: Vec<Balance>,
}

impl Budgets {
    /// What a key had used.
    pub fn balance(&self, key: &str) -> Option<&Balance> {
        let found = self
            .balances
            .binary_search_by(|balance| balance.key.as_str().cmp(key));
        self.balances.get(found.ok()?)
    }
}

/// What a key had used before this Envoy started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The name of the key.
    pub key: String,
    /// By span: a day in it, since 1970, and the amount.
    pub spent: [Option<(u64, PicoUsd)>; SPANS.len()],
    /// What it had used at all.
    pub total: Option<PicoUsd>,
}
