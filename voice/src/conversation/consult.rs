//! Questions to the agent: one run a question, whoever noticed it first.
//!
//! A final transcript becomes a *forced* consult: it waits a moment for the front end's own call
//! about the same thing, and otherwise goes to the agent by itself; its answer is exact speech. A
//! *call* of the front end gets its answer as a tool result. The same question asked twice within
//! a short time is one run.
//!
//! Overflow: the oldest finished consult is forgotten first; while too many are under way, a new
//! question is refused.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{SessionTime, UserId, agent::RunId};

use super::{lane::Lane, phrases::PROGRESS_AFTER, question::same_question};

/// How long a transcript waits for the front end's own call about it.
const FORCED_DELAY: Duration = Duration::from_millis(200);
/// How long a finished consult answers the same question.
const MEMORY: Duration = Duration::from_secs(15);
/// Consults that are under way at a time.
const MAX_ACTIVE: usize = 16;
/// Consults that are remembered: those of a full room in [`MEMORY`].
const MAX_CONSULTS: usize = 128;
/// Calls that are told apart from their repetitions.
const MAX_SEEN: usize = 64;

/// A tool call of a front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) lane: Lane,
    pub(super) id: String,
    /// The function's name.
    pub(super) tool: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Answer(String),
    Cancelled,
    /// With what is said instead of an answer.
    Failed(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Waits for the front end's own call.
    Pending {
        until: SessionTime,
    },
    Running,
    Over {
        ending: Ending,
        at: SessionTime,
    },
}

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Consult {
    pub(super) run: RunId,
    pub(super) user: UserId,
    /// Whether the user may be taken for the owner in it.
    pub(super) owner: bool,
    pub(super) question: String,
    pub(super) began: SessionTime,
    /// Its answer is spoken without the front end having asked.
    pub(super) forced: bool,
    calls: Vec<Call>,
    state: State,
    /// The front end is told at last by then that there is no answer.
    deadline: Option<SessionTime>,
    progress_told: bool,
}

impl Consult {
    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running
    }
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The run is to be started.
    Start(RunId),
    /// A run about it is under way; the call gets its answer.
    Joined,
    /// It was answered just now.
    Reused(Ending),
    /// The answer to it was already spoken.
    AlreadyDelivered,
    /// This call came before: it has its answer, or will get it.
    Repeated,
    /// Too much is being asked.
    Refused,
}

/// Who is to hear the end of a run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) run: RunId,
    pub(super) user: UserId,
    pub(super) forced: bool,
    pub(super) began: SessionTime,
    /// Calls that get it as their result.
    pub(super) calls: Vec<Call>,
}

/// The room's questions.
#[derive(Debug, Default)]
pub(super) struct Consults {
    entries: VecDeque<Consult>,
    seen: VecDeque<Call>,
    next_run: u64,
}

impl Consults {
    /// `first_run`: number of the first run.
    pub(super) fn new(first_run: u64) -> Self {
        Self { next_run: first_run, ..Self::default() }
    }

    /// A fresh name for a run.
    pub(super) fn name_run(&mut self) -> RunId {
        let run = RunId::new(self.next_run);
        self.next_run += 1;
        run
    }

    /// A transcript that goes to the agent unless the front end asks by itself. `false`: refused.
    pub(super) fn expect(
        &mut self,
        now: SessionTime,
        user: UserId,
        owner: bool,
        question: String,
    ) -> bool {
        self.forget(now);
        if !self.make_room() {
            return false;
        }
        let run = self.name_run();
        self.entries.push_back(Consult {
            run,
            user,
            owner,
            question,
            began: now,
            forced: true,
            calls: Vec::new(),
            state: State::Pending { until: now + FORCED_DELAY },
            deadline: None,
            progress_told: false,
        });
        true
    }

    /// A transcript that the front end has already asked about, or was just answered: no run.
    pub(super) fn is_covered(&mut self, now: SessionTime, user: UserId, question: &str) -> bool {
        self.forget(now);
        self.entries.iter().any(|consult| {
            consult.user == user && !consult.forced && same_question(&consult.question, question)
        })
    }

    /// Whether the agent was asked this just now.
    pub(super) fn is_known(&mut self, now: SessionTime, user: UserId, question: &str) -> bool {
        self.forget(now);
        let asked = |consult: &Consult| same_question(&consult.question, question);
        self.entries.iter().any(|consult| consult.user == user && asked(consult))
    }

    /// Consults whose wait is over: their runs start.
    pub(super) fn take_due(&mut self, now: SessionTime) -> Vec<Consult> {
        let mut due = Vec::new();
        for consult in &mut self.entries {
            if matches!(consult.state, State::Pending { until } if until <= now) {
                consult.state = State::Running;
                due.push(consult.clone());
            }
        }
        due
    }

