//! Names of conversations.
//!
//! Source: OpenClaw, "Session management" and "Discord", session keys. All of a key is in small
//! letters.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{self, Write as _},
    str::FromStr,
};

use clawvoice_config::{DmScope, Session};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{ChannelId, UserId};

/// The agent of keys whose own says nothing.
const DEFAULT_AGENT: &str = "main";

/// The account of keys whose own says nothing.
const DEFAULT_ACCOUNT: &str = "default";

/// Most characters of an agent's id.
const MAX_AGENT: usize = 64;

/// Most characters of a name in a key.
const MAX_SEGMENT: usize = 64;

/// Most characters of a key that is read back.
const MAX_KEY: usize = 512;

/// The name under which a conversation's history and runs are kept, in OpenClaw's form
/// (`agent:<agentId>:discord:channel:<channelId>`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(String);

/// A text that is no session key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a session key (agent:<agent>:…), got {got:?}")]
pub struct KeyError {
    /// The text that was refused, cut to 64 characters.
    pub got: String,
}

/// What tells the conversations of direct messages apart.
#[derive(Clone, Copy, Debug)]
pub struct DirectScope<'a> {
    /// `session.dmScope`.
    pub scope: DmScope,
    /// `session.mainKey`.
    pub main_key: &'a str,
    /// `session.identityLinks`: people who are one, by a name of the file's.
    pub links: &'a BTreeMap<String, Vec<String>>,
}

impl<'a> DirectScope<'a> {
    /// That of the file.
    #[must_use]
    pub const fn of(session: &'a Session) -> Self {
        Self {
            scope: session.dm_scope,
            main_key: session.main_key.as_str(),
            links: &session.identity_links,
        }
    }

    /// The name a person goes by in keys: that of the link they are in, else their id.
    fn peer(&self, user: UserId) -> String {
        let id = user.to_string();
        let is_they = |peer: &String| {
            let peer = peer.trim().to_lowercase();
            peer == id || peer.strip_prefix("discord:") == Some(id.as_str())
        };
        let linked = self.links.iter().find(|(_, peers)| peers.iter().any(is_they));
        let name = linked.map(|(name, _)| segment(name)).filter(|name| !name.is_empty());
        name.unwrap_or(id)
    }
}

impl SessionKey {
    /// The session of a guild channel, a thread or a forum's post; a voice channel shares it with
    /// its text chat.
    #[must_use]
    pub fn channel(agent: &str, channel: ChannelId) -> Self {
        Self::of(agent, format_args!("discord:channel:{channel}"))
    }

    /// The agent's main session, which direct messages share by default.
    #[must_use]
    pub fn main(agent: &str) -> Self {
        Self::main_as(agent, "")
    }

    /// The same where `session.mainKey` calls it otherwise; empty: `main`.
    #[must_use]
    pub fn main_as(agent: &str, main_key: &str) -> Self {
        let name = segment(main_key);
        let name = if name.is_empty() { DEFAULT_AGENT } else { &name };
        Self::of(agent, format_args!("{name}"))
    }

    /// The session of a person's direct messages to the bot of an account.
    #[must_use]
    pub fn direct(agent: &str, account: &str, user: UserId, direct: DirectScope<'_>) -> Self {
        let peer = || direct.peer(user);
        match direct.scope {
            DmScope::Main => Self::main_as(agent, direct.main_key),
            DmScope::PerPeer => Self::of(agent, format_args!("direct:{}", peer())),
            DmScope::PerChannelPeer => Self::of(agent, format_args!("discord:direct:{}", peer())),
            DmScope::PerAccountChannelPeer => Self::of(
                agent,
                format_args!("discord:{}:direct:{}", account_segment(account), peer()),
            ),
        }
    }

    /// The session of a direct message of several people.
    #[must_use]
    pub fn group(agent: &str, channel: ChannelId) -> Self {
        Self::of(agent, format_args!("discord:group:{channel}"))
    }

    /// The session that a person's slash commands run in; they are about another one.
    #[must_use]
    pub fn slash(agent: &str, user: UserId) -> Self {
        Self::of(agent, format_args!("discord:slash:{user}"))
    }

