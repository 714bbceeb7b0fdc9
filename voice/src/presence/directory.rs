//! What places are called and who has which role: what rules about people go by.

use std::collections::BTreeMap;

use clawvoice_session::{ChannelId, GuildId, RoleId, UserId};

/// Members whose roles are kept per guild; further ones have none as far as we know.
const MAX_PER_GUILD: usize = 2_000;

/// Roles kept of a member: Discord has at most 250 in a guild.
const MAX_ROLES: usize = 250;

/// As the main gateway told it. Bounded by the bot's guilds and their channels.
#[derive(Debug, Default)]
pub(super) struct Directory {
    guilds: BTreeMap<GuildId, String>,
    channels: BTreeMap<ChannelId, String>,
    roles: BTreeMap<GuildId, BTreeMap<UserId, Vec<RoleId>>>,
}

impl Directory {
    pub(super) fn name_guild(&mut self, guild: GuildId, name: String) {
        self.guilds.insert(guild, name);
    }

    pub(super) fn name_channel(&mut self, channel: ChannelId, name: String) {
        self.channels.insert(channel, name);
    }

    /// Takes a member's roles; true if they were not known like this.
    pub(super) fn learn_roles(&mut self, guild: GuildId, user: UserId, roles: &[RoleId]) -> bool {
        let members = self.roles.entry(guild).or_default();
        let roles = roles.get(..MAX_ROLES).unwrap_or(roles);
        if members.get(&user).is_some_and(|known| known == roles)
            || (members.len() >= MAX_PER_GUILD && !members.contains_key(&user))
        {
            return false;
        }
        members.insert(user, roles.to_vec());
        true
    }

    /// A guild's name; empty if unknown.
    pub(super) fn guild(&self, guild: GuildId) -> String {
        self.guilds.get(&guild).cloned().unwrap_or_default()
    }

    /// A channel's name; empty if unknown.
    pub(super) fn channel(&self, channel: ChannelId) -> String {
        self.channels.get(&channel).cloned().unwrap_or_default()
    }

    /// Everybody's roles in a guild.
    pub(super) fn roles(&self, guild: GuildId) -> Vec<(UserId, Vec<RoleId>)> {
        let members = self.roles.get(&guild).into_iter().flatten();
        members.map(|(user, roles)| (*user, roles.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_bounded_and_known_ones_stay_fresh() {
        let (guild, role) = (GuildId::new(1), RoleId::new(9));
        let mut directory = Directory::default();
        for user in 1..=MAX_PER_GUILD as u64 {
            assert!(directory.learn_roles(guild, UserId::new(user), &[role]));
        }
        assert!(!directory.learn_roles(guild, UserId::new(u64::MAX), &[role]), "too many");
        assert!(!directory.learn_roles(guild, UserId::new(1), &[role]), "nothing new");
        assert!(directory.learn_roles(guild, UserId::new(1), &[]));
        assert!(directory.roles(guild).contains(&(UserId::new(1), Vec::new())));
        assert!(directory.roles(GuildId::new(2)).is_empty());
    }
}
