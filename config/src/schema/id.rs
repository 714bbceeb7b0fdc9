//! Discord ids, and where a Discord API is.

use std::fmt;

use crate::{check, describe::Kind, error::Problem, field::Field};

/// The largest number JSON readers keep exactly: 2^53 − 1.
const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// A Discord snowflake id. Numbers of the file are taken up to 2^53 − 1, above only strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiscordId(u64);

impl DiscordId {
    /// The id that nothing has.
    pub(crate) const NONE: Self = Self(0);

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for DiscordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An id: a string of digits, or a number small enough to be exact.
pub(crate) fn id(field: &Field<'_, '_>) -> Option<DiscordId> {
    field.declare(|| Kind::Id);
    let (text, is_number) = match (field.if_text(), field.if_number()) {
        (Some(text), _) => (text, false),
        (None, Some(text)) => (text, true),
        (None, None) => return field.wrong_type("a Discord id as a string of digits"),
    };
    match parse_id(text) {
        Some(id) if is_number && id.get() > LARGEST_EXACT => {
            field.refuse(
                "this number is too large to be kept exactly",
                &format!("put the id in quotes: \"{text}\""),
            );
            None
        }
        Some(id) => {
            if is_number {
                field.walk().note_numeric_id(field.written_at());
            }
            Some(id)
        }
        None => {
            field.refuse(
                "not a Discord id",
                "a string of digits: switch on Developer Mode in Discord, right-click the thing, \
                 Copy ID",
            );
            None
        }
    }
}

pub(crate) fn parse_id(text: &str) -> Option<DiscordId> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id > 0).map(DiscordId)
}

/// Where a Discord API is: scheme, host and port. A path of `/api` or `/api/v10` may be written
/// and is dropped; others are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    tls: bool,
    authority: String,
}

impl BaseUrl {
    /// Whether the scheme is `https`.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// `host` or `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

pub(crate) fn base_url(field: &Field<'_, '_>) -> Option<BaseUrl> {
    let text = field.text()?;
    let trimmed = text.trim_end_matches('/');
    match check::split_url(trimmed, &["http", "https"]) {
        Some((scheme, authority, "" | "/api" | "/api/v10")) => {
            Some(BaseUrl { tls: scheme == "https", authority: authority.to_owned() })
        }
        _ => {
            field.fail(
                Problem::Invalid("not the base URL of a Discord API".to_owned()),
                Some("scheme, host and port, as in \"http://127.0.0.1:8080\"".to_owned()),
            );
            None
        }
    }
}
