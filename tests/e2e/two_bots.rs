//! Two accounts of one process in one guild: each has its own gateway, its own presence and its own
//! sessions, and neither notices the other.

use std::{sync::Arc, time::Instant};

use clawvoice_session::{
    ChannelId, GuildId, JoinOutcome, LeaveOutcome, SessionTime, VoiceControl as _, VoiceStatus,
};
use clawvoice_text::shell::{
    gateway::{self, CommandScope, GatewayChannels, GatewayFailure, GatewaySettings},
    lookups::Lookups,
};
use clawvoice_voice::{
    presence::{
        PresenceSettings,
        link::{SessionCommand, SessionEvent, SessionHandle, SessionRequest, SessionStarter},
    },
    shell::presence::{self, PresenceChannels, PresenceHandle},
};
use localcord::world::default::{BOT_USER, GUILD, LOUNGE};
use secrecy::SecretString;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    scene::{DEN, Scene},
    soon,
};

/// Sessions without media: ready at once, over when they are told to leave.
struct Silent;

impl SessionStarter for Silent {
    fn start(&self, _: SessionRequest) -> SessionHandle {
        let (commands, mut told) = mpsc::channel(8);
        let (to_owner, events) = mpsc::channel(8);
        tokio::spawn(async move {
            let _ = to_owner.send(SessionEvent::Ready).await;
            while let Some(command) = told.recv().await {
                if matches!(command, SessionCommand::Leave) {
                    return;
                }
            }
        });
        SessionHandle { commands, events }
    }
}

/// One account.
struct Account {
    presence: PresenceHandle,
    stop: oneshot::Sender<()>,
    gateway: JoinHandle<Result<(), GatewayFailure>>,
}

impl Account {
    async fn start(scene: &Scene, token: &str) -> Self {
        let (voice_events, events) = mpsc::channel(64);
        let (requests, voice_requests) = mpsc::channel(64);
        let (records, mut written) = mpsc::channel(64);
        tokio::spawn(async move { while written.recv().await.is_some() {} });
        let token = SecretString::from(token.to_owned());
        let base = scene.server.api_base_url();
        let settings = gateway::RestSettings::default();
        let rest = gateway::DiscordRest::new(&token, Some(&base), None, &settings)
            .expect("localcord's address is one");
        let lookups = Some(Arc::new(Lookups::new(rest.clone())) as _);
        let channels = PresenceChannels { events, requests, records, stage: None, lookups };
        let began = Instant::now();
        let clock = move || SessionTime::ZERO + began.elapsed();
        let settings = PresenceSettings::default();
        let (presence, _) = presence::start(settings, channels, Arc::new(Silent), clock);
        let settings = GatewaySettings {
            token,
            api_base_url: Some(base),
            application_id: None,
            intents: gateway::IntentSettings {
                voice_states: true,
                ..gateway::IntentSettings::default()
            },
            voice: true,
            text: None,
            commands: CommandScope::Off,
            ephemeral: true,
            connection: gateway::ConnectionSettings::default(),
            rest,
        };
        let channels = GatewayChannels::new(voice_events, voice_requests, None);
        let (stop, stopped) = oneshot::channel();
        let gateway = tokio::spawn(gateway::run(settings, channels, async {
            let _ = stopped.await;
        }));
        let account = Self { presence, stop, gateway };
        // A join before READY is refused at once.
        let first = async {
            while account.joins(LOUNGE).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        soon("READY", first).await;
        account
    }

    async fn joins(&self, channel: u64) -> Result<JoinOutcome, clawvoice_session::JoinFailure> {
        self.presence.join(GuildId::new(GUILD), ChannelId::new(channel)).await
    }

    async fn status(&self) -> Vec<u64> {
        let status = self.presence.status(None).await;
        status.iter().map(|VoiceStatus { channel, .. }| channel.get()).collect()
    }

    async fn stops(self) {
        self.presence.leave_all().await;
        let _ = self.stop.send(());
        soon("the gateway's end", self.gateway).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn two_bots_of_one_process_share_a_guild() {
    let scene = Scene::with_rooms().await;
    let other = scene.server.world().add_bot("second");
    let first = Account::start(&scene, &scene.server.bot_token()).await;
    let second = Account::start(&scene, &other.token).await;
    let place = |user| {
        scene
            .server
            .world()
            .read(|state| state.voice_states.get(&(GUILD, user)).map(|voice| voice.channel_id))
    };
    assert_eq!((first.status().await, second.status().await), (vec![LOUNGE], vec![LOUNGE]));
    assert_eq!((place(BOT_USER), place(other.user_id)), (Some(LOUNGE), Some(LOUNGE)));

    // One moves, one is moved, one leaves: the other stays where it is.
    assert_eq!(soon("a join", second.joins(DEN)).await, Ok(JoinOutcome::Joined));
    assert_eq!((first.status().await, second.status().await), (vec![LOUNGE], vec![DEN]));
    scene.appears(BOT_USER, DEN);
    let moved = async {
        while first.status().await != [DEN] {
            tokio::task::yield_now().await;
        }
    };
    soon("the first one's move", moved).await;
    let left = second.presence.leave(GuildId::new(GUILD)).await;
    assert_eq!(left, LeaveOutcome::Left(ChannelId::new(DEN)));
    assert_eq!((first.status().await, second.status().await), (vec![DEN], vec![]));
    second.stops().await;
    assert_eq!((place(BOT_USER), place(other.user_id)), (Some(DEN), None));
    first.stops().await;
    assert_eq!(place(BOT_USER), None);
}
