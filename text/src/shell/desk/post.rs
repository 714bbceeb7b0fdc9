//! One message to Discord: where it goes, with which files, and what its failure means.

use bytes::Bytes;
use clawvoice_session::{ChannelId, MessageId, UserId, mail::Part};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::super::{
    message_calls::{OutgoingFile, Page},
    rest::{DiscordRest, RestFailure},
    thread_calls::NewThread,
    webhook_calls::Webhook,
};
use super::sent::SharedSent;
use crate::{
    delivery::{
        failure::{self, DeliveryFailure},
        forum, outgoing_file,
    },
    outbox::outgoing::{Destination, Outgoing},
};

/// JSON error code, "Unknown Webhook".
const UNKNOWN_WEBHOOK: u64 = 10_015;

/// For so long after the first attempt Discord surely knows a nonce again.
const NONCE_LIVES: SignedDuration = SignedDuration::from_secs(120);

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Posted {
    /// Where it is: of a forum, its new post.
    pub(super) channel: ChannelId,
    /// Its id.
    pub(super) message: MessageId,
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PostFailure {
    /// It may go later.
    #[error("{0}")]
    Later(String),
    /// It never will.
    #[error("{0}")]
    Refused(String),
}

/// Sends messages of one account.
pub(super) struct Post {
    rest: DiscordRest,
    /// The bot's own user, once it is known.
    own: watch::Receiver<Option<UserId>>,
    hooks: super::hooks::Hooks,
    sent: SharedSent,
}

impl Post {
    pub(super) fn new(
        rest: DiscordRest,
        own: watch::Receiver<Option<UserId>>,
        hooks: super::hooks::Hooks,
        sent: SharedSent,
    ) -> Self {
        Self { rest, own, hooks, sent }
    }

    /// Sends one, unless it is there already.
    pub(super) async fn send(&self, part: &Part) -> Result<Posted, PostFailure> {
        let Some(outgoing) = Outgoing::read(&part.message.body) else {
            return Err(PostFailure::Refused("it is kept in a form that is not known".to_owned()));
        };
        if let Some(posted) = self.already(part, &outgoing).await? {
            return Ok(posted);
        }
        let files = read_files(&outgoing.files).await;
        if files.is_empty() && !outgoing.files.is_empty() && is_wordless(&outgoing) {
            return Err(PostFailure::Refused("none of its files can be read".to_owned()));
        }
        match self.once(&outgoing, &files).await {
            Err(failure) if !files.is_empty() && is_too_large(&failure) => {
                let without = without_files(&outgoing);
                self.once(&without, &[]).await.map_err(|failure| in_words(&failure))
            }
            Err(failure) if is_settled(&outgoing.to, &failure) => {
                Err(PostFailure::Refused(failure.to_string()))
            }
            outcome => outcome.map_err(|failure| in_words(&failure)),
        }
    }

    /// Sends what is kept nowhere.
    pub(super) async fn send_unwritten(&self, body: &str) -> Result<Posted, PostFailure> {
        let Some(outgoing) = Outgoing::read(body) else {
            return Err(PostFailure::Refused("it is of a form that is not known".to_owned()));
        };
        let files = read_files(&outgoing.files).await;
        self.once(&outgoing, &files).await.map_err(|failure| in_words(&failure))
    }

    async fn once(
        &self,
        outgoing: &Outgoing,
        files: &[OutgoingFile],
    ) -> Result<Posted, RestFailure> {
        let body = &outgoing.body;
        let channel = match outgoing.to {
            Destination::Channel(channel) => channel,
            Destination::User(user) => self.rest.open_direct_message(user).await?,
            Destination::Forum(forum) => {
                let (name, first) = forum::shape(body, Timestamp::now().as_millisecond());
                let post = NewThread { name, auto_archive_minutes: None };
                let posted = self.rest.open_post(forum, &post, &[], &first, files).await?;
                return Ok(Posted { channel: posted.thread, message: posted.message });
            }
            Destination::Webhook { webhook, thread } => {
                if let Some(hook) = self.hooks.get(webhook) {
                    match self.by_webhook(&hook, thread, body, files).await {
                        // Only what surely was not done is done in another way.
                        Err(failure) if failure.is_perhaps_done() => return Err(failure),
                        Ok(posted) => return Ok(posted),
                        Err(failure) => {
                            if failure.code() == Some(UNKNOWN_WEBHOOK) {
                                self.hooks.forget(webhook);
                            }
                            tracing::warn!("a webhook does not work, the bot writes: {failure}");
                        }
                    }
                }
                thread
            }
        };
        let body = for_bot(body);
        let created = self.rest.create_message_with(channel, &body, files).await?;
        Ok(Posted { channel: created.channel, message: created.id })
    }

    async fn by_webhook(
        &self,
        hook: &Webhook,
        thread: ChannelId,
        body: &serde_json::Value,
        files: &[OutgoingFile],
    ) -> Result<Posted, RestFailure> {
        // Its echo may come before Discord's answer.
        self.sent.webhook(hook.id);
        let body = for_webhook(body);
        let created = self.rest.execute_webhook(hook, Some(thread), &body, files).await?;
        Ok(Posted { channel: created.channel, message: created.id })
    }

    /// Long after the first attempt its nonce says nothing any more: it is looked for.
    async fn already(
        &self,
        part: &Part,
        outgoing: &Outgoing,
    ) -> Result<Option<Posted>, PostFailure> {
        let Some(first) = part.first_try else { return Ok(None) };
        let (channel, webhook) = match outgoing.to {
            Destination::Channel(channel) => (channel, None),
            // What a webhook writes has no nonce.
            Destination::Webhook { webhook, thread } => (thread, Some(webhook)),
            Destination::User(_) | Destination::Forum(_) => return Ok(None),
        };
        if webhook.is_none() && Timestamp::now().duration_since(first) < NONCE_LIVES {
            return Ok(None);
        }
        let own = *self.own.borrow();
        let content = outgoing.body.get("content").and_then(|it| it.as_str()).unwrap_or_default();
        let from_ms = u64::try_from(first.as_millisecond()).unwrap_or(0);
        let listed = self.rest.messages(channel, Page::Newest, 100).await;
        let listed = listed.map_err(|failure| in_words(&failure))?;
        let is_it = |message: &&crate::message::Message| {
            (Some(message.author.id) == own || (webhook.is_some() && message.webhook == webhook))
                && message.content == content
                // Clocks differ a little.
                && message.unix_ms() + 5_000 >= from_ms
        };
        Ok(listed.iter().find(is_it).map(|it| Posted { channel, message: it.id }))
    }
}

/// A webhook replies to nothing, and knows no nonce.
fn for_webhook(body: &serde_json::Value) -> serde_json::Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        for field in ["message_reference", "nonce", "enforce_nonce"] {
            fields.remove(field);
        }
    }
    body
}

