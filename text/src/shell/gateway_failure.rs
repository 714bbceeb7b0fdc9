//! Why the main gateway ends for good, and what can be done about it.

use crate::connection::close::close_in_words;

/// Why the gateway ended for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayFailure {
    /// REST answered 401, or the gateway closed with 4004.
    #[error("Discord refused the bot token")]
    TokenRefused,
    /// The gateway closed with a code after which connecting again is pointless (4010-4014).
    #[error("Discord closed the gateway for good: {}", close_in_words(Some(*code)))]
    Closed {
        /// The close code.
        code: u16,
    },
    /// Discord refused to say where its gateway is, for a reason that will not pass.
    #[error("GET /gateway/bot failed: {reason}")]
    NoGateway {
        /// In words.
        reason: String,
    },
    /// Another process on this machine uses the same token.
    #[error("another process{} is already connected with this bot token", process_in_words(*process))]
    TokenInUse {
        /// Its id, if it is known.
        process: Option<u32>,
    },
    /// The state folder cannot be used.
    #[error("the state folder {} cannot be used: {reason}", folder.display())]
    StateFolder {
        /// Which.
        folder: std::path::PathBuf,
        /// In words.
        reason: String,
    },
    /// The proxy's address is not one of an HTTP proxy. It is not shown: it may hold a password.
    #[error("channels.discord.proxy is not the address of an HTTP proxy")]
    BadProxy,
    /// The base URL is not one.
    #[error("{url:?} is not an address of a Discord API")]
    BadBaseUrl {
        /// As configured.
        url: String,
    },
}

impl GatewayFailure {
    /// What the operator can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TokenRefused => {
                "copy the token anew from the Bot page of https://discord.com/developers/applications"
            }
            Self::Closed { code: 4014 } => {
                "enable the bot's privileged intents on the Bot page of https://discord.com/developers/applications"
            }
            Self::Closed { code: 4010 | 4011 } => {
                "the bot is in too many guilds for one gateway connection"
            }
            Self::Closed { .. } => "this version may be too old for Discord's gateway",
            Self::NoGateway { .. } => {
                "check channels.discord.apiBaseUrl and the proxy in front of it"
            }
            Self::TokenInUse { .. } => "stop the other process, or give each its own bot",
            Self::StateFolder { .. } => "make it writable for the user this runs as",
            Self::BadProxy => "write it as http://host:port or http://name:password@host:port",
            Self::BadBaseUrl { .. } => "write it as http://127.0.0.1:8080 or https://host/api/v10",
        }
    }

    /// From the code of a close after which connecting again is pointless.
    pub(super) fn from_close(code: u16) -> Self {
        match code {
            4004 => Self::TokenRefused,
            code => Self::Closed { code },
        }
    }
}

fn process_in_words(process: Option<u32>) -> String {
    process.map(|id| format!(" (process {id})")).unwrap_or_default()
}
