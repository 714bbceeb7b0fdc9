//! One shard's connection, across websockets: when to dial, whether to resume, when to give up.
//!
//! The owner dials what [`Output::Dial`] says, tells what the websocket gives, and lets go of it at
//! [`Output::Leave`]. A new websocket is dialled for every try.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;
use serde::{Deserialize, Serialize};

use super::{
    backoff::Backoff,
    close::{AfterClose, after_close, close_in_words},
    settings::{ConnectionSettings, ReconnectSettings},
};

/// How long a websocket may take to open before HELLO is overdue, too.
const OPEN_WAIT: Duration = Duration::from_secs(10);

/// Sessions ended right after they began, in a row, after which somebody else is suspected.
const OUSTED: u32 = 3;

/// "Right after".
const OUSTED_WITHIN: Duration = Duration::from_secs(10);

/// What a session is resumed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resumable {
    /// The session's id.
    pub(crate) session_id: String,
    /// The number of the last event.
    pub(crate) sequence: u64,
    /// Where, as READY said; `None`: where everybody connects.
    pub(crate) url: Option<String>,
}

/// How a websocket begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// With a new session.
    Identify,
    /// With the old one.
    Resume(Resumable),
}

/// Why a connection is to be started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Too many tries in a row.
    Retries,
    /// A websocket opened, but READY or RESUMED did not come.
    NotReady,
    /// Nothing came from Discord for too long.
    Stale,
}

/// What the owner does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Open a websocket.
    Dial(Way),
    /// Let go of the websocket that is open.
    Leave,
    /// The session is lost for good.
    SessionLost,
    /// Something went wrong, and when the next try is.
    Lost {
        /// In words.
        why: String,
        /// Until the next try.
        wait: Duration,
    },
    /// Somebody else seems to use the token.
    TokenShared,
    /// This connection gives up: its supervisor's turn.
    Restart(Cause),
    /// Connecting again is pointless.
    Fatal {
        /// The close code.
        code: u16,
    },
}

/// Why [`Link::poll_timeout`] wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The next try.
    Dial,
    /// READY or RESUMED is overdue.
    Ready,
    /// Whether anything came lately.
    Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No websocket.
    Waiting { until: SessionTime },
    /// Dialled; READY or RESUMED is not there yet. Without a deadline while IDENTIFY waits its turn.
    Opening { resuming: bool, deadline: Option<SessionTime> },
    /// READY or RESUMED was there.
    Live { since: SessionTime },
    /// Over, for this link.
    Ended,
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Link {
    settings: ReconnectSettings,
    ready_timeout: Duration,
    runtime_ready_timeout: Duration,
    health: Option<(Duration, Duration)>,
    phase: Phase,
    session: Option<Resumable>,
    /// Since when nothing connects us to the session.
    away_since: Option<SessionTime>,
    backoff: Backoff,
    /// Whether a READY or RESUMED was seen by this process.
    started: bool,
    /// When READY was last seen.
    ready_at: Option<SessionTime>,
    ousted: u32,
    last_frame: SessionTime,
    looked_at: SessionTime,
    outputs: VecDeque<Output>,
}

impl Link {
    /// A connection that dials at once. `session`: one to resume; `started`: not the process's first
    /// connection.
    pub(crate) fn new(
        settings: &ConnectionSettings,
        now: SessionTime,
        session: Option<Resumable>,
        started: bool,
    ) -> Self {
        let reconnect = settings.reconnect.clone();
        let backoff =
            Backoff::new(reconnect.backoff_base, reconnect.backoff_unit, reconnect.backoff_max);
        Self {
            ready_timeout: settings.ready_timeout,
            runtime_ready_timeout: settings.runtime_ready_timeout,
            health: settings.health.map(|health| (health.check_every, health.stale_after)),
            phase: Phase::Waiting { until: now },
            session: session.filter(|_| reconnect.resume_session),
            away_since: Some(now),
            settings: reconnect,
            backoff,
            started,
            ready_at: None,
            ousted: 0,
            last_frame: now,
            looked_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] is due, and why.
    pub(crate) fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        let health = |()| self.health.map(|(every, _)| (self.looked_at + every, Timer::Health));
        match self.phase {
            Phase::Waiting { until } => Some((until, Timer::Dial)),
            Phase::Opening { deadline, .. } => deadline.map(|at| (at, Timer::Ready)),
            Phase::Live { .. } => health(()),
            Phase::Ended => None,
        }
    }

