//! Errors that were logged lately: one that repeats is counted, not logged again.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;

/// An error that repeats within this time is counted, not logged again.
const WINDOW: Duration = Duration::from_secs(60);
/// Errors told apart; the oldest is forgotten first.
const MAX_ERRORS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct RecentErrors(VecDeque<(SessionTime, String, String)>);

impl RecentErrors {
    /// Whether to log this error.
    pub(super) fn is_news(&mut self, now: SessionTime, code: &str, message: &str) -> bool {
        self.0.retain(|(since, ..)| now.since(*since) < WINDOW);
        if self.0.iter().any(|(_, of, what)| of == code && what == message) {
            return false;
        }
        if self.0.len() == MAX_ERRORS {
            self.0.pop_front();
        }
        self.0.push_back((now, code.to_owned(), message.to_owned()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_alternate_are_logged_once_a_minute_each() {
        let mut errors = RecentErrors::default();
        let mut news = 0;
        for second in 0..120 {
            let now = SessionTime::ZERO + Duration::from_secs(second);
            news += u32::from(errors.is_news(now, "", "lost"));
            news += u32::from(errors.is_news(now, "odd", "lost"));
        }
        assert_eq!(news, 4);
    }

    #[test]
    fn a_flood_of_different_errors_stays_bounded() {
        let mut errors = RecentErrors::default();
        for n in 0..100 {
            assert!(errors.is_news(SessionTime::ZERO, "", &n.to_string()));
        }
        assert_eq!(errors.0.len(), MAX_ERRORS);
    }
}
