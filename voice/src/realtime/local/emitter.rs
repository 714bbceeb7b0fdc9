//! What leaves a session: server events, a close, and notes for a recording.

use std::collections::VecDeque;

use clawvoice_session::SessionTime;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;

/// What a session wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this text frame: one JSON server event.
    Text(String),
    /// Close the socket with this code; nothing follows.
    Close {
        /// The websocket close code.
        code: u16,
    },
    /// Write this down. Only with [`Settings::record`](super::Settings::record).
    Note(Note),
}

/// A piece of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Audio that reached the provider, 24 kHz mono, in order and without gaps.
    Heard(Vec<i16>),
    /// Audio the provider sent, 24 kHz mono, in order.
    Sent(Vec<i16>),
    /// A decision or a client event.
    Event {
        /// When, on the session's clock.
        at: SessionTime,
        /// Its name, for example `truncate`.
        name: &'static str,
        /// Its values. Sample counts are offsets into the `Heard` or `Sent` stream.
        fields: Map<String, Value>,
    },
}

/// Numbers events, makes ids and queues outputs.
#[derive(Debug)]
pub(super) struct Emitter {
    queue: VecDeque<Output>,
    record: bool,
    seed: u64,
    next_event: u64,
    next_id: u64,
    /// Samples sent so far over all responses.
    sent: u64,
    closed: bool,
}

impl Emitter {
    pub(super) fn new(seed: u64, record: bool) -> Self {
        Self {
            queue: VecDeque::new(),
            record,
            seed,
            next_event: 0,
            next_id: 0,
            sent: 0,
            closed: false,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// A new id, unique in the session and over sessions of different seeds; at most 32 characters.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.next_id += 1;
        format!("{prefix}_{:016x}{:06}", self.seed, self.next_id)
    }

    /// Queues a server event; `event` is an object with a `type`.
    pub(super) fn emit(&mut self, mut event: Value) {
        if self.closed {
            return;
        }
        self.next_event += 1;
        event["event_id"] = format!("event_{:08x}{:08}", self.seed >> 32, self.next_event).into();
        self.queue.push_back(Output::Text(event.to_string()));
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal, client_event: Option<&str>) {
        self.emit(json!({ "type": "error", "error": refusal.to_json(client_event) }));
    }

    pub(super) fn close(&mut self, code: u16) {
        if !self.closed {
            self.queue.push_back(Output::Close { code });
            self.closed = true;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn note(&mut self, at: SessionTime, name: &'static str, fields: Value) {
        if self.record
            && let Value::Object(fields) = fields
        {
            self.queue.push_back(Output::Note(Note::Event { at, name, fields }));
        }
    }

    pub(super) fn note_heard(&mut self, samples: &[i16]) {
        if self.record && !samples.is_empty() {
            self.queue.push_back(Output::Note(Note::Heard(samples.to_vec())));
        }
    }

    pub(super) fn note_sent(&mut self, samples: &[i16]) {
        self.sent += samples.len() as u64;
        if self.record {
            self.queue.push_back(Output::Note(Note::Sent(samples.to_vec())));
        }
    }

    /// Samples sent so far over all responses.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}
