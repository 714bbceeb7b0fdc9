//! A channel in which nobody lets the agent finish.
//!
//! Every interruption is the next question: Ada asks, Ben talks over the answer, Ada over the
//! answer to Ben, and so on. Cleo has asked the first question and is quiet until the last.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use localcord::{
    fault::{FaultSettings, MessageFault},
    human::{Human, Spoken},
    server::{Server, ServerSettings},
    world::default::{ADA, BEN, BOT_USER, CLEO, GUILD, LOUNGE},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Child;

use super::{provider::Provider, sound::Clip};
use crate::agent;

const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an answer is heard before it is interrupted, in frames of 20 ms: more than the
/// 250 ms in which an interruption is taken for an echo.
const HEARD_FRAMES: std::ops::RangeInclusive<u64> = 20..=45;
/// The pace of frames: an interruption begins anywhere between two.
const FRAME: Duration = Duration::from_millis(20);

/// Somebody's place among the humans of a room.
pub(crate) type Seat = usize;
const REGULARS: [Seat; 2] = [0, 1];
const QUIET: Seat = 2;

/// An answer that was talked over.
pub(crate) struct Interruption {
    /// The answer's number at the provider.
    pub(crate) answer: usize,
    /// The number of the answer to the interruption, which is that of its own turn. If it was taken
    /// for several turns, they are those after [`Self::answer`], up to this one.
    pub(crate) reply: usize,
    /// Who interrupted.
    pub(crate) by: Seat,
    /// When.
    pub(crate) spoken: Spoken,
    /// Whose recording tells what was heard.
    pub(crate) listener: Seat,
    /// Whether the interrupter had not spoken for at least the time that was asked for.
    pub(crate) was_quiet: bool,
    /// Whether SPEAKING came before the first packet.
    pub(crate) was_announced: bool,
}

/// One agent in one localcord, with three humans.
pub(crate) struct Room {
    pub(crate) provider: Provider,
    pub(crate) humans: [Human; 3],
    /// Whether SPEAKING comes before every speech, or once for each human.
    announces: bool,
    server: Server,
    /// The journal's position when everybody was there.
    settled: u64,
    _agent: Child,
    _folder: TempDir,
}

impl Room {
    /// Opens it, with everybody there.
    pub(crate) async fn open(rest_latency_ms: u32, announces: bool) -> anyhow::Result<Self> {
        let provider = Provider::start().await?;
        let messages = if announces { Vec::new() } else { speaking_once()? };
        let faults = FaultSettings { rest_latency_ms, messages, ..FaultSettings::default() };
        let server = Server::start(ServerSettings { faults, ..ServerSettings::default() }).await?;
        let folder = tempfile::tempdir()?;
        let agent = agent::start(folder.path(), &server, &provider.base_url)?;
        let humans =
            [join(&server, ADA).await?, join(&server, BEN).await?, join(&server, CLEO).await?];
        for human in &humans {
            // They came one after the other, and the agent at some time: whoever has four in the
            // group, itself included, has all.
            let met = human.wait_until(|stats| stats.members.len() == 3);
            tokio::time::timeout(PATIENCE, met).await.context("the agent does not come")??;
        }
        let settled = server.journal().since(0).last().map_or(0, |entry| entry.seq);
        Ok(Self { provider, humans, announces, server, settled, _agent: agent, _folder: folder })
    }

    /// Talks over at least `count` answers, and once more after `quiet` by somebody who has not
    /// spoken meanwhile. `clips` are what each seat says.
    pub(crate) async fn converse(
        &self,
        clips: &[Clip; 3],
        count: usize,
        quiet: Duration,
    ) -> anyhow::Result<Vec<Interruption>> {
        let mut interruptions = Vec::new();
        let first = self.humans[QUIET].speak(&clips[QUIET].wav).await?;
        let mut answer = self.answer_to(&first).await?;
        loop {
            let done = interruptions.len();
            let is_last = done >= count && first.finished_at.elapsed() >= quiet;
            let regular = REGULARS[done % REGULARS.len()];
            let by = if is_last { QUIET } else { regular };
            let listener = if is_last { REGULARS[0] } else { 1 - regular };
            let heard = rand::random_range(HEARD_FRAMES);
            let after = FRAME.mul_f64(rand::random());
            let interrupt = async {
                self.hears(listener, heard).await?;
                tokio::time::sleep(after).await;
                anyhow::Ok(self.humans[by].speak(&clips[by].wav).await?)
            };
            let spoken = tokio::time::timeout(PATIENCE, interrupt)
                .await
                .with_context(|| format!("answer {answer} could not be heard"))??;
            let reply = self.answer_to(&spoken).await?;
            interruptions.push(Interruption {
                answer,
                reply,
                by,
                spoken,
                listener,
                was_quiet: is_last,
                // Cleo has spoken before; the others have not when they first interrupt.
                was_announced: self.announces || (!is_last && done < REGULARS.len()),
            });
            answer = reply;
            if is_last {
                // Once the answer to the last one is heard, the listener has all of the one before.
                let end = tokio::time::timeout(PATIENCE, self.hears(listener, 1));
                end.await.context("the last answer could not be heard")??;
                return Ok(interruptions);
            }
        }
    }

    /// Waits for the answer to what somebody has said; gives its number.
    async fn answer_to(&self, spoken: &Spoken) -> anyhow::Result<usize> {
        let answer = self.provider.answer_after(spoken.finished_at);
        tokio::time::timeout(PATIENCE, answer).await.context("a turn got no answer")?
    }

    /// Waits until somebody has heard so many more frames of the agent's voice.
    async fn hears(&self, listener: Seat, frames: u64) -> anyhow::Result<()> {
        let human = &self.humans[listener];
        let count = || {
            let heard = human.stats().senders.get(&BOT_USER).copied().unwrap_or_default();
            heard.frames_decoded - heard.silence_frames
        };
        let enough = count() + frames;
        human.wait_until(|_| count() >= enough).await?;
        Ok(())
    }

    /// REST calls since everybody was there; of these, those that look a user or a member up.
    pub(crate) fn rest_calls(&self) -> (usize, usize) {
        let entries = self.server.journal().since(self.settled);
        let calls = || entries.iter().filter(|entry| entry.kind == "rest");
        let looks_up = |name: &str| name.contains("/users/") || name.contains("/members");
        (calls().count(), calls().filter(|entry| looks_up(&entry.name)).count())
    }
}

/// Lets the agent learn each human's SSRC, and then of no speech before its packets.
fn speaking_once() -> anyhow::Result<Vec<MessageFault>> {
    let rules = [ADA, BEN, CLEO].map(|human| {
        json!({
            "user": BOT_USER, "op": 5, "about": human, "skip": 1, "action": "drop",
        })
    });
    Ok(serde_json::from_value(rules.into_iter().collect())?)
}

async fn join(server: &Server, human: u64) -> anyhow::Result<Human> {
    let invite = server.world().set_voice_state(GUILD, human, Some(LOUNGE), false, false)?;
    Ok(Human::join(invite.context("no invite")?).await?)
}

/// Milliseconds from one time to another, negative if it comes first.
pub(crate) fn ms(from: Instant, to: Instant) -> f64 {
    let (ahead, behind) = (to.saturating_duration_since(from), from.saturating_duration_since(to));
    (ahead.as_secs_f64() - behind.as_secs_f64()) * 1_000.0
}
