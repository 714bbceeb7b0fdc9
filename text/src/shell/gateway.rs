//! The main gateway: connects, keeps connected, and says so when it cannot.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use clawvoice_session::{
    VoiceControl, VoiceGatewayEvent, VoiceStateRequest,
    access::Policy,
    audit::{Answer, Credential},
};
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use twilight_gateway::Intents;

use super::{
    arrival::{self, Arrival, Routes},
    base_url::{ApiBase, api_base, gateway_url},
    clock::now,
    desk::SlashDoor,
    dispatch::{Dispatcher, Surroundings},
    feed::TextFeed,
    keeper::{Keeper, Persistence},
    metadata::MetadataClient,
    registration,
    rest::Rest,
    session_file::{OpenFailure, SessionFile},
    thread::{self, Over, Plan},
    tunnel::Proxy,
};
pub use super::{
    gateway_failure::GatewayFailure,
    registration::CommandScope,
    rest::{DiscordRest, RefusalCounts, RestSettings},
};
use crate::connection::{
    identify::IdentifyPacing,
    link::{Cause, Resumable},
    metadata::{Asked, FallbackLog, Metadata, Verdict, judge},
    presence::PresenceLine,
    supervisor::Supervisor,
};
pub use crate::connection::{
    presence::{Activity, AutoPresence, OnlineStatus, PresenceSettings, RuntimeHealth},
    settings::{ConnectionSettings, EventQueueSettings, HealthSettings, ReconnectSettings},
    status::{GatewayMonitor, GatewayStatus, ShardStatus},
};
use crate::control::ControlRules;

/// Discord's main gateway, for when nobody says where it is.
const DEFAULT_URL: &str = "wss://gateway.discord.gg";

/// What Discord is asked to tell, beside guilds and, where there is a text side, messages and
/// reactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "Discord's switches, one by one")]
pub struct IntentSettings {
    /// Who is in which voice channel.
    pub voice_states: bool,
    /// Who is online. Privileged.
    pub presence: bool,
    /// Who joins guilds and who changes. Privileged.
    pub guild_members: bool,
    /// What is written, where nobody mentions the bot. Privileged.
    pub message_content: bool,
}

/// Who the bot is and where its Discord is.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The bot token, with or without `Bot ` in front.
    pub token: SecretString,
    /// `http(s)://host[:port][/api/v10]` of something that speaks Discord's API; `None`: Discord.
    pub api_base_url: Option<String>,
    /// The application's id; `None`: asked of Discord.
    pub application_id: Option<u64>,
    /// What Discord is asked to tell.
    pub intents: IntentSettings,
    /// Whether voice runs: `/vc` is among the commands.
    pub voice: bool,
    /// What the commands of text may do; `None`: there is no text side, nor its commands.
    pub text: Option<ControlRules>,
    /// Where slash commands are registered.
    pub commands: CommandScope,
    /// `slashCommand.ephemeral`: only whoever typed a command sees the reply.
    pub ephemeral: bool,
    /// How the connection behaves.
    pub connection: ConnectionSettings,
    /// What REST is asked through.
    pub rest: DiscordRest,
}

/// How the gateway and the rest of the process talk.
pub struct GatewayChannels {
    /// What voice follows, in order. A slow reader loses nothing until the event queue is full.
    pub voice_events: mpsc::Sender<VoiceGatewayEvent>,
    /// Voice state changes to ask for, sent in order as op 4.
    pub voice_requests: mpsc::Receiver<VoiceStateRequest>,
    /// What `/vc` steers; `None` answers that voice is not available yet.
    pub voice: Option<Arc<dyn VoiceControl>>,
    /// Where the connection writes how it is doing.
    pub monitor: GatewayMonitor,
    /// What the status line is to say; `None`: as configured, and the runtime is well.
    pub presence: Option<watch::Receiver<PresenceInput>>,
    /// Who may command the agent where, as it is now.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// Where messages go; `None`: they are not asked for.
    pub text: Option<TextFeed>,
    /// What answers the commands that are text's.
    pub slash: Option<SlashDoor>,
    /// Is told how the token is taken.
    pub credential: Option<Credential>,
}

