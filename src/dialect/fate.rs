//! What becomes of the features of a request on their way to a provider.

use super::features::Feature;
use super::format::{Dialect, Target};

/// What becomes of a feature on its way to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in what goes out.
    Carried,
    /// What goes out is the same without it.
    Dropped,
    /// Nothing goes out.
    Refused,
}

impl Feature {
    /// What becomes of the sample in what `dialect` writes for `target`.
    pub fn fate(&self, dialect: &Dialect, target: &Target<'_>) -> Fate {
        let without = self.base();
        let without = without.and_then(|request| dialect.encode(&request, target));
        let with = self.sample().and_then(|request| dialect.encode(&request, target));
        match (without, with) {
            (_, Err(_)) => Fate::Refused,
            (Ok(without), Ok(with)) if without == with => Fate::Dropped,
            (_, Ok(_)) => Fate::Carried,
        }
    }
}
