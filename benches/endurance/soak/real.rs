//! The release binary on a localcord in this process, with people who come, speak and go all the
//! time. What it keeps in memory must not grow.
//!
//! `cargo bench --bench endurance -- soak_real 20` judges 20 minutes, after a warm-up of six. `CLAWVOICE` names the binary;
//! without it, it is the one beside this benchmark's folder (`cargo build --release`).
//!
//! The local provider keeps the last minute of each conversation's audio until its connection
//! closes, so the memory is a saw: it falls at each `/vc leave`. Every third of the run has whole
//! teeth.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use localcord::{
    human::Human,
    server::{Server, ServerSettings},
    world::default::{ADA, BEN, BOT_USER, CLEO, GENERAL, GUILD, LOUNGE},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::report::{self, Table, rounded};

const MINUTES: u64 = 20;
/// Not judged: caches fill, threads start, the allocator's arenas find their size.
const WARM_UP: Duration = Duration::from_secs(360);
/// Between two `/vc leave`: a tooth.
const TOOTH: Duration = Duration::from_secs(120);
/// Between two closes of the bot's voice websocket.
const CUT: Duration = Duration::from_secs(50);
/// The voice server crashed: resume.
const CUT_CODE: u16 = 4_015;
/// By how much the last third may differ from the first, percent.
const FLAT_PERCENT: f64 = 2.0;
/// Nothing that works takes this long.
const PATIENCE: Duration = Duration::from_secs(30);
const SEED: u64 = 24;

const FIXTURES: [&[u8]; 5] = [
    include_bytes!("../../../fixtures/audio/ask.wav"),
    include_bytes!("../../../fixtures/audio/second.wav"),
    include_bytes!("../../../fixtures/audio/interrupt.wav"),
    include_bytes!("../../../fixtures/audio/cough.wav"),
    include_bytes!("../../../fixtures/audio/answer.wav"),
];

/// What was done to the program, and what came back.
#[derive(Debug, Default)]
struct Tally {
    joins: AtomicU64,
    speeches: AtomicU64,
    /// Speeches and joins that a cut or a leave broke off.
    broken_off: AtomicU64,
    /// Frames of the bot that humans decoded, without silence.
    heard: AtomicU64,
    cuts: AtomicU64,
    rejoins: AtomicU64,
}

impl Tally {
    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    fn counts(&self) -> [u64; 6] {
        [&self.joins, &self.speeches, &self.broken_off, &self.heard, &self.cuts, &self.rejoins]
            .map(|counter| counter.load(Ordering::Relaxed))
    }
}

/// One second.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    rss_kib: f64,
    threads: usize,
    files: usize,
}

/// One minute, counters since the start.
#[derive(Clone, Debug, Serialize)]
struct Minute {
    minute: u64,
    rss_mean_kib: f64,
    rss_max_kib: f64,
    threads: usize,
    files: usize,
    joins: u64,
    speeches: u64,
    broken_off: u64,
    frames_heard: u64,
    cuts: u64,
    rejoins: u64,
}

#[derive(Debug, Serialize)]
struct Section {
    minutes: u64,
    warm_up_s: u64,
    first_third_mean_kib: f64,
    last_third_mean_kib: f64,
    change_percent: f64,
    flat: bool,
    by_minute: Vec<Minute>,
}

/// Runs, prints, writes.
///
/// # Errors
/// The program ended, was not heard, or its memory was not flat.
pub(crate) fn measure() -> anyhow::Result<()> {
    let minutes = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(minutes.unwrap_or(MINUTES)))
}

async fn run(minutes: u64) -> anyhow::Result<()> {
    let span = WARM_UP + Duration::from_secs(minutes * 60);
    let server = Arc::new(Server::start(ServerSettings::default()).await?);
    let folder = tempfile::tempdir()?;
    let mut child = start(folder.path(), &server)?;
    let pid = child.id().context("it runs")?;
    let tally = Arc::new(Tally::default());
    vc_until_joined(&server).await?;
    println!("soak: process {pid}, {minutes} minutes after {} of warm-up", WARM_UP.as_secs() / 60);

    let mut people = tokio::task::JoinSet::new();
    for (user, seed) in [ADA, BEN, CLEO].into_iter().zip(SEED..) {
        people.spawn(live(user, seed, Arc::clone(&server), Arc::clone(&tally)));
    }
    people.spawn(trouble(Arc::clone(&server), Arc::clone(&tally)));

    let (samples, by_minute) = watch(&mut child, pid, span, &tally).await?;
    people.shutdown().await;
    stop(&mut child, pid).await?;
    let section = judge(minutes, &samples, by_minute)?;
    print(&section);
    report::write("soak", &section)?;
    ensure!(tally.heard.load(Ordering::Relaxed) > 0, "nobody has heard the bot");
    ensure!(section.flat, "not flat: {:+.2} %", section.change_percent);
    Ok(())
}

