//! 10,000 messages to the release binary, while REST fails in every way and the process is killed
//! at random: every one is answered once, in the order of its session.

use std::{
    collections::HashMap,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use localcord::{
    fault::{FaultSettings, RateLimitBody, RestChance, RestOutcome},
    server::{Server, ServerSettings},
    world::{
        Channel, Message,
        default::{ADA, BEN, BOT_USER, CLEO, GUILD, default_state},
        kind,
    },
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;
use serde_json::json;
use tokio::{
    process::Child,
    sync::{Mutex, watch},
    time::{sleep, timeout},
};

use crate::{report, start::Place};

/// Messages that are written.
const MESSAGES: usize = 10_000;
/// Channels they are written in; each is a session.
const CHANNELS: u64 = 200;
/// The first channel's id.
const FIRST: u64 = 1_200_000_000_000_000_000;
/// Messages written a second, on average: what one bot may answer on Discord.
const PER_SECOND: u64 = 38;
/// Lives between two kills, milliseconds.
const LIVES: std::ops::Range<u64> = 500..12_000;
/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Serialize)]
struct Section {
    messages: usize,
    answered_once: usize,
    lost: usize,
    twice: usize,
    out_of_order: usize,
    kills: usize,
    faults: usize,
    sessions_begun: usize,
    sessions_resumed: usize,
    seconds: f64,
}

/// What the bot answered: which message, in which channel, in the order of Discord.
type Answers = Arc<Mutex<Vec<(u64, usize)>>>;

pub(crate) fn measure() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let messages = std::env::var("MESSAGES").ok().map_or(Ok(MESSAGES), |count| count.parse())?;
    let began = Instant::now();
    let place = place().await?;
    let (answers, counted) = listen(&place.server);
    let (done, ended) = watch::channel(false);
    let mut rng = SmallRng::seed_from_u64(7);
    let killer = tokio::spawn(kill(place.clone(), ended.clone(), rng.random()));
    drop(ended);
    place.server.faults().set(troubles(rng.random()));
    // What is written before anybody has ever listened is not to be answered.
    place.identified(true).await?;
    for number in 0..messages {
        write(&place.server, number, &mut rng);
        if rng.random_range(0..20) == 0 {
            sleep(Duration::from_millis(20_000 / PER_SECOND)).await;
        }
    }
    println!("messages: {messages} written after {:.0} s", began.elapsed().as_secs_f64());
    let mut counted = counted;
    let all = timeout(PATIENCE, counted.wait_for(|count| *count >= messages)).await;
    done.send_replace(true);
    let kills = killer.await??;
    let in_time = all.is_ok();
    drop(all);
    // What is answered twice comes late.
    sleep(Duration::from_secs(5)).await;
    if !in_time {
        println!("messages: not every answer came within {} s", PATIENCE.as_secs());
    }
    judge(&place.server, &answers.lock().await, messages, kills, began)
}

fn judge(
    server: &Server,
    answers: &[(u64, usize)],
    messages: usize,
    kills: usize,
    began: Instant,
) -> anyhow::Result<()> {
    let mut times = vec![0_usize; messages];
    let mut last: HashMap<u64, usize> = HashMap::new();
    let mut out_of_order = 0;
    for (channel, number) in answers {
        times[*number] += 1;
        let before = last.insert(*channel, *number);
        out_of_order += usize::from(before.is_some_and(|before| before > *number));
    }
    let entries = server.journal().since(0);
    let gateway = |name: &str| {
        entries.iter().filter(|entry| entry.kind == "gateway" && entry.name == name).count()
    };
    let section = Section {
        messages,
        answered_once: times.iter().filter(|times| **times == 1).count(),
        lost: times.iter().filter(|times| **times == 0).count(),
        twice: times.iter().filter(|times| **times > 1).count(),
        out_of_order,
        kills,
        faults: entries.iter().filter(|entry| !entry.data["fault"].is_null()).count(),
        sessions_begun: gateway("identify"),
        sessions_resumed: gateway("resume"),
        seconds: began.elapsed().as_secs_f64(),
    };
    println!(
        "messages: {} of {} answered once, {} lost, {} twice, {} out of order; {} kills, {} faults, \
         {} gateway sessions begun and {} resumed, {:.0} s",
        section.answered_once,
        section.messages,
        section.lost,
        section.twice,
        section.out_of_order,
        section.kills,
        section.faults,
        section.sessions_begun,
        section.sessions_resumed,
        section.seconds
    );
    report::write("messages", &section)?;
    ensure!(section.answered_once == messages && out_of_order == 0, "not every one once, in order");
    Ok(())
}

