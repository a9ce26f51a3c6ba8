//! Ids, signatures and noise: all made of a seed, so that the same request gets the same answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The signature of a thinking text; altered text does not match it.
pub(crate) fn sign(thought: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"crosspoint simulator signature\n");
    hasher.update(thought.as_bytes());
    let mut bytes = vec![0x12, 0xa4, 0x01, 0x0a];
    bytes.extend_from_slice(&hasher.finalize());
    STANDARD.encode(bytes)
}

/// The one thing that a redacted block holds.
pub(crate) fn redacted() -> String {
    sign("redacted")
}

/// `len` letters and digits made of a seed.
pub(crate) fn letters(seed: u64, len: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut state = seed | 1;
    let mut next = || {
        state = shuffle(state);
        usize::try_from((state >> 33) % 62).unwrap_or_default()
    };
    (0..len)
        .filter_map(|_| ALPHABET.get(next()))
        .map(|byte| char::from(*byte))
        .collect()
}

/// Length of what base64 text holds; none when it is not base64.
pub(crate) fn decoded_len(base64: &str) -> Option<usize> {
    STANDARD.decode(base64).ok().map(|bytes| bytes.len())
}

/// Bytes that mean nothing, always the same.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x5eed;
    (0..len)
        .map(|_| {
            state = shuffle(state);
            state.to_be_bytes()[2]
        })
        .collect()
}

fn shuffle(state: u64) -> u64 {
    state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
}

pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}
