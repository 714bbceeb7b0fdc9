//! A text message, as the gateway and REST tell it: bytes to our own values.
//!
//! Only what is used is read, and leniently: an embed or a sticker of an unknown form costs itself,
//! not the message. Source: Discord, "Message Object", "Message Create" (Gateway Events).

use clawvoice_session::{ChannelId, GuildId, MessageId, RoleId, UserId, WebhookId};
use serde::{Deserialize, Deserializer, Serialize};

/// A message in a channel, a thread or a direct message.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The channel or thread it is in.
    #[serde(rename = "channel_id")]
    pub channel: ChannelId,
    /// The guild; `None` in direct messages, and in everything that REST tells.
    #[serde(rename = "guild_id", default)]
    pub guild: Option<GuildId>,
    /// Who wrote it; of a webhook's message, the webhook by its own name.
    pub author: Author,
    /// The author as a member of the guild; the gateway alone tells it.
    #[serde(default)]
    pub member: Option<MemberPart>,
    /// The text; empty without the message content intent.
    #[serde(default)]
    pub content: String,
    /// Discord's message type: 0 is a message, 19 a reply, 20 a slash command's.
    #[serde(rename = "type", default)]
    pub kind: u64,
    /// Users it mentions.
    #[serde(default, deserialize_with = "readable")]
    pub mentions: Vec<Author>,
    /// Roles it mentions.
    #[serde(default, deserialize_with = "readable")]
    pub mention_roles: Vec<RoleId>,
    /// Whether it mentions `@everyone` or `@here`.
    #[serde(default)]
    pub mention_everyone: bool,
    /// Files on it.
    #[serde(default, deserialize_with = "readable")]
    pub attachments: Vec<Attachment>,
    /// Stickers on it.
    #[serde(rename = "sticker_items", default, deserialize_with = "readable")]
    pub stickers: Vec<Sticker>,
    /// Embeds below it.
    #[serde(default, deserialize_with = "readable")]
    pub embeds: Vec<Embed>,
    /// Components, as they came: their texts stand in for an empty content.
    #[serde(default, deserialize_with = "readable")]
    pub components: Vec<serde_json::Value>,
    /// What it answers or forwards.
    #[serde(rename = "message_reference", default)]
    pub reference: Option<Reference>,
    /// The message it answers, if Discord could show it.
    #[serde(rename = "referenced_message", default)]
    pub referenced: Option<Box<Self>>,
    /// Forwarded messages.
    #[serde(rename = "message_snapshots", default, deserialize_with = "readable")]
    pub snapshots: Vec<Snapshot>,
    /// The webhook that wrote it.
    #[serde(rename = "webhook_id", default)]
    pub webhook: Option<WebhookId>,
    /// The application that wrote it.
    #[serde(rename = "application_id", default)]
    pub application: Option<UserId>,
    /// Set when it answers an interaction.
    #[serde(rename = "interaction_metadata", default)]
    pub interaction: Option<serde::de::IgnoredAny>,
    /// The thread that was opened on it.
    #[serde(default)]
    pub thread: Option<ThreadPart>,
    /// Discord's flags.
    #[serde(default)]
    pub flags: u64,
}

/// A user, as far as a message tells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Author {
    /// The user's id.
    pub id: UserId,
    /// The account's name.
    #[serde(default)]
    pub username: String,
    /// The name they chose to be shown by.
    #[serde(default)]
    pub global_name: Option<String>,
    /// `"0"` since names are unique; older bots still have four digits.
    #[serde(default)]
    pub discriminator: Option<String>,
    /// Whether it is a bot.
    #[serde(default)]
    pub bot: bool,
}

/// The author as a member of the guild.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct MemberPart {
    /// Their nickname.
    #[serde(default)]
    pub nick: Option<String>,
    /// Their roles, without `@everyone`.
    #[serde(default)]
    pub roles: Vec<RoleId>,
}

/// A file on a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Attachment {
    /// Its name.
    #[serde(default)]
    pub filename: String,
    /// Its media type, as its sender claims.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Where it is.
    #[serde(default)]
    pub url: String,
    /// Seconds, of voice messages.
    #[serde(default, deserialize_with = "whole_seconds")]
    pub duration_secs: Option<u64>,
}

/// A sticker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Sticker {
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// An embed's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Embed {
    /// Title.
    #[serde(default)]
    pub title: Option<String>,
    /// Description.
    #[serde(default)]
    pub description: Option<String>,
}

/// What a message answers or forwards.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Reference {
    /// 0: an answer, 1: a forward.
    #[serde(rename = "type", default)]
    pub kind: u64,
    /// The message.
    #[serde(rename = "message_id", default)]
    pub message: Option<MessageId>,
    /// Its channel.
    #[serde(rename = "channel_id", default)]
    pub channel: Option<ChannelId>,
}

