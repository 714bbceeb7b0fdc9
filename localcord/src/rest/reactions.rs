//! Reactions to messages.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{Rest, error::ApiError, gate::Caller, messages::found, snowflake};
use crate::world::{Audience, Dispatch, bits, intents};

/// The intent for reactions to direct messages.
const DIRECT_MESSAGE_REACTIONS: u64 = 1 << 13;
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

/// Custom emoji are `name:id`; anything else must not be plain text.
fn check_emoji(emoji: &str) -> Result<(), ApiError> {
    let good = match emoji.split_once(':') {
        Some((name, id)) => !name.is_empty() && id.parse::<u64>().is_ok(),
        None => emoji.chars().count() <= 16 && !emoji.is_empty() && !emoji.is_ascii(),
    };
    if good {
        return Ok(());
    }
    Err(ApiError::new(StatusCode::BAD_REQUEST, 10_014, "Unknown Emoji"))
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
    check_emoji(&emoji)?;
    let author = rest.world.read(|state| {
        let message = found(state, caller.bot_id, place)?;
        let first = rest.reactions().users(place.1, &emoji).is_empty();
        let adds = if first { bits::ADD_REACTIONS } else { 0 };
        if state.may(caller.bot_id, place.0, bits::READ_MESSAGE_HISTORY | adds) {
            Ok(message.author_id)
        } else {
            Err(ApiError::missing_permissions())
        }
    })?;
    if rest.reactions().add(place.1, &emoji, caller.bot_id)? {
        tell(&rest, "MESSAGE_REACTION_ADD", place, &emoji, caller.bot_id, Some(author));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /channels/{channel}/messages/{message}/reactions/{emoji}/@me`
pub(super) async fn remove_own(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message, emoji)): Place,
) -> Result<StatusCode, ApiError> {
    let place = ids(&channel, &message)?;
    check_emoji(&emoji)?;
    rest.world.read(|state| found(state, caller.bot_id, place).map(|_| ()))?;
    if rest.reactions().remove(place.1, &emoji, caller.bot_id) {
        tell(&rest, "MESSAGE_REACTION_REMOVE", place, &emoji, caller.bot_id, None);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /channels/{channel}/messages/{message}/reactions/{emoji}`: who reacted.
pub(super) async fn list(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message, emoji)): Place,
) -> Result<Json<Value>, ApiError> {
    let place = ids(&channel, &message)?;
    check_emoji(&emoji)?;
    rest.world.read(|state| {
        found(state, caller.bot_id, place)?;
        let users = rest.reactions().users(place.1, &emoji);
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
    check_emoji(&emoji)?;
    rest.world.read(|state| {
        found(state, caller.bot_id, place)?;
        let moderator = state.may(caller.bot_id, place.0, bits::MANAGE_MESSAGES);
        if moderator { Ok(()) } else { Err(ApiError::missing_permissions()) }
    })?;
    let users = rest.reactions().users(place.1, &emoji);
    for user in users {
        if rest.reactions().remove(place.1, &emoji, user) {
            tell(&rest, "MESSAGE_REACTION_REMOVE", place, &emoji, user, None);
        }
    }
    Ok(StatusCode::NO_CONTENT)
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
        let in_guild = intents::GUILD_MESSAGE_REACTIONS;
        (data, if guild.is_some() { in_guild } else { DIRECT_MESSAGE_REACTIONS })
    });
    let audience = Audience::Channel(channel);
    rest.world.dispatch(Dispatch { event, data, audience, intents });
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn text_is_no_emoji() {
        for (emoji, good) in [("👍", true), ("wave:123", true), ("wave", false), ("wave:x", false)]
        {
            assert_eq!(check_emoji(emoji).is_ok(), good, "{emoji}");
        }
        let mut reactions = Reactions::default();
        for n in 0..20 {
            assert_eq!(reactions.add(1, &format!("e:{n}"), 5), Ok(true));
        }
        assert!(reactions.add(1, "e:20", 5).is_err());
    }
}
