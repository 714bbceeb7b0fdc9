//! The release binary in a channel of localcord, asked again and again by one human, with a
//! provider that notes when everything came and went. All clocks are this process's.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use localcord::{
    human::{Heard, Human, Spoken},
    server::{Server, ServerSettings},
    world::default::{ADA, BOT_USER, GUILD, LOUNGE},
};
use serde::Serialize;

use crate::{
    agent,
    provider::{ENDPOINT, Provider, Utterance},
    report::{self, Table},
    term::Term,
};

/// Questions at each pace, after the first few, in which the provider is a stranger.
const QUESTIONS: usize = 200;
const WARM_UP: usize = 5;
const QUESTION_MS: u64 = 300;
const ANSWER_MS: u64 = 600;
const PATIENCE: Duration = Duration::from_secs(20);
/// A silence after which an answer is over.
const PAUSE: Duration = Duration::from_millis(250);

/// Promised, in ms.
const OURS_P99: f64 = 40.0;
const APPEND_P99: f64 = 5.0;
const BURST_P95: f64 = 30.0;
const REAL_TIME_P95: f64 = 140.0;

/// One pace.
#[derive(Serialize)]
struct Pace {
    questions: usize,
    /// From the human's first packet to the provider's first audio.
    first_packet_to_first_append_ms: Term,
    /// From the human's last packet to the provider's last audio of it.
    last_packet_to_last_append_ms: Term,
    /// From there to the answer's first piece; 200 ms of it is the provider's wait for silence.
    endpointing_ms: Term,
    /// From the first piece to the agent's first packet at the human.
    first_delta_to_first_packet_ms: Term,
    /// End of speech to first agent frame.
    answer_ms: Term,
    /// Of that, without the provider's wait.
    ours_ms: Term,
    /// Frames of questions that did not reach the provider.
    frames_lost: u64,
    /// Answers that were interrupted by silence.
    underruns: u64,
}

#[derive(Serialize)]
struct Section {
    burst: Pace,
    real_time: Pace,
}

/// Runs, prints, writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let provider = Provider::start(ANSWER_MS).await?;
    let server = Server::start(ServerSettings::default()).await?;
    let folder = tempfile::tempdir()?;
    let _agent = agent::start(folder.path(), &server, &provider.base_url)?;
    let invite = server.world().set_voice_state(GUILD, ADA, Some(LOUNGE), false, false)?;
    let human = Human::join(invite.context("no invite")?).await?;
    tokio::time::timeout(PATIENCE, human.shares_epoch_with(&[BOT_USER]))
        .await
        .context("the agent does not come")??;
    let burst = pace(&human, &provider, false).await?;
    let real_time = pace(&human, &provider, true).await?;
    let section = Section { burst, real_time };
    print(&section);
    report::write_to(report::CONVERSATION, "latency", &section)?;
    verdict(&section)
}

async fn pace(human: &Human, provider: &Provider, real_time: bool) -> anyhow::Result<Pace> {
    provider.set_real_time(real_time);
    println!(
        "latency: {} answers, {}",
        QUESTIONS,
        if real_time { "at the pace of speech" } else { "in bursts" }
    );
    let question = tone(QUESTION_MS)?;
    let mut asked = Vec::new();
    let first = provider.utterances().len();
    for _ in 0..WARM_UP + QUESTIONS {
        let spoken = human.speak(&question).await?;
        let answer = human.hears_end_of(BOT_USER, spoken.finished_at, PAUSE);
        tokio::time::timeout(PATIENCE, answer).await.context("no answer")??;
        asked.push(spoken);
    }
    let utterances = provider.utterances();
    let utterances = utterances.get(first..).context("fewer utterances than before")?;
    ensure!(utterances.len() == asked.len(), "{} of {} heard", utterances.len(), asked.len());
    let heard = human.heard(BOT_USER);
    let turns: Vec<_> = asked.iter().zip(utterances).skip(WARM_UP).collect();
    Ok(figures(&turns, &heard))
}

