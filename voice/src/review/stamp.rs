//! Time stamps at the beginning of a log's lines.

use jiff::{Timestamp, civil, tz::TimeZone};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A time as a log prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// A date and a time, in microseconds since 1970 in UTC. One without an offset is taken as UTC.
    Instant(i64),
    /// Microseconds since midnight.
    TimeOfDay(i64),
}

impl Stamp {
    /// The stamp in what stands before the message: the first word that is a date and a time, else
    /// the first that is a time of day. Brackets around it are ignored.
    pub(super) fn find(prefix: &str) -> Option<Self> {
        let words = prefix
            .split_whitespace()
            .take(8)
            .map(|word| word.trim_matches(|c| "[](){}|,".contains(c)).trim_end_matches(':'));
        words
            .clone()
            .find_map(Self::instant)
            .or_else(|| words.into_iter().find_map(Self::time_of_day))
    }

    /// `2026-05-30T18:20:00.123Z`, with an offset such as `+02:00`, or without either.
    pub(super) fn instant(word: &str) -> Option<Self> {
        if word.len() < 16 || !word.as_bytes()[10].eq_ignore_ascii_case(&b'T') {
            return None;
        }
        let at = match word.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => {
                let local: civil::DateTime = word.parse().ok()?;
                local.to_zoned(TimeZone::UTC).ok()?.timestamp()
            }
        };
        Some(Self::Instant(at.as_microsecond()))
    }

    fn time_of_day(word: &str) -> Option<Self> {
        let time: civil::Time = word.contains(':').then(|| word.parse().ok())??;
        let seconds = i64::from(time.hour()) * 3_600
            + i64::from(time.minute()) * 60
            + i64::from(time.second());
        Some(Self::TimeOfDay(seconds * 1_000_000 + i64::from(time.subsec_nanosecond()) / 1_000))
    }
}

/// Turns stamps into one line of time, in microseconds from an arbitrary zero.
#[derive(Debug, Default)]
pub(super) struct Days {
    last: Option<i64>,
    days: i64,
}

impl Days {
    /// A stamp's place. A time of day that falls back by more than half a day is the next day's.
    pub(super) fn place(&mut self, stamp: Stamp) -> i64 {
        match stamp {
            Stamp::Instant(at) => at,
            Stamp::TimeOfDay(at) => {
                if self.last.is_some_and(|last| at + DAY / 2 < last) {
                    self.days += 1;
                }
                self.last = Some(at);
                self.days * DAY + at
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_in_the_usual_prefixes() {
        let noon = Stamp::Instant(1_780_142_400_123_000);
        for prefix in [
            "2026-05-30T12:00:00.123Z  INFO ",
            "[2026-05-30T12:00:00.123Z] [discord/voice] ",
            "2026-05-30T14:00:00.123+02:00 [discord] ",
            "2026-05-30T12:00:00.123 info: ",
            "May 30 14:00:00 host openclaw[12]: 2026-05-30T12:00:00.123Z ",
        ] {
            assert_eq!(Stamp::find(prefix), Some(noon), "{prefix}");
        }
        let evening = Stamp::TimeOfDay(66_000_500_000);
        for prefix in ["18:20:00.5 ", "[18:20:00.500] [discord] ", "18:20:00.500: "] {
            assert_eq!(Stamp::find(prefix), Some(evening), "{prefix}");
        }
        for prefix in
            ["", "INFO ", "[discord/voice] ", "12:99:00 ", "1234567890123456 ", "äöüäöüäöüäöü "]
        {
            assert_eq!(Stamp::find(prefix), None, "{prefix}");
        }
    }

    #[test]
    fn midnight_begins_a_day() {
        let mut days = Days::default();
        let before = days.place(Stamp::TimeOfDay(DAY - 1));
        let after = days.place(Stamp::TimeOfDay(4));
        assert_eq!(after - before, 5);
        // A little disorder is no new day.
        assert_eq!(days.place(Stamp::TimeOfDay(3)) - after, -1);
    }
}
