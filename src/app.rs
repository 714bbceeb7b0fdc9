//! Wiring: from a checked configuration to running parts, and back down in order.

use std::{future::Future, path::Path, sync::Arc};

use clawvoice_config::Config;
use clawvoice_session::{
    ChannelId, GuildId, StageDoor,
    agent::Agent,
    timeline::{Level, Record},
};
use clawvoice_text::shell::{
    gateway::{self, CommandScope, GatewayChannels, GatewayFailure},
    stage::StageRequests,
};
use clawvoice_voice::{
    presence::{AutoJoin, Labels, PresenceSettings},
    shell::{
        clock::SessionClock,
        presence::{self, PresenceChannels, PresenceHandle},
        recorder::Recordings,
        session::{SessionTemplate, Sessions},
        speech::SpeechClients,
    },
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    agent, conversation,
    printer::Failure,
    provider::{self, RunningProvider},
    speech,
    timeline::TimelineWriter,
};

/// Main gateway events that may wait for voice; the gateway waits when it is full.
const EVENTS: usize = 1_024;

/// Voice state requests that may wait for the main gateway.
const REQUESTS: usize = 64;

/// Timeline records that may wait for the writer; what comes on top is dropped and counted.
const RECORDS: usize = 4_096;

/// Runs until `shutdown` resolves or Discord refuses us for good.
///
/// Going down, in this order: voice channels are left (null channel), sessions close their
/// sockets, the main gateway closes with 1000, the agent's runs stop and its store is closed, the
/// local provider finishes its recordings, the timeline is flushed.
pub(crate) async fn run(
    config: Config,
    timeline: Option<&Path>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let clock = SessionClock::start();
    let (records, writer) = start_timeline(timeline)?;
    let _ = records.try_send(process_started(clock));
    let agent = agent::start(&config).await?;
    let (provider, speech) = match front_end(&config).await {
        Ok(front_end) => front_end,
        Err(failure) => {
            agent.close().await;
            return Err(failure);
        }
    };
    let (voice_events, events) = mpsc::channel(EVENTS);
    let (requests, voice_requests) = mpsc::channel(REQUESTS);
    let (voice, presence) = start_voice(
        &config,
        provider.as_ref(),
        Arc::clone(&agent) as _,
        speech,
        clock,
        PresenceChannels { events, requests, records, stage: stage_door(&config) },
    );

    let (stop, stopped) = tokio::sync::oneshot::channel();
    let leaving = tokio::spawn({
        let voice = voice.clone();
        async move {
            shutdown.await;
            tracing::info!("stopping: leaving voice, closing connections");
            voice.leave_all().await;
            // The gateway may have ended by itself; then nobody waits for this.
            let _ = stop.send(());
        }
    });
    let settings = gateway_settings(&config)?;
    let control = config.discord.voice.enabled.then(|| Arc::new(voice.clone()) as _);
    let channels = GatewayChannels::new(voice_events, voice_requests, control);
    let outcome = gateway::run(settings, channels, async {
        let _ = stopped.await;
    })
    .await;

    leaving.abort();
    voice.leave_all().await;
    drop(voice);
    // Both end when their last handle is gone; a panic in one is in the log already.
    let _ = leaving.await;
    let _ = presence.await;
    agent.close().await;
    if let Some(RunningProvider { local: Some(local), .. }) = provider {
        local.shutdown().await;
    }
    let _ = writer.await;
    outcome.map_err(|failure| {
        let words = match failure {
            GatewayFailure::TokenRefused => Failure::auth(&failure),
            _ => Failure::user(&failure),
        };
        words.hint(failure.hint())
    })
}

/// What listens and talks: a realtime provider or, in mode `stt-tts`, speech clients.
async fn front_end(
    config: &Config,
) -> Result<(Option<RunningProvider>, Option<Arc<SpeechClients>>), Failure> {
    Ok((provider::start(config).await?, speech::start(config).await?))
}

/// The first record: the wall clock at the timeline's zero, so that other recordings can be laid
/// beside it.
fn process_started(clock: SessionClock) -> Record {
    let now = clock.now();
    let unix_us = jiff::Timestamp::now().as_microsecond();
    let zero = unix_us.saturating_sub_unsigned(now.as_micros());
    Record::new(now, Level::Verbose, "timeline begins")
        .with("unixMicrosAtZero", zero)
        .with("version", env!("CARGO_PKG_VERSION"))
}

