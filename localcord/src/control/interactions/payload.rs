//! INTERACTION_CREATE ("Interaction Object", "Resolved Data Structure").

use serde_json::{Map, Value, json};

use crate::{
    rest::{
        body::MOST_BYTES,
        interaction::{Interaction, interaction_kind},
    },
    world::{Channel, State as World, bits, kind},
};

/// Locale of all humans and guilds.
const LOCALE: &str = "en-US";
/// What an application may in its own direct messages.
const IN_DIRECT_MESSAGES: u64 =
    bits::ATTACH_FILES | bits::EMBED_LINKS | bits::MENTION_EVERYONE | bits::USE_EXTERNAL_EMOJIS;
/// The fields of a channel that is only pointed to.
const PARTIAL_CHANNEL: [&str; 12] = [
    "id",
    "type",
    "name",
    "guild_id",
    "parent_id",
    "position",
    "topic",
    "nsfw",
    "flags",
    "rate_limit_per_user",
    "last_message_id",
    "last_pin_timestamp",
];

/// The ids that values name, for `resolved`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Named {
    pub(super) users: Vec<u64>,
    pub(super) channels: Vec<u64>,
    pub(super) roles: Vec<u64>,
    /// Attachment objects.
    pub(super) attachments: Vec<Value>,
}

/// Interaction contexts ("Interaction Context Types").
pub(super) fn context(state: &World, channel: u64, bot: Option<u64>) -> u64 {
    let Some(channel) = state.channels.get(&channel) else { return 2 };
    match (channel.guild_id, bot) {
        (Some(_), _) => 0,
        (None, Some(bot)) if channel.kind == kind::DM && channel.recipients.contains(&bot) => 1,
        _ => 2,
    }
}

/// The data of INTERACTION_CREATE.
pub(super) fn event(
    state: &World,
    interaction: &Interaction,
    token: &str,
    data: &Value,
    message: Option<Value>,
) -> Value {
    let (human, place) = (interaction.user_id, interaction.channel_id);
    let bot_may = match interaction.guild_id {
        Some(_) => state.channel_permissions(place, interaction.bot_id),
        None => IN_DIRECT_MESSAGES,
    };
    let human_may = state.channel_permissions(place, human);
    let mut event = json!({
        "id": interaction.id.to_string(),
        "application_id": interaction.application_id.to_string(),
        "type": interaction.kind,
        "data": data,
        "token": token,
        "version": 1,
        "channel_id": place.to_string(),
        "app_permissions": bot_may.to_string(),
        "locale": LOCALE,
        "entitlements": [],
        "authorizing_integration_owners": interaction.owners(),
        "context": context(state, place, Some(interaction.bot_id)),
        "attachment_size_limit": MOST_BYTES,
    });
    if let Some(channel) = state.channels.get(&place) {
        event["channel"] = match channel.guild_id {
            Some(_) => partial_channel(state, channel, human_may),
            None => state.channel_json(channel, Some(interaction.bot_id)),
        };
    }
    if let Some(message) = message {
        event["message"] = message;
    }
    match interaction.guild_id {
        Some(guild) => {
            let mut member = state.member_json(guild, human).unwrap_or_default();
            member["permissions"] = human_may.to_string().into();
            event["member"] = member;
            event["guild_id"] = guild.to_string().into();
            event["guild_locale"] = LOCALE.into();
            event["guild"] = json!({ "id": guild.to_string(), "locale": LOCALE, "features": [] });
        }
        None => event["user"] = state.user_json(human),
    }
    event
}

fn partial_channel(state: &World, channel: &Channel, human_may: u64) -> Value {
    let whole = state.channel_json(channel, None);
    let mut partial = Map::new();
    for field in PARTIAL_CHANNEL {
        if let Some(value) = whole.get(field) {
            partial.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(metadata) = whole.get("thread_metadata") {
        partial.insert("thread_metadata".to_owned(), metadata.clone());
    }
    partial.insert("permissions".to_owned(), human_may.to_string().into());
    partial.into()
}

/// The objects behind the ids; null if there are none.
pub(super) fn resolved(state: &World, guild: Option<u64>, human: u64, named: &Named) -> Value {
    let mut objects = json!({});
    for user in named.users.iter().filter(|user| state.users.contains_key(user)) {
        objects["users"][user.to_string()] = state.user_json(*user);
        let member = guild.and_then(|guild| partial_member(state, guild, *user));
        if let Some(member) = member {
            objects["members"][user.to_string()] = member;
        }
    }
    for channel in named.channels.iter().filter_map(|channel| state.channels.get(channel)) {
        let may = state.channel_permissions(channel.id, human);
        objects["channels"][channel.id.to_string()] = partial_channel(state, channel, may);
    }
    let roles = guild.and_then(|guild| state.guilds.get(&guild)).map(|guild| &guild.roles);
    for role in named.roles.iter().filter_map(|role| roles?.get(role)) {
        objects["roles"][role.id.to_string()] = role.to_json();
    }
    for attachment in &named.attachments {
        let id = attachment["id"].as_str().unwrap_or_default();
        objects["attachments"][id] = attachment.clone();
        objects["attachments"][id]["ephemeral"] = true.into();
    }
    if objects.as_object().is_none_or(Map::is_empty) { Value::Null } else { objects }
}

/// The member without its user, and with its permissions.
fn partial_member(state: &World, guild: u64, user: u64) -> Option<Value> {
    let mut member = state.member_json(guild, user)?;
    if let Some(fields) = member.as_object_mut() {
        for whole in ["user", "deaf", "mute"] {
            fields.remove(whole);
        }
    }
    member["permissions"] = state.guild_permissions(guild, user).to_string().into();
    Some(member)
}

/// The name of an interaction type.
pub(super) fn name_of(kind: u8) -> &'static str {
    match kind {
        interaction_kind::COMMAND => "command",
        interaction_kind::COMPONENT => "component",
        interaction_kind::AUTOCOMPLETE => "autocomplete",
        _ => "modal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::default::{ADA, BEN, BOT_USER, GENERAL, GUILD, default_state};

    #[test]
    fn contexts_are_told_apart() {
        let mut state = default_state();
        let with_bot = state.direct_message(ADA, BOT_USER);
        let with_ben = state.direct_message(ADA, BEN);
        for (channel, expected) in [(GENERAL, 0), (with_bot, 1), (with_ben, 2), (5, 2)] {
            assert_eq!(context(&state, channel, Some(BOT_USER)), expected, "{channel}");
        }
    }

    #[test]
    fn what_is_named_is_shown_in_part() {
        let state = default_state();
        let attachments = vec![json!({ "id": "9", "filename": "a" })];
        let named = Named {
            users: vec![BEN, 404],
            channels: vec![GENERAL],
            roles: vec![GUILD],
            attachments,
        };
        let shown = resolved(&state, Some(GUILD), ADA, &named);
        assert_eq!(shown["users"].as_object().unwrap().len(), 1);
        let member = &shown["members"][BEN.to_string()];
        assert!(member.get("user").is_none() && member["permissions"].is_string());
        let channel = &shown["channels"][GENERAL.to_string()];
        assert!(channel.get("permission_overwrites").is_none());
        assert_eq!(channel["permissions"], bits::ALL.to_string());
        assert_eq!(shown["roles"][GUILD.to_string()]["name"], "@everyone");
        assert_eq!(shown["attachments"]["9"]["ephemeral"], true);
        assert_eq!(resolved(&state, Some(GUILD), ADA, &Named::default()), Value::Null);
        let direct = resolved(&state, None, ADA, &Named { users: vec![BEN], ..Named::default() });
        assert!(direct.get("members").is_none());
    }
}
