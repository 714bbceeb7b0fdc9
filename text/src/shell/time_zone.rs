//! `agents.defaults.envelopeTimezone`, from the machine's database of zones.

use jiff::tz::TimeZone;

/// The zone of a setting: `local`, `utc`, `user`, or a name such as `Europe/Vienna`. `user`: the
/// user's own zone, if it is known; else the machine's stands in. A name that the machine does not
/// know is UTC, with a warning; the header says which it is.
#[must_use]
pub fn time_zone(setting: &str, user: Option<&str>) -> TimeZone {
    match (setting.trim().to_ascii_lowercase().as_str(), user) {
        ("" | "local", _) | ("user", None) => local(),
        ("utc" | "gmt", _) => TimeZone::UTC,
        ("user", Some(name)) => named(name),
        _ => named(setting),
    }
}

fn local() -> TimeZone {
    TimeZone::try_system().unwrap_or_else(|error| {
        tracing::warn!(%error, "the machine's time zone is unknown; messages are dated in UTC");
        TimeZone::UTC
    })
}

fn named(name: &str) -> TimeZone {
    TimeZone::get(name.trim()).unwrap_or_else(|error| {
        tracing::warn!(%error, "unknown time zone; messages are dated in UTC");
        TimeZone::UTC
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        assert_eq!(time_zone("UTC", None), TimeZone::UTC);
        assert_eq!(time_zone("Nowhere/Atlantis", None), TimeZone::UTC);
        assert_eq!(time_zone("user", Some("utc")), TimeZone::UTC);
        assert_eq!(time_zone("user", None), time_zone("local", Some("utc")));
        // The tests also run where there is no database of zones.
        if let Ok(vienna) = TimeZone::get("Europe/Vienna") {
            assert_eq!(time_zone(" Europe/Vienna ", None), vienna);
            assert_eq!(time_zone("user", Some("Europe/Vienna")), vienna);
        }
    }
}
