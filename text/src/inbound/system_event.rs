//! Step 22: Discord telling of a pin, a join, a boost.
//!
//! Source: Discord, "Message Types"; the words are OpenClaw's.

use crate::{message::Message, place::Channel};

/// The words for the session, if the message is such a notice. The first message of a thread, which
/// stands for the message it was opened on (21), is none.
pub(crate) fn words(message: &Message, guild: &str, channel: Option<&Channel>) -> Option<String> {
    if message.is_written() || message.kind == THREAD_STARTER {
        return None;
    }
    let who = message.author.tag();
    let action = action(message.kind);
    let place = place(message, guild, channel);
    Some(match who.as_str() {
        "" => format!("Discord system: {action} in {place}"),
        who => format!("Discord system: {who} {action} in {place}"),
    })
}

const THREAD_STARTER: u64 = 21;

fn place(message: &Message, guild: &str, channel: Option<&Channel>) -> String {
    let name = channel.map_or("", |channel| channel.name.as_str());
    match (message.guild, name) {
        (None, "") => "DM".to_owned(),
        (None, name) => format!("Group DM #{name}"),
        (Some(_), "") => format!("{guild} channel id:{}", message.channel).trim().to_owned(),
        (Some(_), name) => format!("{guild} #{name}").trim().to_owned(),
    }
}

const fn action(kind: u64) -> &'static str {
    match kind {
        1 => "added a recipient",
        2 => "removed a recipient",
        3 => "called",
        4 => "changed the channel's name",
        5 => "changed the channel's icon",
        6 => "pinned a message",
        7 => "user joined",
        8 => "boosted the server",
        9 => "boosted the server (Tier 1 reached)",
        10 => "boosted the server (Tier 2 reached)",
        11 => "boosted the server (Tier 3 reached)",
        12 => "followed a channel",
        18 => "created a thread",
        24 => "auto moderation action",
        27 => "stage started",
        28 => "stage ended",
        29 => "stage speaker updated",
        31 => "stage topic updated",
        36 => "raid protection enabled",
        37 => "raid protection disabled",
        38 => "raid reported",
        39 => "raid report marked false alarm",
        44 => "purchase notification",
        46 => "poll results posted",
        _ => "posted a notice",
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_session::GuildId;

    use super::*;

    #[test]
    fn notices_are_words_and_messages_are_not() {
        let of = |kind: u64, guild: &str| {
            let json = format!(
                r#"{{"id":"5","channel_id":"6","type":{kind}{guild},
                "author":{{"id":"7","username":"ada"}}}}"#
            );
            let text = r#"{"id":"6","type":0,"name":"general"}"#;
            let channel = Channel::read(text, Some(GuildId::new(1))).unwrap();
            let channel = Some(&channel).filter(|_| !guild.is_empty());
            words(&Message::read(&json).unwrap(), "Friends", channel)
        };
        let guild = r#","guild_id":"1""#;
        let pinned = "Discord system: ada pinned a message in Friends #general";
        assert_eq!(of(6, guild).as_deref(), Some(pinned));
        assert_eq!(of(6, "").as_deref(), Some("Discord system: ada pinned a message in DM"));
        assert!(of(99, guild).is_some());
        for written in [0, 19, 20, 21, 23] {
            assert_eq!(of(written, guild), None, "{written}");
        }
    }
}
