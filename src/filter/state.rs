//! State that all contexts of one gateway share.

use crate::config::Config;
use crate::hash;
use std::cell::{Cell, OnceCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;

/// One configured gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) config: Rc<Config>,
    /// Namespace of its records in shared data.
    pub(super) namespace: u64,
    /// The answers to `GET /v1/models`, each made at the first request for it: with the whole catalogue one takes longer
    /// to write than everything else that a start does. First that on routes without a policy, then those of
    /// [`Config::routes`].
    pub(super) models: Vec<OnceCell<Vec<u8>>>,
    /// The place of the key whose budgets are shown next.
    pub(super) shown: Cell<usize>,
    /// Makes ids that cannot be guessed: random when the VM started, then stepped.
    random: RandomState,
    counter: Cell<u64>,
}

impl Gateway {
    pub(super) fn new(config: Config) -> Self {
        // The operator writes the name; what comes from outside is told apart inside of the namespace.
        let namespace = hash::stable(&[&config.name]);
        Self {
            models: vec![OnceCell::new(); config.routes.len().saturating_add(1)],
            config: Rc::new(config),
            namespace,
            shown: Cell::new(0),
            random: RandomState::new(),
            counter: Cell::new(0),
        }
    }

    /// A number that cannot be guessed.
    pub(super) fn random(&self) -> u64 {
        let step = self.counter.get().wrapping_add(1);
        self.counter.set(step);
        let mut hasher = self.random.build_hasher();
        hasher.write_u64(step);
        hasher.finish()
    }
}