fn start_timeline(path: Option<&Path>) -> Result<(mpsc::Sender<Record>, JoinHandle<()>), Failure> {
    let mut writer = TimelineWriter::create(path).map_err(|error| {
        let path = path.unwrap_or(Path::new("")).display();
        Failure::user(format_args!("the timeline {path} cannot be written: {error}"))
    })?;
    let (records, mut incoming) = mpsc::channel(RECORDS);
    let task = tokio::spawn(async move {
        while let Some(record) = incoming.recv().await {
            writer.write(&record);
        }
    });
    Ok((records, task))
}

fn start_voice(
    config: &Config,
    provider: Option<&RunningProvider>,
    agent: Arc<dyn Agent>,
    speech: Option<Arc<SpeechClients>>,
    clock: SessionClock,
    channels: PresenceChannels,
) -> (PresenceHandle, JoinHandle<()>) {
    let voice = &config.discord.voice;
    let workspace = config.agent.workspace.as_deref();
    let front_end = conversation::settings(config, provider, workspace);
    let labels = labels(config, provider);
    let settings = PresenceSettings {
        enabled: voice.enabled && (provider.is_some() || speech.is_some()),
        auto_join: voice.auto_join.iter().map(auto_join).collect(),
        connect_timeout: voice.connect_timeout,
        labels,
    };
    let template = SessionTemplate {
        secure: config.discord.api_base_url.as_ref().is_none_or(clawvoice_config::BaseUrl::is_tls),
        dave: voice.dave_encryption,
        decryption_failure_tolerance: voice.decryption_failure_tolerance,
        tls: None,
        connect_timeout: voice.connect_timeout,
        provider: provider.map(|provider| provider.endpoint.clone()).unwrap_or_default(),
        recordings: voice
            .timeline
            .as_ref()
            .map(|timeline| Recordings { folder: timeline.folder.clone(), keep: timeline.keep }),
        speech,
        front_end,
        agent,
    };
    let starter = Arc::new(Sessions::new(template, clock));
    presence::start(settings, channels, starter, move || clock.now())
}

fn auto_join(entry: &clawvoice_config::AutoJoin) -> AutoJoin {
    AutoJoin {
        guild: GuildId::new(entry.target.guild.get()),
        channel: ChannelId::new(entry.target.channel.get()),
    }
}

fn labels(config: &Config, provider: Option<&RunningProvider>) -> Labels {
    use clawvoice_config::{AgentSession, SessionTarget};
    let agent = config.agent.id.clone();
    let voice = &config.discord.voice;
    let (mode, target) = match voice.agent_session {
        AgentSession::Voice => ("voice", None),
        AgentSession::Target(SessionTarget::Channel(id)) => {
            ("target", Some(format!("channel:{id}")))
        }
        AgentSession::Target(SessionTarget::User(id)) => ("target", Some(format!("user:{id}"))),
    };
    Labels {
        mode: provider::mode_word(voice.mode).to_owned(),
        agent,
        agent_session_mode: mode.to_owned(),
        agent_session_target: target,
        supervisor_session: conversation::supervisor(config),
        voice_model: voice.model.clone().unwrap_or_default(),
        realtime_provider: provider.map(|p| p.id.clone()).unwrap_or_default(),
        realtime_model: provider.map(|p| p.model.clone()).unwrap_or_default(),
        realtime_voice: provider.map(|p| p.voice.clone()).unwrap_or_default(),
    }
}

/// What asks to speak in stages.
fn stage_door(config: &Config) -> Option<Arc<dyn StageDoor>> {
    let discord = &config.discord;
    let base = discord.api_base_url.as_ref().map(ToString::to_string);
    StageRequests::new(discord.token.as_ref()?, base.as_deref()).map(|door| Arc::new(door) as _)
}

fn gateway_settings(config: &Config) -> Result<gateway::GatewaySettings, Failure> {
    let discord = &config.discord;
    let token = discord.token.clone().ok_or_else(|| {
        Failure::user("channels.discord is switched off: there is nothing to run")
            .hint("set channels.discord.enabled to true")
    })?;
    Ok(gateway::GatewaySettings {
        token,
        api_base_url: discord.api_base_url.as_ref().map(ToString::to_string),
        application_id: discord.application_id.map(clawvoice_config::DiscordId::get),
        voice: discord.intents.voice_states,
        commands: if discord.commands.native && discord.voice.enabled {
            CommandScope::Global
        } else {
            CommandScope::Off
        },
        rest: gateway::RestSettings::default(),
        connection: gateway::ConnectionSettings {
            verbose: std::env::var_os("CONNECTION_DEBUG").is_some_and(|set| set != "0"),
            ..gateway::ConnectionSettings::default()
        },
    })
}
