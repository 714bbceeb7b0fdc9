//! What happens when a connection gives up: it is started anew, never for good.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;

use super::{backoff::Backoff, link::Cause, settings::ConnectionSettings};

/// A run that held so long was a good one: waits start over.
const GOOD_RUN: Duration = Duration::from_secs(600);

/// The window of the health monitor's limit.
const HOUR: Duration = Duration::from_secs(3600);

/// Decides about restarts.
#[derive(Debug)]
pub(crate) struct Supervisor {
    backoff: Backoff,
    most_an_hour: usize,
    /// When the health monitor restarted the connection.
    restarts: VecDeque<SessionTime>,
    began: SessionTime,
}

impl Supervisor {
    /// The connection begins now.
    pub(crate) fn new(settings: &ConnectionSettings, now: SessionTime) -> Self {
        let (first, longest) = settings.reconnect.restart_wait;
        Self {
            // Twice as long each time; the first power of two is the first wait.
            backoff: Backoff::new(2.0, first / 2, longest),
            most_an_hour: settings.health.map_or(0, |health| health.max_restarts_per_hour),
            restarts: VecDeque::new(),
            began: now,
        }
    }

    /// Whether the health monitor may restart a connection now.
    pub(crate) fn may_restart(&mut self, now: SessionTime) -> bool {
        while self.restarts.front().is_some_and(|at| now.since(*at) >= HOUR) {
            self.restarts.pop_front();
        }
        self.restarts.len() < self.most_an_hour
    }

    /// A connection gave up; the wait before the next one is started. `roll`: 0 to 1, by chance.
    pub(crate) fn handle_restart(&mut self, now: SessionTime, cause: Cause, roll: f64) -> Duration {
        if now.since(self.began) >= GOOD_RUN {
            self.backoff.reset();
        }
        let wait = match cause {
            Cause::Stale => {
                self.restarts.push_back(now);
                Duration::ZERO
            }
            Cause::Retries | Cause::NotReady => self.backoff.next_wait(roll),
        };
        self.began = now + wait;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SessionTime {
        SessionTime::from_millis(secs * 1000)
    }

    #[test]
    fn waits_double_up_to_five_minutes_and_a_good_run_makes_them_start_over() {
        let mut supervisor = Supervisor::new(&ConnectionSettings::default(), at(0));
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = supervisor.handle_restart(now, Cause::Retries, 1.0);
            waits.push(wait.as_secs());
            now = now + wait + Duration::from_secs(90);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        let wait = supervisor.handle_restart(now + GOOD_RUN, Cause::NotReady, 1.0);
        assert_eq!(wait.as_secs(), 5);
    }

    #[test]
    fn the_health_monitor_restarts_ten_times_an_hour_at_most() {
        let mut supervisor = Supervisor::new(&ConnectionSettings::default(), at(0));
        for minute in 0..10 {
            assert!(supervisor.may_restart(at(minute * 60)));
            let wait = supervisor.handle_restart(at(minute * 60), Cause::Stale, 0.5);
            assert_eq!(wait, Duration::ZERO);
        }
        assert!(!supervisor.may_restart(at(3599)));
        assert!(supervisor.may_restart(at(3600)));
    }
}
