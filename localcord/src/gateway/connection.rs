//! One main gateway connection, sans-IO: what may be sent when, and what closes it.
//!
//! The connection knows nothing of the world: it hands requests to its host ([`Output`]) and is
//! told the verdict. Source: Discord, "Gateway" (Connection Lifecycle, Rate Limiting, Close Event
//! Codes).

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::payload::{self, Identify, Payload, RequestMembers, Resume, VoiceStateRequest};

/// Events a client may send in [`RATE_WINDOW_MS`]; the next one closes with 4008.
const RATE_LIMIT: usize = 120;

/// Window of [`RATE_LIMIT`], in milliseconds.
const RATE_WINDOW_MS: u64 = 60_000;

/// What the host does for the connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// Send this payload.
    Send(Value),
    /// Close with a code and Discord's words for it; the connection is over.
    Close(u16, &'static str),
    /// Judge an IDENTIFY: answer with [`Connection::accept`], [`Connection::refuse`] or
    /// [`Connection::invalid_session`].
    Identify(Identify),
    /// Judge a RESUME, likewise.
    Resume(Resume),
    /// Carry out op 4.
    VoiceState(VoiceStateRequest),
    /// Answer op 8.
    RequestMembers(RequestMembers),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// HELLO is sent; only IDENTIFY, RESUME and heartbeats may come.
    Greeted,
    /// The host judges an IDENTIFY or RESUME.
    Judged,
    /// Identified or resumed.
    Live,
    /// Closed; everything that still comes is dropped.
    Closed,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    phase: Phase,
    heartbeat_interval_ms: u64,
    last_heartbeat_ms: u64,
    heartbeats: u64,
    sent_at_ms: VecDeque<u64>,
    outputs: VecDeque<Output>,
}

impl Connection {
    /// A connection that was just opened. HELLO is its first output.
    pub(crate) fn new(heartbeat_interval_ms: u64, now_ms: u64) -> Self {
        let hello = json!({"op": 10, "d": {"heartbeat_interval": heartbeat_interval_ms}, "s": null, "t": null});
        Self {
            phase: Phase::Greeted,
            heartbeat_interval_ms,
            last_heartbeat_ms: now_ms,
            heartbeats: 0,
            sent_at_ms: VecDeque::with_capacity(RATE_LIMIT),
            outputs: VecDeque::from([Output::Send(hello)]),
        }
    }

    /// The next thing for the host to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Heartbeats that came.
    pub(crate) fn heartbeats(&self) -> u64 {
        self.heartbeats
    }

