//! The calendar: days and milliseconds since 1970, as dates and back. UTC only, and it reads no clock.

/// A day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;
/// The first day that a date may name here, and the last year.
const YEARS: std::ops::RangeInclusive<u64> = 1970..=9999;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
}

impl Date {
    /// The date of a day since 1970. The days are counted in the years of four centuries that begin in March
    /// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
    pub const fn of(day: u64) -> Self {
        let shifted = day.saturating_add(719_468);
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        Self {
            year: year + era.saturating_mul(400) + later,
            month,
            day,
        }
    }

    /// The day since 1970 of a date from 1970 on
    /// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
    pub const fn days(self) -> u64 {
        let early = self.month <= 2;
        let year = if early {
            self.year.saturating_sub(1)
        } else {
            self.year
        };
        let (era, of_era) = (year / 400, year % 400);
        let month = if early {
            self.month + 9
        } else {
            self.month.saturating_sub(3)
        };
        let of_year = (153 * month + 2) / 5 + self.day.saturating_sub(1);
        let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        era.saturating_mul(146_097)
            .saturating_add(of_era)
            .saturating_sub(719_468)
    }

    /// Reads `2026-11-22`; a day that the calendar does not have is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let date = Self {
            year: digits(year, 4)?,
            month: digits(month, 2)?,
            day: digits(day, 2)?,
        };
        (YEARS.contains(&date.year) && Self::of(date.days()) == date).then_some(date)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u64> {
    let sound = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| sound)
}

/// A point in time as RFC 3339 writes it, in UTC: `2026-11-22T03:39:29.123Z`.
pub fn rfc3339(ms: u64) -> String {
    let second = ms / 1_000 % 86_400;
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        Date::of(ms / DAY_MS),
        second / 3_600,
        second / 60 % 60,
        second % 60,
        ms % 1_000
    )
}

/// Reads a point in time as RFC 3339 writes it, with any offset; or a date alone, which is its beginning in UTC.
/// Milliseconds since 1970.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let Some((date, clock)) = text.split_once(['T', 't', ' ']) else {
        return Date::parse(text).map(|date| date.days().saturating_mul(DAY_MS));
    };
    let begin = Date::parse(date)?.days().saturating_mul(DAY_MS);
    let at = clock.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = clock.split_at_checked(at)?;
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = seconds.split(':');
    let mut part = |below: u64| digits(parts.next()?, 2).filter(|number| *number < below);
    // A leap second is the one after.
    let (hour, minute, second) = (part(24)?, part(60)?, part(61)?);
    if parts.next().is_some() || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let ms = (hour * 3_600 + minute * 60 + second) * 1_000 + digits(&thousandths, 3)?;
    let local = begin.saturating_add(ms);
    if matches!(zone, "Z" | "z") {
        return Some(local);
    }
    let (sign, offset) = zone.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let hours = digits(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    let offset = (hours * 60 + minutes) * 60_000;
    if sign == "+" {
        local.checked_sub(offset)
    } else {
        local.checked_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn every_day_is_its_own_date() {
        let mut last = Date::of(0);
        assert_eq!(last.to_string(), "1970-01-01");
        for day in 1..200_000 {
            let date = Date::of(day);
            assert_eq!(date.days(), day);
            let follows = (date.year, date.month, date.day) > (last.year, last.month, last.day);
            assert!(follows, "{last} {date}");
            last = date;
        }
        assert_eq!(Date::of(20_779).to_string(), "2026-11-22");
    }

    #[test]
    fn a_time_reads_as_it_was_written() {
        for ms in [0, 1, 951_782_400_000, 1_795_318_769_123, 4_102_444_799_999] {
            assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        }
        let noon = parse_rfc3339("2026-11-22T12:00:00Z");
        assert_eq!(parse_rfc3339("2026-11-22T13:30:00+01:30"), noon);
        assert_eq!(parse_rfc3339("2026-11-22t07:00:00.000000-05:00"), noon);
        assert_eq!(
            parse_rfc3339("2026-11-22"),
            parse_rfc3339("2026-11-22T00:00:00.0z")
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "soon",
            "2026-13-01",
            "2026-02-29",
            "2026-1-1",
            "1969-12-31",
            "2026-11-22T",
            "2026-11-22T12:00:00",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:00Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00:00Zulu",
            "2026-11-22T12:00:00+1",
            "2026-11-22T12:00:00+24:00",
            "1970-01-01T00:00:00+01:00",
            "2026-11-22T12:00:00é",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
