//! The order of a session's runs: one at a time, the others wait; and how the active one is told
//! to stop or to do something else.
//!
//! A plain machine. Its owner feeds it what is asked and how far the active run is, and carries
//! out what [`RunQueue::poll_output`] gives. It needs no time: nothing here ends by itself.

use std::collections::VecDeque;

use super::{Control, ControlOutcome, ControlRefusal, RunActivity, RunId};

/// Turns that may wait in one session; one more is refused.
pub const MAX_WAITING: usize = 32;

/// Words that may wait for the active run, steers and follow-ups together; more are refused.
pub const MAX_WORDS: usize = 16;

/// Names one run for certain: askers may choose the same [`RunId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Why a turn that waited never ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It was cancelled.
    Cancelled,
    /// [`MAX_WAITING`] others wait already.
    Full,
    /// The agent shuts down.
    Closed,
}

/// What the owner has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum QueueOutput<A> {
    /// Run this; call [`RunQueue::handle_over`] when nothing of it runs any more.
    Begin {
        /// The run.
        ticket: Ticket,
        /// What was asked.
        ask: A,
    },
    /// Stop the active run's work at once, then call [`RunQueue::handle_over`].
    Stop(Ticket),
    /// Tell the asker that this will not run.
    Drop {
        /// What was asked.
        ask: A,
        /// Why it does not run.
        why: Dropped,
    },
}

/// What follows a final answer of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAnswer {
    /// Words came meanwhile: ask the model once more, with what [`RunQueue::take_words`] gives.
    GoOn,
    /// The run is over; it takes no more words.
    Over,
    /// It was told to stop meanwhile: the answer does not count.
    Stopped,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// It may be steered and cancelled.
    Open,
    /// Its last answer is in and being written down.
    Closing,
    /// It was told to stop.
    Stopping,
}

#[derive(Debug)]
struct Active {
    ticket: Ticket,
    run: RunId,
    stage: Stage,
    activity: RunActivity,
    /// For the next model call.
    steers: VecDeque<String>,
    /// For after the current step, one each.
    follow_ups: VecDeque<String>,
}

#[derive(Debug)]
struct Waiting<A> {
    ticket: Ticket,
    run: RunId,
    ask: A,
}

/// The runs of one session. `A` is what the owner needs to run one.
#[derive(Debug)]
pub struct RunQueue<A> {
    next_ticket: u64,
    active: Option<Active>,
    waiting: VecDeque<Waiting<A>>,
    outputs: VecDeque<QueueOutput<A>>,
    closed: bool,
}

impl<A> Default for RunQueue<A> {
    fn default() -> Self {
        Self {
            next_ticket: 0,
            active: None,
            waiting: VecDeque::new(),
            outputs: VecDeque::new(),
            closed: false,
        }
    }
}

