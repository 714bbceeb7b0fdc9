//! What a speaker wants of the run that works for them, carried out and told.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{SessionTime, UserId, agent::ControlOutcome};
use serde_json::{Value, json};

use super::{Conversation, Output, consult::Call, lane::Lane, run_control::ControlMode};
use crate::timeline::{self, StopReason};

/// Controls whose outcome may be awaited at a time; the oldest is forgotten first.
const MAX_CONTROLS: usize = 8;

/// Controls that are remembered; the oldest is forgotten first.
const MAX_RECENT: usize = 32;

/// For how long a control by words and one by a call are taken for the same wish.
const SAME_WISH: Duration = Duration::from_secs(5);

/// What is said of a call that finds nothing to control.
const NO_RUN: &str = "I'm not working on an active request right now.";

/// Said of a call that would put a guest's words into an owner's run.
const NOT_THEIRS: &str = "Only the owner can change what is being worked on.";

/// By what somebody controls a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Words,
    Call,
}

/// What was taken for a control, until its outcome is known.
#[derive(Debug)]
pub(super) struct PendingControl {
    ticket: u64,
    mode: ControlMode,
    user: UserId,
    owner: bool,
    text: String,
    /// The front end's call that gets the outcome; `None`: the room is told.
    call: Option<Call>,
}

impl PendingControl {
    /// By a speaker's words.
    pub(super) const fn new(mode: ControlMode, user: UserId, owner: bool, text: String) -> Self {
        Self { ticket: 0, mode, user, owner, text, call: None }
    }

    const fn by(&self) -> By {
        if self.call.is_some() { By::Call } else { By::Words }
    }
}

/// The controls of the last seconds. A front end that hears "cancel that" calls for it, and its
/// transcript says it, too: whichever comes first is carried out.
#[derive(Debug, Default)]
pub(super) struct RecentControls {
    controls: VecDeque<(SessionTime, UserId, ControlMode, By)>,
}

impl RecentControls {
    /// Notes a control. `false`: it is the same wish as one that came the other way.
    fn note(&mut self, now: SessionTime, user: UserId, mode: ControlMode, by: By) -> bool {
        self.controls.retain(|(at, ..)| now.since(*at) <= SAME_WISH);
        let same = |(_, whose, what, how): &(SessionTime, UserId, ControlMode, By)| {
            (*whose, *what) == (user, mode) && *how != by
        };
        if let Some(index) = self.controls.iter().position(same) {
            self.controls.remove(index);
            return false;
        }
        if self.controls.len() == MAX_RECENT {
            self.controls.pop_front();
        }
        self.controls.push_back((now, user, mode, by));
        true
    }

    /// It was no control after all.
    fn forget(&mut self, user: UserId, mode: ControlMode, by: By) {
        self.controls.retain(|(_, whose, what, how)| (*whose, *what, *how) != (user, mode, by));
    }
}

impl Conversation {
    /// Whether a speaker's words may control the active run. Anybody may stop it; words for it run
    /// with the rights of whoever asked, so a guest's must not reach an owner's.
    pub(super) fn may_control(&self, mode: ControlMode, owner: bool) -> bool {
        match mode {
            ControlMode::Status | ControlMode::Cancel => true,
            ControlMode::Steer | ControlMode::FollowUp => {
                owner || !self.consults.running().any(|consult| consult.owner)
            }
        }
    }

    /// What became of a control.
    pub fn handle_control(&mut self, now: SessionTime, ticket: u64, outcome: &ControlOutcome) {
        if self.closed {
            return;
        }
        let Some(index) = self.controls.iter().position(|control| control.ticket == ticket) else {
            return;
        };
        let Some(control) = self.controls.remove(index) else { return };
        self.settle_control(now, control, outcome);
        self.settle(now);
    }

    /// A speaker's words control the active run.
    pub(super) fn control_by_words(&mut self, now: SessionTime, control: PendingControl) {
        if self.recent_controls.note(now, control.user, control.mode, By::Words) {
            self.control(now, control);
        }
    }

    /// A front end calls for a control, for the speaker whose connection it is.
    pub(super) fn control_by_call(
        &mut self,
        now: SessionTime,
        user: UserId,
        call: Call,
        mode: ControlMode,
        text: String,
    ) {
        if !self.consults.note_stray(&call) {
            return;
        }
        let owner = self.is_owner(user);
        // The words that are a control are no question.
        self.consults.drop_pending_of(user);
        if !self.recent_controls.note(now, user, mode, By::Call) {
            let message = "this was done, and its outcome is being told; say nothing";
            let result = json!({ "status": "already_delivered", "message": message });
            self.send_result(&call, &result);
            return;
        }
        let refused = match self.consults.is_active() {
            false => Some((NO_RUN, false, "no-active-run")),
            true if !self.may_control(mode, owner) => Some((NOT_THEIRS, true, "not-authorized")),
            true => None,
        };
        let control = PendingControl { ticket: 0, mode, user, owner, text, call: Some(call) };
        match (refused, &control.call) {
            (Some((message, active, reason)), Some(call)) => {
                let result = outcome_of(mode, false, active, message);
                self.recent_controls.forget(user, mode, By::Call);
                let route = self.settings.route();
                let mode = mode.as_str();
                self.line(timeline::run_control_handled(now, mode, false, active, reason, route));
                self.answer_call_at_once(now, call, &result);
            }
            _ => self.control(now, control),
        }
    }

