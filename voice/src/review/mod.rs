//! A timeline read back: what happened in a voice session, shown and diagnosed.
//!
//! ```text
//! bytes → read → facts → { lanes, story, findings } → { terminal, document, html, perfetto }
//! ```
//!
//! Reads our recordings, our logs and OpenClaw's; see [`read()`]. Nothing here opens a file or knows
//! the time: a caller hands bytes in and gets text out.

pub mod diagnose;
mod document;
mod event;
pub mod facts;
pub mod html;
pub mod lanes;
mod names;
mod parse;
pub mod perfetto;
mod read;
mod stamp;
pub mod story;
pub mod terminal;
mod text_line;
mod words;

pub use document::document;
pub use event::{Clip, Decision, Event, Input, Line, What};
pub use read::{
    Clock, Header, MAX_EVENTS, MAX_FILE_BYTES, MAX_LINE_BYTES, Skipped, Timeline, Why, read,
};

use diagnose::{Finding, Severity};
use facts::Facts;
use lanes::Lane;
use story::Happening;

/// A recording with everything that can be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// What the file holds.
    pub timeline: Timeline,
    /// What that adds up to.
    pub facts: Facts,
    /// The picture.
    pub lanes: Vec<Lane>,
    /// The story.
    pub story: Vec<Happening>,
    /// The diagnosis.
    pub findings: Vec<Finding>,
}

impl Review {
    /// Reads and reviews a recording.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let timeline = read(bytes);
        let facts = Facts::of(&timeline);
        let lanes = lanes::lay_out(&timeline, &facts);
        let story = story::tell(&timeline, &facts);
        let findings = diagnose::diagnose(&timeline, &facts);
        Self { timeline, facts, lanes, story, findings }
    }

    /// Whether there is neither a problem nor anything worth knowing.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Normal)
    }

    /// The recorded pieces of sound.
    pub fn clips(&self) -> impl Iterator<Item = &Clip> {
        self.timeline.events.iter().filter_map(|event| match &event.what {
            What::Audio(clip) => Some(clip),
            _ => None,
        })
    }
}
