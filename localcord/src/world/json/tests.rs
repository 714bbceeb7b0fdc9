//! What a real client library makes of the JSON.

use serde_json::json;
use twilight_model::{
    channel::Channel as TwilightChannel,
    gateway::payload::incoming::{MessageCreate, VoiceStateUpdate},
    guild::{Guild as TwilightGuild, Member as TwilightMember, PartialMember},
    oauth::{Application as TwilightApplication, PartialApplication},
    user::CurrentUser,
};

use super::*;
use crate::world::{
    Channel, ForumTag, Message, Sticker, bits,
    default::{ADA, APPLICATION, BOT_USER, GENERAL, GUILD, LOUNGE, STAGE, default_state},
    kind, message_kind,
};

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value:#}"))
}

fn busy_state() -> State {
    let mut state = default_state();
    let voice = VoiceState {
        guild_id: GUILD,
        user_id: ADA,
        channel_id: LOUNGE,
        session_id: "s".to_owned(),
        deaf: true,
        ..VoiceState::default()
    };
    state.voice_states.insert((GUILD, ADA), voice);
    let lounge = state.channels.get_mut(&LOUNGE).unwrap();
    let target = Target::Member(BOT_USER);
    lounge.overwrites.push(Overwrite { target, allow: bits::SPEAK, deny: bits::STREAM });
    let thread = Channel {
        id: 900,
        kind: kind::PUBLIC_THREAD,
        guild_id: Some(GUILD),
        parent_id: Some(GENERAL),
        name: "thread".to_owned(),
        owner_id: Some(ADA),
        ..Channel::default()
    };
    state.channels.insert(900, thread);
    state
}

#[test]
fn guild_create_is_a_whole_guild() {
    let state = busy_state();
    let value = state.guild_create_json(GUILD, BOT_USER).unwrap();
    assert_eq!(value["unavailable"], false);
    assert!(value["voice_states"][0].get("guild_id").is_none());
    let guild: TwilightGuild = read(&value);
    assert_eq!(guild.owner_id.get(), ADA);
    assert_eq!((guild.members.len(), guild.member_count), (4, Some(4)));
    assert_eq!(guild.channels.len(), 4);
    assert_eq!(guild.threads.len(), 1);
    assert_eq!(guild.roles[0].permissions.bits(), bits::ORDINARY);
    assert_eq!(guild.voice_states[0].channel_id.map(|id| id.get()), Some(LOUNGE));
    let lounge = guild.channels.iter().find(|channel| channel.id.get() == LOUNGE).unwrap();
    assert_eq!(lounge.bitrate, Some(64_000));
    let overwrites = lounge.permission_overwrites.as_ref().unwrap();
    assert_eq!(overwrites[0].allow.bits(), bits::SPEAK);
    assert_eq!(state.guild_create_json(GUILD, 5), None);
    assert_eq!(state.guild_create_json(5, BOT_USER), None);
}

#[test]
fn hidden_threads_stay_hidden() {
    let mut state = busy_state();
    let general = state.channels.get_mut(&GENERAL).unwrap();
    let target = Target::Role(GUILD);
    general.overwrites.push(Overwrite { target, allow: 0, deny: bits::VIEW_CHANNEL });
    let threads = |viewer| state.guild_create_json(GUILD, viewer).unwrap()["threads"].clone();
    assert_eq!(threads(BOT_USER), json!([]));
    assert_eq!(threads(ADA)[0]["id"], "900");
}

#[test]
fn single_objects_are_read() {
    let state = busy_state();
    let channel =
        |id: u64| read::<TwilightChannel>(&state.channel_json(&state.channels[&id], None));
    assert_eq!(channel(GENERAL).name.as_deref(), Some("general"));
    assert_eq!(u8::from(channel(STAGE).kind), kind::STAGE);
    assert_eq!(channel(900).parent_id.map(|id| id.get()), Some(GENERAL));
    let member: TwilightMember = read(&state.member_json(GUILD, ADA).unwrap());
    assert!(member.deaf);
    assert_eq!(member.joined_at.unwrap().as_micros(), 1_682_330_837_011_000);
    let voice: VoiceStateUpdate = read(&state.voice_state_json(&state.voice_states[&(GUILD, ADA)]));
    assert_eq!(voice.guild_id.map(|id| id.get()), Some(GUILD));
    let bot: CurrentUser = read(&state.users[&BOT_USER].to_own_json());
    assert!(bot.bot && bot.verified == Some(true));
    let application: TwilightApplication = read(&state.applications[&APPLICATION].to_json(&state));
    assert_eq!(application.id.get(), APPLICATION);
    let partial: PartialApplication = read(&state.applications[&APPLICATION].to_partial_json());
    assert_eq!(partial.id.get(), APPLICATION);
}

#[test]
fn a_direct_message_names_the_other_side() {
    let mut state = default_state();
    let id = state.direct_message(ADA, BOT_USER);
    let seen: TwilightChannel = read(&state.channel_json(&state.channels[&id], Some(BOT_USER)));
    let others: Vec<u64> = seen.recipients.unwrap().iter().map(|user| user.id.get()).collect();
    assert_eq!(others, [ADA]);
    assert_eq!(seen.guild_id, None);
}

