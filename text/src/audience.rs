//! Whether somebody is in a channel's audience: whether they see it. Whoever does may be let in by
//! it (`discord.channelAudience`).
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

/// `VIEW_CHANNEL`, `ADMINISTRATOR` and `MANAGE_THREADS`. Source: Discord, "Permissions".
const VIEW_CHANNEL: u64 = 1 << 10;
const ADMINISTRATOR: u64 = 1 << 3;
const MANAGE_THREADS: u64 = 1 << 34;

impl AudienceFacts {
    /// Whether the member sees the channel.
    #[must_use]
    pub fn sees(&self) -> bool {
        if self.channel_guild != Some(self.guild) {
            return false;
        }
        let roles = self.member_roles.iter().fold(0, |bits, (_, role)| bits | role);
        let base = self.everyone_bits | roles;
        if self.member == self.guild_owner || base & ADMINISTRATOR != 0 {
            return true;
        }
        let bits = self.in_channel(base);
        let let_in = match self.private_thread_membership {
            None => true,
            Some(member) => member || bits & MANAGE_THREADS != 0,
        };
        bits & VIEW_CHANNEL != 0 && let_in
    }

    /// Everybody's overwrite, then those of all roles together, then the member's own.
    fn in_channel(&self, base: u64) -> u64 {
        let of = |kind: OverwriteKind, wanted: &dyn Fn(u64) -> bool| {
            let found = self.overwrites.iter().filter(|it| it.kind == kind && wanted(it.id));
            found.fold((0, 0), |(allow, deny), it| (allow | it.allow, deny | it.deny))
        };
        let everybody = of(OverwriteKind::Role, &|id| id == self.guild.get());
        let roles = of(OverwriteKind::Role, &|id| {
            self.member_roles.iter().any(|(role, _)| role.get() == id)
        });
        let own = of(OverwriteKind::Member, &|id| id == self.member.get());
        [everybody, roles, own].iter().fold(base, |bits, (allow, deny)| (bits & !deny) | allow)
    }
}

#[cfg(test)]
#[path = "audience_tests.rs"]
mod tests;
