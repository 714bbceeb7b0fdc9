//! A message on its way to a decision: what was found out about it so far.
//!
//! The messages of a channel are decided one after the other, so that they reach their session in
//! order; those of different channels do not wait for each other.

use std::collections::{HashMap, VecDeque};

use clawvoice_session::{ChannelId, MessageId, UserId, access::Audience};

use crate::{
    inbound::{
        Batch, BoundThread, Hydration, InboundPolicy, Known, PluralMember, Sent, Verdict, hydrated,
        judge,
    },
    message::Message,
    place::{Channel, Places},
};

/// Messages that may wait in a channel. Beyond it the newest is dropped: `queue-full`.
const MOST_WAITING: usize = 1_000;

/// What was found out.
#[derive(Debug)]
pub(super) enum Answer {
    /// To [`crate::inbound::Need::Channel`].
    Channel(ChannelId, Option<Channel>),
    /// To [`crate::inbound::Need::Hydrate`].
    Hydrated(Option<Box<Message>>),
    /// To [`crate::inbound::Need::PluralKit`].
    Plural(Option<PluralMember>),
    /// To [`crate::inbound::Need::Paired`].
    Paired(bool),
    /// To [`crate::inbound::Need::Audience`].
    Audience(Audience, bool),
    /// To [`crate::inbound::Need::Transcript`].
    Transcript(Option<String>),
}

/// What is known around a message, beside what was asked for it.
pub(super) struct Here<'a> {
    pub(super) own: UserId,
    pub(super) agent: Option<&'a str>,
    pub(super) places: &'a Places,
    pub(super) sent: &'a Sent,
    pub(super) bound: Option<BoundThread>,
    pub(super) dm_is_bound: bool,
    pub(super) unix_ms: u64,
}

/// A message, or several that came at a time, and what was found out.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) message: Message,
    pub(super) ids: Vec<MessageId>,
    /// It was written before this process came up.
    pub(super) after_downtime: bool,
    unknown: Vec<ChannelId>,
    hydration: Hydration,
    plural: Option<Option<PluralMember>>,
    paired: Option<bool>,
    audiences: Vec<(Audience, bool)>,
    transcript: Option<Option<String>>,
}

impl Admission {
    pub(super) fn new(batch: Batch, after_downtime: bool) -> Self {
        Self {
            message: batch.message,
            ids: batch.ids,
            after_downtime,
            unknown: Vec::new(),
            hydration: Hydration::NotAsked,
            plural: None,
            paired: None,
            audiences: Vec::new(),
            transcript: None,
        }
    }

    pub(super) fn judge(&self, here: &Here<'_>, policy: &InboundPolicy) -> Verdict {
        let known = Known {
            agent: here.agent,
            unknown: &self.unknown,
            hydration: self.hydration,
            plural: self.plural.as_ref().map(Option::as_ref),
            paired: self.paired,
            audiences: &self.audiences,
            transcript: self.transcript.as_ref().map(Option::as_deref),
            bound: here.bound,
            dm_is_bound: here.dm_is_bound,
            after_downtime: self.after_downtime,
            batch: self.ids.len() > 1,
            ..Known::new(here.own, here.places, here.sent, here.unix_ms)
        };
        judge(&self.message, &known, policy)
    }

    /// Takes in what was found out; a channel is the caller's to keep.
    pub(super) fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Channel(channel, None) => self.unknown.push(channel),
            Answer::Channel(_, Some(_)) => {}
            Answer::Hydrated(None) => self.hydration = Hydration::Failed,
            Answer::Hydrated(Some(told)) => {
                self.message = hydrated(&self.message, *told);
                self.hydration = Hydration::Done;
            }
            Answer::Plural(member) => self.plural = Some(member),
            Answer::Paired(paired) => self.paired = Some(paired),
            Answer::Audience(audience, belongs) => self.audiences.push((audience, belongs)),
            Answer::Transcript(said) => self.transcript = Some(said),
        }
    }

    /// All messages, with their channel.
    pub(super) fn all(&self) -> Vec<(ChannelId, MessageId)> {
        self.ids.iter().map(|id| (self.message.channel, *id)).collect()
    }

    /// What a voice note says, if it was asked.
    pub(super) fn transcript(&self) -> Option<&str> {
        self.transcript.as_ref()?.as_deref()
    }

    /// Who speaks through the webhook, if PluralKit knows.
    pub(super) fn plural(&self) -> Option<&PluralMember> {
        self.plural.as_ref()?.as_ref()
    }
}

