//! One connection's session: client events in, server events out.

mod playing;
mod responses;

use std::{sync::Arc, time::Duration};

use clawvoice_session::SessionTime;
use serde_json::{Value, json};

use super::{
    SAMPLES_PER_MS,
    conversation::{self, Conversation, Item, Kind, Part, Role},
    emitter::{Emitter, Output},
    input::InputBuffer,
    player::Player,
    refusal::{self, Refusal},
    response::{CancelReason, Response, Stage},
    samples_to_ms,
    script::Script,
    session_object::{SessionObject, TurnDetection},
    speech::Voice,
    vad::{Vad, VadEvent},
};

/// Longest `audio` of one append, in bytes after decoding. Source: OpenAI, client events.
const MAX_APPEND: usize = 15 * 1_024 * 1_024;

/// Least audio a commit takes.
const MIN_COMMIT_MS: u64 = 100;

/// What the provider answers.
#[derive(Clone, Debug, Default)]
pub enum Behaviour {
    /// The user's last turn: audio sample for sample, a text spoken.
    #[default]
    Parrot,
    /// The turns of a script.
    Script(Arc<Script>),
}

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it answers.
    pub behaviour: Behaviour,
    /// The model named when connecting; echoed only.
    pub model: String,
    /// Audio is sent this many times faster than it plays. At least 0.1. Usual: 4.
    pub speed: f64,
    /// Whose voice speaks texts.
    pub voice: Voice,
    /// Whether outputs include [`Output::Note`].
    pub record: bool,
    /// Makes ids differ between sessions.
    pub id_seed: u64,
    /// Seconds since 1970 at the session's start, for `expires_at`.
    pub epoch_seconds: u64,
    /// After this long the session ends with `session_expired` and close 1001. OpenAI: 60 minutes.
    pub expires_after: Duration,
}

/// Why a session wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A response has its next event.
    Response,
    /// The session's time is over.
    Expiry,
    /// A scenario's next step, or the end of a stall.
    Scenario,
}

/// The server side of one realtime connection, sans-IO.
///
/// Feed it with [`handle_text`](Self::handle_text) and [`handle_timeout`](Self::handle_timeout);
/// after each call drain [`poll_output`](Self::poll_output), then sleep until
/// [`poll_timeout`](Self::poll_timeout).
pub struct LocalSession {
    settings: Settings,
    emitter: Emitter,
    object: SessionObject,
    conversation: Conversation,
    conversation_id: String,
    input: InputBuffer,
    vad: Vad,
    speech: Option<Speech>,
    responses: Vec<Response>,
    turns_taken: usize,
    expires: SessionTime,
    player: Option<Player>,
}

/// A turn the VAD has opened.
struct Speech {
    item_id: String,
    from: u64,
}

impl LocalSession {
    /// Opens the session: `session.created` is its first output.
    #[must_use]
    pub fn new(settings: Settings, now: SessionTime) -> Self {
        let mut emitter = Emitter::new(settings.id_seed, settings.record);
        let expires_at = settings.epoch_seconds.saturating_add(settings.expires_after.as_secs());
        let object = SessionObject::new(&emitter.id("sess"), &settings.model, expires_at);
        emitter.emit(json!({ "type": "session.created", "session": object.to_json() }));
        emitter.note(now, "connected", json!({ "model": settings.model }));
        let conversation_id = emitter.id("conv");
        let expires = now + settings.expires_after;
        let speed = if settings.speed.is_finite() { settings.speed.max(0.1) } else { 1.0 };
        let (voice, player) = match &settings.behaviour {
            Behaviour::Parrot => (settings.voice, None),
            Behaviour::Script(script) => {
                let player = script.own_scenario().map(|scenario| Player::new(scenario, now));
                (script.voice(settings.voice), player)
            }
        };
        let mut session = Self {
            settings: Settings { speed, voice, ..settings },
            emitter,
            object,
            conversation: Conversation::default(),
            conversation_id,
            input: InputBuffer::default(),
            vad: Vad::new(),
            speech: None,
            responses: Vec::new(),
            turns_taken: 0,
            expires,
            player,
        };
        session.play(now);
        session
    }

