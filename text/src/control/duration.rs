//! Durations, as people write them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// The shortest that is taken: expiry is looked for every two minutes only.
const SHORTEST: Duration = Duration::from_secs(60);

/// The longest.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

/// `24h`, `90m`, `2d`, `1h 30m`; a mere number is hours; `off` or `0` is zero. A day has 24 hours.
/// `None`: something else, or less than a minute, or more than a year.
#[must_use]
pub fn parse_limit(text: &str) -> Option<Duration> {
    let text = text.trim().to_lowercase();
    if matches!(text.as_str(), "off" | "disabled" | "none" | "0") {
        return Some(Duration::ZERO);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let with_unit = if is_number { format!("{text}h") } else { text };
    let span: Span = with_unit.parse().ok()?;
    // Months and years have no fixed length, and are refused.
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let duration = Duration::try_from(duration).ok()?;
    (SHORTEST..=LONGEST).contains(&duration).then_some(duration)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_taken() {
        let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        for (text, expected) in [
            ("24h", minutes(1_440)),
            (" 90M ", minutes(90)),
            ("2d", minutes(2_880)),
            ("1w", minutes(7 * 1_440)),
            ("1h 30m", minutes(90)),
            ("1h30m", minutes(90)),
            ("12", minutes(720)),
            ("60s", minutes(1)),
            ("366d", minutes(366 * 1_440)),
            ("off", Some(Duration::ZERO)),
            ("0", Some(Duration::ZERO)),
            ("59s", None),
            ("367d", None),
            ("-1h", None),
            ("1h ago", None),
            ("1 month", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(parse_limit(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,40}") {
            let _ = parse_limit(&text);
        }

        #[test]
        fn whole_minutes_are_themselves(minutes in 1..527_040u64) {
            prop_assert_eq!(parse_limit(&format!("{minutes}m")), Some(Duration::from_secs(minutes * 60)));
        }
    }
}
