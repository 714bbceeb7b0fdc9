//! Every fault over real sockets: a human speaks to our call on a voice server of its own, and
//! something goes wrong.

mod rows;

use std::{
    io::Cursor,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, stream};
use localcord::{
    fault::BlackHole,
    human::{Human, HumanSettings, SpeechApplication, SpeechCoding, wav},
};
use serde::Serialize;

use self::rows::{ANN, BEN, CYD, Move, Row, Target, Trigger};
use crate::{
    follower::{Follower, Log, Voices},
    report,
    stage::{BOT, CHANNEL, GUILD, Stage, soon},
};

const ANSWER: &[u8] = include_bytes!("../../../fixtures/audio/answer.wav");
/// How long Ann speaks.
const SPEECH: Duration = Duration::from_secs(10);
/// When the trigger is pulled, after she was first heard.
const TRIGGER: Duration = Duration::from_millis(1_500);
/// Between the two messages of a move that is told in two.
const MOVE_PAUSE: Duration = Duration::from_millis(200);
/// Rows at a time.
const AT_ONCE: usize = 12;

/// What a row has shown.
#[derive(Debug, Serialize)]
struct Outcome {
    fault: &'static str,
    strength: String,
    frames: u64,
    decoded: u64,
    fec: u64,
    concealed: u64,
    lost: u64,
    /// Longest time without anything of her, ms.
    recovery_ms: u64,
    rejoins: u64,
    resumes: u64,
    recoveries: u64,
    target: String,
    met: bool,
}

pub(crate) fn measure() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let began = Instant::now();
    let speech = Arc::new(speech()?);
    let outcomes: Vec<anyhow::Result<Outcome>> = runtime.block_on(
        stream::iter(rows::all())
            .map(|row| {
                let speech = Arc::clone(&speech);
                async move {
                    let name = format!("{}, {}", row.fault, row.strength);
                    run(row, &speech).await.context(name)
                }
            })
            .buffered(AT_ONCE)
            .collect(),
    );
    let (outcomes, broken): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let outcomes: Vec<Outcome> = outcomes.into_iter().filter_map(Result::ok).collect();
    println!("fault matrix: {} rows in {:.0} s", outcomes.len(), began.elapsed().as_secs_f64());
    print(&outcomes);
    for error in broken.iter().filter_map(|row| row.as_ref().err()) {
        println!("  no row: {error:#}");
    }
    report::write("fault_matrix", &outcomes)?;
    ensure!(broken.is_empty(), "{} rows could not be measured", broken.len());
    Ok(())
}

fn print(outcomes: &[Outcome]) {
    println!(
        "{:26} {:30} {:>6} {:>7} {:>5} {:>9} {:>5} {:>8} {:>6} {:>6} {:>5}  target",
        "fault",
        "strength",
        "frames",
        "decoded",
        "FEC",
        "concealed",
        "lost",
        "gap ms",
        "rejoin",
        "resume",
        "op 31",
    );
    for row in outcomes {
        println!(
            "{:26} {:30} {:>6} {:>7} {:>5} {:>9} {:>5} {:>8} {:>6} {:>6} {:>5}  {} {}",
            row.fault,
            row.strength,
            row.frames,
            row.decoded,
            row.fec,
            row.concealed,
            row.lost,
            row.recovery_ms,
            if row.rejoins > 0 { "yes" } else { "no" },
            row.resumes,
            row.recoveries,
            row.target,
            if row.met { "met" } else { "MISSED" },
        );
    }
}

