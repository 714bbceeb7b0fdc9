//! `channels.discord.guilds`: who is heard where, and what the agent is told there.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    cursor::{Section, join},
    describe::Kind,
    field::Field,
    schema::{
        declare::{block, words},
        entries::{Entries, Named},
        id::DiscordId,
        people::Sender,
    },
};

words! {
    /// `reactionNotifications`: which reactions the agent is told of.
    ReactionNotifications {
        /// None.
        Off = "off",
        /// Those to the bot's own messages.
        Own = "own",
        /// All.
        All = "all",
        /// Those of people who may talk to it, where a list says who that is.
        Allowlist = "allowlist",
    }
}

words! {
    /// `autoThreadName`.
    AutoThreadName {
        /// The beginning of the message.
        Message = "message",
        /// Written by a model afterwards.
        Generated = "generated",
    }
}

block! {
    /// `tools`: what the agent may use, by name, with `*` for any run of letters, or as a group
    /// (`group:memory`); `deny` goes first.
    ToolLists {
        /// Only these; an empty list is none. Default all.
        allow: Option<Vec<String>> = texts("allow"),
        /// These besides `allow`.
        also_allow: Option<Vec<String>> = texts("alsoAllow"),
        /// Never these.
        deny: Option<Vec<String>> = texts("deny"),
    }
}

// Names only: equality is total.
impl Eq for ToolLists {}

/// `guilds.<id | slug | "*">`.
#[derive(Clone, Debug, PartialEq)]
pub struct Guild {
    /// `slug`: what it is called. Default: from its name.
    pub slug: Option<String>,
    /// `requireMention`. Default on.
    pub require_mention: bool,
    /// `ignoreOtherMentions`. Default off.
    pub ignore_other_mentions: bool,
    /// `ignoreBroadcastMentions`: `@everyone` is no mention. Default off.
    pub ignore_broadcast_mentions: bool,
    /// `users`: who may talk to the agent.
    pub users: Option<Vec<Sender>>,
    /// `roles`: whose members may.
    pub roles: Option<Vec<DiscordId>>,
    /// `tools`.
    pub tools: Option<ToolLists>,
    /// `toolsBySender`, by id or `*`: for them in place of `tools`.
    pub tools_by_sender: BTreeMap<String, ToolLists>,
    /// `reactionNotifications`. Default `own`.
    pub reaction_notifications: ReactionNotifications,
    /// `channels`, by id, slug or `*`. If there is one, the others are closed.
    pub channels: Entries<GuildChannel>,
}

/// `guilds.<id>.channels.<id | slug | "*">`. What is unset is as in the guild.
#[derive(Clone, Debug, PartialEq)]
pub struct GuildChannel {
    /// `enabled`, formerly `allow`. Default on.
    pub enabled: bool,
    /// `requireMention`.
    pub require_mention: Option<bool>,
    /// `ignoreOtherMentions`.
    pub ignore_other_mentions: Option<bool>,
    /// `users`, in place of the guild's.
    pub users: Option<Vec<Sender>>,
    /// `roles`, in place of the guild's.
    pub roles: Option<Vec<DiscordId>>,
    /// `tools`.
    pub tools: Option<ToolLists>,
    /// `toolsBySender`, by id or `*`: for them in place of `tools`.
    pub tools_by_sender: BTreeMap<String, ToolLists>,
    /// `skills`: only these; an empty list is none. Default all.
    pub skills: Option<Vec<String>>,
    /// `systemPrompt`: told to the agent for every turn of the channel.
    pub system_prompt: Option<String>,
    /// `includeThreadStarter`: a thread's first message is shown to the agent. Default on.
    pub include_thread_starter: bool,
    /// `autoThread`: answers go into a thread of their own. Default off.
    pub auto_thread: bool,
    /// `autoThreadName`. Default `message`.
    pub auto_thread_name: AutoThreadName,
    /// `autoArchiveDuration`. Default 60 minutes; also 1440, 4320 and 10080.
    pub auto_archive: Duration,
    /// `agentId`, an old form of `bindings`: which agent answers here.
    pub agent: Option<String>,
}

