//! The hash of a token's bytes, and its place in the table: what the build and the look-up must agree on.

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: u64 = 0xd6e8_feb8_6659_fd93;
const PILOT: u64 = 0xa076_1d64_78bd_642f;
const PLACE: u64 = 0xe703_7ed1_a0b4_28db;

/// The hash of some bytes, with one more byte.
pub(crate) const fn push(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(byte as u64 + 1)
}

/// What the hash of a beginning is multiplied by to take it out of the hash of one more byte than with `power`.
pub(crate) const fn next_power(power: u64) -> u64 {
    power.wrapping_mul(BASE)
}

/// A hash of which every bit depends on every byte.
pub(crate) const fn finish(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(MIX);
    mixed ^ (mixed >> 29)
}

/// The bucket of a finished hash.
pub(crate) const fn bucket(hash: u64, buckets: usize) -> usize {
    reduce(hash, buckets)
}

/// The slot of a finished hash whose bucket has this pilot.
pub(crate) const fn slot(hash: u64, pilot: u16, slots: usize) -> usize {
    reduce(
        (hash ^ PILOT.wrapping_mul(pilot as u64 + 1)).wrapping_mul(PLACE),
        slots,
    )
}

/// What a slot remembers of its hash.
pub(crate) const fn fingerprint(hash: u64) -> u64 {
    hash & 0xff
}

const fn reduce(hash: u64, size: usize) -> usize {
    (((hash >> 32) * size as u64) >> 32) as usize
}
