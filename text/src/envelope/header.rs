//! `[Discord <from> +<elapsed> <timestamp>] <sender>:`

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

use super::{
    Chat, TurnContext,
    words::{header_part, label},
};

/// The header, without the body. Only in groups does it say who writes: a direct message has that
/// in its place already.
pub(super) fn header(turn: &TurnContext<'_>) -> String {
    let elapsed = turn.elapsed_ms.filter(|_| turn.shows_elapsed);
    let parts = [
        Some(from(turn)),
        elapsed.map(|ms| format!("+{}", elapsed_words(ms))),
        turn.shows_timestamp.then(|| timestamp(turn.at_ms, turn.zone)).flatten(),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let header = format!("[Discord {}]", parts.join(" "));
    match turn.chat {
        Chat::Direct => header,
        _ => format!("{header} {}:", sender(turn)),
    }
}

/// What the sender is called; who has no name that can be shown, by the id.
fn sender(turn: &TurnContext<'_>) -> String {
    let names = [turn.sender.label, turn.sender.username, turn.sender.id].map(header_part);
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
}

/// `<Guild> #<channel> channel id:<id>`, or `<tag> user id:<id>`.
pub(super) fn from(turn: &TurnContext<'_>) -> String {
    let place = match turn.chat {
        Chat::Direct => {
            let (tag, id) = (header_part(turn.sender.tag), header_part(turn.sender.id));
            return format!("{tag} user id:{id}").trim_start().to_owned();
        }
        Chat::Group { name } if label(name).is_empty() => "Group DM".to_owned(),
        Chat::Group { name } => header_part(name),
        Chat::Channel { guild, name } | Chat::Thread { guild, name, .. } => {
            let hash = if label(name).is_empty() { "" } else { "#" };
            format!("{} {hash}{}", header_part(guild), header_part(name)).trim().to_owned()
        }
    };
    format!("{place} channel id:{}", turn.channel).trim_start().to_owned()
}

/// `30s`, `2m`, `3h` or `4d`, rounded down.
fn elapsed_words(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `Mon 2026-01-05 16:26 EST`; `None` for a time that no calendar has.
fn timestamp(unix_ms: u64, zone: &TimeZone) -> Option<String> {
    let at = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    strtime::format("%a %Y-%m-%d %H:%M %Z", &at.to_zoned(zone.clone())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed() {
        for (ms, expected) in [
            (999, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (3_599_999, "59m"),
            (3_600_000, "1h"),
            (86_399_999, "23h"),
            (86_400_000, "1d"),
            (u64::MAX, "213503982334d"),
        ] {
            assert_eq!(elapsed_words(ms), expected);
        }
    }

    #[test]
    fn zones() {
        // 2026-01-05 21:26:40 UTC, and half a year later.
        let winter = 1_767_648_400_000;
        let summer = winter + 182 * 86_400_000;
        let new_york = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        for (at, zone, expected) in [
            (winter, TimeZone::UTC, "Mon 2026-01-05 21:26 UTC"),
            (winter, new_york.clone(), "Mon 2026-01-05 16:26 EST"),
            (summer, new_york, "Mon 2026-07-06 17:26 EDT"),
        ] {
            assert_eq!(timestamp(at, &zone).as_deref(), Some(expected));
        }
        assert_eq!(timestamp(u64::MAX, &TimeZone::UTC), None);
    }
}
