//! Discord-shaped JSON of what is in the world.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::state::{
    Application, Channel, Guild, Member, Message, Overwrite, Role, State, Target, User, VoiceState,
    kind, snowflake_ms,
};

/// ISO 8601 with microseconds and offset, as Discord writes it.
#[must_use]
pub fn timestamp(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

fn ids(ids: impl IntoIterator<Item = u64>) -> Value {
    ids.into_iter().map(|id| Value::from(id.to_string())).collect()
}

fn id_or_null(id: Option<u64>) -> Value {
    id.map_or(Value::Null, |id| id.to_string().into())
}

impl User {
    /// The user object as everybody sees it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "username": self.username,
            "global_name": self.global_name,
            "discriminator": if self.discriminator == 0 { "0".to_owned() } else { format!("{:04}", self.discriminator) },
            "avatar": self.avatar,
            "avatar_decoration_data": null,
            "banner": null,
            "accent_color": null,
            "bot": self.bot,
            "system": false,
            "public_flags": 0,
            "flags": 0,
        })
    }

    /// The user object as the user itself sees it: READY and `/users/@me`.
    #[must_use]
    pub fn to_own_json(&self) -> Value {
        let mut own = self.to_json();
        own["mfa_enabled"] = false.into();
        own["verified"] = true.into();
        own["email"] = Value::Null;
        own["locale"] = "en-US".into();
        own["premium_type"] = 0.into();
        own
    }
}

impl Role {
    /// The role object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "permissions": self.permissions.to_string(),
            "position": self.position,
            "color": 0,
            "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
            "hoist": false,
            "managed": self.managed,
            "mentionable": self.mentionable,
            "icon": null,
            "unicode_emoji": null,
            "flags": 0,
        })
    }
}

impl Overwrite {
    fn to_json(self) -> Value {
        let (id, kind) = match self.target {
            Target::Role(id) => (id, 0),
            Target::Member(id) => (id, 1),
        };
        json!({
            "id": id.to_string(),
            "type": kind,
            "allow": self.allow.to_string(),
            "deny": self.deny.to_string(),
        })
    }
}

impl Application {
    /// The stub in READY.
    #[must_use]
    pub fn to_partial_json(&self) -> Value {
        json!({ "id": self.id.to_string(), "flags": self.flags })
    }

    /// The application object of `/applications/@me` and `/oauth2/applications/@me`.
    #[must_use]
    pub fn to_json(&self, state: &State) -> Value {
        let mut owner = state.users.get(&self.user_id).map_or(Value::Null, User::to_json);
        owner["bot"] = false.into();
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "icon": null,
            "description": "",
            "summary": "",
            "bot_public": true,
            "bot_require_code_grant": false,
            "bot": state.users.get(&self.user_id).map(User::to_json),
            "owner": owner,
            "team": null,
            "flags": self.flags,
            "verify_key": "00".repeat(32),
            "rpc_origins": [],
            "redirect_uris": [],
            "tags": [],
            "hook": true,
            "integration_types_config": { "0": {} },
            "approximate_guild_count": state.guilds_of(self.user_id).count(),
            "approximate_user_install_count": 0,
            "interactions_endpoint_url": null,
            "role_connections_verification_url": null,
        })
    }
}

impl State {
    /// The user object; a stand-in for somebody who is gone.
    #[must_use]
    pub fn user_json(&self, user_id: u64) -> Value {
        let gone = || User { id: user_id, username: "Deleted User".to_owned(), ..User::default() };
        self.users.get(&user_id).cloned().unwrap_or_else(gone).to_json()
    }

    /// The member object, with its user. `None` for somebody who is no member.
    #[must_use]
    pub fn member_json(&self, guild_id: u64, user_id: u64) -> Option<Value> {
        let member = self.guilds.get(&guild_id)?.members.get(&user_id)?;
        Some(self.full_member(guild_id, member))
    }

    fn full_member(&self, guild_id: u64, member: &Member) -> Value {
        let mut full = self.partial_member(guild_id, member);
        full["user"] = self.user_json(member.user_id);
        full
    }

    /// The member object of messages: without its user.
    fn partial_member(&self, guild_id: u64, member: &Member) -> Value {
        let voice = self.voice_states.get(&(guild_id, member.user_id));
        json!({
            "nick": member.nick,
            "roles": ids(member.roles.iter().copied()),
            "joined_at": timestamp(member.joined_at_ms),
            "deaf": voice.is_some_and(|voice| voice.deaf),
            "mute": voice.is_some_and(|voice| voice.mute),
            "flags": 0,
            "avatar": null,
            "banner": null,
            "avatar_decoration_data": null,
            "pending": false,
            "premium_since": null,
            "communication_disabled_until": null,
        })
    }

