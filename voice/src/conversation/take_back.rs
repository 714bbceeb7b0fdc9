//! Interruptions that can be taken back: what [`Floor`](super::floor::Floor) decides, done.
//!
//! While an answer plays, a speaker's audio is held back. A sound stops the output at once. If it
//! turns out to be a cough the audio is dropped and the output goes on; if it is speech the answer
//! is cut, and the provider gets the speech from its first frame.

use clawvoice_session::{SessionTime, UserId};

use super::{
    Conversation, Output, Trace,
    backchannel::is_backchannel,
    floor::{Confirmation, Decision, Dismissal, Evidence, Input, Words},
    interrupt::ACTIVE_SPEAKER_AUDIO,
    lane::Create,
    turn::Flow,
};
use crate::{
    realtime::Command,
    timeline::{self, Heard, Speaker, StopReason},
};

/// A short word so near an answer's end answers it. In samples: one second.
const EDGE: u64 = 24_000;

/// What is awaited of a connection: the words of a short sound.
#[derive(Clone, Debug, Default)]
pub(super) struct Trial {
    /// The turn that the provider made of it.
    pub(super) item: Option<String>,
    /// Answers that the provider began to it.
    pub(super) responses: Vec<String>,
}

impl Trial {
    /// Whether the transcript of `item` tells the words. Those of an earlier turn do not.
    fn is_of(&self, item: Option<&str>) -> bool {
        self.item.is_some() && (item.is_none() || self.item.as_deref() == item)
    }
}

impl Conversation {
    /// Tells the floor something, and does what it decides.
    pub(super) fn tell_floor(&mut self, now: SessionTime, input: Input) {
        let Some(floor) = &mut self.floor else { return };
        floor.handle(now, input);
        let decisions: Vec<Decision> = std::iter::from_fn(|| floor.poll_decision()).collect();
        self.outputs.push_back(Output::Trace(Trace::Input { at: now, input }));
        // All before any is carried out: that may tell the floor something new.
        for decision in &decisions {
            let decision = *decision;
            self.outputs.push_back(Output::Trace(Trace::Decision { at: now, decision }));
        }
        for decision in decisions {
            match decision {
                Decision::Suspected { user } => self.suspect(now, user),
                Decision::Waiting { user, inputs } => self.await_words(now, user, inputs),
                Decision::Dismissed { user, reason, inputs } => {
                    self.dismiss(now, user, reason, inputs);
                }
                Decision::Confirmed { user, reason, inputs } => {
                    self.confirm(now, user, reason, inputs);
                }
            }
        }
    }

    /// Tells the floor which answer can be interrupted, if that has changed.
    pub(super) fn tell_output(&mut self, now: SessionTime) {
        let answer = self.playback.head().map(|head| head.serial);
        if self.floor.as_ref().is_some_and(|floor| floor.answer() != answer) {
            self.tell_floor(now, Input::Output { answer });
        }
    }

