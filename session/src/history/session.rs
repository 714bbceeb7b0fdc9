//! What is known of a session besides what was said in it.

use jiff::Timestamp;

use super::Spent;
use crate::ChannelId;

/// Where a session is answered, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The account that was spoken to.
    pub account: String,
    /// The channel it was spoken to in.
    pub channel: ChannelId,
}

/// What is kept of a session for those who answer in it. Of one that nobody knows: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// When it began anew; `None`: never.
    pub began: Option<Timestamp>,
    /// `provider/model` that somebody chose for it.
    pub model: Option<String>,
    /// Where it was last spoken to.
    pub route: Option<Route>,
    /// When something last happened in it; `None`: nothing ever.
    pub active: Option<Timestamp>,
    /// When it was put away; `None`: it is in use.
    pub archived: Option<Timestamp>,
}

/// What a session has come to since it began, or began anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStatus {
    /// Messages with their answers.
    pub exchanges: u64,
    /// What they cost.
    pub spent: Spent,
    /// When something last happened in it; `None`: nothing ever.
    pub updated: Option<Timestamp>,
}
