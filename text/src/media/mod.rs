//! Files that people send: which are fetched, what they are, and how long they are kept.
//!
//! ```text
//! source     where files may be fetched from
//! address    which addresses of the net are public
//! sniff      what a file is, by its first bytes
//! name       what it is called on this machine
//! note       what is told of it in words
//! images     which pictures a model is shown
//! retention  which are deleted
//! ```
//!
//! Nothing is unpacked: an archive is kept as it came.
//!
//! Source: OpenClaw, "Discord", section on media; Discord, "Attachment Object".

use std::{path::PathBuf, time::Duration};

pub(crate) mod address;
pub(crate) mod images;
pub(crate) mod name;
pub mod note;
pub(crate) mod retention;
pub mod sniff;
pub(crate) mod source;

use sniff::MediaKind;

/// What is fetched and kept. The defaults are those of OpenClaw's documentation where it has any.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaSettings {
    /// `mediaMaxMb`: the largest file, in bytes.
    pub max_bytes: u64,
    /// Files of one message; the rest is left out.
    pub max_files: usize,
    /// How long nothing may come.
    pub idle: Duration,
    /// How long one file may take.
    pub total: Duration,
    /// How long files are kept.
    pub keep: Duration,
    /// What all kept files together may take, in bytes; the oldest go first.
    pub max_kept: u64,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            max_bytes: 100 * 1024 * 1024,
            max_files: 10,
            idle: Duration::from_secs(60),
            total: Duration::from_secs(120),
            keep: Duration::from_secs(24 * 60 * 60),
            max_kept: 2 * 1024 * 1024 * 1024,
        }
    }
}

impl MediaSettings {
    /// With the largest file as an account has it.
    #[must_use]
    pub fn of(delivery: &clawvoice_config::Delivery) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the configuration keeps it between 0 and 10,000"
        )]
        let max_bytes = (delivery.media_max_mb * 1024.0 * 1024.0) as u64;
        Self { max_bytes, ..Self::default() }
    }
}

/// What became of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is on this machine.
    Saved(SavedFile),
    /// It is not.
    Unavailable(Unavailable),
}

impl Fetched {
    /// The file, if it is here.
    #[must_use]
    pub fn saved(self) -> Option<SavedFile> {
        match self {
            Self::Saved(file) => Some(file),
            Self::Unavailable(_) => None,
        }
    }

    /// A line about it for the agent; of one that is not here, none.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        let Self::Saved(file) = self else { return None };
        let (path, kind, bytes) = (file.path.display(), file.kind.word(), file.bytes);
        let line = format!("[attachment {path} ({kind}, {bytes} bytes)]");
        Some(match &file.text {
            Some(text) => format!("{line}\n{text}"),
            None => line,
        })
    }
}

/// A file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is, by its first bytes.
    pub kind: MediaKind,
    /// Its size.
    pub bytes: u64,
    /// What is in it, if it is a short text.
    pub text: Option<String>,
}

/// Why an attachment is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Its address is none of Discord's files.
    #[error("its address is none that files are fetched from")]
    NotAllowed,
    /// There are more on the message than are fetched.
    #[error("the message has more files than are fetched")]
    TooMany,
    /// It is larger than allowed, whatever its sender says.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// Discord no longer has it, or answered otherwise.
    #[error("the answer was status {0}")]
    Status(u16),
    /// Nothing came for too long.
    #[error("nothing came for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// It took too long.
    #[error("it took more than {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// No connection, or one that ended early.
    #[error("it could not be fetched: {0}")]
    Unreachable(String),
    /// It cannot be written down.
    #[error("it could not be saved: {0}")]
    NotSaved(String),
}
