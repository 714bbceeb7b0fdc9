//! The turns of one session before the agent: one runs, the others wait, are told to the one that
//! runs, or end it.
//!
//! ```text
//! handle_turn ─→ nothing runs ──────────────────────────→ Begin
//!              ├ steer: Steer ─→ handle_steered ────────→ taken, or the next turn
//!              ├ followup: waits ─────── handle_over ───→ Begin, one each
//!              ├ collect: waits ──────── handle_over ───→ Begin, all that fit together
//!              └ interrupt: Cancel ───── handle_over ───→ Begin, likewise
//! ```
//!
//! Turns keep their order: once one waits, later ones wait behind it and are not steered past it.
//! Every turn comes out once: as part of a turn that begins, steered, or dropped with the reason.
//! Source: OpenClaw, "Command queue".

use std::{collections::VecDeque, fmt, time::Duration};

use clawvoice_config::{QueueDrop, QueueMode};
use clawvoice_session::SessionTime;

use super::settings::LaneSettings;

/// A turn that finds the session busy is tried again after these pauses.
const BUSY_PAUSES: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(1_000), Duration::from_millis(2_500)];

/// What waits in a lane.
pub trait Queued: Clone {
    /// One line that says what it is about: it stands for the turn after `drop: "summarize"`.
    fn summary(&self) -> String;

    /// Whether `later` may become part of the run that this began. A run has the rights of whoever
    /// began it and answers in one place, so: only if it is by the same person in the same place.
    fn joins(&self, later: &Self) -> bool;
}

/// Names one attempt to run a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunNumber(u64);

/// What an agent is asked at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn<T> {
    /// Its number; tried again after [`Outcome::Busy`], it has another one.
    pub run: RunNumber,
    /// Its parts, oldest first; never empty.
    pub parts: Vec<T>,
    /// What was dropped for want of room, a line each, oldest first. Anybody's words: untrusted.
    pub summaries: Vec<String>,
    /// So many were dropped; more than there are lines, if there were very many.
    pub summarised: usize,
}

/// Why a turn does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// `drop: "old"`: newer ones took its place.
    Oldest,
    /// `drop: "new"`, or there is nothing older to drop: too many wait.
    Full,
    /// `drop: "summarize"`: the next turn has a line about it.
    Summarised,
    /// The session stayed busy; people are told [`BUSY`](super::BUSY).
    Busy,
    /// Somebody stopped the session.
    Stopped,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oldest => "newer messages took its place in the queue",
            Self::Full => "too many messages wait",
            Self::Summarised => "summarised for the next turn",
            Self::Busy => "the session stayed busy",
            Self::Stopped => "the session was stopped",
        })
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneOutput<T> {
    /// Ask the agent; then [`Lane::handle_over`].
    Begin(Turn<T>),
    /// Tell the active run; then [`Lane::handle_steered`].
    Steer(T),
    /// Cancel the active run; its end still comes.
    Cancel(RunNumber),
    /// This will not run.
    Dropped(T, DropReason),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, failed or cancelled.
    Ended,
    /// It did not begin: the session is in use.
    Busy,
}

#[derive(Debug)]
enum State<T> {
    Idle,
    Running {
        turn: Turn<T>,
        tries: usize,
        stage: Stage,
    },
    /// It found the session busy, and is tried again then.
    Pausing {
        turn: Turn<T>,
        tries: usize,
        until: SessionTime,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Something else may still run in the session.
    Asked,
    /// It is the session's active run, and may be told things.
    Started,
    Cancelled,
}

/// The turns of one session.
#[derive(Debug)]
pub struct Lane<T> {
    settings: LaneSettings,
    state: State<T>,
    /// What the active run is being told. It counts as one that waits, before all others.
    steering: Option<T>,
    /// The session was stopped meanwhile.
    steering_stopped: bool,
    waiting: VecDeque<T>,
    summaries: VecDeque<String>,
    summarised: usize,
    next_run: u64,
    outputs: VecDeque<LaneOutput<T>>,
}

impl<T: Queued> Lane<T> {
    /// An empty lane.
    #[must_use]
    pub const fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            state: State::Idle,
            steering: None,
            steering_stopped: false,
            waiting: VecDeque::new(),
            summaries: VecDeque::new(),
            summarised: 0,
            next_run: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Other settings, from the next turn on.
    pub const fn set_settings(&mut self, settings: LaneSettings) {
        self.settings = settings;
    }

    /// A turn comes.
    pub fn handle_turn(&mut self, _now: SessionTime, turn: T) {
        if self.settings.mode == QueueMode::Interrupt {
            self.cancel();
        }
        if self.may_steer(&turn) {
            self.steering = Some(turn.clone());
            self.outputs.push_back(LaneOutput::Steer(turn));
            return;
        }
        if self.make_room() {
            self.waiting.push_back(turn);
            self.begin_next();
        } else {
            self.outputs.push_back(LaneOutput::Dropped(turn, DropReason::Full));
        }
    }

    /// What was before a run in the session is over: it is the active one.
    pub fn handle_started(&mut self, _now: SessionTime, run: RunNumber) {
        if let State::Running { turn, stage, .. } = &mut self.state
            && turn.run == run
            && *stage == Stage::Asked
        {
            *stage = Stage::Started;
        }
    }

    /// Whether the active run took what it was told. If not, that is the next turn.
    pub fn handle_steered(&mut self, _now: SessionTime, taken: bool) {
        let Some(turn) = self.steering.take() else { return };
        let stopped = std::mem::take(&mut self.steering_stopped);
        match (taken, stopped) {
            (true, _) => {}
            (false, true) => {
                self.outputs.push_back(LaneOutput::Dropped(turn, DropReason::Stopped));
            }
            (false, false) => self.waiting.push_front(turn),
        }
        self.begin_next();
    }