    /// The channel object; that of a direct message as `viewer` sees it: without itself among
    /// the recipients.
    #[must_use]
    pub fn channel_json(&self, channel: &Channel, viewer: Option<u64>) -> Value {
        let last = self.messages.get(&channel.id).and_then(|all| all.keys().next_back().copied());
        let mut object = json!({
            "id": channel.id.to_string(),
            "type": channel.kind,
            "flags": 0,
        });
        if channel.takes_messages() {
            object["last_message_id"] = id_or_null(last);
        }
        let Some(guild_id) = channel.guild_id else {
            let others = channel.recipients.iter().filter(|user| Some(**user) != viewer);
            object["recipients"] = others.map(|user| self.user_json(*user)).collect();
            return object;
        };
        object["guild_id"] = guild_id.to_string().into();
        object["name"] = channel.name.clone().into();
        object["parent_id"] = id_or_null(channel.parent_id);
        object["rate_limit_per_user"] = 0.into();
        if channel.is_thread() {
            self.add_thread_fields(&mut object, channel);
            return object;
        }
        object["position"] = channel.position.into();
        object["nsfw"] = false.into();
        object["topic"] = channel.topic.clone().into();
        object["permission_overwrites"] =
            channel.overwrites.iter().map(|overwrite| overwrite.to_json()).collect();
        if channel.is_voice() {
            object["bitrate"] = channel.bitrate().into();
            object["user_limit"] = channel.user_limit.into();
            object["rtc_region"] = Value::Null;
        }
        if channel.kind == kind::FORUM {
            object["available_tags"] = json!([]);
        }
        object
    }

    fn add_thread_fields(&self, object: &mut Value, channel: &Channel) {
        let made = timestamp(snowflake_ms(channel.id));
        object["owner_id"] = id_or_null(channel.owner_id);
        object["message_count"] = self.messages.get(&channel.id).map_or(0, |all| all.len()).into();
        object["total_message_sent"] = object["message_count"].clone();
        object["member_count"] = 1.into();
        object["thread_metadata"] = json!({
            "archived": false,
            "auto_archive_duration": 1440,
            "archive_timestamp": made,
            "create_timestamp": made,
            "locked": false,
        });
    }

    /// The guild object of `GET /guilds/{id}`.
    #[must_use]
    pub fn guild_json(&self, guild: &Guild) -> Value {
        json!({
            "id": guild.id.to_string(),
            "name": guild.name,
            "owner_id": guild.owner_id.to_string(),
            "roles": guild.roles.values().map(Role::to_json).collect::<Value>(),
            "afk_channel_id": null,
            "afk_timeout": 300,
            "application_id": null,
            "banner": null,
            "default_message_notifications": 0,
            "description": null,
            "discovery_splash": null,
            "emojis": [],
            "explicit_content_filter": 0,
            "features": [],
            "icon": null,
            "max_members": 500_000,
            "max_presences": null,
            "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25,
            "mfa_level": 0,
            "nsfw": false,
            "nsfw_level": 0,
            "preferred_locale": "en-US",
            "premium_progress_bar_enabled": false,
            "premium_subscription_count": 0,
            "premium_tier": 0,
            "public_updates_channel_id": null,
            "region": "deprecated",
            "rules_channel_id": null,
            "safety_alerts_channel_id": null,
            "splash": null,
            "stickers": [],
            "system_channel_flags": 0,
            "system_channel_id": null,
            "vanity_url_code": null,
            "verification_level": 0,
            "widget_channel_id": null,
            "widget_enabled": false,
        })
    }

    /// GUILD_CREATE for `viewer`: the guild with everybody and everything the viewer sees in it.
    /// `None` if there is no such guild or the viewer is not in it.
    #[must_use]
    pub fn guild_create_json(&self, guild_id: u64, viewer: u64) -> Option<Value> {
        let guild = self.guilds.get(&guild_id)?;
        let joined = guild.members.get(&viewer)?.joined_at_ms;
        let mut full = self.guild_json(guild);
        // Discord sends channels of which only the name may be known, too; threads it hides.
        let (threads, channels): (Vec<_>, Vec<_>) =
            self.channels_in(guild_id).partition(|channel| channel.is_thread());
        let seen =
            threads.into_iter().filter(|thread| self.channel_permissions(thread.id, viewer) != 0);
        full["threads"] = seen.map(|thread| self.channel_json(thread, None)).collect();
        full["channels"] = channels.into_iter().map(|one| self.channel_json(one, None)).collect();
        full["members"] =
            guild.members.values().map(|member| self.full_member(guild_id, member)).collect();
        full["voice_states"] = self.guild_voice_states_json(guild_id);
        full["member_count"] = guild.members.len().into();
        full["joined_at"] = timestamp(joined).into();
        full["large"] = false.into();
        full["unavailable"] = false.into();
        full["lazy"] = true.into();
        for empty in ["presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds"]
        {
            full[empty] = json!([]);
        }
        Some(full)
    }

