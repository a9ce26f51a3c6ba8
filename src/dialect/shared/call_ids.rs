//! Ids of tool calls in the alphabet that a provider allows. Other providers' ids may hold anything (`functions.f:0`),
//! and a conversation can move from one provider to another.

use std::borrow::Cow;

/// `id` where all its bytes are `allowed` and it is not longer than `max`; else an id made of it. The checksum at its
/// end keeps two ids apart that differ only in what was replaced, and a call and its result get the same.
pub(in crate::dialect) fn call_id(id: &str, max: usize, allowed: fn(u8) -> bool) -> Cow<'_, str> {
    if !id.is_empty() && id.len() <= max && id.bytes().all(allowed) {
        return Cow::Borrowed(id);
    }
    let kept = id
        .bytes()
        .take(max.saturating_sub(9))
        .map(|byte| if allowed(byte) { char::from(byte) } else { '_' });
    let mut made: String = kept.collect();
    made.push_str(&format!("_{:08x}", crc32fast::hash(id.as_bytes())));
    Cow::Owned(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn plain(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_'
    }

    #[test]
    fn an_allowed_id_is_kept() {
        assert_eq!(call_id("call_1", 64, plain), "call_1");
    }

    #[test]
    fn other_ids_are_made_allowed_and_stay_apart() {
        let made = [
            call_id("f.a:0", 64, plain),
            call_id("f:a.0", 64, plain),
            call_id("", 64, plain),
        ];
        assert!(made.iter().all(|id| id.bytes().all(plain)));
        assert!(made[0] != made[1] && made[1] != made[2]);
        assert_eq!(call_id(&"x".repeat(90), 64, plain).len(), 64);
        assert!(call_id("日本", 64, plain).bytes().all(plain));
    }
}
