//! What the server sends: framing, sequence numbers, and the ring a resume replays from.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::BUFFERED_VERSION;

/// A server message before framing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Payload {
    /// Travels as text.
    Json { op: u8, d: Value },
    /// Travels as binary.
    Binary { op: u8, body: Vec<u8> },
}

impl Payload {
    pub(crate) fn opcode(&self) -> u8 {
        match self {
            Self::Json { op, .. } | Self::Binary { op, .. } => *op,
        }
    }

    /// Whether it takes a sequence number and is replayed after a resume: everything that follows
    /// READY and is no answer of its own connection.
    pub(crate) fn is_sequenced(&self) -> bool {
        !matches!(self.opcode(), 2 | 6 | 8 | 9)
    }
}

/// A websocket message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

/// Frames a message for a connection of this version.
pub(crate) fn encode(version: u16, seq: Option<u16>, payload: &Payload) -> Frame {
    let seq = seq.filter(|_| version >= BUFFERED_VERSION);
    match payload {
        Payload::Json { op, d } => {
            let seq = seq.map_or(String::new(), |seq| format!(",\"seq\":{seq}"));
            Frame::Text(format!("{{\"op\":{op},\"d\":{d}{seq}}}"))
        }
        Payload::Binary { op, body } => {
            let mut out = Vec::with_capacity(body.len() + 3);
            out.extend(seq.map(u16::to_be_bytes).into_iter().flatten());
            out.push(*op);
            out.extend_from_slice(body);
            Frame::Binary(out)
        }
    }
}

/// One member's sequence counter and the messages it has not acknowledged.
///
/// JSON and binary messages share the counter, which has 16 bits and wraps.
#[derive(Debug)]
pub(crate) struct Outbox {
    last: u16,
    sent: u64,
    capacity: usize,
    kept: VecDeque<(u16, Payload)>,
}

impl Outbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { last: 0, sent: 0, capacity, kept: VecDeque::new() }
    }

    /// With another first number than 1.
    pub(crate) fn starting_at(first: u16, capacity: usize) -> Self {
        Self { last: first.wrapping_sub(1), ..Self::new(capacity) }
    }

    /// Numbers a message and keeps it; the oldest kept message goes when the ring is full.
    pub(crate) fn push(&mut self, payload: Payload) -> u16 {
        self.last = self.last.wrapping_add(1);
        self.sent += 1;
        if self.kept.len() >= self.capacity {
            self.kept.pop_front();
        }
        if self.capacity > 0 {
            self.kept.push_back((self.last, payload));
        }
        self.last
    }

    /// How many messages after `seq_ack` there were; -1 is "none received".
    fn missed(&self, seq_ack: i64) -> Option<usize> {
        let missed = match seq_ack {
            -1 => usize::try_from(self.sent).ok()?,
            other => usize::from(self.last.wrapping_sub(u16::try_from(other).ok()?)),
        };
        (missed <= self.kept.len()).then_some(missed)
    }

    /// The client has everything up to here.
    pub(crate) fn acknowledge(&mut self, seq_ack: i64) {
        if let Some(missed) = self.missed(seq_ack) {
            self.kept.drain(..self.kept.len() - missed);
        }
    }

    /// The messages after `seq_ack`, or `None` when some of them are no longer kept.
    pub(crate) fn since(&self, seq_ack: i64) -> Option<Vec<(u16, Payload)>> {
        let missed = self.missed(seq_ack)?;
        Some(self.kept.iter().skip(self.kept.len() - missed).cloned().collect())
    }
}

/// For the journal: the opcode's name.
pub(crate) fn name(op: u64) -> &'static str {
    match op {
        0 => "identify",
        1 => "select_protocol",
        2 => "ready",
        3 => "heartbeat",
        4 => "session_description",
        5 => "speaking",
        6 => "heartbeat_ack",
        7 => "resume",
        8 => "hello",
        9 => "resumed",
        11 => "clients_connect",
        12 => "video",
        13 => "client_disconnect",
        18 => "client_flags",
        20 => "client_platform",
        21 => "prepare_transition",
        22 => "execute_transition",
        23 => "transition_ready",
        24 => "prepare_epoch",
        25 => "external_sender",
        26 => "key_package",
        27 => "proposals",
        28 => "commit_welcome",
        29 => "announce_commit",
        30 => "welcome",
        31 => "invalid_commit_welcome",
        _ => "other",
    }
}

