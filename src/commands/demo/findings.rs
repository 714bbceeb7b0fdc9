//! The recordings of one performance, measured.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    control::{Entry, entries},
    follow::Line,
    measure::{Clocks, Stretch, arrived_between, epochs},
    props,
    provider_log::{Item, ProviderLog},
    recording::Recording,
    scene::{Answer, Ear, Played},
    stage::{Exit, Stage},
    verdicts::{Sounds, WentOn},
};
use crate::printer::Failure;

/// Ada's connection to the provider, and Ben's, by the order in which they first spoke.
const ADA: u64 = 0;
const BEN: u64 = 1;
/// How long after the end of an answer its last packets may come, in microseconds.
const TRANSIT_US: u64 = 500_000;
/// Samples of a frame at 24 kHz.
const FRAME_SAMPLES: u64 = 480;
/// What it lasts, in milliseconds.
const FRAME_MS: u64 = 20;
/// The frame that fades out before a pause, in samples of a human's recording.
const FADE_SAMPLES: u64 = 960;

/// What reached the provider of Ada's question.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct AgentHeard {
    /// Peak normalised cross-correlation with the file she spoke, both 24 kHz mono.
    pub(super) similarity: f64,
    /// Where in the provider's recording it begins.
    pub(super) lag_ms: f64,
}

/// What reached the humans of the answer that was played out.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct HumanHeard {
    /// The lower of the two.
    pub(super) similarity: f64,
    pub(super) ada: f64,
    pub(super) ben: f64,
    /// Frames that were sent and did not come, of the two together.
    pub(super) frames_lost: u64,
}

/// End-to-end encryption.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Dave {
    /// The lowest version that anybody was in.
    pub(super) protocol_version: u64,
    /// Distinct MLS epochs of the call.
    pub(super) epochs: u64,
    /// Frames that should have been decrypted and were not, at the humans and at the agent.
    pub(super) undecryptable_after_ready: u64,
    /// The agent's part of it.
    pub(super) undecryptable_by_agent: u64,
    /// Frames from before a human was in the group; they are lost by design of DAVE.
    pub(super) undecryptable_before_ready: u64,
    /// Frames that Opus refused.
    pub(super) decode_errors: u64,
}

/// Ben's interruption.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct BargeIn {
    #[serde(flatten)]
    pub(super) sounds: Sounds,
    /// Frames of the answer that were sent after the agent had decided to stop: what the humans
    /// received (lost packets included) over what had been played at the decision.
    pub(super) frames_after_decision: u64,
    /// Frames that arrived after the decision by the clocks of the two processes, those that were
    /// on their way included.
    pub(super) frames_arrived_after_decision: u64,
    /// What the agent told the provider was heard, and the provider accepted.
    pub(super) truncated_at_ms: u64,
    /// What the humans' recordings hold of it: the one that is further from `truncated_at_ms`.
    pub(super) recording_ms: u64,
    pub(super) recording_ada_ms: u64,
    pub(super) recording_ben_ms: u64,
    /// What the provider had sent of that answer.
    pub(super) sent_ms: u64,
}

/// Ada leaves and comes back in the middle of an answer.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Rejoin {
    /// How much of the answer Ben, who stayed, has heard.
    pub(super) stayed_similarity: f64,
    /// Epochs that the agent entered while it spoke.
    pub(super) epochs_during_answer: u64,
    /// What Ada heard of the rest of it.
    pub(super) returned_heard_ms: u64,
}

/// Ada's microphone stands beside a loudspeaker while the agent answers.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Echo {
    #[serde(flatten)]
    pub(super) went_on: WentOn,
    /// What her microphone sent of the agent's voice, in milliseconds.
    pub(super) sent_ms: u64,
}

/// Delays, at the humans' network sockets.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    /// From the last packet of Ada's question to the first of the answer. The provider's turn
    /// detection waits `silenceDurationMs` of it.
    pub(super) answer_ms: u64,
    /// From Ben's first packet to the last of the answer he interrupts.
    pub(super) barge_in_stop_ms: u64,
    /// From the agent's decision to that packet; 0 if it came before.
    pub(super) decision_to_silence_ms: u64,
}

/// The end.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Shutdown {
    pub(super) exit_code: Option<i32>,
    /// From SIGTERM to the end of the process.
    pub(super) took_ms: u64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Findings {
    pub(super) agent_heard: AgentHeard,
    pub(super) human_heard: HumanHeard,
    pub(super) dave: Dave,
    pub(super) cough: WentOn,
    pub(super) echo: Echo,
    pub(super) barge_in: BargeIn,
    pub(super) rejoin: Rejoin,
    pub(super) latency: Latency,
    pub(super) shutdown: Shutdown,
}