    /// When a client that sends no heartbeat is closed, in milliseconds.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        // Discord grants some slack: a heartbeat is late, not lost, for half an interval.
        (self.phase != Phase::Closed)
            .then(|| self.last_heartbeat_ms + self.heartbeat_interval_ms * 3 / 2)
    }

    /// The time of [`Self::poll_timeout`] may have come.
    pub(crate) fn handle_timeout(&mut self, now_ms: u64) {
        if self.poll_timeout().is_some_and(|deadline| now_ms >= deadline) {
            self.close(4009, "Session timed out.");
        }
    }

    /// A text message came.
    pub(crate) fn handle_text(&mut self, now_ms: u64, text: &str) {
        if self.phase == Phase::Closed {
            return;
        }
        if self.is_over_rate(now_ms) {
            return self.close(4008, "You are being rate limited.");
        }
        match payload::parse(text) {
            Ok(payload) => self.handle_payload(now_ms, payload),
            Err(error) => {
                let (code, words) = error.close();
                self.close(code, words);
            }
        }
    }

    fn handle_payload(&mut self, now_ms: u64, payload: Payload) {
        match (payload, self.phase) {
            (Payload::Heartbeat, _) => {
                self.last_heartbeat_ms = now_ms;
                self.heartbeats += 1;
                let ack = json!({"op": 11, "d": null, "s": null, "t": null});
                self.outputs.push_back(Output::Send(ack));
            }
            (Payload::Identify(identify), Phase::Greeted) => {
                self.phase = Phase::Judged;
                self.outputs.push_back(Output::Identify(identify));
            }
            (Payload::Resume(resume), Phase::Greeted) => {
                self.phase = Phase::Judged;
                self.outputs.push_back(Output::Resume(resume));
            }
            (Payload::Identify(_) | Payload::Resume(_), _) => {
                self.close(4005, "Already authenticated.");
            }
            (_, Phase::Greeted) => self.close(4003, "Not authenticated."),
            (Payload::VoiceState(request), _) => {
                self.outputs.push_back(Output::VoiceState(request));
            }
            (Payload::RequestMembers(request), _) => {
                self.outputs.push_back(Output::RequestMembers(request));
            }
            (Payload::Presence | Payload::Ignored, _) => {}
        }
    }

    /// The host takes the IDENTIFY or RESUME.
    pub(crate) fn accept(&mut self) {
        if self.phase == Phase::Judged {
            self.phase = Phase::Live;
        }
    }

    /// The host refuses: the connection closes with `code`.
    pub(crate) fn refuse(&mut self, code: u16, words: &'static str) {
        self.close(code, words);
    }

    /// Op 9. After it a client may identify again on the same connection.
    pub(crate) fn invalid_session(&mut self, resumable: bool) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Greeted;
            let payload = json!({"op": 9, "d": resumable, "s": null, "t": null});
            self.outputs.push_back(Output::Send(payload));
        }
    }

    /// Op 7: asks the client to reconnect and resume.
    pub(crate) fn ask_to_reconnect(&mut self) {
        if self.phase != Phase::Closed {
            let payload = json!({"op": 7, "d": null, "s": null, "t": null});
            self.outputs.push_back(Output::Send(payload));
        }
    }

    fn is_over_rate(&mut self, now_ms: u64) -> bool {
        while self.sent_at_ms.front().is_some_and(|at| now_ms.saturating_sub(*at) >= RATE_WINDOW_MS)
        {
            self.sent_at_ms.pop_front();
        }
        if self.sent_at_ms.len() == RATE_LIMIT {
            return true;
        }
        self.sent_at_ms.push_back(now_ms);
        false
    }

    fn close(&mut self, code: u16, words: &'static str) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.outputs.push_back(Output::Close(code, words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTIFY: &str = r#"{"op":2,"d":{"token":"Bot t","intents":129,"properties":{}}}"#;
    const RESUME: &str = r#"{"op":6,"d":{"token":"t","session_id":"s","seq":3}}"#;
    const HEARTBEAT: &str = r#"{"op":1,"d":null}"#;
    const JOIN: &str = r#"{"op":4,"d":{"guild_id":"1","channel_id":"2"}}"#;

    fn greeted() -> Connection {
        let mut connection = Connection::new(40_000, 0);
        let hello = connection.poll_output();
        assert!(matches!(hello, Some(Output::Send(v)) if v["d"]["heartbeat_interval"] == 40_000));
        connection
    }

    fn live() -> Connection {
        let mut connection = greeted();
        connection.handle_text(0, IDENTIFY);
        assert!(matches!(connection.poll_output(), Some(Output::Identify(_))));
        connection.accept();
        connection
    }

    fn close_code(connection: &mut Connection) -> Option<u16> {
        match connection.poll_output() {
            Some(Output::Close(code, _)) => Some(code),
            _ => None,
        }
    }

    #[test]
    fn every_misstep_closes_with_its_own_code() {
        for (mut connection, text, code) in [
            (greeted(), JOIN, 4003),
            (greeted(), "{", 4002),
            (greeted(), r#"{"op":77}"#, 4001),
            (live(), IDENTIFY, 4005),
            (live(), RESUME, 4005),
        ] {
            connection.handle_text(1, text);
            assert_eq!(close_code(&mut connection), Some(code), "{text}");
            connection.handle_text(2, HEARTBEAT);
            assert_eq!(connection.poll_output(), None, "answered after its close");
        }
    }

    #[test]
    fn heartbeats_are_acknowledged_even_before_identify() {
        let mut connection = greeted();
        connection.handle_text(5, HEARTBEAT);
        assert!(matches!(connection.poll_output(), Some(Output::Send(v)) if v["op"] == 11));
    }

    #[test]
    fn a_client_without_heartbeats_times_out_after_one_and_a_half_intervals() {
        let mut connection = live();
        connection.handle_text(10_000, HEARTBEAT);
        let _ = connection.poll_output();
        assert_eq!(connection.poll_timeout(), Some(70_000));
        connection.handle_timeout(69_999);
        assert_eq!(connection.poll_output(), None);
        connection.handle_timeout(70_000);
        assert_eq!(close_code(&mut connection), Some(4009));
        assert_eq!(connection.poll_timeout(), None);
    }

    #[test]
    fn the_event_after_120_in_a_minute_closes_with_4008() {
        let mut connection = live();
        for n in 0..119 {
            connection.handle_text(n, HEARTBEAT);
            assert!(matches!(connection.poll_output(), Some(Output::Send(_))), "event {n}");
        }
        connection.handle_text(59_999, HEARTBEAT);
        assert_eq!(close_code(&mut connection), Some(4008));
    }

    #[test]
    fn after_an_invalid_session_a_client_identifies_anew() {
        let mut connection = greeted();
        connection.handle_text(0, RESUME);
        assert!(matches!(connection.poll_output(), Some(Output::Resume(_))));
        connection.invalid_session(false);
        assert!(matches!(connection.poll_output(), Some(Output::Send(v)) if v["op"] == 9));
        connection.handle_text(1, IDENTIFY);
        assert!(matches!(connection.poll_output(), Some(Output::Identify(_))));
    }
}
