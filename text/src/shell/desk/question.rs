//! A message that the agent is to be asked about, on its way through a lane.

use std::sync::Arc;

use clawvoice_session::{ChannelId, MessageId, SessionKey, UserId, agent::AskedBy};

use super::threads::Opened;
use crate::{
    feedback::Addressed,
    inbound::{Admitted, Surface},
    lane::Queued,
    message::Message,
    routing::Route,
};

/// The longest line that stands for a message that was dropped for want of room, in characters.
const SUMMARY: usize = 160;

/// A message, or several that came at a time, and where it belongs.
#[derive(Clone, Debug)]
pub(super) struct Question(pub(super) Arc<Asked>);

/// What there is to know of it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) message: Message,
    /// All messages it stands for, in their channel.
    pub(super) ids: Vec<MessageId>,
    pub(super) admitted: Admitted,
    pub(super) route: Route,
    /// Where it is answered: its channel, or a thread that was opened for it.
    pub(super) channel: ChannelId,
    /// How the thread was opened that it is answered in, if that was done for it.
    pub(super) opened: Option<Opened>,
    /// What a voice note says.
    pub(super) transcript: Option<String>,
}

impl Asked {
    /// Its messages, as the inbox has them.
    pub(super) fn all(&self) -> Vec<(ChannelId, MessageId)> {
        self.ids.iter().map(|id| (self.message.channel, *id)).collect()
    }

    /// Names what is answered, for good.
    pub(super) fn origin(&self, account: &str) -> String {
        format!("discord:{account}:{}:{}", self.message.channel, self.message.id)
    }

    /// Whether it is answered in another place than it was written in: nothing there is replied to,
    /// and what else was said here is none of that place's.
    pub(super) fn is_moved(&self) -> bool {
        self.channel != self.message.channel
    }

    pub(super) fn session(&self) -> &SessionKey {
        &self.route.key
    }

    pub(super) fn user(&self) -> UserId {
        self.admitted.sender.user
    }

    pub(super) fn by(&self) -> AskedBy {
        AskedBy {
            user: self.user(),
            label: self.admitted.sender.label.clone(),
            owner: self.admitted.owner,
        }
    }

    pub(super) fn addressed(&self) -> Addressed {
        match (self.admitted.surface, self.admitted.addressed) {
            (Surface::Direct, _) => Addressed::Direct,
            (_, true) => Addressed::Mentioned,
            (_, false) => Addressed::Unmentioned,
        }
    }

    /// The sender's words; of a voice note, what it says.
    pub(super) fn words(&self) -> String {
        match &self.transcript {
            Some(said) if self.admitted.text.is_empty() => said.clone(),
            _ => self.admitted.text.clone(),
        }
    }
}

impl Queued for Question {
    fn summary(&self) -> String {
        let words = self.0.words();
        let line: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let line: String = line.chars().take(SUMMARY).collect();
        format!("{}: {line}", self.0.admitted.sender.label)
    }

    fn joins(&self, later: &Self) -> bool {
        self.0.user() == later.0.user()
            && self.0.admitted.owner == later.0.admitted.owner
            && self.0.admitted.tools == later.0.admitted.tools
            && self.0.channel == later.0.channel
            // What happens in the room is answered to nobody; a question is.
            && self.0.admitted.ambient == later.0.admitted.ambient
    }
}
