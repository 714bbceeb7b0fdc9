//! Writes under other names, by webhooks.
//!
//! Source: Discord, "Create Webhook", "Execute Webhook", "Delete Webhook with Token".

use clawvoice_session::{ChannelId, WebhookId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use twilight_http::{
    request::{Method, RequestBuilder},
    routing::Route,
};

use super::{
    message_calls::{Created, OutgoingFile, with_files},
    rest::{DiscordRest, RestFailure, read},
};

/// A webhook. Whoever has its token may write by it.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What allows to use it.
    pub token: SecretString,
}

#[derive(Deserialize)]
struct Made {
    id: WebhookId,
    token: String,
}

impl DiscordRest {
    /// Makes a webhook for a channel.
    ///
    /// # Errors
    ///
    /// 30007: the channel has as many as it may; 50013: the bot may not manage webhooks.
    pub async fn create_webhook(
        &self,
        channel: ChannelId,
        name: &str,
    ) -> Result<Webhook, RestFailure> {
        let what = "POST /channels/{id}/webhooks";
        let path = Route::CreateWebhook { channel_id: channel.get() };
        let answer = self.rest().send(what, &path, Some(&json!({ "name": name }))).await?;
        let Made { id, token } = read(what, &answer)?;
        Ok(Webhook { id, token: token.into() })
    }

    /// Posts a message by a webhook, in its channel or in a thread of it. Nothing makes such a
    /// message the same one when it is asked for again, so it is only if the request was certainly
    /// not carried out.
    ///
    /// # Errors
    ///
    /// 10015: the webhook is gone. With [`RestFailure::is_perhaps_done`] the message may be there.
    pub async fn execute_webhook(
        &self,
        webhook: &Webhook,
        thread: Option<ChannelId>,
        body: &Value,
        files: &[OutgoingFile],
    ) -> Result<Created, RestFailure> {
        let what = "POST /webhooks/{id}/{token}";
        let thread = thread.map(|thread| format!("&thread_id={thread}")).unwrap_or_default();
        let path = format!("{}?wait=true{thread}", path(webhook));
        let request = RequestBuilder::raw(Method::Post, path).use_authorization_token(false);
        let request = with_files(request, "", body.clone(), files);
        read(what, &self.rest().built(what, request).await?)
    }

    /// Deletes a webhook.
    ///
    /// # Errors
    ///
    /// 10015: it is gone already.
    pub async fn delete_webhook(&self, webhook: &Webhook) -> Result<(), RestFailure> {
        let request = RequestBuilder::raw(Method::Delete, path(webhook));
        let request = request.use_authorization_token(false);
        self.rest().built("DELETE /webhooks/{id}/{token}", request).await.map(drop)
    }
}

fn path(webhook: &Webhook) -> String {
    format!("webhooks/{}/{}", webhook.id, webhook.token.expose_secret())
}
