//! What decides whether somebody is in a channel's audience, as Discord tells it. Whoever sees the
//! channel may be let in by it; the rule itself is elsewhere.
//!
//! Source: Discord, "Permissions", "Permission Overwrites", "Thread Member Object"; OpenClaw,
//! "Access groups", `discord.channelAudience`.

use clawvoice_session::{ChannelId, GuildId, RoleId, UserId};
use serde::Deserialize;

use crate::guild::bits;

/// Whom an overwrite is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverwriteKind {
    /// All who have a role; `@everyone`'s role has the guild's id.
    Role,
    /// One member.
    Member,
}

/// What a channel allows and denies to a role or a member, beyond the guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Overwrite {
    /// Whom it is about.
    #[serde(rename = "type", deserialize_with = "kind")]
    pub kind: OverwriteKind,
    /// The role's or the user's id.
    #[serde(deserialize_with = "bits")]
    pub id: u64,
    /// Permission bits that are added.
    #[serde(deserialize_with = "bits")]
    pub allow: u64,
    /// Permission bits that are taken away.
    #[serde(deserialize_with = "bits")]
    pub deny: u64,
}

fn kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<OverwriteKind, D::Error> {
    match u8::deserialize(deserializer)? {
        0 => Ok(OverwriteKind::Role),
        1 => Ok(OverwriteKind::Member),
        _ => Err(serde::de::Error::custom("an overwrite is a role's or a member's")),
    }
}

/// All that decides whether a member sees a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudienceFacts {
    /// The member.
    pub member: UserId,
    /// The channel that was asked about.
    pub channel: ChannelId,
    /// The guild that was asked for its owner and roles.
    pub guild: GuildId,
    /// The guild that the channel belongs to, as Discord says; `None`: none. Only if it is
    /// [`Self::guild`] do the rest of the facts mean anything.
    pub channel_guild: Option<GuildId>,
    /// Who may do everything in the guild.
    pub guild_owner: UserId,
    /// Permission bits of `@everyone` in the guild.
    pub everyone_bits: u64,
    /// The member's roles with their permission bits in the guild, without `@everyone`. A role that
    /// the guild does not list is left out.
    pub member_roles: Vec<(RoleId, u64)>,
    /// The channel's overwrites; of a thread, those of its parent.
    pub overwrites: Vec<Overwrite>,
    /// Of a private thread: whether the member was let into it. `None`: it is none, so that nobody
    /// need be.
    pub private_thread_membership: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overwrites_are_read_strictly() {
        let json = r#"{"id":"7","type":1,"allow":"1024","deny":"0"}"#;
        let expected = Overwrite { kind: OverwriteKind::Member, id: 7, allow: 1024, deny: 0 };
        assert_eq!(serde_json::from_str::<Overwrite>(json).unwrap(), expected);
        // What cannot be understood must not be taken for something that denies nothing.
        for bad in [
            r#"{"id":"7","type":2,"allow":"0","deny":"0"}"#,
            r#"{"id":"7","type":0,"allow":"0"}"#,
            r#"{"id":"7","type":0,"allow":"0","deny":"x"}"#,
        ] {
            assert!(serde_json::from_str::<Overwrite>(bad).is_err(), "{bad}");
        }
    }
}
