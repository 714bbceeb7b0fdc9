//! What is remembered of a session: exchanges, each a message and what was answered.
//!
//! They are kept in SQLite (see [`crate::shell::store`]); the newest of them, as many as fit, go
//! to the model.

mod session;
mod window;

use jiff::Timestamp;

pub use session::{Route, SessionFacts, SessionStatus};
pub use window::Window;

use crate::{
    ChannelId, Generation,
    agent::{AskedBy, Usage},
    spending::{self, Charge},
};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// It was cancelled; the answer is what there was until then.
    Cancelled,
    /// It failed; the answer is what there was until then.
    Failed,
    /// Answered without the agent.
    Noted,
}

impl Outcome {
    /// Its word in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Noted => "noted",
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Answered, Self::Cancelled, Self::Failed, Self::Noted]
            .into_iter()
            .find(|outcome| outcome.word() == word)
    }
}

/// What was used for an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens, over all model calls.
    pub usage: Usage,
    /// Whether some of them are a guess, because an endpoint did not say.
    pub estimated: bool,
    /// Billionths of a US dollar, by the configured prices.
    pub nano_dollars: i64,
}

impl Spent {
    /// Adds another one's numbers.
    pub fn add(&mut self, other: &Self) {
        self.usage.input += other.usage.input;
        self.usage.cached += other.usage.cached;
        self.usage.output += other.usage.output;
        self.estimated |= other.estimated;
        self.nano_dollars += other.nano_dollars;
    }
}

/// A message and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Whose message.
    pub by: AskedBy,
    /// Where it came from, as in `discord-voice`.
    pub surface: String,
    /// The message; may be empty.
    pub said: String,
    /// The answer; may be empty.
    pub answered: String,
    /// How it ended.
    pub outcome: Outcome,
    /// `provider/model` that answered.
    pub model: Option<String>,
    /// What it cost, by the models that were asked.
    pub charges: Vec<Charge>,
    /// The channel or thread it was held in.
    pub channel: Option<ChannelId>,
    /// When it was over.
    pub at: Timestamp,
    /// The generation of the session in which it began; `None`: the present one. A reset begins
    /// the next, and what still comes for an older one is not shown to the model.
    pub generation: Option<Generation>,
    /// What it answers, as in [`crate::agent::Ask::origin`].
    pub origin: Option<String>,
}

impl Exchange {
    /// What it cost.
    #[must_use]
    pub fn spent(&self) -> Spent {
        spending::total(&self.charges)
    }
}

/// A message found in a session's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Names the message.
    pub id: i64,
    /// Whether the agent said it.
    pub by_agent: bool,
    /// What the speaker is called.
    pub label: String,
    /// The words.
    pub text: String,
    /// When.
    pub at: Timestamp,
}