/// Measures, and leaves the recordings behind: each human's, and the sections that were compared.
pub(super) async fn measure(
    stage: &Stage,
    played: &Played,
    journal: &str,
    exit: Exit,
) -> Result<Findings, Failure> {
    let evidence = Evidence::new(stage, played, entries(journal)?)?;
    evidence.keep_recordings()?;
    // Each compares recordings of its own.
    let (agent_heard, human_heard, rejoin) =
        tokio::try_join!(evidence.agent_heard(), evidence.human_heard(), evidence.rejoin())?;
    Ok(Findings {
        agent_heard,
        human_heard,
        dave: evidence.dave()?,
        cough: evidence.cough()?,
        echo: evidence.echo()?,
        barge_in: evidence.barge_in()?,
        rejoin,
        latency: evidence.latency()?,
        shutdown: Shutdown { exit_code: exit.code, took_ms: exit.took_ms },
    })
}

/// All recordings of a performance.
struct Evidence<'a> {
    stage: &'a Stage,
    played: &'a Played,
    lines: &'a [Line],
    clocks: Clocks,
    provider: ProviderLog,
    journal: Vec<Entry>,
}

impl<'a> Evidence<'a> {
    fn new(stage: &'a Stage, played: &'a Played, journal: Vec<Entry>) -> Result<Self, Failure> {
        let lines = played.timeline.lines();
        let begins = lines.first().map_or(0, |line| line.number("unixMicrosAtZero"));
        if begins == 0 {
            return Err(Failure::unexpected("the timeline does not say when it begins"));
        }
        let clocks = Clocks {
            agent_zero_unix_us: begins,
            localcord_zero_unix_us: played.localcord_zero_unix_us,
        };
        let provider = ProviderLog::read(&stage.out().join("provider/provider.jsonl"))?;
        Ok(Self { stage, played, lines, clocks, provider, journal })
    }

    /// One WAV file per human.
    fn keep_recordings(&self) -> Result<(), Failure> {
        let out = self.stage.out();
        let [before, after] = &self.played.ada;
        let (first, later) = (before.heard.first_frame_at_ms, after.heard.first_frame_at_ms);
        let gap_ms = later.unwrap_or_default().saturating_sub(first.unwrap_or_default());
        let ada = Recording::parse(&before.wav)?.then(gap_ms, &Recording::parse(&after.wav)?);
        ada.write(&out.join("ada.wav"))?;
        Recording::parse(&self.played.ben.wav)?.write(&out.join("ben.wav"))
    }

    async fn agent_heard(&self) -> Result<AgentHeard, Failure> {
        let turn = self.provider.turn(ADA, 0).ok_or_else(|| missing("Ada's question"))?;
        let heard = self.provider_recording(ADA, "heard")?;
        let spoken = Recording::parse(props::ASK)?;
        let names = ("question-spoken", "question-at-provider");
        let found = self.compare(names, &spoken, &heard.around(turn.from, turn.to)).await?;
        Ok(AgentHeard { similarity: found.score, lag_ms: found.lag_ms })
    }

    async fn human_heard(&self) -> Result<HumanHeard, Failure> {
        let [answer, _, _] = self.played.answers;
        let item = self.item(ADA, 0)?;
        let (ada, in_ada) =
            self.similarity(ADA, &item, "answer-1", "ada", &self.played.ada[0], answer).await?;
        let (ben, in_ben) =
            self.similarity(ADA, &item, "answer-1", "ben", &self.played.ben, answer).await?;
        let lost = |stretch: Stretch| stretch.sent.saturating_sub(stretch.received);
        Ok(HumanHeard {
            similarity: ada.min(ben),
            ada,
            ben,
            frames_lost: lost(in_ada) + lost(in_ben),
        })
    }

    fn dave(&self) -> Result<Dave, Failure> {
        let [before, after] = &self.played.ada;
        let stats = [&before.stats, &after.stats, &self.played.ben.stats];
        let ready = self.lines.iter().filter(|line| line.line == "voice connection ready");
        let agent = ready.map(|line| line.number("daveVersion")).min().unwrap_or_default();
        let humans = stats.iter().map(|stats| u64::from(stats.dave_protocol_version)).min();
        let mut ends = self.lines.iter().filter(|line| line.line == "voice session statistics");
        let end = ends.next_back().ok_or_else(|| missing("the agent's counters"))?;
        let undecryptable_by_agent = end.number("undecryptable");
        let by_humans: u64 = stats.iter().map(|stats| stats.undecryptable_after_ready).sum();
        Ok(Dave {
            protocol_version: agent.min(humans.unwrap_or_default()),
            epochs: epochs(&self.journal).len() as u64,
            undecryptable_after_ready: by_humans + undecryptable_by_agent,
            undecryptable_by_agent,
            undecryptable_before_ready: stats.iter().map(|s| s.undecryptable_before_ready).sum(),
            decode_errors: stats.iter().map(|s| s.decode_errors).sum(),
        })
    }

