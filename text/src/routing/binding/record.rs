//! A binding, as it is kept.

use std::{fmt, str::FromStr, time::Duration};

use clawvoice_session::{ChannelId, SessionKey, UserId, WebhookId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Ended;
use crate::routing::{Origin, Surface};

/// What can be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BoundPlace {
    /// A thread or a channel; also a direct message of several people.
    Channel(ChannelId),
    /// A person's direct messages.
    User(UserId),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a channel's id or user:<id>")]
pub struct PlaceError;

impl BoundPlace {
    /// The place a message was written in.
    #[must_use]
    pub const fn of(from: &Origin<'_>) -> Self {
        match from.surface {
            Surface::Direct { user } => Self::User(user),
            Surface::Group | Surface::Channel | Surface::Thread { .. } => {
                Self::Channel(from.channel)
            }
        }
    }
}

impl fmt::Display for BoundPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(channel) => channel.fmt(f),
            Self::User(user) => write!(f, "user:{user}"),
        }
    }
}

impl FromStr for BoundPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let place = match text.strip_prefix("user:") {
            Some(user) => user.parse().map(Self::User),
            None => text.parse().map(Self::Channel),
        };
        place.map_err(|_| PlaceError)
    }
}

impl Serialize for BoundPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BoundPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What a place is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// An agent's helper.
    Subagent,
    /// A program that is spoken to by ACP.
    Acp,
    /// Any other session.
    Session,
}

impl TargetKind {
    /// That of a session.
    #[must_use]
    pub fn of(key: &SessionKey) -> Self {
        match (key.is_subagent(), key.is_acp()) {
            (true, _) => Self::Subagent,
            (_, true) => Self::Acp,
            _ => Self::Session,
        }
    }
}

/// A webhook that speaks for a session. Whoever has its token can write in the channel: serialised,
/// a record is for the store alone, never for a log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Its token.
    #[serde(with = "exposed")]
    pub token: SecretString,
}

impl PartialEq for Webhook {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.token.expose_secret() == other.token.expose_secret()
    }
}

/// A place that belongs to a session. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BindingRecord {
    /// The account whose bot is in the place.
    pub account: String,
    /// The place; with the account the record's key.
    pub place: BoundPlace,
    /// Of a thread, the channel it belongs to.
    pub parent: Option<ChannelId>,
    /// What it is bound to.
    pub kind: TargetKind,
    /// The session.
    pub key: SessionKey,
    /// Its agent.
    pub agent: String,
    /// What the session is called.
    pub label: Option<String>,
    /// What speaks for it.
    pub webhook: Option<Webhook>,
    /// Who bound it.
    pub bound_by: UserId,
    /// When.
    pub bound_at: u64,
    /// When somebody last wrote.
    pub last_activity: u64,
    /// It ends after so long without a message; zero: it does not.
    #[serde(with = "millis")]
    pub idle: Duration,
    /// It ends at this age; zero: it does not.
    #[serde(with = "millis")]
    pub max_age: Duration,
}

impl BindingRecord {
    /// What the session is called: its label, else its agent.
    #[must_use]
    pub fn name(&self) -> &str {
        let label = self.label.as_deref().map(str::trim).filter(|label| !label.is_empty());
        label.unwrap_or(&self.agent)
    }

    /// When it ends, and of what: the earlier of the two.
    #[must_use]
    pub fn expiry(&self) -> Option<(u64, Ended)> {
        let at = |from: u64, after: Duration| {
            let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            (after > 0).then(|| from.saturating_add(after))
        };
        let idle = at(self.last_activity, self.idle).map(|at| (at, Ended::Idle));
        let max_age = at(self.bound_at, self.max_age).map(|at| (at, Ended::MaxAge));
        [idle, max_age].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        it: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(it.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// A token in plain words.
mod exposed {
    use secrecy::{ExposeSecret as _, SecretString};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        it: &SecretString,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(it.expose_secret())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SecretString, D::Error> {
        String::deserialize(from).map(SecretString::from)
    }
}