impl<A> RunQueue<A> {
    /// A turn is asked for: it runs at once, waits, or is dropped.
    pub fn handle_ask(&mut self, run: RunId, ask: A) {
        let why = match (self.closed, self.waiting.len()) {
            (true, _) => Dropped::Closed,
            (false, MAX_WAITING..) => Dropped::Full,
            (false, _) => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.waiting.push_back(Waiting { ticket, run, ask });
                self.begin_next();
                return;
            }
        };
        self.outputs.push_back(QueueOutput::Drop { ask, why });
    }

    /// Somebody controls the active run. A run whose last answer is in counts as over.
    pub fn handle_control(&mut self, control: Control) -> ControlOutcome {
        let Some(active) = &mut self.active else { return ControlOutcome::NoActiveRun };
        match (&active.stage, control) {
            (Stage::Open, Control::Status) => ControlOutcome::Status(active.activity.clone()),
            (Stage::Closing | Stage::Stopping, Control::Status) => {
                ControlOutcome::Status(RunActivity::Working)
            }
            (Stage::Stopping, Control::Cancel) => ControlOutcome::Done,
            (Stage::Closing | Stage::Stopping, _) => ControlOutcome::NoActiveRun,
            (Stage::Open, Control::Cancel) => {
                self.stop_active();
                ControlOutcome::Done
            }
            (Stage::Open, Control::Steer(words)) => active.take_in(words, true),
            (Stage::Open, Control::FollowUp(words)) => active.take_in(words, false),
        }
    }

    /// Cancels what bears that name, waiting or active.
    pub fn handle_cancel(&mut self, run: RunId) {
        for index in (0..self.waiting.len()).rev() {
            if self.waiting.get(index).is_some_and(|waiting| waiting.run == run)
                && let Some(Waiting { ask, .. }) = self.waiting.remove(index)
            {
                self.outputs.push_back(QueueOutput::Drop { ask, why: Dropped::Cancelled });
            }
        }
        let open = |active: &Active| active.run == run && active.stage == Stage::Open;
        if self.active.as_ref().is_some_and(open) {
            self.stop_active();
        }
    }

    /// The active run does something else now.
    pub fn handle_activity(&mut self, ticket: Ticket, activity: RunActivity) {
        if let Some(active) = self.active_of(ticket) {
            active.activity = activity;
        }
    }

    /// The words that belong into the model call that the active run makes next.
    pub fn take_words(&mut self, ticket: Ticket) -> Vec<String> {
        self.active_of(ticket).map(|active| active.steers.drain(..).collect()).unwrap_or_default()
    }

    /// The model gave an answer that asks for nothing more.
    pub fn handle_answer(&mut self, ticket: Ticket) -> AfterAnswer {
        let Some(active) = self.active_of(ticket) else { return AfterAnswer::Stopped };
        if active.steers.is_empty()
            && let Some(words) = active.follow_ups.pop_front()
        {
            active.steers.push_back(words);
        }
        if active.steers.is_empty() {
            active.stage = Stage::Closing;
            AfterAnswer::Over
        } else {
            AfterAnswer::GoOn
        }
    }

    /// Nothing of the run runs any more: the next may begin.
    pub fn handle_over(&mut self, ticket: Ticket) {
        if self.active.as_ref().is_some_and(|active| active.ticket == ticket) {
            self.active = None;
            self.begin_next();
        }
    }

    /// The agent shuts down: nothing begins any more, the active run stops.
    pub fn handle_close(&mut self) {
        self.closed = true;
        for Waiting { ask, .. } in self.waiting.drain(..) {
            self.outputs.push_back(QueueOutput::Drop { ask, why: Dropped::Closed });
        }
        if self.active.as_ref().is_some_and(|active| active.stage == Stage::Open) {
            self.stop_active();
        }
    }

    /// The next thing to do, oldest first.
    pub fn poll_output(&mut self) -> Option<QueueOutput<A>> {
        self.outputs.pop_front()
    }

    /// Whether nothing runs, waits or is left to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.active.is_none() && self.waiting.is_empty() && self.outputs.is_empty()
    }

    fn active_of(&mut self, ticket: Ticket) -> Option<&mut Active> {
        self.active.as_mut().filter(|a| a.ticket == ticket && a.stage == Stage::Open)
    }

    fn stop_active(&mut self) {
        if let Some(active) = &mut self.active {
            active.stage = Stage::Stopping;
            self.outputs.push_back(QueueOutput::Stop(active.ticket));
        }
    }

    fn begin_next(&mut self) {
        if self.active.is_some() {
            return;
        }
        if let Some(Waiting { ticket, run, ask }) = self.waiting.pop_front() {
            self.active = Some(Active {
                ticket,
                run,
                stage: Stage::Open,
                activity: RunActivity::Working,
                steers: VecDeque::new(),
                follow_ups: VecDeque::new(),
            });
            self.outputs.push_back(QueueOutput::Begin { ticket, ask });
        }
    }
}

impl Active {
    fn take_in(&mut self, words: String, now: bool) -> ControlOutcome {
        if self.steers.len() + self.follow_ups.len() >= MAX_WORDS {
            return ControlOutcome::Refused(ControlRefusal::NotSteerable);
        }
        if now { &mut self.steers } else { &mut self.follow_ups }.push_back(words);
        ControlOutcome::Done
    }
}

#[cfg(test)]
mod plain_model;

#[cfg(test)]
mod tests {
    use super::*;

    type Queue = RunQueue<&'static str>;

    fn drain<A>(queue: &mut RunQueue<A>) -> Vec<QueueOutput<A>> {
        std::iter::from_fn(|| queue.poll_output()).collect()
    }

