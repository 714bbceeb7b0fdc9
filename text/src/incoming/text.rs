//! What text follows: messages, reactions, and the places they are in.
//!
//! Source: Discord, "Gateway Events": Message Create, Message Reaction Add, Channels, Threads.

use clawvoice_session::{ChannelId, GuildId, MessageId, RoleId, UserId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    inbound::{self, DropReason},
    message::{Author, MemberPart, Message},
    place::Channel,
};

/// An event that text follows, in the gateway's order.
#[derive(Clone, Debug)]
pub(crate) enum TextEvent {
    /// READY or RESUMED.
    Connected {
        /// The bot's own user.
        user: UserId,
        /// A new session: what happened before it is not told any more.
        new: bool,
    },
    /// A guild's name.
    Guild {
        /// The guild.
        guild: GuildId,
        /// Its name.
        name: String,
    },
    /// A channel or thread is there, or has changed.
    Channel(Channel),
    /// A place is gone.
    Gone(Gone),
    /// What people may see has changed.
    Access {
        /// In which guild.
        guild: GuildId,
        /// Of whom; `None`: of everybody.
        member: Option<UserId>,
    },
    /// MESSAGE_CREATE.
    Message {
        /// The message.
        message: Box<Message>,
        /// The same as it came, in JSON: what is kept until it is answered.
        body: String,
    },
    /// A MESSAGE_CREATE that is none, and why.
    Invalid(DropReason),
    /// A reaction was added or taken away.
    Reaction(Reaction),
}

/// A place that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// A channel or thread was deleted.
    Channel(ChannelId),
    /// The bot is in the guild no more.
    Guild(GuildId),
}

/// MESSAGE_REACTION_ADD or MESSAGE_REACTION_REMOVE.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Reaction {
    /// Whether it was added.
    #[serde(skip)]
    pub(crate) added: bool,
    /// Who reacted.
    #[serde(rename = "user_id")]
    pub(crate) user: UserId,
    /// Where.
    #[serde(rename = "channel_id")]
    pub(crate) channel: ChannelId,
    /// To which message.
    #[serde(rename = "message_id")]
    pub(crate) message: MessageId,
    /// The guild; `None` in direct messages.
    #[serde(rename = "guild_id", default)]
    pub(crate) guild: Option<GuildId>,
    /// With what.
    pub(crate) emoji: Emoji,
    /// Who reacted, as a member; only of added ones, and in guilds.
    #[serde(default)]
    pub(crate) member: Option<ReactingMember>,
    /// Whose message it is; only of added ones.
    #[serde(rename = "message_author_id", default)]
    pub(crate) message_author: Option<UserId>,
}

/// An emoji.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Emoji {
    /// Of a guild's own emoji.
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// The emoji itself, or its name.
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// Who reacted, as a member.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct ReactingMember {
    /// The user.
    #[serde(default)]
    pub(crate) user: Option<Author>,
    /// Nickname and roles.
    #[serde(flatten)]
    pub(crate) part: MemberPart,
}

impl ReactingMember {
    /// Their roles.
    #[must_use]
    pub(crate) fn roles(&self) -> &[RoleId] {
        &self.part.roles
    }
}

#[derive(Deserialize)]
struct WirePlaces<'a> {
    id: GuildId,
    #[serde(default)]
    name: String,
    #[serde(borrow, default)]
    channels: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    threads: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireId<T> {
    id: T,
}

#[derive(Deserialize)]
struct WireInGuild {
    guild_id: GuildId,
}

#[derive(Deserialize)]
struct WireMember {
    guild_id: GuildId,
    user: WireId<UserId>,
}

#[derive(Deserialize)]
struct WireThreadMembers {
    guild_id: GuildId,
    #[serde(default)]
    added_members: Vec<WireThreadMember>,
    #[serde(default)]
    removed_member_ids: Vec<UserId>,
}

