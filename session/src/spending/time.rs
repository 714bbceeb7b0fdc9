//! Hours and days of UTC.

use std::fmt;

use jiff::Timestamp;

const SECONDS_OF_HOUR: i64 = 3_600;
const HOURS_OF_DAY: i64 = 24;

/// An hour of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

/// A day of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Hour {
    /// The hour of a moment.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(SECONDS_OF_HOUR))
    }

    /// By its number, counted from 1970.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// Its number, counted from 1970.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// So many hours before it.
    #[must_use]
    pub const fn back(self, hours: i64) -> Self {
        Self(self.0.saturating_sub(hours))
    }

    /// The day it belongs to.
    #[must_use]
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(HOURS_OF_DAY))
    }
}

impl Day {
    /// The day of a moment.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Hour::of(at).day()
    }

    /// By its number, counted from 1970.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// So many days before it.
    #[must_use]
    pub const fn back(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The hour it begins with.
    #[must_use]
    pub const fn first_hour(self) -> Hour {
        Hour(self.0.saturating_mul(HOURS_OF_DAY))
    }
}

impl fmt::Display for Day {
    /// As in `2026-05-01`; the bare number of one that no calendar has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.first_hour().0.saturating_mul(SECONDS_OF_HOUR);
        match Timestamp::from_second(seconds) {
            Ok(begins) => write!(f, "{}", begins.strftime("%Y-%m-%d")),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::of(text.parse().unwrap())
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        for (at, shown) in [
            ("2026-05-01T00:00:00Z", "2026-05-01"),
            ("2026-05-01T23:59:59.999Z", "2026-05-01"),
            ("2026-05-02T01:30:00+02:00", "2026-05-01"),
            ("1969-12-31T23:59:59Z", "1969-12-31"),
        ] {
            assert_eq!(day(at).to_string(), shown, "{at}");
        }
        let may = day("2026-05-01T12:00:00Z");
        assert_eq!(may.back(1), day("2026-04-30T00:00:00Z"));
        assert_eq!(may.first_hour(), Hour::of("2026-05-01T00:59:00Z".parse().unwrap()));
        assert_eq!(may.first_hour().day(), may);
        assert_eq!(may.first_hour().back(1).day(), may.back(1));
    }

    #[test]
    fn a_day_of_no_calendar_is_a_number() {
        assert_eq!(Day::new(i64::MAX).to_string(), i64::MAX.to_string());
    }
}
