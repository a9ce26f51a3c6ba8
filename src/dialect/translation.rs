//! What becomes of the features of a request on their way to a provider.

use super::features::Feature;
use super::format::{Dialect, Target};

/// What becomes of a feature on its way to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translation {
    /// It is in what goes out.
    Carried,
    /// What goes out is the same without it.
    Dropped,
    /// Nothing goes out.
    Refused,
}

impl Feature {
    /// What becomes of the sample in what `dialect` writes for `target`.
    pub fn translation(&self, dialect: &Dialect, target: &Target<'_>) -> Translation {
        let without = self.base();
        let without = without.and_then(|request| dialect.encode(&request, target));
        let with = self.sample().and_then(|request| dialect.encode(&request, target));
        match (without, with) {
            (_, Err(_)) => Translation::Refused,
            (Ok(without), Ok(with)) if without == with => Translation::Dropped,
            (_, Ok(_)) => Translation::Carried,
        }
    }
}
