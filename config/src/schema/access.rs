//! Who may talk to the bot, and where: `channels.discord`'s direct messages, groups, bots, mentions.

use std::collections::BTreeMap;

use crate::{
    cursor::{Section, join},
    describe::Kind,
    error::Problem,
    field::Field,
    schema::{
        declare::{block, words},
        id::{DiscordId, id},
        people::{self, Sender},
    },
};

words! {
    /// `dmPolicy`: who may write to the bot in private.
    DmPolicy {
        /// Listed and paired people; others get a pairing code.
        Pairing = "pairing",
        /// Listed people.
        Allowlist = "allowlist",
        /// Everybody; needs `"*"` in `allowFrom`.
        Open = "open",
        /// Nobody.
        Disabled = "disabled",
    }
}

words! {
    /// `groupPolicy`: in which servers and channels the bot listens.
    GroupPolicy {
        /// In all, unless `guilds` is written.
        Open = "open",
        /// In those of `guilds`.
        Allowlist = "allowlist",
        /// In none.
        Disabled = "disabled",
    }
}

words! {
    /// `contextVisibility`: whose quoted and earlier messages are shown to the agent.
    ContextVisibility {
        /// Everybody's.
        All = "all",
        /// Those of people who may talk to it.
        Allowlist = "allowlist",
        /// The same, and what they quote.
        AllowlistQuote = "allowlist_quote",
    }
}

words! {
    /// `mentionPatterns.mode`.
    PatternMode {
        /// Patterns count everywhere but in `denyIn`.
        Allow = "allow",
        /// Patterns count in `allowIn` only.
        Deny = "deny",
    }
}

words! {
    /// `allowBots`: whether other bots are heard.
    AllowBots {
        /// Never (`false`).
        No = "false",
        /// When they mention the bot.
        Mentions = "mentions",
        /// Always (`true`).
        Yes = "true",
    }
}

block! {
    /// `botLoopProtection`: how often two bots may answer each other.
    BotLoopProtection {
        /// Default on.
        enabled: bool = bool_or("enabled", true),
        /// So many messages a window, both ways together. Default 20.
        max_events: u32 = whole_or("maxEventsPerWindow", 1, u32::MAX, 20),
        /// Default 60 s.
        window: std::time::Duration = seconds_or("windowSeconds", 1, 86_400, 60),
        /// Silence after too many. Default 60 s.
        cooldown: std::time::Duration = seconds_or("cooldownSeconds", 1, 86_400, 60),
    }
}

block! {
    /// `mentionPatterns`: in which channels patterns count as a mention.
    MentionPatterns {
        /// Default `allow`.
        mode: PatternMode = word_or("mode", PatternMode::Allow),
        /// Channel ids or names.
        allow_in: Option<Vec<String>> = names("allowIn"),
        /// Channel ids or names.
        deny_in: Option<Vec<String>> = names("denyIn"),
    }
}

/// Who may talk to the bot.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// `allowBots`. Default no.
    pub allow_bots: AllowBots,
    /// `botLoopProtection`, key by key over `channels.defaults`'s.
    pub bot_loop: BotLoopProtection,
    /// `dangerouslyAllowNameMatching`: names and tags in lists count. Default off.
    pub name_matching: bool,
    /// `mentionAliases`: who `@handle` in an answer is.
    pub mention_aliases: BTreeMap<String, DiscordId>,
    /// `mentionPatterns`.
    pub mention_patterns: MentionPatterns,
    /// `dm.enabled`. Default on.
    pub dm_enabled: bool,
    /// `dmPolicy`. Default `pairing`.
    pub dm_policy: DmPolicy,
    /// `dm.groupEnabled`: group messages are read. Default off.
    pub group_dms: bool,
    /// `dm.groupChannels`: ids or names; unset or empty: all.
    pub group_dm_channels: Vec<String>,
    /// `allowFrom`: of the account, its `dm`, the root, the root's `dm`, the first that is written.
    pub allow_from: Option<Vec<Sender>>,
    /// `groupPolicy`, else `channels.defaults`'s if there is a `channels.discord`. Default
    /// `allowlist`.
    pub group_policy: GroupPolicy,
    /// `contextVisibility`, else `channels.defaults`'s. Default `all`.
    pub context_visibility: ContextVisibility,
    /// `defaultTo`: where a message without a target goes.
    pub default_to: Option<String>,
}

