//! The voice channels of all guilds, as far as voice cares: which are stages, and how many bits per
//! second they take.

use std::collections::BTreeMap;

use clawvoice_session::{ChannelId, VoiceChannel};

/// See the module's documentation. Bounded by the channels of the bot's guilds.
#[derive(Debug, Default)]
pub(super) struct Rooms(BTreeMap<ChannelId, VoiceChannel>);

impl Rooms {
    /// Returns whether something is new.
    pub(super) fn learn(&mut self, channel: VoiceChannel) -> bool {
        self.0.insert(channel.channel, channel) != Some(channel)
    }

    /// Bits per second.
    pub(super) fn bitrate(&self, channel: ChannelId) -> Option<u32> {
        self.0.get(&channel).map(|room| room.bitrate)
    }

    /// Whether only those who were invited to speak are heard.
    pub(super) fn is_stage(&self, channel: ChannelId) -> bool {
        self.0.get(&channel).is_some_and(|room| room.stage)
    }
}
