//! Base64: <https://www.rfc-editor.org/rfc/rfc4648>.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes that `text` stands for, padded or not; `None` when it is no base64.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        // Six bits alone are no byte.
        let [_, first, second, third] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        let count = group.len().checked_sub(1).filter(|count| *count > 0)?;
        out.extend([first, second, third].iter().take(count));
    }
    Some(out)
}

/// `bytes` in the usual alphabet, padded.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let value = bits >> (18 - 6 * at) & 63;
            let letter = usize::try_from(value).ok().and_then(|value| STANDARD.get(value));
            out.push(match letter.filter(|_| at <= group.len()) {
                Some(letter) => char::from(*letter),
                None => '=',
            });
        }
    }
    out
}

/// `bytes` in the alphabet for URLs, without padding.
pub fn encode_url(bytes: &[u8]) -> String {
    let padded = encode(bytes);
    padded.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn every_length_is_read_and_written() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYmFy", b"foobar"),
            ("+/8=", b"\xfb\xff"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text}");
            let url = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
            assert_eq!(encode(bytes), text);
            assert_eq!(encode_url(bytes), url);
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(bytes));
        }
        for text in ["Z", "Zm9vZ", "Zm 9", "Zm=9", "-_8=", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
