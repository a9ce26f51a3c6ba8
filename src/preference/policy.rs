//! Policies: what the whole configuration, a route or a key allows and prefers.
//!
//! Patterns are resolved when the configuration is read, to places in its tables, so that a request looks them up.
//! [`crate::route`] applies the policies of several levels together.

use super::preferences::Preferences;
use super::source::PolicySource;

/// The policy of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The level that it stands at.
    pub source: PolicySource,
    /// Models of the configuration that may serve; `None`: all.
    pub models: Option<Places>,
    /// Providers of the configuration that may serve; `None`: all.
    pub providers: Option<Places>,
    /// Preferences that hold beside a request's `provider` object, and stand in for what it does not say.
    pub preferences: Preferences,
    /// The models to fall back on where a request names no fallbacks.
    pub fallbacks: Option<Vec<String>>,
}

impl Policy {
    /// The policy of a level that allows everything and prefers nothing.
    pub fn empty(source: PolicySource) -> Self {
        Self {
            source,
            models: None,
            providers: None,
            preferences: Preferences::default(),
            fallbacks: None,
        }
    }
}

/// A set of places in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<u64>);

impl Places {
    /// True where it has this place.
    pub fn has(&self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_some_and(|bits| bits & 1 << (place % 64) != 0)
    }

    /// Those of a list of which `wanted` is true.
    pub fn of<T>(list: impl IntoIterator<Item = T>, mut wanted: impl FnMut(T) -> bool) -> Self {
        let mut bits = Vec::new();
        for (place, item) in list.into_iter().enumerate() {
            if place % 64 == 0 {
                bits.push(0);
            }
            if let Some(last) = bits.last_mut() {
                *last |= u64::from(wanted(item)) << (place % 64);
            }
        }
        Self(bits)
    }

    /// The number of places.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn places_are_those_that_were_wanted() {
        let places = Places::of(0..200, |place| place % 63 == 0);
        let found: Vec<_> = (0..400).filter(|place| places.has(*place)).collect();
        assert_eq!(found, [0, 63, 126, 189]);
        assert_eq!(places.count(), 4);
        assert!(!Places::default().has(0));
    }
}
