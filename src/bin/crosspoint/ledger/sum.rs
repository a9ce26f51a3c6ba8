//! From entries to rows of sums.

use super::read::{Entry, Exactness};
use std::collections::BTreeMap;

/// What rows may be made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Member {
    /// The name of the client's key
    Key,
    /// The model that served
    Model,
    /// The provider that served
    Provider,
    /// The day on which the exchange began, in UTC
    Day,
    /// How it ended
    Outcome,
    /// chat, completions or embeddings
    Operation,
}

impl Member {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Day => "day",
            Self::Outcome => "outcome",
            Self::Operation => "operation",
        }
    }

    fn of(self, entry: &Entry) -> String {
        match self {
            Self::Key => entry.key.as_deref().unwrap_or_default().to_owned(),
            Self::Model => entry.model.to_string(),
            Self::Provider => entry.provider.as_deref().unwrap_or_default().to_owned(),
            Self::Day => entry.day.to_string(),
            Self::Outcome => entry.outcome.to_string(),
            Self::Operation => entry.operation.to_string(),
        }
    }
}

/// Sums over some exchanges. 128 bits do not overflow: that would take 2^64 exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) exchanges: u128,
    pub(super) prompt: u128,
    pub(super) cache_read: u128,
    pub(super) cache_write: u128,
    pub(super) completion: u128,
    pub(super) reasoning: u128,
    pub(super) cost_pico_usd: u128,
    pub(super) upstream_cost_pico_usd: u128,
    /// Exchanges whose tokens the provider counted, and so on; those without tokens are in none of them.
    pub(super) by_provider: u128,
    pub(super) by_tokenizer: u128,
    pub(super) estimated: u128,
    pub(super) open: u128,
}

impl Sums {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.exchanges += 1;
        self.prompt += u128::from(entry.prompt);
        self.cache_read += u128::from(entry.cache_read);
        self.cache_write += u128::from(entry.cache_write);
        self.completion += u128::from(entry.completion);
        self.reasoning += u128::from(entry.reasoning);
        self.cost_pico_usd += u128::from(entry.cost_pico_usd);
        self.upstream_cost_pico_usd += u128::from(entry.upstream_cost_pico_usd);
        match entry.exactness {
            Exactness::Nothing => {}
            Exactness::Provider => self.by_provider += 1,
            Exactness::Tokenizer => self.by_tokenizer += 1,
            Exactness::Estimate => self.estimated += 1,
            Exactness::Open => self.open += 1,
        }
    }

    /// Names and numbers, in the order of the columns. Money is apart, as it is printed in its own way.
    pub(super) const fn counts(&self) -> [(&'static str, u128); 10] {
        [
            ("exchanges", self.exchanges),
            ("prompt", self.prompt),
            ("cache_read", self.cache_read),
            ("cache_write", self.cache_write),
            ("completion", self.completion),
            ("reasoning", self.reasoning),
            ("by_provider", self.by_provider),
            ("by_tokenizer", self.by_tokenizer),
            ("estimated", self.estimated),
            ("open", self.open),
        ]
    }
}

/// Rows by some members, and what they come to.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) by: Vec<Member>,
    pub(super) rows: BTreeMap<Vec<String>, Sums>,
    pub(super) total: Sums,
}

pub(super) fn table<'e>(entries: impl Iterator<Item = &'e Entry>, by: &[Member]) -> Table {
    let mut table = Table {
        by: by.to_vec(),
        rows: BTreeMap::new(),
        total: Sums::default(),
    };
    for entry in entries {
        let row = by.iter().map(|member| member.of(entry)).collect();
        table.rows.entry(row).or_default().add(entry);
        table.total.add(entry);
    }
    table
}
