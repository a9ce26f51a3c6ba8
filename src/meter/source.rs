//! Sources of counts.

/// Source of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The provider reported it.
    Provider,
    /// We counted it by the model's own vocabulary.
    Tokenizer,
    /// We estimated it. Of a prompt with tools or images that is always so: how these count is documented, not promised.
    Estimate,
    /// The provider charges for what it goes on to write, up to this limit of the caller's.
    Limit,
}

impl Source {
    /// The word in receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Tokenizer => "tokenizer",
            Self::Estimate => "estimate",
            Self::Limit => "limit",
        }
    }
}
