//! Who may command the agent.

use super::{
    people::{Member, People},
    refusal::Refusal,
    rules::{AccessRules, Place},
};
use crate::UserId;

/// Why a command is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    /// The agent does not listen in that place.
    #[error(transparent)]
    Place(Refusal),
    /// It listens there, but not to commands of theirs.
    #[error("not-authorized")]
    Member,
}

/// `commands`, and who counts as known.
#[derive(Clone, Debug, Default)]
pub struct CommandRules {
    /// `commands.useAccessGroups` (default on): somebody must be configured who may, and they must
    /// be it. Off: with nobody configured, everybody may.
    pub use_access_groups: bool,
    /// `commands.allowFrom`, for Discord: set, it alone decides.
    pub allow_from: Option<People>,
    /// The agent's owners.
    pub owners: Vec<UserId>,
    /// `channels.discord.allowFrom`, else `dm.allowFrom`.
    pub known: Option<People>,
}

impl CommandRules {
    /// Whether a member may give commands in, or about, a place.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_command(
        &self,
        access: &AccessRules,
        place: &Place<'_>,
        member: &Member<'_>,
    ) -> Result<(), CommandRefusal> {
        let room = access.room(place).map_err(CommandRefusal::Place)?;
        let allowed = match &self.allow_from {
            Some(people) => people.contains(member, access.match_names),
            None => {
                let by_room = room.is_restricted().then(|| room.admits(member));
                let by_person = self.by_person(member, access.match_names);
                match (self.use_access_groups, by_room, by_person) {
                    (true, by_room, by_person) => by_room == Some(true) || by_person == Some(true),
                    (false, by_room, _) => by_room.unwrap_or(true),
                }
            }
        };
        if allowed { Ok(()) } else { Err(CommandRefusal::Member) }
    }

    /// Whether they are an owner or named in `allowFrom`; `None`: nobody is. `*` lets everybody
    /// talk to the agent and makes nobody its commander.
    fn by_person(&self, member: &Member<'_>, match_names: bool) -> Option<bool> {
        let named = self.known.as_ref().map(People::without_everybody);
        let named = named.filter(|people| !people.is_empty());
        if self.owners.is_empty() && named.is_none() {
            return None;
        }
        let is_named = named.is_some_and(|people| people.contains(member, match_names));
        Some(is_named || self.owners.contains(&member.user))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clawvoice_config::Sender;

    use super::*;
    use crate::{
        ChannelId, GuildId,
        access::{EntryKey, GroupPolicy, GuildAccess},
    };

    const ADA: Member<'static> = Member::by_id(UserId::new(31));
    const PLACE: Place<'static> = Place {
        guild: GuildId::new(1),
        guild_name: "",
        channel: ChannelId::new(5),
        channel_name: "",
        parent: None,
    };

    fn people(ids: &[u64]) -> People {
        People::of(ids.iter().copied().map(UserId::new))
    }

    fn access(users: &[u64]) -> AccessRules {
        let guild = GuildAccess { users: people(users), ..GuildAccess::default() };
        AccessRules { guilds: vec![(EntryKey::Any, guild)], ..AccessRules::default() }
    }

    fn strict() -> CommandRules {
        CommandRules { use_access_groups: true, ..CommandRules::default() }
    }

    fn may(rules: &CommandRules, access: &AccessRules) -> bool {
        rules.may_command(access, &PLACE, &ADA).is_ok()
    }

    #[test]
    fn with_access_groups_somebody_must_be_configured_who_may() {
        assert!(!may(&strict(), &access(&[])));
        assert!(may(&strict(), &access(&[31])));
        assert!(!may(&strict(), &access(&[32])));
        let known = |people| CommandRules { known: Some(people), ..strict() };
        assert!(may(&known(people(&[31])), &access(&[])));
        assert!(may(&known(people(&[31])), &access(&[32])));
        let everybody = People::new(&[Sender::Anyone], &BTreeMap::new());
        assert!(!may(&known(everybody), &access(&[])));
        let owned = CommandRules { owners: vec![UserId::new(31)], ..strict() };
        assert!(may(&owned, &access(&[])));
    }

    #[test]
    fn without_access_groups_only_the_rooms_restriction_counts() {
        let loose = CommandRules::default();
        assert!(may(&loose, &access(&[])));
        assert!(may(&loose, &access(&[31])));
        assert!(!may(&loose, &access(&[32])));
        let owned = CommandRules { owners: vec![UserId::new(32)], ..loose };
        assert!(may(&owned, &access(&[])));
    }

    #[test]
    fn an_allow_list_of_commands_decides_alone() {
        let only = |user| CommandRules { allow_from: Some(people(&[user])), ..strict() };
        assert!(may(&only(31), &access(&[32])));
        assert!(!may(&only(32), &access(&[31])));
    }

    #[test]
    fn nobody_commands_where_the_agent_does_not_listen() {
        let closed = AccessRules { group_policy: GroupPolicy::Disabled, ..access(&[31]) };
        let refusal = strict().may_command(&closed, &PLACE, &ADA);
        assert_eq!(refusal, Err(CommandRefusal::Place(Refusal::GroupPolicyDisabled)));
    }
}