    /// The session of an ACP program that a channel is bound to in the file.
    #[must_use]
    pub fn acp(agent: &str, account: &str, channel: ChannelId) -> Self {
        Self::of(agent, format_args!("acp:binding:discord:{}:{channel}", account_segment(account)))
    }

    /// The session in which an agent is asked for a thread's name; nothing else is said in it.
    #[must_use]
    pub fn title(agent: &str, thread: ChannelId) -> Self {
        Self::of(agent, format_args!("title:{thread}"))
    }

    fn of(agent: &str, rest: fmt::Arguments<'_>) -> Self {
        let agent = agent_id(agent);
        // Room for a channel's or a person's, so that it is written at once.
        let mut key = String::with_capacity(agent.len() + 64);
        // Writing to a string does not fail.
        let _ = write!(key, "agent:{agent}:{rest}");
        Self(key)
    }

    /// The agent whose session it is.
    #[must_use]
    pub fn agent(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or(DEFAULT_AGENT)
    }

    /// What follows the agent.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.0.splitn(3, ':').nth(2).unwrap_or_default()
    }

    /// The channel or thread whose session it is; `None` of any other.
    #[must_use]
    pub fn channel_id(&self) -> Option<ChannelId> {
        self.rest().strip_prefix("discord:channel:")?.parse().ok()
    }

    /// Whether an agent's helper runs in it.
    #[must_use]
    pub fn is_subagent(&self) -> bool {
        self.rest().starts_with("subagent:")
    }

    /// Whether a program that is spoken to by ACP runs in it.
    #[must_use]
    pub fn is_acp(&self) -> bool {
        self.rest().starts_with("acp:")
    }

    /// As it was written down.
    pub(crate) const fn stored(key: String) -> Self {
        Self(key)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An agent's id as keys have it (`[a-z0-9][a-z0-9_-]{0,63}`): small letters, every run of other
/// characters a dash, and `main` for what then is empty.
#[must_use]
pub fn agent_id(written: &str) -> Cow<'_, str> {
    let fits = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '_' | '-');
    let begins_well = !written.starts_with(['-', '_']) && !written.is_empty();
    if begins_well && written.len() <= MAX_AGENT && written.chars().all(fits) {
        return Cow::Borrowed(written);
    }
    let lower = written.trim().to_lowercase();
    let mut id = String::new();
    let mut in_run = false;
    for letter in lower.chars() {
        if fits(letter) {
            id.push(letter);
        } else if !in_run {
            id.push('-');
        }
        in_run = !fits(letter);
    }
    let id = id.trim_start_matches(['-', '_']);
    // A dash at the end of an id that fits is its own.
    let is_whole = id.len() == lower.len() && lower.chars().all(fits);
    let id = if is_whole { id } else { id.trim_end_matches('-') };
    let id: String = id.chars().take(MAX_AGENT).collect();
    Cow::Owned(if id.is_empty() { DEFAULT_AGENT.to_owned() } else { id })
}

/// A part of a key: small letters, no colon, no white space.
fn segment(text: &str) -> String {
    let is_break = |letter: char| letter == ':' || letter.is_whitespace() || letter.is_control();
    let lower = text.trim().to_lowercase().replace(is_break, "-");
    lower.chars().take(MAX_SEGMENT).collect()
}

/// An account as keys have it.
fn account_segment(account: &str) -> String {
    let name = segment(account);
    if name.is_empty() { DEFAULT_ACCOUNT.to_owned() } else { name }
}

impl FromStr for SessionKey {
    type Err = KeyError;

    /// Reads a key back, in whatever letters.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let refused = || KeyError { got: text.chars().take(64).collect() };
        let key = text.trim().to_lowercase();
        let mut parts = key.splitn(3, ':');
        let (Some("agent"), Some(agent), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let is_plain = !rest.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        let is_key = agent == agent_id(agent) && !rest.is_empty() && is_plain;
        if is_key && key.chars().count() <= MAX_KEY { Ok(Self(key)) } else { Err(refused()) }
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for SessionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
