//! The messages that stand for an answer until it is there, and the requests that keep them up to
//! date: one at a time, not too often, and none that would change nothing.

use std::time::Duration;

use clawvoice_session::{MessageId, SessionTime};

use super::measure::utf16_len;

/// Between two requests. Source: OpenClaw, "Streaming and chunking".
pub(super) const THROTTLE: Duration = Duration::from_millis(1_200);

/// Drafts of one turn; what would be a further one is not shown.
const MAX_DRAFTS: usize = 10;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Post { text: String },
    Edit { id: MessageId, text: String },
}

#[derive(Debug, Default)]
struct Draft {
    id: Option<MessageId>,
    /// What it is to show.
    wanted: String,
    /// What Discord was last asked to show, and whether it said yes.
    asked: String,
    confirmed: bool,
    /// Its text outgrew a message: it stays as it is.
    full: bool,
}

/// The drafts of one turn.
#[derive(Debug)]
pub(super) struct Drafts {
    /// UTF-16 units.
    limit: usize,
    all: Vec<Draft>,
    /// The next text is for a new one.
    turned: bool,
    under_way: Option<usize>,
    next_at: SessionTime,
    stopped: bool,
}

impl Drafts {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            all: Vec::new(),
            turned: true,
            under_way: None,
            next_at: SessionTime::ZERO,
            stopped: false,
        }
    }

    /// The newest draft is to show this. Ignored if that would only make it shorter.
    pub(super) fn want(&mut self, text: &str) {
        let text = text.trim_end();
        if self.stopped || text.is_empty() {
            return;
        }
        if self.turned && self.all.len() < MAX_DRAFTS {
            self.turned = false;
            self.all.push(Draft::default());
        }
        let Some(draft) = self.all.last_mut().filter(|draft| !draft.full && !self.turned) else {
            return;
        };
        if utf16_len(text) > self.limit {
            draft.full = true;
        } else if !draft.wanted.starts_with(text) {
            text.clone_into(&mut draft.wanted);
        }
    }

    /// What comes next is for a new draft.
    pub(super) fn turn(&mut self) {
        self.turned = self.turned || self.all.last().is_some_and(|draft| !draft.wanted.is_empty());
    }

    /// Whether the next text begins a draft.
    pub(super) const fn begins(&self) -> bool {
        self.turned
    }

    /// The request to make now.
    pub(super) fn poll(&mut self, now: SessionTime) -> Option<Call> {
        if !self.is_free(now) {
            return None;
        }
        let (index, draft) =
            self.all.iter_mut().enumerate().find(|(_, draft)| draft.wanted != draft.asked)?;
        draft.asked.clone_from(&draft.wanted);
        draft.confirmed = false;
        let text = draft.asked.clone();
        self.under_way = Some(index);
        self.next_at = now + THROTTLE;
        Some(match draft.id {
            Some(id) => Call::Edit { id, text },
            None => Call::Post { text },
        })
    }

    /// Whether a request may be made.
    pub(super) fn is_free(&self, now: SessionTime) -> bool {
        !self.stopped && self.under_way.is_none() && self.next_at <= now
    }

    /// When a request may be made; `None` if not before the one under way has ended.
    pub(super) fn free_at(&self) -> Option<SessionTime> {
        (!self.stopped && self.under_way.is_none()).then_some(self.next_at)
    }

    /// Whether a draft is not yet as it should be.
    pub(super) fn is_behind(&self) -> bool {
        self.all.iter().any(|draft| draft.wanted != draft.asked)
    }

    /// The request under way has ended; `id`: of the message that was posted. After a failure there
    /// are no more: the next would most likely fail as well.
    pub(super) fn handle_ended(&mut self, id: Option<MessageId>, success: bool) {
        let Some(draft) = self.under_way.take().and_then(|index| self.all.get_mut(index)) else {
            return;
        };
        draft.id = draft.id.or(id);
        draft.confirmed = success;
        self.stopped |= !success;
    }

    /// No more requests.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether a request is under way.
    pub(super) const fn is_waiting(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the one draft there is was last asked to show exactly this.
    pub(super) fn was_asked(&self, text: &str) -> bool {
        matches!(self.all.as_slice(), [draft] if draft.asked == text.trim_end())
    }

    /// The one draft there is, if Discord has said that it shows exactly this.
    pub(super) fn showing(&self, text: &str) -> Option<MessageId> {
        match self.all.as_slice() {
            [draft] if draft.confirmed && draft.asked == text.trim_end() => draft.id,
            _ => None,
        }
    }

    /// Takes away one that is there.
    pub(super) fn take(&mut self) -> Option<MessageId> {
        self.all.iter_mut().find_map(|draft| draft.id.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MessageId = MessageId::new(7);

    fn at(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    fn post(text: &str) -> Option<Call> {
        Some(Call::Post { text: text.to_owned() })
    }

    fn edit(text: &str) -> Option<Call> {
        Some(Call::Edit { id: ID, text: text.to_owned() })
    }

    #[test]
    fn one_request_at_a_time_and_the_newest_text_each_time() {
        let mut drafts = Drafts::new(2000);
        drafts.want("one");
        assert_eq!(drafts.poll(at(0)), post("one"));
        drafts.want("one two");
        assert_eq!(drafts.poll(at(5000)), None, "the first is under way");
        assert_eq!(drafts.free_at(), None);
        drafts.want("one two three");
        drafts.handle_ended(Some(ID), true);
        assert_eq!(drafts.poll(at(1199)), None);
        assert_eq!(drafts.free_at(), Some(at(1200)));
        assert_eq!(drafts.poll(at(1200)), edit("one two three"));
    }

    #[test]
    fn what_would_change_nothing_or_shrink_is_left_out() {
        let mut drafts = Drafts::new(2000);
        drafts.want("one two");
        drafts.poll(at(0));
        drafts.handle_ended(Some(ID), true);
        for same in ["one two", "one two \n", "one", " ", ""] {
            drafts.want(same);
            assert!(!drafts.is_behind(), "{same:?}");
        }
        drafts.want("other");
        assert_eq!(drafts.poll(at(2000)), edit("other"));
    }

    #[test]
    fn what_outgrows_a_message_stays_as_it_was() {
        let mut drafts = Drafts::new(5);
        drafts.want("🦞🦞");
        drafts.poll(at(0));
        drafts.handle_ended(Some(ID), true);
        drafts.want("🦞🦞🦞");
        drafts.want("short");
        assert!(!drafts.is_behind());
        assert_eq!(drafts.showing("🦞🦞"), Some(ID));
    }

    #[test]
    fn after_a_failure_there_are_no_more() {
        for (id, success) in [(None, false), (Some(ID), false)] {
            let mut drafts = Drafts::new(2000);
            drafts.want("one");
            drafts.poll(at(0));
            drafts.want("one two");
            drafts.handle_ended(id, success);
            assert_eq!(drafts.poll(at(9000)), None);
            assert_eq!((drafts.showing("one"), drafts.take()), (None, id));
        }
    }

    #[test]
    fn a_draft_is_finished_before_the_next_begins() {
        let mut drafts = Drafts::new(2000);
        drafts.want("one");
        drafts.poll(at(0));
        drafts.want("one, done");
        drafts.turn();
        drafts.want("two");
        drafts.handle_ended(Some(ID), true);
        assert_eq!(drafts.poll(at(1200)), edit("one, done"));
        drafts.handle_ended(None, true);
        assert_eq!(drafts.poll(at(2400)), post("two"));
        drafts.handle_ended(Some(MessageId::new(8)), true);
        assert_eq!(
            [drafts.take(), drafts.take(), drafts.take()],
            [Some(ID), Some(MessageId::new(8)), None]
        );
    }

    #[test]
    fn drafts_are_counted() {
        let mut drafts = Drafts::new(2000);
        let mut posted = 0;
        for number in 0..20 {
            drafts.want(&format!("draft {number}"));
            drafts.turn();
            if drafts.poll(at(number * 2000)).is_some() {
                posted += 1;
                drafts.handle_ended(Some(MessageId::new(number + 1)), true);
            }
        }
        assert_eq!(posted, MAX_DRAFTS);
    }
}
