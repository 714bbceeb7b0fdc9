//! The door through which voice asks to speak where it is suppressed.
//!
//! In a stage channel nobody is heard who is not invited to speak; REST asks for that. Source:
//! Discord, "Modify Current User Voice State".

use async_trait::async_trait;

use crate::{ChannelId, GuildId};

/// What voice may ask of text about stages.
#[async_trait]
pub trait StageDoor: Send + Sync {
    /// Lets the bot speak in the stage channel it is in, or raises its hand if that is not its to
    /// decide.
    async fn speak(&self, guild: GuildId, channel: ChannelId) -> StageAnswer;
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageAnswer {
    /// The bot may speak.
    Speaks,
    /// Its hand is raised: a moderator decides.
    Asked,
    /// Neither is possible, in words.
    Refused(String),
}