/// A localcord with many channels, and an agent that answers everything it hears there.
async fn place() -> anyhow::Result<Arc<Place>> {
    let mut state = default_state();
    for number in 0..CHANNELS {
        let id = FIRST + number;
        let (guild_id, name) = (Some(GUILD), format!("room-{number}"));
        let room = Channel { id, kind: kind::TEXT, guild_id, name, ..Channel::default() };
        state.channels.insert(id, room);
    }
    let server = Server::start_with(ServerSettings::default(), state).await?;
    let folder = tempfile::tempdir()?;
    let config = json!({
        "gateway": { "clawvoice": { "health": { "enabled": false } } },
        "session": { "store": folder.path().join("state/sessions.sqlite") },
        "messages": {
            "inbound": { "debounceMs": 0 },
            "queue": { "mode": "followup", "cap": 10_000 },
            "ackReaction": "",
        },
        "agents": { "list": [{ "id": "main", "typingMode": "never" }] },
        "channels": { "discord": {
            "apiBaseUrl": server.api_base_url(),
            "groupPolicy": "open",
            "guilds": { "*": { "requireMention": false } },
            "streaming": { "mode": "off" },
            "voice": { "enabled": false },
        } },
    });
    fs::write(folder.path().join("clawvoice.json5"), config.to_string())?;
    Ok(Arc::new(Place { server, folder }))
}

fn write(server: &Server, number: usize, rng: &mut SmallRng) {
    let author_id = [ADA, BEN, CLEO][rng.random_range(0..3)];
    let channel_id = FIRST + rng.random_range(0..CHANNELS);
    let content = format!("number {number};");
    let message = Message { author_id, channel_id, content, ..Message::default() };
    server.world().create_message(message);
}

/// Follows what the bot writes.
fn listen(server: &Server) -> (Answers, watch::Receiver<usize>) {
    let answers = Answers::default();
    let (count, counted) = watch::channel(0);
    let mut events = server.world().subscribe();
    let written = Arc::clone(&answers);
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            let data = &event.data;
            let by_bot = data["author"]["id"].as_str() == Some(&BOT_USER.to_string());
            if event.event != "MESSAGE_CREATE" || !by_bot {
                continue;
            }
            let content = data["content"].as_str().unwrap_or_default();
            let channel = data["channel_id"].as_str().and_then(|id| id.parse().ok());
            let numbers = content.split("number ").skip(1);
            let numbers = numbers.filter_map(|rest| rest.split(';').next()?.parse().ok());
            let mut written = written.lock().await;
            written.extend(
                channel.into_iter().flat_map(|channel| {
                    numbers.clone().map(move |number: usize| (channel, number))
                }),
            );
            count.send_replace(written.len());
        }
    });
    (answers, counted)
}

/// Starts the agent, kills it, starts it again; at the end it stays.
async fn kill(place: Arc<Place>, ended: watch::Receiver<bool>, seed: u64) -> anyhow::Result<usize> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut kills = 0;
    loop {
        let mut agent: Child = place.start()?;
        let life = Duration::from_millis(rng.random_range(LIVES));
        let mut over = ended.clone();
        let over = timeout(life, over.wait_for(|ended| *ended)).await.is_ok();
        ensure!(agent.try_wait()?.is_none(), "it ended by itself after {kills} kills");
        agent.kill().await.context("it cannot be killed")?;
        if over {
            return Ok(kills);
        }
        kills += 1;
    }
}

/// REST fails all the while, by chance, in every way it can.
fn troubles(seed: u64) -> FaultSettings {
    let hit = |percent, outcome| RestChance {
        route: "POST /channels/{id}/messages".to_owned(),
        percent,
        times: None,
        outcome,
    };
    let limit = |retry_after, global| RestOutcome::RateLimit {
        retry_after,
        global,
        body: RateLimitBody::default(),
    };
    let failure = |status, carried_out| RestOutcome::Failure { status, carried_out };
    let rest_chances = vec![
        hit(3.0, limit(0.4, false)),
        hit(0.2, limit(0.3, true)),
        hit(2.0, failure(500, false)),
        hit(2.0, failure(502, true)),
        hit(1.0, failure(503, false)),
        hit(1.5, RestOutcome::Reset { carried_out: false }),
        hit(1.5, RestOutcome::Reset { carried_out: true }),
        hit(1.0, RestOutcome::Delay { ms: 500, jitter_ms: 1_500, before: false }),
    ];
    FaultSettings { seed, rest_chances, ..FaultSettings::default() }
}
