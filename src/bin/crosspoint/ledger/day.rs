//! Days of the calendar, in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 86_400_000;

/// A day, by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(i64);

impl Day {
    /// The day of a time in milliseconds since 1970.
    pub(super) fn of_ms(ms: u64) -> Self {
        Self(i64::try_from(ms / DAY_MS).unwrap_or(i64::MAX))
    }

    pub(super) fn today() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_ms(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }

    /// The Monday of its week. 1970 began on a Thursday.
    pub(super) const fn monday(self) -> Self {
        Self(self.0 - (self.0 + 3).rem_euclid(7))
    }

    /// The first day of its month.
    pub(super) fn first_of_month(self) -> Self {
        let (_, _, day) = self.civil();
        Self(self.0 - (day - 1))
    }

    /// Year, month and day. The years are counted from March on, so that a leap day is the last one
    /// (<https://howardhinnant.github.io/date_algorithms.html>).
    const fn civil(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }

    const fn from_civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let from_march = (month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        Self(era * 146_097 + of_era - 719_468)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected a day as YYYY-MM-DD";
        let mut parts = text.split('-').map(|part| {
            let digits = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        });
        let (Some(Some(year)), Some(Some(month)), Some(Some(day)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(WANTED);
        };
        let found = Self::from_civil(year, month, day);
        // There is no 30th of February.
        if found.civil() == (year, month, day) {
            Ok(found)
        } else {
            Err(WANTED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_reads_as_it_is_written() {
        for number in (-200_000..400_000).step_by(13) {
            let day = Day(number);
            assert_eq!(day.to_string().parse(), Ok(day));
        }
        assert_eq!("1970-01-01".parse(), Ok(Day(0)));
        assert_eq!("2000-02-29".parse(), Ok(Day(11_016)));
        assert_eq!("2026-11-22".parse(), Ok(Day(20_779)));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2100-02-29",
            "2026-13-01",
            "2026-1-2-3",
            "2026-00-10",
            "26/1/1",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_week_begins_on_monday_and_a_month_on_its_first() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        for (of, monday, first) in [
            ("2026-11-22", "2026-11-16", "2026-11-01"),
            ("2026-11-23", "2026-11-23", "2026-11-01"),
            ("2027-01-01", "2026-12-28", "2027-01-01"),
            ("2024-02-29", "2024-02-26", "2024-02-01"),
        ] {
            assert_eq!(day(of).monday(), day(monday), "{of}");
            assert_eq!(day(of).first_of_month(), day(first), "{of}");
        }
    }
}
