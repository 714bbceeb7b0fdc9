//! Exact speech: what the front end must say word for word, one after the other.
//!
//! There is one queue for the room, because there is one player. An entry stays until it was
//! spoken: a connection that is lost before a sound of it was heard says it again, once.
//!
//! Overflow: the entry that does not fit ends the conversation; an answer is never dropped in
//! silence.

use std::collections::VecDeque;

use clawvoice_session::{UserId, agent::RunId};

use super::lane::Lane;

/// Most entries, the one being spoken included.
const MAX_ENTRIES: usize = 32;
/// Most text of all entries, in bytes.
const MAX_BYTES: usize = 32 * 1024;

/// There is no room for another entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// How far the entry at the head is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Not asked for.
    Waiting,
    /// Asked for; its response has not begun.
    Asked(Lane),
    /// The front end says it in this response.
    Spoken(Lane, String),
}

/// One thing to say.
#[derive(Debug)]
pub(super) struct Entry {
    /// To whom: on their connection it is said.
    user: UserId,
    pub(super) text: String,
    /// The run that it is the answer of; `None`: it is of our own.
    pub(super) run: Option<RunId>,
    /// It was lost once already.
    replayed: bool,
}

/// The room's queue.
#[derive(Debug)]
pub(super) struct ExactSpeech {
    entries: VecDeque<Entry>,
    stage: Stage,
    /// The last entry that was finished: a front end that asks about its own words is known by it.
    last: Option<String>,
}

impl ExactSpeech {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), stage: Stage::Waiting, last: None }
    }

    /// Entries, the one being spoken included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Puts words at the end.
    pub(super) fn push(
        &mut self,
        user: UserId,
        text: String,
        run: Option<RunId>,
    ) -> Result<(), Overflow> {
        let bytes: usize = self.entries.iter().map(|entry| entry.text.len()).sum();
        if self.entries.len() == MAX_ENTRIES || bytes + text.len() > MAX_BYTES {
            return Err(Overflow);
        }
        self.entries.push_back(Entry { user, text, run, replayed: false });
        Ok(())
    }

    /// What to say next and to whom, if nothing is being said.
    pub(super) fn next(&self) -> Option<(UserId, &str)> {
        let entry = self.entries.front().filter(|_| self.stage == Stage::Waiting)?;
        Some((entry.user, &entry.text))
    }

    /// The head was asked for on a connection.
    pub(super) fn asked(&mut self, lane: Lane) {
        self.stage = Stage::Asked(lane);
    }

    /// A response of ours began on a connection: it is the head's if that was asked for there.
    pub(super) fn begun(&mut self, lane: Lane, response: &str) {
        if self.stage == Stage::Asked(lane) {
            self.stage = Stage::Spoken(lane, response.to_owned());
        }
    }

    /// Whether the head was asked for on this connection and no response has begun.
    pub(super) fn is_asked_on(&self, lane: Lane) -> bool {
        self.stage == Stage::Asked(lane)
    }

    /// Whether this response says the head.
    pub(super) fn is_spoken_by(&self, lane: Lane, response: &str) -> bool {
        matches!(&self.stage, Stage::Spoken(at, id) if *at == lane && id == response)
    }

    /// The head, if this response says it.
    pub(super) fn spoken_by(&self, lane: Lane, response: &str) -> Option<&Entry> {
        self.entries.front().filter(|_| self.is_spoken_by(lane, response))
    }

    /// The response that says the head.
    pub(super) fn response(&self) -> Option<(Lane, &str)> {
        match &self.stage {
            Stage::Spoken(lane, response) => Some((*lane, response)),
            Stage::Waiting | Stage::Asked(_) => None,
        }
    }

    /// The head is over, spoken or not: the next may go.
    pub(super) fn release(&mut self) {
        if self.stage != Stage::Waiting {
            self.last = self.entries.pop_front().map(|entry| entry.text);
            self.stage = Stage::Waiting;
        }
    }

    /// The response that was taken for the head's is not: the next one on that connection is.
    /// `false`: it was taken for nothing of ours.
    pub(super) fn unbind(&mut self, lane: Lane) -> bool {
        let is_bound = matches!(&self.stage, Stage::Spoken(at, _) if *at == lane);
        if is_bound {
            self.stage = Stage::Asked(lane);
        }
        is_bound
    }

    /// The connection that was to say the head is gone. `audible`: some of it was heard, so that it
    /// must not begin anew.
    pub(super) fn lost(&mut self, lane: Lane, audible: bool) {
        let affected = match &self.stage {
            Stage::Asked(at) | Stage::Spoken(at, _) => *at == lane,
            Stage::Waiting => false,
        };
        if !affected {
            return;
        }
        match self.entries.front_mut() {
            Some(head) if !audible && !head.replayed => {
                head.replayed = true;
                self.stage = Stage::Waiting;
            }
            _ => self.release(),
        }
    }

    /// Empties the queue of what nobody has begun to say; gives the runs that it was of.
    pub(super) fn clear_waiting(&mut self) -> Vec<RunId> {
        let kept = usize::from(self.stage != Stage::Waiting).min(self.entries.len());
        self.entries.drain(kept..).filter_map(|entry| entry.run).collect()
    }

    /// The words that are, or were last, to be said, if `text` is them.
    pub(super) fn echoed(&self, text: &str) -> Option<&str> {
        let same = |words: &&str| super::question::same_words(words, text);
        let waiting = self.entries.iter().map(|entry| entry.text.as_str());
        waiting.chain(self.last.as_deref()).find(same)
    }
}

