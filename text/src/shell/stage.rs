//! Asking Discord to speak in a stage channel.

use async_trait::async_trait;
use clawvoice_session::{ChannelId, GuildId, StageAnswer, StageDoor};
use serde_json::{Value, json};
use twilight_http::routing::Route;

use super::rest::{DiscordRest, RestFailure};

/// Asks by REST. Source: Discord, "Modify Current User Voice State".
#[derive(Debug)]
pub struct StageRequests {
    discord: DiscordRest,
}

impl StageRequests {
    /// As this bot.
    #[must_use]
    pub fn new(discord: DiscordRest) -> Self {
        Self { discord }
    }

    /// Steps out of a stage's audience; only its moderators may.
    async fn step_out(&self, guild: GuildId, channel: ChannelId) -> Result<(), RestFailure> {
        let body = json!({ "channel_id": channel.to_string(), "suppress": false });
        self.change_own_voice_state(guild, &body).await
    }

    /// Raises the hand in a stage's audience.
    async fn raise_hand(&self, guild: GuildId, channel: ChannelId) -> Result<(), RestFailure> {
        let now = jiff::Timestamp::now().to_string();
        let body = json!({
            "channel_id": channel.to_string(),
            "request_to_speak_timestamp": now,
        });
        self.change_own_voice_state(guild, &body).await
    }

    /// twilight's own builder cannot say that somebody is *not* to be suppressed.
    async fn change_own_voice_state(
        &self,
        guild: GuildId,
        body: &Value,
    ) -> Result<(), RestFailure> {
        let path = Route::UpdateCurrentUserVoiceState { guild_id: guild.get() };
        let what = "PATCH /guilds/{id}/voice-states/@me";
        self.discord.rest().send(what, &path, Some(body)).await.map(drop)
    }
}

#[async_trait]
impl StageDoor for StageRequests {
    async fn speak(&self, guild: GuildId, channel: ChannelId) -> StageAnswer {
        match self.step_out(guild, channel).await {
            Ok(()) => return StageAnswer::Speaks,
            // Not a moderator of the stage: it is theirs to decide.
            Err(RestFailure::Refused { status: 403, .. }) => {}
            Err(failure) => return StageAnswer::Refused(failure.to_string()),
        }
        match self.raise_hand(guild, channel).await {
            Ok(()) => StageAnswer::Asked,
            Err(RestFailure::Refused { status: 403, .. }) => StageAnswer::Refused(
                "the bot needs the Request to Speak permission to ask, or Mute Members to speak \
                 without asking"
                    .to_owned(),
            ),
            Err(failure) => StageAnswer::Refused(failure.to_string()),
        }
    }
}
