//! Asking Discord to speak in a stage channel.

use async_trait::async_trait;
use clawvoice_session::{ChannelId, GuildId, StageAnswer, StageDoor};
use secrecy::SecretString;

use super::{
    base_url::api_base,
    rest::{Rest, RestFailure},
};

/// Asks by REST. Source: Discord, "Modify Current User Voice State".
#[derive(Debug)]
pub struct StageRequests {
    rest: Rest,
}

impl StageRequests {
    /// For the bot with this token, on Discord or on what answers at `api_base_url`; `None`: that is
    /// no address.
    #[must_use]
    pub fn new(token: &SecretString, api_base_url: Option<&str>) -> Option<Self> {
        let base = match api_base_url {
            Some(url) => Some(api_base(url)?),
            None => None,
        };
        Some(Self { rest: Rest::new(token, base.as_ref()) })
    }
}

#[async_trait]
impl StageDoor for StageRequests {
    async fn speak(&self, guild: GuildId, channel: ChannelId) -> StageAnswer {
        match self.rest.speak_in_stage(guild, channel).await {
            Ok(()) => return StageAnswer::Speaks,
            // Not a moderator of the stage: it is theirs to decide.
            Err(RestFailure::Refused { status: 403, .. }) => {}
            Err(failure) => return StageAnswer::Refused(failure.to_string()),
        }
        match self.rest.request_to_speak(guild, channel).await {
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
