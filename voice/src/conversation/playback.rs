//! The room's player: one queue of answers, and to the sample what the room has heard of each.
//!
//! An answer starts after a wait that its provider's jitter decides, or as soon as it is whole or
//! the longest wait is full of audio. Only a player with nothing
//! left completes an answer. A provider that pauses in mid-answer is waited for; after two seconds
//! the answer is parked and may start again when its audio comes.
//!
//! An answer that is paused or cut leaves softly: one more frame, which fades out. A paused one goes
//! on from the sample where that fade began, fading in by the same ramp: the two add up to the
//! samples as they were.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;

use super::{
    agent_voice::AnswerDelay,
    barge_in::ItemProgress,
    lane::Lane,
    prebuffer::{Arrivals, Prebuffer},
    turn::duration_ms,
};
use crate::{
    realtime::AudioDelta,
    timeline::{OutputState, Played, StopReason, millis},
};

/// Samples of one frame: 20 ms at 24 kHz.
pub(crate) const FRAME: usize = 480;
/// Audio waiting in the queue, in samples: 6000 frames, two minutes.
const MAX_QUEUED: usize = 6_000 * FRAME;
/// Answers in the queue.
const MAX_ANSWERS: usize = 32;
/// Items of one answer.
const MAX_ITEMS: usize = 64;
/// Frames missed in a row before an unfinished answer is parked: two seconds.
const MAX_MISSED: u32 = 100;
/// Samples of a fade: 10 ms. Shorter clicks, longer is heard as talking on.
const FADE: usize = 240;
/// What a complete answer may take longer than its remaining audio.
const WATCHDOG_SLACK: Duration = Duration::from_secs(3);

/// The queue is full; the answer that overflowed it must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Something the timeline should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Started,
    Stopped(StopReason, Played),
    Watchdog(Played),
}

#[derive(Debug)]
struct Item {
    progress: ItemProgress,
    pcm: VecDeque<i16>,
}

/// One answer in the queue.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) serial: u64,
    pub(crate) lane: Lane,
    pub(crate) response: String,
    /// Whether the provider has sent all of it.
    pub(crate) complete: bool,
    /// Whether the connection that it came from is gone: its items are in no history any more.
    pub(crate) orphaned: bool,
    items: Vec<Item>,
    chunks: u64,
    queued: usize,
    started_at: Option<SessionTime>,
    missed: u32,
    parked: bool,
    watchdog: Option<SessionTime>,
    arrivals: Arrivals,
    /// When it has waited long enough to start; `None`: it has, or has nothing to start with.
    starts_at: Option<SessionTime>,
    /// It has waited long enough.
    ripe: bool,
}

impl Answer {
    fn heard(&self) -> u64 {
        self.items.iter().map(|item| item.progress.heard).sum()
    }

    fn received(&self) -> u64 {
        self.items.iter().map(|item| item.progress.received).sum()
    }

    /// Samples that are still to be played.
    pub(crate) fn left(&self) -> u64 {
        self.queued as u64
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started_at.is_some()
    }

    pub(crate) fn played(&self, now: SessionTime) -> Played {
        Played {
            received: self.received(),
            heard: self.heard(),
            chunks: self.chunks,
            elapsed_ms: self.started_at.map_or(0, |at| duration_ms(now.since(at))),
        }
    }

    /// The items in playback order.
    pub(crate) fn progress(&self) -> Vec<ItemProgress> {
        self.items.iter().map(|item| item.progress.clone()).collect()
    }

    /// Whether the answer is under way, or may begin.
    fn is_playable(&self, full: usize) -> bool {
        (self.is_started() && !self.parked) || self.complete || self.ripe || self.queued >= full
    }

    /// Notes that it has waited long enough.
    fn ripen(&mut self, now: SessionTime) {
        if self.starts_at.is_some_and(|at| at <= now) {
            self.starts_at = None;
            self.ripe = true;
        }
    }

    /// The samples that [`Answer::fill`] would give next, fading out.
    fn fade_out(&self) -> [i16; FRAME] {
        let mut frame = [0; FRAME];
        let pcm = self.items.iter().flat_map(|item| &item.pcm);
        for (index, (to, from)) in frame.iter_mut().zip(pcm).take(FADE).enumerate() {
            *to = scaled(*from, FADE - index);
        }
        frame
    }

    /// Fills one frame; the rest of a last one is silence. Items play in their order, so audio that
    /// comes late for an earlier item is not lost.
    fn fill(&mut self, frame: &mut [i16; FRAME]) {
        let mut rest = frame.as_mut_slice();
        for item in &mut self.items {
            let count = item.pcm.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            for (to, from) in now.iter_mut().zip(item.pcm.drain(..count)) {
                *to = from;
            }
            item.progress.heard += count as u64;
            self.queued -= count;
            rest = later;
        }
        rest.fill(0);
        self.missed = 0;
    }
}