impl GatewayChannels {
    /// With a monitor of its own, a status line that does not change, and nobody who may command.
    #[must_use]
    pub fn new(
        voice_events: mpsc::Sender<VoiceGatewayEvent>,
        voice_requests: mpsc::Receiver<VoiceStateRequest>,
        voice: Option<Arc<dyn VoiceControl>>,
    ) -> Self {
        let monitor = GatewayMonitor::default();
        let (_, policy) = watch::channel(Arc::default());
        Self {
            voice_events,
            voice_requests,
            voice,
            monitor,
            presence: None,
            policy,
            text: None,
            slash: None,
            credential: None,
        }
    }
}

impl fmt::Debug for GatewayChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayChannels").field("voice", &self.voice.is_some()).finish()
    }
}

/// What the status line follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceInput {
    /// As configured.
    pub settings: PresenceSettings,
    /// How the runtime is doing.
    pub health: RuntimeHealth,
}

/// Why the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// For good: the bot leaves voice and goes offline.
    Final,
    /// Another process follows: the sessions stay, and it resumes them.
    Restart,
}

/// Completes when the connection is to stop, and says how.
pub(super) async fn stop_asked(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    let asked = stop.wait_for(Option::is_some).await;
    // Nobody is left to say.
    asked.ok().and_then(|how| *how).unwrap_or(Stop::Restart)
}

/// Connects to the main gateway and serves it until `shutdown` completes, then leaves voice and
/// closes the websockets with 1000; this takes at most 900 ms.
///
/// # Errors
///
/// When trying again is pointless: [`GatewayFailure`] says why.
pub async fn run(
    settings: GatewaySettings,
    channels: GatewayChannels,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), GatewayFailure> {
    let shutdown = async {
        shutdown.await;
        Stop::Final
    };
    run_until(settings, channels, shutdown).await
}

/// Connects to the main gateway and serves it until `shutdown` completes and says how.
///
/// The websockets are read by a thread of their own; a lost connection is resumed or started anew
/// for as long as it takes, and what failed and when the next try is, is logged.
///
/// # Errors
///
/// When trying again is pointless: [`GatewayFailure`] says why.
pub async fn run_until(
    settings: GatewaySettings,
    channels: GatewayChannels,
    shutdown: impl Future<Output = Stop> + Send,
) -> Result<(), GatewayFailure> {
    // twilight takes the process's TLS provider; another one that is already installed will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = match &settings.api_base_url {
        Some(url) => {
            let base = api_base(url).ok_or(GatewayFailure::BadBaseUrl { url: url.clone() })?;
            Some(base)
        }
        None => None,
    };
    let intents = intents(&settings, channels.text.is_some());
    let connection = Arc::new(settings.connection.clone());
    let file = open_file(&settings)?;
    let saved = file.as_ref().and_then(|file| file.load(&connection.reconnect, intents.bits()));
    let GatewayChannels {
        voice_events,
        mut voice_requests,
        voice,
        monitor,
        presence,
        policy,
        text,
        slash,
        credential,
    } = channels;
    let (keep_wanted, mut wanted) = match presence {
        Some(wanted) => (None, wanted),
        None => {
            let health = RuntimeHealth::Healthy;
            let settings = connection.presence.clone();
            let (keep, wanted) = watch::channel(PresenceInput { settings, health });
            (Some(keep), wanted)
        }
    };
    let line = presence_line(&wanted.borrow_and_update());
    let (stop, stopping) = watch::channel(None);
    let capacity = connection.event_queue.max_queue_size;
    let (arrivals, mut arriving) = arrival::queue(capacity, monitor.clone());
    let routes = Routes::default();
    let rest = Arc::clone(settings.rest.rest());
    let plan = Plan {
        token: settings.token.clone(),
        intents,
        proxy: proxy(&connection)?,
        pacing: Arc::new(Mutex::new(IdentifyPacing::new(connection.identify_interval))),
        supervisor: Arc::new(Mutex::new(Supervisor::new(&connection, now()))),
        arrivals,
        routes: routes.clone(),
        monitor: monitor.clone(),
        stop: stopping,
        presence: line.wanted().and_then(|presence| serde_json::from_value(presence.data()).ok()),
        settings: Arc::clone(&connection),
    };
    let persistence = file
        .as_ref()
        .map(|file| Persistence { path: file.path().to_owned(), intents: intents.bits() });
    let rest_of = Arc::clone(&rest);
    let around = Surroundings {
        rest: rest_of,
        voice,
        policy,
        slash,
        definitions: registration::wanted(&settings).into(),
        ephemeral: settings.ephemeral,
        events: voice_events,
        routes,
        monitor,
        credential: credential.clone(),
    };
    let sessions = saved.as_ref().map(|saved| saved.sessions.clone()).unwrap_or_default();
    let mut dispatcher = Dispatcher::new(
        around,
        connection.event_queue,
        line,
        Keeper::new(persistence),
        saved,
        text,
    );

    let mut driver = pin!(connect(&settings, base.as_ref(), rest, plan, sessions));
    let mut shutdown = pin!(shutdown);
    let served = dispatcher
        .serve(driver.as_mut(), &mut arriving, &mut voice_requests, &mut wanted, &mut shutdown)
        .await;
    let how = match served {
        Ok(how) => how,
        Err(failure) => {
            if let (GatewayFailure::TokenRefused, Some(credential)) = (&failure, &credential) {
                credential.used(Answer::Refused);
            }
            if let Some(file) = &file {
                file.remove();
            }
            return Err(failure);
        }
    };
    drop(keep_wanted);
    dispatcher.close(how, driver, &stop, &mut arriving, &mut voice_requests).await;
    if let Some(file) = file.filter(|_| how == Stop::Final) {
        file.remove();
    }
    Ok(())
}

