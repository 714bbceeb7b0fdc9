//! Who has which role: what rules about people go by.

use std::collections::BTreeMap;

use clawvoice_session::{GuildId, RoleId, UserId};

/// Members whose roles are kept per guild; further ones have none as far as we know.
const MAX_PER_GUILD: usize = 2_000;

/// Roles kept of a member: Discord has at most 250 in a guild.
const MAX_ROLES: usize = 250;

/// As the main gateway told it.
#[derive(Debug, Default)]
pub(super) struct Roles(BTreeMap<GuildId, BTreeMap<UserId, Vec<RoleId>>>);

impl Roles {
    /// Takes a member's roles; true if they were not known like this.
    pub(super) fn learn(&mut self, guild: GuildId, user: UserId, roles: &[RoleId]) -> bool {
        let members = self.0.entry(guild).or_default();
        let roles = roles.get(..MAX_ROLES).unwrap_or(roles);
        if members.get(&user).is_some_and(|known| known == roles)
            || (members.len() >= MAX_PER_GUILD && !members.contains_key(&user))
        {
            return false;
        }
        members.insert(user, roles.to_vec());
        true
    }

    /// Everybody's roles in a guild.
    pub(super) fn of(&self, guild: GuildId) -> Vec<(UserId, Vec<RoleId>)> {
        let members = self.0.get(&guild).into_iter().flatten();
        members.map(|(user, roles)| (*user, roles.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_bounded_and_known_ones_stay_fresh() {
        let (guild, role) = (GuildId::new(1), RoleId::new(9));
        let mut known = Roles::default();
        for user in 1..=MAX_PER_GUILD as u64 {
            assert!(known.learn(guild, UserId::new(user), &[role]));
        }
        assert!(!known.learn(guild, UserId::new(u64::MAX), &[role]), "too many");
        assert!(!known.learn(guild, UserId::new(1), &[role]), "nothing new");
        assert!(known.learn(guild, UserId::new(1), &[]));
        assert!(known.of(guild).contains(&(UserId::new(1), Vec::new())));
        assert!(known.of(GuildId::new(2)).is_empty());
    }
}
