//! The door to voice states and channels, at a localcord.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use clawvoice_session::{
    ChannelId, GuildId, LookupDoor as _, RoomLookup, RoomPermission, UserId, VoiceStateLookup,
};
use clawvoice_text::shell::{
    lookups::Lookups,
    rest::{DiscordRest, RestSettings},
};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestFault},
    world::{
        Channel, Guild, Overwrite, Target, bits,
        default::{ADA, BOT_USER, GENERAL, GUILD, LOUNGE, STAGE, default_state},
        kind,
    },
};

/// A guild that the bot is not in, with a channel.
const ELSEWHERE: u64 = 1_200_000_000_000_000_001;
const ABROAD: u64 = 1_200_000_000_000_000_002;
/// In the bot's guild.
const VAULT: u64 = 1_100_000_000_000_000_016;
const HIDDEN: u64 = 1_100_000_000_000_000_017;
const MUTED: u64 = 1_100_000_000_000_000_018;

fn rest(server: &Server) -> DiscordRest {
    let (token, base) = (server.bot_token().into(), server.api_base_url());
    DiscordRest::new(&token, Some(&base), None, &RestSettings::default()).unwrap()
}

async fn localcord() -> (Server, Lookups) {
    let mut state = default_state();
    let mut room = |id: u64, guild_id, target, deny| {
        let overwrites = vec![Overwrite { target, allow: 0, deny }];
        let (kind, name) = (kind::VOICE, id.to_string());
        let guild_id = Some(guild_id);
        let room = Channel { id, kind, guild_id, name, overwrites, ..Channel::default() };
        state.channels.insert(id, room);
    };
    room(VAULT, GUILD, Target::Role(GUILD), bits::CONNECT | bits::SPEAK);
    room(HIDDEN, GUILD, Target::Member(BOT_USER), bits::VIEW_CHANNEL);
    room(MUTED, GUILD, Target::Member(BOT_USER), bits::SPEAK);
    room(ABROAD, ELSEWHERE, Target::Role(ELSEWHERE), 0);
    let guild =
        Guild { id: ELSEWHERE, name: "Elsewhere".to_owned(), owner_id: ADA, ..Guild::default() };
    state.guilds.insert(ELSEWHERE, guild);
    let server = Server::start_with(ServerSettings::default(), state).await.unwrap();
    let lookups = Lookups::new(rest(&server));
    (server, lookups)
}

fn fail(server: &Server, status: u16) {
    let path_prefix = "/guilds/".to_owned();
    let rest =
        vec![RestFault { path_prefix, status, times: 100, retry_after: 0.0, carried_out: false }];
    server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
}

#[tokio::test]
async fn a_users_voice_state_is_found_or_not() {
    let (server, lookups) = localcord().await;
    let ada = || lookups.voice_state(GuildId::new(GUILD), UserId::new(ADA));
    assert_eq!(ada().await, VoiceStateLookup::NotInVoice);
    server.world().set_voice_state(GUILD, ADA, Some(LOUNGE), false, false).unwrap();
    assert_eq!(ada().await, VoiceStateLookup::In(ChannelId::new(LOUNGE)));
    // Not where the bot is no member, and not while Discord fails.
    let abroad = lookups.voice_state(GuildId::new(ELSEWHERE), UserId::new(ADA)).await;
    assert_eq!(
        abroad,
        VoiceStateLookup::Failed("Discord refused with status 404: Unknown Guild".to_owned())
    );
    fail(&server, 500);
    assert_eq!(ada().await, VoiceStateLookup::Failed("a look-up failed: status 500".to_owned()));
}

#[tokio::test]
async fn a_channel_is_looked_at_from_all_sides() {
    use RoomPermission::{Connect, Speak, ViewChannel};
    let (server, lookups) = localcord().await;
    let room = async |guild, channel| {
        let (guild, channel) = (GuildId::new(guild), ChannelId::new(channel));
        lookups.room(guild, channel, UserId::new(BOT_USER)).await
    };
    let missing = |missing: &[RoomPermission]| RoomLookup::Voice { missing: missing.to_vec() };
    assert_eq!(room(GUILD, LOUNGE).await, missing(&[]));
    assert_eq!(room(GUILD, STAGE).await, missing(&[]));
    assert_eq!(room(GUILD, VAULT).await, missing(&[Connect, Speak]));
    assert_eq!(room(GUILD, HIDDEN).await, missing(&[ViewChannel, Connect, Speak]));
    assert_eq!(room(GUILD, MUTED).await, missing(&[Speak]));
    assert_eq!(room(GUILD, GENERAL).await, RoomLookup::NotVoice);
    assert_eq!(room(GUILD, 1).await, RoomLookup::NotVoice, "there is none");
    assert_eq!(
        room(ELSEWHERE, ABROAD).await,
        RoomLookup::Refused("Discord refused with status 404: Unknown Guild".to_owned())
    );
    fail(&server, 503);
    assert_eq!(
        room(GUILD, LOUNGE).await,
        RoomLookup::Failed("a look-up failed: status 503".to_owned())
    );
}

#[tokio::test]
async fn a_channel_of_another_guild_is_told_from_one_that_is_not_there() {
    let mut state = default_state();
    let mut other = state.guilds[&GUILD].clone();
    other.id = ELSEWHERE;
    let everyone = other.roles[&GUILD].clone();
    other.roles = [(ELSEWHERE, localcord::world::Role { id: ELSEWHERE, ..everyone })].into();
    state.guilds.insert(ELSEWHERE, other);
    let (guild_id, kind) = (Some(ELSEWHERE), kind::VOICE);
    state.channels.insert(ABROAD, Channel { id: ABROAD, kind, guild_id, ..Channel::default() });
    let server = Server::start_with(ServerSettings::default(), state).await.unwrap();
    let lookups = Lookups::new(rest(&server));
    let (guild, channel) = (GuildId::new(GUILD), ChannelId::new(ABROAD));
    let answer = lookups.room(guild, channel, UserId::new(BOT_USER)).await;
    assert_eq!(answer, RoomLookup::OtherGuild);
}
