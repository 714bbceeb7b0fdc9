//! A message in the window.

use clawvoice_session::{MessageId, UserId};
use serde::{Deserialize, Serialize};

use crate::message::{Attachment, Message};

/// The most characters of a message that are kept. Source: Discord, message limit with Nitro.
const MOST_CHARACTERS: usize = 4_000;
/// The most characters of a name that are kept.
const MOST_LABEL: usize = 200;
/// The most files of a message. Source: Discord, "Create Message".
const MOST_ATTACHMENTS: usize = 10;

/// A message that the agent was not asked about. Its id tells when it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub message: MessageId,
    /// Who wrote it; of a webhook's message, the webhook.
    pub sender: UserId,
    /// Of a PluralKit member, its id.
    pub plural: Option<String>,
    /// What the sender is called.
    pub label: String,
    /// Its text.
    pub body: String,
    /// Files on it.
    pub attachments: Vec<Attachment>,
}

impl Entry {
    /// Of a message, with its sender's label and its text as the agent reads them. What is longer
    /// than Discord allows is cut off.
    #[must_use]
    pub fn new(message: &Message, label: &str, body: &str) -> Self {
        Self {
            message: message.id,
            sender: message.author.id,
            plural: None,
            label: label.chars().take(MOST_LABEL).collect(),
            body: body.chars().take(MOST_CHARACTERS).collect(),
            attachments: message.attachments.iter().take(MOST_ATTACHMENTS).cloned().collect(),
        }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let files = self.attachments.iter().map(|file| {
            file.filename.len() + file.url.len() + file.content_type.as_ref().map_or(0, String::len)
        });
        let fixed = size_of::<Self>() + self.attachments.len() * size_of::<Attachment>();
        fixed + self.label.len() + self.body.len() + files.sum::<usize>()
    }
}