/// `defaults` is `channels.defaults`; `checked`: the account is used as it is read here.
pub(crate) fn read(section: &Section<'_, '_>, defaults: &Section<'_, '_>, checked: bool) -> Access {
    let dm = section.section("dm");
    dm.leave_alone(&["policy", "allowFrom"]);
    let is_written = section.is_present() && !section.is_describing();
    let group_policy = section.word::<GroupPolicy>("groupPolicy");
    let general = defaults.word::<GroupPolicy>("groupPolicy");
    let visibility = section.word::<ContextVisibility>("contextVisibility");
    let general_visibility = defaults.word_or("contextVisibility", ContextVisibility::All);
    let access = Access {
        allow_bots: allow_bots(section),
        bot_loop: crate::cursor::Block::read(
            &section.merged("botLoopProtection").over(&defaults.section("botLoopProtection")),
        ),
        name_matching: section.bool_or("dangerouslyAllowNameMatching", false),
        mention_aliases: aliases(&section.section("mentionAliases")),
        mention_patterns: section.block("mentionPatterns"),
        dm_enabled: dm.bool_or("enabled", true),
        dm_policy: dm_policy(section),
        group_dms: dm.bool_or("groupEnabled", false),
        group_dm_channels: dm.names("groupChannels").unwrap_or_default(),
        allow_from: allow_from(section),
        group_policy: word_or_general(
            section,
            "groupPolicy",
            group_policy,
            general.filter(|_| is_written).unwrap_or(GroupPolicy::Allowlist),
        ),
        context_visibility: word_or_general(
            section,
            "contextVisibility",
            visibility,
            general_visibility,
        ),
        default_to: section.text("defaultTo"),
    };
    dm.finish();
    if checked {
        check(section, &access);
    }
    access
}

fn word_or_general<T: crate::cursor::Word>(
    section: &Section<'_, '_>,
    key: &'static str,
    own: Option<T>,
    general: T,
) -> T {
    match own {
        Some(own) => own,
        None => section.word_or_noted(key, general),
    }
}

/// What a policy needs to be meant: an `open` door says so twice, an allowlist lists somebody.
fn check(section: &Section<'_, '_>, access: &Access) {
    let listed = access.allow_from.as_deref().unwrap_or_default();
    let list = match section.path().strip_prefix("channels.discord.accounts.") {
        Some(account) => format!("`allowFrom` of account {account}"),
        None => "`allowFrom`".to_owned(),
    };
    let (problem, hint) = match access.dm_policy {
        DmPolicy::Open if !listed.contains(&Sender::Anyone) => (
            format!("\"open\" needs \"*\" in {list}, so that nobody opens the door by mistake"),
            "write `allowFrom: [\"*\"]`, or use \"pairing\" or \"allowlist\"",
        ),
        DmPolicy::Allowlist if listed.is_empty() => (
            format!("\"allowlist\" needs somebody in {list}"),
            "write `allowFrom: [\"<user id>\"]`, or use \"pairing\" or \"disabled\"",
        ),
        _ => return,
    };
    if let Some(field) = policy_field(section, false) {
        field.refuse(&problem, hint);
    }
}

/// Where the policy is written: for each of the account and the root `dmPolicy`, then `dm.policy`.
fn policy_field<'w, 't>(section: &Section<'w, 't>, with_warning: bool) -> Option<Field<'w, 't>> {
    first_of(section, "dmPolicy", "policy", with_warning)
}

