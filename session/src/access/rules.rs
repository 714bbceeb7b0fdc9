//! From a place to the rules that hold in it.

use std::{collections::HashSet, sync::Arc};

use clawvoice_config::{Entries, Named};

use super::{people::People, refusal::Refusal, room::Room, tools::ToolRules};
use crate::{ChannelId, GuildId, RoleId};

/// `groupPolicy`: which guilds are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupPolicy {
    /// Every guild; one that `guilds` leaves out only if `guilds` is empty.
    Open,
    /// Those in `guilds`.
    #[default]
    Allowlist,
    /// None.
    Disabled,
}

/// `guilds.<key>`, as far as it says who may talk to the agent, and whether they must call it.
#[derive(Clone, Debug)]
pub struct GuildAccess {
    /// `users`; empty: no restriction by user.
    pub users: Arc<People>,
    /// `roles`; empty: no restriction by role.
    pub roles: Arc<HashSet<RoleId>>,
    /// `requireMention`.
    pub require_mention: bool,
    /// `ignoreOtherMentions`.
    pub ignore_other_mentions: bool,
    /// `ignoreBroadcastMentions`.
    pub ignore_broadcast_mentions: bool,
    /// `tools` and `toolsBySender`.
    pub tools: Arc<ToolRules>,
    /// `channels`, by id, slug or `*`; with at least one, it is an allowlist.
    pub channels: Entries<ChannelAccess>,
}

impl Default for GuildAccess {
    fn default() -> Self {
        Self {
            users: Arc::default(),
            roles: Arc::default(),
            require_mention: true,
            ignore_other_mentions: false,
            ignore_broadcast_mentions: false,
            tools: Arc::default(),
            channels: Entries::default(),
        }
    }
}

/// `guilds.<key>.channels.<key>`, likewise. What is `None` is as in the guild.
#[derive(Clone, Debug)]
pub struct ChannelAccess {
    /// `enabled`.
    pub enabled: bool,
    /// `users` in place of the guild's.
    pub users: Option<Arc<People>>,
    /// `roles` in place of the guild's.
    pub roles: Option<Arc<HashSet<RoleId>>>,
    /// `requireMention`.
    pub require_mention: Option<bool>,
    /// `ignoreOtherMentions`.
    pub ignore_other_mentions: Option<bool>,
    /// `autoThread`.
    pub auto_thread: bool,
    /// `tools` and `toolsBySender`, before the guild's.
    pub tools: Arc<ToolRules>,
}

impl Default for ChannelAccess {
    fn default() -> Self {
        Self {
            enabled: true,
            users: None,
            roles: None,
            require_mention: None,
            ignore_other_mentions: None,
            auto_thread: false,
            tools: Arc::default(),
        }
    }
}

/// What is configured for a place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found<'a> {
    guild: Option<&'a GuildAccess>,
    channel: Option<&'a ChannelAccess>,
}

impl Found<'_> {
    /// Whether the agent must be called there: if nothing says otherwise it must.
    #[must_use]
    pub fn requires_mention(&self) -> bool {
        let own = self.channel.and_then(|channel| channel.require_mention);
        own.unwrap_or_else(|| self.guild.is_none_or(|guild| guild.require_mention))
    }

    /// Whether messages to somebody else are left alone.
    #[must_use]
    pub fn ignores_other_mentions(&self) -> bool {
        let own = self.channel.and_then(|channel| channel.ignore_other_mentions);
        own.unwrap_or_else(|| self.guild.is_some_and(|guild| guild.ignore_other_mentions))
    }

    /// Whether `@everyone` does not call the agent.
    #[must_use]
    pub fn ignores_broadcasts(&self) -> bool {
        self.guild.is_some_and(|guild| guild.ignore_broadcast_mentions)
    }

    /// Whether answers go into threads of their own.
    #[must_use]
    pub fn opens_threads(&self) -> bool {
        self.channel.is_some_and(|channel| channel.auto_thread)
    }
}

/// A channel of a guild, with the names that are known.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The guild.
    pub guild: GuildId,
    /// Its name; empty if unknown.
    pub guild_name: &'a str,
    /// The channel, or the thread.
    pub channel: ChannelId,
    /// The channel's name; empty if unknown.
    pub channel_name: &'a str,
    /// Of a thread, the channel it belongs to.
    pub parent: Option<Parent<'a>>,
}

