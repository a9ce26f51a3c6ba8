//! Both vocabularies as one perfect hash table, searched where the build has laid it.
//!
//! A look-up reads one pilot, one slot and, where the fingerprints agree, the string itself: it is exact.

use super::hash;
use super::vocabulary::Vocabulary;
use std::ops::Range;

include!(concat!(env!("OUT_DIR"), "/vocabulary.rs"));

static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vocabulary.bin"));

/// No token of either vocabulary is longer, in bytes.
pub(super) const MAX_TOKEN: usize = STARTS.len() - 2;

const SLOT_COUNT: usize = (SLOTS.end - SLOTS.start) / 8;
const PILOT_COUNT: usize = (PILOTS.end - PILOTS.start) / 2;

/// What takes the hash of a beginning out of a longer one's, by the length of the difference.
static POWERS: [u64; MAX_TOKEN + 1] = {
    let mut powers = [1; MAX_TOKEN + 1];
    let mut rest: &mut [u64] = &mut powers;
    let mut power = 1;
    while let [first, others @ ..] = rest {
        *first = power;
        power = hash::next_power(power);
        rest = others;
    }
    powers
};

fn read<const N: usize>(at: usize) -> [u8; N] {
    BYTES
        .get(at..)
        .and_then(|bytes| bytes.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

/// The hash of the bytes between two beginnings of a text whose hashes are these.
pub(super) fn between(from: u64, to: u64, len: usize) -> u64 {
    let power = POWERS.get(len).copied().unwrap_or_default();
    to.wrapping_sub(from.wrapping_mul(power))
}

impl Vocabulary {
    /// How many tokens it has, special ones aside.
    pub const fn size(self) -> u32 {
        let splits = splits(self);
        (splits.end - splits.start) as u32
    }
}

/// Where each token's parts meet, by rank.
const fn splits(vocabulary: Vocabulary) -> Range<usize> {
    match vocabulary {
        Vocabulary::Cl100k => CL100K_SPLITS,
        Vocabulary::O200k => O200K_SPLITS,
    }
}

impl Vocabulary {
    /// The rank of the token with exactly these bytes, of which this is the hash.
    pub(super) fn rank(self, bytes: &[u8], hash: u64) -> Option<u32> {
        let mixed = hash::finish(hash);
        let pilot = read(PILOTS.start + 2 * hash::bucket(mixed, PILOT_COUNT));
        let place = hash::slot(mixed, u16::from_le_bytes(pilot), SLOT_COUNT);
        let slot = u64::from_le_bytes(read(SLOTS.start + 8 * place));
        if slot & 0xff != hash::fingerprint(mixed) {
            return None;
        }
        let rank = match self {
            Self::Cl100k => slot >> 8 & 0x1_ffff,
            Self::O200k => slot >> 25 & 0x3_ffff,
        };
        let place = (slot >> 43) as usize;
        let (from, to) = (STARTS.get(bytes.len())?, STARTS.get(bytes.len() + 1)?);
        if !(*from as usize..*to as usize).contains(&place) {
            return None;
        }
        let string = STRINGS.start + place;
        let same = BYTES.get(string..string + bytes.len()) == Some(bytes);
        (same && rank != self.absent()).then_some(rank as u32)
    }

    const fn absent(self) -> u64 {
        match self {
            Self::Cl100k => 0x1_ffff,
            Self::O200k => 0x3_ffff,
        }
    }

    /// How many bytes of a token are its left part, in the last of the merges that make it; 0 for a single byte.
    pub(super) fn split(self, rank: u32) -> usize {
        let [split] = read(splits(self).start + rank as usize);
        split as usize
    }
}
