//! The vocabularies.

/// A vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// `cl100k_base`: GPT-4, GPT-3.5, and the embeddings.
    Cl100k,
    /// `o200k_base`: GPT-4o and all that came after.
    O200k,
}

impl Vocabulary {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cl100k, Self::O200k];

    /// OpenAI's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cl100k => "cl100k_base",
            Self::O200k => "o200k_base",
        }
    }
}
