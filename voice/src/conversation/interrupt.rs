//! Applying an interruption: silence here at once, the truth to the provider.

use clawvoice_session::{SessionTime, UserId};

use super::{
    Conversation,
    barge_in::{ItemProgress, Repair, Verdict, judge, repairs},
    floor::Input,
    lane::Lane,
    playback::Answer,
};
use crate::{
    realtime::Command,
    timeline::{self, Heard, Speaker, StopReason},
};

const SPEAKER_START: &str = "speaker-start";
pub(super) const ACTIVE_SPEAKER_AUDIO: &str = "active-speaker-audio";
/// The reason of every line about what the provider is told.
const BARGE_IN: &str = "barge-in";

impl Conversation {
    /// Somebody began to speak. Gives whether that ended an answer.
    pub(super) fn interrupt_at_speaker_start(&mut self, now: SessionTime, user: UserId) -> bool {
        if self.floor.is_some() {
            if self.playback.head().is_some() {
                self.tell_floor(now, Input::Start { user });
                return false;
            }
            return self.request_stop(now, user, SPEAKER_START);
        }
        if self.playback.is_playing() {
            let place = self.settings.place();
            self.line(timeline::barge_in_at_speaker_start(now, place, user));
        } else if self.playback.head().is_some() {
            // Not audible yet: the first frame decides.
            return false;
        }
        self.request_stop(now, user, SPEAKER_START)
    }

