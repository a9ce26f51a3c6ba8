//! Providers as rows of data. A new provider that speaks a known dialect is one more row.
//!
//! A row gives what an operator need not write: the dialect and how the provider deviates from it, where it is, how it
//! takes its key, and whether it stops billing when a client leaves. [`catalogue`] knows which models it offers.

pub mod catalogue;
mod facts;
mod quirks;
mod rows;

pub use facts::{DataPolicy, Facts, MODALITIES, Modalities, PARAMETERS, Parameters, QUANTIZATIONS};
pub use rows::ROWS;

use crate::dialect::Quirks;

/// A provider that is known by name.
#[derive(Debug)]
pub struct Row {
    /// The id in configuration, receipts and metrics.
    pub id: &'static str,
    /// Its dialect.
    pub dialect: &'static str,
    /// The dialects of models that it serves in another one, by how its own ids of them begin.
    pub model_dialects: &'static [(&'static str, &'static str)],
    /// Where it is.
    pub address: Address,
    /// The header that carries the key, lower case.
    pub auth_header: &'static str,
    /// What stands before the key in that header.
    pub auth_prefix: &'static str,
    /// What happens to the bill when the client leaves.
    pub on_cancel: OnCancel,
    /// How it deviates from its dialect.
    pub quirks: &'static Quirks,
}

/// Where a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Here, for everybody.
    Known(&'static str),
    /// Somewhere else for every account or installation: what the operator's base URL looks like.
    Like(&'static str),
}

impl Row {
    /// The base URL, if it is the same for everybody.
    pub const fn base_url(&self) -> Option<&'static str> {
        match self.address {
            Address::Known(url) => Some(url),
            Address::Like(_) => None,
        }
    }
}

/// What happens to the bill when the client leaves a stream.
///
/// Source of the rows: the list of <https://openrouter.ai/docs/api-reference/streaming#stream-cancellation>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// The provider stops, and bills what it had generated.
    Stops,
    /// The provider goes on, and bills the whole completion.
    BillsAll,
    /// Not documented; counted as [`OnCancel::Stops`] and marked in the receipt.
    Unknown,
}

impl OnCancel {
    /// The word in receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stops => "stops",
            Self::BillsAll => "bills_all",
            Self::Unknown => "unknown",
        }
    }
}

/// One that calls itself compatible with OpenAI, at the same address for everybody.
const fn chat(id: &'static str, base_url: &'static str, on_cancel: OnCancel) -> Row {
    Row {
        id,
        dialect: "openai-chat",
        model_dialects: &[],
        address: Address::Known(base_url),
        auth_header: "authorization",
        auth_prefix: "Bearer ",
        on_cancel,
        quirks: &quirks::COMPATIBLE,
    }
}

/// One that calls itself compatible with OpenAI, at an address of its own for every account or installation.
const fn account(id: &'static str, like: &'static str, on_cancel: OnCancel) -> Row {
    Row {
        address: Address::Like(like),
        ..chat(id, "", on_cancel)
    }
}

impl Row {
    const fn key(self, auth_header: &'static str, auth_prefix: &'static str) -> Self {
        Self {
            auth_header,
            auth_prefix,
            ..self
        }
    }

    const fn speaks(self, dialect: &'static str) -> Self {
        Self {
            dialect,
            quirks: &Quirks::NONE,
            ..self
        }
    }

    const fn serves(self, model_dialects: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            model_dialects,
            ..self
        }
    }

    const fn with(self, quirks: &'static Quirks) -> Self {
        Self { quirks, ..self }
    }
}

/// The row of this id.
pub fn find(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn rows_are_sorted_and_unique() {
        for pair in ROWS.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} {}", pair[0].id, pair[1].id);
        }
    }

    #[test]
    fn every_row_is_complete() {
        assert!(ROWS.len() >= 150, "{}", ROWS.len());
        for row in ROWS {
            let id = row.id;
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(!id.is_empty() && id.chars().all(plain), "{id}");
            let others = row.model_dialects.iter().map(|(_, dialect)| *dialect);
            for dialect in others.chain([row.dialect]) {
                assert!(crate::dialect::find(dialect).is_some(), "{id}: {dialect}");
            }
            assert!(!row.auth_header.is_empty(), "{id}");
            assert!(row.auth_header.chars().all(plain), "{id}");
            assert!(["", "Bearer "].contains(&row.auth_prefix), "{id}");
            match row.address {
                Address::Known(url) => {
                    assert!(url.starts_with("https://") && !url.ends_with('/'), "{id}");
                    assert!(!url.contains(['{', '?']), "{id}");
                }
                Address::Like(url) => {
                    assert!(url.contains('{') || url.starts_with("http://localhost:"), "{id}");
                }
            }
            let quirks = row.quirks;
            // The paths of the other operations are made from it.
            assert!(
                quirks.path.starts_with('/') && quirks.path.contains("/chat/completions"),
                "{id}"
            );
            for edits in [&quirks.parameters, &quirks.messages] {
                let renamed = |name: &&str| edits.renames.iter().any(|(ours, _)| ours == name);
                assert!(!edits.unsupported.iter().any(renamed), "{id}");
            }
        }
    }
}
