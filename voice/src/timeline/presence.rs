//! Lines about where the bot is: whom it follows, and where it must not be.

use clawvoice_session::{
    ChannelId, GuildId, SessionTime, UserId,
    timeline::{Level, Record},
};

use super::{Parts as _, Place, info, preview, warn};

/// A followed user is somewhere; the bot goes there.
#[must_use]
pub fn following_user(at: SessionTime, place: Place, user: UserId) -> Record {
    about_user(info(at, "following user"), place, user)
}

/// The followed user cannot be with the bot any more; it goes to another one in `to`, or leaves
/// `from`.
#[must_use]
pub fn followed_user_gone(
    at: SessionTime,
    guild: GuildId,
    user: UserId,
    why: &str,
    from: ChannelId,
    to: Option<ChannelId>,
) -> Record {
    let (then, channel) = match to {
        Some(to) => ("moving to remaining followed user", to),
        None => ("leaving", from),
    };
    let place = Place { guild, channel };
    about_user(info(at, format!("followed user {why}; {then}")), place, user)
}

/// A followed user is where the bot may not be. Ours.
#[must_use]
pub fn followed_user_ignored(at: SessionTime, place: Place, user: UserId) -> Record {
    about_user(info(at, "followed user joined non-allowed channel; ignoring"), place, user)
}

/// Discord shows the bot in voice where it has no session: it is taken out.
#[must_use]
pub fn stale_voice_state(at: SessionTime, place: Place) -> Record {
    info(at, "follow reconcile disconnecting stale bot voice state").place(place)
}

/// Somebody moved the bot.
#[must_use]
pub fn bot_moved(at: SessionTime, guild: GuildId, from: ChannelId, to: ChannelId) -> Record {
    let record = warn(at, "bot moved to allowed channel").place(Place { guild, channel: to });
    record.with("from", from.to_string())
}

/// Somebody moved the bot to where it may not be.
#[must_use]
pub fn bot_moved_outside(
    at: SessionTime,
    guild: GuildId,
    from: ChannelId,
    to: ChannelId,
) -> Record {
    let record = warn(at, "bot moved to non-allowed channel").place(Place { guild, channel: to });
    record.with("from", from.to_string())
}

/// After a move outside: back to where the guild's configuration wants the bot.
#[must_use]
pub fn rejoining_allowed(at: SessionTime, place: Place) -> Record {
    warn(at, "rejoining allowed voice channel").place(place)
}

/// A join failed for a reason that will not pass: nothing joins this guild by itself until somebody
/// asks for it. Ours.
#[must_use]
pub fn automatic_joins_suspended(at: SessionTime, place: Place, message: &str) -> Record {
    warn(at, "automatic joins suspended").place(place).with("message", preview(message))
}

/// A lookup of a voice state failed; nothing follows from it. Ours.
#[must_use]
pub fn lookup_failed(at: SessionTime, guild: GuildId, user: UserId, message: &str) -> Record {
    Record::new(at, Level::Verbose, "voice state lookup failed")
        .with("guild", guild.to_string())
        .with("user", user.to_string())
        .with("message", preview(message))
}

fn about_user(record: Record, place: Place, user: UserId) -> Record {
    record
        .with("guild", place.guild.to_string())
        .with("user", user.to_string())
        .with("channel", place.channel.to_string())
}
