//! The gateway shell against a localcord that does not leave it alone: closes, lost
//! acknowledgements, op 7, op 9, failing REST, and processes that end.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use clawvoice_session::{
    ChannelId, GuildId, JoinFailure, JoinOutcome, LeaveOutcome, VoiceControl, VoiceGatewayEvent,
    VoiceStateRequest, VoiceStatus,
};
use clawvoice_text::shell::gateway::{
    CommandScope, ConnectionSettings, EventQueueSettings, GatewayChannels, GatewayFailure,
    GatewayMonitor, GatewaySettings, ReconnectSettings, RestSettings, Stop, run_until,
};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestFault},
    gateway::GatewaySettings as FarSettings,
    journal::Entry,
    world::default::{ADA, APPLICATION, BOT_USER, GUILD, LOUNGE},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Numbered events are bitrates of a channel; the first one.
const FIRST: u32 = 10_000;

/// Voice that is in no channel.
struct Idle;

#[async_trait]
impl VoiceControl for Idle {
    async fn join(&self, _: GuildId, _: ChannelId) -> Result<JoinOutcome, JoinFailure> {
        Ok(JoinOutcome::Joined)
    }

    async fn leave(&self, _: GuildId) -> LeaveOutcome {
        LeaveOutcome::NotConnected
    }

    async fn status(&self, _: Option<GuildId>) -> Vec<VoiceStatus> {
        Vec::new()
    }
}

async fn localcord(far: FarSettings) -> Server {
    let settings = ServerSettings { gateway: far, ..ServerSettings::default() };
    Server::start(settings).await.unwrap()
}

fn impatient() -> FarSettings {
    FarSettings { heartbeat_interval_ms: 700, identify_spacing_ms: 0, ..FarSettings::default() }
}

/// Waits that a test can wait for.
fn quick(state_folder: &Path) -> ConnectionSettings {
    let ms = Duration::from_millis;
    ConnectionSettings {
        reconnect: ReconnectSettings {
            backoff_unit: ms(2),
            backoff_max: ms(20),
            invalid_session_wait: (ms(2), ms(10)),
            ready_pause: ms(10),
            stable_after: ms(50),
            restart_wait: (ms(4), ms(20)),
            ..ReconnectSettings::default()
        },
        identify_interval: Duration::ZERO,
        state_folder: Some(state_folder.to_owned()),
        ..ConnectionSettings::default()
    }
}

/// One process.
struct Process {
    events: mpsc::Receiver<VoiceGatewayEvent>,
    monitor: GatewayMonitor,
    stop: oneshot::Sender<Stop>,
    task: JoinHandle<Result<(), GatewayFailure>>,
    requests: mpsc::Sender<VoiceStateRequest>,
}

fn start(server: &Server, connection: ConnectionSettings) -> Process {
    let (voice_events, events) = mpsc::channel(64);
    let (requests, voice_requests) = mpsc::channel(16);
    let (stop, stopped) = oneshot::channel();
    let settings = GatewaySettings {
        token: server.bot_token().into(),
        api_base_url: Some(server.api_base_url()),
        application_id: Some(APPLICATION),
        voice: true,
        commands: CommandScope::Global,
        connection,
        rest: RestSettings::default(),
    };
    let channels = GatewayChannels::new(voice_events, voice_requests, Some(Arc::new(Idle)));
    let monitor = channels.monitor.clone();
    let task = tokio::spawn(run_until(settings, channels, async {
        stopped.await.unwrap_or(Stop::Restart)
    }));
    Process { events, monitor, stop, task, requests }
}

impl Process {
    async fn event(&mut self) -> VoiceGatewayEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a process")
    }

    async fn until_ready(&mut self) {
        while !matches!(self.event().await, VoiceGatewayEvent::Ready { .. }) {}
    }

    /// Ends as a process that is restarted ends, and gives what it had still to tell.
    async fn restart(self) -> Vec<VoiceGatewayEvent> {
        let Self { mut events, stop, task, .. } = self;
        stop.send(Stop::Restart).unwrap();
        let mut rest = Vec::new();
        let over = async {
            while let Some(event) = events.recv().await {
                rest.push(event);
            }
        };
        timeout(PATIENCE, over).await.unwrap();
        task.await.unwrap().unwrap();
        rest
    }

    /// Ends as by `kill -9`: nothing is written down any more.
    async fn kill(self) -> Vec<VoiceGatewayEvent> {
        let Self { mut events, task, .. } = self;
        task.abort();
        let _ = task.await;
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }
}

