//! The order in which messages leave: one at a time per place, the oldest first. One that Discord
//! does not take for now holds up those behind it; one that it refuses does not.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use clawvoice_config::RateLimit;
use clawvoice_session::SessionTime;

use super::budget::SendBudget;

/// The first wait after a failure that may pass, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a message is worth sending: an answer from yesterday confuses more than it helps.
pub(crate) const WORTH_SENDING: Duration = Duration::from_secs(24 * 3_600);

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It is there.
    Sent,
    /// Discord will not take it, in words.
    Refused(String),
    /// Not now.
    Later(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CourierOutput<I> {
    /// Send it.
    Send(I),
    /// It is not sent any more, in words.
    GiveUp(I, String),
}

/// What waits for one place.
#[derive(Debug)]
struct Line<I> {
    waiting: VecDeque<Waiting<I>>,
    under_way: bool,
    due: SessionTime,
    failures: u32,
}

#[derive(Debug)]
struct Waiting<I> {
    id: I,
    /// Not worth sending any more from then on.
    until: SessionTime,
}

/// All that waits.
#[derive(Debug)]
pub(crate) struct Courier<I> {
    lines: HashMap<String, Line<I>>,
    budget: SendBudget,
}

/// Too many messages wait for a place: what would be one more fails, and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} messages wait to be sent there already")]
pub(crate) struct LineFull {
    /// So many.
    waiting: usize,
}

impl<I: Copy + Eq> Courier<I> {
    /// Nothing waits.
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { lines: HashMap::new(), budget: SendBudget::new(limit) }
    }

    /// The configuration was read again.
    pub(crate) fn set_limit(&mut self, limit: RateLimit) {
        self.budget.set_settings(limit);
    }

    /// Whether one more may wait for a place.
    pub(crate) fn check_room(&self, place: &str) -> Result<(), LineFull> {
        let waiting = self.lines.get(place).map_or(0, |line| line.waiting.len());
        if waiting < self.budget.most_waiting() { Ok(()) } else { Err(LineFull { waiting }) }
    }

    /// A message for a place, behind those that wait for it already. `age`: how long ago it was
    /// written.
    pub(crate) fn handle_part(&mut self, now: SessionTime, place: &str, id: I, age: Duration) {
        let until = now + WORTH_SENDING.saturating_sub(age);
        let line = self.lines.entry(place.to_owned()).or_insert_with(|| Line {
            waiting: VecDeque::new(),
            under_way: false,
            due: now,
            failures: 0,
        });
        line.waiting.push_back(Waiting { id, until });
    }

    /// An attempt ended.
    pub(crate) fn handle_attempt(&mut self, now: SessionTime, place: &str, attempt: &Attempt) {
        let Some(line) = self.lines.get_mut(place) else { return };
        line.under_way = false;
        if let Attempt::Later(_) = attempt {
            line.due = now + wait(line.failures);
            line.failures = line.failures.saturating_add(1);
        } else {
            line.waiting.pop_front();
            line.failures = 0;
        }
        if line.waiting.is_empty() {
            self.lines.remove(place);
        }
    }

    /// What is to be done now, and for which place.
    pub(crate) fn poll_output(&mut self, now: SessionTime) -> Option<(String, CourierOutput<I>)> {
        let budget = &self.budget;
        let ready = |place: &str, line: &Line<I>| {
            !line.under_way && line.due.max(budget.free_at(place)) <= now
        };
        let mut lines = self.lines.iter_mut();
        let (place, line) = lines.find(|(place, line)| ready(place, line))?;
        let place = place.clone();
        let first = line.waiting.front()?;
        let id = first.id;
        if first.until > now {
            line.under_way = true;
            self.budget.handle_sent(now, &place);
            return Some((place, CourierOutput::Send(id)));
        }
        line.waiting.pop_front();
        if line.waiting.is_empty() {
            self.lines.remove(&place);
        }
        Some((place, CourierOutput::GiveUp(id, "Discord did not take it within a day".to_owned())))
    }

    /// When there may be something to do.
    pub(crate) fn poll_timeout(&self) -> Option<SessionTime> {
        let waiting = self.lines.iter().filter(|(_, line)| !line.under_way);
        waiting.map(|(place, line)| line.due.max(self.budget.free_at(place))).min()
    }
}

