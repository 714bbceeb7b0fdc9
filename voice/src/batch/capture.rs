//! What is kept of one speaker, from their first packet until silence has lasted for the grace.

use std::time::Duration;

use clawvoice_session::{SessionTime, UserId};

use super::wav;
use crate::call::Attribution;

/// Samples a second, 24 kHz mono.
const RATE: usize = 24_000;

/// Speech shorter than this is no word: 0.35 s.
const MIN_SPEECH: usize = RATE * 35 / 100;

/// The same for a segment that did not end in silence, 0.20 s: more of it may have been cut off.
const MIN_ABORTED: usize = RATE / 5;

/// Quieter than this (-54 dBFS) all through, a segment holds no voice: transcribers make up words
/// for silence.
const MIN_PEAK: u16 = 64;

/// A pause within a segment is kept as silence, so that sentences stay apart, but no longer than
/// 0.5 s.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// The most samples of a segment: what fits into the largest file that transcribers take.
pub(super) const MAX_SEGMENT: usize = (wav::MAX_BYTES - wav::HEADER_BYTES) / 2;

/// One speaker's open segment.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) user: UserId,
    pcm: Vec<i16>,
    /// Samples of speech, without pauses.
    speech: usize,
    peak: u16,
    stopped_at: Option<SessionTime>,
    closes_at: Option<SessionTime>,
    attribution: Option<Attribution>,
    disputed: bool,
    /// The answer that this talkspurt was last checked against for an interruption.
    pub(super) checked: Option<u64>,
    /// Whether the loss of samples was told.
    pub(super) overflow_told: bool,
}

/// What a finished capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    Words,
    Silence,
    TooShort,
}

impl Capture {
    pub(super) const fn new(user: UserId) -> Self {
        Self {
            user,
            pcm: Vec::new(),
            speech: 0,
            peak: 0,
            stopped_at: None,
            closes_at: None,
            attribution: None,
            disputed: false,
            checked: None,
            overflow_told: false,
        }
    }

    /// Samples kept.
    pub(super) fn len(&self) -> usize {
        self.pcm.len()
    }

    pub(super) fn speech(&self) -> u64 {
        self.speech as u64
    }

    pub(super) fn is_talking(&self) -> bool {
        self.closes_at.is_none()
    }

    pub(super) fn closes_at(&self) -> Option<SessionTime> {
        self.closes_at
    }

    /// The speaker goes on within the grace: the same segment goes on, with the pause in it.
    pub(super) fn resume(&mut self, now: SessionTime) {
        self.closes_at = None;
        if let Some(stopped_at) = self.stopped_at.take()
            && !self.pcm.is_empty()
        {
            let pause = now.since(stopped_at).min(MAX_PAUSE).as_millis() as usize * RATE / 1_000;
            let room = MAX_SEGMENT.saturating_sub(self.pcm.len());
            self.pcm.resize(self.pcm.len() + pause.min(room), 0);
        }
    }

    /// The talkspurt is over; the segment ends after the grace.
    pub(super) fn pause(&mut self, now: SessionTime, grace: Duration) {
        self.stopped_at = Some(now);
        self.closes_at = Some(now + grace);
        self.checked = None;
    }

    /// How sure it is whose speech this is.
    pub(super) fn attribute(&mut self, attribution: Attribution) {
        self.attribution = Some(attribution);
        self.disputed |= attribution == Attribution::Disputed;
    }

    /// Whether rights may hang on whose speech this is.
    pub(super) fn is_confirmed(&self) -> bool {
        self.attribution == Some(Attribution::Confirmed) && !self.disputed
    }

    /// Keeps speech, `room` samples of it at most; gives how many were kept.
    pub(super) fn push(&mut self, pcm: &[i16], room: usize) -> usize {
        let count = pcm.len().min(room).min(MAX_SEGMENT.saturating_sub(self.pcm.len()));
        let kept = pcm.get(..count).unwrap_or_default();
        self.pcm.extend_from_slice(kept);
        self.speech += count;
        let loudest = kept.iter().map(|sample| sample.unsigned_abs()).max();
        self.peak = self.peak.max(loudest.unwrap_or(0));
        count
    }