/// `sample` at `part` [`FADE`]ths of its level.
fn scaled(sample: i16, part: usize) -> i16 {
    // Never louder than the sample, so the cast keeps the value.
    (i32::from(sample) * part as i32 / FADE as i32) as i16
}

fn fade_in(frame: &mut [i16; FRAME]) {
    for (index, sample) in frame.iter_mut().take(FADE).enumerate() {
        *sample = scaled(*sample, index);
    }
}

/// How the answer at the head of the queue is interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pause {
    /// It is not.
    #[default]
    None,
    /// It pauses with the next frame.
    Wanted,
    /// It has faded out.
    Silent,
    /// It goes on with the next frame, fading in.
    Ended,
}

/// The room's player.
#[derive(Debug)]
pub(crate) struct Playback {
    answers: VecDeque<Answer>,
    pause: Pause,
    /// The last frame of an answer that was cut, fading out.
    release: Option<Box<[i16; FRAME]>>,
    queued: usize,
    /// Audio with which an answer starts however the provider behaves, in samples.
    full: usize,
    prebuffer: Prebuffer,
    next_serial: u64,
    notes: VecDeque<Note>,
    /// The end of the turn that is to be answered.
    turn_ended: Option<SessionTime>,
    delay: Option<AnswerDelay>,
}

impl Playback {
    /// `most`: the longest wait before an answer starts.
    pub(crate) fn new(most: Duration) -> Self {
        let samples = most.as_millis().saturating_mul(24);
        Self {
            answers: VecDeque::new(),
            pause: Pause::None,
            release: None,
            queued: 0,
            full: usize::try_from(samples).unwrap_or(usize::MAX).min(MAX_QUEUED),
            prebuffer: Prebuffer::new(most),
            next_serial: 0,
            notes: VecDeque::new(),
            turn_ended: None,
            delay: None,
        }
    }

    pub(crate) fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// The answer that plays or is next to play.
    pub(crate) fn head(&self) -> Option<&Answer> {
        self.answers.front()
    }

    /// Whether the player is in an answer.
    pub(crate) fn is_playing(&self) -> bool {
        self.head().is_some_and(Answer::is_started)
    }

    /// Somebody's turn is over: an answer is waited for.
    pub(crate) fn note_turn_ended(&mut self, now: SessionTime) {
        self.turn_ended = Some(now);
    }

    /// How long the last answer was waited for.
    pub(crate) fn answer_delay(&self) -> Option<AnswerDelay> {
        self.delay
    }

    /// Whether it is held back in the middle of an answer.
    pub(crate) fn pause_state(&self) -> Pause {
        self.pause
    }

    /// What the room has heard of the answer that plays or is next, in samples.
    pub(crate) fn heard(&self) -> Option<u64> {
        self.head().map(Answer::heard)
    }

    pub(crate) fn output(&self) -> OutputState {
        self.head().map_or(OutputState::default(), |head| OutputState {
            audio_ms: millis(head.received()),
            active: true,
            chunks: head.chunks,
        })
    }

