//! From words to the agent's turns, one at a time and in order.

use std::time::Duration;

use clawvoice_session::{
    SessionTime,
    agent::{AgentEvent, Ask, AskedBy, ControlOutcome, RunId, RunReport, ToolGrant, ToolScope},
};

use super::{AgentRequest, BatchConversation, Output, speech::Of, text::SpeechText};
use crate::{
    conversation::{
        instructions::{spoken_answer, spoken_turn},
        phrases::{FALLBACK, PROGRESS, PROGRESS_AFTER},
        run_control::{ControlMode, classify},
    },
    timeline::{self, Role, Speaker, StopReason},
};

/// Where turns come from, for the agent: it hides its text-to-speech tool there.
const SURFACE: &str = "discord-voice";

/// How long the outcome of a control is waited for. It takes moments; without one the words are a
/// turn like any other.
const CONTROL_WAIT: Duration = Duration::from_secs(10);

/// How long a turn is waited for: longer than the agent lets a run take, so that only a lost
/// report comes to this.
const TURN_WAIT: Duration = Duration::from_secs(15 * 60);

/// Bytes of an answer that are taken.
const MAX_ANSWER: usize = 32 * 1_024;

/// What somebody said.
#[derive(Clone, Debug)]
pub(super) struct Utterance {
    pub(super) by: AskedBy,
    /// Whether it is certainly theirs.
    pub(super) certain: bool,
    pub(super) text: String,
}

/// An utterance that may control a run.
#[derive(Debug)]
pub(super) struct Controlling {
    pub(super) until: SessionTime,
    ticket: u64,
    utterance: Utterance,
    mode: ControlMode,
}

/// The agent's turn under way.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) until: SessionTime,
    pub(super) run: RunId,
    /// When the room is told that the agent is still at it, unless it answers before.
    pub(super) progress_at: Option<SessionTime>,
    by: AskedBy,
    /// What of the answer has come.
    streamed: String,
    text: SpeechText,
}

impl BatchConversation {
    /// Takes up the next utterances: those that control a run, and the next turn.
    pub(super) fn advance_turns(&mut self, now: SessionTime) {
        while self.controlling.is_none()
            && let Some(utterance) = self.utterances.pop_front()
        {
            match classify(&utterance.text) {
                // It is known only there whether the session has a run, be it from here or typed.
                Some(mode) => {
                    let session = self.settings.session.clone();
                    let control = mode.control(&utterance.text);
                    let ticket = self.fresh_id();
                    let request = AgentRequest::Control { ticket, session, control };
                    self.outputs.push_back(Output::Agent(request));
                    let until = now + CONTROL_WAIT;
                    self.controlling = Some(Controlling { until, ticket, utterance, mode });
                }
                None => self.waiting.push_back(utterance),
            }
        }
        if self.turn.is_none()
            && let Some(utterance) = self.next_admitted(now)
        {
            self.ask(now, utterance);
        }
    }

    /// The next utterance of somebody who may still be listened to: rights may have been taken away
    /// while it waited.
    fn next_admitted(&mut self, now: SessionTime) -> Option<Utterance> {
        loop {
            let utterance = self.waiting.pop_front()?;
            let by = &utterance.by;
            if self.settings.rights.admits(by.user, &by.label) {
                return Some(utterance);
            }
            let place = self.settings.place();
            self.line_about(by.user, |s| timeline::speaker_unauthorized(now, place, s));
        }
    }

    fn ask(&mut self, now: SessionTime, utterance: Utterance) {
        let Utterance { by, certain, text } = utterance;
        let run = RunId::new(self.settings.first_run + self.stats.turns);
        let settings = &self.settings;
        let record = timeline::agent_turn_start(
            now,
            settings.place(),
            settings.route(),
            Speaker { user: by.user, label: &by.label },
            by.owner,
            settings.model.as_deref(),
            &text,
        );
        let ask = Ask {
            run,
            session: settings.session.clone(),
            message: spoken_turn(&by.label, &text),
            tools: ToolGrant {
                scope: ToolScope::OfSpeaker,
                lists: settings.rights.tools(by.user, &by.label, certain),
            },
            by: by.clone(),
            context: None,
            images: Vec::new(),
            instructions: Some(spoken_answer(settings.instructions.as_deref())),
            model: settings.model.clone(),
            channel: Some(settings.channel),
            surface: SURFACE,
            origin: None,
        };
        self.line(record);
        self.outputs.push_back(Output::Agent(AgentRequest::Ask(ask)));
        self.stats.turns += 1;
        self.open_answer(Of::Run(run));
        self.turn = Some(Turn {
            until: now + TURN_WAIT,
            run,
            progress_at: Some(now + PROGRESS_AFTER),
            text: SpeechText::new(&by.label),
            by,
            streamed: String::new(),
        });
    }

