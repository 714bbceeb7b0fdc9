//! Channels that change while the world runs.

use serde_json::Value;

use super::{
    World,
    dispatch::{Audience, Dispatch, intents},
    state::BITRATES,
};

/// Why a channel's bitrate was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitrateRefused {
    /// There is no such channel.
    #[error("unknown channel")]
    UnknownChannel,
    /// Nobody talks in it.
    #[error("only voice and stage channels have a bitrate")]
    NotAVoiceChannel,
    /// Below 8000 or above 384,000.
    #[error("`bitrate` must be between 8000 and 384000")]
    OutOfRange,
}

impl World {
    /// Sets the bitrate of a voice or stage channel, bits per second. CHANNEL_UPDATE goes to
    /// everybody who sees the channel. The channel object.
    ///
    /// # Errors
    /// When there is no such channel, or the bitrate is out of range; nothing has changed then.
    pub fn set_bitrate(&self, channel_id: u64, bitrate: u32) -> Result<Value, BitrateRefused> {
        if !BITRATES.contains(&bitrate) {
            return Err(BitrateRefused::OutOfRange);
        }
        self.write(|state| {
            let channel =
                state.channels.get_mut(&channel_id).ok_or(BitrateRefused::UnknownChannel)?;
            if !channel.is_voice() {
                return Err(BitrateRefused::NotAVoiceChannel);
            }
            channel.bitrate = Some(bitrate);
            let channel = channel.clone();
            let data = state.channel_json(&channel, None);
            self.dispatch(Dispatch {
                event: "CHANNEL_UPDATE",
                data: data.clone(),
                audience: Audience::Channel(channel_id),
                intents: intents::GUILDS,
            });
            Ok(data)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::Journal,
        world::default::{BOT_USER, GENERAL, GUILD, LOUNGE, STAGE},
    };

    #[test]
    fn bots_are_told_of_a_bitrate() {
        let world = World::default_world(Journal::default());
        let mut events = world.subscribe();
        for (channel, bitrate) in [(LOUNGE, 96_000), (STAGE, 8_000), (LOUNGE, 384_000)] {
            let answer = world.set_bitrate(channel, bitrate).unwrap();
            let event = events.try_recv().unwrap();
            assert_eq!(
                (event.event, event.audience),
                ("CHANNEL_UPDATE", Audience::Channel(channel))
            );
            assert_eq!((&event.data, &event.data["bitrate"]), (&answer, &bitrate.into()));
            let guild = world.read(|state| state.guild_create_json(GUILD, BOT_USER)).unwrap();
            let channels = guild["channels"].as_array().unwrap();
            assert!(channels.contains(&answer), "{guild:#}");
        }
        for (channel, bitrate, refused) in [
            (LOUNGE, 7_999, BitrateRefused::OutOfRange),
            (LOUNGE, 384_001, BitrateRefused::OutOfRange),
            (GENERAL, 64_000, BitrateRefused::NotAVoiceChannel),
            (5, 64_000, BitrateRefused::UnknownChannel),
        ] {
            assert_eq!(world.set_bitrate(channel, bitrate), Err(refused));
        }
        assert!(events.try_recv().is_err());
    }
}
