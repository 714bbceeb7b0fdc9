//! From decoded frames to turns and to the provider.

use std::time::Duration;

use clawvoice_session::{SessionTime, UserId};

use super::{
    Conversation,
    floor::Input,
    lane::{Create, Silence},
    settings::TurnEnd,
    turn::{Admission, Flow, Turn},
};
use crate::{
    call::{Attribution, Hear},
    realtime::Command,
    timeline::{self, Heard, Speaker},
};

/// Duration and samples of one frame of silence.
const FRAME_TIME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: u64 = 480;
/// Silence is sent in pieces of at most 200 ms.
static SILENCE: [i16; 4_800] = [0; 4_800];

impl Hear for Conversation {
    fn speaking_started(&mut self, now: SessionTime, user: UserId) {
        if self.closed || !self.hears(user) {
            return;
        }
        if self.turns.iter().any(|turn| turn.user == user) {
            self.resume_turn(now, user);
        } else {
            self.open_turn(now, user);
        }
        self.settle(now);
    }

    fn attributed(&mut self, _: SessionTime, user: UserId, attribution: Attribution) {
        if !self.closed {
            self.standings.note(user, attribution);
        }
    }

    fn audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        if self.closed || !self.hears(user) || pcm.is_empty() {
            return;
        }
        if !self.turns.iter().any(|turn| turn.user == user) {
            self.open_turn(now, user);
        }
        self.hear(now, user, pcm);
        self.settle(now);
    }

    fn speaking_stopped(&mut self, now: SessionTime, user: UserId) {
        let Some(index) = self.turns.iter().position(|turn| turn.user == user) else { return };
        let Some(turn) = self.turns.get_mut(index) else { return };
        if turn.admission == Admission::Dropped {
            self.turns.remove(index);
        } else {
            turn.pause(now, self.settings.capture_silence_grace);
            let was_live = turn.flow == Flow::Live;
            self.tell_floor(now, Input::Quiet { user });
            if was_live {
                self.start_silence(now, user);
            }
        }
        self.settle(now);
    }
}

impl Conversation {
    /// Whether a user's words have an owner's rights: by id, and only if they are certainly theirs.
    pub(super) fn is_owner(&self, user: UserId) -> bool {
        self.settings.rights.owners.contains(&user) && self.standings.is_certain(user)
    }

    /// Whether a user may still be listened to, who could be when they began to speak.
    pub(super) fn still_admits(&mut self, now: SessionTime, user: UserId) -> bool {
        let label = self.label(user);
        let is_admitted = self.settings.rights.admits(user, &label);
        if !is_admitted {
            let place = self.settings.place();
            self.line(timeline::speaker_unauthorized(now, place, Speaker { user, label: &label }));
        }
        is_admitted
    }

    fn hears(&self, user: UserId) -> bool {
        user != self.settings.bot_user
            && (self.settings.hear_bots || !self.names.get(&user).is_some_and(|name| name.bot))
    }

    fn open_turn(&mut self, now: SessionTime, user: UserId) {
        let place = self.settings.place();
        if !self.still_admits(now, user) {
            self.drop_turn(now, user);
            return;
        }
        if !self.settings.barges_in() && self.playback.head().is_some() {
            self.line(timeline::capture_ignored(now, place, user));
            self.drop_turn(now, user);
            return;
        }
        if self.admit(now, user).is_none() {
            let label = self.label(user);
            let speaker = Speaker { user, label: &label };
            let record = timeline::speaker_not_admitted(now, place, speaker, self.slots.len());
            self.line(record);
            self.drop_turn(now, user);
            return;
        }
        let mut turn = Turn::new(user, Admission::Admitted, now);
        if self.floor.is_some() && self.playback.head().is_some() {
            turn.flow = Flow::Held;
        }
        if self.interrupt_at_speaker_start(now, user) {
            turn.hold(now);
        }
        self.turns.push(turn);
        self.stats.turns += 1;
        self.stop_silence(user);
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        let open = self.turns.iter().filter(|t| t.admission == Admission::Admitted).count();
        let owner = self.is_owner(user);
        self.line(timeline::turn_opened(now, place, speaker, owner, open));
    }

