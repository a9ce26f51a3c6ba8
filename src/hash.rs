//! Stable hashes: names for shared data that stay the same across workers, restarts and reloads.

/// FNV-1a over the parts, each ended by a zero byte. Not for secrets, and not for names from outside: a second name with
/// the hash of a first one is found in a minute. Each use says why that is safe there; where it is not, [`of_name`].
pub fn stable(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

/// The first 128 bits of SHA-256 over the parts, each with its length before it: for what names somebody from outside.
/// No two names have been found that share it, nor will be.
pub fn of_name(parts: &[&str]) -> u128 {
    let mut all = Vec::with_capacity(64);
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_le_bytes());
        all.extend_from_slice(part.as_bytes());
    }
    let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = sha256(&all);
    u128::from_be_bytes(first)
}

/// SHA-256.
#[inline(never)] // Unrolled, it is 7 KB of code; one copy is enough.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

/// `bytes` in hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

/// 32 bytes from 64 hexadecimal digits.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(out)
}

/// A well-mixed number from a counter or clock: one step of SplitMix64. Not for secrets.
pub const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(stable(&["ab", "c"]), stable(&["a", "bc"]));
    }

    #[test]
    fn names_of_one_short_hash_are_told_apart() {
        // Found by looking for them, in two minutes.
        let [one, other] = ["user-0f88ebsvwp7w", "user-103b5a6ndoua"];
        assert_eq!(stable(&[one]), stable(&[other]));
        assert_ne!(of_name(&[one]), of_name(&[other]));
    }

    #[test]
    fn a_name_has_the_beginning_of_a_sha256() {
        // printf '\x04\0\0\0\0\0\0\0test' | sha256sum
        let name = format!("{:032x}", of_name(&["test"]));
        let whole = to_hex(&sha256(b"\x04\0\0\0\0\0\0\0test"));
        assert_eq!(whole.get(..32), Some(&*name));
        assert_ne!(of_name(&["ab", "c"]), of_name(&["a", "bc"]));
        assert_ne!(of_name(&["a"]), of_name(&["a", ""]));
    }

    #[test]
    fn hexadecimal_is_read_whole_or_not_at_all() {
        let key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(from_hex(key), Some(sha256(b"test")));
        assert_eq!(from_hex(&"0".repeat(63)), None);
        assert_eq!(from_hex(&key.replace('9', "x")), None);
    }
}
