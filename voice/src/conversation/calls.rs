//! The front end's calls: what it asks the agent by itself, and what it gets for an answer.

use clawvoice_session::{SessionTime, UserId, agent::RunId};
use serde_json::{Value, json};

use super::{
    Conversation,
    agent::SPOKEN_STYLE,
    consult::{Call, Ending, Verdict},
    lane::{Create, Lane},
    run_control::{self, ControlMode},
    settings::ToolPolicy,
};
use crate::{
    realtime::{Command, FunctionCall, ItemStatus, ToolDefinition},
    timeline::{self, Speaker},
};

/// The tool by which a front end asks the agent.
pub(crate) const CONSULT_TOOL: &str = "openclaw_agent_consult";

/// The tool by which it controls the agent's work.
pub(crate) const CONTROL_TOOL: &str = "openclaw_agent_control";

/// Runs whose results one response may be about; of more it is not noted.
const MAX_RESULTS: usize = 16;

/// The consult tool as the front end is offered it.
pub(super) fn consult_tool() -> ToolDefinition {
    let text = |description: &str| json!({"type": "string", "description": description});
    ToolDefinition {
        name: CONSULT_TOOL.into(),
        description: "Asks the agent: for requests, actions, current facts, memory and anything \
                      about the workspace or the people present. Its answer is authoritative."
            .into(),
        parameters: json!({
            "type": "object",
            "properties": {
                "question": text("What to find out or to do, in full."),
                "context": text("What of the conversation is needed to understand it."),
                "responseStyle": text("How the answer should sound."),
            },
            "required": ["question"],
        }),
    }
}

/// The control tool as the front end is offered it.
pub(super) fn control_tool() -> ToolDefinition {
    ToolDefinition {
        name: CONTROL_TOOL.into(),
        description:
            "Controls what the agent is working on: tells its status, cancels it, changes \
                      it, or adds something to be done afterwards. For what the speaker says about \
                      work under way, in whatever language; not for new requests or small talk."
                .into(),
        parameters: json!({
            "type": "object",
            "properties": {
                "text": {
                    "type": "string",
                    "description": "What the speaker wants, in their words.",
                },
                "mode": {
                    "type": "string",
                    "enum": ControlMode::ALL.map(ControlMode::as_str),
                    "description": "status: how far it is; cancel: stop it; steer: do it \
                                    otherwise; followup: do this afterwards.",
                },
            },
            "required": ["text", "mode"],
        }),
    }
}

impl Conversation {
    /// A front end calls a function.
    pub(super) fn handle_call(&mut self, now: SessionTime, index: usize, call: &FunctionCall) {
        // The arguments event comes for calls that end incomplete, too; the item decides.
        if call.status != ItemStatus::Completed {
            return;
        }
        let Some(slot) = self.slots.get(index) else { return };
        let (lane, user) = (slot.lane, slot.user);
        let id = Call { lane, id: call.call_id.clone(), tool: call.name.clone() };
        match self.read_call(now, user, call) {
            Ok((user, Wanted::Consult(question))) => self.consult(now, user, id, &question),
            Ok((user, Wanted::Control(mode, text))) => {
                self.control_by_call(now, user, id, mode, text);
            }
            Err(error) => {
                if self.consults.note_stray(&id) {
                    self.fail_call(now, &id, &error);
                }
            }
        }
    }

    /// What a call wants and for whom, if it may be carried out.
    fn read_call(
        &mut self,
        now: SessionTime,
        user: Option<UserId>,
        call: &FunctionCall,
    ) -> Result<(UserId, Wanted), String> {
        let is_offered = self.settings.tool_policy != ToolPolicy::None;
        if !is_offered || ![CONSULT_TOOL, CONTROL_TOOL].contains(&call.name.as_str()) {
            return Err(format!("Tool \"{}\" not available", call.name));
        }
        let user = user.ok_or("No Discord speaker context available")?;
        if !self.still_admits(now, user) {
            return Err("The speaker is not authorized".to_owned());
        }
        let wanted = if call.name == CONTROL_TOOL {
            let (mode, text) = read_control(&call.arguments)?;
            Wanted::Control(mode, text)
        } else {
            Wanted::Consult(read_question(&call.arguments)?)
        };
        Ok((user, wanted))
    }

    /// Front ends took calls back.
    pub(super) fn withdraw_calls(&mut self, index: usize, ids: &[String]) {
        if let Some(slot) = self.slots.get(index) {
            let lane = slot.lane;
            self.consults.withdraw(lane, ids);
            self.withdraw_controls(lane, ids);
        }
    }

