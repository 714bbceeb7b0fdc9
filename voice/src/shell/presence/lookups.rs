//! Questions to Discord's REST API that wait for their answers. Every one is answered in time.

use std::{sync::Arc, time::Duration};

use clawvoice_session::{ChannelId, GuildId, LookupDoor, RoomLookup, UserId, VoiceStateLookup};
use tokio::{task::JoinSet, time::timeout};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is told when none comes.
const SILENCE: &str = "Discord did not answer in time";

/// An answer, and to what.
#[derive(Debug)]
pub(super) enum LookedUp {
    User { guild: GuildId, user: UserId, answer: VoiceStateLookup },
    Room { guild: GuildId, channel: ChannelId, answer: RoomLookup },
}

/// The questions under way: one for a user, and one a guild for a channel.
pub(super) struct Lookups {
    door: Option<Arc<dyn LookupDoor>>,
    asked: JoinSet<LookedUp>,
}

impl Lookups {
    pub(super) fn new(door: Option<Arc<dyn LookupDoor>>) -> Self {
        Self { door, asked: JoinSet::new() }
    }

    /// Whether there is anybody to ask.
    pub(super) fn are_possible(&self) -> bool {
        self.door.is_some()
    }

    /// Asks where a user is.
    pub(super) fn user(&mut self, guild: GuildId, user: UserId) {
        let door = self.door.clone();
        self.asked.spawn(async move {
            let answer = match door {
                Some(door) => timeout(PATIENCE, door.voice_state(guild, user)).await.ok(),
                None => None,
            };
            let answer = answer.unwrap_or_else(|| VoiceStateLookup::Failed(SILENCE.to_owned()));
            LookedUp::User { guild, user, answer }
        });
    }

    /// Asks what a channel is.
    pub(super) fn room(&mut self, guild: GuildId, channel: ChannelId, bot: UserId) {
        let door = self.door.clone();
        self.asked.spawn(async move {
            let answer = match door {
                Some(door) => timeout(PATIENCE, door.room(guild, channel, bot)).await.ok(),
                None => None,
            };
            let answer = answer.unwrap_or_else(|| RoomLookup::Failed(SILENCE.to_owned()));
            LookedUp::Room { guild, channel, answer }
        });
    }

    /// The next answer; `None` while nothing is asked.
    pub(super) async fn next(&mut self) -> Option<LookedUp> {
        // A door that panicked is in the log, and answers nothing any more.
        self.asked.join_next().await?.ok()
    }
}
