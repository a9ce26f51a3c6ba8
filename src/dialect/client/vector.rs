//! The two forms of a vector that OpenAI's clients read: an array of numbers, and 32-bit floats, lowest byte first, in
//! base64.

use serde_json::value::RawValue;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Whether `vector` has the form that is wanted.
pub(super) fn has_form(vector: &RawValue, base64: bool) -> bool {
    vector.get().starts_with('"') == base64
}

/// Appends `vector` in the form that is wanted; one that cannot be read, as it is.
pub(super) fn write(vector: &RawValue, base64: bool, out: &mut Vec<u8>) {
    if !has_form(vector, base64) {
        let start = out.len();
        let done = if base64 {
            write_base64(vector, out)
        } else {
            write_numbers(vector, out)
        };
        if done.is_some() {
            return;
        }
        out.truncate(start);
    }
    out.extend_from_slice(vector.get().as_bytes());
}

fn write_base64(vector: &RawValue, out: &mut Vec<u8>) -> Option<()> {
    let numbers: Vec<f32> = serde_json::from_str(vector.get()).ok()?;
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    out.push(b'"');
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = ALPHABET
                .get(bits >> (18 - 6 * at) & 63)
                .filter(|_| at <= group.len());
            out.push(digit.copied().unwrap_or(b'='));
        }
    }
    out.push(b'"');
    Some(())
}

fn write_numbers(vector: &RawValue, out: &mut Vec<u8>) -> Option<()> {
    let text: &str = serde_json::from_str(vector.get()).ok()?;
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        bits = bits << 6 | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).ok()?);
        }
    }
    // A digit that is left over is no byte.
    let (floats, []) = bytes.as_chunks::<4>() else {
        return None;
    };
    if count >= 6 {
        return None;
    }
    out.push(b'[');
    for (at, float) in floats.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        crate::json::write(out, &f32::from_le_bytes(*float));
    }
    out.push(b']');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn check(vector: &str, base64: bool, expected: &str) {
        let raw = RawValue::from_string(vector.to_owned()).unwrap();
        let mut out = b"x".to_vec();
        write(&raw, base64, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("x{expected}"));
    }

    #[test]
    fn numbers_become_base64_and_back() {
        // Python: base64.b64encode(struct.pack("<4f", …)) and its beginnings.
        for (numbers, base64) in [
            ("[0.5]", r#""AAAAPw==""#),
            ("[0.5,-1.25]", r#""AAAAPwAAoL8=""#),
            ("[0.5,-1.25,3.0]", r#""AAAAPwAAoL8AAEBA""#),
            ("[0.5,-1.25,3.0,1e-7]", r#""AAAAPwAAoL8AAEBAlb/WMw==""#),
        ] {
            check(numbers, true, base64);
            check(base64, false, numbers);
        }
    }

    #[test]
    fn what_has_the_form_keeps_its_spelling() {
        check("[ 0.10, 1E-3 ]", false, "[ 0.10, 1E-3 ]");
        check(r#""AAAAPw==""#, true, r#""AAAAPw==""#);
    }

    #[test]
    fn what_cannot_be_read_stays() {
        check(r#"["a"]"#, true, r#"["a"]"#);
        for odd in [r#""AAA""#, r#""A""#, r#""A*==""#, r#""\u0041""#] {
            check(odd, false, odd);
        }
    }
}
