//! One provider connection: hears who speaks in which utterance, finds its end by silence, says
//! what it is told to say.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clawvoice_voice::conversation::Lane;
use serde_json::{Value, json};

use super::words;

/// Silence that ends an utterance, in samples.
const SILENCE: usize = 500 * 24;

/// What becomes of a message.
pub(super) enum Said {
    /// An event at once.
    Now(String),
    /// Events, one after the other.
    InOrder(Vec<String>),
    /// An utterance was heard to its end: its transcript, and the call about it that a front end
    /// might make instead of waiting.
    Heard { event: String, call: String },
    /// The result of a call that was made on this connection.
    Result { of: Lane },
    /// Words that it was told to say.
    Spoken(String),
}

/// See the module's documentation.
pub(super) struct Ears {
    lane: Lane,
    /// The utterance under way.
    code: Option<i16>,
    silent: usize,
    responses: u64,
    told: Option<String>,
    calls: BTreeMap<String, Lane>,
}

impl Ears {
    pub(super) fn new(lane: Lane) -> Self {
        Self { lane, code: None, silent: 0, responses: 0, told: None, calls: BTreeMap::new() }
    }

    pub(super) fn hear(&mut self, message: &str, said: &mut Vec<Said>) {
        let Ok(event) = serde_json::from_str::<Value>(message) else { return };
        match event["type"].as_str().unwrap_or_default() {
            "session.update" => {
                let updated = json!({ "type": "session.updated", "session": {} });
                said.push(Said::Now(updated.to_string()));
            }
            "input_audio_buffer.append" => self.listen(&event, said),
            "conversation.item.create" => self.take_item(&event["item"], said),
            "response.create" => self.speak(said),
            _ => {}
        }
    }

    fn listen(&mut self, event: &Value, said: &mut Vec<Said>) {
        let bytes = event["audio"].as_str().and_then(|audio| STANDARD.decode(audio).ok());
        for pair in bytes.unwrap_or_default().chunks_exact(2) {
            let sample = i16::from_le_bytes([pair[0], pair[1]]);
            if sample != 0 {
                // Whoever goes on without a pause would be one utterance; nobody here does.
                self.code = Some(sample);
                self.silent = 0;
                continue;
            }
            self.silent += 1;
            if self.silent == SILENCE
                && let Some(code) = self.code.take()
            {
                said.push(self.heard(code));
            }
        }
    }

    fn heard(&mut self, code: i16) -> Said {
        let words = words(code);
        let event = json!({
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": format!("user {code}"), "content_index": 0, "transcript": words,
        });
        let id = format!("call {code}");
        self.calls.insert(id.clone(), self.lane);
        let arguments = json!({ "question": words }).to_string();
        let call = json!({
            "type": "response.output_item.done", "response_id": "calls", "item": {
                "id": format!("item {code}"), "type": "function_call", "status": "completed",
                "call_id": id, "name": "openclaw_agent_consult", "arguments": arguments,
            },
        });
        Said::Heard { event: event.to_string(), call: call.to_string() }
    }

    fn take_item(&mut self, item: &Value, said: &mut Vec<Said>) {
        if item["type"] == "function_call_output" {
            let id = item["call_id"].as_str().unwrap_or_default();
            // A call that was never made here is as wrong as one of another connection.
            let of = self.calls.get(id).copied().unwrap_or(Lane::new(u32::MAX));
            said.push(Said::Result { of });
        } else if let Some(text) = item["content"][0]["text"].as_str() {
            self.told = text.find(": \"").map(|at| text[at + 2..].to_owned());
        }
    }

    /// One response: what it was told to say, or a short answer of its own.
    fn speak(&mut self, said: &mut Vec<Said>) {
        self.responses += 1;
        let id = format!("{} response {}", self.lane.number(), self.responses);
        if let Some(told) = self.told.take() {
            said.push(Said::Spoken(told));
        }
        let audio = STANDARD.encode(vec![1_u8; 300 * 48]);
        said.push(Said::InOrder(vec![
            json!({ "type": "response.created", "response": { "id": id } }).to_string(),
            json!({
                "type": "response.output_audio.delta", "response_id": id,
                "item_id": format!("item of {id}"), "content_index": 0, "delta": audio,
            })
            .to_string(),
            json!({ "type": "response.done", "response": { "id": id, "status": "completed" } })
                .to_string(),
        ]));
    }
}