/// The messages that are decided, channel by channel.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    lines: HashMap<ChannelId, Line>,
}

#[derive(Debug)]
struct Line {
    first: Admission,
    /// Something is found out about the first one.
    asking: bool,
    waiting: VecDeque<Admission>,
}

impl Admissions {
    /// One more; gives it back if too many wait.
    pub(super) fn push(&mut self, admission: Admission) -> Result<(), Box<Admission>> {
        match self.lines.get_mut(&admission.message.channel) {
            Some(line) if line.waiting.len() >= MOST_WAITING => return Err(Box::new(admission)),
            Some(line) => line.waiting.push_back(admission),
            None => {
                let channel = admission.message.channel;
                let line = Line { first: admission, asking: false, waiting: VecDeque::new() };
                self.lines.insert(channel, line);
            }
        }
        Ok(())
    }

    /// The channel's first message, unless something is being found out about it.
    pub(super) fn first(&self, channel: ChannelId) -> Option<&Admission> {
        self.lines.get(&channel).filter(|line| !line.asking).map(|line| &line.first)
    }

    /// Something is to be found out about the first message, or done with it.
    pub(super) fn ask(&mut self, channel: ChannelId) {
        if let Some(line) = self.lines.get_mut(&channel) {
            line.asking = true;
        }
    }

    /// What was to be done with the first message is done.
    pub(super) fn resume(&mut self, channel: ChannelId) {
        if let Some(line) = self.lines.get_mut(&channel) {
            line.asking = false;
        }
    }

    /// It was found out.
    pub(super) fn answer(&mut self, channel: ChannelId, answer: Answer) {
        if let Some(line) = self.lines.get_mut(&channel) {
            line.asking = false;
            line.first.take(answer);
        }
    }

    /// The first message is decided; the next one's turn.
    pub(super) fn next(&mut self, channel: ChannelId) -> Option<Admission> {
        let line = self.lines.get_mut(&channel)?;
        line.asking = false;
        match line.waiting.pop_front() {
            Some(next) => Some(std::mem::replace(&mut line.first, next)),
            None => self.lines.remove(&channel).map(|line| line.first),
        }
    }

    /// Messages that are not decided.
    pub(super) fn len(&self) -> usize {
        self.lines.values().map(|line| 1 + line.waiting.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(channel: u64, id: u64) -> Admission {
        let json = format!(r#"{{"id":"{id}","channel_id":"{channel}","author":{{"id":"7"}}}}"#);
        let message = Message::read(&json).unwrap();
        let ids = vec![message.id];
        Admission::new(Batch { message, ids }, false)
    }

    #[test]
    fn a_channels_messages_are_decided_one_after_the_other() {
        let mut admissions = Admissions::default();
        for (channel, id) in [(5, 50), (5, 51), (6, 60)] {
            admissions.push(admission(channel, id)).unwrap();
        }
        let (five, six) = (ChannelId::new(5), ChannelId::new(6));
        admissions.ask(five);
        assert!(admissions.first(five).is_none());
        assert_eq!(admissions.first(six).unwrap().message.id.get(), 60);
        admissions.answer(five, Answer::Paired(true));
        assert_eq!(admissions.next(five).unwrap().message.id.get(), 50);
        assert_eq!(admissions.first(five).unwrap().message.id.get(), 51);
        assert_eq!(admissions.len(), 2);
        admissions.next(five);
        assert!(admissions.next(five).is_none() && admissions.first(five).is_none());
    }

    #[test]
    fn a_flood_in_one_channel_is_bounded() {
        let mut admissions = Admissions::default();
        for id in 1..=1_001 {
            admissions.push(admission(5, id)).unwrap();
        }
        assert_eq!(admissions.push(admission(5, 2_000)).unwrap_err().message.id.get(), 2_000);
        admissions.push(admission(6, 1)).unwrap();
    }
}
