//! Wiring: from a checked configuration to running parts, and back down in order.

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
};

use clawvoice_config::{Account, Config, Disabled, Effect};
use clawvoice_session::{
    audit::auditor,
    shell::{audit::RunningAudit, spending::SpendingMonitor},
    timeline::{Level, Record},
};
use clawvoice_text::shell::gateway::GatewayFailure;
use clawvoice_voice::shell::clock::SessionClock;
use futures_util::future::select_all;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    agent,
    bot::{Bot, Running, Shared, of_account},
    credentials::Uses,
    health::{self, AccountMonitor, Bound, Door, Health, Watch},
    keeping::Keeping,
    printer::Failure,
    supervisor,
    text::TextStore,
    timeline::TimelineWriter,
};

/// Timeline records that may wait for the writer; what comes on top is dropped and counted.
const RECORDS: usize = 4_096;

/// What the command line adds to the configuration.
pub(crate) struct Options<'a> {
    /// A file for every timeline record.
    pub(crate) timeline: Option<&'a Path>,
    /// The configuration's file, which commands may change.
    pub(crate) config: Option<PathBuf>,
    /// Where health, metrics and the dashboard are served.
    pub(crate) health: Option<SocketAddr>,
}

/// Runs until `shutdown` resolves or Discord refuses all accounts for good. `reloads` brings new
/// configurations.
///
/// Going down, in this order: voice channels are left (null channel), sessions close their
/// sockets, the main gateways close with 1000, the agent's runs stop and its store is closed, the
/// local provider finishes its recordings, the timeline is flushed.
pub(crate) async fn run(
    config: Config,
    options: Options<'_>,
    mut reloads: mpsc::Receiver<Config>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let clock = SessionClock::start();
    let accounts = enabled(&config)?;
    let monitors: Vec<AccountMonitor> =
        accounts.iter().map(|account| AccountMonitor::new(&account.id)).collect();
    let spending = SpendingMonitor::default();
    let (auditor, reports) = auditor();
    let watch = Watch::new(clock, {
        let (monitors, spending) = (monitors.clone(), spending.clone());
        let counts = Arc::clone(auditor.counts());
        move || Health::of(&monitors, &spending, &counts)
    });
    let address = options.health.or_else(|| health::address(&config));
    let _health = serve_health(address, &watch).await;
    let (records, writer) = start_timeline(options.timeline, watch.clone())?;
    let _ = records.try_send(process_started(clock));
    let agent = agent::start(&config, Uses::of(&auditor, &config, ""), spending).await?;
    let text = TextStore::open(&config, options.config.clone()).await?;
    let audit = RunningAudit::start(text.mailbox().clone(), auditor.clone(), reports).await;
    let keeping = Keeping::start(&config, text.mailbox().clone());
    let shared = Shared {
        clock,
        watch: watch.clone(),
        agent: Arc::clone(&agent) as _,
        auditor: auditor.clone(),
        text: text.clone(),
        records,
    };
    let mut bots = Vec::new();
    let mut outcome = Ok(());
    for (account, monitor) in accounts.iter().zip(monitors) {
        let own = of_account(&config, account);
        match Bot::start(&account.id, &own, &shared, monitor.gateway, monitor.text).await {
            Ok(started) => bots.push(started),
            // The others run all the same.
            Err(failure) => {
                tracing::error!("account {} is not started: {}", account.id, failure.message);
                outcome = Err(failure);
            }
        }
    }
    if !bots.is_empty() {
        outcome = Ok(());
    }
    // What bots still tell is written; nobody else tells anything.
    drop(shared);
    if outcome.is_ok() {
        let voice = bots.first().map(|(bot, _)| bot.voice.clone());
        let alive = voice.map(|voice| tokio::spawn(supervisor::run(watch, voice)));
        outcome = serve(
            config,
            &mut bots,
            &|new: &Config| {
                agent::reload(&agent, new, Uses::of(&auditor, new, ""));
                keeping.reload(new);
            },
            &mut reloads,
            shutdown,
        )
        .await;
        supervisor::stopping();
        tracing::info!("stopping: leaving voice, closing connections");
        if let Some(alive) = alive {
            alive.abort();
            let _ = alive.await;
        }
    }
    let ends = bots.into_iter().map(|(bot, running)| bot.stop(Some(running)));
    for ended in futures_util::future::join_all(ends).await {
        if outcome.is_ok() {
            outcome = ended.map_err(|failure| in_words(&failure));
        }
    }
    keeping.stop().await;
    agent.close().await;
    audit.stop().await;
    text.close().await;
    let _ = writer.await;
    outcome
}

