//! Reactions to messages.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    Rest,
    error::ApiError,
    gate::Caller,
    guilds::user_id,
    messages::{found, unless_archived},
    snowflake,
};
use crate::world::{self, Audience, Dispatch, bits, intents};

/// Different emoji on one message.
const MOST_EMOJI: usize = 20;
/// Messages whose reactions are kept; the oldest go first.
const MOST_MESSAGES: usize = 10_000;

/// Who reacted to which message with what.
#[derive(Debug, Default)]
pub(super) struct Reactions {
    by_message: BTreeMap<u64, Vec<(String, Vec<u64>)>>,
}

impl Reactions {
    /// Adds a reaction; `Ok(false)` if it was there already.
    fn add(&mut self, message: u64, emoji: &str, user: u64) -> Result<bool, ApiError> {
        let all = self.by_message.entry(message).or_default();
        if let Some((_, users)) = all.iter_mut().find(|(known, _)| known == emoji) {
            if users.contains(&user) {
                return Ok(false);
            }
            users.push(user);
            return Ok(true);
        }
        if all.len() == MOST_EMOJI {
            let why = "Maximum number of reactions reached (20)";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 30_010, why));
        }
        all.push((emoji.to_owned(), vec![user]));
        if self.by_message.len() > MOST_MESSAGES {
            self.by_message.pop_first();
        }
        Ok(true)
    }

    /// Takes a reaction away; false if it was not there.
    fn remove(&mut self, message: u64, emoji: &str, user: u64) -> bool {
        let Some(all) = self.by_message.get_mut(&message) else { return false };
        let Some((_, users)) = all.iter_mut().find(|(known, _)| known == emoji) else {
            return false;
        };
        let before = users.len();
        users.retain(|known| *known != user);
        let removed = users.len() < before;
        all.retain(|(_, users)| !users.is_empty());
        removed
    }

    /// The `reactions` of a message object; null if there are none.
    pub(super) fn of(&self, message: u64, viewer: Option<u64>) -> Value {
        let all = self.by_message.get(&message).filter(|all| !all.is_empty());
        all.map_or(Value::Null, |all| {
            all.iter()
                .map(|(emoji, users)| {
                    json!({
                        "emoji": emoji_json(emoji),
                        "count": users.len(),
                        "count_details": { "burst": 0, "normal": users.len() },
                        "me": viewer.is_some_and(|viewer| users.contains(&viewer)),
                        "me_burst": false,
                        "burst_colors": [],
                    })
                })
                .collect()
        })
    }

    /// All reactions to a message go; false if there were none.
    fn clear(&mut self, message: u64) -> bool {
        self.by_message.remove(&message).is_some_and(|all| !all.is_empty())
    }

    fn users(&self, message: u64, emoji: &str) -> Vec<u64> {
        let all = self.by_message.get(&message).into_iter().flatten();
        all.filter(|(known, _)| known == emoji).flat_map(|(_, users)| users.clone()).collect()
    }
}

/// `name:id` for a custom emoji, else the character itself.
fn emoji_json(emoji: &str) -> Value {
    match emoji.split_once(':') {
        Some((name, id)) => json!({ "id": id, "name": name }),
        None => json!({ "id": null, "name": emoji }),
    }
}

/// A reaction's emoji: characters as they are, or a custom emoji by its id with the name it has.
fn emoji_of(state: &world::State, text: &str) -> Result<String, ApiError> {
    let unknown = || ApiError::new(StatusCode::BAD_REQUEST, 10_014, "Unknown Emoji");
    let Some((name, id)) = text.split_once(':') else {
        return if is_emoji(text) { Ok(text.to_owned()) } else { Err(unknown()) };
    };
    let id: u64 = id.parse().map_err(|_| unknown())?;
    let found = state.guilds.values().find_map(|guild| guild.emojis.get(&id));
    let found = found.filter(|_| !name.is_empty()).ok_or_else(unknown)?;
    Ok(format!("{}:{id}", found.name))
}

/// Whether a user may bring a new emoji into a channel: its guild's own, or with
/// USE_EXTERNAL_EMOJIS that of another guild it is in.
fn may_bring(state: &world::State, user: u64, channel: u64, emoji: &str) -> bool {
    let Some(id) = emoji.split_once(':').and_then(|(_, id)| id.parse::<u64>().ok()) else {
        return true;
    };
    let here = state.channels.get(&channel).and_then(|channel| channel.guild_id);
    let mut known = state.guilds_of(user).filter(|guild| guild.emojis.contains_key(&id));
    let external = state.may(user, channel, bits::USE_EXTERNAL_EMOJIS);
    known.any(|guild| Some(guild.id) == here || external)
}