/// For the journal: what may be shown of a message.
pub(crate) fn describe(payload: &Payload) -> Value {
    match payload {
        Payload::Json { op: 4, d } => json!({
            "mode": d["mode"],
            "dave_protocol_version": d["dave_protocol_version"],
        }),
        Payload::Json { d, .. } => d.clone(),
        Payload::Binary { op: 29 | 30, body } => json!({
            "transition_id": body.first_chunk().map(|id| u16::from_be_bytes(*id)),
            "bytes": body.len(),
        }),
        Payload::Binary { op: 27, body } => json!({
            "operation": if body.first() == Some(&0) { "append" } else { "revoke" },
            "bytes": body.len(),
        }),
        Payload::Binary { body, .. } => json!({ "bytes": body.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: u8) -> Payload {
        Payload::Json { op: 5, d: n.into() }
    }

    #[test]
    fn framing_by_version() {
        let json = Payload::Json { op: 5, d: json!({ "ssrc": 1 }) };
        let binary = Payload::Binary { op: 25, body: vec![9] };
        let text = |text: &str| Frame::Text(text.into());
        assert!(encode(8, Some(258), &json) == text(r#"{"op":5,"d":{"ssrc":1},"seq":258}"#));
        assert!(encode(8, None, &json) == text(r#"{"op":5,"d":{"ssrc":1}}"#));
        assert!(encode(4, Some(258), &json) == text(r#"{"op":5,"d":{"ssrc":1}}"#));
        assert!(encode(8, Some(258), &binary) == Frame::Binary(vec![1, 2, 25, 9]));
        assert!(encode(4, Some(258), &binary) == Frame::Binary(vec![25, 9]));
    }

    #[test]
    fn a_resume_gets_what_it_missed() {
        let mut outbox = Outbox::new(3);
        for n in 1..=3 {
            assert_eq!(outbox.push(message(n)), u16::from(n));
        }
        let seqs = |outbox: &Outbox, ack| {
            outbox.since(ack).map(|missed| missed.iter().map(|(seq, _)| *seq).collect::<Vec<_>>())
        };
        assert_eq!(seqs(&outbox, -1), Some(vec![1, 2, 3]));
        assert_eq!(seqs(&outbox, 1), Some(vec![2, 3]));
        assert_eq!(seqs(&outbox, 3), Some(vec![]));
        assert_eq!(seqs(&outbox, 4), None); // never sent
        outbox.push(message(4));
        assert_eq!(seqs(&outbox, -1), None); // overflow
        assert_eq!(seqs(&outbox, 1), Some(vec![2, 3, 4]));
        outbox.acknowledge(3);
        assert_eq!(seqs(&outbox, 2), None);
        assert_eq!(seqs(&outbox, 3), Some(vec![4]));
    }

    #[test]
    fn the_counter_starts_where_it_is_told() {
        let mut outbox = Outbox::starting_at(65_535, 8);
        assert_eq!([outbox.push(message(1)), outbox.push(message(2))], [65_535, 0]);
        assert_eq!(outbox.since(-1).map(|missed| missed.len()), Some(2));
        assert_eq!(outbox.since(65_535).map(|missed| missed.len()), Some(1));
    }

    #[test]
    fn the_counter_wraps() {
        let mut outbox = Outbox::new(2);
        for _ in 0..=u16::MAX {
            outbox.push(message(0));
        }
        assert_eq!(outbox.push(message(1)), 1);
        assert_eq!(outbox.since(0).map(|missed| missed.len()), Some(1));
        assert_eq!(outbox.since(65_535).map(|missed| missed.len()), Some(2));
        assert_eq!(outbox.since(65_534), None);
    }
}
