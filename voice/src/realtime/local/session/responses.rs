//! Responses: what asks for one, what it is made of, what cancels it.

use std::sync::Arc;

use clawvoice_session::SessionTime;
use serde_json::{Value, json};

use super::{Behaviour, LocalSession};
use crate::realtime::local::{
    SAMPLES_PER_MS,
    conversation::{Conversation, Newest},
    refusal::{self, Refusal},
    response::{CancelReason, Response, Stage, Terms},
    script::{Pace, Placeholders, Step, Turn},
    speech::exact_speech,
};

/// Most responses at a time: one in the conversation, the others out of band.
const MAX_RESPONSES: usize = 4;

impl LocalSession {
    pub(super) fn create_response(
        &mut self,
        now: SessionTime,
        event: &Value,
    ) -> Result<(), Refusal> {
        let empty = json!({});
        let given = event.get("response").filter(|given| !given.is_null()).unwrap_or(&empty);
        if !given.is_object() {
            return Err(Refusal::wrong_type("response", "an object", given));
        }
        let terms = self.read_terms(given)?;
        let input = self.read_input(given)?;
        let instructions = refusal::optional_text(given, "instructions")
            .map_err(|refusal| refusal.within("response"))?;
        if !self.answers() && terms.in_conversation && self.active().is_none() {
            // The scenario answers, in its time.
            return Ok(());
        }
        let material = Material { input: input.as_ref(), instructions };
        self.respond(now, terms, &material)
    }

    /// A turn of speech is over, and the session answers by itself.
    pub(super) fn respond_to_speech(&mut self, now: SessionTime) {
        if !self.answers() {
            return;
        }
        let terms = self.terms(true);
        let material = Material { input: None, instructions: None };
        if let Err(refusal) = self.respond(now, terms, &material) {
            self.emitter.refuse(&refusal, None);
        }
    }

    fn read_terms(&self, given: &Value) -> Result<Terms, Refusal> {
        let present = |field: &str| given.get(field).filter(|value| !value.is_null());
        let in_conversation = match present("conversation") {
            None => true,
            Some(name) if name == "auto" => true,
            Some(name) if name == "none" => false,
            Some(_) => {
                return Err(Refusal::wrong_value("response.conversation", "'auto' or 'none'"));
            }
        };
        let mut terms = self.terms(in_conversation);
        if let Some(modalities) = present("output_modalities") {
            terms.audio = if *modalities == json!(["audio"]) {
                true
            } else if *modalities == json!(["text"]) {
                false
            } else {
                let param = "response.output_modalities";
                return Err(Refusal::wrong_value(param, "['audio'] or ['text']"));
            };
        }
        if let Some(metadata) = present("metadata") {
            let pairs = metadata.as_object().map(serde_json::Map::len);
            if pairs.is_none_or(|pairs| pairs > 16) {
                return Err(Refusal::wrong_value("response.metadata", "at most 16 pairs"));
            }
            terms.metadata = metadata.clone();
        }
        if let Some(limit) = present("max_output_tokens") {
            terms.max_output_tokens = limit.clone();
        }
        let voice = given.pointer("/audio/output/voice").filter(|voice| !voice.is_null());
        if let Some(voice) = voice {
            let name = voice.as_str().or_else(|| voice["id"].as_str());
            let param = "response.audio.output.voice";
            terms.voice =
                name.ok_or_else(|| Refusal::wrong_type(param, "a name", voice))?.to_owned();
        }
        Ok(terms)
    }

    /// A response's own input, which stands for the conversation.
    fn read_input(&self, given: &Value) -> Result<Option<Conversation>, Refusal> {
        let Some(input) = given.get("input").filter(|input| !input.is_null()) else {
            return Ok(None);
        };
        let items = input
            .as_array()
            .ok_or_else(|| Refusal::wrong_type("response.input", "an array", input))?;
        self.conversation.subset(items).map(Some)
    }

    pub(super) fn terms(&self, in_conversation: bool) -> Terms {
        Terms {
            in_conversation,
            audio: self.object.output_modalities() == json!(["audio"]),
            voice: self.object.voice(),
            metadata: Value::Null,
            max_output_tokens: self.object.max_output_tokens(),
            speed: self.settings.speed,
            speaker: self.settings.voice,
        }
    }

    fn active(&self) -> Option<&Response> {
        self.responses.iter().find(|response| response.in_conversation())
    }

    fn respond(
        &mut self,
        now: SessionTime,
        terms: Terms,
        material: &Material<'_>,
    ) -> Result<(), Refusal> {
        if let Some(active) = self.active().filter(|_| terms.in_conversation) {
            let message = format!(
                "Conversation already has an active response in progress: {}. Wait until the \
                 response is finished before creating a new one.",
                active.id
            );
            return Err(Refusal::new("conversation_already_has_active_response", message));
        }
        if self.responses.len() >= MAX_RESPONSES {
            let message = "Too many responses are in progress.";
            return Err(Refusal::new("rate_limit_exceeded", message));
        }
        let steps = self.next_steps(material);
        self.begin(now, terms, steps);
        Ok(())
    }

