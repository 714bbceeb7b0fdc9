//! A realtime provider that finds the pauses in what it is given, and knows the words.

use std::{collections::VecDeque, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clawvoice_session::SessionTime;
use clawvoice_voice::conversation::Lane;
use serde_json::{Value, json};

use crate::disturbance::{Disturbance, Word};

/// Silence that ends a turn, in samples: 500 ms.
const PAUSE: usize = 12_000;
/// From there to the words.
const TRANSCRIBES: Duration = Duration::from_millis(400);
/// A sound must be as loud as this to be taken for a turn.
const AUDIBLE: i16 = 200;

pub(super) struct Provider {
    kind: Disturbance,
    lanes: Vec<Lane>,
    due: VecDeque<(SessionTime, Lane, String)>,
    /// The interrupter's audio, silence included.
    pub(super) given: Vec<i16>,
    silence: usize,
    in_turn: bool,
    turns: usize,
}

impl Provider {
    pub(super) fn new(kind: Disturbance) -> Self {
        Self {
            kind,
            lanes: Vec::new(),
            due: VecDeque::new(),
            given: Vec::new(),
            silence: 0,
            in_turn: false,
            turns: 0,
        }
    }

    pub(super) fn lane_of_asker(&self) -> Lane {
        self.lanes.first().copied().unwrap_or(Lane::new(0))
    }

    pub(super) fn opened(&mut self, now: SessionTime, lane: Lane) {
        self.lanes.push(lane);
        let updated = json!({ "type": "session.updated", "session": {} });
        self.due.push_back((now, lane, updated.to_string()));
    }

    /// The next thing to say, if its time has come.
    pub(super) fn due(&mut self, now: SessionTime) -> Option<(Lane, String)> {
        let at = self.due.iter().position(|(at, ..)| *at <= now)?;
        self.due.remove(at).map(|(_, lane, message)| (lane, message))
    }

    /// What was said in a turn.
    pub(super) fn words(item: &str, words: &str) -> String {
        json!({ "type": "conversation.item.input_audio_transcription.completed",
                "item_id": item, "content_index": 0, "transcript": words })
        .to_string()
    }

    /// The answer, all at once.
    pub(super) fn answer(pcm: &[i16]) -> Vec<String> {
        let mut messages = vec![
            json!({ "type": "response.created", "response": { "id": "r1" } }),
            json!({ "type": "response.output_item.added", "response_id": "r1",
                    "item": { "id": "i1", "type": "message", "status": "in_progress" } }),
        ];
        for piece in pcm.chunks(24_000) {
            let bytes: Vec<u8> = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            messages.push(json!({
                "type": "response.output_audio.delta", "response_id": "r1", "item_id": "i1",
                "output_index": 0, "content_index": 0, "delta": STANDARD.encode(bytes),
            }));
        }
        messages.push(json!({ "type": "response.done",
                              "response": { "id": "r1", "status": "completed" } }));
        messages.iter().map(Value::to_string).collect()
    }

    pub(super) fn take(&mut self, now: SessionTime, lane: Lane, message: &str) {
        let Ok(event) = serde_json::from_str::<Value>(message) else { return };
        if lane == self.lane_of_asker() || event["type"] != "input_audio_buffer.append" {
            return;
        }
        let bytes = event["audio"].as_str().and_then(|audio| STANDARD.decode(audio).ok());
        let bytes = bytes.unwrap_or_default();
        for pair in bytes.chunks_exact(2) {
            let sample = i16::from_le_bytes([pair[0], pair[1]]);
            self.given.push(sample);
            if sample.abs() >= AUDIBLE {
                (self.silence, self.in_turn) = (0, true);
            } else {
                self.silence += 1;
            }
            if self.in_turn && self.silence == PAUSE {
                self.in_turn = false;
                self.commit(now, lane);
            }
        }
    }

    /// A turn: committed, and answered; its words come later.
    fn commit(&mut self, now: SessionTime, lane: Lane) {
        self.turns += 1;
        let item = format!("turn {}", self.turns);
        let words = match self.kind {
            Disturbance::Speech => "Stop, wait a moment please.",
            Disturbance::Backchannel(Word::MmHmm) => "Mm-hmm.",
            Disturbance::Backchannel(Word::UhHuh) => "Uh-huh.",
            Disturbance::Backchannel(Word::Yeah) => "Yeah.",
            _ => "",
        };
        let response = format!("to {item}");
        for (after, event) in [
            (
                Duration::ZERO,
                json!({ "type": "input_audio_buffer.committed", "item_id": item }).to_string(),
            ),
            (
                Duration::from_millis(100),
                json!({ "type": "response.created", "response": { "id": response } }).to_string(),
            ),
            (TRANSCRIBES, Self::words(&item, words)),
            (
                TRANSCRIBES + Duration::from_millis(100),
                json!({ "type": "response.done",
                        "response": { "id": response, "status": "completed" } })
                .to_string(),
            ),
        ] {
            self.due.push_back((now + after, lane, event));
        }
    }
}