    /// A frame of an open turn under this rule.
    pub(super) fn weigh_audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        let features = self.ears.listen(now, user, pcm);
        let is_output = self.playback.head().is_some();
        let is_judged = self.judges(user);
        let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) else { return };
        match turn.flow {
            Flow::Live => self.pass_on(now, user, pcm),
            // Of an echo that was found out nothing is worth keeping.
            Flow::Held if features.is_echo && !is_judged => {}
            Flow::Held => {
                let dropped = turn.held.keep(pcm) as u64;
                self.stats.input_samples_dropped += if is_judged { dropped } else { 0 };
            }
        }
        if is_output || is_judged {
            self.tell_floor(now, Input::Frame { user, features });
        }
        if self.judges(user) {
            return;
        }
        let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) else { return };
        if turn.flow == Flow::Held {
            turn.held.keep_lead_in();
            // Nothing plays any more: whoever still talks is simply heard. The echo of its end is
            // not.
            if self.playback.head().is_none() && !features.is_echo {
                self.hand_over(now, user);
            }
        }
    }

    /// Whether a speaker's sound is being judged.
    pub(super) fn judges(&self, user: UserId) -> bool {
        self.floor.as_ref().is_some_and(|floor| floor.suspects(user))
    }

    /// Words of anybody: transcripts can be relied on.
    pub(super) fn note_transcripts(&mut self, now: SessionTime, text: &str) {
        let is_new = self.floor.as_ref().is_some_and(|floor| !floor.transcribes());
        if is_new && !text.trim().is_empty() {
            self.tell_floor(now, Input::Transcribes);
        }
    }

    /// Final words of a speaker: gives whether they are no turn, because they only say that
    /// somebody listens.
    pub(super) fn try_words(
        &mut self,
        now: SessionTime,
        index: usize,
        item: Option<&str>,
        text: &str,
    ) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        let Some(user) = slot.user else { return false };
        let is_tried = slot.trial.as_ref().is_some_and(|trial| trial.is_of(item));
        if !is_tried {
            return false;
        }
        let is_at_end =
            self.playback.head().is_some_and(|head| head.complete && head.left() < EDGE);
        let words = match text.trim() {
            "" => Words::None,
            text if is_backchannel(text) && !is_at_end => Words::Backchannel,
            _ => Words::Speech,
        };
        self.tell_floor(now, Input::Transcript { user, words });
        words != Words::Speech
    }

    fn suspect(&mut self, now: SessionTime, user: UserId) {
        self.playback.pause();
        let label = self.label(user);
        let (place, output) = (self.settings.place(), self.playback.output());
        let heard = self.playback.heard().unwrap_or_default();
        let speaker = Speaker { user, label: &label };
        self.line(timeline::barge_in_suspected(now, place, speaker, output, heard));
        self.stats.suspicions += 1;
    }

    /// A little voice and a pause: the provider's transcript will tell what it was.
    fn await_words(&mut self, now: SessionTime, user: UserId, inputs: Evidence) {
        self.hand_over(now, user);
        let trial = Some(Trial::default());
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.user == Some(user)) {
            slot.trial = trial;
        }
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        self.line(timeline::barge_in_undecided(now, self.settings.place(), speaker, inputs));
    }

    fn dismiss(&mut self, now: SessionTime, user: UserId, reason: Dismissal, inputs: Evidence) {
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        let place = self.settings.place();
        self.line(timeline::barge_in_dismissed(now, place, speaker, reason, inputs));
        self.stats.taken_back += 1;
        match reason {
            // They were heard until there was nothing to interrupt any more.
            Dismissal::OutputEnded => {
                self.end_trial(user);
                self.hand_over(now, user);
            }
            _ => self.forget_sound(now, user, reason),
        }
        self.resume_output(now);
    }

    /// Lets the output go on if nobody is suspected any more.
    fn resume_output(&mut self, now: SessionTime) {
        if self.floor.as_ref().is_some_and(|floor| floor.is_contested()) {
            return;
        }
        if self.playback.resume() {
            let heard = self.playback.heard().unwrap_or_default();
            self.line(timeline::playback_resumed(now, self.settings.place(), heard));
        }
    }

    /// What was no interruption goes into no turn: neither what was held nor what was tried.
    fn forget_sound(&mut self, now: SessionTime, user: UserId, reason: Dismissal) {
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) {
            match reason {
                // A word may begin like a cough: if a voice follows, this is how it began.
                Dismissal::Inaudible | Dismissal::Noise | Dismissal::Tone => {
                    turn.held.keep_lead_in();
                }
                _ => turn.held.clear(),
            }
        }
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.user == Some(user)) else { return };
        let Some(trial) = slot.trial.take() else { return };
        let lane = slot.lane;
        slot.silence = None;
        slot.has_speech = false;
        slot.unanswered.answered();
        match trial.item {
            Some(item) => {
                slot.history.forget(&item);
                self.send(lane, &Command::Delete { item: &item });
            }
            None => {
                self.send(lane, &Command::ClearInput);
            }
        }
        for response in trial.responses {
            self.cut(now, lane, &response, StopReason::BargeIn, false);
        }
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) {
            turn.flow = Flow::Held;
        }
    }

    fn confirm(&mut self, now: SessionTime, user: UserId, reason: Confirmation, inputs: Evidence) {
        let place = self.settings.place();
        let output = self.playback.output();
        let turn = self.turns.iter().find(|turn| turn.user == user);
        let heard = turn.map_or(Heard::default(), |turn| turn.heard);
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        self.line(timeline::barge_in_by_audio(now, place, speaker, output, heard));
        let speaker = Speaker { user, label: &label };
        self.line(timeline::barge_in_confirmed(now, place, speaker, reason, inputs));
        self.line(timeline::barge_in_requested(now, place, ACTIVE_SPEAKER_AUDIO, output));
        let lane = self.slots.iter().find(|slot| slot.user == Some(user)).map(|slot| slot.lane);
        if self.playback.is_playing()
            && let Some((of, response)) = self.head_name()
        {
            self.cut(now, of, &response, StopReason::BargeIn, false);
        }
        let tried = self.end_trial(user);
        if let Some(lane) = lane {
            self.clear_lane_but(now, lane, &tried);
        }
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) {
            turn.hold(now);
        }
        self.stats.barge_ins += 1;
        self.hand_over(now, user);
        if let Some(index) = self.slots.iter().position(|slot| Some(slot.lane) == lane) {
            self.create_if_wanted(index);
        }
        self.resume_output(now);
    }

    /// The words that were tried are a turn. Gives the answers to it that have begun; if there is
    /// none, because another one was active, it is asked for.
    fn end_trial(&mut self, user: UserId) -> Vec<String> {
        let auto_respond = self.settings.auto_respond();
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.user == Some(user)) else {
            return Vec::new();
        };
        let Some(trial) = slot.trial.take() else { return Vec::new() };
        if auto_respond && trial.item.is_some() && trial.responses.is_empty() {
            slot.create = Create::Wanted;
        }
        trial.responses
    }

    /// Gives a speaker's connection what was held, and all that follows in this turn.
    fn hand_over(&mut self, now: SessionTime, user: UserId) {
        let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) else { return };
        turn.flow = Flow::Live;
        let held = turn.held.take();
        let is_talking = turn.is_talking();
        // In pieces as large as a provider's buffer takes at a time without a hiccup: 200 ms.
        for piece in held.chunks(4_800) {
            self.pass_on(now, user, piece);
        }
        if !is_talking && !held.is_empty() {
            self.start_silence(now, user);
        }
    }
}
