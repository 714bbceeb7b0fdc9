//! What is configured for a place.

use clawvoice_config::{Guild, GuildChannel};

/// The entries of a guild and, if there is one, of the channel: what the channel's leaves unset is
/// as in the guild's. A thread without an entry of its own has its parent's.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// `guilds.<key>`.
    pub guild: &'a Guild,
    /// `guilds.<key>.channels.<key>`.
    pub channel: Option<&'a GuildChannel>,
}