#[derive(Deserialize)]
struct WireThreadMember {
    #[serde(default)]
    user_id: Option<UserId>,
}

#[derive(Deserialize)]
struct WireGuildGone {
    id: GuildId,
    /// Discord's own trouble, not the bot's removal.
    #[serde(default)]
    unavailable: bool,
}

#[derive(Deserialize)]
struct WireThreads<'a> {
    guild_id: GuildId,
    #[serde(borrow, default)]
    threads: Vec<&'a RawValue>,
}

/// What text is told by an event; nothing if it does not follow it.
///
/// # Errors
///
/// An event of a kind that it follows, without the fields that are used.
pub(super) fn events(event: &str, data: &str) -> Result<Vec<TextEvent>, serde_json::Error> {
    Ok(match event {
        "GUILD_CREATE" => guild(&serde_json::from_str(data)?),
        "GUILD_UPDATE" => {
            let told: WirePlaces<'_> = serde_json::from_str(data)?;
            let access = TextEvent::Access { guild: told.id, member: None };
            guild(&told).into_iter().chain([access]).collect()
        }
        "GUILD_ROLE_UPDATE" | "GUILD_ROLE_DELETE" => {
            let told: WireInGuild = read(data)?;
            vec![TextEvent::Access { guild: told.guild_id, member: None }]
        }
        "GUILD_MEMBER_UPDATE" | "GUILD_MEMBER_REMOVE" => {
            let told: WireMember = read(data)?;
            vec![TextEvent::Access { guild: told.guild_id, member: Some(told.user.id) }]
        }
        "THREAD_MEMBERS_UPDATE" => {
            let told: WireThreadMembers = read(data)?;
            let added = told.added_members.into_iter().filter_map(|member| member.user_id);
            let members = added.chain(told.removed_member_ids);
            let access = |member| TextEvent::Access { guild: told.guild_id, member: Some(member) };
            members.map(access).collect()
        }
        "GUILD_DELETE" => {
            let gone: WireGuildGone = serde_json::from_str(data)?;
            let gone = (!gone.unavailable).then_some(TextEvent::Gone(Gone::Guild(gone.id)));
            gone.into_iter().collect()
        }
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "THREAD_CREATE" | "THREAD_UPDATE" => {
            vec![TextEvent::Channel(Channel::read(data, None)?)]
        }
        "CHANNEL_DELETE" | "THREAD_DELETE" => {
            let gone: WireId<ChannelId> = read(data)?;
            vec![TextEvent::Gone(Gone::Channel(gone.id))]
        }
        "THREAD_LIST_SYNC" => {
            let list: WireThreads<'_> = serde_json::from_str(data)?;
            channels(&list.threads, list.guild_id).collect()
        }
        "MESSAGE_CREATE" => vec![message(data)],
        "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE" => {
            let reaction: Reaction = read(data)?;
            let added = event.ends_with("ADD");
            vec![TextEvent::Reaction(Reaction { added, ..reaction })]
        }
        _ => Vec::new(),
    })
}

fn read<T: DeserializeOwned>(data: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(data)
}

fn guild(guild: &WirePlaces<'_>) -> Vec<TextEvent> {
    let name = guild.name.clone();
    // An unavailable guild has no name.
    let named = (!name.is_empty()).then_some(TextEvent::Guild { guild: guild.id, name });
    let places = channels(&guild.channels, guild.id).chain(channels(&guild.threads, guild.id));
    named.into_iter().chain(places).collect()
}

