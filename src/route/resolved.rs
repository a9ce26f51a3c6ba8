//! Models that the names of a request mean, and how each was found.

use crate::config::Model;
use crate::preference::Variant;

/// Way from the name of a request to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// It is the model's own.
    #[default]
    Direct,
    /// It is the model's own, with a variant.
    Variant,
    /// It is an alias of the configuration.
    Alias,
    /// It is the newest of its family.
    Latest,
    /// It was picked from the shortlist.
    Auto,
    /// Others come first: of `models`, of an alias, or of the shortlist.
    Fallback,
}

impl Strategy {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Variant => "variant",
            Self::Alias => "alias",
            Self::Latest => "latest",
            Self::Auto => "auto",
            Self::Fallback => "fallback",
        }
    }
}

/// A model as a caller names it.
#[derive(Clone, Copy, Debug)]
pub struct ResolvedModel<'c> {
    /// Its place among the models of the configuration.
    pub at: usize,
    /// The model.
    pub model: &'c Model,
    /// The variants of the name.
    pub variant: Variant,
    /// The way in which it was found.
    pub strategy: Strategy,
}
