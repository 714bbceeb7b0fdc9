//! Channels, roles, members, emoji and stickers that come to a running world, and go.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    Control, Refusal,
    humans::{id_in, name_of},
};
use crate::{
    rest::{body::JsonBody, channel_edit::channel_change},
    world::{
        self, Audience, Channel, Dispatch, Emoji, Overwrite, Role, Sticker, Target, bits, intents,
        kind,
    },
};

/// Channels that can be made at once.
const MOST_CHANNELS: u64 = 10_000;

type Made = Result<(StatusCode, Json<Value>), Refusal>;

fn kind_of(value: &Value) -> Result<u8, Refusal> {
    let kind = match value {
        Value::Null => Some(kind::TEXT),
        Value::String(name) => match name.as_str() {
            "text" => Some(kind::TEXT),
            "voice" => Some(kind::VOICE),
            "category" => Some(kind::CATEGORY),
            "announcement" => Some(kind::ANNOUNCEMENT),
            "stage" => Some(kind::STAGE),
            "forum" => Some(kind::FORUM),
            "media" => Some(kind::MEDIA),
            _ => None,
        },
        number => number
            .as_u64()
            .and_then(|number| u8::try_from(number).ok())
            .filter(|number| matches!(number, 0 | 2 | 4 | 5 | 13 | 15 | 16)),
    };
    let why = "`type` must be text, voice, category, announcement, stage, forum or media";
    kind.ok_or_else(|| Refusal::bad(why))
}

/// Permissions: a list of names, or their bits as Discord writes them.
fn permissions(body: &Value, field: &str) -> Result<u64, Refusal> {
    let wrong = || Refusal::bad(format!("`{field}` must be a list of names, or bits"));
    match body.get(field) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(bits)) => bits.parse().map_err(|_| wrong()),
        Some(Value::Array(names)) => {
            let mut bits = names.iter().map(|name| bits::named(name.as_str()?));
            bits.try_fold(0, |all, bit| Some(all | bit?)).ok_or_else(wrong)
        }
        Some(other) => other.as_u64().ok_or_else(wrong),
    }
}

/// `{role_id | member_id, allow, deny}`
fn overwrite(body: &Value) -> Result<Overwrite, Refusal> {
    let target = match (id_in(body, "role_id")?, id_in(body, "member_id")?) {
        (Some(role), None) => Target::Role(role),
        (None, Some(member)) => Target::Member(member),
        _ => return Err(Refusal::bad("either `role_id` or `member_id` must be there")),
    };
    Ok(Overwrite { target, allow: permissions(body, "allow")?, deny: permissions(body, "deny")? })
}

/// `POST guilds/{guild}/channels`: one channel, or with `count` so many, `name-1` and on.
pub(super) async fn add_channels(
    State(control): State<Control>,
    Path(guild): Path<u64>,
    JsonBody(body): JsonBody,
) -> Made {
    let name = body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::bad("`name` must be there"))?;
    let count = body.get("count").filter(|count| !count.is_null());
    let number = count.map_or(Some(1), Value::as_u64);
    let number = number.filter(|count| (1..=MOST_CHANNELS).contains(count));
    let why = format!("`count` must be between 1 and {MOST_CHANNELS}");
    let number = number.ok_or_else(|| Refusal::bad(why))?;
    let kind = kind_of(&body["type"])?;
    let parent_id = id_in(&body, "parent_id")?;
    let listed = body["overwrites"].as_array();
    let overwrites: Vec<Overwrite> =
        listed.into_iter().flatten().map(overwrite).collect::<Result<_, _>>()?;
    let world = &control.rest.world;
    world.write(|state| {
        if !state.guilds.contains_key(&guild) {
            return Err(Refusal::unknown("guild"));
        }
        let before = state.channels_in(guild).count();
        let mut made = Vec::new();
        for number in 1..=number {
            let name = if count.is_some() { format!("{name}-{number}") } else { name.to_owned() };
            let position = i64::try_from(before + made.len()).unwrap_or(i64::MAX);
            let id = state.next_id();
            let channel = Channel {
                id,
                kind,
                guild_id: Some(guild),
                parent_id,
                name,
                position,
                overwrites: overwrites.clone(),
                ..Channel::default()
            };
            let mut rest = body.clone();
            rest["name"] = Value::Null;
            let change = channel_change(state, &channel, &rest)?;
            let flags = if body["require_tag"] == true { world::REQUIRE_TAG } else { 0 };
            let channel = Channel {
                topic: change.topic.flatten(),
                nsfw: change.nsfw.unwrap_or(false),
                slowmode_s: change.slowmode_s.unwrap_or(0),
                default_auto_archive: change.default_auto_archive,
                tags: change.tags.unwrap_or_default(),
                flags: change.flags.unwrap_or(flags),
                ..channel
            };
            made.push(state.channel_json(&channel, None));
            world.add_channel(state, channel);
        }
        let answer = if count.is_some() { json!(made) } else { made.swap_remove(0) };
        Ok((StatusCode::CREATED, Json(answer)))
    })
}

