//! One websocket: its version, whether it has identified, and when it must next be heard from.

use serde_json::{Value, json};

use super::{
    BUFFERED_VERSION, OLDEST_VERSION, close::CloseCode, message::ClientMessage, outbox::Payload,
};

/// The state of one websocket connection.
#[derive(Debug)]
pub(crate) struct Connection {
    version: u16,
    member: Option<(u64, u64)>,
    timeout_ms: u64,
    deadline_ms: u64,
}

impl Connection {
    /// A websocket was opened with `?v=` this.
    pub(crate) fn open(
        now_ms: u64,
        version: Option<u16>,
        timeout_ms: u64,
    ) -> Result<Self, CloseCode> {
        let version = version
            .filter(|version| (OLDEST_VERSION..=BUFFERED_VERSION).contains(version))
            .ok_or(CloseCode::UNKNOWN_PROTOCOL)?;
        Ok(Self { version, member: None, timeout_ms, deadline_ms: now_ms + timeout_ms })
    }

    pub(crate) fn version(&self) -> u16 {
        self.version
    }

    /// Guild and user, once identified or resumed.
    pub(crate) fn member(&self) -> Option<(u64, u64)> {
        self.member
    }

    pub(crate) fn authenticate(&mut self, member: (u64, u64)) {
        self.member = Some(member);
    }

    /// Op 8; the interval is a number of ms.
    pub(crate) fn hello(&self, interval_ms: Value) -> Payload {
        Payload::Json { op: 8, d: json!({ "v": self.version, "heartbeat_interval": interval_ms }) }
    }

    /// A heartbeat came; answers with op 6 in this version's shape.
    pub(crate) fn handle_heartbeat(&mut self, now_ms: u64, nonce: Value) -> Payload {
        self.deadline_ms = now_ms + self.timeout_ms;
        let d = if self.version >= BUFFERED_VERSION { json!({ "t": nonce }) } else { nonce };
        Payload::Json { op: 6, d }
    }

    /// When it is closed with 4009 unless a heartbeat comes.
    pub(crate) fn deadline_ms(&self) -> u64 {
        self.deadline_ms
    }

    /// Whether the message may come now: IDENTIFY or RESUME first, and only one of them.
    pub(crate) fn check_order(&self, message: &ClientMessage) -> Result<(), CloseCode> {
        match (message, self.member) {
            (ClientMessage::Identify(_) | ClientMessage::Resume(_), Some(_)) => {
                Err(CloseCode::ALREADY_AUTHENTICATED)
            }
            (
                ClientMessage::Identify(_)
                | ClientMessage::Resume(_)
                | ClientMessage::Heartbeat { .. },
                None,
            )
            | (_, Some(_)) => Ok(()),
            (_, None) => Err(CloseCode::NOT_AUTHENTICATED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, ok) in [
            (None, false),
            (Some(3), false),
            (Some(4), true),
            (Some(7), true),
            (Some(8), true),
            (Some(9), false),
        ] {
            assert_eq!(Connection::open(0, version, 1).is_ok(), ok, "{version:?}");
        }
    }

    #[test]
    fn a_heartbeat_moves_the_deadline_and_is_answered_in_its_shape() {
        for (version, d) in [(4, json!(9)), (8, json!({ "t": 9 }))] {
            let mut connection = Connection::open(0, Some(version), 100).unwrap();
            let answer = connection.handle_heartbeat(50, json!(9));
            assert_eq!(answer, Payload::Json { op: 6, d });
            assert_eq!(connection.deadline_ms(), 150);
        }
    }
}