    /// A question that starts at once and whose answer is spoken.
    pub(super) fn start(
        &mut self,
        now: SessionTime,
        user: UserId,
        owner: bool,
        question: String,
    ) -> Option<Consult> {
        if !self.expect(now, user, owner, question) {
            return None;
        }
        let consult = self.entries.back_mut()?;
        consult.state = State::Running;
        Some(consult.clone())
    }

    /// The front end of `user` asks. `deadline`: by then the call gets an answer, whatever it is.
    pub(super) fn call(
        &mut self,
        now: SessionTime,
        user: UserId,
        owner: bool,
        call: Call,
        question: &str,
        deadline: SessionTime,
    ) -> Verdict {
        self.forget(now);
        if !self.note_call(&call) {
            return Verdict::Repeated;
        }
        let of_user = |consult: &&mut Consult| {
            consult.user == user && same_question(&consult.question, question)
        };
        if let Some(known) = self.entries.iter_mut().rev().find(of_user) {
            match &known.state {
                State::Pending { .. } => {
                    known.forced = false;
                    known.calls.push(call);
                    known.state = State::Running;
                    known.deadline = Some(deadline);
                    return Verdict::Start(known.run);
                }
                State::Running => {
                    known.calls.push(call);
                    known.deadline.get_or_insert(deadline);
                    return Verdict::Joined;
                }
                State::Over { ending: Ending::Answer(_), .. } if known.forced => {
                    return Verdict::AlreadyDelivered;
                }
                State::Over { ending: ending @ Ending::Answer(_), .. } => {
                    return Verdict::Reused(ending.clone());
                }
                // What failed or was cancelled may be tried again.
                State::Over { .. } => {}
            }
        }
        if !self.make_room() {
            return Verdict::Refused;
        }
        let run = self.name_run();
        self.entries.push_back(Consult {
            run,
            user,
            owner,
            question: question.to_owned(),
            began: now,
            forced: false,
            calls: vec![call],
            state: State::Running,
            deadline: Some(deadline),
            progress_told: false,
        });
        Verdict::Start(run)
    }

    /// Notes a call that is answered without a run; `false`: it came before.
    pub(super) fn note_stray(&mut self, call: &Call) -> bool {
        self.note_call(call)
    }

    /// A run is over: who hears of it. `None`: not ours, or nobody waits any more.
    pub(super) fn finish(
        &mut self,
        now: SessionTime,
        run: RunId,
        ending: Ending,
    ) -> Option<Delivery> {
        let consult = self.find_mut(run).filter(|consult| consult.is_running())?;
        consult.state = State::Over { ending, at: now };
        consult.deadline = None;
        let delivery = Delivery {
            run,
            user: consult.user,
            forced: consult.forced,
            began: consult.began,
            calls: std::mem::take(&mut consult.calls),
        };
        Some(delivery)
    }

    /// The consult of a run.
    pub(super) fn find(&self, run: RunId) -> Option<&Consult> {
        self.entries.iter().find(|consult| consult.run == run)
    }

    fn find_mut(&mut self, run: RunId) -> Option<&mut Consult> {
        self.entries.iter_mut().find(|consult| consult.run == run)
    }

    /// Whether an agent works for the room, or is about to.
    pub(super) fn is_active(&self) -> bool {
        self.entries.iter().any(|consult| !matches!(consult.state, State::Over { .. }))
    }

    /// Takes back what has not been started; gives how many there were.
    pub(super) fn drop_pending(&mut self) -> usize {
        let before = self.entries.len();
        self.entries.retain(|consult| !matches!(consult.state, State::Pending { .. }));
        before - self.entries.len()
    }

    /// Takes back what has not been started of one speaker.
    pub(super) fn drop_pending_of(&mut self, user: UserId) {
        self.entries.retain(|consult| {
            consult.user != user || !matches!(consult.state, State::Pending { .. })
        });
    }

    /// The runs under way.
    pub(super) fn running(&self) -> impl Iterator<Item = &Consult> {
        self.entries.iter().filter(|consult| consult.is_running())
    }

    /// Calls of a connection that still wait for their result.
    pub(super) fn outstanding(&self, lane: Lane) -> usize {
        let calls = self.entries.iter().flat_map(|consult| &consult.calls);
        calls.filter(|call| call.lane == lane).count()
    }

    /// A connection is gone, and with it the calls: what they would have got is spoken instead.
    pub(super) fn lane_lost(&mut self, lane: Lane) {
        for consult in &mut self.entries {
            let before = consult.calls.len();
            consult.calls.retain(|call| call.lane != lane);
            if consult.calls.len() < before && consult.calls.is_empty() {
                consult.forced = true;
                consult.deadline = None;
            }
        }
    }

