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

impl Entry<'_> {
    /// `requireMention`.
    #[must_use]
    pub fn require_mention(&self) -> bool {
        let own = self.channel.and_then(|channel| channel.require_mention);
        own.unwrap_or(self.guild.require_mention)
    }

    /// `ignoreOtherMentions`.
    #[must_use]
    pub fn ignore_other_mentions(&self) -> bool {
        let own = self.channel.and_then(|channel| channel.ignore_other_mentions);
        own.unwrap_or(self.guild.ignore_other_mentions)
    }

    /// `autoThread`.
    #[must_use]
    pub fn auto_thread(&self) -> bool {
        self.channel.is_some_and(|channel| channel.auto_thread)
    }
}