#[test]
fn a_message_event_names_author_and_mentions() {
    let state = busy_state();
    let mut message = Message {
        id: GUILD,
        channel_id: GENERAL,
        author_id: ADA,
        content: format!("<@{BOT_USER}> <@!{BOT_USER}> <@5> <@x> <@"),
        ..Message::default()
    };
    message.mentions = state.mentions_of(&message);
    let read: MessageCreate = read(&state.message_event_json(&message));
    assert_eq!(read.author.name, "ada");
    let mentions: Vec<u64> = read.mentions.iter().map(|mention| mention.id.get()).collect();
    assert_eq!(mentions, [BOT_USER]);
    assert!(read.mentions[0].member.is_some());
    let member: &PartialMember = read.member.as_ref().unwrap();
    assert!(member.deaf);
    assert_eq!(read.timestamp.as_micros(), 1_682_330_837_011_000);
}

#[test]
fn forums_posts_and_groups_are_read() {
    let mut state = busy_state();
    let forum = Channel {
        id: 901,
        kind: kind::FORUM,
        guild_id: Some(GUILD),
        name: "help".to_owned(),
        flags: crate::world::REQUIRE_TAG,
        tags: vec![ForumTag { id: 902, name: "bug".to_owned(), moderated: true }],
        default_auto_archive: Some(60),
        ..Channel::default()
    };
    state.channels.insert(901, forum);
    let mut post = Channel {
        id: 903,
        kind: kind::PUBLIC_THREAD,
        guild_id: Some(GUILD),
        parent_id: Some(901),
        name: "post".to_owned(),
        owner_id: Some(ADA),
        applied_tags: vec![902],
        last_pin_ms: Some(1_682_330_837_011),
        ..Channel::default()
    };
    post.thread.members.insert(ADA, 1_682_330_837_011);
    post.thread.archived = true;
    state.channels.insert(903, post);
    let group = Channel {
        id: 904,
        kind: kind::GROUP_DM,
        recipients: vec![ADA, BOT_USER],
        owner_id: Some(ADA),
        ..Channel::default()
    };
    state.channels.insert(904, group);
    let channel =
        |id: u64| read::<TwilightChannel>(&state.channel_json(&state.channels[&id], Some(ADA)));
    let forum = channel(901);
    let tags = forum.available_tags.unwrap();
    assert_eq!((tags[0].id.get(), tags[0].name.as_str(), tags[0].moderated), (902, "bug", true));
    assert!(forum.flags.unwrap().bits() == crate::world::REQUIRE_TAG);
    let post = channel(903);
    assert_eq!(post.applied_tags.unwrap()[0].get(), 902);
    assert_eq!(post.member.unwrap().user_id.map(|id| id.get()), Some(ADA));
    assert!(post.thread_metadata.unwrap().archived && post.last_pin_timestamp.is_some());
    let group = channel(904);
    assert_eq!((group.name, group.recipients.unwrap().len()), (None, 1));
    // An archived thread is not among those a session begins with.
    let guild: TwilightGuild = read(&state.guild_create_json(GUILD, BOT_USER).unwrap());
    assert_eq!(guild.threads.iter().map(|one| one.id.get()).collect::<Vec<_>>(), [900]);
}

#[test]
fn messages_of_every_origin_are_read() {
    let mut state = busy_state();
    let plain = Message { id: 1, channel_id: GENERAL, author_id: ADA, ..Message::default() };
    state.messages.entry(GENERAL).or_default().insert(1, plain.clone());
    let reference = json!({ "type": 0, "message_id": "1", "channel_id": GENERAL.to_string() });
    let reply = Message {
        id: 2,
        kind: message_kind::REPLY,
        reference: Some(reference.clone()),
        stickers: vec![
            Sticker { id: 9, name: "s".to_owned(), ..Sticker::default() }.to_item_json(),
        ],
        ..plain.clone()
    };
    let by_webhook = Message {
        id: 3,
        author_id: 77,
        sender: Some(crate::world::Sender { name: "Luna".to_owned(), avatar: None }),
        snapshots: vec![state.snapshot_json(&plain)],
        reference: Some(json!({ "type": 1, "message_id": "1", "channel_id": "5" })),
        ..plain.clone()
    };
    let shown: MessageCreate = read(&state.message_event_json(&reply));
    assert_eq!(shown.referenced_message.as_ref().map(|one| one.id.get()), Some(1));
    assert_eq!(shown.sticker_items[0].name, "s");
    let shown: MessageCreate = read(&state.message_event_json(&by_webhook));
    assert_eq!((shown.author.name.as_str(), shown.author.bot), ("Luna", true));
    assert_eq!(shown.webhook_id.map(|id| id.get()), Some(77));
    assert_eq!((shown.message_snapshots.len(), shown.member.is_none()), (1, true));
}