fn wait(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(1)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use clawvoice_config::RateStrategy;
    use proptest::prelude::*;

    use super::*;

    const START: SessionTime = SessionTime::ZERO;

    fn at(seconds: u64) -> SessionTime {
        START + Duration::from_secs(seconds)
    }

    fn courier(burst_protection: bool, max_queue: u32) -> Courier<u64> {
        let strategy = RateStrategy::Queue;
        Courier::new(RateLimit { enabled: true, strategy, max_queue, burst_protection })
    }

    fn later() -> Attempt {
        Attempt::Later("status 503".to_owned())
    }

    #[test]
    fn one_at_a_time_per_place_in_order() {
        let mut courier = courier(false, 50);
        for (place, id) in [("1", 10), ("1", 11), ("2", 20)] {
            courier.handle_part(START, place, id, Duration::ZERO);
        }
        let mut first: Vec<_> = std::iter::from_fn(|| courier.poll_output(START)).collect();
        first.sort_by_key(|(place, _)| place.clone());
        let send = |place: &str, id| (place.to_owned(), CourierOutput::Send(id));
        assert_eq!(first, [send("1", 10), send("2", 20)]);
        courier.handle_attempt(START, "1", &Attempt::Refused("no".to_owned()));
        assert_eq!(courier.poll_output(START), Some(send("1", 11)));
        assert_eq!(courier.poll_output(START), None);
        courier.handle_attempt(START, "1", &Attempt::Sent);
        courier.handle_attempt(START, "2", &Attempt::Sent);
        assert!(courier.lines.is_empty() && courier.poll_timeout().is_none());
    }

    #[test]
    fn what_may_pass_is_tried_again_and_keeps_its_place() {
        let mut courier = courier(false, 50);
        courier.handle_part(START, "1", 10, Duration::ZERO);
        courier.handle_part(START, "1", 11, Duration::ZERO);
        let send = Some(("1".to_owned(), CourierOutput::Send(10)));
        let mut now = START;
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(courier.poll_output(now), send);
            courier.handle_attempt(now, "1", &later());
            assert_eq!(courier.poll_timeout(), Some(now + Duration::from_secs(seconds)));
            assert_eq!(courier.poll_output(now), None);
            now += Duration::from_secs(seconds);
        }
        assert_eq!(courier.poll_output(now), send);
        courier.handle_attempt(now, "1", &Attempt::Sent);
        courier.poll_output(now);
        courier.handle_attempt(now, "1", &later());
        assert_eq!(courier.poll_timeout(), Some(now + FIRST_WAIT));
    }

    #[test]
    fn an_answer_from_yesterday_is_given_up() {
        let mut courier = courier(false, 50);
        courier.handle_part(START, "1", 10, Duration::from_secs(86_399));
        courier.handle_part(START, "1", 11, Duration::from_secs(86_401));
        assert!(matches!(courier.poll_output(at(0)), Some((_, CourierOutput::Send(10)))));
        courier.handle_attempt(at(0), "1", &later());
        for id in [10, 11] {
            let Some((_, CourierOutput::GiveUp(given_up, _))) = courier.poll_output(at(1)) else {
                panic!("not given up")
            };
            assert_eq!(given_up, id);
        }
        assert!(courier.lines.is_empty());
    }

    #[test]
    fn one_too_many_is_refused_and_nothing_else_is_lost() {
        let mut courier = courier(true, 3);
        for id in 0..3 {
            courier.check_room("1").unwrap();
            courier.handle_part(START, "1", id, Duration::ZERO);
        }
        let full = courier.check_room("1").unwrap_err();
        assert_eq!(full.to_string(), "3 messages wait to be sent there already");
        courier.check_room("2").unwrap();
        courier.poll_output(START);
        courier.handle_attempt(START, "1", &Attempt::Sent);
        courier.check_room("1").unwrap();
    }

    proptest! {
        #[test]
        fn never_more_than_five_in_five_seconds_and_in_order(
            waits in prop::collection::vec(0_u64..2_000, 1..80),
        ) {
            let mut courier = courier(true, 10_000);
            let (mut now, mut sent) = (START, Vec::new());
            for (id, wait) in (0_u64..).zip(&waits) {
                now += Duration::from_millis(*wait);
                courier.handle_part(now, "1", id, Duration::ZERO);
                while let Some((place, CourierOutput::Send(id))) = courier.poll_output(now) {
                    sent.push((id, now));
                    courier.handle_attempt(now, &place, &Attempt::Sent);
                }
            }
            while let Some(due) = courier.poll_timeout() {
                prop_assert!(due > now, "it does not spin");
                now = due;
                while let Some((place, CourierOutput::Send(id))) = courier.poll_output(now) {
                    sent.push((id, now));
                    courier.handle_attempt(now, &place, &Attempt::Sent);
                }
            }
            let ids: Vec<u64> = sent.iter().map(|(id, _)| *id).collect();
            prop_assert_eq!(ids, (0..waits.len() as u64).collect::<Vec<_>>());
            for window in sent.windows(6) {
                prop_assert!(window[5].1.since(window[0].1) >= Duration::from_secs(5));
            }
        }
    }
}
