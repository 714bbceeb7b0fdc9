//! From the file's bindings to the index.

use std::collections::HashMap;

use clawvoice_config::{
    Binding, BindingKind, Config, Discord, DiscordId, DmPolicy, DmScope, PeerKind, Sender,
};
use clawvoice_session::{ChannelId, GuildId, RoleId, UserId, agent_id};

use super::index::{Index, Key, Peer, Scope};

/// What a file says of an account's routes.
pub(super) struct Compiled {
    /// The agents' ids, as the file has them.
    pub(super) agents: Vec<String>,
    /// The one that answers where nothing else is said.
    pub(super) default_agent: usize,
    pub(super) index: Index,
    /// Channels and people that are bound to an ACP program, and its agent.
    pub(super) acp: HashMap<Peer, usize>,
    pub(super) warnings: Vec<String>,
}

/// Compiles what is for `account`.
pub(super) fn compile(config: &Config, account: &str, discord: &Discord) -> Compiled {
    let mut compiled = Compiled::new(config);
    for (order, binding) in config.bindings.iter().enumerate() {
        if is_for(binding, account, &config.default_account) {
            compiled.add(order, binding);
        }
    }
    compiled.add_old_form(config.bindings.len(), discord);
    if let Some(warning) = shared_direct_messages(config, discord) {
        compiled.warnings.push(warning);
    }
    compiled
}

/// Without `accountId` a binding is for the default account alone.
fn is_for(binding: &Binding, account: &str, default_account: &str) -> bool {
    match binding.account.as_deref().map(str::trim) {
        None | Some("") => account == default_account,
        Some("*") => true,
        Some(named) => named.eq_ignore_ascii_case(account),
    }
}

/// Many people in one conversation read what the others wrote.
fn shared_direct_messages(config: &Config, discord: &Discord) -> Option<String> {
    let access = &discord.access;
    let is_shared = config.session.dm_scope == DmScope::Main
        && access.dm_enabled
        && access.dm_policy != DmPolicy::Disabled;
    let admitted = access.allow_from.as_deref().unwrap_or_default();
    let several = admitted.len() > 1
        || admitted.iter().any(|it| matches!(it, Sender::Anyone | Sender::AccessGroup(_)));
    (is_shared && several).then(|| {
        "session.dmScope is \"main\" and several people may write direct messages: they share one \
         conversation; \"per-channel-peer\" gives each their own"
            .to_owned()
    })
}

impl Compiled {
    fn new(config: &Config) -> Self {
        let agents: Vec<String> = config.agents.all.iter().map(|it| it.id.clone()).collect();
        let default_agent = agents.iter().position(|id| *id == config.agent.id).unwrap_or(0);
        let mut warnings = Vec::new();
        let mut known = HashMap::new();
        for id in &agents {
            if let Some(other) = known.insert(agent_id(id), id) {
                warnings.push(format!(
                    "agents {other:?} and {id:?} are both {:?} in session keys, so they share \
                     their conversations",
                    agent_id(id)
                ));
            }
        }
        let (index, acp) = (Index::default(), HashMap::new());
        Self { agents, default_agent, index, acp, warnings }
    }

    fn add(&mut self, order: usize, binding: &Binding) {
        let at = format!("bindings[{order}]");
        let agent = self.agent(&binding.agent, &at);
        if binding.team.is_some() {
            self.warnings.push(format!("{at}: Discord has no teams, so it never matches"));
            return;
        }
        let peer = binding.peer.map(|(kind, id)| peer(kind, id));
        if binding.kind == BindingKind::Acp {
            match peer {
                Some(peer) => drop(self.acp.entry(peer).or_insert(agent)),
                None => self.warnings.push(format!("{at}: one of type acp needs match.peer")),
            }
            return;
        }
        let guild = binding.guild.map(|id| GuildId::new(id.get()));
        let is_for_all = binding.account.as_deref().map(str::trim) == Some("*");
        let scope = match (peer, guild) {
            (Some(peer), _) => Scope::Peer(peer),
            (None, Some(_)) if !binding.roles.is_empty() => Scope::GuildRoles,
            (None, Some(_)) => Scope::Guild,
            (None, None) if is_for_all => Scope::Channel,
            (None, None) => Scope::Account,
        };
        let roles: Vec<Option<RoleId>> = match binding.roles.as_slice() {
            [] => vec![None],
            roles => roles.iter().map(|id| Some(RoleId::new(id.get()))).collect(),
        };
        for role in roles {
            self.index.add(Key { scope, guild, role }, order, agent);
        }
    }

    /// `agentId` of a guild's channel, which is a binding of that channel unless there is one.
    fn add_old_form(&mut self, order: usize, discord: &Discord) {
        let entries = discord.guilds.iter().flat_map(|(guild, entry)| {
            entry.channels.iter().map(move |(channel, it)| (guild, channel, it))
        });
        for (guild, channel, entry) in entries {
            let Some(named) = &entry.agent else { continue };
            let at = format!("guilds.{guild}.channels.{channel}.agentId");
            let agent = self.agent(named, &at);
            let Ok(id) = channel.parse() else {
                self.warnings.push(format!(
                    "{at}: only a channel's id can be routed; write a binding instead"
                ));
                continue;
            };
            let scope = Scope::Peer(Peer::Room(ChannelId::new(id)));
            let key = Key { scope, guild: None, role: None };
            if !self.index.has(&key) {
                self.index.add(key, order, agent);
            }
        }
    }

    /// The agent of that id; the default one, with a warning, if there is none.
    fn agent(&mut self, named: &str, at: &str) -> usize {
        let wanted = agent_id(named);
        let exact = self.agents.iter().position(|id| id == named);
        let found = exact.or_else(|| self.agents.iter().position(|id| agent_id(id) == wanted));
        found.unwrap_or_else(|| {
            let default = self.agents.get(self.default_agent).map_or("", String::as_str);
            self.warnings
                .push(format!("{at}: there is no agent {named:?}; {default:?} answers instead"));
            self.default_agent
        })
    }
}

/// A group and a channel are one; so are a direct message's two names.
fn peer(kind: PeerKind, id: DiscordId) -> Peer {
    match kind {
        PeerKind::Direct | PeerKind::Dm => Peer::Direct(UserId::new(id.get())),
        PeerKind::Group | PeerKind::Channel => Peer::Room(ChannelId::new(id.get())),
    }
}
