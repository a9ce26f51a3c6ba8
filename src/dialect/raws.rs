//! Members of an object that is being written: some as they came, some of ours.

use crate::json;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Members by name, in order.
#[derive(Debug, Default)]
pub(super) struct Raws<'a>(pub(super) Vec<(&'a str, Cow<'a, RawValue>)>);

impl<'a> Raws<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a member of ours.
    pub(super) fn set<T: Serialize + ?Sized>(&mut self, name: &'a str, value: &T) {
        self.0.push((name, Cow::Owned(json::to_raw(value))));
    }

    /// Adds a member as it came, if it did.
    pub(super) fn keep(&mut self, name: &'a str, value: Option<&'a RawValue>) {
        self.0.extend(value.map(|value| (name, Cow::Borrowed(value))));
    }
}

impl Serialize for Raws<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
