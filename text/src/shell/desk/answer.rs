//! The answer of one turn: made into messages, written down, and sent.

use std::sync::Arc;

use clawvoice_session::{
    ChannelId, MessageId, WebhookId,
    mail::{Finished, NewPart, Outcome, Target},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    super::media::MediaFiles,
    around::{Around, Rules},
    courier::PartEnd,
    outgoing_media::OutgoingMedia,
    question::Asked,
};
use crate::{
    delivery::{
        body::{Content, NewMessage, Pings},
        chunk::ChunkLimits,
        media_lines,
        prefix::{PrefixNames, prefix},
        prepare::{Prepared, TextSettings, prepare},
        reply::{self, Replies},
    },
    feedback::CallFailed,
    outbox::outgoing::{Destination, Outgoing},
    routing::binding::{BindingRecord, webhook_name},
};

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// All of it is there, or nothing was to be sent.
    All,
    /// Not all of it; what is not stays in the outbox, and why is logged.
    NotAll,
    /// The process ends; the next one sends it.
    Left,
}

/// The messages of one answer.
pub(super) struct Answering {
    around: Arc<Around>,
    rules: Arc<Rules>,
    asked: Arc<Asked>,
    bound: Option<BindingRecord>,
    finished: Finished,
    media: OutgoingMedia,
    replies: Replies,
    /// Messages so far.
    parts: u32,
}

impl Answering {
    pub(super) fn new(
        around: Arc<Around>,
        rules: Arc<Rules>,
        asked: Arc<Asked>,
        bound: Option<BindingRecord>,
        finished: Finished,
        media: Arc<MediaFiles>,
    ) -> Self {
        let media = OutgoingMedia::new(
            media,
            rules.agent(&asked.route.agent).workspace.as_deref(),
            &rules.config.session_store,
            rules.config.discord.delivery.media_max_mb,
        );
        let replies = Replies::new(
            rules.config.discord.delivery.reply_to,
            reply::Asked {
                message: Some(asked.message.id),
                is_batch: asked.admitted.batch,
                moved: asked.is_moved(),
            },
        );
        Self { around, rules, asked, bound, finished, media, replies, parts: 0 }
    }

    /// The end of the turn, without another word.
    pub(super) async fn finish(&mut self, merged: Vec<(ChannelId, MessageId)>, outcome: Outcome) {
        let mut finished = self.finished.clone();
        finished.messages.extend(merged);
        finished.outcome = outcome;
        if let Err(error) = self.around.mailbox.answer(finished, Vec::new()).await {
            tracing::warn!("the end of a turn is not written down: {error}");
        }
    }

    /// A piece of the answer, for good; the turn goes on.
    pub(super) async fn send_piece(&mut self, text: &str) -> Result<MessageId, CallFailed> {
        let parts = self.parts_of(text).await;
        let open = Finished { messages: Vec::new(), ..self.finished.clone() };
        let ends = self.around.send(open, parts).await;
        match ends.last() {
            Some(PartEnd::Sent { message, .. }) => Ok(*message),
            _ => Err(CallFailed),
        }
    }

    /// The answer, or the rest of it: with it the turn is over.
    pub(super) async fn send_final(
        &mut self,
        text: &str,
        merged: Vec<(ChannelId, MessageId)>,
        failed: bool,
    ) -> Delivered {
        let parts = self.parts_of(text).await;
        let mut finished = self.finished.clone();
        finished.messages.extend(merged);
        if failed {
            finished.outcome = Outcome::Failed;
        }
        let count = parts.len();
        let ends = self.around.send(finished, parts).await;
        let all_sent = ends.iter().all(|end| matches!(end, PartEnd::Sent { .. }));
        match (ends.len() == count, all_sent) {
            (true, true) => Delivered::All,
            (true, false) => Delivered::NotAll,
            (false, _) => Delivered::Left,
        }
    }

