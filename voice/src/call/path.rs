//! Whether datagrams still come through, and what is done when they do not.
//!
//! Nobody need speak in a call, so silence alone proves nothing. The server is asked: it answers IP
//! discovery at any time, which makes a discovery request a probe. A path counts as dead only when
//! probes go unanswered by a server that has answered one before.
//!
//! ```text
//! Quiet ─ nothing came ─▶ Probing ─ no answer ─▶ Reopening ─ no answer ─▶ given up
//!   ▲                        │                      │
//!   └────── a datagram ──────┴──────────────────────┘
//! ```
//!
//! A dead path is most often a network address translation that forgot us: another socket gets
//! another. The websocket, the keys and the group are not touched, so the room does not notice.

use std::time::Duration;

use clawvoice_session::SessionTime;

/// The first probe of a connection, which learns whether the server answers.
const FIRST: Duration = Duration::from_secs(1);
/// Nothing for this long is asked about.
const IDLE: Duration = Duration::from_secs(5);
/// Whoever stops speaking sends silence packets (Discord "Voice Connections", Voice Data
/// Interpolation). Speech that breaks off without them is asked about after this.
const BROKE_OFF: Duration = Duration::from_millis(400);
/// Between two probes.
const PROBE: Duration = Duration::from_millis(500);
/// Unanswered probes that make a dead path.
const PROBES: u32 = 3;
/// Probes of one new socket before another is tried.
const PROBES_PER_SOCKET: u32 = 6;
/// New sockets before the session is given up, after 9 s.
const SOCKETS: u32 = 3;
/// A datagram longer than this carries speech: a silence packet with header, extension, tag, nonce
/// and the usual padding is shorter.
const SILENT_BYTES: usize = 64;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send a discovery request.
    Probe,
    /// Open a new socket and send a discovery request from it.
    Reopen,
    /// The server cannot be reached by UDP.
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    Probing { sent: u32 },
    Reopening { sockets: u32, sent: u32 },
}

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    state: State,
    /// When the next step is due if nothing comes.
    due: SessionTime,
    /// The server has answered a probe: it would again.
    proven: bool,
}

impl Path {
    /// A path that has just carried the first discovery.
    pub(crate) fn new(now: SessionTime) -> Self {
        Self { state: State::Quiet, due: now + FIRST, proven: false }
    }

    /// A datagram of `bytes` came.
    pub(crate) fn received(&mut self, now: SessionTime, bytes: usize) {
        // The first probe is not put off: on a busy line the answer is wanted before it is needed.
        if self.proven || self.state != State::Quiet {
            let wait = if bytes > SILENT_BYTES { BROKE_OFF } else { IDLE };
            self.due = now + wait;
            self.state = State::Quiet;
        }
    }

    /// A probe was answered.
    pub(crate) fn answered(&mut self, now: SessionTime) {
        self.proven = true;
        self.state = State::Quiet;
        self.due = now + IDLE;
    }

    /// When [`Self::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> SessionTime {
        self.due
    }

    /// Whether the path counts as dead.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, State::Reopening { .. })
    }

    /// Nothing came; what to do about it.
    pub(crate) fn handle_timeout(&mut self, now: SessionTime) -> Option<Step> {
        if self.due > now {
            return None;
        }
        self.due = now + PROBE;
        match &mut self.state {
            State::Quiet => {
                self.state = State::Probing { sent: 1 };
                Some(Step::Probe)
            }
            State::Probing { sent } if *sent < PROBES => {
                *sent += 1;
                Some(Step::Probe)
            }
            State::Probing { .. } if !self.proven => {
                // It never answers: its silence says nothing.
                self.state = State::Quiet;
                self.due = now + IDLE;
                None
            }
            State::Probing { .. } => {
                self.state = State::Reopening { sockets: 1, sent: 1 };
                Some(Step::Reopen)
            }
            State::Reopening { sent, .. } if *sent < PROBES_PER_SOCKET => {
                *sent += 1;
                Some(Step::Probe)
            }
            State::Reopening { sockets, sent } if *sockets < SOCKETS => {
                *sockets += 1;
                *sent = 1;
                Some(Step::Reopen)
            }
            State::Reopening { .. } => Some(Step::GiveUp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    /// What happens until `end` if nothing comes.
    fn steps(path: &mut Path, end: u64) -> Vec<(u64, Step)> {
        let mut steps = Vec::new();
        while path.poll_timeout() <= ms(end) {
            let at = path.poll_timeout();
            steps.extend(path.handle_timeout(at).map(|step| (at.as_millis(), step)));
            if matches!(steps.last(), Some((_, Step::GiveUp))) {
                break;
            }
        }
        steps
    }

    #[test]
    fn a_server_that_never_answers_is_not_mistaken_for_a_dead_path() {
        let mut path = Path::new(ms(0));
        let asked = steps(&mut path, 60_000);
        assert!(asked.iter().all(|(_, step)| *step == Step::Probe), "{asked:?}");
        assert_eq!(
            asked[..4].iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [1_000, 1_500, 2_000, 7_500]
        );
    }

    #[test]
    fn the_first_probe_is_sent_on_a_busy_line_too() {
        let mut path = Path::new(ms(0));
        for at in 0..50 {
            path.received(ms(20 * at), 120);
        }
        assert_eq!(path.handle_timeout(ms(1_000)), Some(Step::Probe));
    }

    #[test]
    fn speech_that_breaks_off_is_asked_about_at_once_and_silence_later() {
        let mut path = Path::new(ms(0));
        path.answered(ms(1_000));
        path.received(ms(2_000), 120);
        assert_eq!(path.poll_timeout(), ms(2_400));
        path.received(ms(2_020), 47);
        assert_eq!(path.poll_timeout(), ms(7_020));
    }

    #[test]
    fn a_dead_path_gets_new_sockets_and_is_given_up_in_the_end() {
        let mut path = Path::new(ms(0));
        path.answered(ms(1_000));
        path.received(ms(2_000), 120);
        let steps = steps(&mut path, 60_000);
        let reopened: Vec<_> = steps.iter().filter(|(_, step)| *step == Step::Reopen).collect();
        assert_eq!(
            steps[..4].iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [2_400, 2_900, 3_400, 3_900]
        );
        assert_eq!(reopened.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3_900, 6_900, 9_900]);
        assert_eq!(steps.last(), Some(&(12_900, Step::GiveUp)));
    }

    #[test]
    fn any_datagram_shows_that_the_path_lives() {
        let mut path = Path::new(ms(0));
        path.answered(ms(1_000));
        assert_eq!(path.handle_timeout(ms(6_000)), Some(Step::Probe));
        path.received(ms(6_100), 120);
        assert_eq!(path.handle_timeout(ms(6_400)), None);
        assert_eq!(path.handle_timeout(ms(6_500)), Some(Step::Probe));
        for at in [7_000, 7_500] {
            assert_eq!(path.handle_timeout(ms(at)), Some(Step::Probe));
        }
        assert_eq!(path.handle_timeout(ms(8_000)), Some(Step::Reopen));
        assert!(path.is_dead());
        path.answered(ms(8_050));
        assert!(!path.is_dead());
    }
}
