//! All rules about messages of one account, compiled from the configuration: what changes when it
//! is reloaded. A decision takes the same time however many entries there are.

use std::{collections::HashMap, time::Duration};

use clawvoice_config::{
    AllowBots, BotLoopProtection, Config, Discord, DmPolicy, Entries, Guild, UnmentionedInbound,
};
use clawvoice_session::{
    UserId,
    access::{People, Place, Policy},
};

use super::{
    entry::Entry,
    mention::PatternPlaces,
    patterns::{PatternWarning, Patterns},
};

/// The rules of one account.
#[derive(Clone, Debug)]
pub struct InboundPolicy {
    /// The account.
    pub account: String,
    /// Who may talk to the agent, and who may command it.
    pub rules: Policy,
    /// `botLoopProtection`.
    pub bot_loop: BotLoopProtection,
    /// Messages of an author that come within it are one; 0: none are.
    pub debounce: Duration,
    pub(crate) allow_bots: AllowBots,
    pub(crate) plural_kit: bool,
    pub(crate) dm: DmRules,
    pub(crate) text_commands: bool,
    pub(crate) pattern_places: PatternPlaces,
    pub(crate) ambient: bool,
    guilds: Entries<Guild>,
    default_agent: String,
    patterns: HashMap<String, Patterns>,
    warnings: Vec<PatternWarning>,
}

/// Rules of direct messages.
#[derive(Clone, Debug)]
pub(crate) struct DmRules {
    pub(crate) enabled: bool,
    pub(crate) policy: DmPolicy,
    pub(crate) listed: People,
    pub(crate) groups: bool,
    pub(crate) group_channels: Entries<()>,
}

impl InboundPolicy {
    /// Those of an account.
    #[must_use]
    pub fn new(config: &Config, discord: &Discord, account: &str) -> Self {
        let access = &discord.access;
        let mut patterns = HashMap::new();
        let mut warnings = Vec::new();
        for agent in std::iter::once(&config.agent).chain(&config.agents.all) {
            let (compiled, refused) = Patterns::of(agent, &config.messages);
            if patterns.insert(agent.id.clone(), compiled).is_none() {
                warnings.extend(refused);
            }
        }
        warnings.dedup();
        let groups = access.group_dm_channels.iter().map(|name| (name.clone(), ()));
        Self {
            account: account.to_owned(),
            rules: Policy::of(config, discord),
            bot_loop: access.bot_loop.clone(),
            debounce: config.messages.debounce,
            allow_bots: access.allow_bots,
            plural_kit: discord.connection.pluralkit.enabled,
            dm: DmRules {
                enabled: access.dm_enabled,
                policy: access.dm_policy,
                listed: People::new(
                    access.allow_from.as_deref().unwrap_or_default(),
                    &config.access_groups,
                ),
                groups: access.group_dms,
                group_channels: groups.collect(),
            },
            text_commands: config.commands.text,
            pattern_places: PatternPlaces::new(&access.mention_patterns),
            ambient: config.messages.unmentioned_inbound == UnmentionedInbound::RoomEvent,
            guilds: discord.guilds.clone(),
            default_agent: config.agent.id.clone(),
            patterns,
            warnings,
        }
    }

    /// What is configured for a place; `None`: no entry is for its guild.
    #[must_use]
    pub fn entry(&self, place: &Place<'_>) -> Option<Entry<'_>> {
        let guild = place.guild_entry(&self.guilds)?;
        Some(Entry { guild, channel: place.channel_entry(&guild.channels) })
    }

    /// Whether a user owns the agent.
    #[must_use]
    pub fn is_owner(&self, user: UserId) -> bool {
        self.rules.commands.owners.contains(&user)
    }

    /// Mention patterns that are left out. To be logged once.
    #[must_use]
    pub fn warnings(&self) -> &[PatternWarning] {
        &self.warnings
    }

    pub(crate) const fn match_names(&self) -> bool {
        self.rules.access.match_names
    }

    /// The words an agent is called by; an unknown agent is the default one.
    pub(crate) fn patterns(&self, agent: Option<&str>) -> Option<&Patterns> {
        let named = agent.and_then(|agent| self.patterns.get(agent));
        named.or_else(|| self.patterns.get(&self.default_agent)).filter(|it| !it.is_empty())
    }
}
