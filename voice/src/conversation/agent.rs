//! Between the front end and the agent: which words go there, and how the answer comes back.
//!
//! ```text
//! final transcript → wake gate → run control → farewell or fragment? → consult ──► Output::Ask
//! front end's call ─────────────────────────────────────────────────► consult ──► Output::Ask
//! RunReport ──► tool result of the call, or exact speech
//! ```

use clawvoice_session::{
    SessionTime, UserId,
    agent::{AgentEvent, Ask, AskedBy, RunReport, ToolGrant, ToolScope},
};
use serde_json::json;

use super::{
    Conversation, Output,
    calls::result_of,
    consult::{Consult, Delivery, Ending},
    control::PendingControl,
    phrases::{FALLBACK, PROGRESS},
    question, run_control,
    settings::{ConsultPolicy, Mode, ToolPolicy},
    turn::duration_ms,
    wake::Gate,
};
use crate::timeline::{self, Route, Speaker};

/// Where an ask comes from.
const SURFACE: &str = "discord-voice";
/// Added to a consult, so that the answer can be said.
pub(super) const SPOKEN_STYLE: &str = "The answer will be spoken aloud in a voice channel: one to three \
                            short sentences, no tables, code or citations.";

impl Conversation {
    /// Final words of the speaker whose connection this is.
    pub(super) fn handle_transcript(&mut self, now: SessionTime, user: UserId, text: &str) {
        // Rights may have been taken away while they spoke.
        if !self.still_admits(now, user) {
            return;
        }
        let owner = self.is_owner(user);
        let Some(text) = self.pass_gate(now, user, text) else { return };
        if self.consults.is_active()
            && let Some(mode) = run_control::classify(&text)
            && self.may_control(mode, owner)
        {
            self.control_by_words(now, PendingControl::new(mode, user, owner, text));
            return;
        }
        self.take_turn(now, user, owner, text);
    }

    /// Words of a speaker so far: a leading name is acknowledged at once.
    pub(super) fn handle_partial(&mut self, now: SessionTime, user: UserId, text: &str) {
        let Some(gate) = &mut self.wake else { return };
        let turn = self.turns.iter_mut().find(|turn| turn.user == user);
        let Some(turn) = turn.filter(|turn| !turn.acknowledged) else { return };
        if self.playback.head().is_some() || self.speech.len() > 0 {
            return;
        }
        if let Some(words) = gate.acknowledge(text) {
            turn.acknowledged = true;
            let label = self.label(user);
            self.line(timeline::wake_acknowledged(now, Speaker { user, label: &label }, words));
            self.speak(now, user, words.to_owned());
        }
    }

    /// The agent reports on a run.
    pub fn handle_agent(&mut self, now: SessionTime, report: RunReport) {
        if self.closed {
            return;
        }
        let ending = match report.event {
            AgentEvent::Started | AgentEvent::Tool { .. } | AgentEvent::Text(_) => return,
            AgentEvent::Answered { text, usage } => {
                self.stats.agent_usage.input += usage.input;
                self.stats.agent_usage.cached += usage.cached;
                self.stats.agent_usage.output += usage.output;
                Ending::Answer(text.trim().to_owned())
            }
            AgentEvent::Cancelled => Ending::Cancelled,
            AgentEvent::Failed(why) => {
                self.note_failure(now, report.run, &why);
                Ending::Failed(FALLBACK.to_owned())
            }
            AgentEvent::Refused(told) => {
                self.note_failure(now, report.run, &told);
                Ending::Failed(told)
            }
        };
        if let Some(delivery) = self.consults.finish(now, report.run, ending.clone()) {
            self.deliver(now, &delivery, &ending);
        }
        self.serve_queue(now);
        self.settle(now);
    }

    /// The front end has answered by itself: the agent's history is to know.
    pub(super) fn note_answer(
        &mut self,
        now: SessionTime,
        index: usize,
        response: Option<&str>,
        text: &str,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(user) = slot.user else { return };
        let lane = slot.lane;
        let said = std::mem::take(&mut slot.said);
        // What the agent itself answered is there already.
        let is_agents = self.speech.is_asked_on(lane)
            || response.is_some_and(|response| self.speech.is_spoken_by(lane, response))
            || (!said.is_empty() && self.consults.is_known(now, user, &said));
        if is_agents || text.trim().is_empty() {
            return;
        }
        let active = self.slots.get_mut(index).and_then(|slot| slot.response(None));
        let active = active.map(|active| active.id.clone());
        let response = response.map(str::to_owned).or(active);
        let (by, answered) = (self.asker(user), text.trim().to_owned());
        self.follow_answer(lane, &response.unwrap_or_default(), by, said, answered);
    }