    fn begin(queue: &mut Queue, run: u64, ask: &'static str) -> Ticket {
        queue.handle_ask(RunId::new(run), ask);
        match drain(queue).as_slice() {
            [QueueOutput::Begin { ticket, ask: begun }] if *begun == ask => *ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_runs_and_the_next_begins_when_it_is_over() {
        let mut queue = Queue::default();
        let first = begin(&mut queue, 1, "a");
        queue.handle_ask(RunId::new(2), "b");
        assert_eq!(drain(&mut queue), []);
        assert_eq!(queue.handle_answer(first), AfterAnswer::Over);
        assert_eq!(drain(&mut queue), []);
        queue.handle_over(first);
        assert!(matches!(drain(&mut queue)[..], [QueueOutput::Begin { ask: "b", .. }]));
    }

    #[test]
    fn a_full_queue_refuses_one_more() {
        let mut queue = Queue::default();
        begin(&mut queue, 0, "active");
        for run in 1..=MAX_WAITING as u64 {
            queue.handle_ask(RunId::new(run), "waits");
        }
        assert_eq!(drain(&mut queue), []);
        queue.handle_ask(RunId::new(99), "too many");
        assert_eq!(drain(&mut queue), [QueueOutput::Drop { ask: "too many", why: Dropped::Full }]);
    }

    #[test]
    fn cancel_stops_the_active_run_and_drops_a_waiting_one() {
        let mut queue = Queue::default();
        let first = begin(&mut queue, 1, "a");
        queue.handle_ask(RunId::new(2), "b");
        queue.handle_ask(RunId::new(3), "c");
        queue.handle_cancel(RunId::new(2));
        assert_eq!(drain(&mut queue), [QueueOutput::Drop { ask: "b", why: Dropped::Cancelled }]);
        assert_eq!(queue.handle_control(Control::Cancel), ControlOutcome::Done);
        assert_eq!(drain(&mut queue), [QueueOutput::Stop(first)]);
        assert_eq!(queue.handle_answer(first), AfterAnswer::Stopped, "its answer came too late");
        // Once is enough, however often it is said.
        assert_eq!(queue.handle_control(Control::Cancel), ControlOutcome::Done);
        queue.handle_cancel(RunId::new(1));
        assert_eq!(drain(&mut queue), []);
        queue.handle_over(first);
        assert!(matches!(drain(&mut queue)[..], [QueueOutput::Begin { ask: "c", .. }]));
    }

    #[test]
    fn a_steer_reaches_the_next_model_call() {
        let mut queue = Queue::default();
        let run = begin(&mut queue, 1, "a");
        assert_eq!(queue.handle_control(Control::Steer("x".into())), ControlOutcome::Done);
        assert_eq!(queue.take_words(run), ["x"]);
        assert_eq!(queue.take_words(run), [""; 0]);
        assert_eq!(queue.handle_answer(run), AfterAnswer::Over);
    }

    #[test]
    fn a_steer_during_the_last_answer_makes_the_run_go_on() {
        let mut queue = Queue::default();
        let run = begin(&mut queue, 1, "a");
        assert_eq!(queue.take_words(run), [""; 0]);
        queue.handle_control(Control::Steer("x".into()));
        assert_eq!(queue.handle_answer(run), AfterAnswer::GoOn);
        assert_eq!(queue.take_words(run), ["x"]);
        assert_eq!(queue.handle_answer(run), AfterAnswer::Over);
    }

    #[test]
    fn follow_ups_wait_for_the_answer_and_come_one_at_a_time() {
        let mut queue = Queue::default();
        let run = begin(&mut queue, 1, "a");
        queue.handle_control(Control::FollowUp("x".into()));
        queue.handle_control(Control::FollowUp("y".into()));
        assert_eq!(queue.take_words(run), [""; 0]);
        for expected in ["x", "y"] {
            assert_eq!(queue.handle_answer(run), AfterAnswer::GoOn);
            assert_eq!(queue.take_words(run), [expected]);
        }
        assert_eq!(queue.handle_answer(run), AfterAnswer::Over);
    }

    #[test]
    fn a_run_whose_answer_is_in_takes_no_more_words() {
        let mut queue = Queue::default();
        let run = begin(&mut queue, 1, "a");
        queue.handle_answer(run);
        for control in [Control::Steer("x".into()), Control::FollowUp("x".into()), Control::Cancel]
        {
            assert_eq!(queue.handle_control(control), ControlOutcome::NoActiveRun);
        }
        assert_eq!(
            queue.handle_control(Control::Status),
            ControlOutcome::Status(RunActivity::Working)
        );
    }

    #[test]
    fn words_are_bounded() {
        let mut queue = Queue::default();
        begin(&mut queue, 1, "a");
        for _ in 0..MAX_WORDS {
            assert_eq!(queue.handle_control(Control::Steer("x".into())), ControlOutcome::Done);
        }
        assert_eq!(
            queue.handle_control(Control::FollowUp("x".into())),
            ControlOutcome::Refused(ControlRefusal::NotSteerable)
        );
    }

    #[test]
    fn status_says_what_the_run_does() {
        let mut queue = Queue::default();
        assert_eq!(queue.handle_control(Control::Status), ControlOutcome::NoActiveRun);
        let run = begin(&mut queue, 1, "a");
        for activity in
            [RunActivity::Model, RunActivity::Tool("clock".into()), RunActivity::Working]
        {
            queue.handle_activity(run, activity.clone());
            assert_eq!(queue.handle_control(Control::Status), ControlOutcome::Status(activity));
        }
    }

    #[test]
    fn closing_drops_what_waits_and_stops_what_runs() {
        let mut queue = Queue::default();
        let run = begin(&mut queue, 1, "a");
        queue.handle_ask(RunId::new(2), "b");
        queue.handle_close();
        queue.handle_ask(RunId::new(3), "c");
        assert_eq!(
            drain(&mut queue),
            [
                QueueOutput::Drop { ask: "b", why: Dropped::Closed },
                QueueOutput::Stop(run),
                QueueOutput::Drop { ask: "c", why: Dropped::Closed },
            ]
        );
        queue.handle_over(run);
        assert!(queue.is_idle());
    }
}
