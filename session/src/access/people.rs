//! Lists of people, and whether somebody is on one.

use std::collections::BTreeMap;

use clawvoice_config::{AccessGroup, Sender, slug};
use foldhash::HashSet;

use crate::{ChannelId, GuildId, RoleId, UserId};

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

/// Whoever can see a channel (`accessGroups`, type `discord.channelAudience`). Only Discord can tell
/// who that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience {
    /// The guild, which the channel must be of.
    pub guild: GuildId,
    /// The channel.
    pub channel: ChannelId,
}

/// Somebody, with what else was found out about them.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// As Discord tells.
    pub member: Member<'a>,
    /// The member of a PluralKit system who speaks through a webhook: lists name them by this id,
    /// and the webhook's own counts for nothing.
    pub plural: Option<&'a str>,
    /// The audiences they certainly belong to.
    pub audiences: &'a [Audience],
}

impl<'a> From<Member<'a>> for Who<'a> {
    fn from(member: Member<'a>) -> Self {
        Self { member, plural: None, audiences: &[] }
    }
}

/// A list of people as it is configured (`allowFrom`, `users`, `commands.allowFrom`). Looked up in
/// the same time however long it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Whether anything is written in it, be it something that names nobody.
    written: bool,
    anybody: bool,
    users: HashSet<UserId>,
    /// Members of a PluralKit system, by their own id.
    plural: HashSet<String>,
    /// By slug; they count only where names may be matched.
    names: HashSet<String>,
    audiences: Vec<Audience>,
}

impl People {
    /// As it is configured. A group stands for its members; one that is unknown for nobody.
    #[must_use]
    pub fn new(senders: &[Sender], groups: &BTreeMap<String, AccessGroup>) -> Self {
        let mut people = Self { written: !senders.is_empty(), ..Self::default() };
        for sender in senders {
            match sender {
                Sender::AccessGroup(name) => people.add_group(groups.get(name)),
                sender => people.add(sender),
            }
        }
        people
    }

    /// Those who are listed one by one: groups stand for nobody.
    #[must_use]
    pub fn without_groups(senders: &[Sender]) -> Self {
        Self::new(senders, &BTreeMap::new())
    }

    /// Of ids alone.
    pub fn of(users: impl IntoIterator<Item = UserId>) -> Self {
        let users: HashSet<UserId> = users.into_iter().collect();
        Self { written: !users.is_empty(), users, ..Self::default() }
    }

    fn add_group(&mut self, group: Option<&AccessGroup>) {
        match group {
            // A group within a group names nobody.
            Some(AccessGroup::Senders(members)) => {
                members.iter().for_each(|member| self.add(member));
            }
            Some(AccessGroup::ChannelAudience { guild, channel }) => {
                let (guild, channel) = (GuildId::new(guild.get()), ChannelId::new(channel.get()));
                let audience = Audience { guild, channel };
                if !self.audiences.contains(&audience) {
                    self.audiences.push(audience);
                }
            }
            Some(AccessGroup::Unknown) | None => {}
        }
    }

    fn add(&mut self, sender: &Sender) {
        match sender {
            Sender::Anyone => self.anybody = true,
            Sender::User(id) => drop(self.users.insert(UserId::new(id.get()))),
            Sender::PluralKit(member) => drop(self.plural.insert(member.clone())),
            Sender::Name(name) if !slug(name).is_empty() => drop(self.names.insert(slug(name))),
            Sender::Name(_) | Sender::AccessGroup(_) => {}
        }
    }

