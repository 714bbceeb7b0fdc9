//! Looks at a message again, and at channels that nobody told of.

use std::time::Duration;

use clawvoice_session::ChannelId;
use twilight_http::{request::Request, routing::Route};

use super::rest::{DiscordRest, RestFailure, read};
use crate::{
    hydration::{lacking, merged},
    message::Message,
    place::Channel,
};

/// How long the message waits to be looked at again.
const PATIENCE: Duration = Duration::from_secs(5);

/// A message with all that there is to know of it.
#[derive(Clone, Debug)]
pub struct Hydrated {
    /// It.
    pub message: Message,
    /// Whether something that it lacks could not be asked for; then its text is all there is.
    pub failed: bool,
}

/// A channel, and of a thread the channel that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithParent {
    /// The channel or thread.
    pub channel: Channel,
    /// A thread's parent.
    pub parent: Option<Channel>,
}

impl DiscordRest {
    /// Looks at a message again if it lacks something. It is asked once, and not for long.
    pub async fn hydrate(&self, message: Message) -> Hydrated {
        let Some(lacking) = lacking(&message) else { return Hydrated { message, failed: false } };
        let path =
            Route::GetMessage { channel_id: message.channel.get(), message_id: message.id.get() };
        let what = "GET /channels/{id}/messages/{id}";
        let request = Request::from_route(&path);
        let asked = tokio::time::timeout(PATIENCE, self.rest().call_once(what, &request)).await;
        let fetched = asked.map_err(|_| "there was no answer in time".to_owned()).and_then(|got| {
            got.and_then(|body| read::<Message>(what, &body)).map_err(|error| error.to_string())
        });
        match fetched {
            Ok(fetched) => Hydrated { message: merged(message, fetched), failed: false },
            Err(reason) => {
                tracing::debug!("message {} lacks {lacking:?}: {reason}", message.id);
                Hydrated { message, failed: true }
            }
        }
    }

    /// A channel that the gateway did not tell of, and of a thread its parent.
    ///
    /// # Errors
    ///
    /// As [`Self::channel`]; a parent that the bot does not see is left out.
    pub async fn channel_with_parent(&self, channel: ChannelId) -> Result<WithParent, RestFailure> {
        let channel = self.channel(channel).await?;
        let parent = match channel.parent {
            None => None,
            Some(parent) => match self.channel(parent).await {
                Ok(parent) => Some(parent),
                Err(failure) if failure.may_pass() => return Err(failure),
                Err(_) => None,
            },
        };
        Ok(WithParent { channel, parent })
    }
}
