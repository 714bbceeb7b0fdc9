//! Answers to slash commands. Source: Discord, "Receiving and Responding".

use secrecy::{ExposeSecret as _, SecretString};
use twilight_model::{
    channel::message::{AllowedMentions, MessageFlags},
    http::interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
};

use super::rest::{Rest, RestFailure, id};

/// Longest message content Discord takes, in characters.
const MAX_CONTENT: usize = 2000;

impl Rest {
    /// First answer to an interaction: "thinking", visible to the user who typed only.
    pub(super) async fn defer(
        &self,
        application: u64,
        interaction: u64,
        token: &SecretString,
    ) -> Result<(), RestFailure> {
        let client = self.client().interaction(id(application)?);
        let interaction = id(interaction)?;
        let response = InteractionResponse {
            kind: InteractionResponseType::DeferredChannelMessageWithSource,
            data: Some(InteractionResponseData {
                flags: Some(MessageFlags::EPHEMERAL),
                ..InteractionResponseData::default()
            }),
        };
        let what = "POST /interactions/{id}/callback";
        let token = token.expose_secret();
        self.ask(what, client.create_response(interaction, token, &response)).await?;
        Ok(())
    }

    /// Puts `text` in the place of "thinking".
    pub(super) async fn answer(
        &self,
        application: u64,
        token: &SecretString,
        text: &str,
    ) -> Result<(), RestFailure> {
        let client = self.client().interaction(id(application)?);
        let text: String = text.chars().take(MAX_CONTENT).collect();
        let nobody = AllowedMentions::default();
        let what = "PATCH /webhooks/{id}/messages/@original";
        let token = token.expose_secret();
        let edit = client.update_response(token).content(Some(&text));
        self.ask(what, edit.allowed_mentions(Some(&nobody))).await?;
        Ok(())
    }
}
