//! Other names of models, and the shortlist of the automatic choice.

use crate::preference::Variant;

/// Another name for a model, or for several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// Its models, in the order in which they are tried. Other aliases are resolved.
    pub targets: Vec<AliasTarget>,
}

/// A model that an alias means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliasTarget {
    /// A model, or the shortlist; no alias.
    pub model: ModelRef,
    /// The variants of the name.
    pub variant: Variant,
}

/// A model that may be picked automatically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortlisted {
    /// Its place among the models of the configuration.
    pub model: usize,
    /// Its general score, in thousandths.
    pub score: u32,
    /// Its scores for the skills that callers may ask for, in thousandths.
    pub skills: Vec<(String, u32)>,
}

/// A model, or the way to find it, that a name without variants means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelRef {
    /// A model, by its place.
    Model(usize),
    /// The newest of a family, by its place.
    Latest(usize),
    /// An alias, by its place.
    Alias(usize),
    /// The shortlist.
    Auto,
}
