//! `channels.discord.guilds`: who is heard where, and what the agent is told there.

use std::collections::BTreeMap;

use crate::{
    cursor::Section,
    schema::{
        discord::{DiscordId, parse_id},
        people,
    },
};

/// `guilds.<id>`. Other keys of it are left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guild {
    /// `users`: who may talk to the agent. Default: everybody.
    pub users: Option<Vec<DiscordId>>,
    /// `channels.<id>`.
    pub channels: BTreeMap<DiscordId, GuildChannel>,
}

/// `guilds.<id>.channels.<id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuildChannel {
    /// `users`, in place of the guild's.
    pub users: Option<Vec<DiscordId>>,
    /// `systemPrompt`: told to the agent for every turn of the channel.
    pub system_prompt: Option<String>,
}

/// Entries by id. Those by slug or `"*"` are for text channels and are left alone.
pub(crate) fn read(section: &Section<'_, '_>) -> BTreeMap<DiscordId, Guild> {
    by_id(section, |guild| {
        let channels = by_id(&guild.section("channels"), |channel| {
            let read =
                GuildChannel { users: users(channel), system_prompt: channel.text("systemPrompt") };
            channel.finish_leniently();
            read
        });
        let read = Guild { users: users(guild), channels };
        guild.finish_leniently();
        read
    })
}

fn by_id<T>(
    section: &Section<'_, '_>,
    read: impl Fn(&Section<'_, '_>) -> T,
) -> BTreeMap<DiscordId, T> {
    section.finish_leniently();
    let entries = section.entries().into_iter();
    entries.filter_map(|(key, field)| Some((parse_id(&key)?, read(&field.section())))).collect()
}

/// Ids; names are for the text side.
fn users(section: &Section<'_, '_>) -> Option<Vec<DiscordId>> {
    section.field("users").and_then(|field| people::allowed(&field))
}