    /// Starts a response of these steps.
    pub(super) fn begin(&mut self, now: SessionTime, terms: Terms, steps: Vec<Step>) {
        let mut stage = Stage { emitter: &mut self.emitter, conversation: &mut self.conversation };
        let mut response = Response::begin(now, terms, &self.conversation_id, steps, &mut stage);
        response.advance(now, &mut stage);
        if !response.is_done() {
            self.responses.push(response);
        }
    }

    fn next_steps(&mut self, material: &Material<'_>) -> Vec<Step> {
        let from = material.input.unwrap_or(&self.conversation);
        if let Some(text) =
            material.instructions.and_then(exact_speech).or_else(|| match from.newest() {
                Some(Newest::UserText(text)) => exact_speech(text),
                _ => None,
            })
        {
            return vec![Step::Say { text, pace: Pace::default() }];
        }
        let Behaviour::Script(script) = &self.settings.behaviour else { return parrot(from) };
        let Some(turn) = script.turn(self.turns_taken) else {
            self.turns_taken += 1;
            return Vec::new();
        };
        if turn.needs_tool_output && self.conversation.has_open_call() {
            return Vec::new();
        }
        let placeholders = Placeholders {
            heard: from.last_user_words().unwrap_or_default().to_owned(),
            tool_output: from.last_tool_output().map(spoken_part).unwrap_or_default(),
        };
        let steps = turn.steps.iter().map(|step| placeholders.fill(step)).collect();
        self.turns_taken += 1;
        steps
    }

    /// Whether responses are made when they are asked for; else by a scenario.
    pub(super) fn answers(&self) -> bool {
        match &self.settings.behaviour {
            Behaviour::Script(script) => script.answers(),
            Behaviour::Parrot => true,
        }
    }

    /// Whether the script leaves transcripts to the session.
    pub(super) fn behaviour_transcribes(&self) -> bool {
        match &self.settings.behaviour {
            Behaviour::Script(script) => script.transcribes(),
            Behaviour::Parrot => true,
        }
    }

    /// What the user's item is said to have been.
    pub(super) fn transcript_of(&self, item_id: &str, seconds: f64) -> String {
        let scripted = match &self.settings.behaviour {
            Behaviour::Parrot => None,
            Behaviour::Script(script) => {
                let heard =
                    script.turn(self.turns_taken).and_then(|turn: &Turn| turn.heard.as_deref());
                heard.or_else(|| script.recognise(self.conversation.user_audio(item_id)?))
            }
        };
        scripted.map_or_else(|| format!("({seconds:.1} s of speech)"), str::to_owned)
    }

    pub(super) fn cancel(&mut self, now: SessionTime, event: &Value) -> Result<(), Refusal> {
        let wanted = refusal::optional_text(event, "response_id")?;
        let reason = CancelReason::ClientCancelled;
        let cancelled = self.cancel_where(now, reason, |response| match wanted {
            Some(id) => response.id == id,
            None => response.in_conversation(),
        });
        if cancelled {
            return Ok(());
        }
        let message = "Cancellation failed: no active response found";
        Err(Refusal::new("response_cancel_not_active", message))
    }

    /// Cancels the responses that fit; says whether there was one.
    pub(super) fn cancel_where(
        &mut self,
        now: SessionTime,
        reason: CancelReason,
        fits: impl Fn(&Response) -> bool,
    ) -> bool {
        let mut stage = Stage { emitter: &mut self.emitter, conversation: &mut self.conversation };
        let mut any = false;
        for response in self.responses.iter_mut().filter(|response| fits(response)) {
            let fields = json!({ "response_id": response.id, "reason": reason.name() });
            stage.emitter.note(now, "cancel", fields);
            response.cancel(now, reason, &mut stage);
            any = true;
        }
        self.responses.retain(|response| !response.is_done());
        any
    }
}

/// What a response is made from.
struct Material<'m> {
    /// Stands for the conversation.
    input: Option<&'m Conversation>,
    instructions: Option<&'m str>,
}

fn parrot(conversation: &Conversation) -> Vec<Step> {
    match conversation.newest_user() {
        Some(Newest::UserAudio(samples)) => {
            let seconds = samples.len() as f64 / (1_000 * SAMPLES_PER_MS) as f64;
            let transcript = format!("(an echo of {seconds:.1} s)");
            vec![Step::Audio { samples: Arc::from(samples), transcript, pace: Pace::default() }]
        }
        Some(Newest::UserText(text)) => {
            vec![Step::Say { text: text.to_owned(), pace: Pace::default() }]
        }
        Some(Newest::Other) | None => Vec::new(),
    }
}

/// What of a tool's output is for people: the text itself or, of a JSON object, the first of its
/// fields `text`, `answer`, `result`, `output` and `message` that is a text.
fn spoken_part(output: &str) -> String {
    let object: Option<Value> = serde_json::from_str(output).ok();
    let field = object.as_ref().and_then(|object| {
        ["text", "answer", "result", "output", "message"]
            .iter()
            .find_map(|field| object.get(field)?.as_str())
    });
    field.unwrap_or(output).to_owned()
}
