//! From decoded frames to segments, and whether they interrupt.

use clawvoice_session::{SessionTime, UserId};

use super::{BatchConversation, HOLD, capture::Capture};
use crate::{
    call::{Attribution, Hear},
    conversation::barge_in::{Verdict, judge},
    timeline::{self, Heard},
};

/// Samples that open captures and waiting segments may hold together: 64 MiB.
const MAX_HELD: usize = 32 * 1_024 * 1_024;

const SPEAKER_START: &str = "speaker-start";
const ACTIVE_SPEAKER_AUDIO: &str = "active-speaker-audio";

impl Hear for BatchConversation {
    fn speaking_started(&mut self, now: SessionTime, user: UserId) {
        if self.closed || !self.hears(user) {
            return;
        }
        match self.captures.iter_mut().find(|capture| capture.user == user) {
            Some(capture) => capture.resume(now),
            None => self.open_capture(now, user),
        }
        self.settle(now);
    }

    fn attributed(&mut self, _now: SessionTime, user: UserId, attribution: Attribution) {
        if let Some(capture) = self.captures.iter_mut().find(|capture| capture.user == user) {
            capture.attribute(attribution);
        }
    }

    fn audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        if self.closed || pcm.is_empty() || self.ignored.contains(&user) || !self.hears(user) {
            return;
        }
        match self.captures.iter_mut().find(|capture| capture.user == user) {
            Some(capture) if !capture.is_talking() => capture.resume(now),
            Some(_) => {}
            None => self.open_capture(now, user),
        }
        self.interrupt_by_audio(now, user);
        self.keep(now, user, pcm);
        self.settle(now);
    }

    fn speaking_stopped(&mut self, now: SessionTime, user: UserId) {
        if self.closed {
            return;
        }
        self.ignored.remove(&user);
        let grace = self.settings.capture_silence_grace;
        if let Some(capture) = self.captures.iter_mut().find(|capture| capture.user == user) {
            capture.pause(now, grace);
        }
        self.release_hold(user);
        self.settle(now);
    }
}

impl BatchConversation {
    fn hears(&self, user: UserId) -> bool {
        user != self.settings.bot_user
            && (self.settings.hear_bots || !self.names.get(&user).is_some_and(|name| name.bot))
    }

    /// Begins a segment, unless this talkspurt is not to be heard.
    fn open_capture(&mut self, now: SessionTime, user: UserId) {
        if self.ignored.contains(&user) {
            return;
        }
        let place = self.settings.place();
        if !self.settings.rights.admits(user, &self.label(user)) {
            self.ignore(user);
            self.line_about(user, |s| timeline::speaker_unauthorized(now, place, s));
            return;
        }
        if self.playback.is_playing() {
            if !self.settings.barge_in {
                self.ignore(user);
                self.line(timeline::capture_ignored(now, place, user));
                return;
            }
            self.line(timeline::barge_in_at_speaker_start(now, place, user));
            self.interrupt(now, user, SPEAKER_START);
        }
        self.stats.captures += 1;
        let mut capture = Capture::new(user);
        // What has just been judged is not judged again by its first frame.
        capture.checked = self.playing();
        self.captures.push(capture);
        self.line_about(user, |s| timeline::batch::capture_start(now, place, s));
    }

    fn ignore(&mut self, user: UserId) {
        self.ignored.insert(user);
        self.stats.ignored += 1;
    }

    /// The answer that plays.
    fn playing(&self) -> Option<u64> {
        self.playback.head().filter(|head| head.is_started()).map(|head| head.serial)
    }

    /// Speech of an open segment while an answer plays: once a talkspurt and answer it is an
    /// interruption, if these are wanted.
    fn interrupt_by_audio(&mut self, now: SessionTime, user: UserId) {
        let Some(serial) = self.playing().filter(|_| self.settings.barge_in) else { return };
        let Some(capture) = self.captures.iter_mut().find(|capture| capture.user == user) else {
            return;
        };
        if capture.checked == Some(serial) {
            return;
        }
        capture.checked = Some(serial);
        let heard = Heard { chunks: 1, samples: capture.speech() };
        let (place, output) = (self.settings.place(), self.playback.output());
        self.line_about(user, |s| timeline::barge_in_by_audio(now, place, s, output, heard));
        self.interrupt(now, user, ACTIVE_SPEAKER_AUDIO);
    }

    fn interrupt(&mut self, now: SessionTime, user: UserId, reason: &'static str) {
        let (place, output) = (self.settings.place(), self.playback.output());
        self.line(timeline::barge_in_requested(now, place, reason, output));
        let min = self.settings.min_barge_in_audio_end_ms;
        match judge(true, self.playback.heard(), min) {
            Verdict::Stop => {
                self.stats.barge_ins += 1;
                self.hold = Some((user, now + HOLD));
                self.cut_playing(now);
            }
            Verdict::TooEarly(heard_ms) => {
                self.stats.barge_ins_skipped += 1;
                self.line(timeline::interrupt_skipped(now, "barge-in", heard_ms, min));
            }
            Verdict::Disabled | Verdict::NothingPlaying => {}
        }
    }

    fn keep(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        let held = self.captures.iter().map(Capture::len).sum::<usize>()
            + self.segments.iter().map(|segment| segment.samples).sum::<usize>();
        let mut room = MAX_HELD.saturating_sub(held);
        let mut rest = pcm;
        while let Some(index) = self.captures.iter().position(|capture| capture.user == user) {
            let Some(capture) = self.captures.get_mut(index) else { return };
            let kept = capture.push(rest, room);
            room -= kept;
            rest = rest.get(kept..).unwrap_or_default();
            if rest.is_empty() {
                return;
            }
            if room == 0 {
                self.stats.samples_dropped += rest.len() as u64;
                if !std::mem::replace(&mut capture.overflow_told, true) {
                    let place = self.settings.place();
                    let why = "memory for captured speech is full";
                    self.line_about(user, |s| {
                        timeline::batch::capture_overflow(now, place, s, why)
                    });
                }
                return;
            }
            if !capture.is_full() {
                return;
            }
            self.split(now, index);
        }
    }

    /// A full segment ends, and the next one goes on where it ended.
    fn split(&mut self, now: SessionTime, index: usize) {
        let Some(full) = self.captures.get_mut(index) else { return };
        let successor = full.successor();
        self.finalize(now, index, false);
        self.captures.push(successor);
        self.stats.captures += 1;
    }
}
