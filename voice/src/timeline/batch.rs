//! The lines of `stt-tts`: capture, transcription, the agent's turn, synthesis, playback.
//!
//! What happens for every segment is verbose; turns and troubles are not.

use clawvoice_session::{
    SessionTime,
    timeline::{Level, Record},
};

use super::{Parts as _, Place, Route, Speaker, info, millis, preview, warn};

fn verbose(at: SessionTime, line: impl Into<std::borrow::Cow<'static, str>>) -> Record {
    Record::new(at, Level::Verbose, line)
}

/// A speaker's segment begins.
#[must_use]
pub fn capture_start(at: SessionTime, place: Place, speaker: Speaker<'_>) -> Record {
    verbose(at, "capture start").place(place).speaker(speaker)
}

/// A segment ended: `samples` of speech at 24 kHz; `aborted` if not by silence.
#[must_use]
pub fn capture_finalize(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    samples: u64,
    aborted: bool,
) -> Record {
    verbose(at, "capture finalize")
        .place(place)
        .speaker(speaker)
        .with("audioMs", millis(samples))
        .with("aborted", aborted)
}

/// What became of a finalized segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureOutcome {
    /// It goes to transcription.
    Ready,
    /// It holds no sound.
    Empty,
    /// It is shorter than words are.
    TooShort,
}

/// What became of a finalized segment.
#[must_use]
pub fn capture_outcome(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    outcome: CaptureOutcome,
) -> Record {
    let line = match outcome {
        CaptureOutcome::Ready => "capture ready",
        CaptureOutcome::Empty => "capture empty",
        CaptureOutcome::TooShort => "capture too short",
    };
    verbose(at, line).place(place).speaker(speaker)
}

/// Ours: memory for captured speech is full; the newest of it is lost.
#[must_use]
pub fn capture_overflow(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    reason: &'static str,
) -> Record {
    warn(at, "capture overflow").place(place).speaker(speaker).with("reason", reason)
}

/// A transcript came.
#[must_use]
pub fn transcription_ok(at: SessionTime, place: Place, speaker: Speaker<'_>, text: &str) -> Record {
    verbose(at, "transcription ok")
        .place(place)
        .speaker(speaker)
        .with("chars", text.chars().count())
}

/// A segment held no words.
#[must_use]
pub fn transcription_empty(at: SessionTime, place: Place, speaker: Speaker<'_>) -> Record {
    verbose(at, "transcription empty").place(place).speaker(speaker)
}

/// A segment could not be transcribed.
#[must_use]
pub fn transcription_failed(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    message: &str,
    retried: bool,
) -> Record {
    warn(at, "transcription failed")
        .place(place)
        .speaker(speaker)
        .with("willRetry", retried)
        .with("message", preview(message))
}

/// The words of an accepted segment.
#[must_use]
pub fn transcript_from(at: SessionTime, speaker: Speaker<'_>, text: &str) -> Record {
    let label = preview(speaker.label);
    verbose(at, format!("transcript from {label} ({})", speaker.user)).saying(&preview(text))
}

/// Ours: the agent's turn failed or was cancelled.
#[must_use]
pub fn agent_turn_failed(
    at: SessionTime,
    place: Place,
    route: Route<'_>,
    message: Option<&str>,
) -> Record {
    match message {
        Some(message) => warn(at, "agent turn failed")
            .place(place)
            .route(route)
            .with("message", preview(message)),
        None => info(at, "agent turn cancelled").place(place).route(route),
    }
}

/// Whether an answer had anything to say: `reply ok` or `reply empty`.
#[must_use]
pub fn reply(at: SessionTime, place: Place, sentences: usize) -> Record {
    let line = if sentences == 0 { "reply empty" } else { "reply ok" };
    verbose(at, line).place(place).with("sentences", sentences)
}

/// Ours: an answer is longer than is read out; the rest of it is not.
#[must_use]
pub fn reply_too_long(at: SessionTime, place: Place, sentences: usize) -> Record {
    warn(at, "reply too long to read out").place(place).with("sentences", sentences)
}

/// A sentence is synthesized: `samples` at 24 kHz.
#[must_use]
pub fn tts_ok(at: SessionTime, place: Place, text: &str, samples: u64) -> Record {
    verbose(at, "tts ok")
        .place(place)
        .with("chars", text.chars().count())
        .with("audioMs", millis(samples))
}

/// A sentence is not said.
#[must_use]
pub fn tts_skipped(at: SessionTime, place: Place, reason: &'static str) -> Record {
    verbose(at, "tts skipped").place(place).with("reason", reason)
}

/// A sentence could not be synthesized.
#[must_use]
pub fn tts_failed(at: SessionTime, place: Place, message: &str, retried: bool) -> Record {
    warn(at, "TTS failed").place(place).with("willRetry", retried).with("message", preview(message))
}

/// The player begins an answer.
#[must_use]
pub fn playback_start(at: SessionTime, place: Place) -> Record {
    verbose(at, "playback start").place(place)
}

/// The player is through with an answer, or was stopped.
#[must_use]
pub fn playback_done(
    at: SessionTime,
    place: Place,
    reason: super::StopReason,
    played: super::Played,
) -> Record {
    verbose(at, "playback done")
        .place(place)
        .with("reason", reason.as_str())
        .with("audioMs", millis(played.received))
        .with("heardMs", millis(played.heard))
        .with("elapsedMs", played.elapsed_ms)
}

/// Ours: an answer was interrupted, and the agent is told what of it was heard.
#[must_use]
pub fn answer_interrupted(at: SessionTime, place: Place, heard: &str) -> Record {
    info(at, "answer interrupted").place(place).quoting("heard", preview(heard))
}
