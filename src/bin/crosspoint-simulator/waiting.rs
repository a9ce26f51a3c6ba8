//! The calls of a conversation that wait for their results, found by what names them, however many there are.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Calls by what names them: an id, or whatever else a provider looks at.
#[derive(Debug)]
pub(crate) struct Waiting<K> {
    /// The places of the calls of one name in the order of all calls.
    places: HashMap<K, VecDeque<usize>>,
    made: usize,
}

impl<K> Default for Waiting<K> {
    fn default() -> Self {
        Waiting {
            places: HashMap::new(),
            made: 0,
        }
    }
}

impl<K: Eq + Hash> Waiting<K> {
    pub(crate) fn add(&mut self, call: K) {
        self.places.entry(call).or_default().push_back(self.made);
        self.made += 1;
    }

    /// Takes the first call of this name; false when there is none.
    pub(crate) fn answer<Q: Eq + Hash + ?Sized>(&mut self, call: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let Some(places) = self.places.get_mut(call) else {
            return false;
        };
        places.pop_front();
        if places.is_empty() {
            self.places.remove(call);
        }
        true
    }

    pub(crate) fn contains<Q: Eq + Hash + ?Sized>(&self, call: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.places.contains_key(call)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The calls that have no result, in their order.
    pub(crate) fn left(&self) -> Vec<&K> {
        let mut left: Vec<(usize, &K)> = self
            .places
            .iter()
            .flat_map(|(call, places)| places.iter().map(move |place| (*place, call)))
            .collect();
        left.sort_unstable_by_key(|(place, _)| *place);
        left.into_iter().map(|(_, call)| call).collect()
    }
}

impl Waiting<String> {
    /// The ids that have no result, for an error.
    pub(crate) fn ids(&self) -> String {
        let ids: Vec<&str> = self.left().into_iter().map(String::as_str).collect();
        ids.join(", ")
    }
}
