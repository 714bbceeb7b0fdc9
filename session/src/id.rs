//! Discord snowflake ids, one type per thing they name.
//!
//! Source: Discord API reference, "Snowflakes". On the wire they are decimal strings.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is not a snowflake id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a Discord id (a decimal number above 0), got {got:?}")]
pub struct IdError {
    /// The text that was refused, cut to 32 characters.
    pub got: String,
}

fn parse(text: &str) -> Result<u64, IdError> {
    match text.parse::<u64>() {
        Ok(id) if id > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(id),
        _ => Err(IdError { got: text.chars().take(32).collect() }),
    }
}

macro_rules! snowflake {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// From the number behind the decimal text.
            #[must_use]
            pub const fn new(id: u64) -> Self {
                Self(id)
            }

            /// The number behind the decimal text.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

snowflake! {
    /// A guild ("server").
    GuildId
}
snowflake! {
    /// A channel of any kind, threads included.
    ChannelId
}
snowflake! {
    /// A user, human or bot.
    UserId
}
snowflake! {
    /// A role of a guild. The role `@everyone` has the guild's id.
    RoleId
}
snowflake! {
    /// A message. It tells when it was written ([`MessageId::unix_ms`]).
    MessageId
}
snowflake! {
    /// A webhook.
    WebhookId
}

/// Milliseconds since 1970 of the first snowflake. Source: Discord, "Snowflakes".
const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;

impl MessageId {
    /// When the message was written, in milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        (self.0 >> 22) + DISCORD_EPOCH_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimal_numbers_are_ids() {
        assert_eq!("81384788765712384".parse(), Ok(UserId::new(81_384_788_765_712_384)));
        for bad in ["", "0", "-1", "+1", " 1", "1x", "18446744073709551616", "<@1>"] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn json_is_a_string() {
        let id: GuildId = serde_json::from_str("\"7\"").expect("a string id parses");
        assert_eq!(serde_json::to_string(&id).expect("ids serialise"), "\"7\"");
        assert!(serde_json::from_str::<GuildId>("7").is_err());
    }
}
