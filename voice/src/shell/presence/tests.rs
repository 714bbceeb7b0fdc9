//! Presence's task in virtual time, with a gateway and sessions made of channels.

use clawvoice_session::{
    RoomLookup, RoomPermission, VoiceServerChange, VoiceStateChange, VoiceStateLookup,
    timeline::{Level, Record},
};
use tokio::time::{Instant, timeout};

use super::*;
use crate::presence::AutoJoin;

const GUILD: GuildId = GuildId::new(1);
const A: ChannelId = ChannelId::new(10);
const B: ChannelId = ChannelId::new(20);
const BOT: UserId = UserId::new(5);
const ADA: UserId = UserId::new(31);

/// A session that was started, seen from its inside.
struct Started {
    request: SessionRequest,
    commands: mpsc::Receiver<SessionCommand>,
    events: mpsc::Sender<SessionEvent>,
}

struct FakeStarter(mpsc::UnboundedSender<Started>);

impl SessionStarter for FakeStarter {
    fn start(&self, request: SessionRequest) -> SessionHandle {
        let (to_session, commands) = mpsc::channel(8);
        let (events, from_session) = mpsc::channel(8);
        let _ = self.0.send(Started { request, commands, events });
        SessionHandle { commands: to_session, events: from_session }
    }
}

struct World {
    handle: PresenceHandle,
    gateway: mpsc::Sender<VoiceGatewayEvent>,
    requests: mpsc::Receiver<VoiceStateRequest>,
    records: mpsc::Receiver<Record>,
    sessions: mpsc::UnboundedReceiver<Started>,
}

async fn world() -> World {
    world_with(PresenceSettings::default(), None).await
}

async fn world_with(settings: PresenceSettings, lookups: Option<Arc<dyn LookupDoor>>) -> World {
    let (gateway, events) = mpsc::channel(16);
    let (to_gateway, requests) = mpsc::channel(16);
    let (record, records) = mpsc::channel(64);
    let (started, sessions) = mpsc::unbounded_channel();
    let channels =
        PresenceChannels { events, requests: to_gateway, records: record, stage: None, lookups };
    let began = Instant::now();
    let clock = move || SessionTime::ZERO + began.elapsed();
    let (handle, _) = start(settings, channels, Arc::new(FakeStarter(started)), clock);
    gateway.send(VoiceGatewayEvent::Ready { user: BOT }).await.unwrap();
    // The first join must find the bot ready.
    while gateway.capacity() < gateway.max_capacity() {
        tokio::task::yield_now().await;
    }
    World { handle, gateway, requests, records, sessions }
}

impl World {
    fn join(
        &self,
        guild: GuildId,
        channel: ChannelId,
    ) -> JoinHandle<Result<JoinOutcome, JoinFailure>> {
        let handle = self.handle.clone();
        tokio::spawn(async move { handle.join(guild, channel).await })
    }

    async fn asked(&mut self) -> (u64, Option<u64>) {
        let request = self.requests.recv().await.unwrap();
        assert!(!request.self_deaf && !request.self_mute, "{request:?}");
        (request.guild.get(), request.channel.map(ChannelId::get))
    }

    async fn state(&self, guild: GuildId, channel: Option<ChannelId>) {
        let session_id = format!("vs{guild}");
        let change = VoiceStateChange { guild, user: BOT, channel, session_id, suppressed: false };
        self.gateway.send(VoiceGatewayEvent::State(change)).await.unwrap();
    }

    async fn server(&self, guild: GuildId, endpoint: &str) {
        let change = VoiceServerChange {
            guild,
            endpoint: Some(endpoint.to_owned()),
            token: "token".to_owned().into(),
        };
        self.gateway.send(VoiceGatewayEvent::Server(change)).await.unwrap();
    }

    /// In a channel, with a session that is ready.
    async fn connected(&mut self, guild: GuildId, channel: ChannelId) -> Started {
        let join = self.join(guild, channel);
        assert_eq!(self.asked().await, (guild.get(), Some(channel.get())));
        self.state(guild, Some(channel)).await;
        self.server(guild, "host:1").await;
        let started = self.sessions.recv().await.unwrap();
        started.events.send(SessionEvent::Ready).await.unwrap();
        assert_eq!(join.await.unwrap(), Ok(JoinOutcome::Joined));
        started
    }

    fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(record) = self.records.try_recv() {
            lines.push(record.line.into_owned());
        }
        lines
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_through_songbird_then_a_leave() {
    let mut world = world().await;
    let join = world.join(GUILD, A);
    assert_eq!(world.asked().await, (1, Some(10)));
    // The halves come in either order.
    world.server(GUILD, "host:1").await;
    world.state(GUILD, Some(A)).await;
    let mut started = world.sessions.recv().await.unwrap();
    let request = &started.request;
    assert_eq!((request.guild, request.channel, request.user), (GUILD, A, BOT));
    assert_eq!((request.session_id.as_str(), request.endpoint.as_str()), ("vs1", "host:1"));
    assert_eq!(request.token.expose_secret(), "token");

    let record = Record::new(SessionTime::ZERO, Level::Info, "realtime bridge ready");
    started.events.send(SessionEvent::Record(record)).await.unwrap();
    started.events.send(SessionEvent::Ready).await.unwrap();
    assert_eq!(join.await.unwrap(), Ok(JoinOutcome::Joined));
    assert_eq!(world.lines(), ["joining", "realtime bridge ready", "joined"]);
    let here = VoiceStatus { guild: GUILD, channel: A };
    assert_eq!(world.handle.status(Some(GUILD)).await, [here]);
    assert_eq!(world.handle.join(GUILD, A).await, Ok(JoinOutcome::AlreadyConnected));

    world.server(GUILD, "host:2").await;
    let told = started.commands.recv().await.unwrap();
    assert!(
        matches!(&told, SessionCommand::ServerChanged { endpoint, .. } if endpoint == "host:2"),
        "{told:?}"
    );

    assert_eq!(world.handle.leave(GUILD).await, LeaveOutcome::Left(A));
    assert_eq!(world.asked().await, (1, None));
    assert!(matches!(started.commands.recv().await, Some(SessionCommand::Leave)));
    assert!(started.commands.recv().await.is_none(), "the sender is dropped");
    assert_eq!(world.handle.status(None).await, []);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_join_fails_at_the_deadline_and_is_taken_back() {
    let mut world = world().await;
    let asked_at = Instant::now();
    let failure = world.handle.join(GUILD, A).await.unwrap_err();
    assert_eq!(asked_at.elapsed().as_secs(), 30);
    assert!(matches!(failure, JoinFailure::Connect(_)), "{failure}");
    assert_eq!(world.asked().await, (1, Some(10)));
    assert_eq!(world.asked().await, (1, None));
    assert!(world.sessions.try_recv().is_err(), "no session was started");
    assert_eq!(world.lines(), ["joining", "join failed before ready"]);
}

#[tokio::test(start_paused = true)]
async fn a_move_by_a_moderator_starts_a_session_there_without_op_4() {
    let mut world = world().await;
    let mut first = world.connected(GUILD, A).await;
    world.state(GUILD, Some(B)).await;
    world.server(GUILD, "host:2").await;
    let second = world.sessions.recv().await.unwrap();
    assert_eq!((second.request.channel, second.request.endpoint.as_str()), (B, "host:2"));
    assert!(second.request.generation > first.request.generation);
    assert!(matches!(first.commands.recv().await, Some(SessionCommand::Leave)));
    // The old session's last words change nothing.
    let plan = EndPlan::Rejoin;
    let ended = SessionEvent::Ended { reason: "late".to_owned(), plan };
    first.events.send(ended).await.unwrap();
    second.events.send(SessionEvent::Ready).await.unwrap();
    drop(first);
    let here = VoiceStatus { guild: GUILD, channel: B };
    while world.handle.status(None).await != [here] {
        tokio::task::yield_now().await;
    }
    assert!(world.requests.try_recv().is_err(), "nothing was asked of Discord");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_stops_without_a_word_is_left() {
    let mut world = world().await;
    let started = world.connected(GUILD, A).await;
    drop(started);
    assert_eq!(world.asked().await, (1, None));
    assert_eq!(world.handle.status(None).await, []);
}

#[tokio::test(start_paused = true)]
async fn leaving_everywhere_waits_for_the_sessions_but_not_forever() {
    let mut world = world().await;
    let mut one = world.connected(GUILD, A).await;
    let two = world.connected(GuildId::new(2), B).await;
    let pending = world.join(GuildId::new(3), B);
    assert_eq!(world.asked().await, (3, Some(20)));

    let handle = world.handle.clone();
    let mut leaving = tokio::spawn(async move { handle.leave_all().await });
    assert_eq!(world.asked().await, (3, None), "there is no session to wait for");
    assert_eq!(pending.await.unwrap(), Err(JoinFailure::Stopped));
    assert!(matches!(one.commands.recv().await, Some(SessionCommand::Leave)));
    assert!(world.requests.try_recv().is_err(), "the sessions are closing");
    drop(one);
    assert_eq!(world.asked().await, (1, None), "its session has closed");
    let asked_at = Instant::now();
    assert_eq!(world.asked().await, (2, None), "its session had the time to");
    assert!(asked_at.elapsed() <= LEAVE_HOLD);
    let soon = Duration::from_millis(600);
    assert!(timeout(soon, &mut leaving).await.is_err(), "the second session still closes");
    leaving.await.unwrap();
    drop(two);
    assert_eq!(world.handle.join(GUILD, A).await, Err(JoinFailure::Stopped));
}

#[tokio::test(start_paused = true)]
async fn without_a_main_gateway_a_join_fails_at_once() {
    let mut world = world().await;
    world.requests.close();
    let failure = world.handle.join(GUILD, A).await.unwrap_err();
    assert!(failure.to_string().contains("the main gateway cannot be asked"), "{failure}");
    assert!(world.lines().contains(&"join failed before ready".to_owned()));
}

/// Ada is in A; channel B is closed to the bot; nothing is known of guild 2.
struct Door;

#[async_trait]
impl LookupDoor for Door {
    async fn voice_state(&self, guild: GuildId, user: UserId) -> VoiceStateLookup {
        if guild == GUILD && user == ADA {
            VoiceStateLookup::In(A)
        } else {
            VoiceStateLookup::NotInVoice
        }
    }

    async fn room(&self, guild: GuildId, channel: ChannelId, bot: UserId) -> RoomLookup {
        assert_eq!(bot, BOT);
        if guild != GUILD {
            std::future::pending::<()>().await;
        }
        let missing = if channel == B { vec![RoomPermission::Connect] } else { Vec::new() };
        RoomLookup::Voice { missing }
    }
}

#[tokio::test(start_paused = true)]
async fn a_followed_user_is_found_by_rest_at_the_start() {
    let guilds = [GUILD].into();
    let settings =
        PresenceSettings { follow_users: [ADA].into(), guilds, ..PresenceSettings::default() };
    let mut world = world_with(settings, Some(Arc::new(Door))).await;
    assert_eq!(world.asked().await, (1, Some(10)));
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_looked_at_and_a_look_without_an_answer_is_not_waited_for() {
    let mut world = world_with(PresenceSettings::default(), Some(Arc::new(Door))).await;
    let failure = world.handle.join(GUILD, B).await.unwrap_err();
    assert_eq!(failure.to_string(), "Failed to join voice channel: the bot lacks Connect in <#20>");
    let asked_at = Instant::now();
    let _joining = world.join(GuildId::new(2), A);
    assert_eq!(world.asked().await, (2, Some(10)));
    assert_eq!(asked_at.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn auto_join_runs_even_if_ready_came_before_the_task() {
    let (gateway, events) = mpsc::channel(16);
    gateway.send(VoiceGatewayEvent::Ready { user: BOT }).await.unwrap();
    let (to_gateway, mut requests) = mpsc::channel(16);
    let (record, _records) = mpsc::channel(64);
    let (started, _sessions) = mpsc::unbounded_channel();
    let entry = AutoJoin { guild: GUILD, channel: A, when_occupied: false };
    let settings = PresenceSettings { auto_join: vec![entry], ..PresenceSettings::default() };
    let channels = PresenceChannels {
        events,
        requests: to_gateway,
        records: record,
        stage: None,
        lookups: None,
    };
    let clock = || SessionTime::ZERO;
    let (_handle, _) = start(settings, channels, Arc::new(FakeStarter(started)), clock);
    assert_eq!(requests.recv().await.unwrap().channel, Some(A));
}

#[tokio::test(start_paused = true)]
async fn new_settings_are_applied_at_once() {
    let mut world = world().await;
    let _started = world.connected(GUILD, A).await;
    let only_b = Some([(GUILD, B)].into());
    let settings = PresenceSettings { allowed_channels: only_b, ..PresenceSettings::default() };
    world.handle.reload(settings).await;
    assert_eq!(world.asked().await, (1, None));
}