    /// The front end of `user` asks the agent.
    fn consult(&mut self, now: SessionTime, user: UserId, call: Call, question: &Question) {
        let owner = self.is_owner(user);
        let label = self.label(user);
        let speaker = Speaker { user, label: &label };
        if let Some(text) = self.speech.echoed(&question.text).map(str::to_owned) {
            if self.consults.note_stray(&call) {
                let chars = text.chars().count();
                self.line(timeline::exact_speech_consult_bypassed(now, &call.id, chars));
                self.answer_call(now, &call, &json!({ "text": text }), true);
            }
            return;
        }
        let route = self.settings.route();
        let requested =
            timeline::consult_requested(now, &call.id, route, speaker, owner, &question.text);
        let deadline = now + self.settings.consult_timeout;
        match self.consults.call(now, user, owner, call.clone(), &question.text, deadline) {
            Verdict::Repeated => {}
            Verdict::Start(run) => {
                self.line(requested);
                let Some(consult) = self.consults.find(run).cloned() else { return };
                let instructions = self.settings.spoken_instructions(SPOKEN_STYLE);
                self.ask(now, &consult, question.message(), instructions);
            }
            Verdict::Joined => {
                self.line(requested);
                self.line(timeline::consult_joined(now, &call.id, speaker, owner));
            }
            Verdict::Reused(ending) => {
                self.line(requested);
                self.line(timeline::consult_reused(now, &call.id, speaker, owner));
                self.answer_call(now, &call, &result_of(&ending), true);
            }
            Verdict::AlreadyDelivered => {
                self.line(requested);
                let message = "the answer to this question was already spoken; say nothing";
                let result = json!({ "status": "already_delivered", "message": message });
                self.answer_call(now, &call, &result, false);
            }
            Verdict::Refused => {
                self.line(requested);
                self.fail_call(now, &call, "too many questions are under way");
            }
        }
    }

    /// Gives a call its result. The front end speaks about it once nothing else is outstanding.
    pub(super) fn answer_call(
        &mut self,
        now: SessionTime,
        call: &Call,
        result: &Value,
        responds: bool,
    ) {
        self.send_result(call, result);
        let is_last = self.consults.outstanding(call.lane) == 0;
        let Some(index) = self.find_slot(call.lane) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.respond_wanted |= responds;
        if is_last && std::mem::take(&mut slot.respond_wanted) {
            self.respond_to_result(now, index);
        }
    }

    /// Gives a call its result, about which the front end speaks whatever else is outstanding.
    pub(super) fn answer_call_at_once(&mut self, now: SessionTime, call: &Call, result: &Value) {
        self.send_result(call, result);
        if let Some(index) = self.find_slot(call.lane) {
            self.respond_to_result(now, index);
        }
    }

    pub(super) fn send_result(&mut self, call: &Call, result: &Value) {
        let output = result.to_string();
        let command = Command::ToolResult { call_id: &call.id, name: &call.tool, output: &output };
        self.send(call.lane, &command);
    }

    fn respond_to_result(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.codec.capabilities().answers_tool_results {
            return;
        }
        slot.create = Create::Wanted;
        if let Some(user) = slot.user {
            self.hold_while_talking(now, user);
        }
        self.create_if_wanted(index);
    }

    /// The next response on a connection says what came of this run.
    pub(super) fn expect_result(&mut self, lane: Lane, run: RunId) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane)
            && !slot.codec.capabilities().answers_tool_results
            && slot.results.len() < MAX_RESULTS
            && !slot.results.contains(&run)
        {
            slot.results.push(run);
        }
    }

    pub(super) fn fail_call(&mut self, now: SessionTime, call: &Call, error: &str) {
        self.line(timeline::consult_failed(now, &call.id, error));
        self.answer_call(now, call, &json!({ "error": error }), true);
    }
}

/// What a call wants.
enum Wanted {
    Consult(Question),
    Control(ControlMode, String),
}

/// What a call asks.
struct Question {
    text: String,
    context: Option<String>,
    style: Option<String>,
}

impl Question {
    /// The agent's message: the question, what surrounds it, how to answer.
    fn message(&self) -> String {
        let mut message = self.text.clone();
        for (name, block) in [("Context", &self.context), ("Spoken style", &self.style)] {
            if let Some(block) = block {
                message.push_str(&format!("\n\n{name}:\n{block}"));
            }
        }
        message
    }
}

fn read_arguments(arguments: &str) -> Result<Value, &'static str> {
    match arguments.trim() {
        "" => Ok(Value::Null),
        text => serde_json::from_str(text).map_err(|_| "the arguments are not JSON"),
    }
}

/// The first of these arguments that holds words.
fn words_of(arguments: &Value, names: &[&str]) -> Option<String> {
    let texts = names.iter().filter_map(|name| arguments.get(name)?.as_str());
    texts.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
}

/// A mode that is missing or unknown is read out of the words; where these say nothing either, a
/// status does no harm.
fn read_control(arguments: &str) -> Result<(ControlMode, String), &'static str> {
    let arguments = read_arguments(arguments)?;
    let text = words_of(&arguments, &["text", "message"]).ok_or("text required")?;
    let mode = words_of(&arguments, &["mode"]).and_then(|mode| ControlMode::parse(&mode));
    let mode = mode.or_else(|| run_control::classify(&text)).unwrap_or(ControlMode::Status);
    Ok((mode, text))
}

fn read_question(arguments: &str) -> Result<Question, &'static str> {
    let arguments = read_arguments(arguments)?;
    let text = |names: &[&str]| words_of(&arguments, names);
    Ok(Question {
        text: text(&["question", "prompt", "query", "task"]).ok_or("question required")?,
        context: text(&["context"]),
        style: text(&["responseStyle"]),
    })
}

pub(super) fn result_of(ending: &Ending) -> Value {
    match ending {
        Ending::Answer(text) => json!({ "text": text }),
        Ending::Cancelled => json!({
            "status": "cancelled",
            "message": "the request was cancelled; say nothing about it",
        }),
        Ending::Failed(told) => json!({ "error": told }),
    }
}
