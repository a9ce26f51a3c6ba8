//! Members of an object that is being written: some as they came, some of ours.

use crate::json;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Members by name, in order, each name once: the first stands.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Raws<'a> {
    members: Vec<(&'a str, Cow<'a, RawValue>)>,
    /// The names, once there are many of them.
    names: BTreeSet<&'a str>,
}

/// From so many members on their names are looked up; fewer are looked through faster.
const MANY: usize = 32;

impl<'a> Raws<'a> {
    /// Members as they came.
    pub(in crate::dialect) fn of(members: impl IntoIterator<Item = (&'a str, &'a RawValue)>) -> Self {
        let mut out = Self::default();
        out.extend(members);
        out
    }

    pub(in crate::dialect) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in order.
    pub(in crate::dialect) fn members(&self) -> impl Iterator<Item = (&'a str, &RawValue)> {
        self.members.iter().map(|(name, value)| (*name, &**value))
    }

    /// Whether there is a member of this name.
    pub(in crate::dialect) fn has(&self, name: &str) -> bool {
        if self.members.len() < MANY {
            self.members.iter().any(|(known, _)| *known == name)
        } else {
            self.names.contains(name)
        }
    }

    /// Adds a member of ours.
    pub(in crate::dialect) fn set<T: Serialize + ?Sized>(&mut self, name: &'a str, value: &T) {
        self.add(name, Cow::Owned(json::to_raw(value)));
    }

    /// Adds a member as it came, if it did.
    pub(in crate::dialect) fn keep(&mut self, name: &'a str, value: Option<&'a RawValue>) {
        if let Some(value) = value {
            self.add(name, Cow::Borrowed(value));
        }
    }

    /// Adds members as they came.
    pub(in crate::dialect) fn extend(&mut self, members: impl IntoIterator<Item = (&'a str, &'a RawValue)>) {
        for (name, value) in members {
            self.add(name, Cow::Borrowed(value));
        }
    }

    /// Adds a member.
    pub(in crate::dialect) fn add(&mut self, name: &'a str, value: Cow<'a, RawValue>) {
        if self.has(name) {
            return;
        }
        self.members.push((name, value));
        match self.members.len() {
            ..MANY => {}
            MANY => self.names = self.members.iter().map(|(name, _)| *name).collect(),
            _ => {
                self.names.insert(name);
            }
        }
    }
}

impl Serialize for Raws<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members.iter().map(|(name, value)| (name, value)))
    }
}