/// What of the numbered events came.
#[derive(Debug)]
struct Seen {
    latest: u32,
    lost_sessions: u32,
    repeats: u32,
    gaps: Vec<(u32, u32)>,
}

impl Seen {
    fn note(&mut self, event: &VoiceGatewayEvent) {
        match event {
            VoiceGatewayEvent::SessionLost => self.lost_sessions += 1,
            VoiceGatewayEvent::Channel(channel)
                if channel.channel.get() == LOUNGE && channel.bitrate >= FIRST =>
            {
                match channel.bitrate {
                    number if number == self.latest + 1 => self.latest = number,
                    number if number <= self.latest => self.repeats += 1,
                    number => {
                        self.gaps.push((self.latest, number));
                        self.latest = number;
                    }
                }
            }
            _ => {}
        }
    }
}

/// The far side and who provokes it.
struct Storm {
    server: Server,
    chance: SmallRng,
    http: reqwest::Client,
    number: u32,
    asked: usize,
}

impl Storm {
    fn event(&mut self) {
        self.number += 1;
        self.server.world().set_bitrate(LOUNGE, self.number).unwrap();
    }

    /// A human types a command; gives once it was passed on.
    async fn ask(&mut self) {
        let url = format!("{}/humans/{ADA}/commands", self.server.control_url());
        let body = json!({"name": "vc", "options": {"status": {}}});
        let answer = self.http.post(url).body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        self.asked += 1;
    }

    fn calls(&self, wanted: impl Fn(&Entry) -> bool) -> usize {
        let entries = self.server.journal().since(0);
        entries.iter().filter(|entry| entry.kind == "rest" && wanted(entry)).count()
    }

    fn answered(&self) -> usize {
        self.calls(|entry| {
            entry.name.starts_with("POST /interactions/") && entry.data["status"] == 204
        })
    }

    fn replied(&self) -> usize {
        self.calls(|entry| {
            entry.name.starts_with("PATCH /webhooks/") && entry.data["status"] == 200
        })
    }

    /// Waits until every command has its reply.
    async fn settled(&self) {
        let mut seen = 0;
        let done = async {
            while self.replied() < self.asked {
                seen = self.server.journal().wait_for(seen, |entry| entry.kind == "rest").await.seq;
            }
        };
        let in_time = timeout(PATIENCE, done).await;
        assert!(in_time.is_ok(), "{} of {} commands were replied to", self.replied(), self.asked);
    }

    /// Something that Discord replays after.
    fn disturb(&mut self) -> &'static str {
        let gateway = self.server.gateway();
        match self.chance.random_range(0..20) {
            0..8 => {
                let codes = [1000, 1001, 4000, 4001, 4002, 4008];
                gateway.close_all(codes[self.chance.random_range(0..codes.len())]);
                "close"
            }
            8..12 => {
                gateway.close_all(1006);
                "cut"
            }
            12..15 => {
                gateway.reconnect_all();
                "op 7"
            }
            15..18 => {
                gateway.invalidate_all(true);
                "op 9 true"
            }
            _ => {
                let status = [429, 500, 503][self.chance.random_range(0..3)];
                let rest = vec![RestFault {
                    path_prefix: "/interactions/".to_owned(),
                    status,
                    times: 1,
                    retry_after: 0.02,
                    carried_out: false,
                }];
                self.server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
                "REST"
            }
        }
    }
}

async fn storm(seed: u64) -> Storm {
    let server = localcord(impatient()).await;
    server.world().set_bitrate(LOUNGE, FIRST).unwrap();
    let chance = SmallRng::seed_from_u64(seed);
    Storm { server, chance, http: reqwest::Client::new(), number: FIRST, asked: 0 }
}