    /// Takes one text frame of the client. Whatever is wrong with it becomes an `error` event.
    pub fn handle_text(&mut self, now: SessionTime, text: &str) {
        self.handle_timeout(now);
        let event: Value = match serde_json::from_str(text) {
            Ok(event @ Value::Object(_)) => event,
            Ok(_) | Err(_) => {
                let message = "Could not parse the message: expected one JSON object.";
                self.emitter.refuse(&Refusal::new("invalid_json", message), None);
                return;
            }
        };
        if let Some(player) = &mut self.player {
            player.handle_event(&event);
            self.emitter.learn_client_event(&event);
        }
        if let Err(refusal) = self.dispatch(now, &event) {
            self.emitter.note(now, "error", json!({ "code": refusal.code }));
            self.emitter.refuse(&refusal, event["event_id"].as_str());
        }
        self.play(now);
    }

    /// Takes a binary frame of the client: the protocol has none.
    pub fn handle_binary(&mut self, now: SessionTime) {
        self.handle_timeout(now);
        let message = "Binary frames are not supported: send JSON text frames.";
        self.emitter.refuse(&Refusal::new("invalid_json", message), None);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        self.emitter.handle_timeout(now);
        if now >= self.expires && !self.emitter.is_closed() {
            self.expire();
        }
        let mut stage = Stage { emitter: &mut self.emitter, conversation: &mut self.conversation };
        for response in &mut self.responses {
            response.advance(now, &mut stage);
        }
        self.responses.retain(|response| !response.is_done());
        self.play(now);
    }

    /// The audio (24 kHz mono) for an [`Output::Say`], or `None` if there is no voice: then the text
    /// is sounded in tones.
    pub fn handle_said(&mut self, now: SessionTime, ticket: u64, samples: Option<&[i16]>) {
        let mut stage = Stage { emitter: &mut self.emitter, conversation: &mut self.conversation };
        for response in &mut self.responses {
            response.handle_said(now, ticket, samples, &mut stage);
        }
        self.handle_timeout(now);
    }

    /// The connection has ended. What is left of a scenario is noted as unfinished; drain
    /// [`poll_output`](Self::poll_output) a last time.
    pub fn finish(&mut self, now: SessionTime) {
        if let Some(place) = self.player.as_mut().and_then(Player::finish) {
            self.emitter.note_outcome(now, "script.unfinished", json!({ "place": place }));
        }
    }

