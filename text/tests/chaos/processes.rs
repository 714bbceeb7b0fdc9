//! Processes that begin, end and follow each other; large bots; proxies.

use std::time::Duration;

use clawvoice_session::{ChannelId, GuildId, VoiceGatewayEvent, VoiceStateRequest};
use clawvoice_text::shell::gateway::{ConnectionSettings, GatewayFailure, Stop};
use localcord::{
    Server, ServerSettings,
    gateway::GatewaySettings as FarSettings,
    world::default::{ADA, BOT_USER, GUILD, LOUNGE},
};
use tokio::time::timeout;

use super::scene::{PATIENCE, impatient, localcord, quick, start};

/// Trying again never ends: what gave up is started anew, however long Discord is away.
#[tokio::test(flavor = "multi_thread")]
async fn after_too_many_tries_all_starts_anew_and_finds_discord_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = localcord(impatient()).await;
    let port = server.address().port();
    let mut settings = quick(folder.path());
    settings.reconnect.max_retries = 2;
    let mut process = start(&server, settings);
    process.until_ready().await;
    server.shutdown().await;
    let given_up = async {
        while process.monitor.snapshot().restarts < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, given_up).await.unwrap();
    assert!(!process.monitor.snapshot().is_connected());

    let settings = ServerSettings { port, gateway: impatient(), ..ServerSettings::default() };
    let _server = Server::start(settings).await.unwrap();
    process.until_ready().await;
    assert!(process.monitor.snapshot().is_connected());
}

/// A process that resumes is told who sits where, which Discord does not tell again, and leaves the
/// seat of the process before it, in which nobody listens any more.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_another_process_knows_who_is_there_and_gives_up_its_seat() {
    let folder = tempfile::tempdir().unwrap();
    let server = localcord(impatient()).await;
    let mut process = start(&server, quick(folder.path()));
    process.until_ready().await;
    let sit = |user| server.world().set_voice_state(GUILD, user, Some(LOUNGE), false, false);
    sit(ADA).unwrap();
    let request = VoiceStateRequest {
        guild: GuildId::new(GUILD),
        channel: Some(ChannelId::new(LOUNGE)),
        self_mute: false,
        self_deaf: false,
    };
    process.requests.send(request).await.unwrap();
    let seated = |event: &VoiceGatewayEvent, who: u64| {
        matches!(event, VoiceGatewayEvent::State(state)
            if state.user.get() == who && state.channel.is_some())
    };
    while !seated(&process.event().await, BOT_USER) {}
    process.restart().await;
    let before = server.journal().since(0).last().unwrap().seq;

    let mut process = start(&server, quick(folder.path()));
    let mut told = Vec::new();
    while !matches!(told.last(), Some(VoiceGatewayEvent::Ready { .. })) {
        told.push(process.event().await);
    }
    assert!(told.iter().any(|event| seated(event, ADA)), "{told:?}");
    assert!(!told.iter().any(|event| seated(event, BOT_USER)), "{told:?}");
    let left = server.journal().wait_for(before, |entry| {
        entry.name == "voice state update" && entry.data["channel"].is_null()
    });
    let left = timeout(PATIENCE, left).await.unwrap();
    assert_eq!(left.data["user"], BOT_USER.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_with_the_same_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = localcord(impatient()).await;
    let mut first = start(&server, quick(folder.path()));
    first.until_ready().await;
    let refused = start(&server, quick(folder.path())).task.await.unwrap().unwrap_err();
    assert_eq!(refused, GatewayFailure::TokenInUse { process: Some(std::process::id()) });
    let words = refused.to_string();
    assert!(words.ends_with("is already connected with this bot token"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_stop_leaves_nothing_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let server = localcord(impatient()).await;
    for _ in 0..2 {
        let mut process = start(&server, quick(folder.path()));
        process.until_ready().await;
        process.stop.send(Stop::Final).unwrap();
        timeout(PATIENCE, process.task).await.unwrap().unwrap().unwrap();
    }
    let entries = server.journal().since(0);
    let named = |name: &str| entries.iter().filter(|entry| entry.name == name).count();
    assert_eq!((named("identify"), named("resume")), (2, 0));
    let files = std::fs::read_dir(folder.path()).unwrap();
    let left: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    // Which commands Discord has is known for longer than a session.
    let is_session = |name: &&String| !name.ends_with(".lock") && !name.starts_with("commands-");
    assert_eq!(left.iter().find(is_session), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_bot_has_shards_that_identify_in_turn_and_resume_together() {
    let folder = tempfile::tempdir().unwrap();
    let far =
        FarSettings { shards: 4, max_concurrency: 2, identify_spacing_ms: 150, ..impatient() };
    let server = localcord(far).await;
    let interval = Duration::from_millis(200);
    let settings = || ConnectionSettings { identify_interval: interval, ..quick(folder.path()) };
    let mut process = start(&server, settings());
    for _ in 0..4 {
        process.until_ready().await;
    }
    let status = process.monitor.snapshot();
    assert!(status.is_connected());
    assert_eq!(status.shards.iter().map(|shard| shard.identified).collect::<Vec<_>>(), [1; 4]);
    process.restart().await;

    let mut process = start(&server, settings());
    for _ in 0..4 {
        process.until_ready().await;
    }
    let status = process.monitor.snapshot();
    assert_eq!(status.shards.iter().map(|shard| shard.resumed).collect::<Vec<_>>(), [1; 4]);
    let known = std::iter::from_fn(|| process.events.try_recv().ok());
    assert!(known.count() < 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_proxy_and_only_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        ServerSettings { gateway: impatient(), proxy_port: Some(0), ..ServerSettings::default() };
    let server = Server::start(settings).await.unwrap();
    let proxy = server.proxy_url().unwrap();
    let settings = ConnectionSettings { proxy: Some(proxy), ..quick(folder.path()) };
    let mut process = start(&server, settings.clone());
    process.until_ready().await;
    server.gateway().reconnect_all();
    process.until_ready().await;
    assert_eq!(process.monitor.snapshot().shards[0].resumed, 1);
    drop(process);

    for address in ["ftp://x", "127.0.0.1:9", ""] {
        let settings = ConnectionSettings {
            proxy: Some(address.to_owned()),
            state_folder: None,
            ..settings.clone()
        };
        let refused = start(&server, settings).task.await.unwrap().unwrap_err();
        assert_eq!(refused, GatewayFailure::BadProxy, "{address}");
    }
}