/// The instruction that makes a front end say `text` and nothing else.
pub(super) fn instruction(text: &str) -> String {
    let quoted = serde_json::Value::from(text);
    format!(
        "Internal exact answer: do not call a tool, add nothing and leave nothing out. Say this \
         JSON-quoted text verbatim: {quoted}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new(1);
    const LANE: Lane = Lane::new(0);

    fn queue(texts: &[&str]) -> ExactSpeech {
        let mut queue = ExactSpeech::new();
        for text in texts {
            queue.push(ANN, (*text).to_owned(), None).unwrap();
        }
        queue
    }

    #[test]
    fn one_at_a_time_in_order() {
        let mut queue = queue(&["one", "two"]);
        assert_eq!(queue.next(), Some((ANN, "one")));
        queue.asked(LANE);
        assert_eq!(queue.next(), None, "one is under way");
        queue.begun(Lane::new(1), "other");
        assert!(queue.is_asked_on(LANE), "a response elsewhere is not it");
        queue.begun(LANE, "r");
        assert!(queue.is_spoken_by(LANE, "r") && !queue.is_spoken_by(LANE, "s"));
        assert_eq!(queue.next(), None);
        queue.release();
        assert_eq!(queue.next(), Some((ANN, "two")));
        queue.release();
        assert_eq!(queue.len(), 1, "nothing was under way");
    }

    #[test]
    fn voice_scenario_45_the_thirty_third_does_not_fit() {
        let mut queue = queue(&["x"; 32]);
        assert_eq!(queue.push(ANN, "y".into(), None), Err(Overflow));
        queue.asked(LANE);
        assert_eq!(queue.push(ANN, "y".into(), None), Err(Overflow), "the active one counts");
        queue.release();
        assert_eq!(queue.push(ANN, "y".into(), None), Ok(()));
        let mut queue = ExactSpeech::new();
        queue.push(ANN, "x".repeat(MAX_BYTES), None).unwrap();
        assert_eq!(queue.push(ANN, "y".into(), None), Err(Overflow));
    }

    #[test]
    fn voice_scenario_46_what_was_not_heard_is_said_once_more() {
        let mut queue = queue(&["one", "two"]);
        queue.asked(LANE);
        queue.lost(Lane::new(9), false);
        assert!(queue.is_asked_on(LANE), "another connection's loss is not ours");
        queue.lost(LANE, false);
        assert_eq!(queue.next(), Some((ANN, "one")), "again");
        queue.asked(LANE);
        queue.begun(LANE, "r");
        queue.lost(LANE, false);
        assert_eq!(queue.next(), Some((ANN, "two")), "but once");
        queue.asked(LANE);
        queue.begun(LANE, "s");
        queue.lost(LANE, true);
        assert_eq!(queue.next(), None, "heard in part: not begun anew");
    }

    #[test]
    fn clearing_leaves_what_is_being_said() {
        let mut queue = queue(&["one", "two"]);
        queue.push(ANN, "three".into(), Some(RunId::new(3))).unwrap();
        queue.asked(LANE);
        assert_eq!(queue.clear_waiting(), [RunId::new(3)]);
        assert_eq!(queue.len(), 1);
        queue.release();
        assert_eq!(queue.clear_waiting(), []);
        assert_eq!(queue.echoed("One!"), Some("one"), "the last words are remembered");
        assert_eq!(queue.echoed("two"), None);
    }

    #[test]
    fn the_text_is_quoted() {
        let text = instruction("say \"no\"\nand go");
        assert!(text.ends_with(r#""say \"no\"\nand go""#), "{text}");
    }
}
