//! Lines about sounds that may be interruptions. All of them are ours.

use clawvoice_session::{
    SessionTime,
    timeline::{Level, Record},
};

use super::{OutputState, Parts as _, Place, Speaker, info, millis};
use crate::conversation::floor::{Confirmation, Dismissal, Evidence};

trait Judged {
    fn evidence(self, evidence: Evidence) -> Self;
}

impl Judged for Record {
    fn evidence(self, evidence: Evidence) -> Self {
        self.with("heldMs", evidence.held_ms)
            .with("soundMs", evidence.sound_ms)
            .with("voiceMs", evidence.voice_ms)
            .with("pitchMs", evidence.pitch_ms)
            .with("glideMs", evidence.glide_ms)
            .with("toneMs", evidence.tone_ms)
            .with("echoMs", evidence.echo_ms)
    }
}

/// A sound during an answer: the output stops until it is known what it was. `heard` samples of the
/// answer have been heard.
#[must_use]
pub fn barge_in_suspected(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    output: OutputState,
    heard: u64,
) -> Record {
    info(at, "realtime barge-in suspected")
        .place(place)
        .speaker(speaker)
        .with("outputAudioMs", output.audio_ms)
        .with("heardMs", millis(heard))
}

/// A little voice, then a pause: its words will tell.
#[must_use]
pub fn barge_in_undecided(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    evidence: Evidence,
) -> Record {
    info(at, "realtime barge-in undecided").place(place).speaker(speaker).evidence(evidence)
}

/// It was no interruption: the answer goes on. Verbose if nothing had stopped yet.
#[must_use]
pub fn barge_in_dismissed(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    reason: Dismissal,
    evidence: Evidence,
) -> Record {
    let level = if evidence.held_ms == 0 { Level::Verbose } else { Level::Info };
    Record::new(at, level, "realtime barge-in dismissed")
        .with("reason", reason.as_str())
        .place(place)
        .speaker(speaker)
        .evidence(evidence)
}

/// It was one.
#[must_use]
pub fn barge_in_confirmed(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    reason: Confirmation,
    evidence: Evidence,
) -> Record {
    info(at, "realtime barge-in confirmed")
        .with("reason", reason.as_str())
        .place(place)
        .speaker(speaker)
        .evidence(evidence)
}

/// An answer goes on from the sample where it had stopped. `heard` samples of it have been heard.
#[must_use]
pub fn playback_resumed(at: SessionTime, place: Place, heard: u64) -> Record {
    info(at, "realtime audio playback resumed").place(place).with("heardMs", millis(heard))
}
