//! The models that somebody chose last.

use std::collections::{HashMap, VecDeque};

use clawvoice_session::{GuildId, UserId};

/// So many of a person's are remembered.
const MOST: usize = 5;

/// People that are remembered; with one more, whoever chose longest ago is forgotten.
const MOST_PEOPLE: usize = 1_000;

/// The models that people chose last, in each guild of one account.
#[derive(Clone, Debug, Default)]
pub struct Recents {
    chosen: HashMap<(Option<GuildId>, UserId), VecDeque<String>>,
    order: VecDeque<(Option<GuildId>, UserId)>,
}

impl Recents {
    /// Somebody chose a model.
    pub fn note(&mut self, guild: Option<GuildId>, user: UserId, model: &str) {
        let who = (guild, user);
        self.order.retain(|it| *it != who);
        self.order.push_back(who);
        if self.order.len() > MOST_PEOPLE
            && let Some(oldest) = self.order.pop_front()
        {
            self.chosen.remove(&oldest);
        }
        let chosen = self.chosen.entry(who).or_default();
        chosen.retain(|it| it != model);
        chosen.push_front(model.to_owned());
        chosen.truncate(MOST);
    }

    /// What they chose, the newest first.
    #[must_use]
    pub fn of(&self, guild: Option<GuildId>, user: UserId) -> Vec<String> {
        self.chosen.get(&(guild, user)).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_of_each_person_in_each_guild() {
        let (here, ada) = (Some(GuildId::new(1)), UserId::new(31));
        let mut recents = Recents::default();
        for model in ["a/1", "a/2", "a/3", "a/4", "a/5", "a/2", "a/6"] {
            recents.note(here, ada, model);
        }
        recents.note(None, ada, "b/1");
        assert_eq!(recents.of(here, ada), ["a/6", "a/2", "a/5", "a/4", "a/3"]);
        assert_eq!(recents.of(None, ada), ["b/1"]);
        assert!(recents.of(here, UserId::new(32)).is_empty());
    }

    #[test]
    fn people_are_bounded() {
        let mut recents = Recents::default();
        for user in 1..=1_500 {
            recents.note(None, UserId::new(user), "a/1");
            recents.note(None, UserId::new(1), "a/2");
        }
        assert_eq!(recents.chosen.len(), MOST_PEOPLE);
        assert_eq!(recents.order.len(), MOST_PEOPLE);
        assert_eq!(recents.of(None, UserId::new(1)), ["a/2", "a/1"]);
        assert!(recents.of(None, UserId::new(2)).is_empty());
    }
}
