//! Messages by their nonce: with `enforce_nonce` one that was sent already is given back instead
//! of sent twice ("Create Message").

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use serde_json::Value;

/// "The past few minutes".
const REMEMBERED: Duration = Duration::from_secs(300);
/// Nonces kept; the oldest go first.
const MOST: usize = 50_000;

/// A sender's own name for a message of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Nonce {
    author: u64,
    channel: u64,
    text: String,
}

impl Nonce {
    /// The nonce of a body, if it has one.
    pub(super) fn of(author: u64, channel: u64, body: &Value) -> Option<Self> {
        let text = match body.get("nonce")? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(Self { author, channel, text })
    }
}

/// The messages of the past few minutes that had a nonce.
#[derive(Debug, Default)]
pub(in crate::rest) struct Nonces {
    messages: HashMap<Nonce, (u64, Instant)>,
    order: VecDeque<(Nonce, Instant)>,
}

impl Nonces {
    /// The message that was sent with a nonce.
    pub(super) fn find(&mut self, now: Instant, nonce: &Nonce) -> Option<u64> {
        self.forget(now);
        self.messages.get(nonce).map(|(message, _)| *message)
    }

    /// A message was sent with a nonce.
    pub(super) fn put(&mut self, now: Instant, nonce: Nonce, message: u64) {
        self.messages.insert(nonce.clone(), (message, now));
        self.order.push_back((nonce, now));
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        let over = |at: Instant| now.saturating_duration_since(at) > REMEMBERED;
        while self.order.len() > MOST || self.order.front().is_some_and(|(_, at)| over(*at)) {
            let Some((nonce, at)) = self.order.pop_front() else { break };
            // It may have been used again since.
            if self.messages.get(&nonce).is_some_and(|(_, last)| *last == at) {
                self.messages.remove(&nonce);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_nonce_is_remembered_for_five_minutes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let nonce =
            |author, value: Value| Nonce::of(author, 2, &json!({ "nonce": value })).unwrap();
        let mut nonces = Nonces::default();
        nonces.put(start, nonce(1, json!("5")), 10);
        assert_eq!(nonces.find(at(300), &nonce(1, json!(5))), Some(10));
        assert_eq!(nonces.find(at(300), &nonce(3, json!("5"))), None);
        nonces.put(at(300), nonce(1, json!("5")), 11);
        assert_eq!(nonces.find(at(301), &nonce(1, json!("5"))), Some(11));
        assert_eq!(nonces.find(at(601), &nonce(1, json!("5"))), None);
        assert!(nonces.messages.is_empty() && nonces.order.is_empty());
        assert_eq!(Nonce::of(1, 2, &json!({ "nonce": null })), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let now = Instant::now();
        let mut nonces = Nonces::default();
        let nonce = |n: usize| Nonce { author: 1, channel: 1, text: n.to_string() };
        for n in 0..=MOST {
            nonces.put(now, nonce(n), 1);
        }
        assert_eq!((nonces.find(now, &nonce(0)), nonces.find(now, &nonce(1))), (None, Some(1)));
    }
}
