//! Names of conversations.

use std::fmt;

use crate::ChannelId;

/// The name under which a conversation's history and runs are kept, in OpenClaw's form
/// (`agent:<agentId>:discord:channel:<channelId>`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(String);

impl SessionKey {
    /// The session of a guild channel; a voice channel shares it with its text chat.
    #[must_use]
    pub fn channel(agent: &str, channel: ChannelId) -> Self {
        Self(format!("agent:{agent}:discord:channel:{channel}"))
    }

    /// The agent's main session, which direct messages share by default.
    #[must_use]
    pub fn main(agent: &str) -> Self {
        Self(format!("agent:{agent}:main"))
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

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_key_has_openclaws_form() {
        assert_eq!(
            SessionKey::channel("main", ChannelId::new(42)).as_str(),
            "agent:main:discord:channel:42"
        );
    }
}
