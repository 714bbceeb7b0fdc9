//! Lists of people, and whether somebody is on one.

use super::slug::slug;
use crate::{RoleId, UserId};

/// Somebody who writes or speaks, as Discord tells.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Their id.
    pub user: UserId,
    /// Their roles in the guild; empty in direct messages.
    pub roles: &'a [RoleId],
    /// Nickname, global name, username, tag: whatever is known. Chosen by whoever bears them.
    pub names: &'a [&'a str],
}

impl Member<'_> {
    /// Somebody of whom only the id is known.
    #[must_use]
    pub const fn by_id(user: UserId) -> Self {
        Self { user, roles: &[], names: &[] }
    }
}

/// A list of people as it is configured (`allowFrom`, `users`, `commands.allowFrom`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    anybody: bool,
    users: Vec<UserId>,
    /// Members of a PluralKit system, by their own id.
    plural: Vec<String>,
    /// By slug; they count only where names may be matched.
    names: Vec<String>,
}

impl People {
    /// From entries: `*`; an id, bare, as a mention or after `discord:` or `user:`; `pk:` and a
    /// PluralKit member's id; anything else is a name.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Self {
        let mut people = Self::default();
        for entry in entries {
            people.add(entry.trim());
        }
        people
    }

    /// Of ids alone.
    pub fn of(users: impl IntoIterator<Item = UserId>) -> Self {
        Self { users: users.into_iter().collect(), ..Self::default() }
    }

    fn add(&mut self, entry: &str) {
        let mention = entry.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>'));
        let mention = mention.map(|rest| rest.strip_prefix('!').unwrap_or(rest));
        let bare = mention.unwrap_or(entry);
        let id = ["discord:", "user:"].iter().find_map(|prefix| bare.strip_prefix(prefix));
        if entry == "*" {
            self.anybody = true;
        } else if let Some(member) = bare.strip_prefix("pk:") {
            self.plural.push(member.to_owned());
        } else if let Ok(user) = id.unwrap_or(bare).parse() {
            self.users.push(user);
        } else if id.is_none() && !slug(bare).is_empty() {
            self.names.push(slug(bare));
        }
    }

    /// Whether nobody is named at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { anybody, users, plural, names } = self;
        !anybody && users.is_empty() && plural.is_empty() && names.is_empty()
    }

    /// Whether `*` is on the list.
    #[must_use]
    pub const fn has_everybody(&self) -> bool {
        self.anybody
    }

    /// Whether the list has entries that are names.
    #[must_use]
    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// The list without `*`: whom it names one by one.
    #[must_use]
    pub fn without_everybody(&self) -> Self {
        Self { anybody: false, ..self.clone() }
    }

    /// Whether somebody is on the list. Names count only with `match_names`
    /// (`dangerouslyAllowNameMatching`).
    #[must_use]
    pub fn contains(&self, member: &Member<'_>, match_names: bool) -> bool {
        let named = |name: &&str| self.names.contains(&slug(name));
        self.anybody
            || self.users.contains(&member.user)
            || (match_names && !self.names.is_empty() && member.names.iter().any(named))
    }

    /// Whether a PluralKit member is on the list.
    #[must_use]
    pub fn contains_plural(&self, member: &str) -> bool {
        self.anybody || self.plural.iter().any(|listed| listed == member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_every_documented_form() {
        for entry in ["7", " 7 ", "<@7>", "<@!7>", "discord:7", "user:7"] {
            let people = People::new([entry]);
            assert!(people.contains(&Member::by_id(UserId::new(7)), false), "{entry}");
            assert!(!people.contains(&Member::by_id(UserId::new(8)), false), "{entry}");
        }
    }

    #[test]
    fn a_name_counts_only_where_names_may_be_matched() {
        let people = People::new(["Ada Lovelace"]);
        let ada = Member { user: UserId::new(7), roles: &[], names: &["ada", "Ada-Lovelace"] };
        assert!(people.has_names());
        assert!(!people.contains(&ada, false));
        assert!(people.contains(&ada, true));
    }

    #[test]
    fn everybody_and_nobody() {
        let ada = Member::by_id(UserId::new(7));
        assert!(People::new(["*"]).contains(&ada, false));
        assert!(!People::new(["*"]).without_everybody().contains(&ada, false));
        // What names nobody admits nobody.
        for entry in ["", "日本", "discord:x", "user:", "pk:7", "telegram:7"] {
            assert!(!People::new([entry]).contains(&ada, true), "{entry}");
        }
        assert!(People::new([]).is_empty());
        assert!(People::new(["pk:abcde"]).contains_plural("abcde"));
    }
}
