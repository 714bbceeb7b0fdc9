//! How replies put things.

use std::time::Duration;

use crate::routing::name::{cut, one_line};

/// Most UTF-16 units that are repeated of what somebody wrote.
const MAX_QUOTED: usize = 100;

/// Most UTF-16 units of a block: a reply is one message.
const MAX_BLOCK: usize = 1_800;

/// Most lines of a list.
const MAX_LISTED: usize = 25;

/// What somebody wrote, as code, so that nothing in it means anything.
pub(super) fn quoted(text: &str) -> String {
    let plain = one_line(&text.replace('`', ""), MAX_QUOTED);
    if plain.is_empty() { "that".to_owned() } else { format!("`{plain}`") }
}

/// A block of code, cut to what fits into a message.
pub(super) fn block(language: &str, text: &str) -> String {
    // A fence within would end the block.
    let text = text.replace("```", "`\u{200b}`\u{200b}`");
    let shown = cut(&text, MAX_BLOCK);
    let more = if shown.len() < text.len() { "\n…" } else { "" };
    format!("```{language}\n{shown}{more}\n```")
}

/// Lines with a heading; what is too many is counted.
pub(super) fn listed(heading: &str, lines: &[String]) -> String {
    let mut text = heading.to_owned();
    for line in lines.iter().take(MAX_LISTED) {
        text.push_str("\n• ");
        text.push_str(line);
    }
    if lines.len() > MAX_LISTED {
        text.push_str(&format!("\n… and {} more", lines.len() - MAX_LISTED));
    }
    text
}

/// `3d 4h`, `2h 5m`, `12m`, `40s`: the two largest units.
pub(super) fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ages() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), expected);
        }
        for (seconds, expected) in [(40, "40s"), (720, "12m"), (7_500, "2h 5m"), (273_600, "3d 4h")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn what_is_shown_stays_in_its_block() {
        assert_eq!(quoted(" a`b\n@everyone "), "`ab @everyone`");
        assert_eq!(quoted("``"), "that");
        let shown = block("json", "x```y");
        assert_eq!(shown.matches("```").count(), 2);
        let long = block("json", &"x".repeat(5_000));
        assert!(long.len() < 2_000 && long.ends_with("\n…\n```"), "{long}");
        let lines: Vec<String> = (0..30).map(|it| it.to_string()).collect();
        assert!(listed("All:", &lines).ends_with("\n• 24\n… and 5 more"));
    }
}