/// A forwarded message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Snapshot {
    /// The message, without its author: Discord does not tell who wrote it.
    pub message: SnapshotMessage,
}

/// The content of a forwarded message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SnapshotMessage {
    /// The text.
    #[serde(default)]
    pub content: String,
    /// Files on it.
    #[serde(default, deserialize_with = "readable")]
    pub attachments: Vec<Attachment>,
    /// Embeds below it.
    #[serde(default, deserialize_with = "readable")]
    pub embeds: Vec<Embed>,
}

/// A thread on a message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ThreadPart {
    /// The thread's id.
    pub id: ChannelId,
}

impl Author {
    /// What people call them: nickname, chosen name, account's name.
    #[must_use]
    pub fn shown<'a>(&'a self, member: Option<&'a MemberPart>) -> &'a str {
        let nick = member.and_then(|member| member.nick.as_deref());
        let names = [nick, self.global_name.as_deref()].into_iter().flatten();
        names.into_iter().find(|name| !name.trim().is_empty()).unwrap_or(&self.username)
    }

    /// `name`, or `name#1234` where there still are four digits.
    #[must_use]
    pub fn tag(&self) -> String {
        match self.discriminator.as_deref() {
            None | Some("" | "0" | "0000") => self.username.clone(),
            Some(digits) => format!("{}#{digits}", self.username),
        }
    }
}

impl Message {
    /// Of the gateway's or REST's JSON.
    ///
    /// # Errors
    ///
    /// Without an id, a channel or an author.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// When it was written, in milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(&self) -> u64 {
        self.id.unix_ms()
    }

    /// Whether a person or a bot wrote it; anything else is Discord telling of a pin, a join, a
    /// boost. Source: Discord, "Message Types".
    #[must_use]
    pub const fn is_written(&self) -> bool {
        matches!(self.kind, 0 | 19 | 20 | 23)
    }

    /// Whether it answers another message, rather than forwarding one.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.reference.as_ref().is_some_and(|reference| reference.kind == 0)
    }
}

/// The readable ones of a list; none of what is no list.
fn readable<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Good(T),
        Bad(serde::de::IgnoredAny),
    }
    let items = match Either::<Vec<Either<T>>>::deserialize(deserializer)? {
        Either::Good(items) => items,
        Either::Bad(_) => Vec::new(),
    };
    let good = items.into_iter().filter_map(|item| match item {
        Either::Good(item) => Some(item),
        Either::Bad(_) => None,
    });
    Ok(good.collect())
}

fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = Option::<f64>::deserialize(deserializer)?;
    // A voice message is minutes long: what does not fit was no number of seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "negative and huge numbers are cut off before"
    )]
    Ok(seconds.map(|seconds| seconds.clamp(0.0, 86_400.0).ceil() as u64))
}

/// Message 5 of user 7 in channel 6, with these fields besides.
#[cfg(test)]
pub(crate) fn written(fields: &str) -> Message {
    let json = format!(r#"{{"id":"5","channel_id":"6","author":{{"id":"7"}}{fields}}}"#);
    Message::read(&json).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_costs_itself_alone() {
        let json = r#"{"id":"5","channel_id":"6","author":{"id":"7","username":"ada"},
            "content":"hi","attachments":[{"filename":"a.ogg","duration_secs":1.5},{"size":"x"}],
            "embeds":null,"components":"none","mentions":{},"sticker_items":[7,{"name":"wave"}],"unknown":{"a":[]}}"#;
        let message = Message::read(json).unwrap();
        assert_eq!(message.attachments.len(), 1);
        assert_eq!(message.attachments[0].duration_secs, Some(2));
        assert_eq!(message.stickers, [Sticker { name: "wave".to_owned() }]);
        assert!(message.embeds.is_empty() && message.is_written() && !message.is_reply());
    }

    #[test]
    fn without_an_id_a_channel_or_an_author_it_is_none() {
        for json in [
            r#"{"channel_id":"6","author":{"id":"7"}}"#,
            r#"{"id":"5","author":{"id":"7"}}"#,
            r#"{"id":"5","channel_id":"6"}"#,
            r#"{"id":5,"channel_id":"6","author":{"id":"7"}}"#,
        ] {
            assert!(Message::read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn names() {
        let mut ada: Author =
            serde_json::from_str(r#"{"id":"7","username":"ada","discriminator":"0"}"#).unwrap();
        assert_eq!((ada.shown(None), ada.tag().as_str()), ("ada", "ada"));
        ada.global_name = Some("Ada".to_owned());
        ada.discriminator = Some("1234".to_owned());
        assert_eq!((ada.shown(None), ada.tag().as_str()), ("Ada", "ada#1234"));
        let member = MemberPart { nick: Some("Countess".to_owned()), roles: Vec::new() };
        assert_eq!(ada.shown(Some(&member)), "Countess");
    }
}
