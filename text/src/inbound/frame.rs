//! Step 1: a message has an id, a channel and an author.

use std::{cell::Cell, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

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

/// A MESSAGE_CREATE.
#[derive(Debug)]
pub struct Created {
    /// The message.
    pub message: Message,
    /// Where in the event it stands (`d`), in bytes.
    body: Range<usize>,
}

impl Created {
    /// Keeps the message, and of the event's text what it was read from: JSON. Nothing is copied.
    #[must_use]
    pub fn keep(self, mut event: String) -> (Message, String) {
        event.truncate(self.body.end);
        event.drain(..self.body.start);
        (self.message, event)
    }
}

/// The message of an event of the gateway, if it is a MESSAGE_CREATE. The bytes are gone through
/// once, as Discord writes them; another event is left as soon as it has named itself.
///
/// # Errors
///
/// What the message lacks; or that the text is no event at all.
pub fn read_event(text: &str) -> Result<Option<Created>, DropReason> {
    let is_other = Cell::new(false);
    let mut json = serde_json::Deserializer::from_str(text);
    let read = (Event { is_other: &is_other }).deserialize(&mut json);
    match read.and_then(|message| json.end().map(|()| message)) {
        Ok(message) => match message.zip(last_member(text)) {
            Some((message, body)) => Ok(Some(Created { message, body: range_in(text, body) })),
            None => read_in_two(text),
        },
        Err(_) if is_other.get() => Ok(None),
        Err(_) => read_in_two(text),
    }
}

/// The text of `d` in a frame that is JSON and whose last member it is, behind plain values only.
fn last_member(text: &str) -> Option<&str> {
    let (before, behind) = text.split_once("\"d\":")?;
    // A quote inside a string has a backslash before it, and an inner object a brace.
    let before = before.trim_ascii_start().strip_prefix('{')?;
    let is_plain = !before.contains(['\\', '{', '[']);
    let body = behind.trim_ascii_end().strip_suffix('}')?.trim_ascii();
    is_plain.then_some(body)
}

/// Where a part of a text begins and ends in it.
fn range_in(text: &str, part: &str) -> Range<usize> {
    let begin = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    begin..begin + part.len()
}

/// Whatever the order of its members: the frame's outline, then the message.
fn read_in_two(text: &str) -> Result<Option<Created>, DropReason> {
    match serde_json::from_str::<Envelope<'_>>(text) {
        Ok(Envelope { t: Some(Name::MessageCreate), d: Some(d) }) => {
            let body = range_in(text, d.get());
            read(d.get()).map(|message| Some(Created { message, body }))
        }
        Ok(Envelope { t: Some(Name::MessageCreate), d: None }) | Err(_) => {
            Err(DropReason::InvalidEvent)
        }
        Ok(_) => Ok(None),
    }
}

#[derive(Deserialize)]
struct Envelope<'t> {
    #[serde(default)]
    t: Option<Name>,
    #[serde(borrow, default)]
    d: Option<&'t RawValue>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    T,
    D,
    #[serde(other)]
    Other,
}

#[derive(Deserialize, PartialEq, Eq)]
enum Name {
    #[serde(rename = "MESSAGE_CREATE")]
    MessageCreate,
    #[serde(other)]
    Other,
}

struct Event<'a> {
    is_other: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Event<'_> {
    type Value = Option<Message>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Event<'_> {
    type Value = Option<Message>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event of the gateway")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut is_create, mut message) = (false, None);
        // Discord names an event, tells it, and nothing after; one that differs is read the other way.
        while let Some(key) = map.next_key()? {
            match key {
                _ if message.is_some() => {
                    return Err(de::Error::custom("more behind the message"));
                }
                Key::T if map.next_value::<Option<Name>>()? == Some(Name::MessageCreate) => {
                    is_create = true;
                }
                Key::T => {
                    self.is_other.set(true);
                    return Err(de::Error::custom("another event"));
                }
                Key::D if is_create => message = Some(map.next_value()?),
                Key::D => return Err(de::Error::custom("an event without a name")),
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(message)
    }
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

    #[test]
    fn an_event_is_a_message_or_another() {
        let id = |text: &str| {
            read_event(text).map(|it| {
                it.map(|created| {
                    let (message, body) = created.keep(text.to_owned());
                    // What is kept says the same, whichever way it was read.
                    assert_eq!(read(&body).map(|it| it.id), Ok(message.id), "{body}");
                    message.id.get()
                })
            })
        };
        let message = r#"{"id":"5","channel_id":"6","author":{"id":"7"},"content":"a\"b"}"#;
        for (event, expected) in [
            (format!(r#"{{"t":"MESSAGE_CREATE","s":3,"op":0,"d":{message}}}"#), Ok(Some(5))),
            (format!(r#"{{"op":0,"s":3,"d":{message},"t":"MESSAGE_CREATE"}}"#), Ok(Some(5))),
            (format!(" {{\"t\":\"MESSAGE_CREATE\" , \"d\" :{message} }}\n"), Ok(Some(5))),
            (format!(r#"{{"t":"MESSAGE_CREATE","x":{{"d":{{}}}},"d":{message}}}"#), Ok(Some(5))),
            (format!(r#"{{"t":"MESSAGE_CREATE","x":"\"d\":}}","d":{message}}}"#), Ok(Some(5))),
            (format!(r#"{{"t":"MESSAGE_CREATE","d":{message},"s":4}}"#), Ok(Some(5))),
            (
                format!(r#"{{"t":"MESSAGE_CREATE","d":{message}}} {{}}"#),
                Err(DropReason::InvalidEvent),
            ),
            (format!(r#"{{"t":"MESSAGE_UPDATE","s":3,"op":0,"d":{message}}}"#), Ok(None)),
            (format!(r#"{{"op":0,"d":{message},"t":"MESSAGE_UPDATE"}}"#), Ok(None)),
            (r#"{"t":null,"s":null,"op":11,"d":null}"#.to_owned(), Ok(None)),
            (r#"{"op":11}"#.to_owned(), Ok(None)),
            (r#"{"t":"MESSAGE_CREATE","d":null}"#.to_owned(), Err(DropReason::InvalidEvent)),
            (
                r#"{"t":"MESSAGE_CREATE","d":{"id":"5","channel_id":"6"}}"#.to_owned(),
                Err(DropReason::MissingAuthor),
            ),
            ("{".to_owned(), Err(DropReason::InvalidEvent)),
            (String::new(), Err(DropReason::InvalidEvent)),
        ] {
            assert_eq!(id(&event), expected, "{event}");
        }
    }
}