/// A hundred disturbances, two graceful restarts and a kill among them: every event comes, in
/// order, and every command has one reply.
#[tokio::test(flavor = "multi_thread")]
async fn what_discord_replays_is_not_lost_and_nobody_is_replied_to_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut storm = storm(20_261_127).await;
    let mut process = start(&storm.server, quick(folder.path()));
    process.until_ready().await;
    let mut seen = Seen { latest: FIRST, lost_sessions: 0, repeats: 0, gaps: Vec::new() };
    let mut killed = 0;
    for step in 0..100 {
        for _ in 0..storm.chance.random_range(1..4) {
            storm.event();
        }
        if step % 5 == 0 {
            storm.ask().await;
        }
        if step == 33 || step == 66 {
            for event in process.restart().await {
                seen.note(&event);
            }
            storm.event();
            process = start(&storm.server, quick(folder.path()));
        } else if step == 50 {
            storm.settled().await;
            for event in process.kill().await {
                seen.note(&event);
            }
            killed = 1;
            storm.event();
            process = start(&storm.server, quick(folder.path()));
        } else if step == 80 {
            // Nothing is acknowledged any more: noticed by the second heartbeat.
            storm.server.gateway().silence_all();
        } else {
            let _ = storm.disturb();
        }
        let pause = Duration::from_millis(storm.chance.random_range(0..40));
        let quiet = tokio::time::sleep(pause);
        tokio::pin!(quiet);
        loop {
            tokio::select! {
                () = &mut quiet => break,
                Some(event) = process.events.recv() => seen.note(&event),
            }
        }
    }
    storm.event();
    let last = storm.number;
    while seen.latest < last {
        let event = process.event().await;
        seen.note(&event);
    }
    storm.settled().await;

    assert_eq!(seen.gaps, [], "{seen:?}");
    assert_eq!(seen.lost_sessions, 0, "{seen:?}");
    // A process that follows another is told what that one knew; a killed one repeats its last second.
    assert!(seen.repeats >= 2 + killed, "{seen:?}");
    assert_eq!((storm.answered(), storm.replied()), (storm.asked, storm.asked));
    let identified =
        storm.server.journal().since(0).iter().filter(|entry| entry.name == "identify").count();
    assert_eq!(identified, 1, "one session carried all of it");
    assert!(process.monitor.snapshot().is_connected());
}

/// A socket that is half open is noticed by its heartbeats, and nothing is lost by it.
#[tokio::test(flavor = "multi_thread")]
async fn without_acknowledgements_the_session_is_resumed_within_two_heartbeats() {
    let folder = tempfile::tempdir().unwrap();
    let storm = storm(1).await;
    let mut process = start(&storm.server, quick(folder.path()));
    while !matches!(process.event().await, VoiceGatewayEvent::Channel(_)) {}
    // Up to the first heartbeat there is nothing to be missed.
    let journal = storm.server.journal();
    timeout(PATIENCE, journal.wait_for(0, |entry| entry.name == "heartbeat")).await.unwrap();
    storm.server.gateway().silence_all();
    let silent = std::time::Instant::now();
    storm.server.world().set_bitrate(LOUNGE, FIRST + 1).unwrap();
    let mut seen = Seen { latest: FIRST, lost_sessions: 0, repeats: 0, gaps: Vec::new() };
    while seen.latest == FIRST {
        let event = process.event().await;
        seen.note(&event);
    }
    let waited = silent.elapsed();
    assert!(waited < Duration::from_millis(2 * 700 + 1000), "{waited:?}");
    assert_eq!((seen.latest, seen.lost_sessions), (FIRST + 1, 0));
    assert!(journal.since(0).iter().any(|entry| entry.name == "resume"));
}

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

