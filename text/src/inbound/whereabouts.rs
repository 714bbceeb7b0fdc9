//! Where a message was written, with the names that rules may use.

use clawvoice_session::{
    ChannelId, GuildId,
    access::{Parent, Place},
};

use super::verdict::{Known, Need, Surface};
use crate::{
    message::Message,
    place::{Channel, PlaceKind, Places},
};

/// Where a message was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whereabouts<'a> {
    pub(crate) surface: Surface,
    /// The channel or thread, if Discord tells it.
    pub(crate) channel: Option<&'a Channel>,
    /// In a guild, the place as rules see it.
    pub(crate) place: Option<Place<'a>>,
}

impl<'a> Whereabouts<'a> {
    /// Whatever is unknown and was not asked for yet is needed.
    pub(crate) fn of(message: &Message, known: &Known<'a>) -> Result<Self, Need> {
        let find = |id: ChannelId| match known.places.channel(id) {
            None if !known.unknown.contains(&id) => Err(Need::Channel(id)),
            found => Ok(found),
        };
        let channel = find(message.channel)?;
        let parent = match channel.and_then(|channel| channel.parent) {
            Some(id) => Some(Parent { id, name: find(id)?.map_or("", |it| it.name.as_str()) }),
            None => None,
        };
        let surface = match (message.guild, channel) {
            (Some(_), _) => Surface::Guild,
            (None, Some(channel)) if channel.kind == PlaceKind::GroupDirect => Surface::GroupDirect,
            (None, _) => Surface::Direct,
        };
        let place = message.guild.map(|guild| Place {
            guild,
            guild_name: known.places.guild(guild),
            channel: message.channel,
            channel_name: channel.map_or("", |it| it.name.as_str()),
            parent,
        });
        Ok(Self { surface, channel, place })
    }

    /// Whether it is a thread.
    pub(crate) fn is_thread(&self) -> bool {
        self.channel.is_some_and(|channel| channel.kind.is_thread())
    }
}

/// A channel or thread of a guild, with the names that are known.
#[must_use]
pub fn place(places: &Places, guild: GuildId, channel: ChannelId) -> Place<'_> {
    let known = places.channel(channel);
    let parent = known.and_then(|it| it.parent).map(|id| Parent {
        id,
        name: places.channel(id).map_or("", |parent| parent.name.as_str()),
    });
    Place {
        guild,
        guild_name: places.guild(guild),
        channel,
        channel_name: known.map_or("", |it| it.name.as_str()),
        parent,
    }
}
