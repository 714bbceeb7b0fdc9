//! What leaves a session: server events, a close, and notes for a recording.

use std::collections::VecDeque;

use clawvoice_session::SessionTime;
use serde_json::{Map, Value, json};

use super::{
    fault::{Fault, Faults},
    refusal::Refusal,
};

/// What a session wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this text frame: one JSON server event.
    Text(String),
    /// Send these as the two frames of one text message: alone, neither is UTF-8.
    Fragments(Vec<u8>, Vec<u8>),
    /// Close the socket with this code; nothing follows.
    Close {
        /// The websocket close code.
        code: u16,
    },
    /// End the TCP connection without a close frame; nothing follows.
    Drop,
    /// Speak this and hand the audio to [`LocalSession::handle_said`](super::LocalSession::handle_said).
    /// Only with [`Voice::Owner`](super::Voice::Owner).
    Say {
        /// Names the request.
        ticket: u64,
        /// What to speak.
        text: String,
    },
    /// Write this down. Only with [`Settings::record`](super::Settings::record), except for what
    /// becomes of a scenario script.
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
    faults: Faults,
    names: Names,
    next_ticket: u64,
    stalled_until: Option<SessionTime>,
}

/// The ids that events have named last.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) response: String,
    pub(super) item: String,
    pub(super) call: String,
    pub(super) user_item: String,
    /// Of the last client event that has one.
    pub(super) client_event: String,
}

impl Names {
    fn learn(&mut self, event: &Value) {
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        match event["type"].as_str() {
            Some("response.created") => {
                self.response = at("/response/id").unwrap_or_default();
            }
            Some("response.output_item.added") => {
                self.item = at("/item/id").unwrap_or_default();
                self.call = at("/item/call_id").unwrap_or_else(|| std::mem::take(&mut self.call));
            }
            Some("input_audio_buffer.committed") => {
                self.user_item = at("/item_id").unwrap_or_default();
            }
            _ => {}
        }
    }
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
            faults: Faults::default(),
            names: Names::default(),
            next_ticket: 0,
            stalled_until: None,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        if self.stalled_until.is_some() {
            return None;
        }
        self.queue.pop_front()
    }

    /// Lets nothing out until then.
    pub(super) fn stall(&mut self, until: SessionTime) {
        self.stalled_until = Some(until);
    }

    /// When a stall ends.
    pub(super) fn stalled_until(&self) -> Option<SessionTime> {
        self.stalled_until
    }

    pub(super) fn handle_timeout(&mut self, now: SessionTime) {
        self.stalled_until = self.stalled_until.filter(|until| *until > now);
    }

    /// Takes a fault that waits for an event; gives back one that is an act.
    pub(super) fn arm(&mut self, fault: Fault) -> Option<Fault> {
        self.faults.arm(fault)
    }

    /// A client event names itself.
    pub(super) fn learn_client_event(&mut self, event: &Value) {
        if let Some(id) = event["event_id"].as_str() {
            self.names.client_event = id.to_owned();
        }
    }

    /// The ids named last.
    pub(super) fn names(&self) -> &Names {
        &self.names
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
        self.names.learn(&event);
        self.queue.extend(self.faults.distort(event));
    }

    /// Queues a text frame that is no event.
    pub(super) fn emit_raw(&mut self, text: String) {
        if !self.closed {
            self.queue.push_back(Output::Text(text));
        }
    }

    /// Asks the owner for a voice; gives the request's name.
    pub(super) fn say(&mut self, text: &str) -> u64 {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.queue.push_back(Output::Say { ticket, text: text.to_owned() });
        ticket
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

    /// Ends without a close frame.
    pub(super) fn drop_connection(&mut self) {
        if !self.closed {
            self.queue.push_back(Output::Drop);
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

    /// Notes even where nothing is recorded: the outcome of a script is always told.
    pub(super) fn note_outcome(&mut self, at: SessionTime, name: &'static str, fields: Value) {
        if let Value::Object(fields) = fields {
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
