//! How far a response has come, and what of it is open: blocks, items or calls that begin, grow and end at places which the
//! provider numbers.

use super::error::unfinished;
use crate::chat::Delta;
use crate::error::{Error, Kind};

/// How many blocks may be open at once. Providers open one at a time; the cap bounds what a stream can make us keep.
const MAX_OPEN: usize = 64;

/// How far a response has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) enum Phase {
    /// Nothing has come.
    #[default]
    Expecting,
    /// The response has begun.
    Open,
    /// The reason for its end has come; counts may follow.
    Finished,
    /// Nothing more is said, whatever comes.
    Closed,
}

impl Phase {
    /// Whether the reason for the end has come, or the response has failed.
    pub(in crate::dialect) const fn has_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Closed)
    }
}

/// A response, and its open blocks `B`, each at a place `K`.
#[derive(Debug)]
pub(in crate::dialect) struct Blocks<K, B> {
    pub(in crate::dialect) phase: Phase,
    open: Vec<(K, B)>,
}

impl<K, B> Default for Blocks<K, B> {
    fn default() -> Self {
        Self {
            phase: Phase::Expecting,
            open: Vec::new(),
        }
    }
}

impl<K: Copy + PartialEq, B> Blocks<K, B> {
    pub(in crate::dialect) const fn is_full(&self) -> bool {
        self.open.len() >= MAX_OPEN
    }

    /// Fails the response where no more blocks may be open, which the provider calls `what`.
    pub(in crate::dialect) fn fails_as_full(&mut self, what: &str, out: &mut Vec<Delta>) -> bool {
        if self.is_full() {
            let message = format!("the response has too many {what} open at once");
            self.fail(Error::of_provider(Kind::ProviderUnavailable, &message, None), out);
            return true;
        }
        false
    }

    /// Opens a block. No other is open at its place, or it goes before that.
    pub(in crate::dialect) fn open(&mut self, at: K, block: B) {
        self.open.push((at, block));
    }

    /// The block that is open at a place.
    pub(in crate::dialect) fn at(&mut self, at: K) -> Option<&mut B> {
        self.open
            .iter_mut()
            .rfind(|(known, _)| *known == at)
            .map(|(_, block)| block)
    }

    /// The place of the block that was opened last.
    pub(in crate::dialect) fn last(&self) -> Option<K> {
        self.open.last().map(|(at, _)| *at)
    }

    /// Closes the block at a place.
    pub(in crate::dialect) fn take(&mut self, at: K) -> Option<B> {
        let found = self.open.iter().rposition(|(known, _)| *known == at)?;
        Some(self.open.remove(found).1)
    }

    /// Closes all blocks, in the order in which they were opened.
    pub(in crate::dialect) fn take_all(&mut self) -> impl Iterator<Item = B> + use<K, B> {
        std::mem::take(&mut self.open).into_iter().map(|(_, block)| block)
    }

    /// The response has failed. Once the reason for its end has come it is whole, and nothing can fail it.
    pub(in crate::dialect) fn fail(&mut self, error: Error, out: &mut Vec<Delta>) {
        if self.phase != Phase::Finished {
            out.push(Delta::Error(error));
        }
        self.phase = Phase::Closed;
        self.open = Vec::new();
    }

    /// Nothing more comes.
    pub(in crate::dialect) fn finish(&mut self, out: &mut Vec<Delta>) {
        match self.phase {
            Phase::Closed => {}
            Phase::Finished => self.phase = Phase::Closed,
            Phase::Expecting | Phase::Open => self.fail(unfinished(), out),
        }
    }
}
