//! From the configuration to the rules.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use clawvoice_config::{
    AccessGroup, Config, Discord, DiscordId, GroupPolicy as Configured, Guild, GuildChannel,
};

use super::{
    command::CommandRules,
    people::People,
    rules::{AccessRules, ChannelAccess, GroupPolicy, GuildAccess},
    tools::ToolRules,
};
use crate::{RoleId, UserId};

impl AccessRules {
    /// Those of an account.
    #[must_use]
    pub fn of(discord: &Discord, groups: &BTreeMap<String, AccessGroup>) -> Self {
        let guilds = discord.guilds.iter();
        Self {
            group_policy: match discord.access.group_policy {
                Configured::Open => GroupPolicy::Open,
                Configured::Allowlist => GroupPolicy::Allowlist,
                Configured::Disabled => GroupPolicy::Disabled,
            },
            guilds: guilds.map(|(key, it)| (key, guild(it, groups))).collect(),
            match_names: discord.access.name_matching,
        }
    }
}

impl CommandRules {
    /// Those of an account.
    #[must_use]
    pub fn of(config: &Config, discord: &Discord) -> Self {
        let listed = |senders: &Vec<_>| People::new(senders, &config.access_groups);
        let owners = config.owners_in_force();
        Self {
            use_access_groups: config.commands.use_access_groups,
            allow_from: config.commands.allow_from.as_ref().map(listed),
            owners: owners.into_iter().map(|id| UserId::new(id.get())).collect(),
            known: discord.access.allow_from.as_deref().map(People::without_groups),
        }
    }
}

fn guild(guild: &Guild, groups: &BTreeMap<String, AccessGroup>) -> GuildAccess {
    let users = guild.users.as_deref().unwrap_or_default();
    let channels = guild.channels.iter();
    GuildAccess {
        users: Arc::new(People::new(users, groups)),
        roles: roles(guild.roles.as_deref().unwrap_or_default()),
        require_mention: guild.require_mention,
        ignore_other_mentions: guild.ignore_other_mentions,
        ignore_broadcast_mentions: guild.ignore_broadcast_mentions,
        tools: Arc::new(ToolRules::new(guild.tools.as_ref(), &guild.tools_by_sender, groups)),
        channels: channels.map(|(key, it)| (key, channel(it, groups))).collect(),
    }
}

fn channel(channel: &GuildChannel, groups: &BTreeMap<String, AccessGroup>) -> ChannelAccess {
    ChannelAccess {
        enabled: channel.enabled,
        users: channel.users.as_ref().map(|users| Arc::new(People::new(users, groups))),
        roles: channel.roles.as_deref().map(roles),
        require_mention: channel.require_mention,
        ignore_other_mentions: channel.ignore_other_mentions,
        auto_thread: channel.auto_thread,
        tools: Arc::new(ToolRules::new(channel.tools.as_ref(), &channel.tools_by_sender, groups)),
    }
}

