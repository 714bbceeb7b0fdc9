//! Whether somebody belongs to a channel's audience (`discord.channelAudience`): whether they can
//! see it.
//!
//! Source: Discord, "Permissions", "Channel Object", "Threads".

use clawvoice_session::{ChannelId, GuildId, RoleId, UserId, access::Audience};
use serde::{Deserialize, Deserializer};
use twilight_model::{
    channel::{
        ChannelType,
        permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    },
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker, UserMarker},
    },
};
use twilight_util::permission_calculator::PermissionCalculator;

/// A guild, as far as it says who may what.
#[derive(Clone, Debug, Deserialize)]
pub struct AudienceGuild {
    /// Its id.
    pub id: GuildId,
    /// Who owns it.
    #[serde(rename = "owner_id")]
    pub owner: UserId,
    /// Its roles; the one of everybody has the guild's id.
    pub roles: Vec<AudienceRole>,
}

/// A role.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct AudienceRole {
    /// Its id.
    pub id: RoleId,
    /// Discord's bits.
    #[serde(deserialize_with = "bits")]
    pub permissions: u64,
}

/// A channel or thread.
#[derive(Clone, Debug, Deserialize)]
pub struct AudienceChannel {
    /// Its id.
    pub id: ChannelId,
    /// Its guild.
    #[serde(rename = "guild_id", default)]
    pub guild: Option<GuildId>,
    /// Discord's number of its type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The channel a thread belongs to; of other channels, their category.
    #[serde(rename = "parent_id", default)]
    pub parent: Option<ChannelId>,
    /// What roles and members may in it beyond, or less than, in the guild.
    #[serde(rename = "permission_overwrites", default)]
    pub overwrites: Vec<AudienceOverwrite>,
}

/// An exception in a channel.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct AudienceOverwrite {
    /// The role or the member; a role of everybody has the guild's id.
    pub id: RoleId,
    /// 0: a role, 1: a member.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Discord's bits.
    #[serde(deserialize_with = "bits")]
    pub allow: u64,
    /// Discord's bits.
    #[serde(deserialize_with = "bits")]
    pub deny: u64,
}

/// Everything that Discord tells about an audience and somebody. Whoever cannot get one of these
/// must take them not to belong.
#[derive(Clone, Copy, Debug)]
pub struct AudienceFacts<'a> {
    /// The guild.
    pub guild: &'a AudienceGuild,
    /// The channel of the audience.
    pub channel: &'a AudienceChannel,
    /// Of a thread, the channel it belongs to.
    pub parent: Option<&'a AudienceChannel>,
    /// The member's roles in the guild.
    pub roles: &'a [RoleId],
    /// Of a private thread, whether they are one of its members.
    pub is_thread_member: bool,
}

const PRIVATE_THREAD: u8 = 12;

/// Whether a user can see the channel. Whatever does not fit together means no.
#[must_use]
pub fn belongs(audience: Audience, user: UserId, facts: &AudienceFacts<'_>) -> bool {
    let AudienceFacts { guild, channel, is_thread_member, .. } = facts;
    let is_right = guild.id == audience.guild
        && channel.id == audience.channel
        && channel.guild == Some(audience.guild);
    let Some(judged) = judged(facts).filter(|_| is_right) else { return false };
    let Some(given) = permissions(user, facts, judged) else { return false };
    let is_private = channel.kind == PRIVATE_THREAD;
    given.contains(Permissions::VIEW_CHANNEL)
        && (!is_private || *is_thread_member || given.contains(Permissions::MANAGE_THREADS))
}

/// The channel whose exceptions count: of a thread, its parent.
fn judged<'a>(facts: &AudienceFacts<'a>) -> Option<&'a AudienceChannel> {
    if !matches!(facts.channel.kind, 10 | 11 | PRIVATE_THREAD) {
        return Some(facts.channel);
    }
    let parent = facts.parent?;
    let is_right = facts.channel.parent == Some(parent.id) && parent.guild == facts.channel.guild;
    is_right.then_some(parent)
}

fn permissions(
    user: UserId,
    facts: &AudienceFacts<'_>,
    channel: &AudienceChannel,
) -> Option<Permissions> {
    let guild = Id::<GuildMarker>::new_checked(facts.guild.id.get())?;
    let user = Id::<UserMarker>::new_checked(user.get())?;
    let of_role = |id: u64| facts.guild.roles.iter().find(|role| role.id.get() == id);
    let everyone = of_role(guild.get())?;
    let roles: Vec<(Id<RoleMarker>, Permissions)> = facts
        .roles
        .iter()
        .filter_map(|id| of_role(id.get()))
        .filter_map(|role| Some((Id::new_checked(role.id.get())?, kept(role.permissions))))
        .collect();
    let overwrites: Vec<PermissionOverwrite> =
        channel.overwrites.iter().filter_map(overwrite).collect();
    let calculator = PermissionCalculator::new(guild, user, kept(everyone.permissions), &roles);
    let owner = Id::<UserMarker>::new_checked(facts.guild.owner.get())?;
    Some(calculator.owner_id(owner).in_channel(ChannelType::from(channel.kind), &overwrites))
}

fn overwrite(it: &AudienceOverwrite) -> Option<PermissionOverwrite> {
    Some(PermissionOverwrite {
        id: Id::new_checked(it.id.get())?,
        kind: PermissionOverwriteType::from(it.kind),
        allow: kept(it.allow),
        deny: kept(it.deny),
    })
}

/// Bits that twilight does not know change nothing here.
const fn kept(bits: u64) -> Permissions {
    Permissions::from_bits_truncate(bits)
}

/// Bits are a text of digits.
fn bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
#[path = "audience_tests.rs"]
mod tests;