    /// A front end took calls back: nobody waits for their outcomes.
    pub(super) fn withdraw_controls(&mut self, lane: Lane, ids: &[String]) {
        self.controls.retain(|control| {
            control.call.as_ref().is_none_or(|call| call.lane != lane || !ids.contains(&call.id))
        });
    }

    fn control(&mut self, now: SessionTime, mut control: PendingControl) {
        self.next_ticket += 1;
        control.ticket = self.next_ticket;
        let dropped = match control.mode {
            ControlMode::Cancel => self.consults.drop_pending() + self.drop_queued(),
            _ => 0,
        };
        if dropped > 0 && self.consults.running().next().is_none() {
            self.settle_control(now, control, &ControlOutcome::Done);
            return;
        }
        if self.controls.len() == MAX_CONTROLS
            && let Some(call) = self.controls.pop_front().and_then(|oldest| oldest.call)
        {
            self.fail_call(now, &call, "too many controls are under way");
        }
        self.outputs.push_back(Output::Control {
            ticket: control.ticket,
            session: self.settings.supervisor_session.clone(),
            control: control.mode.control(&control.text),
        });
        self.controls.push_back(control);
    }

    fn settle_control(
        &mut self,
        now: SessionTime,
        control: PendingControl,
        outcome: &ControlOutcome,
    ) {
        let mode = control.mode;
        let (ok, active, reason) = match outcome {
            ControlOutcome::NoActiveRun => (false, false, "no-active-run"),
            ControlOutcome::Done => (true, true, "done"),
            ControlOutcome::Status(_) => (true, true, "status"),
            ControlOutcome::Refused(_) => (false, true, "refused"),
        };
        let route = self.settings.route();
        self.line(timeline::run_control_handled(now, mode.as_str(), ok, active, reason, route));
        let words = mode.spoken(outcome);
        if words.is_none() {
            self.recent_controls.forget(control.user, mode, control.by());
        }
        match (control.call, words) {
            // A connection that is gone can tell nobody.
            (Some(call), words) if self.find_slot(call.lane).is_some() => {
                let result = outcome_of(mode, ok, active, words.unwrap_or(NO_RUN));
                self.answer_call_at_once(now, &call, &result);
            }
            (Some(_), None) => {}
            (None, None) => self.take_turn(now, control.user, control.owner, control.text),
            (_, Some(words)) => self.tell_outcome(now, control.user, words),
        }
    }

    fn tell_outcome(&mut self, now: SessionTime, user: UserId, words: &str) {
        if self.outcomes.admit(now, words) {
            self.drop_waiting_speech();
            self.stop_everything(now, StopReason::ActiveRunControl);
            self.speak(now, user, words.to_owned());
        }
    }

    /// Whether a front end says by itself what the room was told of a control a moment ago.
    pub(super) fn repeats_outcome(
        &self,
        now: SessionTime,
        index: usize,
        response: Option<&str>,
        text: &str,
    ) -> bool {
        let Some(lane) = self.slots.get(index).map(|slot| slot.lane) else { return false };
        let is_told = match response {
            Some(response) => self.speech.is_spoken_by(lane, response),
            None => self.speech.response().is_some_and(|(of, _)| of == lane),
        };
        !is_told && !self.speech.is_asked_on(lane) && self.outcomes.is_repeated(now, text)
    }

    /// Ends an answer that repeats an outcome, as far as it is not over.
    pub(super) fn suppress_outcome(
        &mut self,
        now: SessionTime,
        index: usize,
        response: Option<&str>,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let lane = slot.lane;
        let active = slot.response(response).map(|response| response.id.clone());
        let Some(response) = active.or_else(|| self.queued_answer(lane, response)) else { return };
        self.line(timeline::duplicate_outcome_suppressed(now, self.settings.place()));
        self.cut(now, lane, &response, StopReason::DuplicateActiveRunControl, false);
    }

    fn queued_answer(&self, lane: Lane, response: Option<&str>) -> Option<String> {
        let mut answers = self.playback.of_lane(lane).map(|answer| &answer.response);
        answers.find(|queued| Some(queued.as_str()) == response).cloned()
    }
}

/// What a call for a control gets.
fn outcome_of(mode: ControlMode, ok: bool, active: bool, message: &str) -> Value {
    json!({ "ok": ok, "mode": mode.as_str(), "active": active, "message": message })
}
