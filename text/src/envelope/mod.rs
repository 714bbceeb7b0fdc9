//! What surrounds a text message when the agent is asked: where it was written, by whom, what it
//! answers, and what was said since the last answer. And the way back: no word of it leaves again.
//!
//! ```text
//! TurnContext ─ compose ─┬─ system:  trusted, the same for every turn of a chat
//!                        ├─ context: untrusted blocks, the header; for this turn only
//!                        └─ message: the sender's bare words; what the transcript keeps
//! answers, transcript ─ strip ─→ the same without a trace of the above
//! ```
//!
//! | part | role | stored | holds |
//! |---|---|---|---|
//! | `system` | system | no | chat id, account, channel, surface and chat type as JSON; the channel's configured prompt and skills. No name, topic or value of one message, so that endpoints can cache it |
//! | `context` | user, before the message | no | JSON blocks, each labelled untrusted; history; `[Discord <from> +<elapsed> <timestamp>] <sender>:` as its last line |
//! | `message` | user | yes | the body and notes such as `[discord attachment unavailable]` |
//!
//! Each block stands between two lines with a code that nobody outside can know ([`Marker`]), so it
//! can be told from words that look like one, and taken out exactly. What people wrote is quoted as
//! JSON, bounded, and whatever in it looks like a fence, a marker, a label or a header is broken
//! with a zero-width space (see `inert`).
//!
//! Source: OpenClaw, "Discord", sections on context and history; "Date & Time" (message envelopes).
//!
//! Does not: decide whose words may be shown ([`crate::history`]) or who may talk to the agent.

mod block;
mod header;
mod inert;
mod marker;
mod reaction;
mod sign;
mod strip;
mod trusted;
mod turn;
mod untrusted;
mod words;

#[cfg(test)]
mod compose_tests;
#[cfg(test)]
mod hostile_tests;

pub use self::{
    marker::Marker,
    reaction::{Emoji, Reaction, ReactionFacts, is_told},
    strip::{strip, strip_partial},
    turn::{Chat, Forwarded, Quoted, Sender, Starter, TurnContext},
};

/// A turn's words, by whom the agent is to take them from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Trusted: goes to the system prompt.
    pub system: String,
    /// Untrusted: what precedes the message in this turn's request, and is stored nowhere.
    pub context: String,
    /// The sender's bare words and notes on what they sent: what is asked and stored.
    pub message: String,
}

/// The envelope of a turn.
#[must_use]
pub fn compose(turn: &TurnContext<'_>, marker: &Marker) -> Envelope {
    Envelope {
        system: trusted::system(turn, marker),
        context: untrusted::context(turn, marker),
        message: message(turn, marker),
    }
}

fn message(turn: &TurnContext<'_>, marker: &Marker) -> String {
    let body = words::cut(turn.body.trim(), words::MOST_MESSAGE);
    let notes = turn.notes.iter().take(words::MOST_NOTES);
    let notes = notes.map(|note| words::cut(note.trim(), words::MOST_BODY));
    let parts: Vec<_> =
        std::iter::once(body).chain(notes).filter(|part| !part.is_empty()).collect();
    inert::inert(&parts.join("\n"), marker)
}
