//! What was written while no session told of it: after a session that could not be resumed, the
//! places where people wrote of late are looked at by REST.

use std::{collections::HashMap, time::Duration};

use clawvoice_session::{ChannelId, GuildId, MessageId};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::{
    super::{message_calls::Page, rest::RestFailure},
    Desk,
    around::Around,
};
use crate::{message::Message, place::Places};

/// Places that are looked at, the busiest of late first.
const PLACES: u32 = 200;

/// Messages of one place that are taken up; what is more is not answered any more.
const PER_PLACE: u16 = 100;

/// Requests at a time.
const AT_A_TIME: usize = 4;

/// How long all of it may take: what comes after it waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);

impl Desk {
    /// Takes up what was missed, before anything that is newer.
    pub(super) async fn catch_up(&mut self) {
        self.catch_up_at = None;
        let known = match self.around.mailbox.last_seen(&self.around.account, PLACES).await {
            Ok(known) => known,
            Err(error) => {
                return tracing::warn!("what was missed is not looked for: {error}");
            }
        };
        let places = worth_a_look(&known, &self.places);
        let looks = places
            .into_iter()
            .map(|(channel, last, guild)| missed(&self.around, channel, last, guild));
        let looks = stream::iter(looks).buffered(AT_A_TIME).collect::<Vec<_>>();
        let Ok(found) = tokio::time::timeout(PATIENCE, looks).await else {
            return tracing::warn!("what was missed could not be looked for in time");
        };
        let mut messages: Vec<(Message, String)> = found.into_iter().flatten().collect();
        if messages.is_empty() {
            return;
        }
        messages.sort_by_key(|(message, _)| message.id);
        tracing::info!("{} message(s) were written while nobody listened", messages.len());
        self.receive(messages).await;
        self.admit_ready().await;
    }
}

/// Places in which something was written after the last message that came in, and after which
/// message: by what guilds tell of their channels, and private ones in any case. Before the first
/// message of all nothing was missed.
fn worth_a_look(
    seen: &[(ChannelId, MessageId)],
    places: &Places,
) -> Vec<(ChannelId, MessageId, Option<Option<GuildId>>)> {
    let Some(newest) = seen.iter().map(|(_, last)| *last).max() else { return Vec::new() };
    let known: HashMap<_, _> = seen.iter().copied().collect();
    let told = places.channels().filter_map(|channel| {
        let last = known.get(&channel.id).copied().unwrap_or(newest);
        (channel.last_message? > last).then_some((channel.id, last, Some(channel.guild)))
    });
    let untold = seen.iter().filter(|(channel, _)| places.channel(*channel).is_none());
    let untold = untold.map(|(channel, last)| (*channel, *last, None));
    let mut looks: Vec<_> = told.chain(untold).collect();
    // The ones with the oldest news first.
    looks.sort_unstable_by_key(|(channel, last, _)| (*last, *channel));
    looks.truncate(PLACES as usize);
    looks
}

async fn missed(
    around: &Around,
    channel: ChannelId,
    last: MessageId,
    guild: Option<Option<GuildId>>,
) -> Vec<(Message, String)> {
    match look(around, channel, last, guild).await {
        Ok(found) => found,
        Err(failure) => {
            tracing::debug!("channel {channel} is not looked at: {failure}");
            Vec::new()
        }
    }
}

async fn look(
    around: &Around,
    channel: ChannelId,
    last: MessageId,
    guild: Option<Option<GuildId>>,
) -> Result<Vec<(Message, String)>, RestFailure> {
    let told = around.rest.messages_as_told(channel, Page::After(last), PER_PLACE).await?;
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let guild = match guild {
        Some(guild) => guild,
        None => around.rest.channel(channel).await?.guild,
    };
    Ok(told.into_iter().filter_map(|message| in_guild(message, guild)).collect())
}

/// A message as the gateway would have told it: REST does not tell the guild.
fn in_guild(message: Value, guild: Option<GuildId>) -> Option<(Message, String)> {
    let Value::Object(mut message) = message else { return None };
    if let Some(guild) = guild {
        message.insert("guild_id".to_owned(), guild.to_string().into());
    }
    let body = Value::Object(message).to_string();
    Some((Message::read(&body).ok()?, body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_places_with_news_are_looked_at() {
        let mut places = Places::default();
        for (id, last) in [(5, "20"), (6, "30"), (7, "31"), (8, "25")] {
            let json =
                format!(r#"{{"id":"{id}","type":0,"guild_id":"1","last_message_id":"{last}"}}"#);
            places.put(crate::place::Channel::read(&json, None).unwrap());
        }
        let seen = [(5, 20), (6, 28), (9, 12)];
        let seen = seen.map(|(channel, last)| (ChannelId::new(channel), MessageId::new(last)));
        let looks = worth_a_look(&seen, &places);
        let looks: Vec<_> = looks
            .iter()
            .map(|(channel, last, guild)| (channel.get(), last.get(), guild.is_some()))
            .collect();
        // The private one, the one with news, and the one that was never heard of.
        assert_eq!(looks, [(9, 12, false), (6, 28, true), (7, 28, true)]);
        assert!(worth_a_look(&[], &places).is_empty());
    }

    #[test]
    fn a_missed_message_is_in_its_guild() {
        let json = json!({ "id": "5", "channel_id": "6", "author": { "id": "7" } });
        let (message, body) = in_guild(json.clone(), Some(GuildId::new(1))).unwrap();
        assert_eq!(message.guild, Some(GuildId::new(1)));
        assert_eq!(Message::read(&body).unwrap().guild, message.guild);
        assert_eq!(in_guild(json, None).unwrap().0.guild, None);
        assert!(in_guild(json!([]), None).is_none());
    }
}
