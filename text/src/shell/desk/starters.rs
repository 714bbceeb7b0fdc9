//! The message that a thread began with, for its session's first turn.

use clawvoice_config::ContextVisibility;
use clawvoice_session::{
    ChannelId, MessageId, UserId,
    access::{Member, Room},
};

use super::{super::clock::now, Desk, around::Around, question::Asked};
use crate::{
    history::{Entry, Part, is_shown},
    inbound::{Sender, for_model, place},
    routing::starter::{Remembered, Starter, is_wanted, source},
};

/// Status codes that say that there is no such message, or none that the bot may see.
const NOT_THERE: [u16; 2] = [403, 404];

/// Where a thread's first message is, and to whom it may be shown.
#[derive(Clone, Debug)]
pub(super) struct StarterAt {
    thread: ChannelId,
    channel: ChannelId,
    message: MessageId,
    visibility: ContextVisibility,
    room: Room,
    own: Option<UserId>,
}

impl Desk {
    /// Where the message is that the place of a question began with; `None`: it began with none, or
    /// with the question itself, or it is told in `history`, or the file leaves it out.
    pub(super) fn starter_of(&self, asked: &Asked, history: &[Entry]) -> Option<StarterAt> {
        let thread = self.places.channel(asked.channel).filter(|it| it.kind.is_thread())?;
        let (channel, message) = source(thread, self.places.parent(asked.channel)?);
        let place = place(&self.places, asked.message.guild?, asked.channel);
        let entry = self.rules.inbound.entry(&place).and_then(|entry| entry.channel);
        let is_told = history.iter().any(|told| told.message == message);
        if is_told || !is_wanted(entry, true) || asked.ids.contains(&message) {
            return None;
        }
        Some(StarterAt {
            thread: thread.id,
            channel,
            message,
            visibility: self.rules.config.discord.access.context_visibility,
            room: self.rules.inbound.rules.access.room(&place).ok()?,
            own: *self.own.borrow(),
        })
    }
}

impl StarterAt {
    /// Who wrote it, and what; `None`: it is not there, or may not be shown.
    pub(super) async fn find(&self, around: &Around) -> Option<(String, String)> {
        let starter = self.remembered_or_asked(around).await?;
        let author = Member::by_id(starter.author);
        let is_allowed = || Some(starter.author) == self.own || self.room.admits(&author);
        let shown = is_shown(self.visibility, Part::Starter, is_allowed);
        (shown && !starter.text.is_empty()).then_some((starter.label, starter.text))
    }

    async fn remembered_or_asked(&self, around: &Around) -> Option<Starter> {
        match around.starters().get(now(), self.thread) {
            Remembered::Starter(starter) => return Some(starter.clone()),
            Remembered::None => return None,
            Remembered::Nothing => {}
        }
        let starter = match around.rest.message(self.channel, self.message).await {
            Ok(message) => Some(Starter {
                message: message.id,
                author: message.author.id,
                label: Sender::of(&message, None).label,
                text: for_model(&message),
            }),
            Err(failure) => {
                tracing::debug!("a thread's first message is not known: {failure}");
                if !failure.status().is_some_and(|status| NOT_THERE.contains(&status)) {
                    return None;
                }
                None
            }
        };
        around.starters().put(now(), self.thread, starter.clone());
        starter
    }
}