/// Keeps the bots running until the end is wanted, or the last of them is refused for good. `also`
/// goes by a new configuration beside them.
async fn serve(
    mut config: Config,
    bots: &mut Vec<(Bot, Running)>,
    also: &(impl Fn(&Config) + Sync),
    reloads: &mut mpsc::Receiver<Config>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let mut shutdown = pin!(shutdown);
    loop {
        let running: Vec<&mut Running> = bots.iter_mut().map(|(_, running)| running).collect();
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            Some(new) = reloads.recv() => {
                reload(&config, &new, bots).await;
                also(&new);
                config = new;
            }
            (ended, index, _) = select_all(running) => {
                let (bot, _) = bots.remove(index);
                let id = bot.id.clone();
                let failure = ended.unwrap_or(Ok(())).err();
                let _ = bot.stop(None).await;
                if bots.is_empty() {
                    return failure.map_or(Ok(()), |failure| Err(in_words(&failure)));
                }
                if let Some(failure) = &failure {
                    let hint = failure.hint();
                    tracing::error!("account {id} has ended: {failure} ({hint})");
                }
            }
        }
    }
}

/// Puts a new configuration in force as far as that goes without a new start, and says what does
/// not.
async fn reload(old: &Config, new: &Config, bots: &[(Bot, Running)]) {
    let changes = Config::changes(old, new);
    for (bot, _) in bots {
        if let Some(account) = new.accounts.iter().find(|account| account.id == bot.id) {
            bot.reload(&of_account(new, account)).await;
        }
    }
    let waits = changes.iter().filter(|change| change.effect != Effect::Live);
    let waits: Vec<&str> = waits.map(|change| change.path.as_str()).collect();
    tracing::info!("the configuration was read again: {} keys changed", changes.len());
    if !waits.is_empty() {
        tracing::warn!("in force after the next start only: {}", waits.join(", "));
    }
}

/// The accounts that are to run. One that is not, and looks as if it should, is told.
fn enabled(config: &Config) -> Result<Vec<&Account>, Failure> {
    for account in config.accounts.iter().filter(|account| !account.enabled) {
        if let Some(why @ (Disabled::NoToken | Disabled::DuplicateToken)) = account.disabled {
            tracing::warn!("account {} is not started: {why}", account.id);
        }
    }
    let enabled: Vec<&Account> = config.accounts.iter().filter(|account| account.enabled).collect();
    if enabled.is_empty() {
        return Err(Failure::user("channels.discord is switched off: there is nothing to run")
            .hint("set channels.discord.enabled to true"));
    }
    Ok(enabled)
}

fn in_words(failure: &GatewayFailure) -> Failure {
    let words = match failure {
        GatewayFailure::TokenRefused => Failure::auth(failure),
        _ => Failure::user(failure),
    };
    words.hint(failure.hint())
}

/// Opens the health port. Without it the agent runs all the same.
async fn serve_health(address: Option<SocketAddr>, watch: &Watch) -> Option<Bound> {
    let address = address?;
    let opened = async { Door::open(address).await?.serve(watch.clone()) };
    match opened.await {
        Ok(bound) => {
            tracing::info!("dashboard, health and metrics at http://{}/", bound.address);
            Some(bound)
        }
        Err(error) => {
            tracing::warn!("no dashboard, health and metrics: {address}: {error}");
            None
        }
    }
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

fn start_timeline(
    path: Option<&Path>,
    watch: Watch,
) -> Result<(mpsc::Sender<Record>, JoinHandle<()>), Failure> {
    let mut writer = TimelineWriter::create(path).map_err(|error| {
        let path = path.unwrap_or(Path::new("")).display();
        Failure::user(format_args!("the timeline {path} cannot be written: {error}"))
    })?;
    let (records, mut incoming) = mpsc::channel(RECORDS);
    let task = tokio::spawn(async move {
        while let Some(record) = incoming.recv().await {
            watch.record(&record);
            writer.write(&record);
        }
    });
    Ok((records, task))
}
