//! The bindings of an account, by what they ask for: finding one takes as long however many there
//! are.

use clawvoice_session::{ChannelId, GuildId, RoleId, UserId};
use foldhash::{HashMap, HashSet};

use super::origin::{Origin, Surface, Tier};

/// The person or room a conversation is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    Direct(UserId),
    /// A group, a channel or a thread.
    Room(ChannelId),
}

impl Peer {
    pub(super) const fn of(from: &Origin<'_>) -> Self {
        match from.surface {
            Surface::Direct { user } => Self::Direct(user),
            Surface::Group | Surface::Channel | Surface::Thread { .. } => Self::Room(from.channel),
        }
    }
}

/// What a binding is about in the first place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Peer(Peer),
    GuildRoles,
    Guild,
    Account,
    Channel,
}

/// All that a binding asks for; of its roles one, so that one with several roles has several keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) scope: Scope,
    pub(super) guild: Option<GuildId>,
    pub(super) role: Option<RoleId>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    /// Place in the file.
    order: usize,
    agent: usize,
}

/// Bindings by key, of which the file's first counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    rules: HashMap<Key, Rule>,
    /// Roles that a binding asks for; the others need not be looked up.
    roles: HashSet<RoleId>,
}

impl Index {
    /// Adds a binding; they come in the order of the file.
    pub(super) fn add(&mut self, key: Key, order: usize, agent: usize) {
        self.roles.extend(key.role);
        self.rules.entry(key).or_insert(Rule { order, agent });
    }

    /// Whether a binding asks for exactly that.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.rules.contains_key(key)
    }

    /// The agent of the first binding that fits, tier by tier.
    pub(super) fn find(&self, from: &Origin<'_>) -> Option<(usize, Tier)> {
        if self.rules.is_empty() {
            return None;
        }
        let parent = from.parent().map(|parent| Scope::Peer(Peer::Room(parent)));
        let tiers = [
            (Some(Scope::Peer(Peer::of(from))), Tier::Peer),
            (parent, Tier::ParentPeer),
            (Some(Scope::GuildRoles), Tier::GuildRoles),
            (Some(Scope::Guild), Tier::Guild),
            (Some(Scope::Account), Tier::Account),
            (Some(Scope::Channel), Tier::Channel),
        ];
        let roles: Vec<RoleId> =
            from.roles.iter().copied().filter(|role| self.roles.contains(role)).collect();
        let in_tier = |(scope, tier): (Option<Scope>, Tier)| {
            self.first(scope?, from.guild, &roles).map(|agent| (agent, tier))
        };
        tiers.into_iter().find_map(in_tier)
    }

    /// The first of the file whose guild, if it asks for one, and one of whose roles fit.
    fn first(&self, scope: Scope, guild: Option<GuildId>, roles: &[RoleId]) -> Option<usize> {
        let guilds = [None, guild].into_iter().take(if guild.is_some() { 2 } else { 1 });
        let role_of = || std::iter::once(None).chain(roles.iter().copied().map(Some));
        let keys = guilds.flat_map(|guild| role_of().map(move |role| Key { scope, guild, role }));
        let rules = keys.filter_map(|key| self.rules.get(&key));
        rules.min_by_key(|rule| rule.order).map(|rule| rule.agent)
    }
}
