//! A scenario's steps, carried out.

use base64::{Engine, engine::general_purpose::STANDARD};
use clawvoice_session::SessionTime;
use serde_json::{Value, json};

use super::LocalSession;
use crate::realtime::local::{
    emitter::Names,
    fault::Fault,
    player::{Cue, Facts, Player},
    speech::tone,
};

/// Longest tone of a `$tone:` in a text.
const MAX_TONE_MS: usize = 60_000;

impl LocalSession {
    /// Does what the scenario wants by now.
    pub(super) fn play(&mut self, now: SessionTime) {
        loop {
            if self.emitter.is_closed() && !self.player.as_ref().is_some_and(Player::is_at_end) {
                return;
            }
            let facts = Facts { samples: self.input.end(), idle: self.responses.is_empty() };
            let Some(cue) = self.player.as_mut().and_then(|player| player.poll(now, facts)) else {
                return;
            };
            match cue {
                Cue::Send(Value::String(text)) => self.emitter.emit_raw(text),
                Cue::Send(mut event) => {
                    fill(&mut event, self.emitter.names());
                    self.emitter.emit(event);
                }
                Cue::Respond(steps) => {
                    let terms = self.terms(self.responses.is_empty());
                    self.begin(now, terms, steps);
                }
                Cue::Fault(fault) => {
                    if let Some(act) = self.emitter.arm(fault) {
                        self.act(now, act);
                    }
                }
                Cue::Unmet { place, problem } => {
                    let fields = json!({ "place": place, "problem": problem });
                    self.emitter.note_outcome(now, "script.unmet", fields);
                }
                Cue::Done { place } => {
                    self.emitter.note_outcome(now, "script.done", json!({ "place": place }));
                }
            }
        }
    }

    fn act(&mut self, now: SessionTime, fault: Fault) {
        match fault {
            Fault::DropTcp => self.emitter.drop_connection(),
            Fault::Close(code) => self.emitter.close(code),
            Fault::Expire => self.expire(),
            Fault::Stall(time) => self.emitter.stall(now + time),
            Fault::UnknownEvent => {
                self.emitter.emit(json!({ "type": "response.hologram.delta", "delta": [1, {}] }));
            }
            Fault::HugeDelta(length) => {
                let names = self.emitter.names();
                let delta = json!({
                    "type": "response.output_audio.delta",
                    "response_id": names.response,
                    "item_id": names.item,
                    "output_index": 0,
                    "content_index": 0,
                    "delta": "A".repeat(length / 4 * 4),
                });
                self.emitter.emit(delta);
            }
            // Armed, or done before the session began.
            Fault::BadBase64
            | Fault::OddBytes
            | Fault::SplitUtf8
            | Fault::Duplicate
            | Fault::Reorder(..)
            | Fault::LegacyNames(_)
            | Fault::HttpStatus { .. } => {}
        }
    }
}

/// Replaces what stands for ids and audio.
fn fill(value: &mut Value, names: &Names) {
    match value {
        Value::String(text) => {
            let filled = match text.as_str() {
                "$response" => names.response.clone(),
                "$item" => names.item.clone(),
                "$call" => names.call.clone(),
                "$userItem" => names.user_item.clone(),
                "$clientEvent" => names.client_event.clone(),
                other => {
                    let ms = other.strip_prefix("$tone:").and_then(|ms| ms.parse::<usize>().ok());
                    let Some(ms) = ms else { return };
                    let samples = tone(440.0, ms.min(MAX_TONE_MS));
                    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
                    STANDARD.encode(bytes)
                }
            };
            *text = filled;
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, names)),
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, names)),
        _ => {}
    }
}