    /// A frame of an open turn, before it is sent: once per turn and answer it is an interruption.
    pub(super) fn interrupt_by_audio(&mut self, now: SessionTime, user: UserId, heard: Heard) {
        let Some(serial) = self.playback.head().map(|head| head.serial) else { return };
        let must_check = self.turns.iter().any(|turn| turn.user == user && turn.must_check(serial));
        if !must_check {
            return;
        }
        if self.settings.barges_in() {
            let label = self.label(user);
            let speaker = Speaker { user, label: &label };
            let output = self.playback.output();
            let place = self.settings.place();
            self.line(timeline::barge_in_by_audio(now, place, speaker, output, heard));
        }
        let stopped = self.request_stop(now, user, ACTIVE_SPEAKER_AUDIO);
        let barge_in = self.settings.barges_in();
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) {
            turn.set_checked(serial, !stopped && barge_in);
            if stopped {
                turn.hold(now);
            }
        }
    }

    /// The provider's turn detection heard speech on a speaker's connection, and has cancelled that
    /// connection's response.
    pub(super) fn interrupt_by_provider(&mut self, now: SessionTime, index: usize) {
        if !(self.settings.barges_in() && self.settings.provider_interrupts()) {
            return;
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        let (lane, user) = (slot.lane, slot.user);
        let min = self.settings.min_barge_in_audio_end_ms;
        match judge(true, self.playback.heard(), min) {
            Verdict::TooEarly(heard_ms) => {
                for response in &mut slot.responses {
                    response.spared = true;
                }
                self.skip(now, heard_ms);
            }
            Verdict::Stop => {
                self.stop_answer(now, lane);
                self.clear_lane(now, lane);
                self.stats.barge_ins += 1;
                if let Some(turn) = self.turns.iter_mut().find(|turn| Some(turn.user) == user) {
                    turn.hold(now);
                }
            }
            Verdict::NothingPlaying | Verdict::Disabled => {}
        }
    }

    fn request_stop(&mut self, now: SessionTime, user: UserId, reason: &'static str) -> bool {
        let place = self.settings.place();
        let output = self.playback.output();
        let min = self.settings.min_barge_in_audio_end_ms;
        match judge(self.settings.barges_in(), self.playback.heard(), min) {
            Verdict::Disabled => {
                if output.active {
                    self.line(timeline::barge_in_disabled(now, place, reason));
                }
                false
            }
            Verdict::NothingPlaying => {
                self.line(timeline::barge_in_without_output(now, place, reason));
                false
            }
            Verdict::TooEarly(heard_ms) => {
                self.line(timeline::barge_in_requested(now, place, reason, output));
                self.skip(now, heard_ms);
                false
            }
            Verdict::Stop => {
                self.line(timeline::barge_in_requested(now, place, reason, output));
                if let Some((lane, response)) = self.head_name() {
                    self.cut(now, lane, &response, StopReason::BargeIn, false);
                }
                // The speaker has moved on: what still waits for them is no longer wanted. Answers
                // to others wait until the speaker is done.
                if let Some(slot) = self.slots.iter().find(|slot| slot.user == Some(user)) {
                    self.clear_lane(now, slot.lane);
                }
                self.stats.barge_ins += 1;
                true
            }
        }
    }

    fn skip(&mut self, now: SessionTime, heard_ms: u64) {
        let min = self.settings.min_barge_in_audio_end_ms;
        self.line(timeline::interrupt_skipped(now, BARGE_IN, heard_ms, min));
        self.stats.barge_ins_skipped += 1;
    }

    pub(super) fn head_name(&self) -> Option<(Lane, String)> {
        self.playback.head().map(|head| (head.lane, head.response.clone()))
    }

    /// Stops the answer at the head of the queue after the provider heard speech on `lane`: of that
    /// lane the provider has cancelled it, of another we must.
    fn stop_answer(&mut self, now: SessionTime, lane: Lane) {
        if let Some((of, response)) = self.head_name() {
            let reason =
                if of == lane { StopReason::ProviderClearAudio } else { StopReason::BargeIn };
            self.cut(now, of, &response, reason, of == lane);
        }
    }

    /// Drops every answer of a lane.
    pub(super) fn clear_lane(&mut self, now: SessionTime, lane: Lane) {
        self.clear_lane_but(now, lane, &[]);
    }

    /// Drops every answer of a lane but those.
    pub(super) fn clear_lane_but(&mut self, now: SessionTime, lane: Lane, kept: &[String]) {
        let answers = self.playback.of_lane(lane).map(|answer| &answer.response);
        let answers: Vec<String> =
            answers.filter(|response| !kept.contains(response)).cloned().collect();
        for response in answers {
            self.cut(now, lane, &response, StopReason::BargeIn, false);
        }
    }

    /// Ends every answer in the room.
    pub(super) fn stop_everything(&mut self, now: SessionTime, reason: StopReason) {
        while let Some((lane, response)) = self.head_name() {
            self.cut(now, lane, &response, reason, false);
        }
        // Those of which no audio has come yet.
        let silent: Vec<(Lane, String)> = self
            .slots
            .iter()
            .flat_map(|slot| slot.responses.iter().map(|response| (slot.lane, response)))
            .filter(|(_, response)| !response.cut)
            .map(|(lane, response)| (lane, response.id.clone()))
            .collect();
        for (lane, response) in silent {
            self.cut(now, lane, &response, reason, false);
        }
    }

    /// Ends one answer: nothing more of it is played, the provider stops generating it, and its
    /// history holds what was heard.
    pub(super) fn cut(
        &mut self,
        now: SessionTime,
        lane: Lane,
        response: &str,
        reason: StopReason,
        cancelled_by_provider: bool,
    ) {
        let answer = self.playback.of_lane(lane).find(|answer| answer.response == response);
        let is_orphaned = answer.is_some_and(|answer| answer.orphaned);
        let mut items = answer.map(Answer::progress).unwrap_or_default();
        let slot = self.slots.iter_mut().find(|slot| slot.lane == lane);
        let is_connected = slot.is_some();
        let active = slot.and_then(|slot| slot.response(Some(response)));
        let is_done = active.is_none();
        if let Some(active) = active {
            let announced = std::mem::take(&mut active.items);
            items.extend(unheard(announced, &items));
            let must_cancel = !active.cut && !cancelled_by_provider;
            active.cut = true;
            if must_cancel && self.send(lane, &Command::Cancel { response }) {
                self.line(timeline::interrupt_requested(now, BARGE_IN));
            }
        }
        if is_connected && !is_orphaned {
            self.repair(now, lane, &items, is_done);
        } else if let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane) {
            slot.history.cut(&items);
        }
        self.tell_cut(lane, response, &items, is_done);
        self.playback.remove(now, lane, response, reason);
        self.settle(now);
    }

    /// Makes a connection's history hold what was heard.
    pub(super) fn repair(
        &mut self,
        now: SessionTime,
        lane: Lane,
        items: &[ItemProgress],
        is_done: bool,
    ) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane) {
            slot.history.cut(items);
        }
        for repair in repairs(items, is_done) {
            let (is_told, record) = match &repair {
                Repair::Truncate { item, content_index, audio_end_ms } => {
                    let (content_index, audio_end_ms) = (*content_index, *audio_end_ms);
                    let command = Command::Truncate { item, content_index, audio_end_ms };
                    let record = timeline::audio_truncated(now, BARGE_IN, audio_end_ms);
                    (self.send(lane, &command), record)
                }
                Repair::Delete { item } => {
                    let record = timeline::item_deleted(now, BARGE_IN);
                    (self.send(lane, &Command::Delete { item }), record)
                }
            };
            if is_told {
                self.line(record);
            }
        }
    }
}

/// Announced items of which no audio came, after those in `known`.
pub(super) fn unheard(announced: Vec<String>, known: &[ItemProgress]) -> Vec<ItemProgress> {
    announced
        .into_iter()
        .filter(|id| !known.iter().any(|item| item.id == *id))
        .map(|id| ItemProgress { id, content_index: 0, received: 0, heard: 0 })
        .collect()
}
