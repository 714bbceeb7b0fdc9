//! Segments on their way to words: one at a time, in the order in which they ended.

use std::time::Duration;

use bytes::Bytes;
use clawvoice_session::{SessionTime, UserId, agent::AskedBy};

use super::{BatchConversation, Output, SegmentId, SpeechFailure, capture::Worth, turn::Utterance};
use crate::timeline::{self, Role, batch::CaptureOutcome};

/// Segments and utterances that may wait.
const MAX_WAITING: usize = 32;

/// How often a segment is tried.
const MAX_ATTEMPTS: u32 = 3;

/// The wait before another attempt, doubled each time.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A finished segment. It stays until it is transcribed or cannot be.
#[derive(Debug)]
pub(super) struct Segment {
    id: SegmentId,
    user: UserId,
    /// Whether rights may hang on whose speech it is.
    confirmed: bool,
    wav: Bytes,
    pub(super) samples: usize,
    attempts: u32,
    in_work: bool,
    pub(super) retry_at: Option<SessionTime>,
}

impl BatchConversation {
    /// A segment is over.
    pub(super) fn finalize(&mut self, now: SessionTime, index: usize, aborted: bool) {
        self.playback.note_turn_ended(now);
        let capture = self.captures.remove(index);
        let (user, speech) = (capture.user, capture.speech());
        let place = self.settings.place();
        self.line_about(user, |s| {
            timeline::batch::capture_finalize(now, place, s, speech, aborted)
        });
        let outcome = match capture.worth(aborted) {
            Worth::Words => CaptureOutcome::Ready,
            Worth::Silence => CaptureOutcome::Empty,
            Worth::TooShort => CaptureOutcome::TooShort,
        };
        self.line_about(user, |s| timeline::batch::capture_outcome(now, place, s, outcome));
        if outcome != CaptureOutcome::Ready {
            self.stats.discarded += 1;
            return;
        }
        if self.segments.len() + self.utterances.len() + self.waiting.len() >= MAX_WAITING {
            self.stats.segments_dropped += 1;
            let why = "too many segments wait";
            self.line_about(user, |s| timeline::batch::capture_overflow(now, place, s, why));
            return;
        }
        let id = SegmentId(self.fresh_id());
        self.segments.push_back(Segment {
            id,
            user,
            confirmed: capture.is_confirmed(),
            samples: capture.len(),
            wav: capture.into_wav(),
            attempts: 0,
            in_work: false,
            retry_at: None,
        });
        self.advance_transcription(now);
    }

    /// Begins the transcription that is next, if none is under way.
    pub(super) fn advance_transcription(&mut self, now: SessionTime) {
        let Some(segment) = self.segments.front_mut() else { return };
        if segment.in_work || segment.retry_at.is_some_and(|at| at > now) {
            return;
        }
        segment.in_work = true;
        segment.retry_at = None;
        segment.attempts += 1;
        let (segment, wav) = (segment.id, segment.wav.clone());
        self.outputs.push_back(Output::Transcribe { segment, wav });
    }

    /// A segment was transcribed, or could not be.
    pub fn handle_transcribed(
        &mut self,
        now: SessionTime,
        segment: SegmentId,
        result: Result<String, SpeechFailure>,
    ) {
        let Some(front) = self.segments.front_mut().filter(|s| s.id == segment && s.in_work) else {
            self.stats.late += 1;
            return;
        };
        let (user, place) = (front.user, self.settings.place());
        match result {
            Ok(text) => {
                let confirmed = front.confirmed;
                self.segments.pop_front();
                self.accept(now, user, confirmed, text.trim());
            }
            Err(failure) => {
                let retried = failure.transient && front.attempts < MAX_ATTEMPTS;
                if retried {
                    front.in_work = false;
                    front.retry_at = Some(now + BACK_OFF * 2_u32.pow(front.attempts - 1));
                } else {
                    self.segments.pop_front();
                    self.stats.transcriptions_failed += 1;
                }
                self.line_about(user, |s| {
                    timeline::batch::transcription_failed(now, place, s, &failure.message, retried)
                });
            }
        }
        self.advance_transcription(now);
        self.advance_turns(now);
        self.settle(now);
    }

    fn accept(&mut self, now: SessionTime, user: UserId, confirmed: bool, text: &str) {
        let place = self.settings.place();
        if is_blank(text) {
            self.line_about(user, |s| timeline::batch::transcription_empty(now, place, s));
            return;
        }
        self.line_about(user, |s| timeline::batch::transcription_ok(now, place, s, text));
        self.line_about(user, |s| timeline::batch::transcript_from(now, s, text));
        let (role, words) = (Role::User, text.to_owned());
        self.outputs.push_back(Output::Transcript { user: Some(user), role, text: words });
        let owner = confirmed && self.settings.rights.owners.contains(&user);
        let by = AskedBy { user, label: self.label(user), owner };
        self.utterances.push_back(Utterance { by, certain: confirmed, text: text.to_owned() });
    }
}

/// No words, or only what some transcribers write for noise: `[BLANK_AUDIO]`, `(music)`.
fn is_blank(text: &str) -> bool {
    let is_note = |open: char, close: char| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inner| !inner.contains([open, close]))
    };
    is_note('[', ']') || is_note('(', ')') || !text.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::is_blank;

    #[test]
    fn notes_of_noise_are_no_words() {
        for text in ["", "...", "[BLANK_AUDIO]", "(music)", "♪"] {
            assert!(is_blank(text), "{text}");
        }
        for text in ["Hi.", "[door] who is it?", "(one) and (two)", "你好"] {
            assert!(!is_blank(text), "{text}");
        }
    }
}
