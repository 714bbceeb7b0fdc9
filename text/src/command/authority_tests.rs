//! The documented order, written down once more in another way, and compared on generated cases.

use std::collections::BTreeMap;

use clawvoice_session::{ChannelId, GuildId, RoleId, UserId};
use proptest::{prelude::*, sample::select};

use super::*;

const ADA: u64 = 31;
const BEN: u64 = 32;
const CREW: u64 = 80;

/// A list of people in the file: left out, of these ids, or of everybody.
#[derive(Clone, Copy, Debug, PartialEq)]
enum List {
    Absent,
    Of(u64),
    Everybody,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Channels {
    /// No entries: all channels.
    All,
    Ours,
    OursOff,
    Others,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Channel,
    Thread,
    Direct,
    Group,
    /// Without a guild, and Discord does not say what it is.
    Unknown,
}

#[derive(Clone, Debug)]
struct Case {
    group_policy: &'static str,
    /// `None`: no entry of `guilds`; false: another guild's alone.
    our_guild: Option<bool>,
    channels: Channels,
    guild_users: List,
    channel_users: List,
    guild_roles: bool,
    dm_enabled: bool,
    dm_policy: &'static str,
    groups: bool,
    group_list: Option<bool>,
    allow_from: List,
    owners: List,
    command_list: List,
    access_groups: bool,
    by: u64,
    crew: bool,
    at: Where,
    paired: bool,
    bound: bool,
}

fn json(list: List) -> Option<String> {
    match list {
        List::Absent => None,
        List::Of(id) => Some(format!("['{id}']")),
        List::Everybody => Some("['*']".to_owned()),
    }
}

fn key(name: &str, value: Option<String>) -> String {
    value.map_or(String::new(), |value| format!("{name}: {value}, "))
}

impl Case {
    /// `dmPolicy: "open"` needs everybody on the list, `"allowlist"` somebody.
    fn listed(&self) -> List {
        match (self.dm_policy, self.allow_from) {
            ("open", _) => List::Everybody,
            ("allowlist", List::Absent) => List::Of(BEN),
            (_, list) => list,
        }
    }

    fn config(&self) -> String {
        let users = key("users", json(self.channel_users));
        let channels = match self.channels {
            Channels::All => String::new(),
            Channels::Ours => format!("channels: {{ 5: {{ {users} }} }},"),
            Channels::OursOff => format!("channels: {{ 5: {{ {users} enabled: false }} }},"),
            Channels::Others => format!("channels: {{ 50: {{ {users} }} }},"),
        };
        let guild = format!(
            "{} {} {channels}",
            key("users", json(self.guild_users)),
            if self.guild_roles { format!("roles: ['{CREW}'],") } else { String::new() },
        );
        let guilds = match self.our_guild {
            None => String::new(),
            Some(ours) => format!("guilds: {{ {}: {{ {guild} }} }},", if ours { 1 } else { 2 }),
        };
        let group_list = match self.group_list {
            None => "",
            Some(true) => "groupChannels: ['9'],",
            Some(false) => "groupChannels: ['90'],",
        };
        format!(
            "{{ commands: {{ {} {} useAccessGroups: {} }}, channels: {{ discord: {{ token: 'a.b.c', \
             groupPolicy: '{}', dmPolicy: '{}', {} {guilds} dm: {{ enabled: {}, groupEnabled: {}, \
             {group_list} }} }} }} }}",
            key("ownerAllowFrom", json(self.owners)),
            key("allowFrom", json(self.command_list).map(|list| format!("{{ discord: {list} }}"))),
            self.access_groups,
            self.group_policy,
            self.dm_policy,
            key("allowFrom", json(self.listed())),
            self.dm_enabled,
            self.groups,
        )
    }

    fn policy(&self) -> InboundPolicy {
        let text = self.config();
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, std::path::Path::new("/c.json5"), &env)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        InboundPolicy::new(&config, &config.discord, "default")
    }

