//! Agent turns without a consult tool: one after the other, what a speaker says in one breath as
//! one.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{SessionTime, UserId, agent::RunId};

use super::{Conversation, instructions};

/// Turns that may wait; the newest is refused.
const MAX_TURNS: usize = 32;

/// Words that wait for the agent.
#[derive(Debug)]
pub(super) struct QueuedTurn {
    user: UserId,
    owner: bool,
    text: String,
    /// When the speaker may be taken to have finished.
    pub(super) ready_at: SessionTime,
}

/// The room's queue.
#[derive(Debug, Default)]
pub(super) struct TurnQueue {
    turns: VecDeque<QueuedTurn>,
    /// The run that works on the last one taken out.
    pub(super) running: Option<RunId>,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl TurnQueue {
    /// Adds words: to those of the same speaker that came last, or as a turn of their own.
    pub(super) fn push(
        &mut self,
        now: SessionTime,
        debounce: Duration,
        user: UserId,
        owner: bool,
        text: &str,
    ) -> Result<(), Full> {
        let ready_at = now + debounce;
        let is_full = self.turns.len() == MAX_TURNS;
        match self.turns.back_mut() {
            Some(last) if last.user == user && now <= last.ready_at => {
                last.text.push(' ');
                last.text.push_str(text);
                // Rights are those of the least certain part.
                last.owner &= owner;
                last.ready_at = ready_at;
            }
            _ if is_full => return Err(Full),
            _ => {
                self.turns.push_back(QueuedTurn { user, owner, text: text.to_owned(), ready_at });
            }
        }
        Ok(())
    }

    pub(super) fn front(&self) -> Option<&QueuedTurn> {
        self.turns.front()
    }

    fn take_ready(&mut self, now: SessionTime) -> Option<QueuedTurn> {
        self.turns.front().filter(|turn| turn.ready_at <= now)?;
        self.turns.pop_front()
    }

    /// Empties the queue; gives how many turns went.
    fn clear(&mut self) -> usize {
        let count = self.turns.len();
        self.turns.clear();
        count
    }
}

impl Conversation {
    pub(super) fn queue_turn(&mut self, now: SessionTime, user: UserId, owner: bool, text: String) {
        let debounce = self.settings.debounce;
        if self.queue.push(now, debounce, user, owner, &text).is_err() {
            self.refuse(now, user);
        }
        self.serve_queue(now);
    }

    /// Hands the next turn to the agent when the last one is over.
    pub(super) fn serve_queue(&mut self, now: SessionTime) {
        if self.is_queue_busy() {
            return;
        }
        self.queue.running = None;
        let Some(turn) = self.queue.take_ready(now) else { return };
        let Some(consult) = self.consults.start(now, turn.user, turn.owner, turn.text) else {
            return self.refuse(now, turn.user);
        };
        self.queue.running = Some(consult.run);
        let label = self.label(consult.user);
        let message = instructions::spoken_turn(&label, &consult.question);
        let instructions = instructions::spoken_answer(self.settings.channel_prompt.as_deref());
        self.ask(now, &consult, message, Some(instructions));
    }

    pub(super) fn is_queue_busy(&self) -> bool {
        let consult = self.queue.running.and_then(|run| self.consults.find(run));
        consult.is_some_and(super::consult::Consult::is_running)
    }

    pub(super) fn drop_queued(&mut self) -> usize {
        self.queue.clear()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);
    const MS: fn(u64) -> SessionTime = SessionTime::from_millis;
    const DEBOUNCE: Duration = Duration::from_millis(350);

    #[test]
    fn only_what_one_speaker_says_in_one_breath_is_one_turn() {
        let mut queue = TurnQueue::default();
        let mut push = |at, user, text| queue.push(MS(at), DEBOUNCE, user, true, text).unwrap();
        push(0, ANN, "what is");
        push(350, ANN, "the time");
        push(400, BOB, "hello");
        push(500, ANN, "again");
        assert!(queue.take_ready(MS(699)).is_none());
        assert_eq!(
            queue.take_ready(MS(700)).map(|turn| turn.text).as_deref(),
            Some("what is the time")
        );
        assert_eq!(queue.take_ready(MS(750)).map(|turn| turn.user), Some(BOB));
        assert_eq!(queue.take_ready(MS(850)).map(|turn| turn.text).as_deref(), Some("again"));
    }

    #[test]
    fn merged_words_have_the_rights_of_the_least_certain() {
        let mut queue = TurnQueue::default();
        queue.push(MS(0), DEBOUNCE, ANN, true, "delete").unwrap();
        queue.push(MS(1), DEBOUNCE, ANN, false, "everything").unwrap();
        assert!(!queue.take_ready(MS(351)).unwrap().owner);
    }

    #[test]
    fn it_is_bounded() {
        let mut queue = TurnQueue::default();
        for n in 0..MAX_TURNS as u64 {
            queue.push(MS(n), DEBOUNCE, UserId::new(n + 1), false, "x").unwrap();
        }
        assert_eq!(queue.push(MS(99), DEBOUNCE, UserId::new(99), false, "x"), Err(Full));
        assert_eq!(queue.clear(), MAX_TURNS);
    }
}