/// `DELETE channels/{channel}`: a channel or a thread, with everything in it.
pub(super) async fn delete_channel(
    State(control): State<Control>,
    Path(channel): Path<u64>,
) -> Result<StatusCode, Refusal> {
    let gone = control.rest.world.delete_channel(channel);
    gone.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Refusal::unknown("channel"))
}

/// `PUT channels/{channel}/overwrites`: `{role_id | member_id, allow, deny}`, in place of what there
/// was for that role or member.
pub(super) async fn set_overwrite(
    State(control): State<Control>,
    Path(channel): Path<u64>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    let overwrite = overwrite(&body)?;
    let world = &control.rest.world;
    world.write(|state| {
        let found = state.channels.get_mut(&channel).filter(|one| one.guild_id.is_some());
        let found = found.ok_or_else(|| Refusal::unknown("channel"))?;
        found.overwrites.retain(|known| known.target != overwrite.target);
        if overwrite.allow | overwrite.deny != 0 {
            found.overwrites.push(overwrite);
        }
        let object = found.overwrites.iter().map(|one| one.to_json()).collect();
        world.tell_channel_changed(state, channel);
        Ok(Json(object))
    })
}

/// `POST guilds/{guild}/roles`: `{name, permissions, mentionable}`
pub(super) async fn add_role(
    State(control): State<Control>,
    Path(guild): Path<u64>,
    JsonBody(body): JsonBody,
) -> Made {
    let role = Role {
        name: name_of(&body)?.to_owned(),
        permissions: permissions(&body, "permissions")?,
        mentionable: body["mentionable"].as_bool().unwrap_or(false),
        ..Role::default()
    };
    put_role(&control, guild, |state| {
        let position = state.guilds.get(&guild).map_or(0, |guild| guild.roles.len());
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        Ok(Role { id: state.next_id(), position, ..role })
    })
    .map(|role| (StatusCode::CREATED, role))
}

/// `PATCH guilds/{guild}/roles/{role}`: `{name, permissions, mentionable}`; the id of the guild is
/// that of `@everyone`.
pub(super) async fn change_role(
    State(control): State<Control>,
    Path((guild, role)): Path<(u64, u64)>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    put_role(&control, guild, |state| {
        let known = state.guilds.get(&guild).and_then(|guild| guild.roles.get(&role));
        let mut role = known.cloned().ok_or_else(|| Refusal::unknown("role"))?;
        if let Some(name) = body["name"].as_str() {
            name.clone_into(&mut role.name);
        }
        if body.get("permissions").is_some() {
            role.permissions = permissions(&body, "permissions")?;
        }
        role.mentionable = body["mentionable"].as_bool().unwrap_or(role.mentionable);
        Ok(role)
    })
}

