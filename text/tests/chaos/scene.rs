//! A process, the far side, and who provokes it.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use clawvoice_session::{
    ChannelId, GuildId, JoinFailure, JoinOutcome, LeaveOutcome, VoiceControl, VoiceGatewayEvent,
    VoiceStateRequest, VoiceStatus,
};
use clawvoice_text::shell::gateway::{
    CommandScope, ConnectionSettings, DiscordRest, GatewayChannels, GatewayFailure, GatewayMonitor,
    GatewaySettings, IntentSettings, ReconnectSettings, RestSettings, Stop, run_until,
};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestFault},
    gateway::GatewaySettings as FarSettings,
    journal::Entry,
    world::default::{ADA, APPLICATION, LOUNGE},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Numbered events are bitrates of a channel; the first one.
pub(crate) const FIRST: u32 = 10_000;

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

pub(crate) async fn localcord(far: FarSettings) -> Server {
    let settings = ServerSettings { gateway: far, ..ServerSettings::default() };
    Server::start(settings).await.unwrap()
}

pub(crate) fn impatient() -> FarSettings {
    FarSettings { heartbeat_interval_ms: 700, identify_spacing_ms: 0, ..FarSettings::default() }
}

/// Waits that a test can wait for.
pub(crate) fn quick(state_folder: &Path) -> ConnectionSettings {
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
pub(crate) struct Process {
    pub(crate) events: mpsc::Receiver<VoiceGatewayEvent>,
    pub(crate) monitor: GatewayMonitor,
    pub(crate) stop: oneshot::Sender<Stop>,
    pub(crate) task: JoinHandle<Result<(), GatewayFailure>>,
    pub(crate) requests: mpsc::Sender<VoiceStateRequest>,
}

pub(crate) fn start(server: &Server, connection: ConnectionSettings) -> Process {
    let (voice_events, events) = mpsc::channel(64);
    let (requests, voice_requests) = mpsc::channel(16);
    let (stop, stopped) = oneshot::channel();
    let (token, base) = (server.bot_token().into(), server.api_base_url());
    let rest = DiscordRest::new(&token, Some(&base), None, &RestSettings::default()).unwrap();
    let settings = GatewaySettings {
        token,
        api_base_url: Some(base),
        application_id: Some(APPLICATION),
        intents: IntentSettings { voice_states: true, ..IntentSettings::default() },
        voice: true,
        text: None,
        commands: CommandScope::Global,
        ephemeral: true,
        connection,
        rest,
    };
    let channels = GatewayChannels {
        policy: tokio::sync::watch::channel(Arc::new(clawvoice_session::access::Policy::open())).1,
        ..GatewayChannels::new(voice_events, voice_requests, Some(Arc::new(Idle)))
    };
    let monitor = channels.monitor.clone();
    let task = tokio::spawn(run_until(settings, channels, async {
        stopped.await.unwrap_or(Stop::Restart)
    }));
    Process { events, monitor, stop, task, requests }
}

impl Process {
    pub(crate) async fn event(&mut self) -> VoiceGatewayEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("a process")
    }

    pub(crate) async fn until_ready(&mut self) {
        while !matches!(self.event().await, VoiceGatewayEvent::Ready { .. }) {}
    }

    /// Ends as a process that is restarted ends, and gives what it had still to tell.
    pub(crate) async fn restart(self) -> Vec<VoiceGatewayEvent> {
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
    pub(crate) async fn kill(self) -> Vec<VoiceGatewayEvent> {
        let Self { mut events, task, .. } = self;
        task.abort();
        let _ = task.await;
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }
}

/// What of the numbered events came.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) latest: u32,
    pub(crate) lost_sessions: u32,
    pub(crate) repeats: u32,
    pub(crate) gaps: Vec<(u32, u32)>,
}

impl Seen {
    pub(crate) fn note(&mut self, event: &VoiceGatewayEvent) {
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
pub(crate) struct Storm {
    pub(crate) server: Server,
    pub(crate) chance: SmallRng,
    pub(crate) http: reqwest::Client,
    pub(crate) number: u32,
    pub(crate) asked: usize,
}

impl Storm {
    pub(crate) fn event(&mut self) {
        self.number += 1;
        self.server.world().set_bitrate(LOUNGE, self.number).unwrap();
    }

    /// A human types a command; gives once it was passed on.
    pub(crate) async fn ask(&mut self) {
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

    pub(crate) fn answered(&self) -> usize {
        self.calls(|entry| {
            entry.name.starts_with("POST /interactions/") && entry.data["status"] == 204
        })
    }

    pub(crate) fn replied(&self) -> usize {
        self.calls(|entry| {
            entry.name.starts_with("PATCH /webhooks/") && entry.data["status"] == 200
        })
    }

    /// Waits until every command has its reply.
    pub(crate) async fn settled(&self) {
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
    pub(crate) fn disturb(&mut self) -> &'static str {
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

pub(crate) async fn storm(seed: u64) -> Storm {
    let server = localcord(impatient()).await;
    server.world().set_bitrate(LOUNGE, FIRST).unwrap();
    let chance = SmallRng::seed_from_u64(seed);
    Storm { server, chance, http: reqwest::Client::new(), number: FIRST, asked: 0 }
}