    /// A run is over; one that is not the active one any more is ignored.
    pub fn handle_over(&mut self, now: SessionTime, run: RunNumber, outcome: Outcome) {
        let (turn, tries) = match std::mem::replace(&mut self.state, State::Idle) {
            State::Running { turn, tries, .. } if turn.run == run => (turn, tries),
            other => {
                self.state = other;
                return;
            }
        };
        match (outcome, BUSY_PAUSES.get(tries)) {
            (Outcome::Ended, _) => self.begin_next(),
            (Outcome::Busy, Some(pause)) => {
                self.state = State::Pausing { turn, tries: tries + 1, until: now + *pause };
            }
            (Outcome::Busy, None) => {
                self.give_back(&turn);
                self.drop_turn(turn, DropReason::Busy);
                self.begin_next();
            }
        }
    }

    /// Somebody stops the session: the active run is cancelled, what waits is dropped.
    pub fn handle_stop(&mut self) {
        self.cancel();
        self.steering_stopped = self.steering.is_some();
        if matches!(self.state, State::Pausing { .. })
            && let State::Pausing { turn, .. } = std::mem::replace(&mut self.state, State::Idle)
        {
            self.drop_turn(turn, DropReason::Stopped);
        }
        let waiting = std::mem::take(&mut self.waiting);
        let dropped =
            waiting.into_iter().map(|turn| LaneOutput::Dropped(turn, DropReason::Stopped));
        self.outputs.extend(dropped);
        self.summaries.clear();
        self.summarised = 0;
    }

    /// The next thing to do.
    pub fn poll_output(&mut self, now: SessionTime) -> Option<LaneOutput<T>> {
        if self.poll_timeout().is_some_and(|due| due <= now)
            && let State::Pausing { turn, tries, .. } =
                std::mem::replace(&mut self.state, State::Idle)
        {
            self.run(turn, tries);
        }
        self.outputs.pop_front()
    }

    /// When there is something to do.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<SessionTime> {
        match self.state {
            State::Pausing { until, .. } => Some(until),
            State::Idle | State::Running { .. } => None,
        }
    }

    /// Turns that wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.waiting.len() + usize::from(self.steering.is_some())
    }

    /// Whether nothing runs, waits or is left to be done: the lane may be forgotten.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && self.depth() == 0 && self.outputs.is_empty()
    }

    fn may_steer(&self, later: &T) -> bool {
        let State::Running { turn, stage: Stage::Started, .. } = &self.state else { return false };
        self.settings.mode == QueueMode::Steer
            && self.depth() == 0
            && turn.parts.first().is_some_and(|first| first.joins(later))
    }

    fn cancel(&mut self) {
        if let State::Running { turn, stage, .. } = &mut self.state
            && *stage != Stage::Cancelled
        {
            *stage = Stage::Cancelled;
            self.outputs.push_back(LaneOutput::Cancel(turn.run));
        }
    }

    /// Room for one more that waits; `false`: there is none.
    fn make_room(&mut self) -> bool {
        while self.depth() >= self.settings.cap {
            let why = match self.settings.drop {
                QueueDrop::New => return false,
                QueueDrop::Old => DropReason::Oldest,
                QueueDrop::Summarize => DropReason::Summarised,
            };
            let Some(oldest) = self.waiting.pop_front() else { return false };
            if why == DropReason::Summarised {
                self.summarise(&oldest);
            }
            self.outputs.push_back(LaneOutput::Dropped(oldest, why));
        }
        true
    }

    fn summarise(&mut self, turn: &T) {
        if self.summaries.len() >= self.settings.cap {
            self.summaries.pop_front();
        }
        self.summaries.push_back(turn.summary());
        self.summarised += 1;
    }

    /// The next turn has the lines of this one, which did not run.
    fn give_back(&mut self, turn: &Turn<T>) {
        let lines = turn.summaries.iter().cloned().chain(self.summaries.drain(..));
        let lines: Vec<String> = lines.collect();
        let over = lines.len().saturating_sub(self.settings.cap);
        self.summaries = lines.into_iter().skip(over).collect();
        self.summarised += turn.summarised;
    }

    fn begin_next(&mut self) {
        // What the run before was told may have to be the next turn.
        if self.steering.is_some() || !matches!(self.state, State::Idle) {
            return;
        }
        let Some(first) = self.waiting.front() else { return };
        let together = matches!(self.settings.mode, QueueMode::Collect | QueueMode::Interrupt);
        let joining = self.waiting.iter().skip(1).take_while(|next| together && first.joins(next));
        let count = 1 + joining.count();
        let parts = self.waiting.drain(..count).collect();
        let turn = Turn {
            run: RunNumber(self.next_run),
            parts,
            summaries: std::mem::take(&mut self.summaries).into(),
            summarised: std::mem::take(&mut self.summarised),
        };
        self.run(turn, 0);
    }

    fn run(&mut self, mut turn: Turn<T>, tries: usize) {
        turn.run = RunNumber(self.next_run);
        self.next_run += 1;
        self.outputs.push_back(LaneOutput::Begin(turn.clone()));
        self.state = State::Running { turn, tries, stage: Stage::Asked };
    }

    fn drop_turn(&mut self, turn: Turn<T>, why: DropReason) {
        self.outputs.extend(turn.parts.into_iter().map(|part| LaneOutput::Dropped(part, why)));
    }
}

#[cfg(test)]
mod plain_model;
#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
