//! The window after a start, from what REST tells of the channel.

use clawvoice_session::MessageId;

use super::Entry;
use crate::message::Message;

/// What a message of the channel is to the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Our own post.
    Own,
    /// Nothing the agent may see: the same rules as for messages that come by the gateway.
    Hidden,
    /// A message like those that are pushed.
    Shown(Entry),
}

/// From when to when messages belong into the window.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// The message that is being answered, or all of its batch.
    pub current: &'a [MessageId],
    /// When the session began, in milliseconds since 1970.
    pub session_start_ms: u64,
}

/// What was said between our last post, or the session's start, and the current message; oldest
/// first. In whatever order REST told them.
pub fn refill(
    messages: &[Message],
    span: Span<'_>,
    mut look: impl FnMut(&Message) -> Sight,
) -> Vec<Entry> {
    let Some(current) = span.current.iter().max() else { return Vec::new() };
    let mut newest_first: Vec<_> =
        messages.iter().filter(|message| message.id < *current).collect();
    newest_first.sort_unstable_by_key(|message| std::cmp::Reverse(message.id));
    newest_first.dedup_by_key(|message| message.id);
    let mut entries = Vec::new();
    for message in newest_first {
        if message.unix_ms() < span.session_start_ms {
            break;
        }
        if !message.is_written() || span.current.contains(&message.id) {
            continue;
        }
        match look(message) {
            // What was said before our last post was shown when that was written.
            Sight::Own => break,
            Sight::Hidden => {}
            Sight::Shown(entry) => entries.push(entry),
        }
    }
    entries.reverse();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of that many seconds since Discord's epoch; 1 writes as us, 2 is not allowed.
    fn message(second: u64, author: u64, kind: u64) -> Message {
        let json = format!(
            r#"{{"id":"{}","channel_id":"5","author":{{"id":"{author}"}},"type":{kind}}}"#,
            (second * 1_000) << 22
        );
        Message::read(&json).unwrap()
    }

    fn look(message: &Message) -> Sight {
        match message.author.id.get() {
            1 => Sight::Own,
            2 => Sight::Hidden,
            _ => Sight::Shown(Entry::new(message, "Ada", "hi")),
        }
    }

    fn seconds(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| (entry.message.get() >> 22) / 1_000).collect()
    }

    #[test]
    fn only_what_was_said_since() {
        let messages: Vec<_> =
            [(1, 7), (2, 8), (3, 1), (4, 7), (5, 2), (6, 8), (7, 7), (8, 8), (9, 7)]
                .map(|(second, author)| message(second, author, 0))
                .into();
        let batch = [messages[4 + 2].id, messages[7].id];
        let span = Span { current: &batch, session_start_ms: 0 };
        assert_eq!(seconds(&refill(&messages, span, look)), [4, 6]);
        let mut backwards = messages.clone();
        backwards.reverse();
        backwards.push(messages[3].clone());
        assert_eq!(seconds(&refill(&backwards, span, look)), [4, 6]);

        let started = Span { session_start_ms: messages[5].unix_ms(), ..span };
        assert_eq!(seconds(&refill(&messages, started, look)), [6]);
        let unknown = Span { current: &[], session_start_ms: 0 };
        assert_eq!(refill(&messages, unknown, look), []);
    }

    #[test]
    fn what_discord_tells_is_nobodys_message() {
        let (pin, reply) = (message(1, 7, 6), message(2, 7, 19));
        let current = [message(3, 7, 0).id];
        let span = Span { current: &current, session_start_ms: 0 };
        assert_eq!(seconds(&refill(&[pin, reply], span, look)), [2]);
    }
}