/// Whether it is not asked for again: nothing makes a post the same one, and it may be there.
fn is_settled(to: &Destination, failure: &RestFailure) -> bool {
    matches!(to, Destination::Forum(_)) && failure.is_perhaps_done()
}

/// What only webhooks take is left out.
fn for_bot(body: &serde_json::Value) -> serde_json::Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("username");
        fields.remove("avatar_url");
    }
    body
}

/// Whether there is no word in it.
fn is_wordless(outgoing: &Outgoing) -> bool {
    outgoing.body.get("content").and_then(|it| it.as_str()).is_some_and(str::is_empty)
}

/// What cannot be read is not sent; the text is.
async fn read_files(paths: &[String]) -> Vec<OutgoingFile> {
    let mut files = Vec::new();
    for path in paths {
        match tokio::fs::read(path).await {
            Ok(bytes) => {
                let name = std::path::Path::new(path).file_name().unwrap_or_default();
                let name = outgoing_file::file_name(&name.to_string_lossy());
                files.push(OutgoingFile { name, bytes: Bytes::from(bytes), description: None });
            }
            Err(error) => tracing::warn!("a file is not sent: {path}: {error}"),
        }
    }
    files
}

fn judge(failure: &RestFailure) -> DeliveryFailure {
    match failure {
        RestFailure::Refused { status, code, message, .. } => {
            failure::judge(*status, *code, message)
        }
        RestFailure::TokenRefused => DeliveryFailure::Refused(failure.to_string()),
        RestFailure::QueueFull { .. } | RestFailure::Unreachable { .. } => DeliveryFailure::Later,
    }
}

fn is_too_large(failure: &RestFailure) -> bool {
    matches!(judge(failure), DeliveryFailure::TooLarge)
}

fn in_words(failure: &RestFailure) -> PostFailure {
    match judge(failure) {
        DeliveryFailure::Later => PostFailure::Later(failure.to_string()),
        judged => PostFailure::Refused(judged.to_string()),
    }
}

/// The text alone, with a word about the file.
fn without_files(outgoing: &Outgoing) -> Outgoing {
    let mut body = outgoing.body.clone();
    let has_first = body.get("message").is_some_and(serde_json::Value::is_object);
    let message = if has_first { &mut body["message"] } else { &mut body };
    let content = message.get("content").and_then(|it| it.as_str()).unwrap_or_default();
    message["content"] = failure::without_attachment(content).into();
    Outgoing { to: outgoing.to.clone(), body, files: Vec::new() }
}
