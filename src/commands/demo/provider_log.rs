//! What the provider noted: who said what, at which samples of its recordings.

use std::path::Path;

use serde::Deserialize;

use crate::printer::Failure;

/// One line of `provider.jsonl`; a field that its event does not have is `None`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    connection: Option<u64>,
    event: String,
    item_id: Option<String>,
    from_sample: Option<u64>,
    to_sample: Option<u64>,
    audio_end_ms: Option<u64>,
    accepted: Option<bool>,
}

/// A stretch of one of the provider's recordings, in samples at 24 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// An answer of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) id: String,
    /// What of it was sent, played or not.
    pub(super) sent: Section,
}

/// The whole log.
#[derive(Clone, Debug)]
pub(super) struct ProviderLog {
    events: Vec<Event>,
}

impl ProviderLog {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::unexpected(format_args!("cannot read {}: {error}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        Self::parse(&text).map_err(|error| failed(&error))
    }

    fn parse(text: &str) -> serde_json::Result<Self> {
        let events = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self { events })
    }

    /// The user's turn number `index` on a connection.
    pub(super) fn turn(&self, connection: u64, index: usize) -> Option<Section> {
        let found = self.of(connection, "committed").nth(index)?;
        Some(Section { from: found.from_sample?, to: found.to_sample? })
    }

    /// The answer number `index` on a connection.
    pub(super) fn answer(&self, connection: u64, index: usize) -> Option<Item> {
        let added = self.of(connection, "item.added").nth(index)?;
        let id = added.item_id.clone()?;
        let done = self.of(connection, "item.done").find(|done| done.item_id == added.item_id)?;
        Some(Item { id, sent: Section { from: added.from_sample?, to: done.to_sample? } })
    }

    /// What the agent said was heard of an answer, in milliseconds, if the provider took it.
    pub(super) fn truncated_at_ms(&self, item: &Item) -> Option<u64> {
        let mut cuts = self
            .events
            .iter()
            .filter(|event| event.event == "truncate" && event.item_id.as_ref() == Some(&item.id));
        let cut = cuts.next_back()?;
        cut.audio_end_ms.filter(|_| cut.accepted == Some(true))
    }

    fn of(&self, connection: u64, event: &str) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .filter(move |one| one.connection == Some(connection) && one.event == event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"connection":0,"event":"connected","model":"m","at_us":1}
{"connection":0,"event":"committed","from_sample":10,"to_sample":500,"item_id":"u1"}
{"connection":0,"event":"item.added","from_sample":0,"item_id":"a1"}
{"connection":1,"event":"item.added","from_sample":7,"item_id":"b1"}
{"connection":0,"event":"item.done","to_sample":900,"item_id":"a1","status":"completed"}
{"connection":0,"event":"item.added","from_sample":900,"item_id":"a2"}
{"connection":0,"event":"truncate","item_id":"a1","audio_end_ms":99,"accepted":false}
{"connection":0,"event":"truncate","item_id":"a2","audio_end_ms":2140,"accepted":true}
{"connection":0,"event":"item.done","to_sample":1700,"item_id":"a2","status":"incomplete"}
{"connection":0,"event":"closed"}"#;

    #[test]
    fn answers_and_turns_are_found_by_connection() {
        let log = ProviderLog::parse(LOG).unwrap();
        assert_eq!(log.turn(0, 0), Some(Section { from: 10, to: 500 }));
        assert_eq!(log.turn(0, 1), None);
        let second = Item { id: "a2".to_owned(), sent: Section { from: 900, to: 1700 } };
        assert_eq!(log.answer(0, 1), Some(second.clone()));
        assert_eq!(log.answer(1, 0), None, "never done");
        assert_eq!(log.truncated_at_ms(&second), Some(2140));
    }

    #[test]
    fn a_refused_truncate_cuts_nothing() {
        let log = ProviderLog::parse(LOG).unwrap();
        let first = log.answer(0, 0).unwrap();
        assert_eq!(log.truncated_at_ms(&first), None);
    }
}
