//! Exact decimal numbers: sums of pico-USD as they are printed, and numbers as invoices write them.

const UNIT: u128 = 1_000_000_000_000;
const PLACES: i32 = 12;

/// An amount in pico-USD as USD, with all its decimals.
pub(super) fn usd(pico: i128) -> String {
    let sign = if pico < 0 { "-" } else { "" };
    let (whole, part) = (pico.unsigned_abs() / UNIT, pico.unsigned_abs() % UNIT);
    let decimals = format!("{part:012}");
    match decimals.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        decimals => format!("{sign}{whole}.{decimals}"),
    }
}

/// A number of an invoice, in millionths of millionths: `1,234.5`, `$0.25`, `-3`, `1.2e-05`. What lies beyond twelve
/// decimals is rounded: spreadsheets write numbers such as 0.30000000000000004.
pub(super) fn pico(text: &str) -> Option<i128> {
    let text: String = text
        .chars()
        .filter(|char| !matches!(char, '$' | ',' | ' ' | '_'))
        .collect();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(decimals.bytes()) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    let shift = PLACES
        .checked_add(exponent)?
        .checked_sub(i32::try_from(decimals.len()).ok()?)?;
    let value = match u32::try_from(shift) {
        Ok(shift) => value.checked_mul(10_i128.checked_pow(shift)?)?,
        Err(_) => match 10_i128.checked_pow(shift.unsigned_abs()) {
            Some(divisor) => (value + divisor / 2) / divisor,
            None => 0,
        },
    };
    Some(if negative { -value } else { value })
}

/// A whole number of an invoice, such as `1,234` or `1234.0`.
pub(super) fn whole(text: &str) -> Option<i128> {
    let unit = i128::try_from(UNIT).ok()?;
    pico(text)
        .filter(|value| value % unit == 0)
        .map(|value| value / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_printed_exactly() {
        for (pico, text) in [
            (0, "0"),
            (1, "0.000000000001"),
            (102_500_000, "0.0001025"),
            (-1_500_000_000_000, "-1.5"),
            (i128::from(u64::MAX) * 1_000, "18446744073.709551615"),
        ] {
            assert_eq!(usd(pico), text);
        }
    }

    #[test]
    fn numbers_of_invoices_are_read_exactly() {
        for (text, value) in [
            ("0.0001025", Some(102_500_000)),
            ("$1,234.50", Some(1_234_500_000_000_000)),
            ("-3", Some(-3_000_000_000_000)),
            ("1.2e-05", Some(12_000_000)),
            (".5", Some(500_000_000_000)),
            ("0.30000000000000004", Some(300_000_000_000)),
            ("1e-40", Some(0)),
            ("", None),
            ("-", None),
            ("abc", None),
            ("1.2.3", None),
            ("1e99", None),
            ("1e99999999999", None),
        ] {
            assert_eq!(pico(text), value, "{text}");
        }
        assert_eq!(whole("1,234.0"), Some(1_234));
        assert_eq!(whole("1.5"), None);
    }
}