    /// Does what is due for consults.
    pub(super) fn handle_consult_timeouts(&mut self, now: SessionTime) {
        for consult in self.consults.take_due(now) {
            self.force(now, &consult);
        }
        for call in self.consults.take_overdue(now) {
            self.fail_call(now, &call, "the agent did not answer in time");
        }
        for user in self.consults.take_impatient(now) {
            if self.playback.head().is_none() && self.speech.len() == 0 {
                self.speak(now, user, PROGRESS.to_owned());
            }
        }
        self.serve_queue(now);
    }

    pub(super) fn consult_deadline(&self) -> Option<SessionTime> {
        let queued = self.queue.front().filter(|_| !self.is_queue_busy()).map(|turn| turn.ready_at);
        [self.consults.deadline(), queued].into_iter().flatten().min()
    }

    /// Lets words through that are for the agent, without the call by name.
    fn pass_gate(&mut self, now: SessionTime, user: UserId, text: &str) -> Option<String> {
        let Some(gate) = &mut self.wake else { return Some(text.to_owned()) };
        let names = gate.names();
        let verdict = gate.judge(now, user, text);
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        match verdict {
            Gate::Called(found) => {
                let kind = found.kind.as_str();
                self.line(timeline::wake_matched(now, &found.canonical, &found.heard, kind));
                Some(found.rest)
            }
            Gate::Armed(found) => {
                let kind = found.kind.as_str();
                self.line(timeline::wake_matched(now, &found.canonical, &found.heard, kind));
                self.line(timeline::wake_armed(now, speaker));
                None
            }
            Gate::FollowUp => {
                self.line(timeline::wake_follow_up(now, speaker));
                Some(text.to_owned())
            }
            Gate::Ignored => {
                self.line(timeline::wake_ignored(now, text.chars().count(), names));
                None
            }
        }
    }

    /// Words that are a turn of their own.
    pub(super) fn take_turn(&mut self, now: SessionTime, user: UserId, owner: bool, text: String) {
        if self.settings.mode == Mode::Bidi {
            return;
        }
        if self.settings.tool_policy == ToolPolicy::None {
            self.queue_turn(now, user, owner, text);
            return;
        }
        if self.settings.consult_policy != ConsultPolicy::Always && self.wake.is_none() {
            return;
        }
        if let Some(skip) = question::skip(&text) {
            let label = self.label(user);
            let speaker = Speaker { user, label: &label };
            let (reason, detail) = (skip.reason(), skip.detail());
            self.line(timeline::forced_consult_skipped(now, reason, detail, speaker, &text));
            return;
        }
        if self.consults.is_covered(now, user, &text) {
            return;
        }
        if !self.consults.expect(now, user, owner, text) {
            self.refuse(now, user);
        }
    }

    pub(super) fn refuse(&mut self, now: SessionTime, user: UserId) {
        self.complain(now, "", "more questions are under way than the agent takes at a time");
        self.apologise(now, user);
    }

    /// A transcript goes to the agent.
    fn force(&mut self, now: SessionTime, consult: &Consult) {
        let label = self.label(consult.user);
        let speaker = Speaker { user: consult.user, label: &label };
        let route = self.settings.route();
        let record = timeline::forced_consult_starting(
            now,
            route,
            speaker,
            consult.owner,
            &consult.question,
        );
        self.line(record);
        let instructions = self.settings.spoken_instructions(SPOKEN_STYLE);
        self.ask(now, consult, consult.question.clone(), instructions);
    }