fn figures(turns: &[(&Spoken, &Utterance)], heard: &Heard) -> Pace {
    let ms = |from: Instant, to: Instant| {
        to.saturating_duration_since(from).as_secs_f64() * 1_000.0
            - from.saturating_duration_since(to).as_secs_f64() * 1_000.0
    };
    let first_frame = |spoken: &Spoken| {
        let of_answer = heard.frames.iter().filter(|frame| !frame.silence);
        of_answer.map(|frame| frame.at).find(|at| *at > spoken.finished_at)
    };
    let term = |of: &dyn Fn(&Spoken, &Utterance) -> f64| {
        Term::of(turns.iter().map(|(spoken, heard)| of(spoken, heard)).collect())
    };
    let arrives = |spoken: &Spoken, heard: &Utterance| {
        first_frame(spoken).map_or(f64::NAN, |at| ms(heard.first_delta, at))
    };
    // Every question is the same: one that is shorter at the provider than the longest lost frames.
    // Its own length is no measure, because the silence after it still sounds a little.
    let whole = turns.iter().map(|(s, h)| h.frames.max(s.frames.into())).max().unwrap_or_default();
    let endpoint = ENDPOINT.as_secs_f64() * 1_000.0;
    Pace {
        questions: turns.len(),
        first_packet_to_first_append_ms: term(&|s, h| ms(s.started_at, h.first_append)),
        last_packet_to_last_append_ms: term(&|s, h| ms(s.finished_at, h.last_speech)),
        endpointing_ms: term(&|_, h| ms(h.last_speech, h.first_delta)),
        first_delta_to_first_packet_ms: term(&arrives),
        answer_ms: term(&|s, h| ms(s.finished_at, h.first_delta) + arrives(s, h)),
        ours_ms: term(&|s, h| ms(s.finished_at, h.first_delta) + arrives(s, h) - endpoint),
        frames_lost: turns.iter().map(|(_, h)| whole - h.frames).sum(),
        underruns: turns.windows(2).map(|pair| underruns(pair[0].0, pair[1].0, heard)).sum(),
    }
}

/// How often silence came between frames of speech of one answer.
fn underruns(spoken: &Spoken, next: &Spoken, heard: &Heard) -> u64 {
    let answer: Vec<bool> = heard
        .frames
        .iter()
        .filter(|frame| frame.at > spoken.finished_at && frame.at < next.started_at)
        .map(|frame| frame.silence)
        .collect();
    answer.windows(2).filter(|pair| pair[0] && !pair[1]).count() as u64
}

/// A question: a tone, at full level from its first sample.
fn tone(ms: u64) -> anyhow::Result<Vec<u8>> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
    for n in 0..ms * 48 {
        let phase = n as f64 * 330.0 / 48_000.0 * std::f64::consts::TAU;
        writer.write_sample((phase.cos() * 9_000.0) as i16)?;
    }
    writer.finalize()?;
    Ok(bytes.into_inner())
}

fn print(section: &Section) {
    let mut table = Table::new(["latency, ms", "pace", "p50", "p95", "p99", "max"]);
    for (name, pace) in [("bursts", &section.burst), ("speech", &section.real_time)] {
        for (what, term) in [
            ("first packet → first append", &pace.first_packet_to_first_append_ms),
            ("last packet → last append", &pace.last_packet_to_last_append_ms),
            ("→ first delta (200 is the provider's wait)", &pace.endpointing_ms),
            ("first delta → first packet", &pace.first_delta_to_first_packet_ms),
            ("end of speech → first frame", &pace.answer_ms),
            ("of that ours", &pace.ours_ms),
        ] {
            let values = [term.p50, term.p95, term.p99, term.max].map(|ms| format!("{ms:.1}"));
            let [p50, p95, p99, max] = values;
            table.row([what.to_owned(), name.to_owned(), p50, p95, p99, max]);
        }
    }
    report::print(&table);
    for (name, pace) in [("bursts", &section.burst), ("speech", &section.real_time)] {
        println!(
            "{name}: {} questions, {} frames lost, {} underruns",
            pace.questions, pace.frames_lost, pace.underruns
        );
    }
}

fn verdict(section: &Section) -> anyhow::Result<()> {
    let Section { burst, real_time } = section;
    let lost = burst.frames_lost + real_time.frames_lost;
    let underruns = burst.underruns + real_time.underruns;
    let promises = [
        ("first packet → first append, p99", burst.first_packet_to_first_append_ms.p99, APPEND_P99),
        (
            "first delta → first packet in bursts, p95",
            burst.first_delta_to_first_packet_ms.p95,
            BURST_P95,
        ),
        (
            "first delta → first packet at the pace of speech, p95",
            real_time.first_delta_to_first_packet_ms.p95,
            REAL_TIME_P95,
        ),
        ("ours in bursts, p99", burst.ours_ms.p99, OURS_P99),
        ("frames of questions lost", lost as f64, 0.0),
        ("underruns", underruns as f64, 0.0),
    ];
    let broken: Vec<String> = promises
        .iter()
        .filter(|(_, measured, promised)| measured.is_nan() || measured > promised)
        .map(|(what, measured, promised)| format!("{what}: {measured}, promised {promised}"))
        .collect();
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(())
}