    fn cough(&self) -> Result<WentOn, Failure> {
        let [answer, _, _] = self.played.answers;
        let ears = [&self.played.ada[0], &self.played.ben];
        self.went_on(&self.stage.cast().ben, &self.item(ADA, 0)?, answer, &ears)
    }

    fn echo(&self) -> Result<Echo, Failure> {
        let [_, _, answer] = self.played.answers;
        let item = self.item(BEN, 0)?;
        let [_, after] = &self.played.ada;
        Ok(Echo {
            went_on: self.went_on(&self.stage.cast().ada, &item, answer, &[&self.played.ben])?,
            // Since she came back she has said nothing herself.
            sent_ms: after.stats.frames_sent * FRAME_MS,
        })
    }

    /// An answer during which `speaker` made sounds, and which went on.
    fn went_on(
        &self,
        speaker: &str,
        item: &Item,
        answer: Answer,
        ears: &[&Ear],
    ) -> Result<WentOn, Failure> {
        let sent = item.sent.to.saturating_sub(item.sent.from).div_ceil(FRAME_SAMPLES).max(1);
        let mut went_on =
            WentOn { sounds: self.sounds(speaker, answer), heard: 1.0, ..WentOn::default() };
        for ear in ears {
            let stretch = self.stretch(ear, answer)?;
            let longest = stretch.pauses.iter().map(|pause| pause.ms).max().unwrap_or_default();
            went_on.pauses = went_on.pauses.max(stretch.pauses.len() as u64);
            went_on.paused_ms = went_on.paused_ms.max(longest);
            went_on.heard = went_on.heard.min(stretch.received as f64 / sent as f64);
        }
        Ok(went_on)
    }

    /// What the agent made of somebody's sounds during an answer.
    fn sounds(&self, speaker: &str, answer: Answer) -> Sounds {
        Sounds::of(self.lines.get(answer.started..answer.stopped).unwrap_or_default(), speaker)
    }

    fn barge_in(&self) -> Result<BargeIn, Failure> {
        let [_, answer, _] = self.played.answers;
        let item = self.item(ADA, 1)?;
        let truncated_at_ms = self
            .provider
            .truncated_at_ms(&item)
            .ok_or_else(|| missing("an accepted truncate of the answer that was interrupted"))?;
        let ears = [&self.played.ada[0], &self.played.ben];
        let [ada, ben] = ears.map(|ear| self.stretch(ear, answer));
        let (ada, ben) = (ada?, ben?);
        let played = self.line(answer.stopped)?.number("discordBytes");
        let (_, end_us) = self.window(answer)?;
        let decision_us = self.decision_us()?;
        let arrived = ears.map(|ear| arrived_between(&ear.heard.frames, decision_us, end_us));
        let recorded = [ada.recorded_ms(), ben.recorded_ms()];
        let furthest = recorded.into_iter().max_by_key(|ms| ms.abs_diff(truncated_at_ms));
        Ok(BargeIn {
            sounds: self.sounds(&self.stage.cast().ben, answer),
            frames_after_decision: ada.sent_after(played).max(ben.sent_after(played)),
            frames_arrived_after_decision: arrived.into_iter().max().unwrap_or_default(),
            truncated_at_ms,
            recording_ms: furthest.unwrap_or_default(),
            recording_ada_ms: ada.recorded_ms(),
            recording_ben_ms: ben.recorded_ms(),
            sent_ms: item.sent.to.saturating_sub(item.sent.from) / 24,
        })
    }

    async fn rejoin(&self) -> Result<Rejoin, Failure> {
        let [_, _, answer] = self.played.answers;
        let item = self.item(BEN, 0)?;
        let (stayed_similarity, _) =
            self.similarity(BEN, &item, "answer-3", "ben", &self.played.ben, answer).await?;
        let while_spoken = self.lines.get(answer.started..answer.stopped).unwrap_or_default();
        let epochs = while_spoken.iter().filter(|line| line.line == "DAVE epoch ready").count();
        let returned = self.stretch(&self.played.ada[1], answer)?;
        Ok(Rejoin {
            stayed_similarity,
            epochs_during_answer: epochs as u64,
            returned_heard_ms: returned.recorded_ms(),
        })
    }

