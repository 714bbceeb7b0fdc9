//! Finds out what must be known about a message: by REST, PluralKit and the pairing store.

use std::{sync::Arc, time::Duration};

use clawvoice_session::{UserId, pairing, shell::store::Pairings};
use jiff::Timestamp;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::sync::Mutex;

use super::{
    super::{
        audience_facts::Audiences,
        media::MediaFiles,
        pluralkit::{PluralKit, PluralKitAnswer},
        rest::DiscordRest,
    },
    admission::Answer,
};
use crate::{
    inbound::{Need, PluralMember},
    media::{SavedFile, sniff::MediaKind},
    message::Message,
};

/// How long a message may wait to be told again.
const HYDRATION: Duration = Duration::from_secs(5);

/// What turns speech into text.
#[async_trait::async_trait]
pub trait Transcribe: Send + Sync {
    /// What an audio file says; `None`: that cannot be told.
    async fn transcribe(&self, file: &std::path::Path) -> Option<String>;
}

/// Who is asked.
pub(super) struct Finder {
    pub(super) account: String,
    pub(super) rest: DiscordRest,
    pub(super) plural: PluralKit,
    pub(super) audiences: Audiences,
    pub(super) pairings: Arc<Mutex<Pairings>>,
    pub(super) media: Arc<MediaFiles>,
    pub(super) transcriber: Option<Arc<dyn Transcribe>>,
}

impl Finder {
    /// The answer to a need. What cannot be found out is answered in the stricter sense.
    pub(super) async fn find(&self, need: Need, message: &Message) -> Answer {
        match need {
            Need::Channel(channel) => match self.rest.channel(channel).await {
                Ok(found) => Answer::Channel(channel, Some(found)),
                Err(failure) => {
                    tracing::warn!("channel {channel} is not known: {failure}");
                    Answer::Channel(channel, None)
                }
            },
            Need::Hydrate => Answer::Hydrated(self.hydrated(message).await),
            Need::PluralKit => Answer::Plural(self.plural(message).await),
            Need::Paired => Answer::Paired(self.is_paired(message.author.id).await),
            Need::Audience(audience) => {
                let user = message.author.id;
                let belongs = self.audiences.sees(audience.guild, audience.channel, user).await;
                Answer::Audience(audience, belongs)
            }
            Need::Transcript => Answer::Transcript(self.transcript(message).await),
        }
    }

    async fn plural(&self, message: &Message) -> Option<PluralMember> {
        match self.plural.look_up(message.id).await {
            PluralKitAnswer::Proxied(member) => Some(member),
            PluralKitAnswer::NotProxied => None,
            PluralKitAnswer::Failed(reason) => {
                tracing::debug!(
                    "whether PluralKit knows message {} is not known: {reason}",
                    message.id
                );
                None
            }
        }
    }

    /// The message as REST tells it. It is not waited for long: the next one waits behind it.
    async fn hydrated(&self, message: &Message) -> Option<Box<Message>> {
        let asked = self.rest.message(message.channel, message.id);
        match tokio::time::timeout(HYDRATION, asked).await {
            Ok(Ok(told)) => return Some(Box::new(told)),
            Ok(Err(failure)) => {
                tracing::debug!("message {} is not asked for again: {failure}", message.id);
            }
            Err(_) => tracing::debug!("message {} was not told again in time", message.id),
        }
        None
    }

    pub(super) async fn is_paired(&self, user: UserId) -> bool {
        let paired = self.pairings.lock().await.is_paired(&self.account, user).await;
        paired.unwrap_or_else(|error| {
            tracing::warn!("who was let in cannot be read: {error}");
            false
        })
    }

    /// Puts a stranger among those who wait; gives what is to be said of it.
    pub(super) async fn ask_pairing(&self, user: UserId) -> Option<pairing::Answer> {
        let mut rng = StdRng::from_os_rng();
        let mut pairings = self.pairings.lock().await;
        match pairings.ask(&self.account, user, Timestamp::now(), &mut rng).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::warn!("a stranger cannot be told a code: {error}");
                None
            }
        }
    }

    /// What the first audio file of a message says.
    pub(super) async fn transcript(&self, message: &Message) -> Option<String> {
        let transcriber = self.transcriber.as_ref()?;
        let audio = message.attachments.iter().find(|file| crate::media::note::is_audio(file))?;
        let fetched = self.media.fetch(message.author.id, std::slice::from_ref(audio)).await;
        let file = fetched.into_iter().find_map(crate::media::Fetched::saved)?;
        transcriber.transcribe(&file.path).await
    }

    /// What the first of these files that is a sound says.
    pub(super) async fn heard(&self, files: &[SavedFile]) -> Option<String> {
        let transcriber = self.transcriber.as_ref()?;
        let audio = files.iter().find(|file| file.kind == MediaKind::Audio)?;
        let said = transcriber.transcribe(&audio.path).await?;
        Some(said).filter(|said| !said.trim().is_empty())
    }
}