    /// All answers, in queue order.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter()
    }

    /// Answers of one lane, in queue order.
    pub(crate) fn of_lane(&self, lane: Lane) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(move |answer| answer.lane == lane)
    }

    /// Samples of an item that came, and that the room has heard; `None` if it is not queued.
    pub(crate) fn item(&self, lane: Lane, response: &str, item: &str) -> Option<(u64, u64)> {
        let answer = self.answers.iter().find(|a| a.lane == lane && a.response == response)?;
        let item = answer.items.iter().find(|queued| queued.progress.id == item)?;
        Some((item.progress.received, item.progress.heard))
    }

    /// Queues a piece of an answer.
    pub(crate) fn push(
        &mut self,
        now: SessionTime,
        lane: Lane,
        response: &str,
        delta: &AudioDelta,
    ) -> Result<(), Overflow> {
        if delta.pcm.is_empty() {
            return Ok(());
        }
        if self.queued + delta.pcm.len() > MAX_QUEUED {
            return Err(Overflow);
        }
        let wait = self.prebuffer.wait();
        let answer = self.answer(now, lane, response)?;
        if answer.chunks == 0 || (answer.parked && answer.starts_at.is_none()) {
            answer.starts_at = Some(now + wait);
        } else {
            answer.arrivals.note(now, Duration::from_micros(answer.received() * 1_000 / 24));
        }
        let item = match answer.items.iter().position(|item| item.progress.id == delta.item) {
            Some(index) => index,
            None if answer.items.len() == MAX_ITEMS => return Err(Overflow),
            None => {
                answer.items.push(Item {
                    progress: ItemProgress {
                        id: delta.item.clone(),
                        content_index: delta.content_index,
                        received: 0,
                        heard: 0,
                    },
                    pcm: VecDeque::new(),
                });
                answer.items.len() - 1
            }
        };
        if let Some(item) = answer.items.get_mut(item) {
            item.pcm.extend(&delta.pcm);
            item.progress.received += delta.pcm.len() as u64;
        }
        answer.chunks += 1;
        answer.queued += delta.pcm.len();
        answer.ripen(now);
        self.queued += delta.pcm.len();
        Ok(())
    }

    fn answer(
        &mut self,
        now: SessionTime,
        lane: Lane,
        response: &str,
    ) -> Result<&mut Answer, Overflow> {
        let found = self.answers.iter().position(|a| a.lane == lane && a.response == response);
        let index = match found {
            Some(index) => index,
            None if self.answers.len() == MAX_ANSWERS => return Err(Overflow),
            None => {
                let serial = self.next_serial;
                self.next_serial += 1;
                self.answers.push_back(Answer {
                    serial,
                    lane,
                    response: response.to_owned(),
                    complete: false,
                    orphaned: false,
                    items: Vec::new(),
                    chunks: 0,
                    queued: 0,
                    started_at: None,
                    missed: 0,
                    parked: false,
                    watchdog: None,
                    arrivals: Arrivals::new(now),
                    starts_at: None,
                    ripe: false,
                });
                self.answers.len() - 1
            }
        };
        self.answers.get_mut(index).ok_or(Overflow)
    }

    /// The provider has sent all of an answer; gives what came of it, if it had audio.
    pub(crate) fn complete(
        &mut self,
        now: SessionTime,
        lane: Lane,
        response: &str,
    ) -> Option<Played> {
        let answer = self.answers.iter_mut().find(|a| a.lane == lane && a.response == response)?;
        if !answer.complete {
            answer.complete = true;
            self.prebuffer.learn(&answer.arrivals);
        }
        Some(answer.played(now))
    }

    /// A lane's connection is gone and `next` takes its place: nothing more comes of its answers.
    /// One that the room has not begun to hear and that is not whole goes; the others play out, as
    /// answers of `next`, so that its speaker's interruption still clears them.
    pub(crate) fn replace_lane(&mut self, lane: Lane, next: Lane) {
        let queued = &mut self.queued;
        self.answers.retain_mut(|answer| {
            if answer.lane != lane {
                return true;
            }
            if !answer.complete && answer.heard() == 0 {
                *queued -= answer.queued;
                return false;
            }
            answer.complete = true;
            answer.lane = next;
            answer.orphaned = true;
            // The next connection may count its responses from the same number.
            answer.response = format!("orphaned {}", answer.serial);
            true
        });
    }

    /// Takes an answer out, playing or not.
    pub(crate) fn remove(
        &mut self,
        now: SessionTime,
        lane: Lane,
        response: &str,
        reason: StopReason,
    ) -> Option<Answer> {
        let index = self.answers.iter().position(|a| a.lane == lane && a.response == response)?;
        self.remove_at(now, index, reason)
    }

    fn remove_at(&mut self, now: SessionTime, index: usize, reason: StopReason) -> Option<Answer> {
        let answer = self.answers.remove(index)?;
        self.queued -= answer.queued;
        if answer.is_started() {
            if answer.queued > 0 && !answer.parked && self.pause != Pause::Silent {
                self.release = Some(Box::new(answer.fade_out()));
            }
            self.pause = Pause::None;
            self.notes.push_back(Note::Stopped(reason, answer.played(now)));
        }
        Some(answer)
    }

    /// Stops the answer under way, and keeps it.
    pub(crate) fn pause(&mut self) {
        if self.is_playing() {
            self.pause = match self.pause {
                Pause::None => Pause::Wanted,
                // Nothing of it has sounded again.
                Pause::Ended => Pause::Silent,
                paused => paused,
            };
        }
    }

    /// Lets a paused answer go on. Gives whether it had fallen silent.
    pub(crate) fn resume(&mut self) -> bool {
        let was_silent = self.pause == Pause::Silent;
        self.pause = match self.pause {
            Pause::Silent | Pause::Ended => Pause::Ended,
            Pause::Wanted | Pause::None => Pause::None,
        };
        was_silent
    }

    /// Ends everything.
    pub(crate) fn close(&mut self, now: SessionTime) {
        while self.remove_at(now, 0, StopReason::SessionClose).is_some() {}
    }

    /// Fills the next 20 ms; `false`: nothing to play on this tick. `may_start` is false while a
    /// speaker who has interrupted is still talking: no new answer starts then.
    pub(crate) fn take(
        &mut self,
        now: SessionTime,
        frame: &mut [i16; FRAME],
        may_start: bool,
    ) -> bool {
        if let Some(release) = self.release.take() {
            *frame = *release;
            return true;
        }
        self.ripen(now);
        if self.pause == Pause::Wanted {
            self.pause = Pause::Silent;
            let fading = self.head().filter(|head| head.queued > 0).map(Answer::fade_out);
            *frame = fading.unwrap_or([0; FRAME]);
            return fading.is_some();
        }
        if self.pause == Pause::Silent {
            return false;
        }
        while self.bring_playable_to_front() {
            let Some(head) = self.answers.front_mut() else { return false };
            if !head.is_started() {
                if head.complete && head.queued == 0 {
                    self.answers.pop_front();
                    continue;
                }
                if !may_start {
                    return false;
                }
                head.started_at = Some(now);
                head.parked = false;
                self.notes.push_back(Note::Started);
                let waited = self.turn_ended.take().map(|ended| now.since(ended));
                self.delay = waited.map(|delay| AnswerDelay { at: now, delay }).or(self.delay);
            }
            if head.queued >= FRAME || (head.complete && head.queued > 0) {
                let before = head.queued;
                head.fill(frame);
                self.queued -= before - head.queued;
                if self.pause == Pause::Ended {
                    self.pause = Pause::None;
                    fade_in(frame);
                }
                return true;
            }
            if head.complete {
                self.remove_at(now, 0, StopReason::PlayerIdle);
                continue;
            }
            head.missed += 1;
            if head.missed < MAX_MISSED {
                return false;
            }
            let stopped = Note::Stopped(StopReason::PlayerIdle, head.played(now));
            head.started_at = None;
            head.missed = 0;
            head.parked = true;
            head.ripe = false;
            self.pause = Pause::None;
            self.notes.push_back(stopped);
        }
        false
    }

    /// Lets others pass an answer that waits for audio: a parked one until its audio is back, one
    /// that has not started until it has enough to. The answer under way is never passed.
    fn bring_playable_to_front(&mut self) -> bool {
        let full = self.full;
        let next = self.answers.iter().position(|a| a.is_playable(full));
        match next {
            Some(0) => true,
            Some(index) => match self.answers.remove(index) {
                Some(answer) => {
                    self.answers.push_front(answer);
                    true
                }
                None => false,
            },
            None => false,
        }
    }

    /// Whether an answer is under way, or has enough to begin and `may_start`.
    pub(crate) fn wants_frame(&self, may_start: bool) -> bool {
        if self.release.is_some() {
            return true;
        }
        match self.pause {
            Pause::Silent => false,
            Pause::None | Pause::Wanted | Pause::Ended => self.is_under_way(may_start),
        }
    }

    fn is_under_way(&self, may_start: bool) -> bool {
        self.is_playing() || (may_start && self.answers.iter().any(|a| a.is_playable(self.full)))
    }

    /// Notes which answers have waited long enough to start.
    pub(crate) fn ripen(&mut self, now: SessionTime) {
        for answer in &mut self.answers {
            answer.ripen(now);
        }
    }

    /// When the next one has.
    pub(crate) fn poll_start(&self) -> Option<SessionTime> {
        self.answers.iter().filter(|answer| !answer.complete).filter_map(|a| a.starts_at).min()
    }

    /// Arms the watchdog of a complete answer at the head of the queue; call after every change.
    /// While answers are held back (`held`) an unstarted one is not watched.
    pub(crate) fn watch(&mut self, now: SessionTime, held: bool) {
        let is_paused = self.pause == Pause::Silent;
        if let Some(head) = self.answers.front_mut() {
            if head.complete && !is_paused && (head.is_started() || !held) {
                let remaining = Duration::from_millis(millis(head.queued as u64));
                head.watchdog.get_or_insert(now + remaining + WATCHDOG_SLACK);
            } else {
                head.watchdog = None;
            }
        }
    }

    pub(crate) fn poll_watchdog(&self) -> Option<SessionTime> {
        self.head().and_then(|head| head.watchdog)
    }

    /// The player never became idle: frees the queue for the next answer.
    pub(crate) fn handle_watchdog(&mut self, now: SessionTime) {
        if self.poll_watchdog().is_some_and(|at| at <= now)
            && let Some(head) = self.head()
        {
            self.notes.push_back(Note::Watchdog(head.played(now)));
            self.remove_at(now, 0, StopReason::PlaybackWatchdog);
        }
    }
}

#[cfg(test)]
mod tests;