    fn latency(&self) -> Result<Latency, Failure> {
        let [first, second, _] = self.played.answers;
        let answered = self.stretch(&self.played.ada[0], first)?;
        let ada = self.stretch(&self.played.ada[0], second)?;
        let ben = self.stretch(&self.played.ben, second)?;
        let last_at_ms = ada.last_at_ms.max(ben.last_at_ms);
        let decision_ms = self.decision_us()? / 1000;
        Ok(Latency {
            answer_ms: answered.first_at_ms.saturating_sub(self.played.asked.finished_at_ms),
            barge_in_stop_ms: last_at_ms.saturating_sub(self.played.interrupted.started_at_ms),
            decision_to_silence_ms: last_at_ms.saturating_sub(decision_ms),
        })
    }

    /// How much of an answer a human heard, its pauses taken out, and where.
    async fn similarity(
        &self,
        connection: u64,
        item: &Item,
        name: &str,
        human: &str,
        ear: &Ear,
        answer: Answer,
    ) -> Result<(f64, Stretch), Failure> {
        let stretch = self.stretch(ear, answer)?;
        let sent = self.provider_recording(connection, "sent")?;
        let sent = sent.cut(item.sent.from, item.sent.to);
        let mut heard = Recording::parse(&ear.wav)?;
        let mut to_sample = stretch.to_sample;
        for pause in stretch.pauses.iter().rev() {
            heard = heard.without_pause(pause.out_sample, pause.in_sample, FADE_SAMPLES);
            to_sample = to_sample.saturating_sub(pause.in_sample - pause.out_sample);
        }
        let heard = heard.around(stretch.from_sample, to_sample);
        let names = (format!("{name}-sent"), format!("{name}-at-{human}"));
        let found = self.compare((&names.0, &names.1), &sent, &heard).await?;
        Ok((found.score, stretch))
    }

    /// Writes two sections down and has localcord compare them.
    async fn compare(
        &self,
        names: (&str, &str),
        reference: &Recording,
        recording: &Recording,
    ) -> Result<super::stage::Compared, Failure> {
        let path = |name: &str| -> PathBuf {
            self.stage.out().join("sections").join(format!("{name}.wav"))
        };
        let (one, other) = (path(names.0), path(names.1));
        reference.write(&one)?;
        recording.write(&other)?;
        self.stage.compare(&one, &other).await
    }

    fn provider_recording(&self, connection: u64, which: &str) -> Result<Recording, Failure> {
        let name = format!("provider/provider-{connection:03}-{which}.wav");
        Recording::open(&self.stage.out().join(name))
    }

    fn item(&self, connection: u64, index: usize) -> Result<Item, Failure> {
        self.provider.answer(connection, index).ok_or_else(|| missing("an answer"))
    }

    fn stretch(&self, ear: &Ear, answer: Answer) -> Result<Stretch, Failure> {
        let (from_us, to_us) = self.window(answer)?;
        let lines = self.lines.get(answer.started..answer.stopped).unwrap_or_default();
        let resumed = lines.iter().filter(|line| line.line == "realtime audio playback resumed");
        let resumed: Vec<u64> =
            resumed.map(|line| self.clocks.on_localcord_us(line.at_us)).collect();
        let found = Stretch::between(&ear.heard.frames, from_us / 1000, to_us / 1000, &resumed);
        found.ok_or_else(|| {
            Failure::unexpected("a human heard nothing of an answer that the agent played")
        })
    }

    /// When an answer's packets may come, in microseconds on localcord's clock.
    fn window(&self, answer: Answer) -> Result<(u64, u64), Failure> {
        let started = self.clocks.on_localcord_us(self.line(answer.started)?.at_us);
        let stopped = self.clocks.on_localcord_us(self.line(answer.stopped)?.at_us);
        Ok((started.saturating_sub(TRANSIT_US / 10), stopped + TRANSIT_US))
    }

    fn decision_us(&self) -> Result<u64, Failure> {
        Ok(self.clocks.on_localcord_us(self.line(self.played.decision)?.at_us))
    }

    fn line(&self, position: usize) -> Result<&Line, Failure> {
        self.lines.get(position).ok_or_else(|| missing("a record of the timeline"))
    }
}

fn missing(what: &str) -> Failure {
    Failure::unexpected(format_args!("the recordings of the demo lack {what}"))
}
