//! One account: its main gateway, where it is, and what listens and talks for it.

use std::{sync::Arc, time::Duration};

use clawvoice_config::{Account, Config};
use clawvoice_session::{
    ChannelId, GuildId, UserId,
    access::Policy,
    agent::Agent,
    audit::{Auditor, Purpose},
    timeline::Record,
};
use clawvoice_text::control::ControlRules;
use clawvoice_text::shell::{
    desk::TextMonitor,
    gateway::{
        self, CommandScope, DiscordRest, GatewayChannels, GatewayFailure, GatewayMonitor,
        PresenceInput, RuntimeHealth,
    },
    lookups::Lookups,
    stage::StageRequests,
};
use clawvoice_voice::{
    presence::{AutoJoin, Labels, PresenceSettings},
    shell::{
        clock::SessionClock,
        presence::{self, PresenceChannels, PresenceHandle},
        recorder::Recordings,
        session::{ProviderEndpoint, SessionTemplate, Sessions},
        speech::{NoteTranscriber, SpeechClients},
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    connection, conversation,
    credentials::Uses,
    health::Watch,
    printer::Failure,
    provider::{self, RunningProvider},
    speech,
    text::{self, Text, TextServices, TextStore},
};

/// Main gateway events that may wait for voice; the gateway waits when it is full.
const EVENTS: usize = 1_024;

/// Voice state requests that may wait for the main gateway.
const REQUESTS: usize = 64;

/// How often the status line learns how the runtime is.
const LOOK: Duration = Duration::from_secs(5);

/// What all bots of the process share.
pub(crate) struct Shared {
    pub(crate) clock: SessionClock,
    pub(crate) watch: Watch,
    pub(crate) agent: Arc<dyn Agent>,
    pub(crate) auditor: Auditor,
    pub(crate) text: TextStore,
    pub(crate) records: mpsc::Sender<Record>,
}

/// A running account.
pub(crate) struct Bot {
    /// Its key in `accounts`, or `default`.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) voice: PresenceHandle,
    presence: JoinHandle<()>,
    text: Text,
    provider: Option<RunningProvider>,
    endpoint: watch::Sender<ProviderEndpoint>,
    speech: Option<Arc<SpeechClients>>,
    notes: Option<Arc<NoteTranscriber>>,
    auditor: Auditor,
    can_talk: bool,
    live: watch::Sender<Arc<Config>>,
    policy: watch::Sender<Arc<Policy>>,
    look: Arc<watch::Sender<PresenceInput>>,
    health: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

/// The main gateway of a running account.
pub(crate) type Running = JoinHandle<Result<(), GatewayFailure>>;

/// The configuration as one account has it.
pub(crate) fn of_account(config: &Config, account: &Account) -> Config {
    Config { discord: account.discord.clone(), speech: account.speech.clone(), ..config.clone() }
}

impl Bot {
    /// Starts an account; `config` is as the account has it, and `monitor` what its gateway tells
    /// of itself by.
    pub(crate) async fn start(
        id: &str,
        config: &Config,
        shared: &Shared,
        monitor: GatewayMonitor,
        text_monitor: TextMonitor,
    ) -> Result<(Self, Running), Failure> {
        let uses = Uses::of(&shared.auditor, config, id);
        let token = config.discord.token.as_ref();
        let rest = rest(config)?.audited(uses.declare("token", token, Purpose::Rest));
        let settings = gateway_settings(config, rest.clone())?;
        let (provider, speech) =
            (provider::start(config, uses).await?, speech::start(config, uses).await?);
        let notes = speech::notes(config, uses);
        let can_talk = provider.is_some() || speech.is_some();
        let live = watch::Sender::new(Arc::new(config.clone()));
        let policy = watch::Sender::new(Arc::new(Policy::of(config, &config.discord)));
        let look = Arc::new(watch::Sender::new(PresenceInput {
            settings: connection::presence(&config.discord),
            health: RuntimeHealth::Healthy,
        }));
        let health = tokio::spawn(follow_health(Arc::clone(&look), shared.watch.clone()));
        let (voice_events, events) = mpsc::channel(EVENTS);
        let (requests, voice_requests) = mpsc::channel(REQUESTS);
        let ends = PresenceChannels {
            events,
            requests,
            records: shared.records.clone(),
            stage: Some(Arc::new(StageRequests::new(rest.clone()))),
            lookups: Some(Arc::new(Lookups::new(rest.clone()))),
        };
        let endpoint = provider.as_ref().map(|provider| provider.endpoint.clone());
        let endpoint = watch::Sender::new(endpoint.unwrap_or_default());
        let reached = (provider.as_ref(), endpoint.subscribe());
        let (voice, presence) =
            start_voice(config, reached, speech.clone(), shared, live.subscribe(), ends);
        let control = config.discord.voice.enabled.then(|| Arc::new(voice.clone()) as _);
        let mut channels = GatewayChannels::new(voice_events, voice_requests, control);
        channels.monitor = monitor;
        channels.policy = policy.subscribe();
        channels.presence = Some(look.subscribe());
        channels.credential = uses.declare("token", token, Purpose::Gateway);
        let (text, ends) = text::start(
            id,
            live.subscribe(),
            rest,
            Arc::clone(&shared.agent),
            &shared.text,
            text_monitor,
            TextServices {
                notes: notes.clone(),
                pluralkit: uses.declare(
                    "pluralkit.token",
                    config.discord.connection.pluralkit.token.as_ref(),
                    Purpose::PluralKit,
                ),
            },
        );
        channels.text = Some(ends.feed);
        channels.slash = Some(ends.slash);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(gateway::run(settings, channels, async {
            // A bot that is dropped stops as one that is told to.
            let _ = stopped.await;
        }));
        let id = id.to_owned();
        let bot = Self {
            id,
            voice,
            presence,
            text,
            provider,
            endpoint,
            speech,
            notes,
            auditor: shared.auditor.clone(),
            can_talk,
            live,
            policy,
            look,
            health,
            stop,
        };
        Ok((bot, running))
    }

    /// Goes by another configuration from now on, as far as that can be without a new connection.
    pub(crate) async fn reload(&self, config: &Config) {
        let uses = Uses::of(&self.auditor, config, &self.id);
        self.endpoint.send_modify(|endpoint| provider::renew(endpoint, config, uses));
        if let Some(speech) = &self.speech {
            speech::reload(speech, config, uses);
        }
        if let Some(notes) = &self.notes {
            speech::reload_notes(notes, config, uses);
        }
        self.policy.send_replace(Arc::new(Policy::of(config, &config.discord)));
        self.live.send_replace(Arc::new(config.clone()));
        let settings = connection::presence(&config.discord);
        self.look.send_modify(|look| look.settings = settings);
        let labels = labels(config, self.provider.as_ref());
        self.voice.reload(presence_settings(config, self.can_talk, labels)).await;
    }

    /// Stops what is left when its gateway has ended, or ends it.
    pub(crate) async fn stop(self, running: Option<Running>) -> Result<(), GatewayFailure> {
        self.health.abort();
        self.voice.leave_all().await;
        // The gateway may have ended by itself; then nobody waits for this.
        let _ = self.stop.send(());
        let outcome = match running {
            Some(running) => running.await.unwrap_or(Ok(())),
            None => Ok(()),
        };
        // Somebody may still hold a handle; what was to be done is done. A panic is in the log.
        self.presence.abort();
        let _ = self.presence.await;
        self.text.stop().await;
        if let Some(RunningProvider { local: Some(local), .. }) = self.provider {
            local.shutdown().await;
        }
        outcome
    }
}

/// Tells the status line how the runtime is. What is wrong with the gateway itself cannot be shown.
async fn follow_health(look: Arc<watch::Sender<PresenceInput>>, watch: Watch) {
    let mut pace = tokio::time::interval(LOOK);
    loop {
        pace.tick().await;
        let health = match watch.serves() && !watch.is_well() {
            true => RuntimeHealth::Degraded,
            false => RuntimeHealth::Healthy,
        };
        look.send_if_modified(|look| {
            let is_new = look.health != health;
            look.health = health;
            is_new
        });
    }
}

fn start_voice(
    config: &Config,
    (provider, endpoint): (Option<&RunningProvider>, watch::Receiver<ProviderEndpoint>),
    speech: Option<Arc<SpeechClients>>,
    shared: &Shared,
    live: watch::Receiver<Arc<Config>>,
    channels: PresenceChannels,
) -> (PresenceHandle, JoinHandle<()>) {
    let voice = &config.discord.voice;
    let workspace = config.agent.workspace.as_deref();
    let front_end = conversation::settings(live, provider, workspace);
    let labels = labels(config, provider);
    let can_talk = provider.is_some() || speech.is_some();
    let settings = presence_settings(config, can_talk, labels);
    let template = SessionTemplate {
        secure: config.discord.api_base_url.as_ref().is_none_or(clawvoice_config::BaseUrl::is_tls),
        dave: voice.dave_encryption,
        decryption_failure_tolerance: voice.decryption_failure_tolerance,
        reconnect_grace: voice.reconnect_grace,
        tls: None,
        connect_timeout: voice.connect_timeout,
        provider: endpoint,
        recordings: voice
            .timeline
            .as_ref()
            .map(|timeline| Recordings { folder: timeline.folder.clone(), keep: timeline.keep }),
        speech,
        pulses: Some(shared.watch.pulses()),
        front_end,
        agent: Arc::clone(&shared.agent),
    };
    let clock = shared.clock;
    let starter = Arc::new(Sessions::new(template, clock));
    presence::start(settings, channels, starter, move || clock.now())
}

/// Where the bot is to be.
fn presence_settings(config: &Config, can_talk: bool, labels: Labels) -> PresenceSettings {
    let voice = &config.discord.voice;
    let allowed = voice.allowed_channels.as_ref();
    PresenceSettings {
        enabled: voice.enabled && can_talk,
        auto_join: voice.auto_join.iter().map(auto_join).collect(),
        allowed_channels: allowed.map(|channels| channels.iter().map(place).collect()),
        follow_users: voice.follow_users.iter().map(|id| UserId::new(id.get())).collect(),
        guilds: config.discord.guilds.keys().filter_map(|key| key.parse().ok()).collect(),
        connect_timeout: voice.connect_timeout,
        reconnect_grace: voice.reconnect_grace,
        labels,
        ..PresenceSettings::default()
    }
}

fn auto_join(entry: &clawvoice_config::AutoJoin) -> AutoJoin {
    let (guild, channel) = place(&entry.target);
    AutoJoin { guild, channel, when_occupied: entry.when_occupied }
}

fn place(channel: &clawvoice_config::VoiceChannel) -> (GuildId, ChannelId) {
    (GuildId::new(channel.guild.get()), ChannelId::new(channel.channel.get()))
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

/// What REST is asked through, by all of the account.
pub(crate) fn rest(config: &Config) -> Result<DiscordRest, Failure> {
    let discord = &config.discord;
    let base = discord.api_base_url.as_ref().map(ToString::to_string);
    let proxy = discord.connection.proxy.as_ref().map(|proxy| proxy.expose_secret());
    let settings = connection::requests(discord);
    DiscordRest::new(token(config)?, base.as_deref(), proxy, &settings)
        .ok_or_else(|| Failure::user("channels.discord.apiBaseUrl is no address"))
}

fn token(config: &Config) -> Result<&SecretString, Failure> {
    config.discord.token.as_ref().ok_or_else(|| {
        Failure::user("channels.discord is switched off: there is nothing to run")
            .hint("set channels.discord.enabled to true")
    })
}

fn gateway_settings(
    config: &Config,
    rest: DiscordRest,
) -> Result<gateway::GatewaySettings, Failure> {
    let discord = &config.discord;
    Ok(gateway::GatewaySettings {
        token: token(config)?.clone(),
        api_base_url: discord.api_base_url.as_ref().map(ToString::to_string),
        application_id: discord.application_id.map(clawvoice_config::DiscordId::get),
        intents: gateway::IntentSettings {
            voice_states: discord.intents.voice_states,
            presence: discord.intents.presence,
            guild_members: discord.intents.guild_members,
            message_content: discord.intents.message_content,
        },
        voice: discord.voice.enabled && discord.intents.voice_states,
        text: Some(ControlRules::of(config, discord)),
        commands: if discord.commands.native { CommandScope::Global } else { CommandScope::Off },
        ephemeral: discord.features.ephemeral,
        rest,
        connection: connection::settings(config, discord),
    })
}
