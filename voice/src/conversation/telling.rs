//! What the agent's history is told of answers: of an interrupted one, only what was heard.
//!
//! Three kinds of answers are spoken. Exact speech is the agent's own text; so much of it was heard
//! as of its sound. What a front end says about the result of its call, and what it answers by
//! itself, are its own words; of these the connection's [`History`](super::history::History) knows
//! which were heard. An answer of its own is written into the agent's history once it is over.
//!
//! Overflow: of answers about results the oldest is forgotten, and its history keeps the whole; an
//! answer of the front end's own is told as it is.

use std::collections::VecDeque;

use clawvoice_session::{
    UserId,
    agent::{AskedBy, RunId},
};

use super::{
    Conversation, Output,
    barge_in::ItemProgress,
    heard_words::{expected_samples, heard_words},
    lane::Lane,
};

/// Answers that are followed at a time.
const MAX_TELLINGS: usize = 64;

/// What an answer is to the agent.
#[derive(Debug)]
enum Of {
    /// It says what came of a run.
    Run(RunId),
    /// The agent has no part in it.
    Own { by: AskedBy, said: String, answered: String },
}

/// An answer in a front end's own words that is not over.
#[derive(Debug)]
struct Telling {
    lane: Lane,
    response: String,
    of: Of,
}

/// The answers that are not over.
#[derive(Debug, Default)]
pub(super) struct Tellings {
    followed: VecDeque<Telling>,
}

impl Tellings {
    /// Gives what is followed no longer to make room.
    fn push(&mut self, telling: Telling) -> Option<Telling> {
        let oldest = self.followed.len() == MAX_TELLINGS;
        let oldest = if oldest { self.followed.pop_front() } else { None };
        self.followed.push_back(telling);
        oldest
    }

    fn take(&mut self, wanted: impl Fn(&Telling) -> bool) -> Option<Telling> {
        let index = self.followed.iter().position(wanted)?;
        self.followed.remove(index)
    }
}

impl Conversation {
    /// A response begins that says what came of a run.
    pub(super) fn follow_result(&mut self, lane: Lane, response: &str, run: RunId) {
        self.follow(lane, response, Of::Run(run));
    }

    /// A front end answers somebody by itself.
    pub(super) fn follow_answer(
        &mut self,
        lane: Lane,
        response: &str,
        by: AskedBy,
        said: String,
        answered: String,
    ) {
        self.follow(lane, response, Of::Own { by, said, answered });
        // Of one without sound nothing more comes.
        self.tell_ended();
    }

    fn follow(&mut self, lane: Lane, response: &str, of: Of) {
        let telling = Telling { lane, response: response.to_owned(), of };
        if let Some(Telling { of: Of::Own { by, said, answered }, .. }) =
            self.tellings.push(telling)
        {
            self.note_turn(by, said, answered);
        }
    }

    /// Tells what is over: it was heard whole.
    pub(super) fn tell_ended(&mut self) {
        let is_over = |telling: &Telling| {
            let Telling { lane, response, .. } = telling;
            let is_queued = self.playback.of_lane(*lane).any(|a| a.response == *response);
            let mut slots = self.slots.iter().filter(|slot| slot.lane == *lane);
            let is_coming = slots.any(|slot| slot.responses.iter().any(|r| r.id == *response));
            !is_queued && !is_coming
        };
        let over: Vec<usize> = (0..self.tellings.followed.len())
            .filter(|index| self.tellings.followed.get(*index).is_some_and(is_over))
            .collect();
        for index in over.into_iter().rev() {
            if let Some(Telling { of: Of::Own { by, said, answered }, .. }) =
                self.tellings.followed.remove(index)
            {
                self.note_turn(by, said, answered);
            }
        }
    }

