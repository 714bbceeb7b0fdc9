//! Reacts to messages. Source: Discord, "Create Reaction", "Delete Own Reaction".

use std::fmt::Write as _;

use clawvoice_session::{ChannelId, MessageId};
use twilight_http::request::{Method, RequestBuilder};

use super::rest::{DiscordRest, RestFailure};

impl DiscordRest {
    /// Adds a reaction. `emoji`: the character itself, or `name:id` of one of a guild's own, with or
    /// without `<:` and `>` around it. One that is there already stays.
    ///
    /// # Errors
    ///
    /// 10014: there is no such emoji; 30010: there are 20 on the message; 90001: its author has
    /// blocked the bot.
    pub async fn react(
        &self,
        channel: ChannelId,
        message: MessageId,
        emoji: &str,
    ) -> Result<(), RestFailure> {
        let what = "PUT /channels/{id}/messages/{id}/reactions/{emoji}/@me";
        let request = RequestBuilder::raw(Method::Put, own(channel, message, emoji));
        self.rest().built(what, request).await.map(drop)
    }

    /// Takes the bot's own reaction away.
    ///
    /// # Errors
    ///
    /// 10008: the message is gone.
    pub async fn unreact(
        &self,
        channel: ChannelId,
        message: MessageId,
        emoji: &str,
    ) -> Result<(), RestFailure> {
        let what = "DELETE /channels/{id}/messages/{id}/reactions/{emoji}/@me";
        let request = RequestBuilder::raw(Method::Delete, own(channel, message, emoji));
        self.rest().built(what, request).await.map(drop)
    }
}

fn own(channel: ChannelId, message: MessageId, emoji: &str) -> String {
    let emoji = in_path(emoji);
    format!("channels/{channel}/messages/{message}/reactions/{emoji}/@me")
}

/// An emoji as a part of a path.
fn in_path(emoji: &str) -> String {
    let emoji = emoji.trim();
    let bare = emoji.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(emoji);
    let bare = bare.strip_prefix("a:").or_else(|| bare.strip_prefix(':')).unwrap_or(bare);
    let mut path = String::new();
    for byte in bare.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'~' => {
                path.push(char::from(byte));
            }
            _ => {
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_one_part_of_the_path() {
        let cases = [
            ("👀", "%F0%9F%91%80"),
            ("claw:123", "claw%3A123"),
            ("<:claw:123>", "claw%3A123"),
            ("<a:claw:123>", "claw%3A123"),
            ("../@me", "%2E%2E%2F%40me"),
            ("#️⃣", "%23%EF%B8%8F%E2%83%A3"),
        ];
        for (emoji, expected) in cases {
            assert_eq!(in_path(emoji), expected);
        }
    }
}
