//! The world to start with: one guild, four channels, one bot, three humans.
//!
//! Ids and the token are the same in every run, so that scripts can name them.

use std::collections::BTreeMap;

use super::{
    permissions::bits,
    state::{Application, Channel, Guild, Member, Role, State, User, kind, snowflake_ms},
};

/// Guild "Localcord".
pub const GUILD: u64 = 1_100_000_000_000_000_001;
/// Text channel `#general`.
pub const GENERAL: u64 = 1_100_000_000_000_000_011;
/// Text channel `#random`.
pub const RANDOM: u64 = 1_100_000_000_000_000_012;
/// Voice channel "Lounge".
pub const LOUNGE: u64 = 1_100_000_000_000_000_013;
/// Stage channel "Stage".
pub const STAGE: u64 = 1_100_000_000_000_000_014;
/// Application "clawvoice".
pub const APPLICATION: u64 = 1_100_000_000_000_000_021;
/// The bot user of "clawvoice".
pub const BOT_USER: u64 = 1_100_000_000_000_000_022;
/// Human "ada"; owns the guild.
pub const ADA: u64 = 1_100_000_000_000_000_031;
/// Human "ben".
pub const BEN: u64 = 1_100_000_000_000_000_032;
/// Human "cleo".
pub const CLEO: u64 = 1_100_000_000_000_000_033;
/// The token of "clawvoice": three base64url parts, as Discord's are. It opens nothing but this
/// world.
pub const BOT_TOKEN: &str = "bG9jYWxjb3Jk.AAAAAA.localcord-default-bot-token";

/// Application flag `GATEWAY_MESSAGE_CONTENT_LIMITED`.
pub(super) const MESSAGE_CONTENT_FLAG: u64 = 1 << 19;
/// Application flag `GATEWAY_GUILD_MEMBERS_LIMITED`.
pub(super) const MEMBERS_FLAG: u64 = 1 << 15;
/// Application flag `GATEWAY_PRESENCE_LIMITED`.
pub(super) const PRESENCES_FLAG: u64 = 1 << 13;
/// The flags of an application with all privileged intents switched on.
pub(super) const FLAGS: u64 = MESSAGE_CONTENT_FLAG | MEMBERS_FLAG | PRESENCES_FLAG;

/// The default world's data.
#[must_use]
pub fn default_state() -> State {
    let mut state = State::default();
    let mut guild = new_guild(GUILD, "Localcord", ADA);
    for (id, name) in [(ADA, "ada"), (BEN, "ben"), (CLEO, "cleo"), (BOT_USER, "clawvoice")] {
        state.users.insert(id, new_user(id, name, id == BOT_USER));
        guild.members.insert(id, new_member(id, snowflake_ms(GUILD)));
    }
    state.humans = [ADA, BEN, CLEO].into();
    state.guilds.insert(GUILD, guild);
    let channels = [
        (GENERAL, kind::TEXT, "general"),
        (RANDOM, kind::TEXT, "random"),
        (LOUNGE, kind::VOICE, "Lounge"),
        (STAGE, kind::STAGE, "Stage"),
    ];
    for (position, (id, kind, name)) in (0..).zip(channels) {
        let (name, guild_id) = (name.to_owned(), Some(GUILD));
        let channel = Channel { id, kind, guild_id, name, position, ..Channel::default() };
        state.channels.insert(id, channel);
    }
    let token = BOT_TOKEN.to_owned();
    state
        .applications
        .insert(APPLICATION, new_application(APPLICATION, BOT_USER, "clawvoice", token));
    state
}

/// A guild with nothing but its `@everyone` role.
pub(super) fn new_guild(id: u64, name: &str, owner_id: u64) -> Guild {
    let permissions = bits::ORDINARY;
    let everyone = Role { id, name: "@everyone".to_owned(), permissions, ..Role::default() };
    let roles = BTreeMap::from([(id, everyone)]);
    Guild { id, name: name.to_owned(), owner_id, roles, ..Guild::default() }
}

/// An account; bots keep no display name.
pub(super) fn new_user(id: u64, name: &str, bot: bool) -> User {
    let global_name = (!bot).then(|| name.to_owned());
    User { id, username: name.to_owned(), global_name, bot, ..User::default() }
}

pub(super) fn new_member(user_id: u64, joined_at_ms: u64) -> Member {
    Member { user_id, joined_at_ms, ..Member::default() }
}

/// An application that is allowed every privileged intent.
pub(super) fn new_application(id: u64, user_id: u64, name: &str, token: String) -> Application {
    let privileged_intents = super::dispatch::intents::PRIVILEGED;
    Application { id, user_id, name: name.to_owned(), token, flags: FLAGS, privileged_intents }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_there_and_may_talk() {
        let state = default_state();
        assert_eq!(state.default_guild().map(|guild| guild.members.len()), Some(4));
        assert_eq!(state.application_by_token(BOT_TOKEN).map(|app| app.user_id), Some(BOT_USER));
        assert_eq!(state.humans.len(), 3);
        let talk = bits::VIEW_CHANNEL | bits::CONNECT | bits::SPEAK;
        for user in [ADA, BEN, CLEO, BOT_USER] {
            for channel in [LOUNGE, STAGE] {
                assert!(state.may(user, channel, talk), "{user} {channel}");
            }
        }
    }
}