fn channels<'a>(items: &'a [&'a RawValue], guild: GuildId) -> impl Iterator<Item = TextEvent> + 'a {
    let readable = items.iter().filter_map(move |it| Channel::read(it.get(), Some(guild)).ok());
    readable.map(TextEvent::Channel)
}

fn message(data: &str) -> TextEvent {
    match inbound::read(data) {
        Ok(message) => TextEvent::Message { message: Box::new(message), body: data.to_owned() },
        Err(reason) => TextEvent::Invalid(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: &str, data: &str) -> Vec<String> {
        events(event, data).unwrap().iter().map(|event| format!("{event:?}")).collect()
    }

    #[test]
    fn a_guild_tells_its_channels_and_threads() {
        let data = r#"{"id":"1","name":"g","channels":[{"id":"5","type":0,"name":"general"},7],
            "threads":[{"id":"6","type":11,"name":"t","parent_id":"5"}]}"#;
        let told = told("GUILD_CREATE", data);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[2].contains("parent: Some(ChannelId(5))") && told[2].contains("GuildId(1)"));
    }

    #[test]
    fn an_outage_is_no_removal() {
        assert_eq!(told("GUILD_DELETE", r#"{"id":"1","unavailable":true}"#), [""; 0]);
        assert_eq!(told("GUILD_DELETE", r#"{"id":"1"}"#), ["Gone(Guild(GuildId(1)))"]);
        assert_eq!(told("THREAD_DELETE", r#"{"id":"6"}"#), ["Gone(Channel(ChannelId(6)))"]);
    }

    #[test]
    fn what_changes_who_sees_what() {
        for (event, data, members) in [
            ("GUILD_ROLE_UPDATE", r#"{"guild_id":"1","role":{"id":"7"}}"#, vec!["None"]),
            ("GUILD_ROLE_DELETE", r#"{"guild_id":"1","role_id":"7"}"#, vec!["None"]),
            ("GUILD_UPDATE", r#"{"id":"1"}"#, vec!["None"]),
            (
                "GUILD_MEMBER_UPDATE",
                r#"{"guild_id":"1","user":{"id":"2"},"roles":[]}"#,
                vec!["Some(UserId(2))"],
            ),
            (
                "GUILD_MEMBER_REMOVE",
                r#"{"guild_id":"1","user":{"id":"2"}}"#,
                vec!["Some(UserId(2))"],
            ),
            (
                "THREAD_MEMBERS_UPDATE",
                r#"{"guild_id":"1","id":"6","added_members":[{"user_id":"2"},{}],
                    "removed_member_ids":["3"]}"#,
                vec!["Some(UserId(2))", "Some(UserId(3))"],
            ),
            ("THREAD_MEMBERS_UPDATE", r#"{"guild_id":"1","id":"6"}"#, vec![]),
        ] {
            let expected: Vec<String> = members
                .iter()
                .map(|member| format!("Access {{ guild: GuildId(1), member: {member} }}"))
                .collect();
            assert_eq!(told(event, data), expected, "{event}");
        }
    }

    #[test]
    fn what_is_no_message_says_why() {
        for (data, why) in [
            (r#"{"id":"1","author":{"id":"2"}}"#, "MissingChannelId"),
            (r#"{"id":"1","channel_id":"5"}"#, "MissingAuthor"),
            (r#"{"id":1,"channel_id":"5","author":{"id":"2"}}"#, "InvalidEvent"),
        ] {
            assert_eq!(told("MESSAGE_CREATE", data), [format!("Invalid({why})")]);
        }
    }

    #[test]
    fn reactions() {
        let data = r#"{"user_id":"2","channel_id":"5","message_id":"9","guild_id":"1",
            "emoji":{"id":null,"name":"👍"},"message_author_id":"3",
            "member":{"nick":"Ada","roles":["80"],"user":{"id":"2","username":"ada"}}}"#;
        for (event, was_added) in
            [("MESSAGE_REACTION_ADD", true), ("MESSAGE_REACTION_REMOVE", false)]
        {
            let events = events(event, data).unwrap();
            let [TextEvent::Reaction(reaction)] = &events[..] else { panic!("{events:?}") };
            assert_eq!(reaction.added, was_added);
            assert_eq!(reaction.emoji, Emoji { id: None, name: Some("👍".to_owned()) });
            assert_eq!(reaction.member.as_ref().unwrap().roles(), [RoleId::new(80)]);
        }
    }
}
