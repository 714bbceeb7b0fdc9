//! Heartbeats of the main gateway while every core is busy and nobody handles events.
//!
//! localcord says when they come; it is as starved as we are, so what it sees is an upper bound.

use std::{
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clawvoice_text::shell::gateway::{
    CommandScope, ConnectionSettings, DiscordRest, GatewayChannels, GatewaySettings,
    IntentSettings, RestSettings, run,
};
use localcord::{Server, ServerSettings, gateway::GatewaySettings as FarSettings};
use serde::Serialize;
use tokio::{runtime::Runtime, sync::mpsc};

use crate::report;

/// As often as localcord's limit of 120 messages a minute allows.
const INTERVAL_MS: u64 = 600;
/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(30);
/// The promise.
const LATEST_MS: u64 = 250;

#[derive(Serialize)]
struct Section {
    cores: usize,
    busy_threads: usize,
    interval_ms: u64,
    heartbeats: usize,
    late_ms_median: u64,
    late_ms_worst: u64,
}

pub(crate) fn measure() -> anyhow::Result<()> {
    let far = runtime()?;
    let gateway = FarSettings { heartbeat_interval_ms: INTERVAL_MS, ..FarSettings::default() };
    let settings = ServerSettings { gateway, ..ServerSettings::default() };
    let server = far.block_on(Server::start(settings))?;
    let near = runtime()?;
    let (voice_events, mut events) = mpsc::channel(64);
    let (_requests, voice_requests) = mpsc::channel(1);
    let (token, base) = (server.bot_token().into(), server.api_base_url());
    let rest = DiscordRest::new(&token, Some(&base), None, &RestSettings::default());
    let settings = GatewaySettings {
        token,
        api_base_url: Some(base),
        application_id: None,
        intents: IntentSettings { voice_states: true, ..IntentSettings::default() },
        voice: true,
        text: None,
        commands: CommandScope::Off,
        ephemeral: true,
        connection: ConnectionSettings::default(),
        rest: rest.context("localcord's address is none")?,
    };
    let channels = GatewayChannels::new(voice_events, voice_requests, None);
    near.spawn(run(settings, channels, std::future::pending()));
    near.block_on(events.recv()).context("the gateway did not connect")?;

    let cores = thread::available_parallelism()?.get();
    let busy = busy(2 * cores);
    // The only thread that handles events does nothing else from now on either.
    let blocked = Arc::clone(&busy.over);
    near.spawn(async move { spin(&blocked) });
    let before = server.journal().since(0).last().map_or(0, |entry| entry.seq);
    thread::sleep(WATCHED);
    let entries = server.journal().since(before);
    busy.end();

    let lost = entries.iter().any(|entry| entry.name.starts_with("close"));
    let at: Vec<u64> =
        entries.iter().filter(|entry| entry.name == "heartbeat").map(|entry| entry.at_ms).collect();
    let mut late: Vec<u64> = at
        .windows(2)
        .filter_map(|pair| Some((pair.last()? - pair.first()?).saturating_sub(INTERVAL_MS)))
        .collect();
    late.sort_unstable();
    let section = Section {
        cores,
        busy_threads: 2 * cores + 1,
        interval_ms: INTERVAL_MS,
        heartbeats: at.len(),
        late_ms_median: late.get(late.len() / 2).copied().context("no heartbeats came")?,
        late_ms_worst: late.last().copied().context("no heartbeats came")?,
    };
    println!(
        "heartbeats: {} with {} busy threads on {} cores; late by {} ms (median), {} ms (worst)",
        section.heartbeats,
        section.busy_threads,
        section.cores,
        section.late_ms_median,
        section.late_ms_worst
    );
    let worst = section.late_ms_worst;
    report::write("heartbeats", &section)?;
    ensure!(!lost, "the connection was closed");
    ensure!(worst <= LATEST_MS, "a heartbeat was {worst} ms late");
    Ok(())
}

fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(1).enable_all().build()?)
}

/// Threads that never sleep.
struct Busy {
    over: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

fn busy(count: usize) -> Busy {
    let over = Arc::new(AtomicBool::new(false));
    let threads = (0..count)
        .map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || spin(&over))
        })
        .collect();
    Busy { over, threads }
}

fn spin(over: &AtomicBool) {
    let began = Instant::now();
    while !over.load(Ordering::Relaxed) && began.elapsed() < 2 * WATCHED {
        spin_loop();
    }
}

impl Busy {
    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // One that panicked is busy no more.
            let _ = thread.join();
        }
    }
}
