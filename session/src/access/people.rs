//! Lists of people, and whether somebody is on one.

use std::collections::BTreeMap;

use clawvoice_config::{AccessGroup, Sender, slug};

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
    /// As it is configured. A group stands for its members; one that is unknown, or whose members
    /// only Discord can tell, for nobody.
    #[must_use]
    pub fn new(senders: &[Sender], groups: &BTreeMap<String, AccessGroup>) -> Self {
        let mut people = Self::default();
        for sender in senders {
            match sender {
                Sender::AccessGroup(name) => {
                    if let Some(AccessGroup::Senders(members)) = groups.get(name) {
                        // A group within a group names nobody.
                        members.iter().for_each(|member| people.add(member));
                    }
                }
                sender => people.add(sender),
            }
        }
        people
    }

    /// Of ids alone.
    pub fn of(users: impl IntoIterator<Item = UserId>) -> Self {
        Self { users: users.into_iter().collect(), ..Self::default() }
    }

    fn add(&mut self, sender: &Sender) {
        match sender {
            Sender::Anyone => self.anybody = true,
            Sender::User(id) => self.users.push(UserId::new(id.get())),
            Sender::PluralKit(member) => self.plural.push(member.clone()),
            Sender::Name(name) if !slug(name).is_empty() => self.names.push(slug(name)),
            Sender::Name(_) | Sender::AccessGroup(_) => {}
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

    fn named(name: &str) -> Sender {
        Sender::Name(name.to_owned())
    }

    fn people(senders: &[Sender]) -> People {
        People::new(senders, &BTreeMap::new())
    }

    #[test]
    fn a_name_counts_only_where_names_may_be_matched() {
        let people = people(&[named("Ada Lovelace")]);
        let ada = Member { user: UserId::new(7), roles: &[], names: &["ada", "Ada-Lovelace"] };
        assert!(people.has_names());
        assert!(!people.contains(&ada, false));
        assert!(people.contains(&ada, true));
    }

    #[test]
    fn everybody_and_nobody() {
        let ada = Member::by_id(UserId::new(7));
        assert!(people(&[Sender::Anyone]).contains(&ada, false));
        assert!(!people(&[Sender::Anyone]).without_everybody().contains(&ada, false));
        // What names nobody admits nobody, not even somebody without a name.
        let nameless = Member { names: &["日本"], ..ada };
        for entry in [named("日本"), Sender::PluralKit("7".to_owned())] {
            assert!(!people(std::slice::from_ref(&entry)).contains(&nameless, true), "{entry:?}");
        }
        assert!(people(&[]).is_empty());
        assert!(people(&[Sender::PluralKit("abcde".to_owned())]).contains_plural("abcde"));
    }

    #[test]
    fn a_group_is_its_members_and_an_unknown_one_nobody() {
        let groups = BTreeMap::from([
            ("crew".to_owned(), AccessGroup::Senders(vec![Sender::Anyone])),
            ("odd".to_owned(), AccessGroup::Unknown),
        ]);
        let ada = Member::by_id(UserId::new(7));
        let of = |name: &str| People::new(&[Sender::AccessGroup(name.to_owned())], &groups);
        assert!(of("crew").contains(&ada, false));
        assert!(!of("odd").contains(&ada, true) && !of("missing").contains(&ada, true));
    }
}
