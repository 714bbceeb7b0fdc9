//! Commands: the file's top-level `commands`, and what an account says over it.

use std::collections::BTreeMap;

use crate::{
    cursor::Section,
    schema::{
        id::DiscordId,
        people::{self, Sender},
    },
};

/// `channels.discord.commands` over the top-level `commands`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commands {
    /// `native` (bool or `"auto"`), else the file's top-level `commands.native`.
    /// Default on. Off skips both registration and clean-up.
    pub native: bool,
    /// `nativeSkills`, likewise: skills as slash commands.
    pub native_skills: bool,
}

/// The top-level `commands`. Other keys of it are left alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRules {
    /// `text`: commands can be written as text. Default on.
    pub text: bool,
    /// `native`: slash commands. Default on.
    pub native: bool,
    /// `nativeSkills`. Default on.
    pub native_skills: bool,
    /// `config`: `/config` exists. Default off.
    pub config: bool,
    /// `useAccessGroups`: commands need authority. Default on.
    pub use_access_groups: bool,
    /// `ownerAllowFrom`: the Discord users who own the agent.
    pub owners: Option<Vec<DiscordId>>,
    /// `ownerFromAllowFrom`, ours: as OpenClaw documents it, who is in `allowFrom` (else in
    /// `dm.allowFrom`) by id owns the agent if `ownerAllowFrom` is not written. Default off:
    /// being admitted makes nobody an owner.
    pub owner_from_allow_from: bool,
    /// `allowFrom.discord`, else `allowFrom["*"]`: the only ones with authority over commands.
    pub allow_from: Option<Vec<Sender>>,
}

pub(crate) fn rules(section: &Section<'_, '_>) -> CommandRules {
    let native = toggle(section, "native");
    let native_skills = toggle(section, "nativeSkills");
    let allow_from = section.section("allowFrom");
    let listed = allow_from.senders("discord").or_else(|| allow_from.senders("*"));
    let rules = CommandRules {
        text: section.bool_or("text", true),
        native: native.unwrap_or_else(|| automatic(section, "native")),
        native_skills: native_skills.unwrap_or_else(|| automatic(section, "nativeSkills")),
        config: section.bool_or("config", false),
        use_access_groups: section.bool_or("useAccessGroups", true),
        owners: section.field("ownerAllowFrom").and_then(|field| people::owners(&field)),
        owner_from_allow_from: section.bool_or("ownerFromAllowFrom", false),
        allow_from: listed,
    };
    section.warn_near_asked();
    rules
}

pub(crate) fn of_account(section: &Section<'_, '_>, above: &CommandRules) -> Commands {
    let native = toggle(section, "native");
    let native_skills = toggle(section, "nativeSkills");
    let commands = Commands {
        native: native.unwrap_or_else(|| automatic_as(section, "native", above.native)),
        native_skills: native_skills
            .unwrap_or_else(|| automatic_as(section, "nativeSkills", above.native_skills)),
    };
    section.finish();
    commands
}

/// `true | false | "auto"`; on Discord `auto` is on.
fn toggle(section: &Section<'_, '_>, key: &'static str) -> Option<bool> {
    let value = section.field(key)?.bool_or_word(&[("auto", ())])?;
    Some(value.err().unwrap_or(true))
}

fn automatic(section: &Section<'_, '_>, key: &'static str) -> bool {
    section.or(key, None, "auto");
    true
}

fn automatic_as(section: &Section<'_, '_>, key: &'static str, above: bool) -> bool {
    match above {
        true => automatic(section, key),
        false => section.or_derived(key, None, false),
    }
}

/// Lists of people by channel, as in `accessGroups`.
pub(crate) fn by_channel(section: &Section<'_, '_>) -> BTreeMap<String, Vec<Sender>> {
    let entries = section.entries().into_iter();
    entries.filter_map(|(name, field)| Some((name, people::senders(&field)?))).collect()
}