fn open_file(settings: &GatewaySettings) -> Result<Option<SessionFile>, GatewayFailure> {
    let Some(folder) = &settings.connection.state_folder else { return Ok(None) };
    let opened = SessionFile::open(folder, &settings.token).map_err(|failure| match failure {
        OpenFailure::Taken(process) => GatewayFailure::TokenInUse { process },
        OpenFailure::Io(error) => {
            GatewayFailure::StateFolder { folder: folder.clone(), reason: error.to_string() }
        }
    });
    opened.map(Some)
}

fn proxy(settings: &ConnectionSettings) -> Result<Option<Arc<Proxy>>, GatewayFailure> {
    let Some(url) = &settings.proxy else { return Ok(None) };
    let proxy = Proxy::new(url, None).ok_or(GatewayFailure::BadProxy)?;
    Ok(Some(Arc::new(proxy)))
}

fn presence_line(input: &PresenceInput) -> PresenceLine {
    let mut line = PresenceLine::new(input.settings.clone());
    line.handle_health(now(), input.health.clone());
    line
}

/// Interactions and VOICE_SERVER_UPDATE need no intent.
fn intents(settings: &GatewaySettings, text: bool) -> Intents {
    let IntentSettings { voice_states, presence, guild_members, message_content } =
        settings.intents;
    [
        (true, Intents::GUILDS),
        (voice_states, Intents::GUILD_VOICE_STATES),
        (text, Intents::GUILD_MESSAGES | Intents::DIRECT_MESSAGES),
        (text, Intents::GUILD_MESSAGE_REACTIONS | Intents::DIRECT_MESSAGE_REACTIONS),
        // The rest must be switched on in Discord's portal, too.
        (text && message_content, Intents::MESSAGE_CONTENT),
        (guild_members, Intents::GUILD_MEMBERS),
        (presence, Intents::GUILD_PRESENCES),
    ]
    .into_iter()
    .filter_map(|(wanted, intents)| wanted.then_some(intents))
    .collect()
}