/// Whether a text is one of Unicode's emoji, by the ranges of its characters.
pub(super) fn is_emoji(text: &str) -> bool {
    const MOST_CHARACTERS: usize = 16;
    let stands_alone = |c: char| {
        matches!(u32::from(c),
            0xA9 | 0xAE | 0x203C | 0x2049 | 0x20E3 | 0x2122 | 0x2139
            | 0x2190..=0x21FF | 0x2300..=0x27BF | 0x2900..=0x297F | 0x2B00..=0x2BFF
            | 0x3030 | 0x303D | 0x3297 | 0x3299 | 0x1F000..=0x1FAFF)
    };
    let joins = |c: char| {
        let keycap = text.contains('\u{20E3}') && (c.is_ascii_digit() || c == '#' || c == '*');
        keycap || matches!(u32::from(c), 0x200D | 0xFE0F | 0xE0020..=0xE007F)
    };
    text.chars().count() <= MOST_CHARACTERS
        && text.chars().any(stands_alone)
        && text.chars().all(|c| stands_alone(c) || joins(c))
}

type Place = Path<(String, String, String)>;

fn ids(channel: &str, message: &str) -> Result<(u64, u64), ApiError> {
    Ok((snowflake("channel_id", channel)?, snowflake("message_id", message)?))
}

