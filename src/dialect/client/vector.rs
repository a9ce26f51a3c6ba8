//! The two forms of a vector that OpenAI's clients read: an array of numbers, and 32-bit floats, lowest byte first, in
//! base64.

use crate::{base64, json};
use serde_json::value::RawValue;

/// Whether `vector` has the form that is wanted.
pub(super) fn has_form(vector: &RawValue, in_base64: bool) -> bool {
    vector.get().starts_with('"') == in_base64
}

/// Appends `vector` in the form that is wanted; one that cannot be read, as it is.
pub(super) fn write(vector: &RawValue, in_base64: bool, out: &mut Vec<u8>) {
    if !has_form(vector, in_base64) {
        let start = out.len();
        let done = if in_base64 {
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
    json::write(out, &base64::encode(&bytes));
    Some(())
}

fn write_numbers(vector: &RawValue, out: &mut Vec<u8>) -> Option<()> {
    let text: &str = serde_json::from_str(vector.get()).ok()?;
    let bytes = base64::decode(text)?;
    let (floats, []) = bytes.as_chunks::<4>() else {
        return None;
    };
    out.push(b'[');
    for (at, float) in floats.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write(out, &f32::from_le_bytes(*float));
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