    async fn parts_of(&mut self, text: &str) -> Vec<NewPart> {
        let (text, sources) = media_lines::take(text);
        let mut files = self.media.admitted(&sources).await;
        let Prepared { mut chunks, reply_to, is_silent, .. } = self.prepare(&text);
        if chunks.is_empty() && !files.is_empty() {
            chunks.push(String::new());
        }
        if chunks.is_empty() {
            tracing::debug!(
                session = %self.asked.session(), silent = is_silent,
                "nothing is sent for an answer"
            );
            return Vec::new();
        }
        self.replies.begin_text(reply_to);
        // The first message carries the files.
        chunks.iter().map(|chunk| self.part(chunk, std::mem::take(&mut files))).collect()
    }

    fn prepare(&self, text: &str) -> Prepared {
        let config = &self.rules.config;
        let delivery = &config.discord.delivery;
        let agent = self.rules.agent(&self.asked.route.agent);
        let model = agent.models.first().map(String::as_str);
        let names = PrefixNames {
            model,
            provider: model.and_then(|model| model.split_once('/')).map(|(provider, _)| provider),
            thinking: None,
            identity: agent.name.as_deref(),
        };
        let own = delivery.response_prefix.as_deref();
        let written = prefix(own, config.messages.response_prefix.as_deref(), &names);
        let known = self.around.handles();
        let settings = TextSettings {
            limits: ChunkLimits::new(delivery),
            tables: delivery.tables,
            handles: crate::delivery::Handles {
                aliases: &config.discord.access.mention_aliases,
                known: &known,
            },
            prefix: written.as_deref().filter(|_| self.parts == 0),
        };
        prepare(text, &settings)
    }

    fn part(&mut self, text: &str, files: Vec<String>) -> NewPart {
        let nonce = nonce(&self.finished.account, &self.finished.turn, self.parts);
        let message = NewMessage {
            content: Content {
                text,
                suppress_embeds: self.rules.config.discord.delivery.suppress_embeds,
                ..Content::default()
            },
            reply_to: self.replies.next_message(),
            nonce: &nonce,
            silent: false,
        };
        let mut body = message.body();
        let to = self.destination(&mut body);
        let outgoing = Outgoing { to, body, files };
        let part = NewPart {
            to: Target::Channel(self.asked.channel),
            part: self.parts,
            body: outgoing.kept(),
            nonce,
        };
        self.parts += 1;
        part
    }

    fn webhook(&self) -> Option<(&BindingRecord, WebhookId)> {
        let bound = self.bound.as_ref().filter(|_| self.asked.route.is_bound())?;
        Some((bound, bound.webhook.as_ref()?.id))
    }

    /// A bound thread is answered by its webhook, in its session's name.
    fn destination(&self, body: &mut Value) -> Destination {
        let thread = self.asked.channel;
        match self.webhook() {
            Some((record, webhook)) => {
                body["username"] = webhook_name(record).into();
                Destination::Webhook { webhook, thread }
            }
            None => Destination::Channel(thread),
        }
    }
}

/// What makes a part the same part when it is made again: 24 hexadecimal digits of what it is.
fn nonce(account: &str, turn: &str, part: u32) -> String {
    let digest = Sha256::digest(format!("{account}\n{turn}\n{part}"));
    digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// The body of a preview that is posted.
pub(super) fn preview_body(text: &str) -> Value {
    let content = preview(text);
    let nonce = crate::requests::nonce::nonce(rand::random());
    NewMessage { content, nonce: &nonce, ..NewMessage::default() }.body()
}

/// The body of a preview that is changed.
pub(super) fn preview_edit(text: &str) -> Value {
    preview(text).edit_body()
}

fn preview(text: &str) -> Content<'_> {
    Content { text, pings: Pings::Nobody, suppress_embeds: true, ..Content::default() }
}

#[cfg(test)]
mod tests {
    use super::nonce;

    #[test]
    fn the_same_part_has_the_same_nonce_and_no_other_has_it() {
        let one = nonce("default", "discord:default:5:9", 0);
        assert_eq!(one, nonce("default", "discord:default:5:9", 0));
        assert_eq!(one.len(), 24);
        for other in [
            nonce("b", "discord:default:5:9", 0),
            nonce("default", "discord:default:5:10", 0),
            nonce("default", "discord:default:5:9", 1),
        ] {
            assert_ne!(one, other);
        }
    }
}
