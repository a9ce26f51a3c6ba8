//! Keys of clients, and callers that another filter has let in.

use crate::meter::budget::Allowance;
use crate::preference::Policy;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The name of the key that stands for every caller whom no other one names.
pub const ANY: &str = "*";

/// A client's key. Only its hash is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// Its name in receipts.
    pub name: String,
    /// The SHA-256 of the key; `None` where its caller is known by [`Identity`] only.
    pub sha256: Option<[u8; 32]>,
    /// From when on it is refused, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// Whether it is refused.
    pub disabled: bool,
    /// What is written beside its name in receipts.
    pub metadata: Vec<(String, String)>,
    /// How much it may use.
    pub allowance: Allowance,
    /// What it may be used for, and what its requests prefer where they say nothing.
    pub policy: Option<Rc<Policy>>,
}

/// The places of client keys, by hash and by name.
///
/// A hash is looked up like any other word. The time that takes may say how much of it was right, and that helps nobody:
/// whoever sends keys cannot choose what their SHA-256 begins with, and from a hash no key can be found.
#[derive(Clone, Debug, Default)]
pub struct KeyIndex {
    by_hash: BTreeMap<[u8; 32], usize>,
    by_name: BTreeMap<String, usize>,
}

impl KeyIndex {
    /// The index of these keys.
    pub(crate) fn of(keys: &[ClientKey]) -> Self {
        let hash = |(at, key): (usize, &ClientKey)| Some((key.sha256?, at));
        Self {
            by_hash: keys.iter().enumerate().filter_map(hash).collect(),
            by_name: (0..).zip(keys).map(|(at, key)| (key.name.clone(), at)).collect(),
        }
    }

    /// Which key has this SHA-256.
    pub(super) fn with_hash(&self, sha256: &[u8; 32]) -> Option<usize> {
        self.by_hash.get(sha256).copied()
    }

    /// Which key has this name.
    pub(super) fn with_name(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

/// Where the name of a caller stands whom a filter before this one has let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// In a request header, lower case. That filter must write or remove it.
    Header(String),
    /// In the filter state of this name.
    FilterState(String),
    /// In dynamic metadata: the name of the filter, and the path below it.
    Metadata(Vec<String>),
}