    /// The time of [`Self::poll_timeout`] may have come. `roll`: 0 to 1, by chance.
    pub(crate) fn handle_timeout(&mut self, now: SessionTime, roll: f64) {
        let Some((_, timer)) = self.poll_timeout().filter(|(at, _)| now >= *at) else { return };
        match timer {
            Timer::Dial => self.dial(now),
            Timer::Ready => self.overdue(now, roll),
            Timer::Health => self.look(now),
        }
    }

    /// Something came: a message or an acknowledgement.
    pub(crate) fn handle_frame(&mut self, now: SessionTime) {
        self.last_frame = now;
        // A replay of what was missed can be long; it is no silence.
        if let Phase::Opening { resuming: true, deadline: Some(deadline) } = &mut self.phase {
            *deadline = now + self.runtime_ready_timeout;
        }
    }

    /// HELLO came.
    pub(crate) fn handle_hello(&mut self, now: SessionTime) {
        if let Phase::Opening { resuming, deadline } = &mut self.phase {
            *deadline = resuming.then(|| now + self.runtime_ready_timeout);
        }
    }

    /// IDENTIFY goes out now.
    pub(crate) fn handle_identifying(&mut self, now: SessionTime) {
        let wait = if self.started { self.runtime_ready_timeout } else { self.ready_timeout };
        if let Phase::Opening { resuming: false, deadline } = &mut self.phase {
            *deadline = Some(now + wait);
        }
    }

    /// READY came, with a new session.
    pub(crate) fn handle_ready(&mut self, now: SessionTime, session: Resumable) {
        self.session = Some(session);
        self.ready_at = Some(now);
        self.live(now);
    }

    /// RESUMED came.
    pub(crate) fn handle_resumed(&mut self, now: SessionTime) {
        self.live(now);
    }

    /// Op 7: Discord asks to come back.
    pub(crate) fn handle_reconnect(&mut self, now: SessionTime, sequence: u64, roll: f64) {
        self.went_away(now, sequence);
        self.outputs.push_back(Output::Leave);
        self.lost(now, "Discord asks to reconnect".to_owned(), roll);
    }

    /// Op 9.
    pub(crate) fn handle_invalid_session(
        &mut self,
        now: SessionTime,
        resumable: bool,
        sequence: u64,
        roll: f64,
    ) {
        self.went_away(now, sequence);
        self.outputs.push_back(Output::Leave);
        if !resumable {
            self.count_ousted(now);
            self.forget_session();
        }
        let (shortest, longest) = self.settings.invalid_session_wait;
        let wait = shortest + longest.saturating_sub(shortest).mul_f64(roll.clamp(0.0, 1.0));
        let words = if resumable { "the session is interrupted" } else { "the session is invalid" };
        let _ = self.backoff.next_wait(roll);
        self.wait_or_give_up(now, words.to_owned(), wait);
    }

    /// The websocket closed; `None`: without a close frame.
    pub(crate) fn handle_closed(
        &mut self,
        now: SessionTime,
        code: Option<u16>,
        sequence: u64,
        roll: f64,
    ) {
        match after_close(code) {
            AfterClose::Fatal => {
                self.phase = Phase::Ended;
                self.forget_session();
                self.outputs.push_back(Output::Fatal { code: code.unwrap_or_default() });
                return;
            }
            AfterClose::Identify => {
                self.went_away(now, sequence);
                self.forget_session();
            }
            AfterClose::Resume => self.went_away(now, sequence),
        }
        let words = close_in_words(code);
        self.lost(now, format!("Discord closed the connection: {words}"), roll);
    }

