//! Joining, moving, leaving and being refused, against a real voice server.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::*;
use crate::{
    authority::Authority,
    fault::Faults,
    journal::Journal,
    voice::VoiceServer,
    world::{
        default::{ADA, BEN, BOT_USER, CLEO, GENERAL, GUILD, LOUNGE, STAGE},
        state::{Overwrite, Target},
    },
};

async fn world() -> (World, Receiver<Arc<Dispatch>>) {
    let world = World::default_world(Journal::default());
    let tls = Authority::generate().unwrap().acceptor().unwrap();
    let bind = Ipv4Addr::LOCALHOST.into();
    let journal = world.journal().clone();
    world.attach_voice(VoiceServer::start(bind, tls, journal, Faults::default()).await.unwrap());
    let events = world.subscribe();
    (world, events)
}

fn join(world: &World, user: u64, channel: u64) -> VoiceInvite {
    world.set_voice_state(GUILD, user, Some(channel), false, false).unwrap().unwrap()
}

fn names(events: &mut Receiver<Arc<Dispatch>>) -> Vec<&'static str> {
    std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.event).collect()
}

#[tokio::test]
async fn a_bot_gets_both_halves_of_its_invite() {
    let (world, mut events) = world().await;
    let invite = join(&world, BOT_USER, LOUNGE);

    let state = events.try_recv().unwrap();
    assert_eq!(state.event, "VOICE_STATE_UPDATE");
    assert_eq!((state.audience, state.intents), (Audience::Guild(GUILD), 1 << 7));
    assert_eq!(state.data["session_id"], invite.session_id);
    assert_eq!(state.data["channel_id"], LOUNGE.to_string());
    assert_eq!(state.data["member"]["user"]["id"], BOT_USER.to_string());

    let server = events.try_recv().unwrap();
    assert_eq!((server.event, server.intents), ("VOICE_SERVER_UPDATE", 0));
    assert_eq!(server.audience, Audience::User(BOT_USER));
    assert_eq!(server.data["token"], invite.token);
    assert_eq!(server.data["guild_id"], GUILD.to_string());
    assert_eq!(server.data["endpoint"], invite.endpoint);
    assert!(invite.endpoint.starts_with("127.0.0.1:"));
    assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
}

