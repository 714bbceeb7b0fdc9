//! The routes of one account.

use std::collections::HashMap;

use clawvoice_config::{Config, Discord, GroupScope, Session, slug};
use clawvoice_session::{ChannelId, DirectScope, SessionKey, agent_id};

use super::{
    compile::{Compiled, compile},
    index::{Index, Peer},
    models::ModelPins,
    origin::{LastRoute, Origin, Route, Surface, Tier},
};

/// What the file says of an account's routes, compiled. A changed file makes a new one.
#[derive(Clone, Debug)]
pub struct Router {
    account: String,
    agents: Vec<String>,
    default_agent: usize,
    index: Index,
    acp: HashMap<Peer, usize>,
    session: Session,
    models: ModelPins,
    /// `guilds.<id or name>.slug`, where it is written.
    guild_slugs: HashMap<String, String>,
    warnings: Vec<String>,
}

impl Router {
    /// That of the account with this id, whose settings are `discord`.
    #[must_use]
    pub fn new(config: &Config, account: &str, discord: &Discord) -> Self {
        let Compiled { agents, default_agent, index, acp, mut warnings } =
            compile(config, account, discord);
        let slugs = discord.guilds.iter().filter_map(|(key, guild)| {
            Some((if is_id(key) { key.clone() } else { slug(key) }, guild.slug.clone()?))
        });
        Self {
            account: account.to_owned(),
            default_agent,
            index,
            acp,
            session: config.session.clone(),
            models: ModelPins::new(&config.model_by_channel, &mut warnings),
            guild_slugs: slugs.filter(|(key, _)| !key.is_empty()).collect(),
            agents,
            warnings,
        }
    }

    /// What a person should know of the bindings though they were taken. To be logged once.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The account's id.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The ids of all agents, as the file has them.
    #[must_use]
    pub fn agents(&self) -> &[String] {
        &self.agents
    }

    /// The agent of that id, in the file's letters.
    #[must_use]
    pub fn agent(&self, named: &str) -> Option<&str> {
        let wanted = agent_id(named);
        let is_it = |id: &&String| *id == named || agent_id(id) == wanted;
        self.agents.iter().find(is_it).map(String::as_str)
    }

    /// Where the file takes a message, whatever was bound since it was read.
    #[must_use]
    pub fn route(&self, from: &Origin<'_>) -> Route {
        let (agent, matched) = self.agent_of(from);
        self.to(from, self.key(agent, from), agent.to_owned(), matched)
    }

    /// The agent of [`Self::route`], and what decided on it.
    pub(super) fn agent_of(&self, from: &Origin<'_>) -> (&str, Tier) {
        let (agent, matched) = self.index.find(from).unwrap_or((self.default_agent, Tier::Default));
        (self.agents.get(agent).map_or("", String::as_str), matched)
    }

    /// The ACP program that the file binds the channel to; a thread has that of its parent, and
    /// its session.
    #[must_use]
    pub fn acp(&self, from: &Origin<'_>) -> Option<Route> {
        let (peer, agent) = self.acp_agent(from)?;
        let channel = match peer {
            Peer::Room(channel) => channel,
            Peer::Direct(_) => from.channel,
        };
        let key = SessionKey::acp(agent, &self.account, channel);
        Some(self.to(from, key, agent.to_owned(), Tier::Acp))
    }

    /// The agent of [`Self::acp`], and the place that is bound.
    pub(super) fn acp_agent(&self, from: &Origin<'_>) -> Option<(Peer, &str)> {
        let own = Peer::of(from);
        let parent = || from.parent().map(Peer::Room);
        let with_agent =
            |peer: Peer| Some((peer, self.agents.get(*self.acp.get(&peer)?)?.as_str()));
        with_agent(own).or_else(|| with_agent(parent()?))
    }

    /// A route to a given session.
    pub(super) fn to(
        &self,
        from: &Origin<'_>,
        key: SessionKey,
        agent: String,
        matched: Tier,
    ) -> Route {
        let last = LastRoute { account: self.account.clone(), channel: from.channel };
        Route { agent, key, last, matched }
    }

    /// The model that a conversation is answered by, if it is not the agent's own: what was chosen
    /// in it, what the file pins it to, what was chosen in a thread's parent.
    #[must_use]
    pub fn model<'a>(
        &'a self,
        from: &Origin<'_>,
        chosen: Option<&'a str>,
        chosen_in_parent: Option<&'a str>,
    ) -> Option<&'a str> {
        chosen.or_else(|| self.models.pin(from)).or(chosen_in_parent)
    }

    /// The session of `agent` in the place.
    #[must_use]
    pub fn key(&self, agent: &str, from: &Origin<'_>) -> SessionKey {
        let is_shared = self.session.group_scope == GroupScope::Main;
        match from.surface {
            Surface::Group | Surface::Channel | Surface::Thread { .. } if is_shared => {
                SessionKey::main_as(agent, &self.session.main_key)
            }
            Surface::Direct { user } => {
                SessionKey::direct(agent, &self.account, user, DirectScope::of(&self.session))
            }
            Surface::Group => SessionKey::group(agent, from.channel),
            Surface::Channel | Surface::Thread { .. } => SessionKey::channel(agent, from.channel),
        }
    }

    /// The session of `agent` in a thread that is opened for a question.
    #[must_use]
    pub fn thread_key(&self, agent: &str, thread: ChannelId) -> SessionKey {
        match self.session.group_scope {
            GroupScope::Main => SessionKey::main_as(agent, &self.session.main_key),
            GroupScope::PerGroup => SessionKey::channel(agent, thread),
        }
    }

    /// What the conversation is called: `discord:<guild>#<channel>`.
    #[must_use]
    pub fn display(&self, from: &Origin<'_>) -> String {
        let id_if_empty =
            |name: String, id: u64| if name.is_empty() { id.to_string() } else { name };
        let channel = || id_if_empty(slug(from.channel_name), from.channel.get());
        match (from.surface, from.guild) {
            (Surface::Direct { user }, _) => format!("discord:direct:{user}"),
            (_, Some(guild)) => {
                let name = slug(from.guild_name);
                let by_id = self.guild_slugs.get(&guild.to_string());
                let written = by_id.or_else(|| self.guild_slugs.get(&name)).cloned();
                let guild = id_if_empty(written.unwrap_or(name), guild.get());
                format!("discord:{guild}#{}", channel())
            }
            (_, None) => format!("discord:group:{}", channel()),
        }
    }
}

fn is_id(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_digit())
}
