//! Saying something: exact speech goes to the front end when the room is free.

use clawvoice_session::{SessionTime, UserId, agent::RunId};

use super::{
    Conversation,
    lane::{Create, Lane},
    phrases::FALLBACK,
    speech,
};
use crate::{
    realtime::Command,
    timeline::{self, StopReason},
};

impl Conversation {
    /// Puts words of our own into the room's queue of exact speech.
    pub(super) fn speak(&mut self, now: SessionTime, user: UserId, text: String) {
        self.queue_speech(now, user, text, None);
    }

    /// Puts words into the room's queue of exact speech: a run's answer, or our own.
    pub(super) fn queue_speech(
        &mut self,
        now: SessionTime,
        user: UserId,
        text: String,
        run: Option<RunId>,
    ) {
        if self.speech.push(user, text, run).is_err() {
            let why = "more answers wait to be spoken than the 32 or 32 KiB that may";
            self.complain(now, StopReason::ExactSpeechOverflow.as_str(), why);
            self.fail(now, why.to_owned());
            return;
        }
        let output = self.playback.output();
        let queued = self.speech.len();
        if queued > 1 || output.active {
            self.line(timeline::exact_speech_queued(now, self.settings.place(), queued, output));
        }
    }

    /// Tells a speaker that their answer is lost.
    pub(super) fn apologise(&mut self, now: SessionTime, user: UserId) {
        self.speak(now, user, FALLBACK.to_owned());
    }

    /// Says the next exact speech when the room is free, and lets go of one that is over.
    pub(super) fn serve_speech(&mut self, now: SessionTime) {
        self.release_speech();
        if self.playback.head().is_some() || self.is_held() {
            return;
        }
        let Some((user, text)) = self.speech.next() else { return };
        let instruction = speech::instruction(text);
        let Some(lane) = self.speech_lane(now, user) else { return };
        self.speech.asked(lane);
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane) {
            slot.create = Create::InFlight;
        }
        self.send(lane, &Command::Say { text: &instruction });
        let queued = self.speech.len() - 1;
        self.line(timeline::exact_speech_dequeued(now, self.settings.place(), queued));
    }

    /// The connection on which `user` is spoken to, if it can take a request.
    fn speech_lane(&mut self, now: SessionTime, user: UserId) -> Option<Lane> {
        if !self.slots.iter().any(|slot| slot.user == Some(user)) {
            self.admit(now, user);
        }
        let own = self.slots.iter().position(|slot| slot.user == Some(user));
        // Whoever has no connection can be answered on any: what is said was said by the agent.
        let index = own.or_else(|| self.slots.iter().position(|slot| slot.is_free()))?;
        self.slots.get(index).filter(|slot| slot.is_free()).map(|slot| slot.lane)
    }

    fn release_speech(&mut self) {
        let Some((lane, response)) = self.speech.response() else { return };
        let is_queued = self.playback.of_lane(lane).any(|answer| answer.response == response);
        let is_coming = self
            .slots
            .iter()
            .filter(|slot| slot.lane == lane)
            .flat_map(|slot| &slot.responses)
            .any(|active| active.id == response && !active.cut);
        if !is_queued && !is_coming {
            self.speech.release();
        }
    }

    /// An answer that comes while its addressee talks waits for a pause of theirs.
    pub(super) fn hold_while_talking(&mut self, now: SessionTime, user: UserId) {
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.user == user) {
            turn.hold_answers(now);
        }
    }
}