fn dm_policy(section: &Section<'_, '_>) -> DmPolicy {
    let written = policy_field(section, true)
        .and_then(|field| field.choice(<DmPolicy as crate::cursor::Word>::WORDS));
    match written {
        Some(policy) => policy,
        None => section.word_or_noted("dmPolicy", DmPolicy::Pairing),
    }
}

fn allow_from(section: &Section<'_, '_>) -> Option<Vec<Sender>> {
    people::senders(&first_of(section, "allowFrom", "allowFrom", true)?)
}

/// `key` of a layer, else `old` in its `dm`; then the same of the next layer.
fn first_of<'w, 't>(
    section: &Section<'w, 't>,
    key: &'static str,
    old: &'static str,
    with_warning: bool,
) -> Option<Field<'w, 't>> {
    section.leave_alone(&[key]);
    if section.is_describing() {
        let new = join(section.path(), key);
        section.section("dm").legacy(old, &new, false);
        return section.field(key);
    }
    let new = join(section.path(), key);
    section.each_layer().into_iter().find_map(|layer| {
        let written = layer.field(key);
        let dm = layer.field("dm").and_then(|field| field.if_object());
        let legacy = match dm {
            Some(dm) if with_warning => dm.legacy(old, &new, written.is_some()),
            Some(dm) => dm.field(old),
            None => None,
        };
        written.or(legacy)
    })
}

fn allow_bots(section: &Section<'_, '_>) -> AllowBots {
    let written = section
        .field("allowBots")
        .and_then(|field| field.bool_or_word(&[("mentions", AllowBots::Mentions)]));
    let written = written.map(|value| match value {
        Ok(mentions) => mentions,
        Err(true) => AllowBots::Yes,
        Err(false) => AllowBots::No,
    });
    section.or("allowBots", written.map(|bots| bots == AllowBots::Yes), false);
    written.unwrap_or(AllowBots::No)
}

/// Handles of `[a-z0-9_.-]`, 2 to 32 characters, perhaps with a tag.
fn aliases(section: &Section<'_, '_>) -> BTreeMap<String, DiscordId> {
    section.finish_leniently();
    let mut aliases = BTreeMap::new();
    for (handle, field) in section.entries() {
        let Some(user) = id(&field) else { continue };
        let name = handle.trim_start_matches('@').to_ascii_lowercase();
        let plain = name.split_once('#').map_or(name.as_str(), |(plain, _)| plain);
        let good = plain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if !good || !(2..=32).contains(&plain.len()) {
            field.fail(
                Problem::Invalid("this handle can never be written".to_owned()),
                Some("2 to 32 of the letters a to z, digits, `_`, `.` and `-`".to_owned()),
            );
            continue;
        }
        aliases.insert(name, user);
    }
    aliases
}

/// Names or ids: texts and numbers.
pub(crate) fn names(field: &Field<'_, '_>) -> Option<Vec<String>> {
    let read = |item: &Field<'_, '_>| {
        item.declare(|| Kind::Other("an id or a name"));
        match item.if_number() {
            Some(_) => id(item).map(|id| id.to_string()),
            None => item.text(),
        }
    };
    Some(field.list()?.iter().filter_map(read).collect())
}

impl Section<'_, '_> {
    /// Names or ids under `key`.
    pub(crate) fn names(&self, key: &'static str) -> Option<Vec<String>> {
        names(&self.field(key)?)
    }

    /// The default of a word that is not written, or comes from elsewhere.
    pub(crate) fn word_or_noted<T: crate::cursor::Word>(&self, key: &'static str, word: T) -> T {
        self.or(key, None::<&str>, word.word());
        word
    }

    /// People under `key`.
    pub(crate) fn senders(&self, key: &'static str) -> Option<Vec<Sender>> {
        people::senders(&self.field(key)?)
    }

    /// Roles under `key`.
    pub(crate) fn roles(&self, key: &'static str) -> Option<Vec<DiscordId>> {
        people::roles(&self.field(key)?)
    }

    /// An id under `key`.
    pub(crate) fn id(&self, key: &'static str) -> Option<DiscordId> {
        id(&self.field(key)?)
    }
}
