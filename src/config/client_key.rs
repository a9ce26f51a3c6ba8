//! Keys of clients, and callers that another filter has let in.

use crate::meter::budget::Allowance;
use crate::preference::Policy;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Name of the key for every caller that no other key names.
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
    /// True where it is refused.
    pub disabled: bool,
    /// Metadata for receipts, beside its name.
    pub metadata: Vec<(String, String)>,
    /// The limits of its usage.
    pub allowance: Allowance,
    /// Models and providers that it may use, and preferences of its requests.
    pub policy: Option<Rc<Policy>>,
}

/// The places of client keys, by hash and by name.
///
/// A hash is looked up like any other word. The time that it takes may show how much of the hash was right. That does not
/// help an attacker: nobody can choose the first bytes of a SHA-256, and no key can be found from its hash.
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

    /// The place of the key with this SHA-256.
    pub(super) fn with_hash(&self, sha256: &[u8; 32]) -> Option<usize> {
        self.by_hash.get(sha256).copied()
    }

    /// The place of the key with this name.
    pub(super) fn with_name(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

/// The place where a filter before this one writes the name of a caller that it has let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// In a request header, lower case. That filter must write or remove it.
    Header(String),
    /// In the filter state of this name.
    FilterState(String),
    /// In dynamic metadata: the name of the filter, and the path below it.
    Metadata(Vec<String>),
}
