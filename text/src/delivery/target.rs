//! Where a message is to go, as people and agents write it.
//!
//! Source: OpenClaw, "Discord", delivery targets.

use clawvoice_session::{ChannelId, UserId};

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A channel or thread.
    Channel(ChannelId),
    /// Somebody's direct messages.
    User(UserId),
    /// The channel of this name, without `#`, if there is one.
    ChannelName(String),
}

/// What an id without a word before it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A channel's.
    Channel,
    /// A user's.
    User,
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is none.
    #[error(
        "Discord recipient is required. Use \"channel:<id>\" for channels or \"user:<id>\" for DMs."
    )]
    Missing,
    /// A user by name.
    #[error("Discord DMs require a user id (use user:<id> or a <@id> mention)")]
    UserName,
    /// An id that may be either.
    #[error(
        "Ambiguous Discord recipient \"{0}\". Use \"user:{0}\" for DMs or \"channel:{0}\" for channel messages."
    )]
    Ambiguous(String),
}

/// Reads a target. An id alone is a user's if `allow_from`, the account's, lists it, else what
/// `default_kind` says.
///
/// # Errors
///
/// It names nobody, or not clearly.
pub fn parse(
    text: &str,
    default_kind: Option<TargetKind>,
    allow_from: &[UserId],
) -> Result<Target, TargetError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(TargetError::Missing);
    }
    if let Some(id) = text.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>')) {
        return user(id.strip_prefix('!').unwrap_or(id));
    }
    if let Some(id) = text.strip_prefix("<#").and_then(|rest| rest.strip_suffix('>')) {
        return channel(id);
    }
    if let Some(id) = text.strip_prefix('@') {
        return user(id);
    }
    match text.split_once(':').map(|(kind, rest)| (kind.to_ascii_lowercase(), rest.trim())) {
        Some((kind, rest)) if kind == "discord" => match rest.split_once(':') {
            Some((kind, rest)) => by_kind(&kind.to_ascii_lowercase(), rest.trim())
                .unwrap_or(Err(TargetError::UserName)),
            None => user(rest),
        },
        Some((kind, rest)) => by_kind(&kind, rest).unwrap_or_else(|| channel(text)),
        None => match (text.parse::<UserId>(), default_kind) {
            (Ok(id), _) if allow_from.contains(&id) => Ok(Target::User(id)),
            (Ok(id), Some(TargetKind::User)) => Ok(Target::User(id)),
            (Ok(id), Some(TargetKind::Channel)) => Ok(Target::Channel(ChannelId::new(id.get()))),
            (Ok(id), None) => Err(TargetError::Ambiguous(id.to_string())),
            (Err(_), _) => channel(text),
        },
    }
}

fn by_kind(kind: &str, rest: &str) -> Option<Result<Target, TargetError>> {
    match kind {
        "channel" => Some(channel(rest)),
        "user" | "dm" => Some(user(rest)),
        _ => None,
    }
}

fn channel(text: &str) -> Result<Target, TargetError> {
    if let Ok(id) = text.parse() {
        return Ok(Target::Channel(id));
    }
    let name = text.trim_start_matches('#').trim();
    if name.is_empty() {
        return Err(TargetError::Missing);
    }
    Ok(Target::ChannelName(name.to_owned()))
}

fn user(text: &str) -> Result<Target, TargetError> {
    if text.is_empty() {
        return Err(TargetError::Missing);
    }
    text.parse().map(Target::User).map_err(|_| TargetError::UserName)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: u64) -> Result<Target, TargetError> {
        Ok(Target::Channel(ChannelId::new(id)))
    }

    fn user(id: u64) -> Result<Target, TargetError> {
        Ok(Target::User(UserId::new(id)))
    }

    fn named(name: &str) -> Result<Target, TargetError> {
        Ok(Target::ChannelName(name.to_owned()))
    }

    #[test]
    fn every_form() {
        let cases = [
            ("channel:12", channel(12)),
            (" Channel: 12 ", channel(12)),
            ("channel:#general", named("general")),
            ("user:12", user(12)),
            ("dm:12", user(12)),
            ("discord:12", user(12)),
            ("discord:channel:12", channel(12)),
            ("discord:user:12", user(12)),
            ("<@12>", user(12)),
            ("<@!12>", user(12)),
            ("<#12>", channel(12)),
            ("@12", user(12)),
            ("@ada", Err(TargetError::UserName)),
            ("user:ada", Err(TargetError::UserName)),
            ("discord:guild:12", Err(TargetError::UserName)),
            ("#general", named("general")),
            ("general", named("general")),
            ("news: today", named("news: today")),
            ("99999999999999999999999", named("99999999999999999999999")),
            ("", Err(TargetError::Missing)),
            ("#", Err(TargetError::Missing)),
            ("channel:", Err(TargetError::Missing)),
            ("user: ", Err(TargetError::Missing)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, Some(TargetKind::Channel), &[]), expected, "{text:?}");
            assert_eq!(parse(text, None, &[]), expected, "{text:?}");
        }
    }

    /// Scenario 52 of the text scenarios.
    #[test]
    fn an_id_alone_is_a_user_if_they_are_allowed_and_else_a_channel() {
        let allowed = [UserId::new(12)];
        assert_eq!(parse("12", Some(TargetKind::Channel), &allowed), user(12));
        assert_eq!(parse("13", Some(TargetKind::Channel), &allowed), channel(13));
        assert_eq!(parse("13", Some(TargetKind::User), &allowed), user(13));
        let ambiguous = parse("13", None, &allowed).unwrap_err().to_string();
        assert!(ambiguous.contains("\"user:13\"") && ambiguous.contains("\"channel:13\""));
    }

    #[test]
    fn the_documented_words() {
        let words = "Discord recipient is required. Use \"channel:<id>\" for channels or \
                     \"user:<id>\" for DMs.";
        assert_eq!(TargetError::Missing.to_string(), words);
    }
}