/// Ten seconds of speech.
fn speech() -> anyhow::Result<Vec<u8>> {
    let once = wav::read_stereo_48k(ANSWER)?;
    let samples = SPEECH.as_millis() as usize * 48 * 2;
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: wav::SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec)?;
    for sample in once.iter().cycle().take(samples) {
        writer.write_sample(*sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

/// The humans of a row; replaced when the server moves.
struct Cast {
    stage: Arc<Stage>,
    settings: HumanSettings,
    ann: Arc<Human>,
    ben: Arc<Human>,
    cyd: Option<Human>,
}

async fn run(row: Row, speech: &[u8]) -> anyhow::Result<Outcome> {
    let stage = Arc::new(Stage::new().await?);
    let coding = match row.fec {
        Some(expected_loss_percent) => SpeechCoding {
            application: SpeechApplication::Voip,
            bitrate: 40_000,
            fec: true,
            expected_loss_percent,
            ..SpeechCoding::default()
        },
        None => SpeechCoding::default(),
    };
    let settings = HumanSettings { speech: coding, ..HumanSettings::default() };
    let follower = Follower::start(Arc::clone(&stage), Voices::default());
    let ann = Arc::new(stage.human(ANN, settings).await?);
    let ben = Arc::new(stage.human(BEN, settings).await?);
    for human in [&ann, &ben] {
        let others = [BOT, ANN, BEN]
            .into_iter()
            .filter(|user| *user != if Arc::ptr_eq(human, &ann) { ANN } else { BEN });
        let others: Vec<u64> = others.collect();
        soon("a common epoch", human.shares_epoch_with(&others)).await??;
    }
    stage.faults.set(row.faults()?);
    stage.server.apply_faults();
    let mut cast = Cast { stage, settings, ann, ben, cyd: None };
    let speaker = Arc::clone(&cast.ann);
    let (spoken, pulled) = tokio::join!(speaker.speak(speech), async {
        soon("the first words", follower.hears(ANN)).await?;
        tokio::time::sleep(TRIGGER).await;
        cast.pull(row.trigger, &row, &follower).await
    });
    pulled?;
    let spoken = spoken?;
    soon("the end of what is heard", follower.quiet()).await?;
    let log = follower.log();
    Ok(judge(row, u64::from(spoken.frames - spoken.frames_unsent), spoken.finished_at, &log))
}

impl Cast {
    async fn pull(
        &mut self,
        trigger: Trigger,
        row: &Row,
        follower: &Follower,
    ) -> anyhow::Result<()> {
        match trigger {
            Trigger::None => {}
            Trigger::Close(code @ 4_000..=4_014) => self.stage.server.dismiss(GUILD, BOT, code),
            Trigger::Close(code) => self.stage.server.close_websocket(GUILD, BOT, code),
            Trigger::Join => self.cyd = Some(self.stage.human(CYD, self.settings).await?),
            Trigger::DownAndUp => {
                self.stage.server.change_dave_version(CHANNEL, 0);
                tokio::time::sleep(Duration::from_secs(2)).await;
                self.stage.server.change_dave_version(CHANNEL, 1);
            }
            Trigger::BlackHole(span) => {
                let mut faults = row.faults()?;
                let for_ms = u64::try_from(span.as_millis())?;
                let hole = BlackHole { user: Some(BOT), for_ms, ..BlackHole::default() };
                faults.black_holes.push(hole);
                self.stage.faults.set(faults);
                self.stage.server.apply_faults();
            }
            Trigger::Move(variant) => self.move_server(variant, follower).await?,
        }
        Ok(())
    }

    async fn move_server(&mut self, variant: Move, follower: &Follower) -> anyhow::Result<()> {
        let server = &self.stage.server;
        let mut keep = Duration::ZERO;
        match variant {
            Move::NullFirst => tokio::time::sleep(MOVE_PAUSE).await,
            Move::Close(code) => {
                server.close_websocket(GUILD, BOT, code);
                tokio::time::sleep(MOVE_PAUSE).await;
            }
            Move::Update { keep_ms } => keep = Duration::from_millis(keep_ms),
            Move::SameEndpoint => {}
        }
        if variant != Move::SameEndpoint {
            server.relocate(GUILD).await?;
        }
        let invites = [BOT, ANN, BEN].map(|user| self.stage.admit_beside(user));
        let [bot, ann, ben] = invites;
        if keep.is_zero() {
            let rest = self.ann.take_unspoken().await;
            server.retire(GUILD);
            follower.follow(bot);
            let (ann, ben) = tokio::join!(
                Human::join_with(ann, self.settings),
                Human::join_with(ben, self.settings)
            );
            (self.ann, self.ben) = (Arc::new(ann?), Arc::new(ben?));
            self.ann.speak_on(rest).await;
        } else {
            follower.follow(bot);
            let (ann, ben) = tokio::join!(
                Human::join_with(ann, self.settings),
                Human::join_with(ben, self.settings)
            );
            let rest = self.ann.take_unspoken().await;
            let old = std::mem::replace(&mut self.ann, Arc::new(ann?));
            let old = (old, std::mem::replace(&mut self.ben, Arc::new(ben?)));
            self.ann.speak_on(rest).await;
            tokio::time::sleep(keep).await;
            server.retire(GUILD);
            drop(old);
        }
        Ok(())
    }
}

fn judge(row: Row, frames: u64, finished: Instant, log: &Log) -> Outcome {
    let tally = log.speakers.get(&ANN).copied().unwrap_or_default();
    let lost = frames.saturating_sub(tally.decoded + tally.fec + tally.concealed);
    let (last, gap) = match log.heard.get(&ANN) {
        Some((last, gap)) => (Some(*last), *gap),
        None => (None, SPEECH),
    };
    // The end was heard if the last piece is of the last second.
    let to_the_end = last.is_some_and(|last| last + Duration::from_secs(1) >= finished);
    let made = (tally.decoded + tally.fec) as f64 * 100.0 / frames.max(1) as f64;
    let (target, met) = match row.target {
        Target::Heard => ("heard to the end".to_owned(), to_the_end),
        Target::Share(share) => (format!("{made:.1} of >= {share} %"), made >= share),
        Target::Nothing => ("0 lost".to_owned(), to_the_end && lost + tally.concealed == 0),
        Target::Silence(limit) => {
            (format!("silent < {} ms", limit.as_millis()), to_the_end && gap < limit)
        }
        Target::InPlace => ("without leaving".to_owned(), to_the_end && log.rejoins == 0),
    };
    Outcome {
        fault: row.fault,
        strength: row.strength,
        frames,
        decoded: tally.decoded,
        fec: tally.fec,
        concealed: tally.concealed,
        lost,
        recovery_ms: gap.as_millis() as u64,
        rejoins: log.rejoins,
        resumes: log.resumes,
        recoveries: log.recoveries,
        target,
        met,
    }
}
