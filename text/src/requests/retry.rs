//! What is asked again, and when.

use std::time::Duration;

use super::settings::RestSettings;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attempt {
    /// An answer.
    Answered {
        /// The HTTP status.
        status: u16,
        /// Of a 429: how long to stay away.
        retry_after: Option<Duration>,
        /// Of a 429: whether it is for all routes.
        global: bool,
        /// Of a 429: a limit that others used up, which counts towards no ban.
        shared: bool,
    },
    /// No connection: nothing was sent.
    NotConnected,
    /// Sent, and no answer came: perhaps it was carried out.
    NoAnswer,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is over.
    Done,
    /// The same again after so long.
    Again(Duration),
}

/// How far a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// How often it is made at most.
    pub(crate) attempts: u32,
    /// Whether it must not be carried out twice.
    pub(crate) only_once: bool,
}

/// Counts the attempts of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempts {
    made: u32,
    requeued: u32,
}

impl Attempts {
    /// An attempt ended. `roll`: 0 to 1, by chance.
    pub(crate) fn next(
        &mut self,
        settings: &RestSettings,
        attempt: &Attempt,
        allowed: Allowed,
        roll: f64,
    ) -> Next {
        match attempt {
            Attempt::Answered { status: 429, retry_after, .. } => {
                if self.requeued >= settings.rate_limit_requeues {
                    return Next::Done;
                }
                self.requeued += 1;
                Next::Again(retry_after.unwrap_or_else(|| self.wait(settings, roll)))
            }
            Attempt::Answered { status, .. } if !(*status == 408 || *status >= 500) => Next::Done,
            Attempt::Answered { .. } | Attempt::NoAnswer if allowed.only_once => Next::Done,
            Attempt::Answered { .. } | Attempt::NoAnswer | Attempt::NotConnected => {
                self.made += 1;
                if self.made >= allowed.attempts {
                    return Next::Done;
                }
                Next::Again(self.wait(settings, roll))
            }
        }
    }

    /// Doubles from the shortest to the longest wait, longer or shorter by chance.
    fn wait(&self, settings: &RestSettings, roll: f64) -> Duration {
        let doubled = 1u32.checked_shl(self.made.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = settings.min_delay.saturating_mul(doubled).min(settings.max_delay);
        let jitter = settings.jitter.clamp(0.0, 1.0) * (roll.clamp(0.0, 1.0) * 2.0 - 1.0);
        whole.mul_f64(1.0 + jitter).min(settings.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: f64 = 0.5;

    fn status(status: u16) -> Attempt {
        Attempt::Answered { status, retry_after: None, global: false, shared: false }
    }

    fn allowed(attempts: u32) -> Allowed {
        Allowed { attempts, only_once: false }
    }

    fn again(millis: u64) -> Next {
        Next::Again(Duration::from_millis(millis))
    }

    #[test]
    fn what_passes_is_asked_three_times_with_growing_waits() {
        let settings = RestSettings::default();
        for failure in
            [status(408), status(500), status(503), Attempt::NoAnswer, Attempt::NotConnected]
        {
            let mut attempts = Attempts::default();
            let mut next = || attempts.next(&settings, &failure, allowed(3), HALF);
            assert_eq!(
                [next(), next(), next()],
                [again(500), again(1000), Next::Done],
                "{failure:?}"
            );
        }
        for answer in [200, 204, 400, 401, 403, 404] {
            let mut attempts = Attempts::default();
            assert_eq!(attempts.next(&settings, &status(answer), allowed(3), HALF), Next::Done);
        }
    }

    #[test]
    fn waits_end_at_the_longest_and_vary_by_a_tenth() {
        let settings = RestSettings::default();
        let mut attempts = Attempts::default();
        let waits: Vec<Next> =
            (0..9).map(|_| attempts.next(&settings, &status(500), allowed(20), HALF)).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000].map(again));
        let first = |roll| Attempts::default().next(&settings, &status(500), allowed(20), roll);
        assert_eq!([first(0.0), first(1.0)], [again(450), again(550)]);
    }

    #[test]
    fn a_rate_limit_says_when_and_is_met_three_times() {
        let settings = RestSettings::default();
        let mut attempts = Attempts::default();
        let limited = Attempt::Answered {
            status: 429,
            retry_after: Some(Duration::from_secs(2)),
            global: false,
            shared: false,
        };
        let once = Allowed { attempts: 3, only_once: true };
        let mut next = || attempts.next(&settings, &limited, once, HALF);
        assert_eq!(
            [next(), next(), next(), next()],
            [again(2000), again(2000), again(2000), Next::Done]
        );
    }

    #[test]
    fn what_must_not_happen_twice_is_asked_again_only_if_nothing_was_sent() {
        let settings = RestSettings::default();
        let once = Allowed { attempts: 3, only_once: true };
        let next = |attempt: &Attempt| Attempts::default().next(&settings, attempt, once, HALF);
        assert_eq!(next(&Attempt::NotConnected), again(500));
        assert_eq!(next(&Attempt::NoAnswer), Next::Done);
        assert_eq!(next(&status(502)), Next::Done);
    }
}
