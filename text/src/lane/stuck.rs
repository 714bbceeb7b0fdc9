//! Sessions whose run makes no progress: said in the log, and let go if the run has ended unheard.
//!
//! Source: OpenClaw, "Command queue", section "Troubleshooting".

use std::{fmt, time::Duration};

use clawvoice_session::{SessionKey, SessionTime};

/// A session that stays stuck is said to be so as often.
const EVERY: Duration = Duration::from_secs(30);

/// A sign of life of the run. That the bot is seen typing is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It began, wrote, or used a tool.
    GoesOn,
    /// It said that it is over.
    Terminal,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StuckOutput {
    /// Log this as a warning.
    Warn(StuckSession),
    /// The run said that it is over, but the lane was not told: tell it. What waits can begin. A
    /// run that has not ended is never ended from here.
    Release,
}

/// A session that makes no progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckSession {
    session: SessionKey,
    age: Duration,
    depth: usize,
    ended: bool,
}

impl fmt::Display for StuckSession {
    /// The line for the log, as scripts look for it. Sessions have no ids but their keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match (self.ended, self.depth) {
            (true, 1..) => "queued_work_without_active_run",
            (false, 1..) => "processing_with_queued_work",
            (_, 0) => "processing_without_queue",
        };
        write!(
            f,
            "stuck session: sessionId=unknown sessionKey={} state=processing age={}s \
             queueDepth={} reason={reason}",
            self.session,
            (self.age + Duration::from_millis(500)).as_secs(),
            self.depth,
        )
    }
}

#[derive(Clone, Copy, Debug)]
struct Run {
    last: Progress,
    since: SessionTime,
    warn_at: SessionTime,
    /// A release was asked for; once is enough.
    released: bool,
}

/// Watches the runs of one session.
#[derive(Debug)]
pub struct StuckWatch {
    session: SessionKey,
    warn_after: Duration,
    run: Option<Run>,
    release: bool,
}

impl StuckWatch {
    /// `warn_after`: `diagnostics.stuckSessionWarnMs`.
    #[must_use]
    pub const fn new(session: SessionKey, warn_after: Duration) -> Self {
        Self { session, warn_after, run: None, release: false }
    }

    /// The configuration was read again: holds from the next sign of life on.
    pub const fn set_warn_after(&mut self, warn_after: Duration) {
        self.warn_after = warn_after;
    }

    /// A run was asked for, or gave a sign of life.
    pub fn handle_progress(&mut self, now: SessionTime, progress: Progress) {
        let warn_at = now + self.warn_after;
        match &mut self.run {
            // It is over once and for all; what comes after it is about another run.
            Some(Run { last: Progress::Terminal, .. }) if progress == Progress::Terminal => {}
            run => *run = Some(Run { last: progress, since: now, warn_at, released: false }),
        }
    }

    /// The lane knows that the run is over.
    pub fn handle_over(&mut self) {
        self.run = None;
        self.release = false;
    }

    /// The next thing to do; `depth`: turns that wait in the lane.
    pub fn poll_output(&mut self, now: SessionTime, depth: usize) -> Option<StuckOutput> {
        if std::mem::take(&mut self.release) {
            return Some(StuckOutput::Release);
        }
        let run = self.run.as_mut().filter(|run| run.warn_at <= now)?;
        run.warn_at = now + EVERY;
        let ended = run.last == Progress::Terminal;
        self.release = ended && depth > 0 && !run.released;
        run.released |= self.release;
        Some(StuckOutput::Warn(StuckSession {
            session: self.session.clone(),
            age: now.since(run.since),
            depth,
            ended,
        }))
    }

    /// When there may be something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        self.run.map(|run| run.warn_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SessionTime {
        SessionTime::from_millis(seconds * 1000)
    }

    fn watch() -> StuckWatch {
        StuckWatch::new(SessionKey::main("main"), Duration::from_secs(120))
    }

    fn said(watch: &mut StuckWatch, seconds: u64, depth: usize) -> Vec<String> {
        std::iter::from_fn(|| watch.poll_output(at(seconds), depth))
            .map(|output| match output {
                StuckOutput::Warn(stuck) => stuck.to_string(),
                StuckOutput::Release => "release".to_owned(),
            })
            .collect()
    }

    fn line(rest: &str) -> String {
        let session = "sessionId=unknown sessionKey=agent:main:main";
        format!("stuck session: {session} state=processing {rest}")
    }

    #[test]
    fn said_after_two_minutes_and_then_every_half() {
        let mut watch = watch();
        assert_eq!(watch.poll_timeout(), None);
        watch.handle_progress(at(0), Progress::GoesOn);
        watch.handle_progress(at(10), Progress::GoesOn);
        assert_eq!(watch.poll_timeout(), Some(at(130)));
        let all: Vec<String> = (0..200)
            .flat_map(|second| said(&mut watch, second, usize::from(second > 150)))
            .collect();
        assert_eq!(
            all,
            [
                line("age=120s queueDepth=0 reason=processing_without_queue"),
                line("age=150s queueDepth=1 reason=processing_with_queued_work"),
                line("age=180s queueDepth=1 reason=processing_with_queued_work"),
            ]
        );
        watch.handle_progress(at(200), Progress::GoesOn);
        assert_eq!(watch.poll_timeout(), Some(at(320)));
        watch.handle_over();
        assert_eq!((watch.poll_timeout(), said(&mut watch, 999, 1)), (None, Vec::new()));
    }

    #[test]
    fn a_lane_whose_run_ended_unheard_is_released_once() {
        let mut watch = watch();
        watch.handle_progress(at(0), Progress::Terminal);
        watch.handle_progress(at(50), Progress::Terminal);
        assert_eq!(
            said(&mut watch, 120, 0),
            [line("age=120s queueDepth=0 reason=processing_without_queue")]
        );
        assert_eq!(
            said(&mut watch, 150, 2),
            [
                line("age=150s queueDepth=2 reason=queued_work_without_active_run"),
                "release".to_owned()
            ]
        );
        assert_eq!(said(&mut watch, 180, 2).len(), 1);
    }

    #[test]
    fn a_run_that_goes_on_is_never_released() {
        let mut watch = watch();
        watch.handle_progress(at(0), Progress::GoesOn);
        for second in 0..10_000 {
            assert!(!said(&mut watch, second, 5).contains(&"release".to_owned()));
        }
    }

    #[test]
    fn another_time_holds_from_the_next_sign_of_life_on() {
        let mut watch = watch();
        watch.handle_progress(at(0), Progress::GoesOn);
        watch.set_warn_after(Duration::from_secs(5));
        assert_eq!(watch.poll_timeout(), Some(at(120)));
        watch.handle_progress(at(1), Progress::GoesOn);
        assert_eq!(watch.poll_timeout(), Some(at(6)));
    }
}
