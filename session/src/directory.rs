//! What guilds and their voice channels are called: rules may name them so.

use std::collections::BTreeMap;

use crate::{ChannelId, GuildId, VoiceGatewayEvent};

/// As the main gateway told it. Bounded by the bot's guilds and their channels.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    guilds: BTreeMap<GuildId, String>,
    channels: BTreeMap<ChannelId, String>,
}

impl Directory {
    /// Learns from what voice is told.
    pub fn follow(&mut self, event: &VoiceGatewayEvent) {
        match event {
            VoiceGatewayEvent::GuildName { guild, name } => {
                self.guilds.insert(*guild, name.clone());
            }
            VoiceGatewayEvent::ChannelName { channel, name } => {
                self.channels.insert(*channel, name.clone());
            }
            _ => {}
        }
    }

    /// A guild's name; empty if unknown.
    #[must_use]
    pub fn guild(&self, guild: GuildId) -> &str {
        self.guilds.get(&guild).map_or("", String::as_str)
    }

    /// A voice channel's name; empty if unknown.
    #[must_use]
    pub fn channel(&self, channel: ChannelId) -> &str {
        self.channels.get(&channel).map_or("", String::as_str)
    }
}
