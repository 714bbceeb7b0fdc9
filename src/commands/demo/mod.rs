//! `clawvoice demo`: the whole story on one machine, measured while it plays.
//!
//! `localcord` (a simulated Discord) and the real `clawvoice gateway` run as processes of their
//! own. Two humans of localcord, whose voice clients share no code with the agent's, talk to it;
//! what they heard, what the provider heard and when everything happened is then held against
//! what clawvoice promises. A promise that is not kept fails the command.
//!
//! ```text
//! mod ── stage       the folder, the two processes
//!     ├─ props       configuration, script and speech, from fixtures/
//!     ├─ control     client of localcord's control API
//!     ├─ follow      the agent's timeline, read while it is written
//!     ├─ scene       who does what, waiting for what
//!     ├─ provider_log, recording    what the provider and the humans recorded
//!     ├─ measure     figures out of recordings
//!     ├─ findings    the recordings of one performance, measured
//!     ├─ verdicts    what became of a cough, an echo and an interruption
//!     └─ summary     promises, table, summary.json
//! ```

mod control;
mod findings;
mod follow;
mod measure;
mod narrator;
mod props;
mod provider_log;
mod recording;
mod scene;
mod stage;
mod summary;
mod verdicts;

use std::path::{Path, PathBuf};

use self::{
    narrator::Narrator,
    props::Act,
    scene::{AgentAct, Scene},
    stage::Stage,
};
use crate::{
    cli::DemoArgs,
    commands::gateway::Signals,
    printer::{self, Failure},
};

/// Runs the command.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let localcord = match &args.localcord {
        Some(program) => program.clone(),
        None => beside_us()?,
    };
    if !localcord.is_file() {
        return Err(Failure::user(format_args!("there is no localcord at {}", localcord.display()))
            .hint("build it with `cargo build --release --package localcord`, or name it with --localcord PROGRAM"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format_args!("no async runtime: {error}")))?;
    let outcome = runtime.block_on(async {
        let signals = Signals::install()?;
        tokio::select! {
            outcome = perform(&localcord, &args.out, args.json) => outcome,
            // Letting go of the performance ends both processes.
            () = signals.wait() => Err(Failure::user("the demo was interrupted")),
        }
    });
    runtime.shutdown_background();
    outcome
}

/// The `localcord` in the folder of this program.
fn beside_us() -> Result<PathBuf, Failure> {
    let us = std::env::current_exe()
        .map_err(|error| Failure::unexpected(format_args!("where is this program? {error}")))?;
    Ok(us.with_file_name(format!("localcord{}", std::env::consts::EXE_SUFFIX)))
}

async fn perform(localcord: &Path, out: &Path, json: bool) -> Result<(), Failure> {
    let narrator = Narrator::start();
    narrator.say("localcord, a Discord on this machine, and the agent start");
    let mut stage = Stage::set(localcord, out, Act::Talk).await?;
    let scene = Scene::new(&stage, &narrator);
    let mut played = tokio::select! {
        played = scene.play() => played.map_err(|failure| stage.explain(failure))?,
        failure = stage.breakdown() => return Err(failure),
    };
    narrator.say("SIGTERM: the agent has to go, in order and within two seconds");
    let exit = stage.stop_gateway().await?;
    // Its last words.
    played.timeline.read()?;
    let journal = stage.api().journal_text().await?;
    write(&out.join("journal.jsonl"), journal.as_bytes())?;
    stage.stop_localcord().await?;

    narrator.say("what was heard is held against what was said");
    // Comparing takes a while, and the second act is played in a folder of its own.
    let agent_folder = out.join("agent");
    let (findings, agent) = tokio::try_join!(
        findings::measure(&stage, &played, &journal, exit),
        perform_agent(localcord, &agent_folder, &narrator),
    )?;
    let summary = summary::Summary::new(findings, agent, narrator.elapsed());
    write(&out.join("summary.json"), summary.to_json().as_bytes())?;
    if json {
        printer::result(summary.to_json().trim_end());
    } else {
        summary.print(out);
    }
    summary.verdict()
}

/// The second act, in a folder of its own.
async fn perform_agent(
    localcord: &Path,
    out: &Path,
    narrator: &Narrator,
) -> Result<AgentAct, Failure> {
    narrator.say("second act: a new room, where every word goes to an agent");
    let mut stage = Stage::set(localcord, out, Act::Agent).await?;
    let scene = Scene::new(&stage, narrator);
    let act = tokio::select! {
        act = scene.play_agent() => act.map_err(|failure| stage.explain(failure))?,
        failure = stage.breakdown() => return Err(failure),
    };
    stage.stop_gateway().await?;
    stage.stop_localcord().await?;
    Ok(act)
}

/// Writes a file of the results.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes)
        .map_err(|error| Failure::user(format_args!("cannot write {}: {error}", path.display())))
}
