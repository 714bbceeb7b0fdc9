//! Discord-shaped JSON of what is in the world.

mod channel;
mod message;

pub(crate) use self::channel::thread_member_json;

use serde_json::{Value, json};

use super::state::{
    Application, Emoji, Guild, Member, Overwrite, Role, State, Target, User, VoiceState,
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
    /// The overwrite object.
    #[must_use]
    pub fn to_json(self) -> Value {
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
            "emojis": guild.emojis.values().map(Emoji::to_json).collect::<Value>(),
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
            "stickers": guild.stickers.values().map(|one| one.to_json(guild.id)).collect::<Value>(),
            "system_channel_flags": 0,
            "system_channel_id": id_or_null(guild.system_channel_id),
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
        let seen = threads.into_iter().filter(|thread| {
            !thread.thread.archived && self.channel_permissions(thread.id, viewer) != 0
        });
        full["threads"] = seen.map(|thread| self.channel_json(thread, Some(viewer))).collect();
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
}

#[cfg(test)]
mod tests;