    /// An answer is cut: the room hears no more of its items than this. Call it when the
    /// connection's history knows. `is_done`: all of the answer had come.
    pub(super) fn tell_cut(
        &mut self,
        lane: Lane,
        response: &str,
        items: &[ItemProgress],
        is_done: bool,
    ) {
        let heard: u64 = items.iter().map(|item| item.heard).sum();
        if let Some(entry) = self.speech.spoken_by(lane, response) {
            let received = items.iter().map(|item| item.received).sum();
            let total = if is_done { received } else { expected_samples(&entry.text, received) };
            let words = heard_words(&entry.text, heard, total);
            let cut = entry.run.filter(|_| words != entry.text).map(|run| (run, words.to_owned()));
            self.outcomes.forget(&entry.text);
            if let Some((run, words)) = cut {
                self.tell_heard(run, words);
            }
            return;
        }
        let of = |telling: &Telling| telling.lane == lane && telling.response == response;
        let Some(telling) = self.tellings.take(of) else { return };
        let words = self.words_heard(lane, items);
        match telling.of {
            // Without a transcript nobody knows which words those were.
            Of::Run(_) if words.is_empty() && heard > 0 => {}
            Of::Run(run) => self.tell_heard(run, words),
            Of::Own { by, said, .. } => self.note_turn(by, said, words),
        }
    }

    /// A connection is lost: of its answers that are not whole the room hears what has come, or
    /// nothing if it has not begun to hear them.
    pub(super) fn tell_lost(&mut self, lane: Lane) {
        let answers = self.playback.of_lane(lane).filter(|answer| !answer.complete);
        let cut: Vec<(String, Vec<ItemProgress>)> = answers
            .map(|answer| {
                let mut items = answer.progress();
                if items.iter().any(|item| item.heard > 0) {
                    items.iter_mut().for_each(|item| item.heard = item.received);
                }
                (answer.response.clone(), items)
            })
            .collect();
        for (response, items) in cut {
            if let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane) {
                slot.history.cut(&items);
            }
            // What nobody has heard of exact speech is said once more.
            let is_said_again = items.iter().all(|item| item.heard == 0)
                && self.speech.is_spoken_by(lane, &response);
            if !is_said_again {
                self.tell_cut(lane, &response, &items, false);
            }
        }
    }

    /// The conversation ends: of what is being said nothing more is heard, of what waits nothing.
    pub(super) fn tell_all_cut(&mut self) {
        let under_way: Vec<(Lane, String, Vec<ItemProgress>, bool)> = self
            .playback
            .answers()
            .map(|a| (a.lane, a.response.clone(), a.progress(), a.complete))
            .collect();
        for (lane, response, items, is_done) in under_way {
            if let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane) {
                slot.history.cut(&items);
            }
            self.tell_cut(lane, &response, &items, is_done);
        }
        self.drop_waiting_speech();
        for Telling { of, .. } in std::mem::take(&mut self.tellings).followed {
            if let Of::Own { by, said, .. } = of {
                self.note_turn(by, said, String::new());
            }
        }
    }

    /// Empties the queue of exact speech of what nobody has begun to say.
    pub(super) fn drop_waiting_speech(&mut self) {
        for run in self.speech.clear_waiting() {
            self.tell_heard(run, String::new());
        }
    }

    fn words_heard(&self, lane: Lane, items: &[ItemProgress]) -> String {
        let slot = self.slots.iter().find(|slot| slot.lane == lane);
        slot.map(|slot| slot.history.words_of(items)).unwrap_or_default()
    }

    fn tell_heard(&mut self, run: RunId, text: String) {
        let session = self.settings.supervisor_session.clone();
        self.outputs.push_back(Output::Heard { session, run, text });
    }

    fn note_turn(&mut self, by: AskedBy, said: String, answered: String) {
        if said.is_empty() && answered.is_empty() {
            return;
        }
        let session = self.settings.supervisor_session.clone();
        self.outputs.push_back(Output::Note { session, by, said, answered });
    }

    /// Who a speaker is to the agent.
    pub(super) fn asker(&self, user: UserId) -> AskedBy {
        AskedBy { user, label: self.label(user), owner: self.is_owner(user) }
    }
}
