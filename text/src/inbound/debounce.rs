//! Step 5: what somebody writes in several messages at a time is one question.
//!
//! Source: OpenClaw, "Messages", section "Inbound debouncing".

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use clawvoice_session::{ChannelId, MessageId, SessionTime, UserId};

use super::{command_authority::is_command, hydration::add_mentions};
use crate::message::Message;

/// So many messages become one; then they are passed on.
const MOST_JOINED: usize = 50;
/// So many authors may wait at a time; those of further ones are passed on at once.
const MOST_AUTHORS: usize = 10_000;

/// Messages that are one question.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The last of them, with the texts of all, whom any of them mentions, and what the first reply
    /// among them answers.
    pub message: Message,
    /// All of them, in order.
    pub ids: Vec<MessageId>,
}

impl Batch {
    /// Messages that are one question, in order; `None` without any.
    #[must_use]
    pub fn of(messages: Vec<Message>) -> Option<Self> {
        joined(messages)
    }
}

/// Who writes where. People who speak through one webhook are told apart by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Writer {
    channel: ChannelId,
    author: UserId,
    webhook_name: Option<String>,
}

impl Writer {
    fn of(message: &Message) -> Self {
        Self {
            channel: message.channel,
            author: message.author.id,
            webhook_name: message.webhook.map(|_| message.author.username.clone()),
        }
    }
}

/// Holds an account's messages back until their author has been silent for a moment.
///
/// Files, stickers, forwards and commands go on at once, after what their author had written
/// before.
#[derive(Debug)]
pub struct Debounce {
    window: Duration,
    own: UserId,
    waiting: HashMap<Writer, Waiting>,
    due: BTreeSet<(SessionTime, Writer)>,
    outputs: VecDeque<Batch>,
}

#[derive(Debug)]
struct Waiting {
    due: SessionTime,
    messages: Vec<Message>,
}

impl Debounce {
    /// `window` of zero holds nothing back. `own`: the bot, whose mention may stand before a
    /// command.
    #[must_use]
    pub fn new(window: Duration, own: UserId) -> Self {
        Self {
            window,
            own,
            waiting: HashMap::new(),
            due: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The configuration was read again: holds for messages that come from now on.
    pub const fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// A message.
    pub fn handle_message(&mut self, now: SessionTime, message: Message) {
        self.handle_timeout(now);
        let writer = Writer::of(&message);
        let is_full = self.waiting.len() >= MOST_AUTHORS && !self.waiting.contains_key(&writer);
        if self.window.is_zero() || is_full || !self.may_wait(&message) {
            self.flush(&writer);
            self.outputs.extend(joined(vec![message]));
            return;
        }
        let due = now + self.window;
        let waiting =
            self.waiting.entry(writer.clone()).or_insert(Waiting { due, messages: Vec::new() });
        self.due.remove(&(waiting.due, writer.clone()));
        waiting.due = due;
        waiting.messages.push(message);
        if waiting.messages.len() >= MOST_JOINED {
            self.flush(&writer);
        } else {
            self.due.insert((due, writer));
        }
    }

    /// Passes on what has waited long enough.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        while let Some((due, writer)) = self.due.first().cloned() {
            if due > now {
                return;
            }
            self.flush(&writer);
        }
    }

    /// Questions that are ready, in order.
    pub fn poll_output(&mut self) -> Option<Batch> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        self.due.first().map(|(due, _)| *due)
    }

    fn may_wait(&self, message: &Message) -> bool {
        message.is_written()
            && !message.content.trim().is_empty()
            && message.attachments.is_empty()
            && message.stickers.is_empty()
            && message.snapshots.is_empty()
            && !is_command(&message.content, self.own.get())
    }

    fn flush(&mut self, writer: &Writer) {
        if let Some(waiting) = self.waiting.remove(writer) {
            self.due.remove(&(waiting.due, writer.clone()));
            self.outputs.extend(joined(waiting.messages));
        }
    }
}

fn joined(messages: Vec<Message>) -> Option<Batch> {
    let ids = messages.iter().map(|message| message.id).collect();
    let texts: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
    let content = texts.join("\n");
    let mut earlier = messages;
    let mut message = earlier.pop()?;
    message.content = content;
    for other in &earlier {
        add_mentions(&mut message, other);
    }
    if let Some(first) = earlier.into_iter().find(|message| message.is_reply()) {
        message.reference = first.reference;
        message.referenced = first.referenced;
    }
    Some(Batch { message, ids })
}

#[cfg(test)]
#[path = "debounce_tests.rs"]
mod tests;
