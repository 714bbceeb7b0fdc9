//! One response: its steps as a timed sequence of events.
//!
//! Order (OpenAI, "Realtime", server events): `response.created` → per item
//! `response.output_item.added` → `conversation.item.added` → `response.content_part.added` →
//! transcript and audio deltas → `….done` of each → `conversation.item.done` →
//! `response.output_item.done` → `response.done`.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use clawvoice_session::SessionTime;
use serde_json::{Value, json};

use super::{
    SAMPLES_PER_MS,
    conversation::{Conversation, Item, Kind, Part, Role, Tokens, text_tokens},
    emitter::Emitter,
    samples_to_ms,
    script::{Pace, Step},
    speech::{Voice, tones},
};

/// Audio in one delta, unless a script says otherwise.
const DELTA_MS: usize = 100;

/// Longest wait for the owner's voice; then the text is sounded in tones.
const VOICE_LIMIT: Duration = Duration::from_secs(10);

/// What a response is made with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// Writes to the default conversation; else it is out of band.
    pub(super) in_conversation: bool,
    /// Audio with a transcript, or text only.
    pub(super) audio: bool,
    pub(super) voice: String,
    pub(super) metadata: Value,
    pub(super) max_output_tokens: Value,
    /// Audio is sent this many times faster than it plays.
    pub(super) speed: f64,
    /// Whose voice speaks texts.
    pub(super) speaker: Voice,
}

/// How a response ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CancelReason {
    ClientCancelled,
    TurnDetected,
}

impl CancelReason {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClientCancelled => "client_cancelled",
            Self::TurnDetected => "turn_detected",
        }
    }
}

/// The parts of a session a response works on.
pub(super) struct Stage<'s> {
    pub(super) emitter: &'s mut Emitter,
    pub(super) conversation: &'s mut Conversation,
}

/// A response that has begun.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) id: String,
    terms: Terms,
    conversation_id: String,
    steps: VecDeque<Step>,
    message: Option<Message>,
    asked: Option<Asked>,
    output: Vec<Value>,
    next_at: SessionTime,
    input: Tokens,
    spent: Tokens,
    done: bool,
}

/// A text whose audio the owner was asked for.
#[derive(Debug)]
struct Asked {
    ticket: u64,
    text: String,
    pace: Pace,
}

/// The message item that is being spoken or written.
#[derive(Debug)]
struct Message {
    item_id: String,
    samples: Arc<[i16]>,
    delta: usize,
    speed: f64,
    sent: usize,
    words: VecDeque<String>,
    words_a_delta: usize,
    said: String,
}

impl Response {
    /// Begins: emits `response.created` and `rate_limits.updated`.
    pub(super) fn begin(
        now: SessionTime,
        terms: Terms,
        conversation_id: &str,
        steps: Vec<Step>,
        stage: &mut Stage<'_>,
    ) -> Self {
        let response = Self {
            id: stage.emitter.id("resp"),
            terms,
            conversation_id: conversation_id.to_owned(),
            steps: steps.into(),
            message: None,
            asked: None,
            output: Vec::new(),
            next_at: now,
            input: stage.conversation.tokens(),
            spent: Tokens::default(),
            done: false,
        };
        let object = response.object("in_progress", Value::Null, false);
        stage.emitter.emit(json!({ "type": "response.created", "response": object }));
        stage.emitter.emit(json!({
            "type": "rate_limits.updated",
            "rate_limits": [
                { "name": "requests", "limit": 1_000, "remaining": 999, "reset_seconds": 0.06 },
                { "name": "tokens", "limit": 50_000, "remaining": 45_000, "reset_seconds": 6.0 },
            ],
        }));
        stage.emitter.note(now, "response.created", json!({ "response_id": response.id }));
        response
    }