    pub(super) fn ask(
        &mut self,
        now: SessionTime,
        consult: &Consult,
        message: String,
        instructions: Option<String>,
    ) {
        let label = self.label(consult.user);
        let speaker = Speaker { user: consult.user, label: &label };
        let model = self.settings.agent_model.as_deref();
        let (place, route) = (self.settings.place(), self.settings.route());
        let record =
            timeline::agent_turn_start(now, place, route, speaker, consult.owner, model, &message);
        let scope = match self.settings.tool_policy {
            ToolPolicy::SafeReadOnly => ToolScope::SafeReadOnly,
            ToolPolicy::Owner | ToolPolicy::None => ToolScope::OfSpeaker,
        };
        let certain = self.standings.is_certain(consult.user);
        let lists = self.settings.rights.tools(consult.user, &label, certain);
        let tools = ToolGrant { scope, lists };
        let ask = Ask {
            run: consult.run,
            session: self.settings.supervisor_session.clone(),
            by: AskedBy { owner: consult.owner, ..self.asker(consult.user) },
            message,
            context: None,
            images: Vec::new(),
            instructions,
            tools,
            model: self.settings.agent_model.clone(),
            channel: Some(self.settings.channel),
            surface: SURFACE,
            origin: None,
        };
        self.line(record);
        self.outputs.push_back(Output::Ask(ask));
    }

    fn note_failure(&mut self, now: SessionTime, run: clawvoice_session::agent::RunId, why: &str) {
        let Some(consult) = self.consults.find(run) else { return };
        let elapsed = duration_ms(now.since(consult.began));
        if consult.forced {
            let route = self.settings.route();
            self.line(timeline::forced_consult_failed(now, elapsed, route, why));
        } else {
            self.line(timeline::consult_failed(now, &run.to_string(), why));
        }
    }

    /// Brings the end of a run to whoever waits for it.
    fn deliver(&mut self, now: SessionTime, delivery: &Delivery, ending: &Ending) {
        let user = delivery.user;
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        let (place, route) = (self.settings.place(), self.settings.route());
        if let Ending::Answer(text) = ending {
            let record = if text.is_empty() {
                timeline::agent_turn_silent(now, place, route, speaker)
            } else {
                timeline::agent_turn_answer(now, place, route, text)
            };
            self.line(record);
        }
        if delivery.forced {
            self.deliver_speech(now, delivery, ending);
        } else if let Ending::Answer(text) = ending {
            let owner = self.is_owner(user);
            let route = self.settings.route();
            self.line(timeline::consult_answer(now, route, speaker, owner, text));
        }
        for call in &delivery.calls {
            if let (Ending::Answer(_), false) = (ending, delivery.forced) {
                self.expect_result(call.lane, delivery.run);
            }
            let result = match ending {
                Ending::Answer(_) if delivery.forced => json!({
                    "status": "already_delivered",
                    "message": "the answer to this question is being spoken; say nothing",
                }),
                ending => result_of(ending),
            };
            let responds = !delivery.forced && *ending != Ending::Cancelled;
            self.answer_call(now, call, &result, responds);
        }
    }

    fn deliver_speech(&mut self, now: SessionTime, delivery: &Delivery, ending: &Ending) {
        let text = match ending {
            Ending::Answer(text) if text.is_empty() => return,
            Ending::Answer(text) => text.clone(),
            Ending::Failed(told) => told.clone(),
            Ending::Cancelled => return,
        };
        if !matches!(ending, Ending::Failed(_)) {
            let elapsed = duration_ms(now.since(delivery.began));
            let route = self.settings.route();
            self.line(timeline::forced_consult_answer(now, elapsed, route, &text));
        }
        let output = self.playback.output();
        if output.active {
            let place = self.settings.place();
            self.line(timeline::forced_consult_preserving(now, place, output));
        }
        let run = (!matches!(ending, Ending::Failed(_))).then_some(delivery.run);
        self.hold_while_talking(now, delivery.user);
        self.queue_speech(now, delivery.user, text, run);
    }
}

impl super::ConversationSettings {
    pub(super) fn route(&self) -> Route<'_> {
        Route {
            voice_session: &self.voice_session,
            supervisor_session: &self.supervisor_session,
            agent: &self.agent_id,
        }
    }

    /// The channel's own prompt and how to answer here.
    pub(super) fn spoken_instructions(&self, style: &str) -> Option<String> {
        match &self.channel_prompt {
            Some(prompt) => Some(format!("{prompt}\n\n{style}")),
            None => Some(style.to_owned()),
        }
    }
}
