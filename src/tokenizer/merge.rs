//! The tokens of a piece: what merging its bytes pair by pair, the lowest rank first, ends with.
//!
//! Nothing is merged. A row of tokens is what the merges end with if and only if they end with each two neighbours of it
//! unmerged. So the tokens of a beginning of a piece are those of a shorter beginning and one more, the only one that can
//! stand behind them. That takes room for the longest token only, however long the piece, and a count is there after
//! every byte.

use super::hash;
use super::table::{MAX_TOKEN, between};
use super::vocabulary::Vocabulary;

/// So many beginnings are kept before all are forgotten that no token reaches back to.
const MAX_KEPT: usize = 8 * MAX_TOKEN;

/// The last token of a beginning of the piece, and what came before.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    hash: u64,
    tokens: u64,
    rank: u32,
    len: usize,
}

/// The tokens of a piece that comes byte by byte.
#[derive(Clone, Debug, Default)]
pub(super) struct Merge {
    bytes: Vec<u8>,
    /// The beginnings that end with each of `bytes`.
    prefixes: Vec<Prefix>,
    /// The one before all of them.
    before: Prefix,
}

impl Merge {
    /// The tokens of a piece that is there as a whole.
    pub(super) fn piece(&mut self, vocabulary: Vocabulary, bytes: &[u8]) -> u64 {
        let hash = || bytes.iter().fold(0, |hash, byte| hash::push(hash, *byte));
        if bytes.len() <= MAX_TOKEN && vocabulary.rank(bytes, hash()).is_some() {
            return 1;
        }
        self.clear();
        self.push(vocabulary, bytes);
        self.tokens()
    }

    /// Begins another piece.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.prefixes.clear();
        self.before = Prefix::default();
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The tokens of all bytes so far.
    pub(super) fn tokens(&self) -> u64 {
        self.prefixes.last().map_or(0, |prefix| prefix.tokens)
    }

    /// Takes more bytes.
    pub(super) fn push(&mut self, vocabulary: Vocabulary, bytes: &[u8]) {
        for byte in bytes {
            if self.bytes.len() >= MAX_KEPT {
                let gone = MAX_KEPT - 2 * MAX_TOKEN;
                self.before = self.prefix(gone);
                self.bytes.drain(..gone);
                self.prefixes.drain(..gone);
            }
            let hash = hash::push(self.prefixes.last().unwrap_or(&self.before).hash, *byte);
            self.bytes.push(*byte);
            let last = self.last_token(vocabulary, hash);
            self.prefixes.push(last);
        }
    }

    /// The beginning that ends before this place of `bytes`.
    fn prefix(&self, at: usize) -> Prefix {
        match at.checked_sub(1) {
            None => self.before,
            Some(last) => self.prefixes.get(last).copied().unwrap_or_default(),
        }
    }

    fn last_token(&self, vocabulary: Vocabulary, hash: u64) -> Prefix {
        let end = self.bytes.len();
        let most = end.min(MAX_TOKEN);
        // In runs, which have the most candidates, the last token usually becomes one longer.
        let longer = self.prefixes.last().map_or(1, |last| last.len + 1).min(most);
        for len in std::iter::once(longer).chain(1..=most) {
            let before = self.prefix(end - len);
            let bytes = self.bytes.get(end - len..).unwrap_or_default();
            let Some(rank) = vocabulary.rank(bytes, between(before.hash, hash, len)) else {
                continue;
            };
            let prefix = Prefix {
                hash,
                tokens: before.tokens + 1,
                rank,
                len,
            };
            if before.len == 0 || self.stay(vocabulary, before, prefix) {
                return prefix;
            }
        }
        // Not reached: every byte is a token, and some token can always stand last.
        Prefix {
            hash,
            tokens: self.tokens() + 1,
            ..Prefix::default()
        }
    }

    /// Whether two tokens at the end of `bytes` stay what they are, or a merge over their boundary comes before the merges
    /// that make them. Undoes their merges at the boundary, the last one first. Of equal merges the left one comes first.
    fn stay(&self, vocabulary: Vocabulary, left: Prefix, right: Prefix) -> bool {
        let boundary = self.bytes.len() - right.len;
        let (mut left_len, mut left_rank, mut left_used) = (left.len, left.rank, u32::MAX);
        let (mut right_len, mut right_rank, mut right_used) = (right.len, right.rank, u32::MAX);
        loop {
            let over = self.rank(vocabulary, right.hash, boundary - left_len, boundary + right_len);
            if over.is_some_and(|rank| rank < left_used && rank <= right_used) {
                return false;
            }
            // Single bytes have the lowest ranks: when it is one's turn, the other is one too.
            let split = vocabulary.split(left_rank.max(right_rank));
            if split == 0 {
                return true;
            }
            if left_rank > right_rank {
                left_used = left_rank;
                left_len -= split;
                let part = self.rank(vocabulary, right.hash, boundary - left_len, boundary);
                left_rank = part.unwrap_or_default();
            } else {
                right_used = right_rank;
                right_len = split;
                let part = self.rank(vocabulary, right.hash, boundary, boundary + right_len);
                right_rank = part.unwrap_or_default();
            }
        }
    }

    /// The rank of what stands between two places of `bytes`, all of which have this hash.
    fn rank(&self, vocabulary: Vocabulary, hash: u64, from: usize, to: usize) -> Option<u32> {
        let bytes = self
            .bytes
            .get(from..to)
            .filter(|bytes| bytes.len() <= MAX_TOKEN)?;
        // The last beginning is the one being made.
        let end = if to == self.bytes.len() {
            hash
        } else {
            self.prefix(to).hash
        };
        vocabulary.rank(bytes, between(self.prefix(from).hash, end, bytes.len()))
    }
}
