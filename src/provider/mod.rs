//! Providers as rows of data. A new provider that speaks a known dialect is one more row.
//!
//! A row gives what an operator need not write: the dialect, where it is, how it takes its key, and whether it stops
//! billing when a client leaves.

/// A provider that is known by name.
#[derive(Debug)]
pub struct Row {
    /// The id in configuration, receipts and metrics.
    pub id: &'static str,
    /// Its dialect.
    pub dialect: &'static str,
    /// Where it is. `None`: every account has its own address, and the operator must write it.
    pub base_url: Option<&'static str>,
    /// The header that carries the key, lower case.
    pub auth_header: &'static str,
    /// What stands before the key in that header.
    pub auth_prefix: &'static str,
    /// What happens to the bill when the client leaves.
    pub on_cancel: OnCancel,
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

const fn openai(id: &'static str, base_url: &'static str, on_cancel: OnCancel) -> Row {
    Row {
        id,
        dialect: "openai-chat",
        base_url: Some(base_url),
        auth_header: "authorization",
        auth_prefix: "Bearer ",
        on_cancel,
    }
}

/// Every provider that is known by name, by id.
pub static ROWS: &[Row] = &[
    Row {
        id: "amazon-bedrock",
        dialect: "bedrock-converse",
        base_url: None,
        auth_header: "authorization",
        auth_prefix: "Bearer ",
        on_cancel: OnCancel::BillsAll,
    },
    Row {
        id: "anthropic",
        dialect: "anthropic-messages",
        base_url: Some("https://api.anthropic.com/v1"),
        auth_header: "x-api-key",
        auth_prefix: "",
        on_cancel: OnCancel::Stops,
    },
    openai("cerebras", "https://api.cerebras.ai/v1", OnCancel::Unknown),
    openai(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        OnCancel::Stops,
    ),
    openai("deepseek", "https://api.deepseek.com", OnCancel::Stops),
    openai(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        OnCancel::Stops,
    ),
    Row {
        id: "google-ai-studio",
        dialect: "gemini",
        base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
        auth_header: "x-goog-api-key",
        auth_prefix: "",
        on_cancel: OnCancel::BillsAll,
    },
    openai("groq", "https://api.groq.com/openai/v1", OnCancel::BillsAll),
    openai("openai", "https://api.openai.com/v1", OnCancel::Stops),
    openai("openrouter", "https://openrouter.ai/api/v1", OnCancel::Unknown),
    openai("together", "https://api.together.ai/v1", OnCancel::Stops),
];

/// The row of this id.
pub fn find(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn rows_are_sorted_unique_and_name_a_dialect() {
        assert!(ROWS.windows(2).all(|pair| pair[0].id < pair[1].id));
        for row in ROWS {
            assert!(crate::dialect::find(row.dialect).is_some(), "{}", row.id);
            assert!(
                row.auth_header
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                row.id
            );
        }
    }
}