/// `PUT /channels/{channel}/messages/{message}/reactions/{emoji}/@me`
pub(super) async fn add(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message, emoji)): Place,
) -> Result<StatusCode, ApiError> {
    let place = ids(&channel, &message)?;
    let (emoji, author) = rest.world.read(|state| {
        let message = found(state, caller.bot_id, place)?;
        let emoji = emoji_of(state, &emoji)?;
        unless_archived(state, place.0)?;
        let first = rest.reactions().users(place.1, &emoji).is_empty();
        let adds = if first { bits::ADD_REACTIONS } else { 0 };
        if !state.may(caller.bot_id, place.0, bits::READ_MESSAGE_HISTORY | adds) {
            return Err(ApiError::missing_permissions());
        }
        if first && !may_bring(state, caller.bot_id, place.0, &emoji) {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 10_014, "Unknown Emoji"));
        }
        let privacy = state.privacy.get(&message.author_id);
        if privacy.is_some_and(|privacy| privacy.blocked.contains(&caller.bot_id)) {
            let why = "Reaction was blocked";
            return Err(ApiError::new(StatusCode::FORBIDDEN, 90_001, why));
        }
        Ok((emoji, message.author_id))
    })?;
    if rest.reactions().add(place.1, &emoji, caller.bot_id)? {
        tell(&rest, "MESSAGE_REACTION_ADD", place, &emoji, caller.bot_id, Some(author));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /channels/{channel}/messages/{message}/reactions/{emoji}/@me`
pub(super) async fn remove_own(
    state: State<Rest>,
    caller: Extension<Caller>,
    Path((channel, message, emoji)): Place,
) -> Result<StatusCode, ApiError> {
    remove(state, caller, Path((channel, message, emoji, "@me".to_owned()))).await
}

/// `DELETE /channels/{channel}/messages/{message}/reactions/{emoji}/{user}`: those of others need
/// MANAGE_MESSAGES.
pub(super) async fn remove(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message, emoji, user)): Path<(String, String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let place = ids(&channel, &message)?;
    let user = user_id(&user, caller)?;
    let emoji = rest.world.read(|state| {
        found(state, caller.bot_id, place)?;
        unless_archived(state, place.0)?;
        if user != caller.bot_id {
            moderates(state, caller, place.0)?;
        }
        emoji_of(state, &emoji)
    })?;
    if rest.reactions().remove(place.1, &emoji, user) {
        tell(&rest, "MESSAGE_REACTION_REMOVE", place, &emoji, user, None);
    }
    Ok(StatusCode::NO_CONTENT)
}

fn moderates(state: &world::State, caller: Caller, channel: u64) -> Result<(), ApiError> {
    let moderator = state.may(caller.bot_id, channel, bits::MANAGE_MESSAGES);
    if moderator { Ok(()) } else { Err(ApiError::missing_permissions()) }
}

/// `GET /channels/{channel}/messages/{message}/reactions/{emoji}`: who reacted.
pub(super) async fn list(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message, emoji)): Place,
) -> Result<Json<Value>, ApiError> {
    let place = ids(&channel, &message)?;
    rest.world.read(|state| {
        found(state, caller.bot_id, place)?;
        let users = rest.reactions().users(place.1, &emoji_of(state, &emoji)?);
        Ok(Json(users.into_iter().map(|user| state.user_json(user)).collect()))
    })
}

/// `DELETE /channels/{channel}/messages/{message}/reactions/{emoji}`: needs MANAGE_MESSAGES.
pub(super) async fn clear_emoji(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message, emoji)): Place,
) -> Result<StatusCode, ApiError> {
    let place = ids(&channel, &message)?;
    let emoji = rest.world.read(|state| {
        found(state, caller.bot_id, place)?;
        unless_archived(state, place.0)?;
        moderates(state, caller, place.0)?;
        emoji_of(state, &emoji)
    })?;
    let users = rest.reactions().users(place.1, &emoji);
    let mut reactions = rest.reactions();
    let gone = users.into_iter().filter(|user| reactions.remove(place.1, &emoji, *user)).count();
    drop(reactions);
    if gone > 0 {
        let data = json!({ "emoji": emoji_json(&emoji) });
        tell_gone(&rest, "MESSAGE_REACTION_REMOVE_EMOJI", place, data);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /channels/{channel}/messages/{message}/reactions`: needs MANAGE_MESSAGES.
pub(super) async fn clear(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let place = ids(&channel, &message)?;
    rest.world.read(|state| {
        found(state, caller.bot_id, place)?;
        unless_archived(state, place.0)?;
        moderates(state, caller, place.0)
    })?;
    if rest.reactions().clear(place.1) {
        tell_gone(&rest, "MESSAGE_REACTION_REMOVE_ALL", place, json!({}));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Reactions of several users are gone.
fn tell_gone(rest: &Rest, event: &'static str, (channel, message): (u64, u64), mut data: Value) {
    data["channel_id"] = channel.to_string().into();
    data["message_id"] = message.to_string().into();
    let guild = rest.world.read(|state| state.channels.get(&channel)?.guild_id);
    if let Some(guild) = guild {
        data["guild_id"] = guild.to_string().into();
    }
    let audience = Audience::Channel(channel);
    rest.world.dispatch(Dispatch { event, data, audience, intents: intent(guild) });
}

fn intent(guild: Option<u64>) -> u64 {
    match guild {
        Some(_) => intents::GUILD_MESSAGE_REACTIONS,
        None => intents::DIRECT_MESSAGE_REACTIONS,
    }
}

fn tell(
    rest: &Rest,
    event: &'static str,
    (channel, message): (u64, u64),
    emoji: &str,
    user: u64,
    author: Option<u64>,
) {
    let (data, intents) = rest.world.read(|state| {
        let mut data = json!({
            "channel_id": channel.to_string(),
            "message_id": message.to_string(),
            "user_id": user.to_string(),
            "emoji": emoji_json(emoji),
            "burst": false,
            "type": 0,
        });
        let guild = state.channels.get(&channel).and_then(|channel| channel.guild_id);
        if let Some(guild) = guild {
            data["guild_id"] = guild.to_string().into();
        }
        if let Some(author) = author {
            data["message_author_id"] = author.to_string().into();
            data["burst_colors"] = json!([]);
            if let Some(member) = guild.and_then(|guild| state.member_json(guild, user)) {
                data["member"] = member;
            }
        }
        (data, intent(guild))
    });
    let audience = Audience::Channel(channel);
    rest.world.dispatch(Dispatch { event, data, audience, intents });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::default::{BEN, GENERAL, GUILD};

    #[test]
    fn reactions_are_counted_once_per_user() {
        let mut reactions = Reactions::default();
        assert_eq!(reactions.add(1, "👍", 5), Ok(true));
        assert_eq!(reactions.add(1, "👍", 5), Ok(false));
        assert_eq!(reactions.add(1, "👍", 6), Ok(true));
        assert_eq!(reactions.of(1, Some(5))[0]["count"], 2);
        assert_eq!(reactions.of(1, Some(5))[0]["me"], true);
        assert!(reactions.remove(1, "👍", 5));
        assert!(!reactions.remove(1, "👍", 5));
        assert!(reactions.remove(1, "👍", 6));
        assert_eq!(reactions.of(1, None), Value::Null);
    }

    #[test]
    fn text_and_unknown_emoji_are_none() {
        for (emoji, good) in [
            ("👍", true),
            ("👍🏽", true),
            ("❤️", true),
            ("❤", true),
            ("1️⃣", true),
            ("🇩🇪", true),
            ("👩‍👩‍👧", true),
            ("ℹ️", true),
            ("1", false),
            ("ä", false),
            ("wave", false),
            ("", false),
            ("👍 ", false),
            ("👍x", false),
        ] {
            assert_eq!(is_emoji(emoji), good, "{emoji}");
        }
        let mut state = world::default::default_state();
        let guild = state.guilds.get_mut(&GUILD).unwrap();
        let wave = world::Emoji { id: 123, name: "wave".to_owned(), animated: false };
        guild.emojis.insert(123, wave);
        for (emoji, expected) in [
            ("wave:123", Some("wave:123")),
            ("other:123", Some("wave:123")),
            (":123", None),
            ("wave:124", None),
            ("wave:x", None),
            ("wave", None),
        ] {
            assert_eq!(emoji_of(&state, emoji).ok().as_deref(), expected, "{emoji}");
        }
        assert!(may_bring(&state, BEN, GENERAL, "wave:123"));
        assert!(!may_bring(&state, 404, GENERAL, "wave:123"));
        assert!(may_bring(&state, BEN, GENERAL, "👍"));
    }

    #[test]
    fn a_message_has_twenty_emoji_at_most() {
        let mut reactions = Reactions::default();
        for n in 0..20 {
            assert_eq!(reactions.add(1, &format!("e:{n}"), 5), Ok(true));
        }
        assert!(reactions.add(1, "e:20", 5).is_err());
    }
}