/// Asks where the gateway is and connects there, again and again, until it is to stop.
async fn connect(
    settings: &GatewaySettings,
    base: Option<&ApiBase>,
    rest: Arc<Rest>,
    plan: Plan,
    mut sessions: Vec<Option<Resumable>>,
) -> Result<(), GatewayFailure> {
    let connection = &settings.connection;
    let limit = connection.metadata_timeout;
    let client = MetadataClient::new(&settings.token, base, connection.proxy.as_deref(), limit)
        .map_err(|_| GatewayFailure::BadProxy)?;
    let mut fallback = FallbackLog::default();
    let mut started = false;
    let mut stop = plan.stop.clone();
    let mut unregistered = Some(rest);
    loop {
        let asked = tokio::select! {
            _ = stop_asked(&mut stop) => return Ok(()),
            asked = client.ask() => asked,
        };
        let metadata = used(asked, sessions.len(), &mut fallback)?;
        if let Some(limit) = metadata.limit {
            let mut pacing = plan.pacing.lock().unwrap_or_else(PoisonError::into_inner);
            pacing.update(now(), limit);
        }
        if let Some(rest) = unregistered.take() {
            registration::start(rest, settings, stop.clone());
        }
        let shards = usize::try_from(metadata.shards).unwrap_or(1);
        if sessions.len() != shards {
            // Sessions belong to a number of shards.
            for (shard, _) in sessions.iter().enumerate().filter(|(_, session)| session.is_some()) {
                plan.arrivals.put(Arrival::SessionLost { shard }).await;
            }
            sessions = vec![None; shards];
        }
        let url = address(metadata.url.as_deref(), base);
        if shards > 1 {
            tracing::info!("Discord gateway: {shards} shards");
        }
        let ended = match thread::run(plan.clone(), url, sessions.clone(), started) {
            Ok(ended) => ended,
            Err(error) => {
                return Err(GatewayFailure::NoGateway { reason: format!("no thread: {error}") });
            }
        };
        started = true;
        // The thread is gone without a word only if it panicked.
        let over = ended.await.unwrap_or(Over::Restart(Cause::Retries, sessions.clone()));
        let cause = match over {
            Over::Stopped => return Ok(()),
            Over::Fatal(code) => return Err(GatewayFailure::from_close(code)),
            Over::Restart(cause, kept) => {
                sessions = kept;
                cause
            }
        };
        plan.monitor.restarted();
        let wait = {
            let mut supervisor = plan.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
            supervisor.handle_restart(now(), cause, rand::random())
        };
        tracing::warn!(
            "Discord gateway: {}; the connection is started anew in {:.0} s",
            cause_in_words(cause),
            wait.as_secs_f64()
        );
        tokio::select! {
            _ = stop_asked(&mut stop) => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn cause_in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Retries => "too many tries in a row",
        Cause::NotReady => "READY did not come",
        Cause::Stale => "nothing came for too long",
    }
}

/// What to connect with. `known`: shards of the sessions there are.
fn used(
    asked: Asked,
    known: usize,
    fallback: &mut FallbackLog,
) -> Result<Metadata, GatewayFailure> {
    match judge(asked) {
        Verdict::Use(metadata) => Ok(metadata),
        Verdict::FallBack(why) => {
            if let Some(line) = fallback.line(now(), &why) {
                tracing::warn!("{line}");
            }
            let shards = u32::try_from(known).unwrap_or(1).max(1);
            Ok(Metadata { url: None, shards, limit: None })
        }
        Verdict::TokenRefused => Err(GatewayFailure::TokenRefused),
        Verdict::Fatal(reason) => Err(GatewayFailure::NoGateway { reason }),
    }
}

/// Where to connect: as Discord said, or where its gateway usually is.
fn address(told: Option<&str>, base: Option<&ApiBase>) -> String {
    if let Some(url) = told.and_then(gateway_url) {
        return url;
    }
    match base {
        Some(base) => format!("{}://{}", if base.plain { "ws" } else { "wss" }, base.host),
        None => DEFAULT_URL.to_owned(),
    }
}