#[tokio::test]
async fn the_same_channel_changes_only_flags_and_a_move_changes_secrets() {
    let (world, mut events) = world().await;
    let first = join(&world, BOT_USER, LOUNGE);
    names(&mut events);
    let again = world.set_voice_state(GUILD, BOT_USER, Some(LOUNGE), true, false);
    assert_eq!(again, Ok(None));
    let event = events.try_recv().unwrap();
    assert_eq!(event.data["self_mute"], true);
    assert_eq!(event.data["session_id"], first.session_id);
    assert_eq!(names(&mut events), [""; 0]);

    let moved = join(&world, BOT_USER, STAGE);
    assert_ne!(moved.session_id, first.session_id);
    assert_ne!(moved.token, first.token);
    assert_eq!(names(&mut events), ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"]);
    assert_eq!(world.read(|state| state.voice_states.len()), 1);
}

#[tokio::test]
async fn a_new_gateway_session_joins_afresh_where_the_old_one_is_still_seen() {
    let (world, mut events) = world().await;
    let from = |session: &str| {
        world.set_voice_state_from(session, (GUILD, BOT_USER), Some(LOUNGE), (false, false))
    };
    let first = from("one").unwrap().unwrap();
    names(&mut events);
    assert_eq!(from("one"), Ok(None));
    assert_eq!(names(&mut events), ["VOICE_STATE_UPDATE"]);

    let second = from("two").unwrap().unwrap();
    assert_ne!(second.token, first.token);
    assert_eq!(names(&mut events), ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"]);
    assert_eq!(world.read(|state| state.voice_states.len()), 1);
}

#[tokio::test]
async fn a_human_gets_no_server_event_and_leaves_once() {
    let (world, mut events) = world().await;
    join(&world, ADA, LOUNGE);
    assert_eq!(names(&mut events), ["VOICE_STATE_UPDATE"]);
    assert_eq!(world.set_voice_state(GUILD, ADA, None, false, false), Ok(None));
    let event = events.try_recv().unwrap();
    assert_eq!(event.data["channel_id"], Value::Null);
    assert_eq!(world.set_voice_state(GUILD, ADA, None, false, false), Ok(None));
    assert_eq!(names(&mut events), [""; 0]);
}

#[tokio::test]
async fn a_lost_session_loses_voice_and_a_reset_everybody() {
    let (world, mut events) = world().await;
    join(&world, BOT_USER, LOUNGE);
    join(&world, ADA, LOUNGE);
    names(&mut events);
    world.drop_user_voice(BOT_USER);
    assert_eq!(names(&mut events), ["VOICE_STATE_UPDATE"]);
    assert_eq!(world.read(|state| state.voice_states.len()), 1);
    world.reset(crate::world::default::default_state());
    assert_eq!(world.read(|state| state.voice_states.len()), 0);
}

#[tokio::test]
async fn who_may_not_come_in_changes_nothing() {
    let (world, mut events) = world().await;
    world.write(|state| {
        let lounge = state.channels.get_mut(&LOUNGE).unwrap();
        lounge.user_limit = 1;
        let (target, deny) = (Target::Member(CLEO), bits::CONNECT);
        lounge.overwrites.push(Overwrite { target, allow: 0, deny });
    });
    let cases = [
        (GUILD, 5, LOUNGE, VoiceDenied::NotAMember),
        (5, BEN, LOUNGE, VoiceDenied::NotAMember),
        (GUILD, BEN, GENERAL, VoiceDenied::NotAVoiceChannel),
        (GUILD, BEN, 5, VoiceDenied::NotAVoiceChannel),
        (GUILD, CLEO, LOUNGE, VoiceDenied::MissingPermission),
        (GUILD, BEN, LOUNGE, VoiceDenied::Full),
    ];
    join(&world, BOT_USER, LOUNGE);
    names(&mut events);
    for (guild, user, channel, denied) in cases {
        let refused = world.set_voice_state(guild, user, Some(channel), false, false);
        assert_eq!(refused, Err(denied));
    }
    assert_eq!(names(&mut events), [""; 0]);
    let refused = world.journal().since(0).into_iter().filter(|entry| entry.name == "denied");
    assert_eq!(refused.count(), cases.len());
    // The owner may move members, and that lets her into a full channel.
    join(&world, ADA, LOUNGE);
}

#[tokio::test]
async fn a_stage_begins_in_the_audience() {
    let (world, mut events) = world().await;
    join(&world, BEN, STAGE);
    assert_eq!(events.try_recv().unwrap().data["suppress"], true);
    assert!(world.moderate_voice(GUILD, BEN, None, Some(true), Some(false)));
    let event = events.try_recv().unwrap();
    assert_eq!((&event.data["suppress"], &event.data["deaf"]), (&false.into(), &true.into()));
    assert_eq!(event.data["member"]["deaf"], true);
    assert!(!world.moderate_voice(GUILD, CLEO, Some(true), None, None));
    join(&world, ADA, STAGE);
    assert_eq!(events.try_recv().unwrap().data["suppress"], false);
}

#[test]
fn without_a_voice_server_nobody_comes_in() {
    let world = World::default_world(Journal::default());
    let refused = world.set_voice_state(GUILD, ADA, Some(LOUNGE), false, false);
    assert_eq!(refused, Err(VoiceDenied::NoVoiceServer));
}

/// What everybody in the guild sees of a change: (suppress, since when it asks to speak).
fn seen(events: &mut Receiver<Arc<Dispatch>>) -> (bool, Value) {
    let event = events.try_recv().unwrap();
    assert_eq!(event.event, "VOICE_STATE_UPDATE");
    (event.data["suppress"].as_bool().unwrap(), event.data["request_to_speak_timestamp"].clone())
}

#[tokio::test]
async fn who_may_speak_in_a_stage_and_who_may_let_them() {
    let (world, mut events) = world().await;
    let change =
        |actor: u64, user: u64, change: StageChange| world.change_stage(actor, GUILD, user, change);
    let suppress =
        |suppress: bool| StageChange { suppress: Some(suppress), ..StageChange::default() };
    let request =
        |at: Option<u64>| StageChange { request_to_speak_ms: Some(at), ..StageChange::default() };
    let now = crate::world::state::now_ms();
    assert_eq!(change(BOT_USER, BOT_USER, suppress(false)), Err(StageDenied::NotThere));
    join(&world, BOT_USER, LOUNGE);
    assert_eq!(change(BOT_USER, BOT_USER, suppress(true)), Err(StageDenied::NotAStage));
    join(&world, BOT_USER, STAGE);
    join(&world, BEN, STAGE);
    names(&mut events);

    for (actor, user, wanted, denied) in [
        (BOT_USER, BOT_USER, suppress(false), StageDenied::MissingPermissions),
        (BOT_USER, BEN, suppress(true), StageDenied::MissingPermissions),
        (BEN, BOT_USER, request(None), StageDenied::MissingPermissions),
        (ADA, BEN, request(Some(now)), StageDenied::MissingPermissions),
        (BEN, BEN, request(Some(now - 120_000)), StageDenied::Past),
        (ADA, CLEO, suppress(false), StageDenied::NotThere),
    ] {
        assert_eq!(change(actor, user, wanted), Err(denied), "{actor} {user} {wanted:?}");
    }
    let elsewhere = |channel| StageChange { channel_id: Some(channel), ..suppress(true) };
    assert_eq!(change(BEN, BEN, elsewhere(LOUNGE)), Err(StageDenied::NotAStage));
    assert_eq!(names(&mut events), [""; 0]);
    assert_eq!(change(BEN, BEN, elsewhere(STAGE)), Ok(()));
    assert_eq!(seen(&mut events), (true, Value::Null));

    // Asking, and taking it back.
    let later = now + 1_000;
    let at = Value::from(crate::world::timestamp(later));
    assert_eq!(change(BEN, BEN, request(Some(later))), Ok(()));
    assert_eq!(seen(&mut events), (true, at.clone()));
    assert_eq!(change(BEN, BEN, request(None)), Ok(()));
    assert_eq!(seen(&mut events), (true, Value::Null));

    // A moderator lets a bot speak, and invites a human to.
    assert_eq!(change(BOT_USER, BOT_USER, request(Some(later))), Ok(()));
    assert_eq!(seen(&mut events), (true, at));
    assert_eq!(change(ADA, BOT_USER, suppress(false)), Ok(()));
    assert_eq!(seen(&mut events), (false, Value::Null));
    assert_eq!(change(ADA, BEN, suppress(false)), Ok(()));
    let (suppressed, invited) = seen(&mut events);
    assert!(!suppressed && invited.is_string());
    assert_eq!(change(BEN, BEN, suppress(true)), Ok(()));
    assert_eq!(seen(&mut events), (true, Value::Null));

    // Without REQUEST_TO_SPEAK nobody asks; MUTE_MEMBERS alone lets one speak.
    world.write(|state| {
        let stage = state.channels.get_mut(&STAGE).unwrap();
        let overwrite = |user, allow, deny| Overwrite { target: Target::Member(user), allow, deny };
        stage.overwrites.push(overwrite(BEN, 0, bits::REQUEST_TO_SPEAK));
        stage.overwrites.push(overwrite(CLEO, bits::MUTE_MEMBERS, 0));
    });
    assert_eq!(change(BEN, BEN, request(Some(later))), Err(StageDenied::MissingPermissions));
    assert_eq!(change(BEN, BEN, request(None)), Ok(()));
    join(&world, CLEO, STAGE);
    names(&mut events);
    assert!(world.read(|state| state.voice_states[&(GUILD, CLEO)].suppress));
    assert_eq!(change(CLEO, CLEO, suppress(false)), Ok(()));
    assert_eq!(seen(&mut events), (false, Value::Null));
}

#[tokio::test]
async fn whoever_may_not_speak_in_a_voice_channel_is_suppressed() {
    let (world, mut events) = world().await;
    world.write(|state| {
        let (target, deny) = (Target::Member(CLEO), bits::SPEAK);
        let lounge = state.channels.get_mut(&LOUNGE).unwrap();
        lounge.overwrites.push(Overwrite { target, allow: 0, deny });
    });
    for (user, suppressed) in [(BEN, false), (CLEO, true)] {
        join(&world, user, LOUNGE);
        assert_eq!(seen(&mut events).0, suppressed);
    }
    let told: Vec<_> = world.journal().since(0);
    let told = told.iter().filter(|entry| entry.name == "silenced");
    let told: Vec<_> = told.map(|entry| (&entry.data["user_id"], &entry.data["why"])).collect();
    assert_eq!(told, [(&CLEO.to_string().into(), &"suppressed".into())]);
}