    fn caller(&self) -> Caller {
        let at = |channel, kind, parent: Option<u64>| AskedIn {
            channel: ChannelId::new(channel),
            kind,
            name: String::new(),
            parent: parent.map(ChannelId::new),
        };
        let asked_in = match self.at {
            Where::Channel => at(5, Some(PlaceKind::Text), None),
            Where::Thread => at(6, Some(PlaceKind::Thread), Some(5)),
            Where::Direct => at(8, Some(PlaceKind::Direct), None),
            Where::Group => at(9, Some(PlaceKind::GroupDirect), None),
            Where::Unknown => at(10, None, None),
        };
        let in_guild = matches!(self.at, Where::Channel | Where::Thread);
        Caller {
            guild: in_guild.then(|| GuildId::new(1)),
            asked_in: Some(asked_in),
            user: Some(UserId::new(self.by)),
            roles: if in_guild && self.crew { vec![RoleId::new(CREW)] } else { Vec::new() },
            ..Caller::default()
        }
    }

    fn judged(&self) -> Ruling {
        let (places, policy) = (Places::default(), self.policy());
        let mut facts =
            Facts { places: &places, dm_is_bound: self.bound, paired: None, audiences: &[] };
        let mut ruling = judge(&self.caller(), &facts, &policy);
        if ruling == Ruling::Needs(CallerNeed::Paired) {
            facts.paired = Some(self.paired);
            ruling = judge(&self.caller(), &facts, &policy);
        }
        ruling
    }

    /// What the documentation says, step by step; `None`: they may.
    fn expected(&self) -> Option<&'static str> {
        const DENIED: Option<&str> = Some("You are not authorized to use this command.");
        let is_on = |list: List| match list {
            List::Absent => false,
            List::Of(id) => id == self.by,
            List::Everybody => true,
        };
        let in_guild = self.at == Where::Channel || self.at == Where::Thread;
        // 1. The place.
        if self.at == Where::Unknown {
            return Some("Channel details are unavailable right now. Try this interaction again.");
        }
        if in_guild {
            let entry = self.our_guild == Some(true);
            if entry && self.channels == Channels::OursOff {
                return Some("This channel is disabled.");
            }
            let served = match self.group_policy {
                "disabled" => false,
                "allowlist" => entry,
                _ => entry || self.our_guild.is_none(),
            };
            if !served || (entry && self.channels == Channels::Others) {
                return Some("This channel is not allowed.");
            }
        }
        if self.at == Where::Group {
            if !self.groups {
                return Some("Discord group DMs are disabled.");
            }
            if self.group_list == Some(false) {
                return Some("This channel is not allowed.");
            }
        }
        if self.at == Where::Direct {
            if !self.dm_enabled || (self.dm_policy == "disabled" && !self.bound) {
                return Some("Discord DMs are disabled.");
            }
            let heard =
                self.bound || is_on(self.listed()) || (self.dm_policy == "pairing" && self.paired);
            if !heard {
                return match self.dm_policy {
                    "pairing" => {
                        Some("Pairing already requested. Ask the bot owner to approve your code.")
                    }
                    _ => DENIED,
                };
            }
        }
        // 2. `commands.allowFrom` alone, if it is there.
        if self.command_list != List::Absent {
            return if is_on(self.command_list) { None } else { DENIED };
        }
        // 3. Owners and `allowFrom`, in which everybody is nobody; and the place's own people.
        let persons = [self.owners, self.listed()];
        let by_name = persons.contains(&List::Of(self.by));
        let entry = in_guild && self.our_guild == Some(true);
        let users = match (entry, self.channels, self.channel_users) {
            (false, ..) => List::Absent,
            (true, Channels::Ours, list) if list != List::Absent => list,
            (true, ..) => self.guild_users,
        };
        let restricted = entry && (users != List::Absent || self.guild_roles);
        let by_room = restricted && (is_on(users) || (self.guild_roles && self.crew));
        let may = match self.access_groups {
            true => by_name || by_room,
            false => !restricted || by_room,
        };
        if may { None } else { DENIED }
    }
}

