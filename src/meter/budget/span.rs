//! The spans of a budget, in UTC.

use crate::time::{DAY_MS, Date};

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// From the first to the last of a month.
    Month,
}

/// Every span, and its name in configurations. At their own indices, the shortest first.
pub const SPANS: [(Span, &str); 3] = [(Span::Day, "day"), (Span::Week, "week"), (Span::Month, "month")];

impl Span {
    /// Its name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day, since 1970, of the span that this day is in.
    pub const fn start(self, day: u64) -> u64 {
        match self {
            Self::Day => day,
            // The first Monday was the fifth of January 1970.
            Self::Week => day.saturating_sub((day.saturating_add(3)) % 7),
            Self::Month => {
                let Date { year, month, .. } = Date::of(day);
                Date { year, month, day: 1 }.days()
            }
        }
    }

    /// When the span that `now_ms` is in has ended, in milliseconds since 1970.
    pub const fn end_ms(self, now_ms: u64) -> u64 {
        let start = self.start(now_ms / DAY_MS);
        let next = match self {
            Self::Day => start.saturating_add(1),
            Self::Week => start.saturating_add(7),
            // The day is in the next month, whichever month this is.
            Self::Month => self.start(start.saturating_add(31)),
        };
        next.saturating_mul(DAY_MS)
    }
}
