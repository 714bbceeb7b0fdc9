//! Sends voice messages: reads the file on a thread that may block, uploads it, posts the message.

use std::{fs::File, path::Path};

use bytes::Bytes;
use clawvoice_session::ChannelId;
use serde::Deserialize;
use twilight_http::request::Method;

use super::{
    rest::{DiscordRest, RestFailure},
    upload::{UploadFailure, Uploads},
};
use crate::delivery::voice_message::{
    CONTENT_TYPE, PrepareFailure, Refusal, Slots, VoiceMessage, convert, local_file, message,
    slot_request,
};

/// What is to be sent, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The audio file, on this machine.
    pub media: Option<String>,
    /// Text beside it, which Discord does not take.
    pub content: Option<String>,
    /// Notifies nobody.
    pub silent: bool,
    /// The message of the same channel that is replied to.
    pub reply_to: Option<u64>,
}

/// A voice message that was posted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// The message's id.
    pub message: u64,
    /// Its length in seconds.
    pub duration_secs: f64,
}

/// Why no voice message was posted: which step failed, and why. Nothing else was posted instead.
#[derive(Debug, thiserror::Error)]
pub enum SendFailure {
    /// It is nothing that can be a voice message.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The file could not be made into one.
    #[error("no voice message can be made of {file}: {reason}")]
    Prepare {
        /// The file.
        file: String,
        /// Why.
        reason: PrepareFailure,
    },
    /// 401.
    #[error("Discord refused the bot token")]
    TokenRefused,
    /// Discord gave no place to upload to.
    #[error("the voice message was not uploaded: {0}")]
    Slot(String),
    /// The upload failed.
    #[error("the voice message was not uploaded: {0}")]
    Upload(String),
    /// Uploaded, but not posted.
    #[error("the voice message was uploaded, but not posted: {0}")]
    Post(String),
}

/// Sends voice messages as one bot.
#[derive(Debug)]
pub struct VoiceMessages {
    discord: DiscordRest,
}

/// What is read of the posted message.
#[derive(Deserialize)]
struct Posted {
    id: String,
}

impl VoiceMessages {
    /// As this bot.
    #[must_use]
    pub fn new(discord: DiscordRest) -> Self {
        Self { discord }
    }

    /// Posts a voice message.
    ///
    /// # Errors
    /// The first step that failed; the channel has no new message then.
    pub async fn send(&self, channel: ChannelId, outgoing: &Outgoing) -> Result<Sent, SendFailure> {
        let file = local_file(outgoing.media.as_deref(), outgoing.content.as_deref())?;
        let voice = prepare(&file).await?;
        let duration_secs = voice.duration_secs();

        let path = format!("channels/{channel}/attachments");
        let asked = slot_request(&voice);
        let what = "POST /channels/{id}/attachments";
        let slots: Slots = self
            .discord
            .rest()
            .json(what, Method::Post, path, &asked)
            .await
            .map_err(|failure| step(failure, SendFailure::Slot))?;
        let [slot] = slots.attachments.as_slice() else {
            let words = format!("{what} named {} places, not one", slots.attachments.len());
            return Err(SendFailure::Slot(words));
        };

        let body =
            message(&voice, &slot.upload_filename, channel, outgoing.silent, outgoing.reply_to);
        let failed = |failure: UploadFailure| SendFailure::Upload(failure.to_string());
        let uploads = Uploads::new(self.discord.is_plain()).map_err(failed)?;
        uploads
            .put(&slot.upload_url, CONTENT_TYPE, Bytes::from(voice.ogg))
            .await
            .map_err(failed)?;

        let path = format!("channels/{channel}/messages");
        let posted: Posted = self
            .discord
            .rest()
            .json("POST /channels/{id}/messages", Method::Post, path, &body)
            .await
            .map_err(|failure| step(failure, SendFailure::Post))?;
        let message = posted.id.parse().map_err(|_| {
            SendFailure::Post("Discord's answer names no message, it may be there".to_owned())
        })?;
        Ok(Sent { message, duration_secs })
    }
}

fn step(failure: RestFailure, step: impl FnOnce(String) -> SendFailure) -> SendFailure {
    match failure {
        RestFailure::TokenRefused => SendFailure::TokenRefused,
        failure => step(failure.to_string()),
    }
}

/// Decodes and encodes beside the runtime's own threads: it takes a while.
async fn prepare(file: &Path) -> Result<VoiceMessage, SendFailure> {
    let path = file.to_owned();
    let made = tokio::task::spawn_blocking(move || read(&path)).await;
    // A panic of a decoder is the file's fault, and no reason to go down.
    let made = made.unwrap_or(Err(PrepareFailure::Crashed));
    made.map_err(|reason| SendFailure::Prepare { file: file.display().to_string(), reason })
}

fn read(path: &Path) -> Result<VoiceMessage, PrepareFailure> {
    // Asked before it is opened: opening a pipe waits for somebody to write into it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(PrepareFailure::NotAFile);
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    convert(Box::new(File::open(path)?), extension)
}
