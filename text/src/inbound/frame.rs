//! Step 1: a message has an id, a channel and an author.

use serde::{Deserialize, de::IgnoredAny};

use super::reason::DropReason;
use crate::message::Message;

#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    id: Option<IgnoredAny>,
    #[serde(default)]
    channel_id: Option<IgnoredAny>,
    #[serde(default)]
    author: Option<IgnoredAny>,
}

/// A message of the gateway's JSON (`d` of MESSAGE_CREATE).
///
/// # Errors
///
/// What it lacks.
pub fn read(json: &str) -> Result<Message, DropReason> {
    Message::read(json).map_err(|_| match serde_json::from_str::<Outline>(json) {
        Ok(Outline { id: Some(_), channel_id: None, .. }) => DropReason::MissingChannelId,
        Ok(Outline { id: Some(_), author: None, .. }) => DropReason::MissingAuthor,
        _ => DropReason::InvalidEvent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_frame_lacks_is_told() {
        for (json, reason) in [
            ("", DropReason::InvalidEvent),
            ("[]", DropReason::InvalidEvent),
            (r#"{"channel_id":"6","author":{"id":"7"}}"#, DropReason::InvalidEvent),
            (r#"{"id":"5","author":{"id":"7"}}"#, DropReason::MissingChannelId),
            (r#"{"id":"5","channel_id":"6"}"#, DropReason::MissingAuthor),
            (r#"{"id":"5","channel_id":"6","author":null}"#, DropReason::MissingAuthor),
            (r#"{"id":5,"channel_id":"6","author":{"id":"7"}}"#, DropReason::InvalidEvent),
        ] {
            assert_eq!(read(json).err(), Some(reason), "{json}");
        }
        assert!(read(r#"{"id":"5","channel_id":"6","author":{"id":"7"}}"#).is_ok());
    }
}
