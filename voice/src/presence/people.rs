//! Who is in which voice channel, as far as it was told.

use std::collections::BTreeMap;

use clawvoice_session::{ChannelId, GuildId, UserId};

/// People kept per guild; further ones are not seen until somebody leaves.
const MAX_PER_GUILD: usize = 20_000;

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) channel: ChannelId,
    /// Grows with every change that is seen.
    pub(super) order: u64,
}

/// Everybody in voice but the bot itself.
#[derive(Debug, Default)]
pub(super) struct People {
    guilds: BTreeMap<GuildId, BTreeMap<UserId, Seen>>,
    seen: u64,
}

impl People {
    /// Takes where somebody is now; returns where they were.
    pub(super) fn see(
        &mut self,
        guild: GuildId,
        user: UserId,
        channel: Option<ChannelId>,
    ) -> Option<ChannelId> {
        let people = self.guilds.entry(guild).or_default();
        let before = people.get(&user).map(|seen| seen.channel);
        match channel {
            None => drop(people.remove(&user)),
            Some(channel) if before == Some(channel) => {}
            Some(channel) => {
                if before.is_some() || people.len() < MAX_PER_GUILD {
                    self.seen += 1;
                    people.insert(user, Seen { channel, order: self.seen });
                }
            }
        }
        before
    }

    /// Everybody in voice in a guild.
    pub(super) fn of(&self, guild: GuildId) -> impl Iterator<Item = (UserId, Seen)> {
        self.guilds.get(&guild).into_iter().flatten().map(|(user, seen)| (*user, *seen))
    }

    /// Forgets everybody but these.
    pub(super) fn forget_but(&mut self, keep: impl Fn(UserId) -> bool) {
        for people in self.guilds.values_mut() {
            people.retain(|user, _| keep(*user));
        }
    }

    /// Guilds in which anybody is, or was.
    pub(super) fn guilds(&self) -> Vec<GuildId> {
        self.guilds.keys().copied().collect()
    }
}