    /// Front ends took calls back.
    pub(super) fn withdraw(&mut self, lane: Lane, ids: &[String]) {
        for consult in &mut self.entries {
            consult.calls.retain(|call| call.lane != lane || !ids.contains(&call.id));
        }
    }

    /// Calls whose deadline is over: they get an error now, and nothing later.
    pub(super) fn take_overdue(&mut self, now: SessionTime) -> Vec<Call> {
        let mut overdue = Vec::new();
        for consult in &mut self.entries {
            if consult.deadline.is_some_and(|deadline| deadline <= now) {
                consult.deadline = None;
                overdue.append(&mut consult.calls);
            }
        }
        overdue
    }

    /// Speakers who have waited for long and are to be told so, once a question.
    pub(super) fn take_impatient(&mut self, now: SessionTime) -> Vec<UserId> {
        let mut users = Vec::new();
        for consult in &mut self.entries {
            if consult.is_running()
                && consult.forced
                && !consult.progress_told
                && consult.began + PROGRESS_AFTER <= now
            {
                consult.progress_told = true;
                users.push(consult.user);
            }
        }
        users
    }

    /// When the next of these rules applies.
    pub(super) fn deadline(&self) -> Option<SessionTime> {
        let mut times = Vec::new();
        for consult in &self.entries {
            match consult.state {
                State::Pending { until } => times.push(until),
                State::Running => {
                    times.extend(consult.deadline);
                    if consult.forced && !consult.progress_told {
                        times.push(consult.began + PROGRESS_AFTER);
                    }
                }
                State::Over { .. } => {}
            }
        }
        times.into_iter().min()
    }

    fn note_call(&mut self, call: &Call) -> bool {
        if self.seen.contains(call) {
            return false;
        }
        if self.seen.len() == MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(call.clone());
        true
    }

    fn forget(&mut self, now: SessionTime) {
        self.entries.retain(
            |consult| !matches!(consult.state, State::Over { at, .. } if now.since(at) > MEMORY),
        );
    }

    fn make_room(&mut self) -> bool {
        let over = |consult: &Consult| matches!(consult.state, State::Over { .. });
        if self.entries.len() >= MAX_CONSULTS
            && let Some(oldest) = self.entries.iter().position(over)
        {
            self.entries.remove(oldest);
        }
        self.entries.iter().filter(|consult| !over(consult)).count() < MAX_ACTIVE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);
    const LANE: Lane = Lane::new(0);
    const MS: fn(u64) -> SessionTime = SessionTime::from_millis;
    const LATE: SessionTime = SessionTime::from_millis(60_000);

    fn call(id: &str) -> Call {
        Call { lane: LANE, id: id.into(), tool: "ask".into() }
    }

    fn answer(text: &str) -> Ending {
        Ending::Answer(text.into())
    }

    #[test]
    fn voice_scenario_24_without_a_call_the_agent_is_asked_after_200_ms_once() {
        let mut consults = Consults::default();
        assert!(consults.expect(MS(0), ANN, true, "what is the weather".into()));
        assert_eq!(consults.deadline(), Some(MS(200)));
        assert!(consults.take_due(MS(199)).is_empty());
        let due = consults.take_due(MS(200));
        assert_eq!((due.len(), due[0].user, due[0].owner), (1, ANN, true));
        assert!(consults.take_due(MS(300)).is_empty());
        let delivery = consults.finish(MS(900), due[0].run, answer("sun")).unwrap();
        assert!(delivery.forced && delivery.calls.is_empty());
        assert_eq!(consults.finish(MS(901), due[0].run, answer("sun")), None, "once");
    }

    #[test]
    fn voice_scenario_25_a_native_call_takes_the_question_over() {
        let mut consults = Consults::default();
        consults.expect(MS(0), ANN, false, "What is the weather in Oslo?".into());
        let verdict = consults.call(MS(100), ANN, false, call("a"), "weather in Oslo", LATE);
        let Verdict::Start(run) = verdict else { panic!("{verdict:?}") };
        assert!(consults.take_due(MS(200)).is_empty(), "no forced run");
        let delivery = consults.finish(MS(500), run, answer("sun")).unwrap();
        assert!(!delivery.forced);
        assert_eq!(delivery.calls, [call("a")]);
    }