fn start(folder: &Path, server: &Server) -> anyhow::Result<Child> {
    let config = folder.join("clawvoice.json5");
    let text = json!({ "channels": { "discord": {
        "apiBaseUrl": server.api_base_url(),
        "groupPolicy": "open",
        "voice": {
            "mode": "bidi",
            "captureSilenceGraceMs": 500,
            "realtime": { "provider": "local", "providers": { "local": {
                "behaviour": "parrot", "speed": 20, "silenceDurationMs": 400,
            } } },
        },
    } }, "commands": { "useAccessGroups": false },
        "gateway": { "clawvoice": { "health": { "enabled": false } } } });
    std::fs::write(&config, text.to_string())?;
    let log = File::create(folder.join("clawvoice.log"))?;
    Command::new(crate::start::binary()?)
        .args(["gateway", "--timeline", "/dev/null", "--config"])
        .arg(config)
        .env("DISCORD_BOT_TOKEN", server.bot_token())
        .env("HOME", folder)
        .env("RUST_LOG", "warn")
        .env_remove("OPENAI_API_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("the program does not start")
}

async fn stop(child: &mut Child, pid: u32) -> anyhow::Result<()> {
    let pid = Pid::from_raw(pid.try_into()?).context("no process has number 0")?;
    kill_process(pid, Signal::TERM)?;
    let status = timeout(PATIENCE, child.wait()).await.context("it does not stop")??;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

/// A human types a `/vc` subcommand; gives the reply.
async fn vc(server: &Server, subcommand: &str) -> anyhow::Result<String> {
    let options = match subcommand {
        "join" => json!({ "join": { "channel": LOUNGE.to_string() } }),
        other => json!({ other: {} }),
    };
    let url = format!("{}/humans/{ADA}/commands?wait=true", server.control_url());
    let body = json!({ "name": "vc", "channel_id": GENERAL.to_string(), "options": options });
    let sent = reqwest::Client::new().post(url).json(&body).timeout(PATIENCE).send().await?;
    let answer: Value = sent.json().await?;
    let reply = answer["message"]["content"].as_str().map(str::to_owned);
    reply.with_context(|| format!("no reply: {answer}"))
}

/// Until the commands are registered there is nothing to answer.
async fn vc_until_joined(server: &Server) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let reply = vc(server, "join").await;
        match reply {
            Ok(reply) if reply.starts_with("Joined") => return Ok(()),
            reply if began.elapsed() > PATIENCE => anyhow::bail!("/vc join: {reply:?}"),
            _ => sleep(Duration::from_millis(500)).await,
        }
    }
}

/// One human, for ever: comes, says a few things, goes.
async fn live(user: u64, seed: u64, server: Arc<Server>, tally: Arc<Tally>) -> anyhow::Result<()> {
    let mut rng = SmallRng::seed_from_u64(seed);
    loop {
        if stay(user, &mut rng, &server, &tally).await.is_err() {
            Tally::add(&tally.broken_off, 1);
        }
        server.world().set_voice_state(GUILD, user, None, false, false)?;
        pause(&mut rng, 2_000..8_000).await;
    }
}

async fn stay(user: u64, rng: &mut SmallRng, server: &Server, tally: &Tally) -> anyhow::Result<()> {
    let invite = server.world().set_voice_state(GUILD, user, Some(LOUNGE), false, false)?;
    let human = Human::join(invite.context("no invite")?).await?;
    Tally::add(&tally.joins, 1);
    // While the bot is out there is no common epoch; they speak all the same.
    let _ = timeout(Duration::from_secs(3), human.shares_epoch_with(&[BOT_USER])).await;
    let mut spoken = Ok(());
    for _ in 0..rng.random_range(1..=4) {
        let wav = FIXTURES[rng.random_range(0..FIXTURES.len())];
        spoken = human.speak(wav).await.map(drop);
        if spoken.is_err() {
            break;
        }
        Tally::add(&tally.speeches, 1);
        // Short ones interrupt the answer, long ones hear it.
        pause(rng, 500..6_000).await;
    }
    let heard =
        human.stats().senders.get(&BOT_USER).map(|bot| bot.frames_decoded - bot.silence_frames);
    Tally::add(&tally.heard, heard.unwrap_or_default());
    human.leave().await;
    Ok(spoken?)
}

async fn pause(rng: &mut SmallRng, ms: std::ops::Range<u64>) {
    sleep(Duration::from_millis(rng.random_range(ms))).await;
}