/// The channel a thread belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'a> {
    /// Its id.
    pub id: ChannelId,
    /// Its name; empty if unknown.
    pub name: &'a str,
}

/// `channels.discord`, as far as it says who may talk to the agent in guilds.
#[derive(Clone, Debug, Default)]
pub struct AccessRules {
    /// `groupPolicy`.
    pub group_policy: GroupPolicy,
    /// `guilds`, by id, slug or `*`.
    pub guilds: Entries<GuildAccess>,
    /// `dangerouslyAllowNameMatching`.
    pub match_names: bool,
}

impl AccessRules {
    /// What is configured for a place.
    #[must_use]
    pub fn find(&self, place: &Place<'_>) -> Found<'_> {
        let guild = place.guild_entry(&self.guilds);
        Found { guild, channel: guild.and_then(|guild| place.channel_entry(&guild.channels)) }
    }

    /// The room, if the agent listens there at all.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn room(&self, place: &Place<'_>) -> Result<Room, Refusal> {
        self.room_of(&self.find(place))
    }

    /// The same of a place whose entries were found.
    ///
    /// # Errors
    ///
    /// Why the agent does not listen there.
    pub fn room_of(&self, found: &Found<'_>) -> Result<Room, Refusal> {
        let Found { guild, channel } = found;
        if guild.is_none() && !self.guilds.is_empty() {
            return Err(Refusal::GuildNotConfigured);
        }
        if channel.is_some_and(|channel| !channel.enabled) {
            return Err(Refusal::ChannelDisabled);
        }
        match self.group_policy {
            GroupPolicy::Disabled => return Err(Refusal::GroupPolicyDisabled),
            GroupPolicy::Allowlist if guild.is_none() => return Err(Refusal::GroupPolicyNoGuild),
            GroupPolicy::Allowlist | GroupPolicy::Open => {}
        }
        if channel.is_none() && guild.is_some_and(|guild| !guild.channels.is_empty()) {
            return Err(Refusal::ChannelNotAllowlisted);
        }
        let users = channel.and_then(|channel| channel.users.as_ref());
        let roles = channel.and_then(|channel| channel.roles.as_ref());
        Ok(Room {
            users: users.or(guild.map(|guild| &guild.users)).cloned().unwrap_or_default(),
            roles: roles.or(guild.map(|guild| &guild.roles)).cloned().unwrap_or_default(),
            tools: channel
                .map(|it| &it.tools)
                .into_iter()
                .chain(guild.map(|it| &it.tools))
                .cloned()
                .collect(),
            match_names: self.match_names,
        })
    }
}