fn roles(ids: &[DiscordId]) -> Arc<HashSet<RoleId>> {
    Arc::new(ids.iter().map(|id| RoleId::new(id.get())).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        ChannelId, GuildId,
        access::{CommandRefusal, Member, Place, Refusal},
    };

    /// An account with these keys beside its token, in a file with these keys.
    fn rules(discord: &str, rest: &str) -> (AccessRules, CommandRules) {
        let text =
            format!("{{ channels: {{ discord: {{ token: 'a.b.c', {discord} }} }}, {rest} }}");
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env);
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let access = AccessRules::of(&config.discord, &config.access_groups);
        (access, CommandRules::of(&config, &config.discord))
    }

    fn place(channel: u64) -> Place<'static> {
        Place {
            guild: GuildId::new(1),
            guild_name: "Friends",
            channel: ChannelId::new(channel),
            channel_name: "General",
            parent: None,
        }
    }

    fn may_command(discord: &str, rest: &str, user: u64) -> Result<(), CommandRefusal> {
        let (access, commands) = rules(discord, rest);
        commands.may_command(&access, &place(5), &Member::by_id(UserId::new(user)))
    }

    #[test]
    fn a_fresh_configuration_listens_in_no_guild() {
        let refusal = Err(CommandRefusal::Place(Refusal::GroupPolicyNoGuild));
        assert_eq!(may_command("voice: {}", "", 31), refusal);
    }

    #[test]
    fn a_guild_and_who_may_in_it() {
        let guilds = "guilds: { friends: { users: ['31'], channels: { general: {}, 6: { users: ['*'] } } } }";
        assert_eq!(may_command(guilds, "", 31), Ok(()));
        assert_eq!(may_command(guilds, "", 32), Err(CommandRefusal::Member));
        let (access, _) = rules(guilds, "");
        let anybody = Member::by_id(UserId::new(32));
        assert!(access.room(&place(6)).unwrap().admits(&anybody));
        let other = Place { channel_name: "secret", ..place(9) };
        assert_eq!(access.room(&other).err(), Some(Refusal::ChannelNotAllowlisted));
    }

    /// The channel's lists go before the guild's, and people's own before everybody's.
    #[test]
    fn which_tools_for_whom() {
        let guilds = "guilds: { '*': {
            tools: { allow: ['guild'] }, toolsBySender: { '31': { allow: ['guild-31'] } },
            channels: {
                5: {},
                6: { tools: { allow: ['channel'] } },
                7: { toolsBySender: { 'accessGroup:crew': { allow: ['crew'] } } },
            } } }";
        let groups =
            "accessGroups: { crew: { type: 'message.senders', members: { discord: ['32'] } } }";
        let (access, _) = rules(guilds, groups);
        for (channel, user, expected) in [
            (5, 31, "guild-31"),
            (5, 32, "guild"),
            (6, 31, "channel"),
            (7, 31, "guild-31"),
            (7, 32, "crew"),
            (7, 33, "guild"),
        ] {
            let room = access.room(&place(channel)).unwrap();
            let lists = room.tools(&Member::by_id(UserId::new(user)).into()).unwrap();
            let only = lists.allow.clone().unwrap();
            assert_eq!(only, [expected], "{channel} {user}");
        }
        let (access, _) = rules("guilds: { '*': {} }", "");
        let room = access.room(&place(5)).unwrap();
        assert_eq!(room.tools(&Member::by_id(UserId::new(31)).into()), None);
    }

    #[test]
    fn an_owner_commands_and_being_admitted_makes_nobody_an_owner() {
        let open = "groupPolicy: 'open', allowFrom: ['33']";
        let owned = "commands: { ownerAllowFrom: ['31'] }";
        assert_eq!(may_command(open, owned, 31), Ok(()));
        assert_eq!(may_command(open, owned, 33), Ok(()));
        assert_eq!(may_command(open, owned, 32), Err(CommandRefusal::Member));
        let (_, commands) = rules(open, "");
        assert!(commands.owners.is_empty());
        let (_, commands) = rules(open, "commands: { ownerFromAllowFrom: true }");
        assert_eq!(commands.owners, [UserId::new(33)].into());
    }

    /// A list that names nobody is not the absence of a list.
    #[test]
    fn a_list_that_names_nobody_admits_nobody() {
        for list in ["users: ['accessGroup:missing']", "users: ['日本']", "roles: ['Admins']"] {
            let (access, _) = rules(&format!("guilds: {{ '*': {{ {list} }} }}"), "");
            let room = access.room(&place(5)).unwrap();
            assert!(room.is_restricted(), "{list}");
            assert!(!room.admits(&Member::by_id(UserId::new(31))), "{list}");
        }
        let (access, _) = rules("guilds: { '*': { users: [], roles: [] } }", "");
        assert!(!access.room(&place(5)).unwrap().is_restricted());
    }

    /// Whoever may write in private by way of a group does not command.
    #[test]
    fn a_group_makes_nobody_a_commander() {
        let groups =
            "accessGroups: { crew: { type: 'message.senders', members: { discord: ['31'] } } }";
        let open = "groupPolicy: 'open', allowFrom: ['accessGroup:crew', '33']";
        assert_eq!(may_command(open, groups, 33), Ok(()));
        assert_eq!(may_command(open, groups, 31), Err(CommandRefusal::Member));
    }

    #[test]
    fn a_group_of_people_is_who_is_in_it() {
        let groups =
            "accessGroups: { crew: { type: 'message.senders', members: { discord: ['31'] } } }";
        let guilds = "guilds: { '*': { users: ['accessGroup:crew'] } }";
        assert_eq!(may_command(guilds, groups, 31), Ok(()));
        assert_eq!(may_command(guilds, groups, 32), Err(CommandRefusal::Member));
    }
}