    /// The websocket could not be opened.
    pub(crate) fn handle_dial_failed(&mut self, now: SessionTime, why: &str, roll: f64) {
        // The server READY named may be the one that is gone.
        if let Some(session) = &mut self.session {
            session.url = None;
        }
        self.lost(now, format!("the websocket cannot be opened: {why}"), roll);
    }

    /// The session, with the number of its last event.
    pub(crate) fn session_at(&self, sequence: u64) -> Option<Resumable> {
        self.session
            .clone()
            .map(|session| Resumable { sequence: session.sequence.max(sequence), ..session })
    }

    fn live(&mut self, now: SessionTime) {
        self.phase = Phase::Live { since: now };
        self.away_since = None;
        self.started = true;
        self.last_frame = now;
        self.looked_at = now;
    }

    fn dial(&mut self, now: SessionTime) {
        let ttl = self.settings.session_cache_ttl;
        let away = self.away_since.map_or(Duration::ZERO, |since| now.since(since));
        if away >= ttl {
            self.forget_session();
        }
        let way = match &self.session {
            Some(session) => Way::Resume(session.clone()),
            None => Way::Identify,
        };
        let wait = if self.started { self.runtime_ready_timeout } else { self.ready_timeout };
        let deadline = Some(now + OPEN_WAIT + wait);
        self.phase = Phase::Opening { resuming: matches!(way, Way::Resume(_)), deadline };
        self.outputs.push_back(Output::Dial(way));
    }

    /// READY or RESUMED did not come in time.
    fn overdue(&mut self, now: SessionTime, roll: f64) {
        self.outputs.push_back(Output::Leave);
        // Whatever it was, it is not tried a second time with the same session.
        self.forget_session();
        if self.started {
            self.phase = Phase::Ended;
            self.outputs.push_back(Output::Restart(Cause::NotReady));
            return;
        }
        let _ = self.backoff.next_wait(roll);
        self.wait_or_give_up(now, "READY did not come".to_owned(), self.settings.ready_pause);
    }

    fn look(&mut self, now: SessionTime) {
        self.looked_at = now;
        let stale = self.health.is_some_and(|(_, after)| now.since(self.last_frame) >= after);
        if stale {
            // Another look, and another restart, only after as long again.
            self.last_frame = now;
            self.outputs.push_back(Output::Restart(Cause::Stale));
        }
    }

    /// The websocket is of no use any more.
    fn went_away(&mut self, now: SessionTime, sequence: u64) {
        if let Phase::Live { since } = self.phase {
            self.away_since = Some(now);
            if now.since(since) >= self.settings.stable_after {
                self.backoff.reset();
                self.ousted = 0;
            }
        }
        self.session = self.session_at(sequence).filter(|_| self.settings.resume_session);
    }

    /// Discord ended a session that had only just begun, or refused to begin one.
    fn count_ousted(&mut self, now: SessionTime) {
        let identifying = matches!(self.phase, Phase::Opening { resuming: false, .. });
        let young = self.ready_at.is_some_and(|at| now.since(at) < OUSTED_WITHIN);
        let live = matches!(self.phase, Phase::Live { .. });
        if identifying || (live && young) {
            self.ousted += 1;
            if self.ousted == OUSTED {
                self.outputs.push_back(Output::TokenShared);
            }
        }
    }

    fn forget_session(&mut self) {
        if self.session.take().is_some() {
            self.outputs.push_back(Output::SessionLost);
        }
    }

    /// Tries again: at once after a connection that was of use, else after a wait.
    fn lost(&mut self, now: SessionTime, why: String, roll: f64) {
        let was_live = matches!(self.phase, Phase::Live { .. });
        let at_once = was_live && self.backoff.failures() == 0;
        let wait = self.backoff.next_wait(roll);
        self.wait_or_give_up(now, why, if at_once { Duration::ZERO } else { wait });
    }

    fn wait_or_give_up(&mut self, now: SessionTime, why: String, wait: Duration) {
        self.outputs.push_back(Output::Lost { why, wait });
        if self.backoff.failures() > self.settings.max_retries {
            self.phase = Phase::Ended;
            self.outputs.push_back(Output::Restart(Cause::Retries));
        } else {
            self.phase = Phase::Waiting { until: now + wait };
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