impl Place<'_> {
    /// The entry of its guild.
    #[must_use]
    pub fn guild_entry<'e, T>(&self, guilds: &'e Entries<T>) -> Option<&'e T> {
        guilds.find(Named { id: self.guild.get(), name: self.guild_name }, None)
    }

    /// The entry of its channel; a thread without one of its own has its parent's. A thread's own
    /// name never matches: whoever opens threads could name one after a channel.
    #[must_use]
    pub fn channel_entry<'e, T>(&self, channels: &'e Entries<T>) -> Option<&'e T> {
        let name = if self.parent.is_none() { self.channel_name } else { "" };
        let parent = self.parent.map(|parent| Named { id: parent.id.get(), name: parent.name });
        channels.find(Named { id: self.channel.get(), name }, parent)
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_config::Sender;

    use super::*;
    use crate::{UserId, access::Member};

    const ADA: Member<'static> = Member::by_id(UserId::new(31));
    const BEN: Member<'static> = Member::by_id(UserId::new(32));

    fn place(channel: u64, name: &'static str) -> Place<'static> {
        Place {
            guild: GuildId::new(1),
            guild_name: "The Guild",
            channel: ChannelId::new(channel),
            channel_name: name,
            parent: None,
        }
    }

    fn thread(id: u64, name: &'static str) -> Place<'static> {
        let parent = Some(Parent { id: ChannelId::new(5), name: "Help" });
        Place { parent, ..place(id, name) }
    }

    fn rules(policy: GroupPolicy, guilds: Vec<(&str, GuildAccess)>) -> AccessRules {
        AccessRules {
            group_policy: policy,
            guilds: guilds.into_iter().collect(),
            match_names: false,
        }
    }

    fn with_channels(channels: Vec<(&str, ChannelAccess)>) -> GuildAccess {
        GuildAccess { channels: channels.into_iter().collect(), ..GuildAccess::default() }
    }

    fn off() -> ChannelAccess {
        ChannelAccess { enabled: false, ..ChannelAccess::default() }
    }

    fn users(ids: &[u64]) -> Arc<People> {
        Arc::new(People::of(ids.iter().copied().map(UserId::new)))
    }

    fn everybody() -> Arc<People> {
        Arc::new(People::without_groups(&[Sender::Anyone]))
    }

    #[test]
    fn which_guilds_are_served() {
        use GroupPolicy::{Allowlist, Disabled, Open};
        let any = GuildAccess::default;
        let here = place(5, "help");
        for (policy, guilds, refusal) in [
            (Open, vec![], None),
            (Allowlist, vec![], Some(Refusal::GroupPolicyNoGuild)),
            (Disabled, vec![], Some(Refusal::GroupPolicyDisabled)),
            (Open, vec![("2", any())], Some(Refusal::GuildNotConfigured)),
            (Allowlist, vec![("2", any())], Some(Refusal::GuildNotConfigured)),
            (Allowlist, vec![("1", any())], None),
            (Allowlist, vec![("the-guild", any())], None),
            (Allowlist, vec![("The Guild", any())], None),
            (Allowlist, vec![("*", any())], None),
            (Disabled, vec![("1", any())], Some(Refusal::GroupPolicyDisabled)),
        ] {
            let rules = rules(policy, guilds.clone());
            assert_eq!(rules.room(&here).err(), refusal, "{policy:?} {guilds:?}");
        }
    }

    #[test]
    fn channels_are_an_allowlist_as_soon_as_there_is_one() {
        let on = ChannelAccess::default;
        for (channels, refusal) in [
            (vec![], None),
            (vec![("5", on())], None),
            (vec![("help", on())], None),
            (vec![("*", on())], None),
            (vec![("6", on())], Some(Refusal::ChannelNotAllowlisted)),
            (vec![("5", off())], Some(Refusal::ChannelDisabled)),
            // An entry of its own goes before `*`, either way.
            (vec![("*", off()), ("5", on())], None),
            (vec![("*", on()), ("5", off())], Some(Refusal::ChannelDisabled)),
        ] {
            for policy in [GroupPolicy::Allowlist, GroupPolicy::Open] {
                let rules = rules(policy, vec![("1", with_channels(channels.clone()))]);
                let answer = rules.room(&place(5, "Help")).err();
                assert_eq!(answer, refusal, "{policy:?} {channels:?}");
            }
        }
    }

    #[test]
    fn a_thread_has_its_parents_entry_and_gains_nothing_by_its_name() {
        let on = ChannelAccess::default;
        let admits = |key: &str, place: Place<'_>| {
            let channels = with_channels(vec![(key, on())]);
            rules(GroupPolicy::Allowlist, vec![("1", channels)]).room(&place).is_ok()
        };
        assert!(admits("5", thread(9, "question")));
        assert!(admits("help", thread(9, "question")));
        assert!(admits("9", thread(9, "question")));
        assert!(!admits("staff", thread(9, "Staff")));
        assert!(admits("staff", place(9, "Staff")));
    }

    #[test]
    fn users_or_roles_admit_and_a_channels_list_replaces_the_guilds() {
        let guild = GuildAccess {
            users: users(&[31]),
            roles: Arc::new([RoleId::new(80)].into()),
            ..with_channels(vec![
                ("5", ChannelAccess::default()),
                ("6", ChannelAccess { users: Some(everybody()), ..ChannelAccess::default() }),
                ("7", ChannelAccess { roles: Some(Arc::new([RoleId::new(81)].into())), ..off() }),
            ])
        };
        let rules = rules(GroupPolicy::Allowlist, vec![("1", guild)]);
        let room = rules.room(&place(5, "")).unwrap();
        let with_role = Member { roles: &[RoleId::new(80)], ..BEN };
        assert!(room.admits(&ADA) && !room.admits(&BEN) && room.admits(&with_role));
        assert!(rules.room(&place(6, "")).unwrap().admits(&BEN));
        assert_eq!(rules.room(&place(7, "")).err(), Some(Refusal::ChannelDisabled));
    }

    #[test]
    fn without_a_restriction_everybody_is_admitted() {
        let rules = rules(GroupPolicy::Open, vec![]);
        let room = rules.room(&place(5, "")).unwrap();
        assert!(!room.is_restricted() && room.admits(&ADA) && room.admits(&BEN));
    }
}
