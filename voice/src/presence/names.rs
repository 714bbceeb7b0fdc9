//! Who is called what, per guild.

use std::collections::BTreeMap;

use clawvoice_session::{GuildId, UserId};

/// Names kept per guild; further users are shown by their id until somebody is forgotten.
const MAX_PER_GUILD: usize = 2000;

/// Longest name kept, in characters. Discord's own limit is 32; names are other people's text.
const MAX_LABEL: usize = 100;

/// Names as the main gateway told them.
#[derive(Debug, Default)]
pub(super) struct Names {
    guilds: BTreeMap<GuildId, BTreeMap<UserId, (String, bool)>>,
}

impl Names {
    /// Takes a name; true if it was not known like this.
    pub(super) fn learn(&mut self, guild: GuildId, user: UserId, label: &str, bot: bool) -> bool {
        let names = self.guilds.entry(guild).or_default();
        if names.len() >= MAX_PER_GUILD && !names.contains_key(&user) {
            return false;
        }
        let label: String = label.chars().take(MAX_LABEL).collect();
        let entry = (label, bot);
        if names.get(&user) == Some(&entry) {
            return false;
        }
        names.insert(user, entry);
        true
    }

    /// Whether somebody is known to be a human.
    pub(super) fn is_human(&self, guild: GuildId, user: UserId) -> bool {
        let name = self.guilds.get(&guild).and_then(|names| names.get(&user));
        name.is_some_and(|(_, bot)| !bot)
    }

    /// Everybody known in a guild.
    pub(super) fn of(&self, guild: GuildId) -> Vec<(UserId, String, bool)> {
        let names = self.guilds.get(&guild).into_iter().flatten();
        names.map(|(user, (label, bot))| (*user, label.clone(), *bot)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guilds_names_are_bounded_but_known_ones_stay_fresh() {
        let guild = GuildId::new(1);
        let mut names = Names::default();
        for id in 0..MAX_PER_GUILD as u64 {
            assert!(names.learn(guild, UserId::new(id + 1), "x", false));
        }
        assert!(!names.learn(guild, UserId::new(u64::MAX), "late", false));
        assert!(!names.learn(guild, UserId::new(1), "x", false), "nothing new");
        assert!(names.learn(guild, UserId::new(1), &"y".repeat(500), true));
        let (user, label, bot) = &names.of(guild)[0];
        assert_eq!((*user, label.len(), *bot), (UserId::new(1), MAX_LABEL, true));
        assert_eq!(names.of(GuildId::new(2)), []);
    }
}
