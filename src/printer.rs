//! What people see on a terminal: results on stdout, everything else on stderr.
//!
//! Colour follows the terminal, `NO_COLOR` and `CLICOLOR`, by `anstream`.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// How a command failed, as far as the exit code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The user can fix it: a config file, an argument, a missing program.
    UserFixable = 1,
    /// Something nobody expected.
    Unexpected = 2,
    /// Discord or a provider refused the credentials.
    Auth = 4,
}

/// A failure in the words a person needs: what failed, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// Something the user can put right.
    pub(crate) fn user(message: impl Display) -> Self {
        Self { exit: Exit::UserFixable, message: message.to_string(), hint: None }
    }

    /// Refused credentials.
    pub(crate) fn auth(message: impl Display) -> Self {
        Self { exit: Exit::Auth, message: message.to_string(), hint: None }
    }

    /// Something nobody expected.
    pub(crate) fn unexpected(message: impl Display) -> Self {
        Self { exit: Exit::Unexpected, message: message.to_string(), hint: None }
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Prints the failure to stderr.
    pub(crate) fn print(&self) {
        anstream::eprintln!("{ERROR}error{ERROR:#}: {}", self.message);
        if let Some(hint) = &self.hint {
            anstream::eprintln!("\n{HINT}hint{HINT:#}: {hint}");
        }
    }
}

/// A line of progress on stderr.
pub(crate) fn progress(text: impl Display) {
    anstream::eprintln!("{text}");
}

/// A line of the result on stdout.
pub(crate) fn result(text: impl Display) {
    anstream::println!("{text}");
}
