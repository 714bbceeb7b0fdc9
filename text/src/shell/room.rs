//! What a channel is, and what the bot may do there. Only the fields that are used are read.
//!
//! Source: Discord, "Channel Object", "Guild Object", "Guild Member Object", "Permissions".

use clawvoice_session::{ChannelId, GuildId, RoomPermission, UserId};
use serde::Deserialize;
use twilight_model::{
    channel::{ChannelType, permission_overwrite::PermissionOverwrite},
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker, UserMarker},
    },
};
use twilight_util::permission_calculator::PermissionCalculator;

/// A channel of any kind.
#[derive(Debug, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    /// None in direct messages.
    pub(crate) guild_id: Option<GuildId>,
    #[serde(rename = "type")]
    kind: ChannelType,
    #[serde(default)]
    permission_overwrites: Vec<PermissionOverwrite>,
}

/// A guild's roles and owner.
#[derive(Debug, Deserialize)]
pub(crate) struct Guild {
    owner_id: Id<UserMarker>,
    roles: Vec<Role>,
}

#[derive(Debug, Deserialize)]
struct Role {
    id: Id<RoleMarker>,
    permissions: Permissions,
}

/// A member's roles, without `@everyone`.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    roles: Vec<Id<RoleMarker>>,
}

/// Where a user is.
#[derive(Debug, Deserialize)]
pub(crate) struct VoiceState {
    pub(crate) channel_id: Option<ChannelId>,
}

impl Channel {
    /// Whether one can speak in it.
    pub(crate) fn is_voice(&self) -> bool {
        matches!(self.kind, ChannelType::GuildVoice | ChannelType::GuildStageVoice)
    }
}

/// What the bot needs to be heard in a voice channel, and does not have there. In a stage it is
/// invited to speak, which is no permission.
pub(crate) fn missing(
    guild_id: GuildId,
    guild: &Guild,
    member: &Member,
    channel: &Channel,
    bot: UserId,
) -> Vec<RoomPermission> {
    let needed = [
        (RoomPermission::ViewChannel, Permissions::VIEW_CHANNEL),
        (RoomPermission::Connect, Permissions::CONNECT),
        (RoomPermission::Speak, Permissions::SPEAK),
    ];
    let given = permissions(guild_id, guild, member, channel, bot);
    let stage = channel.kind == ChannelType::GuildStageVoice;
    needed
        .into_iter()
        .filter(|(name, _)| !(stage && *name == RoomPermission::Speak))
        .filter(|(_, bit)| !given.contains(*bit))
        .map(|(name, _)| name)
        .collect()
}

fn permissions(
    guild_id: GuildId,
    guild: &Guild,
    member: &Member,
    channel: &Channel,
    bot: UserId,
) -> Permissions {
    let (Some(guild_id), Some(bot)) =
        (Id::<GuildMarker>::new_checked(guild_id.get()), Id::<UserMarker>::new_checked(bot.get()))
    else {
        return Permissions::empty();
    };
    let of_role = |id: u64| guild.roles.iter().find(|role| role.id.get() == id);
    // The role `@everyone` has the guild's id.
    let everyone = of_role(guild_id.get()).map_or(Permissions::empty(), |role| role.permissions);
    let roles: Vec<(Id<RoleMarker>, Permissions)> = member
        .roles
        .iter()
        .filter_map(|id| of_role(id.get()))
        .map(|role| (role.id, role.permissions))
        .collect();
    PermissionCalculator::new(guild_id, bot, everyone, &roles)
        .owner_id(guild.owner_id)
        .in_channel(channel.kind, &channel.permission_overwrites)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{RoomPermission::*, *};

    const GUILD: GuildId = GuildId::new(1);
    const BOT: UserId = UserId::new(5);
    const VIEW: u64 = 1 << 10;
    const CONNECT: u64 = 1 << 20;
    const SPEAK: u64 = 1 << 21;
    const ALL: u64 = VIEW | CONNECT | SPEAK;

    /// `@everyone` may do this; the bot has role 7, which may do that.
    fn lacks(
        owner: u64,
        everyone: u64,
        role: u64,
        kind: u8,
        overwrites: Value,
    ) -> Vec<RoomPermission> {
        let guild = json!({ "owner_id": owner.to_string(), "roles": [
            { "id": "1", "permissions": everyone.to_string() },
            { "id": "7", "permissions": role.to_string() }] });
        let channel = json!({ "id": "10", "guild_id": "1", "type": kind,
            "permission_overwrites": overwrites });
        missing(
            GUILD,
            &serde_json::from_value(guild).unwrap(),
            &serde_json::from_value(json!({ "roles": ["7"] })).unwrap(),
            &serde_json::from_value(channel).unwrap(),
            BOT,
        )
    }

    fn overwrite(id: u64, kind: u8, allow: u64, deny: u64) -> Value {
        json!({ "id": id.to_string(), "type": kind, "allow": allow.to_string(),
            "deny": deny.to_string() })
    }

    #[test]
    fn what_the_bot_lacks_is_named() {
        let nothing: [RoomPermission; 0] = [];
        assert_eq!(lacks(9, ALL, 0, 2, json!([])), nothing);
        assert_eq!(lacks(9, 0, ALL, 2, json!([])), nothing, "by its role");
        assert_eq!(lacks(9, VIEW, 0, 2, json!([])), [Connect, Speak]);
        assert_eq!(lacks(9, 0, 0, 2, json!([])), [ViewChannel, Connect, Speak]);
        assert_eq!(lacks(9, VIEW | CONNECT, 0, 13, json!([])), nothing, "a stage needs no Speak");
        assert_eq!(lacks(5, 0, 0, 2, json!([])), nothing, "the owner may everything");
        assert_eq!(lacks(9, 0, 1 << 3, 2, json!([overwrite(1, 0, 0, ALL)])), nothing, "an admin");
    }

    #[test]
    fn overwrites_apply_in_discords_order() {
        let closed = overwrite(1, 0, 0, CONNECT);
        assert_eq!(lacks(9, ALL, 0, 2, json!([closed])), [Connect]);
        let opened = overwrite(7, 0, CONNECT, 0);
        assert_eq!(lacks(9, ALL, 0, 2, json!([closed, opened])), []);
        let banned = overwrite(5, 1, 0, SPEAK);
        assert_eq!(lacks(9, ALL, 0, 2, json!([banned, closed, opened])), [Speak]);
        let of_others = overwrite(8, 0, 0, ALL);
        assert_eq!(lacks(9, ALL, 0, 2, json!([of_others])), []);
    }
}