    /// Whether no more fits into one segment.
    pub(super) fn is_full(&self) -> bool {
        self.pcm.len() >= MAX_SEGMENT
    }

    /// What goes on where this full segment ends, of the same speaker in the same talkspurt.
    pub(super) fn successor(&self) -> Self {
        Self {
            attribution: self.attribution,
            disputed: self.disputed,
            checked: self.checked,
            ..Self::new(self.user)
        }
    }

    /// Whether it is worth a transcription; `aborted` if it did not end in silence.
    pub(super) fn worth(&self, aborted: bool) -> Worth {
        if self.speech < if aborted { MIN_ABORTED } else { MIN_SPEECH } {
            match self.speech {
                0 => Worth::Silence,
                _ => Worth::TooShort,
            }
        } else if self.peak < MIN_PEAK {
            Worth::Silence
        } else {
            Worth::Words
        }
    }

    /// The segment as a file.
    pub(super) fn into_wav(self) -> bytes::Bytes {
        wav::write(&self.pcm).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> SessionTime = SessionTime::from_millis;

    fn capture(ms: usize) -> Capture {
        let mut capture = Capture::new(UserId::new(1));
        capture.push(&vec![900; ms * 24], usize::MAX);
        capture
    }

    #[test]
    fn short_segments_are_no_words() {
        for (ms, aborted, worth) in [
            (349, false, Worth::TooShort),
            (350, false, Worth::Words),
            (199, true, Worth::TooShort),
            (200, true, Worth::Words),
            (0, false, Worth::Silence),
            (0, true, Worth::Silence),
        ] {
            assert_eq!(capture(ms).worth(aborted), worth, "{ms} ms, aborted: {aborted}");
        }
        let mut quiet = Capture::new(UserId::new(1));
        quiet.push(&vec![-63; RATE], usize::MAX);
        assert_eq!(quiet.worth(false), Worth::Silence);
        quiet.push(&[-64], usize::MAX);
        assert_eq!(quiet.worth(false), Worth::Words);
    }

    #[test]
    fn a_pause_is_kept_as_silence_of_half_a_second_at_most_and_is_no_speech() {
        let mut short = capture(100);
        short.pause(MS(1_000), Duration::from_millis(2_500));
        assert_eq!(short.closes_at(), Some(MS(3_500)));
        short.resume(MS(1_300));
        assert_eq!((short.len(), short.speech()), (400 * 24, 100 * 24));
        let mut long = capture(100);
        long.pause(MS(1_000), Duration::from_millis(2_500));
        long.resume(MS(3_000));
        assert_eq!(long.len(), 600 * 24);
        assert_eq!(long.closes_at(), None);
    }

    #[test]
    fn a_segment_never_outgrows_the_transcribers_limit() {
        let mut capture = Capture::new(UserId::new(1));
        let second = vec![900; RATE];
        while !capture.is_full() {
            capture.push(&second, usize::MAX);
        }
        assert_eq!(capture.push(&second, usize::MAX), 0);
        assert_eq!(capture.into_wav().len(), 20 * 1_024 * 1_024);
    }

    #[test]
    fn rights_hang_on_confirmed_speech_only() {
        let mut capture = capture(100);
        assert!(!capture.is_confirmed());
        capture.attribute(Attribution::Announced);
        assert!(!capture.is_confirmed());
        capture.attribute(Attribution::Confirmed);
        assert!(capture.is_confirmed());
        capture.attribute(Attribution::Disputed);
        capture.attribute(Attribution::Confirmed);
        assert!(!capture.is_confirmed(), "part of it may be somebody else's");
    }
}