impl Guild {
    /// The entry of a channel: by id, else by the slug of its name, else `*`. One entry only.
    #[must_use]
    pub fn channel(&self, id: u64, name: Option<&str>) -> Option<&GuildChannel> {
        self.channels.find(Named { id, name: name.unwrap_or_default() }, None)
    }
}

/// `#Über uns` → `ber-uns`: small letters and digits, every run of others a dash. A name that is
/// not Latin has no slug, so only its id names it.
#[must_use]
pub fn slug(name: &str) -> String {
    let lower = name.trim().trim_start_matches('#').to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

pub(crate) fn read(section: &Section<'_, '_>) -> Entries<Guild> {
    entries(section, |guild| {
        let read = Guild {
            slug: guild.text("slug"),
            require_mention: guild.bool_or("requireMention", true),
            ignore_other_mentions: guild.bool_or("ignoreOtherMentions", false),
            ignore_broadcast_mentions: guild.bool_or("ignoreBroadcastMentions", false),
            users: guild.senders("users"),
            roles: guild.roles("roles"),
            tools: tools(guild),
            tools_by_sender: tools_by_sender(guild),
            reaction_notifications: guild
                .word_or("reactionNotifications", ReactionNotifications::Own),
            channels: entries(&guild.section("channels"), channel),
        };
        guild.finish();
        read
    })
}

fn channel(section: &Section<'_, '_>) -> GuildChannel {
    let is_written = section.has("enabled");
    let enabled_path = join(section.path(), "enabled");
    let allow = section.legacy("allow", &enabled_path, is_written).and_then(|field| field.bool());
    let enabled = section.bool("enabled").or(allow);
    let bindings = "bindings[]";
    let read = GuildChannel {
        enabled: section.or("enabled", enabled, true),
        require_mention: section.bool("requireMention"),
        ignore_other_mentions: section.bool("ignoreOtherMentions"),
        users: section.senders("users"),
        roles: section.roles("roles"),
        tools: tools(section),
        tools_by_sender: tools_by_sender(section),
        skills: section.texts("skills"),
        system_prompt: section.text("systemPrompt"),
        include_thread_starter: section.bool_or("includeThreadStarter", true),
        auto_thread: section.bool_or("autoThread", false),
        auto_thread_name: section.word_or("autoThreadName", AutoThreadName::Message),
        auto_archive: auto_archive(section),
        agent: section.legacy("agentId", bindings, false).and_then(|field| field.text()),
    };
    section.finish();
    read
}

fn entries<T, C: FromIterator<(String, T)>>(
    section: &Section<'_, '_>,
    read: impl Fn(&Section<'_, '_>) -> T,
) -> C {
    section.finish_leniently();
    let entries = section.entries().into_iter();
    entries.map(|(key, field)| (key, read(&field.section()))).collect()
}

fn tools(section: &Section<'_, '_>) -> Option<ToolLists> {
    let tools = section.section("tools");
    tools.is_present().then(|| crate::cursor::Block::read(&tools))
}

fn tools_by_sender(section: &Section<'_, '_>) -> BTreeMap<String, ToolLists> {
    entries(&section.section("toolsBySender"), crate::cursor::Block::read)
}

/// 60, 1440, 4320 or 10080 minutes, as a number or a text.
fn auto_archive(section: &Section<'_, '_>) -> Duration {
    let minutes = section.field("autoArchiveDuration").and_then(|field| archive_minutes(&field));
    Duration::from_secs(u64::from(section.or("autoArchiveDuration", minutes, 60)) * 60)
}

fn archive_minutes(field: &Field<'_, '_>) -> Option<u32> {
    field.declare(|| Kind::Other("60, 1440, 4320 or 10080 minutes"));
    let text = match field.if_text().or(field.if_number()) {
        Some(text) => text,
        None => return field.wrong_type("a number of minutes"),
    };
    let known = ["60", "1440", "4320", "10080"];
    let minutes = known.contains(&text.trim()).then(|| text.trim().parse().ok()).flatten();
    if minutes.is_none() {
        field.refuse("Discord archives after 60, 1440, 4320 or 10080 minutes", "write one of them");
    }
    minutes
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn slugs() {
        for (name, expected) in [
            ("#General", "general"),
            ("Friends of Claw!", "friends-of-claw"),
            ("--a__b--", "a-b"),
            ("日本", ""),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
    }
}