    /// Voice states as GUILD_CREATE has them: without `guild_id` and `member`.
    fn guild_voice_states_json(&self, guild_id: u64) -> Value {
        let of_guild = self.voice_states.values().filter(|voice| voice.guild_id == guild_id);
        of_guild
            .map(|voice| {
                let mut object = self.voice_state_json(voice);
                if let Some(fields) = object.as_object_mut() {
                    fields.remove("guild_id");
                    fields.remove("member");
                }
                object
            })
            .collect()
    }

    /// The voice state object with `guild_id` and `member`.
    #[must_use]
    pub fn voice_state_json(&self, voice: &VoiceState) -> Value {
        json!({
            "guild_id": voice.guild_id.to_string(),
            "channel_id": voice.channel_id.to_string(),
            "user_id": voice.user_id.to_string(),
            "member": self.member_json(voice.guild_id, voice.user_id),
            "session_id": voice.session_id,
            "deaf": voice.deaf,
            "mute": voice.mute,
            "self_deaf": voice.self_deaf,
            "self_mute": voice.self_mute,
            "self_stream": false,
            "self_video": false,
            "suppress": voice.suppress,
            "request_to_speak_timestamp": voice.request_to_speak_ms.map(timestamp),
        })
    }

    /// The message object of REST.
    #[must_use]
    pub fn message_json(&self, message: &Message) -> Value {
        let mentioned = mentioned_users(&message.content);
        let mut object = json!({
            "id": message.id.to_string(),
            "channel_id": message.channel_id.to_string(),
            "author": self.user_json(message.author_id),
            "type": message.kind,
            "content": message.content,
            "timestamp": timestamp(snowflake_ms(message.id)),
            "edited_timestamp": message.edited_at_ms.map(timestamp),
            "flags": message.flags,
            "tts": message.tts,
            "mention_everyone": false,
            "mention_roles": [],
            "mentions": mentioned.iter().filter_map(|user| self.users.get(user)).map(User::to_json).collect::<Value>(),
            "attachments": message.attachments,
            "embeds": message.embeds,
            "components": message.components,
            "pinned": false,
        });
        let optional = [
            ("nonce", &message.nonce),
            ("interaction_metadata", &message.interaction),
            ("message_reference", &message.reference),
        ];
        for (field, value) in optional {
            if let Some(value) = value {
                object[field] = value.clone();
            }
        }
        if let Some(id) = message.application_id {
            object["application_id"] = id.to_string().into();
            if message.interaction.is_some() {
                object["webhook_id"] = id.to_string().into();
            }
        }
        object
    }

    /// The message object of MESSAGE_CREATE and MESSAGE_UPDATE: with `guild_id` and `member`.
    #[must_use]
    pub fn message_event_json(&self, message: &Message) -> Value {
        let mut object = self.message_json(message);
        let guild_id = self.channels.get(&message.channel_id).and_then(|channel| channel.guild_id);
        let Some(guild) = guild_id.and_then(|guild| self.guilds.get(&guild)) else { return object };
        object["guild_id"] = guild.id.to_string().into();
        if let Some(member) = guild.members.get(&message.author_id) {
            object["member"] = self.partial_member(guild.id, member);
        }
        for mention in object["mentions"].as_array_mut().into_iter().flatten() {
            let user = mention["id"].as_str().and_then(|id| id.parse().ok());
            if let Some(member) = user.and_then(|user: u64| guild.members.get(&user)) {
                mention["member"] = self.partial_member(guild.id, member);
            }
        }
        object
    }
}

/// The users behind `<@id>` and `<@!id>` in a text.
fn mentioned_users(content: &str) -> BTreeSet<u64> {
    let marks = content.split("<@").skip(1);
    marks
        .filter_map(|rest| {
            let (id, _) = rest.strip_prefix('!').unwrap_or(rest).split_once('>')?;
            id.parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests;
