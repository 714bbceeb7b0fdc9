//! What a check finds, and how it is told.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Nothing is wrong, and it may still be worth knowing.
    Note,
    /// Works, but not as one would expect.
    Warn,
    /// Does not work.
    Error,
}

impl Level {
    fn mark(self) -> (&'static str, Style) {
        let colour = |colour: AnsiColor| colour.on_default().bold();
        match self {
            Self::Ok => ("ok", colour(AnsiColor::Green)),
            Self::Note => ("note", colour(AnsiColor::Cyan)),
            Self::Warn => ("warn", colour(AnsiColor::Yellow)),
            Self::Error => ("FAIL", colour(AnsiColor::Red)),
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at: `discord.token`.
    pub(crate) id: &'static str,
    /// How bad it is.
    pub(crate) level: Level,
    /// What was found, in one sentence.
    pub(crate) what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

impl Finding {
    pub(crate) fn new(id: &'static str, level: Level, what: impl Into<String>) -> Self {
        Self { id, level, what: what.into(), fix: None }
    }

    pub(crate) fn ok(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Level::Ok, what)
    }

    pub(crate) fn warn(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Level::Warn, what)
    }

    pub(crate) fn error(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Level::Error, what)
    }

    /// Adds what to do.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// For a terminal: a line, and the fix under it.
    pub(crate) fn to_text(&self) -> String {
        let (mark, style) = self.level.mark();
        let mut text = format!("{style}{mark:>4}{style:#}  {:<22} {}", self.id, self.what);
        if let Some(fix) = &self.fix {
            text.push_str(&format!("\n{:30}→ {fix}", ""));
        }
        text
    }
}