    pub(super) fn in_conversation(&self) -> bool {
        self.terms.in_conversation
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn next_at(&self) -> SessionTime {
        self.next_at
    }

    /// Emits everything that is due.
    pub(super) fn advance(&mut self, now: SessionTime, stage: &mut Stage<'_>) {
        while !self.done && self.next_at <= now && !stage.emitter.is_closed() {
            match &self.message {
                Some(message) if message.is_complete() => self.end_message("completed", stage),
                Some(_) => self.send_delta(stage),
                None if self.asked.is_some() => self.speak_asked(None, stage),
                None => self.start_step(stage),
            }
        }
    }

    /// The owner's audio for a text, or word that there is none.
    pub(super) fn handle_said(
        &mut self,
        now: SessionTime,
        ticket: u64,
        samples: Option<&[i16]>,
        stage: &mut Stage<'_>,
    ) {
        if !self.done && self.asked.as_ref().is_some_and(|asked| asked.ticket == ticket) {
            self.next_at = now;
            self.speak_asked(samples, stage);
            self.advance(now, stage);
        }
    }

    fn speak_asked(&mut self, samples: Option<&[i16]>, stage: &mut Stage<'_>) {
        let Some(asked) = self.asked.take() else { return };
        let samples = samples.map_or_else(|| tones(&asked.text), <[i16]>::to_vec);
        self.start_message(samples.into(), &asked.text, asked.pace, stage);
    }

    /// Ends now: the item under way ends `incomplete`, the response `cancelled`.
    pub(super) fn cancel(&mut self, now: SessionTime, reason: CancelReason, stage: &mut Stage<'_>) {
        self.next_at = now;
        self.asked = None;
        self.end_message("incomplete", stage);
        let reason = reason.name();
        self.finish("cancelled", json!({ "type": "cancelled", "reason": reason }), stage);
    }

    fn start_step(&mut self, stage: &mut Stage<'_>) {
        match self.steps.pop_front() {
            None => self.finish("completed", Value::Null, stage),
            Some(Step::Stall(wait)) => self.next_at += wait,
            Some(Step::Audio { samples, transcript, pace }) => {
                self.start_message(samples, &transcript, pace, stage);
            }
            Some(Step::Say { text, pace }) => self.say(text, pace, stage),
            Some(Step::ToolCall { name, arguments }) => self.call_tool(name, arguments, stage),
            Some(Step::Fail { code, message }) => {
                let error = json!({ "type": "server_error", "code": code, "message": message });
                self.finish("failed", json!({ "type": "failed", "error": error }), stage);
            }
            Some(Step::Close(code)) => stage.emitter.close(code),
        }
    }

    fn say(&mut self, text: String, pace: Pace, stage: &mut Stage<'_>) {
        if self.terms.audio && self.terms.speaker == Voice::Owner {
            let ticket = stage.emitter.say(&text);
            self.next_at += VOICE_LIMIT;
            self.asked = Some(Asked { ticket, text, pace });
        } else {
            self.start_message(tones(&text).into(), &text, pace, stage);
        }
    }

    fn start_message(
        &mut self,
        samples: Arc<[i16]>,
        transcript: &str,
        pace: Pace,
        stage: &mut Stage<'_>,
    ) {
        let delta = pace.chunk_ms.unwrap_or(DELTA_MS).max(1) * SAMPLES_PER_MS;
        let speed = pace.speed.unwrap_or(self.terms.speed);
        let item_id = stage.emitter.id("item");
        let samples = if self.terms.audio { samples } else { Arc::from([]) };
        let words: VecDeque<String> = transcript.split_inclusive(' ').map(str::to_owned).collect();
        let deltas = samples.len().div_ceil(delta).max(1);
        // Text runs ahead of audio, as OpenAI's does: it is out after half of the deltas.
        let words_a_delta = (2 * words.len()).div_ceil(deltas).max(1);
        let part = if self.terms.audio {
            Part::Audio { samples: Vec::new(), transcript: None }
        } else {
            Part::Text(String::new())
        };
        let kind = Kind::Message { role: Role::Assistant, parts: Vec::new() };
        let mut item = Item::new(item_id.clone(), "in_progress", kind);
        self.add_item(&item, stage);
        item.kind = Kind::Message { role: Role::Assistant, parts: vec![part] };
        if self.terms.in_conversation {
            stage.conversation.push(item);
        }
        stage.emitter.emit(self.part_event("response.content_part.added", &item_id, ""));
        let from = stage.emitter.sent();
        stage.emitter.note(
            self.next_at,
            "item.added",
            json!({ "response_id": self.id, "item_id": item_id, "from_sample": from }),
        );
        self.message = Some(Message {
            item_id,
            samples,
            delta,
            speed,
            sent: 0,
            words,
            words_a_delta,
            said: String::new(),
        });
    }

    fn send_delta(&mut self, stage: &mut Stage<'_>) {
        let Some(mut message) = self.message.take() else { return };
        let count = message.words_a_delta.min(message.words.len());
        let text: String = message.words.drain(..count).collect();
        if !text.is_empty() {
            let kind = if self.terms.audio {
                "response.output_audio_transcript.delta"
            } else {
                "response.output_text.delta"
            };
            stage.emitter.emit(self.message_event(kind, &message.item_id, "delta", &text));
            self.spent.text += text_tokens(&text);
        }
        message.said.push_str(&text);

        let end = (message.sent + message.delta).min(message.samples.len());
        let samples = &message.samples[message.sent..end];
        message.sent = end;
        if !samples.is_empty() {
            let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
            let delta = STANDARD.encode(bytes);
            let kind = "response.output_audio.delta";
            stage.emitter.emit(self.message_event(kind, &message.item_id, "delta", &delta));
            stage.emitter.note_sent(samples);
        }
        if self.terms.in_conversation {
            stage.conversation.grow(&message.item_id, samples, &text);
        }
        // A delta of text alone takes as long as a full one of audio.
        let played = if samples.is_empty() { DELTA_MS * SAMPLES_PER_MS } else { samples.len() };
        let seconds = played as f64 / (1_000 * SAMPLES_PER_MS) as f64 / message.speed;
        self.next_at += Duration::from_secs_f64(seconds);
        self.message = Some(message);
    }

    /// Ends the message under way, if any, with all its `done` events.
    fn end_message(&mut self, status: &'static str, stage: &mut Stage<'_>) {
        let Some(message) = self.message.take() else { return };
        let id = &message.item_id;
        if self.terms.audio {
            self.spent.audio += samples_to_ms(message.sent as u64).div_ceil(50);
            let mut done = self.message_event("response.output_audio.done", id, "delta", "");
            if let Some(fields) = done.as_object_mut() {
                fields.remove("delta");
            }
            stage.emitter.emit(done);
            let kind = "response.output_audio_transcript.done";
            stage.emitter.emit(self.message_event(kind, id, "transcript", &message.said));
        } else {
            let kind = "response.output_text.done";
            stage.emitter.emit(self.message_event(kind, id, "text", &message.said));
        }
        stage.emitter.emit(self.part_event("response.content_part.done", id, &message.said));
        let part = if self.terms.audio {
            Part::Audio { samples: Vec::new(), transcript: Some(message.said.clone()) }
        } else {
            Part::Text(message.said.clone())
        };
        let kind = Kind::Message { role: Role::Assistant, parts: vec![part.clone()] };
        if let (Part::Text(_), Some(kept)) = (&part, stage.conversation.find_mut(id)) {
            kept.kind = kind.clone();
        }
        stage.emitter.note(
            self.next_at,
            "item.done",
            json!({ "item_id": id, "to_sample": stage.emitter.sent(), "status": status }),
        );
        self.end_item(&Item::new(message.item_id, status, kind), stage);
    }

    fn call_tool(&mut self, name: String, arguments: String, stage: &mut Stage<'_>) {
        let item_id = stage.emitter.id("item");
        let call_id = stage.emitter.id("call");
        let index = self.output.len();
        let call = |arguments: &str| Kind::FunctionCall {
            call_id: call_id.clone(),
            name: name.clone(),
            arguments: arguments.to_owned(),
        };
        let item = Item::new(item_id.clone(), "in_progress", call(""));
        self.add_item(&item, stage);
        if self.terms.in_conversation {
            stage.conversation.push(Item::new(item_id.clone(), "in_progress", call(&arguments)));
        }
        let event = |kind: &str| {
            json!({
                "type": kind,
                "response_id": self.id,
                "item_id": item_id,
                "output_index": index,
                "call_id": call_id,
            })
        };
        let mut delta = event("response.function_call_arguments.delta");
        delta["delta"] = arguments.as_str().into();
        stage.emitter.emit(delta);
        let mut done = event("response.function_call_arguments.done");
        done["name"] = name.as_str().into();
        done["arguments"] = arguments.as_str().into();
        stage.emitter.emit(done);
        self.spent.text += text_tokens(&arguments);
        self.end_item(&Item::new(item_id.clone(), "completed", call(&arguments)), stage);
    }

    fn add_item(&self, item: &Item, stage: &mut Stage<'_>) {
        stage.emitter.emit(json!({
            "type": "response.output_item.added",
            "response_id": self.id,
            "output_index": self.output.len(),
            "item": item.to_json(false),
        }));
        if self.terms.in_conversation {
            let previous = stage.conversation.last_id();
            stage.emitter.emit(json!({
                "type": "conversation.item.added",
                "previous_item_id": previous,
                "item": item.to_json(false),
            }));
        }
    }

    fn end_item(&mut self, item: &Item, stage: &mut Stage<'_>) {
        let json = item.to_json(false);
        if self.terms.in_conversation {
            if let Some(kept) = stage.conversation.find_mut(&item.id) {
                kept.status = item.status;
            }
            let previous = stage.conversation.previous_of(&item.id);
            stage.emitter.emit(json!({
                "type": "conversation.item.done",
                "previous_item_id": previous,
                "item": json,
            }));
        }
        stage.emitter.emit(json!({
            "type": "response.output_item.done",
            "response_id": self.id,
            "output_index": self.output.len(),
            "item": json,
        }));
        self.output.push(json);
    }

    fn finish(&mut self, status: &str, details: Value, stage: &mut Stage<'_>) {
        self.done = true;
        let response = self.object(status, details, true);
        stage.emitter.emit(json!({ "type": "response.done", "response": response }));
        stage.emitter.note(
            self.next_at,
            "response.done",
            json!({ "response_id": self.id, "status": status }),
        );
    }

    fn object(&self, status: &str, details: Value, with_usage: bool) -> Value {
        let conversation_id = self.terms.in_conversation.then_some(&self.conversation_id);
        json!({
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": self.output,
            "conversation_id": conversation_id,
            "output_modalities": [if self.terms.audio { "audio" } else { "text" }],
            "audio": {
                "output": {
                    "format": { "type": "audio/pcm", "rate": 24_000 },
                    "voice": self.terms.voice,
                },
            },
            "max_output_tokens": self.terms.max_output_tokens,
            "metadata": self.terms.metadata,
            "usage": if with_usage { self.usage() } else { Value::Null },
        })
    }

    fn usage(&self) -> Value {
        let input = self.input.text + self.input.audio;
        let output = self.spent.text + self.spent.audio;
        json!({
            "total_tokens": input + output,
            "input_tokens": input,
            "output_tokens": output,
            "input_token_details": {
                "text_tokens": self.input.text,
                "audio_tokens": self.input.audio,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": { "text_tokens": 0, "audio_tokens": 0, "image_tokens": 0 },
            },
            "output_token_details": {
                "text_tokens": self.spent.text,
                "audio_tokens": self.spent.audio,
            },
        })
    }

    fn message_event(&self, kind: &str, item_id: &str, field: &str, text: &str) -> Value {
        let mut event = json!({
            "type": kind,
            "response_id": self.id,
            "item_id": item_id,
            "output_index": self.output.len(),
            "content_index": 0,
        });
        event[field] = text.into();
        event
    }

    /// `content_part` events say `audio` and `text` where items say `output_audio`, `output_text`.
    fn part_event(&self, kind: &str, item_id: &str, text: &str) -> Value {
        let part = if self.terms.audio {
            json!({ "type": "audio", "transcript": text })
        } else {
            json!({ "type": "text", "text": text })
        };
        let mut event = self.message_event(kind, item_id, "part", "");
        event["part"] = part;
        event
    }
}

impl Message {
    fn is_complete(&self) -> bool {
        self.sent == self.samples.len() && self.words.is_empty()
    }
}
