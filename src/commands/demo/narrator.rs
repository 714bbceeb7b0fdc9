//! What the demo says while it plays: lines with the time since it began, on stderr.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use anstyle::Style;

use crate::printer;

const TIME: Style = Style::new().dimmed();

/// Tells the audience what happens.
#[derive(Debug)]
pub(super) struct Narrator {
    began: Instant,
}

impl Narrator {
    pub(super) fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// Since the demo began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// One line.
    pub(super) fn say(&self, text: impl Display) {
        let seconds = self.elapsed().as_secs_f64();
        printer::progress(format_args!("{TIME}{seconds:6.1} s{TIME:#}  {text}"));
    }
}
