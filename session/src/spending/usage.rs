//! What was spent, by what it was spent on.

use crate::history::Spent;

/// By what sums are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageBy {
    /// By agent.
    Agent,
    /// By who was answered.
    User,
    /// By the channel or thread that was answered in.
    Channel,
    /// By `provider/model`.
    Model,
    /// By session.
    Session,
    /// By day of UTC.
    Day,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Agent, Self::User, Self::Channel, Self::Model, Self::Session, Self::Day];

    /// Its word, as in `--by agent`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::User => "user",
            Self::Channel => "channel",
            Self::Model => "model",
            Self::Session => "session",
            Self::Day => "day",
        }
    }
}

/// What was spent on one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The agent's id, the user's or channel's, the model, the session's key, or the day as in
    /// `2026-05-01`. Empty: not known, as of users who wanted to be forgotten.
    pub of: String,
    /// Turns that were answered, or stopped after a model was asked.
    pub turns: u64,
    /// Of these, turns for which no model was asked since its answer was still known.
    pub from_cache: u64,
    /// Tokens and their cost.
    pub spent: Spent,
    /// Tokens, read and written, of models without a configured price.
    pub unpriced: u64,
}

impl UsageRow {
    /// Adds another one's numbers.
    pub fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.from_cache += other.from_cache;
        self.spent.add(&other.spent);
        self.unpriced += other.unpriced;
    }
}
