//! Why a message was not taken, and what follows from it.
//!
//! Source: Discord, "JSON Error Codes", "HTTP Response Codes"; OpenClaw, "Discord", the words for
//! refused messages.

use clawvoice_session::ChannelId;

/// What a message says in place of the file that Discord did not take.
pub const ATTACHMENT_SKIPPED: &str =
    "[Attachment skipped: Discord rejected the file as too large.]";

/// What is said of a forum that demands a tag.
const TAG_REQUIRED: &str = "the forum requires a tag on every post: create the post with a tag \
                            (thread create, appliedTags), or switch off \"Require people to select \
                            tags\" in the forum's settings";

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryFailure {
    /// The channel, the thread or the message is no longer there: nothing more goes there.
    #[error("the channel or message is no longer there")]
    Gone,
    /// Refused for good, in Discord's or our words.
    #[error("Discord refused the message: {0}")]
    Refused(String),
    /// The file is too large: the text goes alone, with [`ATTACHMENT_SKIPPED`].
    #[error("Discord rejected the file as too large")]
    TooLarge,
    /// A user does not want messages from the bot.
    #[error("discord dm failed: user blocks dms or privacy settings disallow it")]
    Blocked,
    /// The bot may not: [`missing`] tells what it lacks.
    #[error("the bot lacks permissions in this channel")]
    MissingPermissions,
    /// It may work later.
    #[error("Discord did not take the message for now")]
    Later,
}

/// Of an answer that is no success: its status (0: there was none), the JSON error code (0: none)
/// and Discord's words.
#[must_use]
pub fn judge(status: u16, code: u64, message: &str) -> DeliveryFailure {
    use DeliveryFailure as Failure;
    match (code, status) {
        // Unknown guild, channel, message, webhook.
        (10_003 | 10_004 | 10_008 | 10_015, _) => Failure::Gone,
        // Request entity too large, and the same without a code.
        (40_005, _) | (_, 413) => Failure::TooLarge,
        // Cannot send messages to this user; without a guild in common.
        (50_007 | 50_278, _) => Failure::Blocked,
        // Missing access, missing permissions.
        (50_001 | 50_013, _) => Failure::MissingPermissions,
        // Slow mode, and the limit of writes in a channel.
        (20_016 | 20_028, _) => Failure::Later,
        (40_067, _) => Failure::Refused(TAG_REQUIRED.to_owned()),
        (50_083, _) => Failure::Refused("the thread is archived".to_owned()),
        (160_005, _) => Failure::Refused("the thread is locked".to_owned()),
        (_, 401) => Failure::Refused("the bot token is not valid".to_owned()),
        (_, 0 | 408 | 429 | 500..) => Failure::Later,
        (_, 404) => Failure::Gone,
        (_, 403) => Failure::MissingPermissions,
        _ => Failure::Refused(in_words(status, code, message)),
    }
}

fn in_words(status: u16, code: u64, message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    let words: String = words.join(" ").chars().take(300).collect();
    let words = if words.is_empty() { "no reason was given".to_owned() } else { words };
    format!("{words} (status {status}, code {code})")
}

/// A text whose file was not taken.
#[must_use]
pub fn without_attachment(text: &str) -> String {
    match text.trim_end() {
        "" => ATTACHMENT_SKIPPED.to_owned(),
        text => format!("{text}\n\n{ATTACHMENT_SKIPPED}"),
    }
}

/// What a message needs, by Discord's bits. Source: Discord, "Permissions".
const VIEW_CHANNEL: u64 = 1 << 10;
const SEND_MESSAGES: u64 = 1 << 11;
const ATTACH_FILES: u64 = 1 << 15;
const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;

/// What the bot lacks for a message, by Discord's names. `given` are its permission bits in the
/// channel, of a thread in its parent.
#[must_use]
pub fn missing(given: u64, in_thread: bool, with_files: bool) -> Vec<&'static str> {
    let send = if in_thread {
        ("SendMessagesInThreads", SEND_MESSAGES_IN_THREADS)
    } else {
        ("SendMessages", SEND_MESSAGES)
    };
    let files = with_files.then_some(("AttachFiles", ATTACH_FILES));
    let needed = [("ViewChannel", VIEW_CHANNEL), send].into_iter().chain(files);
    needed.filter(|(_, bit)| given & bit == 0).map(|(name, _)| name).collect()
}

/// What is said of missing permissions; an empty list: what is missing could not be found out, or
/// something else is.
#[must_use]
pub fn missing_in_words(channel: ChannelId, missing: &[&str]) -> String {
    let list = if missing.is_empty() { String::new() } else { format!(": {}", missing.join(", ")) };
    format!(
        "missing permissions in channel {channel}{list}. The bot might be muted or blocked by a \
         role or channel override"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_what_follows() {
        let refused = |words: &str| DeliveryFailure::Refused(words.to_owned());
        let cases = [
            (404, 10_003, DeliveryFailure::Gone),
            (404, 10_008, DeliveryFailure::Gone),
            (404, 0, DeliveryFailure::Gone),
            (400, 40_005, DeliveryFailure::TooLarge),
            (413, 0, DeliveryFailure::TooLarge),
            (403, 50_007, DeliveryFailure::Blocked),
            (403, 50_013, DeliveryFailure::MissingPermissions),
            (403, 50_001, DeliveryFailure::MissingPermissions),
            (403, 0, DeliveryFailure::MissingPermissions),
            (400, 40_067, refused(TAG_REQUIRED)),
            (400, 50_083, refused("the thread is archived")),
            (401, 0, refused("the bot token is not valid")),
            (429, 0, DeliveryFailure::Later),
            (503, 0, DeliveryFailure::Later),
            (0, 0, DeliveryFailure::Later),
            (400, 50_035, refused("Invalid Form Body (status 400, code 50035)")),
        ];
        for (status, code, expected) in cases {
            assert_eq!(judge(status, code, "Invalid\n Form Body"), expected, "{status} {code}");
        }
        assert_eq!(judge(400, 7, ""), refused("no reason was given (status 400, code 7)"));
    }

    #[test]
    fn the_documented_words() {
        assert_eq!(
            DeliveryFailure::Blocked.to_string(),
            "discord dm failed: user blocks dms or privacy settings disallow it"
        );
        let notice = "[Attachment skipped: Discord rejected the file as too large.]";
        assert_eq!(without_attachment("Here:\n"), format!("Here:\n\n{notice}"));
        assert_eq!(without_attachment(" "), notice);
    }

    #[test]
    fn what_is_missing() {
        let all = VIEW_CHANNEL | SEND_MESSAGES | ATTACH_FILES;
        assert_eq!(missing(all, false, true), Vec::<&str>::new());
        assert_eq!(missing(all, true, true), ["SendMessagesInThreads"]);
        assert_eq!(missing(0, false, true), ["ViewChannel", "SendMessages", "AttachFiles"]);
        assert_eq!(missing(0, false, false), ["ViewChannel", "SendMessages"]);
        let words = missing_in_words(ChannelId::new(5), &["ViewChannel", "SendMessages"]);
        assert!(words.starts_with("missing permissions in channel 5: ViewChannel, SendMessages."));
    }
}