    /// Whether nothing is written in the list. One with entries that name nobody is not empty: it
    /// admits nobody, where an empty one restricts nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.written
    }

    /// Whether the list names anybody but by `*`.
    #[must_use]
    pub fn names_somebody(&self) -> bool {
        let Self { written: _, anybody: _, users, plural, names, audiences } = self;
        !(users.is_empty() && plural.is_empty() && names.is_empty() && audiences.is_empty())
    }

    /// The audiences on the list: of somebody whom it does not name otherwise, Discord must be
    /// asked whether they belong to one.
    #[must_use]
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// Whether somebody is on the list. Names count only with `match_names`
    /// (`dangerouslyAllowNameMatching`).
    #[must_use]
    pub fn contains(&self, member: &Member<'_>, match_names: bool) -> bool {
        self.lists(&(*member).into(), match_names)
    }

    /// The same of somebody of whom more is known.
    #[must_use]
    pub fn lists(&self, who: &Who<'_>, match_names: bool) -> bool {
        self.anybody || self.names_one(who, match_names)
    }

    /// Whether a member of a PluralKit system is on the list.
    #[must_use]
    pub fn lists_plural(&self, member: &str) -> bool {
        self.anybody || self.plural.contains(member)
    }

    /// Whether somebody is on the list by anything but `*`.
    #[must_use]
    pub fn names_one(&self, who: &Who<'_>, match_names: bool) -> bool {
        let by_id = match who.plural {
            Some(member) => self.plural.contains(member),
            None => self.users.contains(&who.member.user),
        };
        let named = |name: &&str| self.names.contains(&slug(name));
        by_id
            || (match_names && !self.names.is_empty() && who.member.names.iter().any(named))
            || self.audiences.iter().any(|audience| who.audiences.contains(audience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Sender {
        Sender::Name(name.to_owned())
    }

    fn people(senders: &[Sender]) -> People {
        People::without_groups(senders)
    }

    #[test]
    fn a_name_counts_only_where_names_may_be_matched() {
        let people = people(&[named("Ada Lovelace")]);
        let ada = Member { user: UserId::new(7), roles: &[], names: &["ada", "Ada-Lovelace"] };
        assert!(!people.contains(&ada, false));
        assert!(people.contains(&ada, true));
    }

    #[test]
    fn everybody_and_nobody() {
        let ada = Member::by_id(UserId::new(7));
        let everybody = people(&[Sender::Anyone]);
        assert!(everybody.contains(&ada, false));
        assert!(!everybody.names_somebody() && !everybody.names_one(&ada.into(), false));
        // What names nobody admits nobody, not even somebody without a name; it restricts all.
        let nameless = Member { names: &["日本"], ..ada };
        for entry in [named("日本"), Sender::PluralKit("7".to_owned())] {
            let people = people(std::slice::from_ref(&entry));
            assert!(!people.is_empty() && !people.contains(&nameless, true), "{entry:?}");
        }
        assert!(people(&[]).is_empty());
    }

    #[test]
    fn a_member_of_a_system_is_listed_by_their_own_id_alone() {
        let list = people(&[Sender::PluralKit("abcde".to_owned())]);
        let webhook = Member::by_id(UserId::new(7));
        let proxied = Who { plural: Some("abcde"), ..webhook.into() };
        assert!(list.lists(&proxied, false) && !list.contains(&webhook, false));
        assert!(!People::of([UserId::new(7)]).lists(&proxied, false));
    }

    #[test]
    fn a_group_is_its_members_and_an_unknown_one_nobody() {
        let id = |id: &str| match configured(id) {
            Sender::User(id) => id,
            other => panic!("{other:?}"),
        };
        let groups = BTreeMap::from([
            ("crew".to_owned(), AccessGroup::Senders(vec![Sender::Anyone])),
            ("odd".to_owned(), AccessGroup::Unknown),
            ("staff".to_owned(), AccessGroup::ChannelAudience { guild: id("1"), channel: id("5") }),
        ]);
        let ada = Member::by_id(UserId::new(7));
        let of = |name: &str| People::new(&[Sender::AccessGroup(name.to_owned())], &groups);
        assert!(of("crew").contains(&ada, false));
        for nobody in ["odd", "missing", "staff"] {
            assert!(!of(nobody).contains(&ada, true) && !of(nobody).is_empty(), "{nobody}");
        }
        let seen = [Audience { guild: GuildId::new(1), channel: ChannelId::new(5) }];
        assert_eq!(of("staff").audiences(), seen);
        assert!(of("staff").lists(&Who { audiences: &seen, ..ada.into() }, false));
    }

    /// A user, as the configuration reads one.
    fn configured(id: &str) -> Sender {
        let text =
            format!("{{ channels: {{ discord: {{ token: 'a.b.c', allowFrom: ['{id}'] }} }} }}");
        let env: BTreeMap<String, String> = BTreeMap::new();
        let origin = std::path::Path::new("/etc/claw.json5");
        let config = clawvoice_config::parse(&text, origin, &env).unwrap();
        config.discord.access.allow_from.unwrap().remove(0)
    }
}
