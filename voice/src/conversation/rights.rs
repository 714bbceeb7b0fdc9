//! Who may talk to the agent, and who owns it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use clawvoice_session::{
    RoleId, UserId,
    access::{Member, Room, ToolLists},
};

use crate::call::Attribution;

/// Speakers whose standing is followed; further ones are nobody's owner.
const MAX_STANDINGS: usize = 4_096;

/// Who may do what. An owner is one by user id alone: names are chosen by whoever bears them.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// The agent's owners.
    pub owners: BTreeSet<UserId>,
    /// Who is heard in the channel besides the owners; `None`: the agent listens to nobody there.
    pub room: Option<Room>,
    roles: BTreeMap<UserId, Vec<RoleId>>,
}

impl Rights {
    /// Nobody's roles are known yet.
    #[must_use]
    pub const fn new(owners: BTreeSet<UserId>, room: Option<Room>) -> Self {
        Self { owners, room, roles: BTreeMap::new() }
    }

    /// Everybody is heard, and these own the agent.
    #[must_use]
    pub fn open(owners: BTreeSet<UserId>) -> Self {
        Self::new(owners, Some(Room::default()))
    }

    /// Learns a member's roles.
    pub fn learn_roles(&mut self, user: UserId, roles: Vec<RoleId>) {
        if self.roles.len() < MAX_STANDINGS || self.roles.contains_key(&user) {
            self.roles.insert(user, roles);
        }
    }

    /// Whether the user is heard at all; `label` is the name by which they are known.
    #[must_use]
    pub fn admits(&self, user: UserId, label: &str) -> bool {
        let Some(room) = &self.room else { return false };
        let roles = self.roles.get(&user).map(Vec::as_slice).unwrap_or_default();
        self.owners.contains(&user) || room.admits(&Member { user, roles, names: &[label] })
    }

    /// Which tools the channel lets the agent use for the user, as lists that each must let one be
    /// used. Who is not `certain` to be the user gets nothing that others do not. Lists for whoever
    /// can see another channel count for nobody: nobody asks Discord here.
    #[must_use]
    pub fn tools(&self, user: UserId, label: &str, certain: bool) -> Vec<Arc<ToolLists>> {
        let Some(room) = &self.room else { return Vec::new() };
        let roles = self.roles.get(&user).map(Vec::as_slice).unwrap_or_default();
        let own = room.tools(&Member { user, roles, names: &[label] }.into());
        let of_others = if certain { None } else { room.tools_of_others() };
        own.into_iter().chain(of_others).collect()
    }
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    attribution: Attribution,
    /// Their stream was once named as somebody else's.
    disputed: bool,
}

/// How sure it is whose speech is whose, user by user.
#[derive(Debug, Default)]
pub(super) struct Standings {
    users: BTreeMap<UserId, Standing>,
}

impl Standings {
    /// What the call says of a user's stream.
    pub(super) fn note(&mut self, user: UserId, attribution: Attribution) {
        if self.users.len() >= MAX_STANDINGS && !self.users.contains_key(&user) {
            return;
        }
        let is_disputed = attribution == Attribution::Disputed;
        let standing = self.users.entry(user).or_insert(Standing { attribution, disputed: false });
        standing.attribution = attribution;
        standing.disputed |= is_disputed;
    }

    /// The user left: whoever comes back is judged anew.
    pub(super) fn forget(&mut self, user: UserId) {
        self.users.remove(&user);
    }

    /// Whether speech heard as the user's is certainly theirs. A dispute is not forgotten while
    /// they stay: words of the disputed stream may be transcribed late.
    pub(super) fn is_certain(&self, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|standing| {
            standing.attribution == Attribution::Confirmed && !standing.disputed
        })
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{
        ChannelId, GuildId,
        access::{AccessRules, GuildAccess, People, Place, ToolRules},
    };

    use super::*;

    const ANN: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);

    #[test]
    fn who_is_not_listed_is_kept_out_and_owners_never() {
        let mut rights = Rights::open([ANN].into());
        assert!(rights.admits(ANN, "ann") && rights.admits(BOB, "bob"));
        rights.room = Some(Room::of(People::of([UserId::new(9)])));
        assert!(rights.admits(ANN, "ann") && !rights.admits(BOB, "bob"));
        rights.room = Some(Room::of(People::of([BOB])));
        assert!(rights.admits(BOB, "bob"));
        rights.room = None;
        assert!(!rights.admits(ANN, "ann"), "it listens to nobody there");
    }

    #[test]
    fn a_role_admits_as_soon_as_it_is_known_and_no_longer_than_it_is_borne() {
        let crew = RoleId::new(80);
        let roles = Arc::new([crew].into());
        let guild = GuildAccess { roles, ..GuildAccess::default() };
        let guilds = [("*", guild)].into_iter().collect();
        let access = AccessRules { guilds, ..AccessRules::default() };
        let place = Place {
            guild: GuildId::new(1),
            guild_name: "",
            channel: ChannelId::new(2),
            channel_name: "",
            parent: None,
        };
        let mut rights = Rights { room: access.room(&place).ok(), ..Rights::default() };
        assert!(!rights.admits(BOB, "bob"));
        rights.learn_roles(BOB, vec![crew]);
        assert!(rights.admits(BOB, "bob"));
        rights.learn_roles(BOB, Vec::new());
        assert!(!rights.admits(BOB, "bob"));
    }

    #[test]
    fn lists_of_tools_bind_and_who_is_not_certain_gains_nothing_by_them() {
        let lists = |tool: &str| ToolLists {
            allow: Some(vec![tool.to_owned()]),
            also_allow: None,
            deny: None,
        };
        let by_sender = [(ANN.to_string(), lists("own"))].into();
        let rules = ToolRules::new(Some(&lists("all")), &by_sender, &BTreeMap::new());
        let guild = GuildAccess { tools: Arc::new(rules), ..GuildAccess::default() };
        let access =
            AccessRules { guilds: [("*", guild)].into_iter().collect(), ..AccessRules::default() };
        let place = Place {
            guild: GuildId::new(1),
            guild_name: "",
            channel: ChannelId::new(2),
            channel_name: "",
            parent: None,
        };
        let rights = Rights { room: access.room(&place).ok(), ..Rights::default() };
        let tools = |user, certain| -> Vec<ToolLists> {
            let lists = rights.tools(user, "somebody", certain);
            lists.iter().map(|lists| (**lists).clone()).collect()
        };
        assert_eq!(tools(ANN, true), [lists("own")]);
        assert_eq!(tools(ANN, false), [lists("own"), lists("all")]);
        assert_eq!(tools(BOB, true), [lists("all")]);
        assert!(Rights::open([ANN].into()).tools(ANN, "ann", false).is_empty());
    }

    #[test]
    fn only_a_confirmed_stream_that_was_never_disputed_is_certain() {
        let mut standings = Standings::default();
        assert!(!standings.is_certain(ANN));
        for (attribution, certain) in [
            (Attribution::Announced, false),
            (Attribution::ByKey, false),
            (Attribution::Confirmed, true),
            (Attribution::Disputed, false),
            (Attribution::Confirmed, false),
        ] {
            standings.note(ANN, attribution);
            assert_eq!(standings.is_certain(ANN), certain, "{attribution:?}");
        }
        standings.forget(ANN);
        standings.note(ANN, Attribution::Confirmed);
        assert!(standings.is_certain(ANN));
    }
}