    fn expire(&mut self) {
        let minutes = self.settings.expires_after.as_secs() / 60;
        let message = format!("Your session hit the maximum duration of {minutes} minutes.");
        self.emitter.refuse(&Refusal::new("session_expired", message), None);
        self.emitter.close(1_001);
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.emitter.poll()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, and why. `None` once closed,
    /// when everything has left.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        if self.emitter.is_closed() {
            // What a stall keeps back, the close included, is still to leave.
            return self.emitter.stalled_until().map(|at| (at, Timer::Scenario));
        }
        let response = self.responses.iter().map(Response::next_at).min();
        let player = self.player.as_ref().and_then(Player::poll_timeout);
        let stall = self.emitter.stalled_until();
        [
            response.map(|at| (at, Timer::Response)),
            player.into_iter().chain(stall).min().map(|at| (at, Timer::Scenario)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
        .filter(|(at, _)| *at < self.expires)
        .or(Some((self.expires, Timer::Expiry)))
    }

    fn dispatch(&mut self, now: SessionTime, event: &Value) -> Result<(), Refusal> {
        if let Some(id) = event.get("event_id").filter(|id| !id.is_string() && !id.is_null()) {
            return Err(Refusal::wrong_type("event_id", "a string", id));
        }
        match refusal::text(event, "type")? {
            "session.update" => self.update_session(now, event),
            "input_audio_buffer.append" => self.append(now, event),
            "input_audio_buffer.commit" => self.commit(now),
            "input_audio_buffer.clear" => {
                self.input.clear();
                self.vad.reset();
                self.speech = None;
                self.emitter.emit(json!({ "type": "input_audio_buffer.cleared" }));
                Ok(())
            }
            "conversation.item.create" => self.create_item(event),
            "conversation.item.retrieve" => {
                let item = self.conversation.retrieve(event)?;
                self.emitter.emit(json!({ "type": "conversation.item.retrieved", "item": item }));
                Ok(())
            }
            "conversation.item.truncate" => self.truncate(now, event),
            "conversation.item.delete" => {
                let id = self.conversation.delete(event)?;
                self.emitter.note(now, "delete", json!({ "item_id": id }));
                self.emitter.emit(json!({ "type": "conversation.item.deleted", "item_id": id }));
                Ok(())
            }
            "response.create" => self.create_response(now, event),
            "response.cancel" => self.cancel(now, event),
            other => {
                let shown: String = other.chars().take(64).collect();
                let message = format!("Invalid value: '{shown}'. This event type is not known.");
                Err(Refusal::new("invalid_value", message).at("type"))
            }
        }
    }

    fn update_session(&mut self, now: SessionTime, event: &Value) -> Result<(), Refusal> {
        let update = event.get("session").ok_or_else(|| Refusal::missing("session"))?;
        let was_detecting = self.object.turn_detection().is_some();
        self.object.update(update, self.emitter.sent() > 0)?;
        if was_detecting && self.object.turn_detection().is_none() {
            self.vad.reset();
            self.speech = None;
        }
        let session = self.object.to_json();
        self.emitter.emit(json!({ "type": "session.updated", "session": session }));
        self.emitter.note(now, "session.updated", json!({}));
        Ok(())
    }

    fn append(&mut self, now: SessionTime, event: &Value) -> Result<(), Refusal> {
        let audio = refusal::text(event, "audio")?;
        if audio.len() / 4 * 3 > MAX_APPEND {
            return Err(Refusal::wrong_value("audio", "at most 15 MiB"));
        }
        let bytes = conversation::decode_audio(audio, "audio")?;
        let samples = self.input.append(&bytes);
        self.emitter.note_heard(&samples);
        let Some(rules) = self.object.turn_detection() else { return Ok(()) };
        let mut events = Vec::new();
        self.vad.push(&samples, &rules, &mut events);
        for event in events {
            match event {
                VadEvent::Started { at } => self.speech_started(now, at, &rules),
                VadEvent::Stopped { at } => self.speech_stopped(now, at, &rules),
            }
        }
        if self.speech.is_none() {
            // Enough for the padding, for the frames that confirm speech and for one in progress.
            let kept = (rules.prefix_ms + 100) * SAMPLES_PER_MS as u64;
            self.input.drop_before(self.input.end().saturating_sub(kept));
        }
        Ok(())
    }

    fn speech_started(&mut self, now: SessionTime, at: u64, rules: &TurnDetection) {
        let padding = rules.prefix_ms * SAMPLES_PER_MS as u64;
        let from = at.saturating_sub(padding).max(self.input.start());
        let item_id = self.emitter.id("item");
        let start_ms = samples_to_ms(from);
        self.emitter.emit(json!({
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": start_ms,
            "item_id": item_id,
        }));
        let fields = json!({ "item_id": item_id, "audio_start_ms": start_ms });
        self.emitter.note(now, "speech_started", fields);
        self.speech = Some(Speech { item_id, from });
        if rules.interrupt_response {
            self.cancel_where(now, CancelReason::TurnDetected, Response::in_conversation);
        }
    }

    fn speech_stopped(&mut self, now: SessionTime, at: u64, rules: &TurnDetection) {
        let Some(speech) = self.speech.take() else { return };
        let end_ms = samples_to_ms(at);
        self.emitter.emit(json!({
            "type": "input_audio_buffer.speech_stopped",
            "audio_end_ms": end_ms,
            "item_id": speech.item_id,
        }));
        let fields = json!({ "item_id": speech.item_id, "audio_end_ms": end_ms });
        self.emitter.note(now, "speech_stopped", fields);
        self.commit_turn(now, speech.item_id, speech.from, at);
        if rules.create_response {
            self.respond_to_speech(now);
        }
    }

    /// The client's commit: everything in the buffer becomes a user message. No response starts.
    fn commit(&mut self, now: SessionTime) -> Result<(), Refusal> {
        let from = self.speech.as_ref().map_or(self.input.start(), |speech| speech.from);
        let length = samples_to_ms(self.input.end() - from.min(self.input.end()));
        if length < MIN_COMMIT_MS {
            let message = format!(
                "Error committing input audio buffer: buffer too small. Expected at least \
                 {MIN_COMMIT_MS}ms of audio, but buffer only has {length}.00ms of audio."
            );
            return Err(Refusal::new("input_audio_buffer_commit_empty", message));
        }
        let item_id = match self.speech.take() {
            Some(speech) => speech.item_id,
            None => self.emitter.id("item"),
        };
        self.vad.reset();
        let to = self.input.end();
        self.commit_turn(now, item_id, from, to);
        Ok(())
    }

    fn commit_turn(&mut self, now: SessionTime, item_id: String, from: u64, to: u64) {
        let samples = self.input.take(from, to);
        let seconds = samples.len() as f64 / (1_000 * SAMPLES_PER_MS) as f64;
        let fields = json!({ "item_id": item_id, "from_sample": from, "to_sample": to });
        self.emitter.note(now, "committed", fields);

        let part = Part::Audio { samples, transcript: None };
        let kind = Kind::Message { role: Role::User, parts: vec![part] };
        let item = Item::new(item_id.clone(), "completed", kind);
        let json = item.to_json(false);
        let previous = self.conversation.push(item);
        self.emitter.emit(json!({
            "type": "input_audio_buffer.committed",
            "previous_item_id": previous,
            "item_id": item_id,
        }));
        self.announce(&json, previous.as_deref());
        if self.object.transcribes() && self.behaviour_transcribes() {
            self.transcribe(&item_id, seconds);
        }
    }

    fn transcribe(&mut self, item_id: &str, seconds: f64) {
        let transcript = self.transcript_of(item_id, seconds);
        if let Some(Item { kind: Kind::Message { parts, .. }, .. }) =
            self.conversation.find_mut(item_id)
            && let Some(Part::Audio { transcript: kept, .. }) = parts.first_mut()
        {
            *kept = Some(transcript.clone());
        }
        let event = |kind: &str| {
            json!({
                "type": format!("conversation.item.input_audio_transcription.{kind}"),
                "item_id": item_id,
                "content_index": 0,
            })
        };
        let mut delta = event("delta");
        delta["delta"] = transcript.as_str().into();
        self.emitter.emit(delta);
        let mut completed = event("completed");
        completed["transcript"] = transcript.into();
        completed["usage"] = json!({ "type": "duration", "seconds": seconds });
        self.emitter.emit(completed);
    }

    fn create_item(&mut self, event: &Value) -> Result<(), Refusal> {
        let emitter = &mut self.emitter;
        let (item, previous) = self.conversation.create(event, || emitter.id("item"))?;
        self.announce(&item, previous.as_deref());
        Ok(())
    }

    fn announce(&mut self, item: &Value, previous: Option<&str>) {
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.emitter.emit(json!({
                "type": kind,
                "previous_item_id": previous,
                "item": item,
            }));
        }
    }

    fn truncate(&mut self, now: SessionTime, event: &Value) -> Result<(), Refusal> {
        let outcome = self.conversation.truncate(event);
        self.emitter.note(
            now,
            "truncate",
            json!({
                "item_id": event["item_id"],
                "audio_end_ms": event["audio_end_ms"],
                "accepted": outcome.is_ok(),
            }),
        );
        let (item_id, content_index, audio_end_ms) = outcome?;
        self.emitter.emit(json!({
            "type": "conversation.item.truncated",
            "item_id": item_id,
            "content_index": content_index,
            "audio_end_ms": audio_end_ms,
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