    /// A speaker sends again within their turn.
    fn resume_turn(&mut self, now: SessionTime, user: UserId) {
        let is_output = self.playback.head().is_some();
        let ended = Duration::from_millis(self.settings.vad.silence_duration_ms.into());
        let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) else { return };
        turn.resume();
        if self.floor.is_none() || turn.admission == Admission::Dropped {
            self.stop_silence(user);
            return;
        }
        // To the provider, their words before this pause are a turn of their own; what comes now is
        // another, and may be none.
        if is_output && !turn.spoke_within(now, ended) {
            turn.flow = Flow::Held;
        }
        if turn.flow == Flow::Live {
            self.stop_silence(user);
        }
        if is_output {
            self.tell_floor(now, Input::Start { user });
        }
    }

    fn drop_turn(&mut self, now: SessionTime, user: UserId) {
        self.turns.push(Turn::new(user, Admission::Dropped, now));
        self.stats.turns_dropped += 1;
    }

    fn hear(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) else { return };
        if turn.admission == Admission::Dropped {
            return;
        }
        if !turn.is_talking() {
            turn.resume();
        }
        turn.count(now, pcm.len());
        let heard = turn.heard;
        if heard.chunks == 1 {
            self.log_first_audio(now, user, heard);
        }
        if self.floor.is_some() {
            self.weigh_audio(now, user, pcm);
        } else {
            self.interrupt_by_audio(now, user, heard);
            self.pass_on(now, user, pcm);
        }
    }

    /// Gives a speaker's audio to their connection.
    pub(super) fn pass_on(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        if let Some(index) = self.slots.iter().position(|slot| slot.user == Some(user)) {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.silence = None;
                slot.paused = false;
                slot.fed_until = now;
                slot.has_speech = true;
            }
            self.send_audio(now, index, pcm, true);
        }
    }

    fn log_first_audio(&mut self, now: SessionTime, user: UserId, heard: Heard) {
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        let output = self.playback.output();
        let record =
            timeline::input_audio_started(now, self.settings.place(), speaker, heard, output);
        self.line(record);
    }

    /// Gives audio to a connection, or keeps it until that is configured.
    fn send_audio(&mut self, now: SessionTime, index: usize, pcm: &[i16], is_speech: bool) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.is_ready() {
            slot.unanswered.push(now, pcm, is_speech);
            let lane = slot.lane;
            self.send(lane, &Command::Append(pcm));
        } else {
            self.stats.input_samples_dropped += slot.keep(pcm) as u64;
        }
    }

    /// Begins to feed silence after a talkspurt: Discord sends nothing in silence, and a provider
    /// that hears nothing never finds the end of a turn.
    pub(super) fn start_silence(&mut self, now: SessionTime, user: UserId) {
        let target = self.settings.trailing_silence();
        let Some(index) = self.slots.iter().position(|slot| slot.user == Some(user)) else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.silence = Some(Silence { sent: 0, target });
            slot.paused = true;
        }
        self.feed_silence(now, index);
    }

    fn stop_silence(&mut self, user: UserId) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.user == Some(user)) {
            slot.silence = None;
        }
    }

    /// When the next frame of silence is due on a connection.
    pub(super) fn silence_due(&self, index: usize) -> Option<SessionTime> {
        let slot = self.slots.get(index)?;
        slot.silence.map(|_| slot.fed_until + FRAME_TIME)
    }

    /// Sends the silence that is due: the provider's audio clock follows ours.
    pub(super) fn feed_silence(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(silence) = slot.silence else { return };
        let frames = now.since(slot.fed_until).as_micros() / FRAME_TIME.as_micros();
        let due = u64::try_from(frames).unwrap_or(u64::MAX).saturating_mul(FRAME_SAMPLES);
        let count = due.min(silence.target - silence.sent);
        slot.fed_until += Duration::from_micros(count * 1_000 / 24);
        let sent = silence.sent + count;
        slot.silence = (sent < silence.target).then_some(Silence { sent, ..silence });
        let user = slot.user;
        let mut left = count;
        while left > 0 {
            let piece = left.min(SILENCE.len() as u64);
            self.send_audio(now, index, SILENCE.split_at(piece as usize).0, false);
            left -= piece;
        }
        if let Some(user) = user
            && sent >= silence.target
        {
            self.end_silence(now, index, user, sent);
        }
    }

    fn end_silence(&mut self, now: SessionTime, index: usize, user: UserId, samples: u64) {
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        let record = timeline::trailing_silence_sent(now, self.settings.place(), speaker, samples);
        self.line(record);
        self.expect_answer(now, index);
        if self.settings.turn_end == TurnEnd::Own {
            self.commit(index);
        }
    }

    /// Ends a turn ourselves: the audio so far is one, and gets an answer. Silence alone is none.
    fn commit(&mut self, index: usize) {
        let auto_respond = self.settings.auto_respond();
        let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.has_speech) else { return };
        if !slot.is_ready() {
            slot.commit_wanted = true;
            return;
        }
        slot.has_speech = false;
        slot.unanswered.commit();
        let lane = slot.lane;
        if auto_respond {
            slot.create = Create::Wanted;
        }
        self.send(lane, &Command::Commit);
        self.create_if_wanted(index);
    }

    /// Sends what was kept while the connection was being made.
    pub(super) fn flush(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let lane = slot.lane;
        let commit_wanted = std::mem::take(&mut slot.commit_wanted);
        for piece in slot.take_pending() {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.unanswered.push(now, &piece, true);
            }
            self.send(lane, &Command::Append(&piece));
        }
        if commit_wanted {
            self.commit(index);
        }
    }
}