/// A rate limit is waited out, as long as Discord says.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_on_replies_is_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut storm = storm(1).await;
    let mut process = start(&storm.server, quick(folder.path()));
    process.until_ready().await;
    let rest = vec![RestFault {
        path_prefix: "/webhooks/".to_owned(),
        status: 429,
        times: 2,
        retry_after: 0.3,
        carried_out: false,
    }];
    storm.server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
    storm.ask().await;
    storm.settled().await;
    let entries = storm.server.journal().since(0);
    let edits: Vec<u64> = entries
        .iter()
        .filter(|entry| entry.name.starts_with("PATCH /webhooks/"))
        .map(|entry| entry.at_ms)
        .collect();
    assert_eq!(edits.len(), 3);
    assert!(edits.windows(2).all(|pair| pair[1] - pair[0] >= 300), "{edits:?}");
}

/// With sessions that are lost, too: it always comes back, knows where it is, and replies once.
#[tokio::test(flavor = "multi_thread")]
async fn lost_sessions_are_told_and_what_is_there_now_is_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut storm = storm(7).await;
    let mut process = start(&storm.server, quick(folder.path()));
    process.until_ready().await;
    let mut seen = Seen { latest: FIRST, lost_sessions: 0, repeats: 0, gaps: Vec::new() };
    for step in 0..60 {
        storm.event();
        match step % 6 {
            0 => storm.server.gateway().invalidate_all(false),
            2 => storm.server.gateway().close_all([4003, 4005, 4007, 4009][step % 4]),
            _ => {
                let _ = storm.disturb();
            }
        }
        let pause = Duration::from_millis(storm.chance.random_range(0..40));
        while let Ok(Some(event)) = timeout(pause, process.events.recv()).await {
            let gaps = seen.gaps.len();
            let lost = seen.lost_sessions;
            seen.note(&event);
            assert!(seen.gaps.len() == gaps || lost > 0, "a gap without a lost session: {seen:?}");
        }
    }
    storm.event();
    while seen.latest < storm.number {
        let event = process.event().await;
        seen.note(&event);
    }
    storm.ask().await;
    storm.settled().await;
    assert!(seen.lost_sessions >= 10, "{seen:?}");
    assert_eq!((storm.answered(), storm.replied()), (storm.asked, storm.asked));
}

/// Heartbeats go on, and are acknowledged, while nobody handles events.
#[tokio::test]
async fn heartbeats_go_on_while_nobody_handles_events() {
    let folder = tempfile::tempdir().unwrap();
    let far = FarSettings { heartbeat_interval_ms: 600, ..impatient() };
    let server = localcord_on_its_own_thread(far);
    let queue = EventQueueSettings { max_queue_size: 10, ..EventQueueSettings::default() };
    let settings = ConnectionSettings { event_queue: queue, ..quick(folder.path()) };
    let mut process = start(&server.server, settings);
    while !matches!(process.event().await, VoiceGatewayEvent::Channel(_)) {}
    let before = server.server.journal().since(0).last().unwrap().seq;
    for number in 0..200 {
        server.server.world().set_bitrate(LOUNGE, FIRST + number).unwrap();
    }
    // This thread runs everything but the websockets, and does nothing for so long.
    std::thread::sleep(Duration::from_millis(2_500));
    let entries = server.server.journal().since(before);
    let beats = entries.iter().filter(|entry| entry.name == "heartbeat").count();
    assert!(beats >= 3, "{beats} heartbeats in 2.5 s");
    assert!(entries.iter().all(|entry| entry.name != "close" && entry.name != "closed by client"));
    let status = process.monitor.snapshot();
    assert!(status.is_connected());
    // The rule of the queue: what does not fit is rejected and counted.
    assert_eq!(status.rejected_events, 190);
    assert_eq!(status.queue_depth, 10);
    assert!(status.shards[0].heartbeat_ack_age.unwrap() < Duration::from_millis(700));
}

struct Apart {
    server: Server,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// So that it can answer while the test's own runtime is stuck.
fn localcord_on_its_own_thread(far: FarSettings) -> Apart {
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(localcord(far));
        Apart { server, runtime: Some(runtime) }
    })
    .join()
    .unwrap()
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
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with(".lock")), "{left:?}");
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
