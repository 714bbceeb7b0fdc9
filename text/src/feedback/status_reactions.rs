//! The reaction on a message that is being answered: seen, thinking, using a tool, done.
//!
//! One reaction at a time. What lasts too short to be read is left out, so that a run with many
//! tools does not spend the channel's reaction budget. At the end the acknowledgement is back, or
//! gone after `removeAckAfterReply`. Source: OpenClaw, "Discord", section "Ack reactions".

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;

use super::{AckRules, Addressed, Emoji};

/// Something new is shown once it has lasted so long.
const DEBOUNCE: Duration = Duration::from_millis(700);

/// How long it is shown that the answer is there.
const DONE_FOR: Duration = Duration::from_millis(1_500);

/// How long it is shown that there will be none.
const ERROR_FOR: Duration = Duration::from_millis(2_500);

const THINKING: &str = "🤔";
const TOOL: &str = "🔥";
const DONE: &str = "👍";
const ERROR: &str = "😱";

/// What is to be done to the message, in this order. What fails is logged, no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusOutput {
    /// React to it.
    Add(Emoji),
    /// Take the bot's reaction back.
    Remove(Emoji),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusEnd {
    /// It was sent.
    Done,
    /// It failed.
    Failed,
    /// The agent said nothing, or was stopped.
    Quiet,
}

/// The reaction on one message.
#[derive(Debug)]
pub struct StatusReactions {
    ack: Option<Emoji>,
    shows_status: bool,
    remove_after_reply: bool,
    shown: Option<Emoji>,
    /// What is to be shown next, and when.
    next: Option<(Option<Emoji>, SessionTime)>,
    over: bool,
    outputs: VecDeque<StatusOutput>,
}

impl StatusReactions {
    /// A message was accepted: it is acknowledged at once, if it is to be at all.
    #[must_use]
    pub fn new(rules: &AckRules, addressed: Addressed) -> Self {
        let mut reactions = Self {
            ack: rules.emoji_for(addressed).cloned(),
            shows_status: rules.shows_status(),
            remove_after_reply: rules.remove_after_reply(),
            shown: None,
            next: None,
            over: false,
            outputs: VecDeque::new(),
        };
        reactions.show(reactions.ack.clone());
        reactions
    }

    /// The run began, or the model is asked again.
    pub fn handle_thinking(&mut self, now: SessionTime) {
        self.show_soon(now, THINKING);
    }

    /// A tool runs.
    pub fn handle_tool(&mut self, now: SessionTime) {
        self.show_soon(now, TOOL);
    }

    /// It is over. Nothing that comes later counts.
    pub fn handle_over(&mut self, now: SessionTime, end: StatusEnd) {
        if self.over || self.ack.is_none() {
            return;
        }
        self.over = true;
        self.next = None;
        let kept = self.ack.clone().filter(|_| !self.remove_after_reply);
        let (emoji, lasts) = match end {
            StatusEnd::Done => (DONE, DONE_FOR),
            StatusEnd::Failed => (ERROR, ERROR_FOR),
            StatusEnd::Quiet => return self.show(kept),
        };
        if !self.shows_status {
            return self.show(kept);
        }
        self.show(Emoji::new(emoji));
        self.next = Some((kept, now + lasts));
    }

    /// The next thing to do.
    pub fn poll_output(&mut self, now: SessionTime) -> Option<StatusOutput> {
        if let Some((emoji, _)) = self.next.take_if(|(_, due)| *due <= now) {
            self.show(emoji);
        }
        self.outputs.pop_front()
    }

    /// When there is something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        self.next.as_ref().map(|(_, due)| *due)
    }

    fn show_soon(&mut self, now: SessionTime, emoji: &str) {
        if self.over || !self.shows_status || self.ack.is_none() {
            return;
        }
        let emoji = Emoji::new(emoji);
        if self.shown == emoji {
            self.next = None;
        } else if self.next.as_ref().is_none_or(|(next, _)| *next != emoji) {
            self.next = Some((emoji, now + DEBOUNCE));
        }
    }

    /// The new one comes before the old one goes: the message is never without.
    fn show(&mut self, emoji: Option<Emoji>) {
        if self.shown == emoji {
            return;
        }
        let before = std::mem::replace(&mut self.shown, emoji.clone());
        self.outputs.extend(emoji.map(StatusOutput::Add));
        self.outputs.extend(before.map(StatusOutput::Remove));
    }
}

#[cfg(test)]
#[path = "status_reactions_tests.rs"]
mod tests;
