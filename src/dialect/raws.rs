//! Members of an object that is being written: some as they came, some of ours.

use crate::json;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Members by name, in order, each name once: the first stands.
#[derive(Debug, Default)]
pub(super) struct Raws<'a>(pub(super) Vec<(&'a str, Cow<'a, RawValue>)>);

impl<'a> Raws<'a> {
    /// Members as they came.
    pub(super) fn of(members: impl IntoIterator<Item = (&'a str, &'a RawValue)>) -> Self {
        let mut out = Self::default();
        out.extend(members);
        out
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a member of ours.
    pub(super) fn set<T: Serialize + ?Sized>(&mut self, name: &'a str, value: &T) {
        self.add(name, Cow::Owned(json::to_raw(value)));
    }

    /// Adds a member as it came, if it did.
    pub(super) fn keep(&mut self, name: &'a str, value: Option<&'a RawValue>) {
        if let Some(value) = value {
            self.add(name, Cow::Borrowed(value));
        }
    }

    /// Adds members as they came.
    pub(super) fn extend(&mut self, members: impl IntoIterator<Item = (&'a str, &'a RawValue)>) {
        for (name, value) in members {
            self.add(name, Cow::Borrowed(value));
        }
    }

    /// Adds a member.
    pub(super) fn add(&mut self, name: &'a str, value: Cow<'a, RawValue>) {
        if !self.0.iter().any(|(known, _)| *known == name) {
            self.0.push((name, value));
        }
    }
}

impl Serialize for Raws<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