    #[test]
    fn voice_scenario_25_a_call_about_what_was_spoken_is_already_delivered() {
        let mut consults = Consults::default();
        consults.expect(MS(0), ANN, false, "What is the weather in Oslo?".into());
        let run = consults.take_due(MS(200))[0].run;
        consults.finish(MS(500), run, answer("sun"));
        let late = consults.call(MS(600), ANN, false, call("a"), "weather in oslo", LATE);
        assert_eq!(late, Verdict::AlreadyDelivered);
        let other = consults.call(MS(600), BOB, false, call("b"), "weather in oslo", LATE);
        assert!(matches!(other, Verdict::Start(_)), "another speaker's question is another one");
        let after = consults.call(MS(15_501), ANN, false, call("c"), "weather in oslo", LATE);
        assert!(matches!(after, Verdict::Start(_)), "forgotten after 15 s");
    }

    #[test]
    fn calls_about_one_thing_share_a_run() {
        let mut consults = Consults::default();
        let first = consults.call(MS(0), ANN, false, call("a"), "weather in oslo", LATE);
        let Verdict::Start(run) = first else { panic!("{first:?}") };
        assert_eq!(
            consults.call(MS(1), ANN, false, call("a"), "weather in oslo", LATE),
            Verdict::Repeated
        );
        assert_eq!(
            consults.call(MS(2), ANN, false, call("b"), "oslo weather today", LATE),
            Verdict::Joined
        );
        assert_eq!(consults.outstanding(LANE), 2);
        let delivery = consults.finish(MS(3), run, answer("sun")).unwrap();
        assert_eq!(delivery.calls, [call("a"), call("b")]);
        assert_eq!(
            consults.call(MS(4), ANN, false, call("c"), "weather in oslo", LATE),
            Verdict::Reused(answer("sun"))
        );
    }

    #[test]
    fn provider_scenario_38_an_overdue_call_gets_one_error_and_nothing_later() {
        let mut consults = Consults::default();
        let Verdict::Start(run) = consults.call(MS(0), ANN, false, call("a"), "weather", MS(500))
        else {
            panic!("not started")
        };
        assert!(consults.take_overdue(MS(499)).is_empty());
        assert_eq!(consults.take_overdue(MS(500)), [call("a")]);
        assert!(consults.take_overdue(MS(600)).is_empty());
        let delivery = consults.finish(MS(700), run, answer("sun")).unwrap();
        assert!(delivery.calls.is_empty() && !delivery.forced);
    }

    #[test]
    fn provider_scenario_19_the_answer_of_a_lost_call_is_spoken() {
        let mut consults = Consults::default();
        let Verdict::Start(run) = consults.call(MS(0), ANN, false, call("a"), "weather", MS(500))
        else {
            panic!("not started")
        };
        consults.lane_lost(Lane::new(7));
        assert_eq!(consults.outstanding(LANE), 1);
        consults.lane_lost(LANE);
        assert!(consults.take_overdue(MS(600)).is_empty());
        let delivery = consults.finish(MS(700), run, answer("sun")).unwrap();
        assert!(delivery.forced && delivery.calls.is_empty());
    }

    #[test]
    fn running_questions_are_bounded() {
        let mut consults = Consults::default();
        for n in 0..MAX_ACTIVE {
            assert!(consults.start(MS(0), ANN, false, format!("question number {n}")).is_some());
        }
        assert!(consults.start(MS(0), ANN, false, "one more".into()).is_none());
        let run = consults.entries[3].run;
        consults.finish(MS(1), run, Ending::Failed("sorry".into()));
        assert!(consults.start(MS(1), ANN, false, "one more".into()).is_some());
    }

    #[test]
    fn a_full_room_forgets_nothing_that_may_still_be_asked_about() {
        let mut consults = Consults::default();
        for n in 0..100 {
            let question = format!("question number {n}");
            let consult = consults.start(MS(n), ANN, false, question).unwrap();
            consults.finish(MS(n), consult.run, answer("yes")).unwrap();
        }
        let late = consults.call(MS(200), ANN, false, call("a"), "question number 0", LATE);
        assert_eq!(late, Verdict::AlreadyDelivered);
        for n in 100..1_000 {
            let question = format!("question number {n}");
            let consult = consults.start(MS(n), ANN, false, question).unwrap();
            consults.finish(MS(n), consult.run, answer("yes")).unwrap();
        }
        assert_eq!(consults.entries.len(), MAX_CONSULTS);
    }

    #[test]
    fn whoever_waits_long_is_told_once() {
        let mut consults = Consults::default();
        consults.start(MS(0), ANN, false, "hard".into());
        assert_eq!(consults.deadline(), Some(MS(12_000)));
        assert!(consults.take_impatient(MS(11_999)).is_empty());
        assert_eq!(consults.take_impatient(MS(12_000)), [ANN]);
        assert!(consults.take_impatient(MS(20_000)).is_empty());
        assert_eq!(consults.deadline(), None);
    }
}