fn list() -> impl Strategy<Value = List> {
    select(vec![List::Absent, List::Absent, List::Of(ADA), List::Of(BEN), List::Everybody])
}

/// Owners are named: everybody is none of them.
fn owners() -> impl Strategy<Value = List> {
    select(vec![List::Absent, List::Of(ADA), List::Of(BEN)])
}

prop_compose! {
    fn guild_side()(
        group_policy in select(vec!["open", "allowlist", "disabled"]),
        our_guild in select(vec![None, Some(true), Some(true), Some(false)]),
        channels in select(vec![
            Channels::All, Channels::Ours, Channels::OursOff, Channels::Others,
        ]),
        guild_users in list(),
        channel_users in list(),
        guild_roles in any::<bool>(),
    ) -> (&'static str, Option<bool>, Channels, List, List, bool) {
        (group_policy, our_guild, channels, guild_users, channel_users, guild_roles)
    }
}

prop_compose! {
    fn case()(
        guild in guild_side(),
        (dm_enabled, groups, access_groups) in any::<(bool, bool, bool)>(),
        dm_policy in select(vec!["pairing", "allowlist", "open", "disabled"]),
        group_list in select(vec![None, Some(true), Some(false)]),
        (allow_from, owners, command_list) in (list(), owners(), list()),
        by in select(vec![ADA, BEN]),
        at in select(vec![
            Where::Channel, Where::Thread, Where::Direct, Where::Group, Where::Unknown,
        ]),
        (crew, paired, bound) in any::<(bool, bool, bool)>(),
    ) -> Case {
        let (group_policy, our_guild, channels, guild_users, channel_users, guild_roles) = guild;
        Case {
            group_policy, our_guild, channels, guild_users, channel_users, guild_roles,
            dm_enabled, dm_policy, groups, group_list, allow_from, owners, command_list,
            access_groups, by, crew, at, paired, bound,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn as_documented(case in case()) {
        let told = match case.judged() {
            Ruling::Allowed => None,
            Ruling::Denied(denial) => Some(denial.to_string()),
            Ruling::Needs(need) => panic!("{need:?}: {case:?}"),
        };
        prop_assert_eq!(told.as_deref(), case.expected(), "{}", case.config());
    }
}

fn policy(text: &str) -> InboundPolicy {
    let text = format!("{{ {text} }}");
    let env: BTreeMap<String, String> = BTreeMap::new();
    let config = clawvoice_config::parse(&text, std::path::Path::new("/c.json5"), &env).unwrap();
    InboundPolicy::new(&config, &config.discord, "default")
}

fn in_channel(kind: Option<PlaceKind>, parent: Option<u64>) -> Caller {
    Caller {
        interaction: 70,
        guild: Some(GuildId::new(1)),
        asked_in: Some(AskedIn {
            channel: ChannelId::new(5),
            kind,
            name: "chat".to_owned(),
            parent: parent.map(ChannelId::new),
        }),
        user: Some(UserId::new(ADA)),
        roles: Vec::new(),
        nick: Some("boss".to_owned()),
        names: vec!["ada".to_owned()],
    }
}

#[test]
fn what_is_missing_in_the_payload_opens_nothing() {
    let open = policy(
        "commands: { useAccessGroups: false }, channels: { discord: { token: 'a.b.c', \
         groupPolicy: 'open' } }",
    );
    let places = Places::default();
    let facts = Facts { places: &places, dm_is_bound: false, paired: None, audiences: &[] };
    let judged = |by: &Caller| judge(by, &facts, &open);
    let whole = in_channel(Some(PlaceKind::Text), None);
    assert_eq!(judged(&whole), Ruling::Allowed);
    let nobody = Caller { user: None, ..whole.clone() };
    assert_eq!(judged(&nobody), Denial::NotAuthorized.into());
    let nowhere = Caller { asked_in: None, ..whole.clone() };
    assert_eq!(judged(&nowhere), Denial::PlaceUnknown.into());
    // A thread of nobody knows which channel.
    let thread = in_channel(Some(PlaceKind::Thread), None);
    assert_eq!(judged(&thread), Denial::PlaceUnknown.into());
    assert_eq!(judged(&in_channel(Some(PlaceKind::Thread), Some(7))), Ruling::Allowed);
    // A guild's channel without its guild is no direct message.
    let stray = Caller { guild: None, ..whole };
    assert_eq!(judged(&stray), Denial::PlaceUnknown.into());
}

/// Nicknames are given by others, so they name nobody; usernames do, where names may be matched.
#[test]
fn names() {
    let of = |name: &str| {
        policy(&format!(
            "commands: {{ allowFrom: {{ discord: ['{name}'] }} }}, channels: {{ discord: {{ token: \
             'a.b.c', groupPolicy: 'open', dangerouslyAllowNameMatching: true }} }}"
        ))
    };
    let places = Places::default();
    let facts = Facts { places: &places, dm_is_bound: false, paired: None, audiences: &[] };
    let ada = in_channel(Some(PlaceKind::Text), None);
    assert_eq!(judge(&ada, &facts, &of("ada")), Ruling::Allowed);
    assert_eq!(judge(&ada, &facts, &of("boss")), Denial::NotAuthorized.into());
}

#[test]
fn an_audience_is_asked_about_once() {
    let staff = policy(
        "accessGroups: { staff: { type: 'discord.channelAudience', guildId: '1', channelId: '7' } \
         }, commands: { allowFrom: { discord: ['accessGroup:staff'] } }, channels: { discord: { \
         token: 'a.b.c', groupPolicy: 'open' } }",
    );
    let places = Places::default();
    let ada = in_channel(Some(PlaceKind::Text), None);
    let audience = Audience { guild: GuildId::new(1), channel: ChannelId::new(7) };
    let judged = |audiences: &[(Audience, bool)]| {
        let facts = Facts { places: &places, dm_is_bound: false, paired: None, audiences };
        judge(&ada, &facts, &staff)
    };
    assert_eq!(judged(&[]), Ruling::Needs(CallerNeed::Audience(audience)));
    assert_eq!(judged(&[(audience, true)]), Ruling::Allowed);
    assert_eq!(judged(&[(audience, false)]), Denial::NotAuthorized.into());
}

/// What is asked behind `/new` has no more tools than if it had been written; on which list somebody
/// is must be known for that.
#[test]
fn the_places_tools_are_those_of_its_commands() {
    let with = |guild: &str| {
        policy(&format!(
            "accessGroups: {{ staff: {{ type: 'discord.channelAudience', guildId: '1', channelId: \
             '7' }} }}, commands: {{ allowFrom: {{ discord: ['{ADA}'] }} }}, channels: {{ discord: \
             {{ token: 'a.b.c', guilds: {{ '1': {{ {guild} }} }} }} }}"
        ))
    };
    let places = Places::default();
    let ada = in_channel(Some(PlaceKind::Text), None);
    let audience = Audience { guild: GuildId::new(1), channel: ChannelId::new(7) };
    let lists = |text: &str, audiences: &[(Audience, bool)]| {
        let facts = Facts { places: &places, dm_is_bound: false, paired: None, audiences };
        let policy = with(text);
        let ruling = judge(&ada, &facts, &policy);
        (ruling, tools(&ada, &facts, &policy).and_then(|lists| lists.allow.clone()))
    };
    let read = Some(vec!["read".to_owned()]);
    assert_eq!(lists("", &[]), (Ruling::Allowed, None));
    assert_eq!(lists("tools: { allow: ['read'] }", &[]), (Ruling::Allowed, read.clone()));
    let by_sender = "toolsBySender: { 'accessGroup:staff': { allow: ['read'] } }";
    assert_eq!(lists(by_sender, &[]).0, Ruling::Needs(CallerNeed::Audience(audience)));
    assert_eq!(lists(by_sender, &[(audience, true)]), (Ruling::Allowed, read));
    assert_eq!(lists(by_sender, &[(audience, false)]), (Ruling::Allowed, None));
}