/// What goes wrong, for ever: the websocket is cut, and the bot is sent away and called back.
async fn trouble(server: Arc<Server>, tally: Arc<Tally>) -> anyhow::Result<()> {
    let began = Instant::now();
    let (mut next_cut, mut next_leave) = (CUT, TOOTH);
    loop {
        sleep(next_cut.min(next_leave).saturating_sub(began.elapsed())).await;
        if next_cut <= next_leave {
            next_cut += CUT;
            server.voice().close_websocket(GUILD, BOT_USER, CUT_CODE);
            Tally::add(&tally.cuts, 1);
        } else {
            next_leave += TOOTH;
            if let Err(error) = vc(&server, "leave").await {
                println!("  /vc leave: {error:#}");
            }
            vc_until_joined(&server).await.inspect_err(|error| println!("  {error:#}"))?;
            Tally::add(&tally.rejoins, 1);
        }
    }
}

/// Looks at the process every second.
async fn watch(
    child: &mut Child,
    pid: u32,
    span: Duration,
    tally: &Tally,
) -> anyhow::Result<(Vec<Sample>, Vec<Minute>)> {
    let began = Instant::now();
    let (mut samples, mut minutes): (Vec<Sample>, Vec<Minute>) = (Vec::new(), Vec::new());
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    while began.elapsed() < span {
        seconds.tick().await;
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("it ended with {status}");
        }
        samples.push(sample(pid, began.elapsed())?);
        let minute = minutes.len() as u64 + 1;
        if began.elapsed() >= Duration::from_secs(minute * 60) {
            minutes.push(minute_of(minute, &samples, tally));
            if let Some(Minute { rss_mean_kib, speeches, frames_heard, .. }) = minutes.last() {
                println!(
                    "  minute {minute:3}: {rss_mean_kib:8.0} KiB, {speeches} speeches, \
                     {frames_heard} frames of the bot heard"
                );
            }
        }
    }
    minutes.truncate((span.as_secs() / 60) as usize);
    Ok((samples, minutes))
}

fn sample(pid: u32, at: Duration) -> anyhow::Result<Sample> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let status = std::fs::read_to_string(process.join("status"))?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    let rss_kib = rss.context("no VmRSS")?.trim().parse()?;
    let entries = |name: &str| anyhow::Ok(std::fs::read_dir(process.join(name))?.count());
    Ok(Sample { at, rss_kib, threads: entries("task")?, files: entries("fd")? })
}

fn minute_of(minute: u64, samples: &[Sample], tally: &Tally) -> Minute {
    let from = Duration::from_secs((minute - 1) * 60);
    let rss = || samples.iter().filter(|sample| sample.at >= from).map(|sample| sample.rss_kib);
    let [joins, speeches, broken_off, frames_heard, cuts, rejoins] = tally.counts();
    let last = samples.last();
    Minute {
        minute,
        rss_mean_kib: (rss().sum::<f64>() / rss().count().max(1) as f64).round(),
        rss_max_kib: rss().fold(0.0, f64::max),
        threads: last.map_or(0, |sample| sample.threads),
        files: last.map_or(0, |sample| sample.files),
        joins,
        speeches,
        broken_off,
        frames_heard,
        cuts,
        rejoins,
    }
}

fn judge(minutes: u64, samples: &[Sample], by_minute: Vec<Minute>) -> anyhow::Result<Section> {
    let judged: Vec<f64> =
        samples.iter().filter(|sample| sample.at >= WARM_UP).map(|sample| sample.rss_kib).collect();
    let third = judged.len() / 3;
    ensure!(third > 0, "too short to compare thirds");
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&judged[..third]), mean(&judged[judged.len() - third..]));
    let change_percent = (last / first - 1.0) * 100.0;
    Ok(Section {
        minutes,
        warm_up_s: WARM_UP.as_secs(),
        first_third_mean_kib: first.round(),
        last_third_mean_kib: last.round(),
        change_percent: rounded(change_percent),
        flat: change_percent.abs() <= FLAT_PERCENT,
        by_minute,
    })
}

fn print(section: &Section) {
    let mut table = Table::new([
        "minute",
        "RSS KiB",
        "max",
        "threads",
        "files",
        "joins",
        "speeches",
        "broken off",
        "heard",
        "cuts",
        "rejoins",
    ]);
    for row in &section.by_minute {
        table.row([
            row.minute.to_string(),
            format!("{:.0}", row.rss_mean_kib),
            format!("{:.0}", row.rss_max_kib),
            row.threads.to_string(),
            row.files.to_string(),
            row.joins.to_string(),
            row.speeches.to_string(),
            row.broken_off.to_string(),
            row.frames_heard.to_string(),
            row.cuts.to_string(),
            row.rejoins.to_string(),
        ]);
    }
    report::print(&table);
    println!(
        "soak: first third {:.0} KiB, last third {:.0} KiB, {:+.2} %: {}",
        section.first_third_mean_kib,
        section.last_third_mean_kib,
        section.change_percent,
        if section.flat { "flat" } else { "NOT FLAT" },
    );
}