fn put_role(
    control: &Control,
    guild: u64,
    role: impl FnOnce(&mut world::State) -> Result<Role, Refusal>,
) -> Result<Json<Value>, Refusal> {
    let world = &control.rest.world;
    world.write(|state| {
        let role = role(state)?;
        let object = role.to_json();
        let known = world.set_role(state, guild, role);
        if known { Ok(Json(object)) } else { Err(Refusal::unknown("guild")) }
    })
}

/// `PUT guilds/{guild}/members/{user}`: `{roles, nick}`; who is no member yet joins.
pub(super) async fn set_member(
    State(control): State<Control>,
    Path((guild, user)): Path<(u64, u64)>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    let roles = body.get("roles").and_then(Value::as_array).map(|roles| {
        let id = |role: &Value| role.as_u64().or_else(|| role.as_str()?.parse().ok());
        roles.iter().map(id).collect::<Option<Vec<u64>>>()
    });
    let roles = match roles {
        Some(None) => return Err(Refusal::bad("`roles` must be a list of ids")),
        known => known.flatten(),
    };
    let nick = body.get("nick").map(|nick| nick.as_str().map(ToOwned::to_owned));
    let world = &control.rest.world;
    world.write(|state| {
        let known = |role: &u64| {
            state.guilds.get(&guild).is_some_and(|guild| guild.roles.contains_key(role))
        };
        if !roles.iter().flatten().all(known) {
            return Err(Refusal::unknown("role"));
        }
        if !world.set_member(state, (guild, user), roles, nick) {
            return Err(Refusal::unknown("guild or user"));
        }
        Ok(Json(state.member_json(guild, user).unwrap_or_default()))
    })
}

/// `DELETE guilds/{guild}/members/{user}`
pub(super) async fn remove_member(
    State(control): State<Control>,
    Path((guild, user)): Path<(u64, u64)>,
) -> Result<StatusCode, Refusal> {
    let was_there = control.rest.world.remove_member(guild, user);
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(Refusal::unknown("member")) }
}

/// `POST guilds/{guild}/emojis`: `{name, animated}`
pub(super) async fn add_emoji(
    State(control): State<Control>,
    Path(guild): Path<u64>,
    JsonBody(body): JsonBody,
) -> Made {
    let name = name_of(&body)?.to_owned();
    let animated = body["animated"].as_bool().unwrap_or(false);
    let world = &control.rest.world;
    world.write(|state| {
        let id = state.next_id();
        let found = state.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown("guild"))?;
        let emoji = Emoji { id, name, animated };
        let object = emoji.to_json();
        found.emojis.insert(id, emoji);
        let all: Value = found.emojis.values().map(Emoji::to_json).collect();
        let data = json!({ "guild_id": guild.to_string(), "emojis": all });
        tell_expressions(&control, guild, "GUILD_EMOJIS_UPDATE", data);
        Ok((StatusCode::CREATED, Json(object)))
    })
}

/// `POST guilds/{guild}/stickers`: `{name, description, tags}`
pub(super) async fn add_sticker(
    State(control): State<Control>,
    Path(guild): Path<u64>,
    JsonBody(body): JsonBody,
) -> Made {
    let name = name_of(&body)?.to_owned();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let world = &control.rest.world;
    world.write(|state| {
        let id = state.next_id();
        let found = state.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown("guild"))?;
        let sticker = Sticker { id, name, description: text("description"), tags: text("tags") };
        let object = sticker.to_json(guild);
        found.stickers.insert(id, sticker);
        let all: Value = found.stickers.values().map(|one| one.to_json(guild)).collect();
        let data = json!({ "guild_id": guild.to_string(), "stickers": all });
        tell_expressions(&control, guild, "GUILD_STICKERS_UPDATE", data);
        Ok((StatusCode::CREATED, Json(object)))
    })
}

fn tell_expressions(control: &Control, guild: u64, event: &'static str, data: Value) {
    let audience = Audience::Guild(guild);
    let intents = intents::GUILD_EXPRESSIONS;
    control.rest.world.dispatch(Dispatch { event, data, audience, intents });
}