    /// The agent's turn went on or ended.
    pub fn handle_agent(&mut self, now: SessionTime, report: RunReport) {
        if self.closed || self.turn.as_ref().is_none_or(|turn| turn.run != report.run) {
            self.stats.late += 1;
            return;
        }
        match report.event {
            AgentEvent::Started | AgentEvent::Tool { .. } => {}
            AgentEvent::Text(piece) => self.hear_piece(now, &piece),
            AgentEvent::Answered { text, .. } => self.end_turn(now, &text),
            AgentEvent::Cancelled => self.cancelled(now, report.run),
            AgentEvent::Failed(why) => self.failed(now, report.run, &why, FALLBACK),
            AgentEvent::Refused(told) => self.failed(now, report.run, &told, &told),
        }
        self.advance_turns(now);
        self.settle(now);
    }

    fn hear_piece(&mut self, now: SessionTime, piece: &str) {
        let Some(turn) = &mut self.turn else { return };
        let piece = cut_to(piece, MAX_ANSWER.saturating_sub(turn.streamed.len()));
        turn.streamed.push_str(piece);
        let (run, sentences) = (turn.run, turn.text.push(piece));
        self.say(now, Of::Run(run), sentences);
    }

    fn end_turn(&mut self, now: SessionTime, text: &str) {
        // An agent that does not stream gives all of its text at the end; one that does gives it
        // again, which is not said again.
        let streamed = self.turn.as_ref().map_or(0, |turn| turn.streamed.len());
        let begins_so = self.turn.as_ref().is_some_and(|turn| text.starts_with(&turn.streamed));
        if let Some(rest) = text.get(streamed..).filter(|rest| begins_so && !rest.is_empty()) {
            self.hear_piece(now, rest);
        }
        let Some(mut turn) = self.turn.take() else { return };
        self.say(now, Of::Run(turn.run), turn.text.finish());
        let said = self.close_answer(Of::Run(turn.run));
        let (place, route) = (self.settings.place(), self.settings.route());
        let answer = timeline::agent_turn_answer(now, place, route, text.trim());
        let nothing = timeline::agent_turn_silent(
            now,
            place,
            route,
            Speaker { user: turn.by.user, label: &turn.by.label },
        );
        self.line(answer);
        self.line(timeline::batch::reply(now, place, said.len()));
        if said.is_empty() {
            self.line(nothing);
            return;
        }
        let (user, role) = (Some(turn.by.user), Role::Assistant);
        self.outputs.push_back(Output::Transcript { user, role, text: said.join(" ") });
    }

    fn cancelled(&mut self, now: SessionTime, run: RunId) {
        self.turn = None;
        let record = timeline::batch::agent_turn_failed(
            now,
            self.settings.place(),
            self.settings.route(),
            None,
        );
        self.line(record);
        self.drop_answer(now, Of::Run(run), StopReason::ActiveRunControl);
    }

    /// `told` is said, unless something was said already.
    fn failed(&mut self, now: SessionTime, run: RunId, why: &str, told: &str) {
        let (place, route) = (self.settings.place(), self.settings.route());
        let record = timeline::batch::agent_turn_failed(now, place, route, Some(why));
        self.line(record);
        let rest = self.turn.take().map(|mut turn| turn.text.finish()).unwrap_or_default();
        self.say(now, Of::Run(run), rest);
        if self.close_answer(Of::Run(run)).is_empty() {
            self.say_notice(now, told);
        }
    }

    /// Tells the room, once a turn, that its answer takes long.
    pub(super) fn tell_progress(&mut self, now: SessionTime) {
        let Some(turn) = &mut self.turn else { return };
        if turn.progress_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let is_writing = !turn.streamed.trim().is_empty();
        if !is_writing && !self.has_something_to_say() {
            self.say_notice(now, PROGRESS);
        }
    }

    /// Gives up what was waited for in vain.
    pub(super) fn give_up_waiting(&mut self, now: SessionTime) {
        if let Some(lost) = self.controlling.take_if(|controlling| controlling.until <= now) {
            self.waiting.push_back(lost.utterance);
        }
        if let Some(run) = self.turn.as_ref().filter(|turn| turn.until <= now).map(|turn| turn.run)
        {
            let session = self.settings.session.clone();
            self.outputs.push_back(Output::Agent(AgentRequest::Cancel { session, run }));
            self.failed(now, run, "nothing was heard of the run for 15 minutes", FALLBACK);
        }
        self.advance_turns(now);
    }

    /// A control was carried out, or there was nothing to control.
    pub fn handle_control(&mut self, now: SessionTime, ticket: u64, outcome: &ControlOutcome) {
        let Some(Controlling { utterance, mode, .. }) =
            self.controlling.take_if(|controlling| controlling.ticket == ticket)
        else {
            self.stats.late += 1;
            return;
        };
        match mode.spoken(outcome) {
            None => self.waiting.push_back(utterance),
            Some(words) => {
                let (ok, reason) = match outcome {
                    ControlOutcome::Refused(_) | ControlOutcome::NoActiveRun => (false, "refused"),
                    ControlOutcome::Status(_) => (true, "status"),
                    ControlOutcome::Done => (true, "done"),
                };
                let (route, word) = (self.settings.route(), mode.as_str());
                self.line(timeline::run_control_handled(now, word, ok, true, reason, route));
                if self.outcomes.admit(now, words) {
                    self.say_notice(now, words);
                }
            }
        }
        self.advance_turns(now);
        self.settle(now);
    }
}

/// The beginning of a text, `limit` bytes at most.
fn cut_to(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
