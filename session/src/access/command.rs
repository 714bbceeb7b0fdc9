//! Who may command the agent.

use std::collections::HashSet;

use super::{
    people::{Member, People, Who},
    refusal::Refusal,
    room::Room,
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

/// How a command is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandForm {
    /// As a message that begins with `/`.
    Text,
    /// As a slash command or a button.
    Native,
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
    pub owners: HashSet<UserId>,
    /// `channels.discord.allowFrom`, else `dm.allowFrom`, without its groups.
    pub known: Option<People>,
}

impl CommandRules {
    /// Whether a member may give slash commands in, or about, a place.
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
        let who = (*member).into();
        match self.allows(CommandForm::Native, Some(&room), &who, access.match_names) {
            true => Ok(()),
            false => Err(CommandRefusal::Member),
        }
    }

    /// Whether somebody may give commands in a room; `None`: in private.
    #[must_use]
    pub fn allows(
        &self,
        form: CommandForm,
        room: Option<&Room>,
        who: &Who<'_>,
        match_names: bool,
    ) -> bool {
        if let Some(people) = &self.allow_from {
            return people.lists(who, match_names);
        }
        let by_room = room.filter(|room| room.is_restricted()).map(|room| room.lets(who));
        let by_person = self.by_person(who, match_names);
        let by_any = by_room == Some(true) || by_person == Some(true);
        match (self.use_access_groups, form) {
            (true, _) => by_any,
            (false, CommandForm::Native) => by_room.unwrap_or(true),
            (false, CommandForm::Text) => by_any || (by_room.is_none() && by_person.is_none()),
        }
    }

    /// Whether somebody may give commands in private.
    #[must_use]
    pub fn knows(&self, member: &Member<'_>) -> bool {
        self.allows(CommandForm::Native, None, &(*member).into(), false)
    }

    /// Whether they are an owner or named in `allowFrom`; `None`: nobody is. `*` lets everybody
    /// talk to the agent and makes nobody its commander.
    fn by_person(&self, who: &Who<'_>, match_names: bool) -> Option<bool> {
        let named = self.known.as_ref().filter(|people| people.names_somebody());
        if self.owners.is_empty() && named.is_none() {
            return None;
        }
        let is_named = named.is_some_and(|people| people.names_one(who, match_names));
        let is_owner = who.plural.is_none() && self.owners.contains(&who.member.user);
        Some(is_named || is_owner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clawvoice_config::Sender;

    use super::*;
    use crate::{
        ChannelId, GuildId,
        access::{GroupPolicy, GuildAccess},
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
        let guild = GuildAccess { users: Arc::new(people(users)), ..GuildAccess::default() };
        AccessRules { guilds: [("*", guild)].into_iter().collect(), ..AccessRules::default() }
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
        let everybody = People::without_groups(&[Sender::Anyone]);
        assert!(!may(&known(everybody), &access(&[])));
        let owned = CommandRules { owners: [UserId::new(31)].into(), ..strict() };
        assert!(may(&owned, &access(&[])));
    }

    #[test]
    fn without_access_groups_only_the_rooms_restriction_counts() {
        let loose = CommandRules::default();
        assert!(may(&loose, &access(&[])));
        assert!(may(&loose, &access(&[31])));
        assert!(!may(&loose, &access(&[32])));
        let owned = CommandRules { owners: [UserId::new(32)].into(), ..loose };
        assert!(may(&owned, &access(&[])));
    }

    /// As text, a command without access groups needs one of those who are configured.
    #[test]
    fn text_commands_without_access_groups() {
        let room = |users: &[u64]| access(users).room(&PLACE).unwrap();
        let text = |rules: &CommandRules, room: Option<&Room>| {
            rules.allows(CommandForm::Text, room, &ADA.into(), false)
        };
        let loose = CommandRules::default();
        assert!(text(&loose, None) && text(&loose, Some(&room(&[]))));
        assert!(text(&loose, Some(&room(&[31]))) && !text(&loose, Some(&room(&[32]))));
        let owned =
            |owner| CommandRules { owners: [UserId::new(owner)].into(), ..CommandRules::default() };
        assert!(!text(&owned(32), None) && !text(&owned(32), Some(&room(&[]))));
        assert!(text(&owned(31), None) && text(&owned(31), Some(&room(&[32]))));
        assert!(text(&owned(32), Some(&room(&[31]))));
        assert!(!text(&strict(), None) && !text(&strict(), Some(&room(&[]))));
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
