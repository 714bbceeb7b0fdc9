//! Who does what, waiting for what.

mod agent;

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

pub(super) use self::agent::AgentAct;
use super::{
    control::{Api, Entry, Heard, Spoken, Stats},
    follow::{Line, Timeline},
    narrator::Narrator,
    props,
    stage::{Cast, Stage},
};
use crate::printer::Failure;

/// How often localcord is asked while something is waited for.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// What must be heard of the first answer before Ben coughs, in frames of 20 ms.
const BEFORE_COUGH: usize = 110;
/// What must be heard of the second answer before Ben interrupts, in frames of 20 ms.
const BEFORE_INTERRUPTION: usize = 110;
/// What must be heard of the third answer before Ada leaves.
const BEFORE_LEAVING: usize = 50;
/// What Ada must hear of it after she is back.
const AFTER_RETURN: usize = 50;
/// The record of a sound that makes the answer pause.
const SUSPECTED: &str = "realtime barge-in suspected";
/// The record of one that was an interruption.
const CONFIRMED: &str = "realtime barge-in confirmed";

/// An answer's playback: positions of its first and last record in the timeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) started: usize,
    pub(super) stopped: usize,
}

/// What a human heard of the agent on one voice connection.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) heard: Heard,
    pub(super) wav: Vec<u8>,
    pub(super) stats: Stats,
}

/// The performance, as far as the humans and the timeline recorded it.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) timeline: Timeline,
    /// The wall clock at localcord's zero, in microseconds since 1970.
    pub(super) localcord_zero_unix_us: u64,
    /// Ada's first question.
    pub(super) asked: Spoken,
    /// Ben's interruption.
    pub(super) interrupted: Spoken,
    /// The position of the decision to stop: the sound that made the answer pause and turned out to
    /// be an interruption.
    pub(super) decision: usize,
    /// Played out in spite of a cough; cut short; played out while Ada left and came back with a
    /// loudspeaker.
    pub(super) answers: [Answer; 3],
    /// Until she left, and after she came back.
    pub(super) ada: [Ear; 2],
    pub(super) ben: Ear,
}

/// The scene, and what it waits on.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    api: Api,
    cast: Cast,
    timeline: Timeline,
    narrator: &'a Narrator,
}

impl<'a> Scene<'a> {
    pub(super) fn new(stage: &Stage, narrator: &'a Narrator) -> Self {
        Self {
            api: stage.api().clone(),
            cast: stage.cast().clone(),
            timeline: Timeline::new(&stage.out().join("timeline.jsonl")),
            narrator,
        }
    }

    /// Plays it all.
    pub(super) async fn play(mut self) -> Result<Played, Failure> {
        let localcord_zero_unix_us = self.api.began_unix_us().await?;
        self.agent_online().await?;
        self.gather().await?;
        let (asked, first) = self.question().await?;
        let (interrupted, decision, second, third_from) = self.interruption().await?;
        let (third, before) = self.leave_and_return(third_from).await?;
        self.dismiss().await?;
        let ada = [before, self.ear(&self.cast.ada).await?];
        let ben = self.ear(&self.cast.ben).await?;
        Ok(Played {
            timeline: self.timeline,
            localcord_zero_unix_us,
            asked,
            interrupted,
            decision,
            answers: [first, second, third],
            ada,
            ben,
        })
    }

    /// The agent is on the gateway and its commands are registered.
    async fn agent_online(&self) -> Result<(), Failure> {
        self.journal_says("the agent registers its commands", |entry| {
            entry.kind == "rest"
                && entry.name.starts_with("PUT /applications/")
                && entry.name.ends_with("/commands")
                && entry.data["status"] == 200
        })
        .await?;
        self.journal_says("the agent comes online", |entry| {
            entry.kind == "gateway" && entry.name == "identify"
        })
        .await?;
        self.narrator.say("the agent is online and has registered /vc");
        Ok(())
    }

    async fn gather(&mut self) -> Result<(), Failure> {
        let Cast { ada, ben, agent, voice_channel, .. } = self.cast.clone();
        self.api.voice(&ada, Some(&voice_channel)).await?;
        self.api.voice(&ben, Some(&voice_channel)).await?;
        let name = &self.cast.voice_channel_name;
        self.narrator.say(format_args!("Ada and Ben are in the voice channel {name}"));
        let from = self.timeline.len();
        let option = json!({ "name": "channel", "type": 7, "value": voice_channel });
        let answer = self.vc("join", json!([option])).await?;
        expect_answer("/vc join", &answer, &format!("Joined <#{voice_channel}>."))?;
        self.line(from, "voice connection ready").await?;
        for human in [&ada, &ben] {
            self.shares_epoch(human, &agent).await?;
        }
        self.narrator.say("Ada types /vc join: the agent is in, encrypted end to end");
        Ok(())
    }

    /// Ada asks, Ben coughs, and the whole answer is heard.
    async fn question(&mut self) -> Result<(Spoken, Answer), Failure> {
        let from = self.timeline.len();
        let Cast { ada, ben, .. } = self.cast.clone();
        let before = self.speech_heard(&ben).await?;
        self.narrator.say("Ada: “Could you tell me what the weather is like today?”");
        let asked = self.api.speak(&ada, props::ASK).await?;
        let started = self.line(from, "realtime audio playback started").await?;
        self.narrator.say("the agent answers, and may finish");
        self.hears(&ben, before + BEFORE_COUGH).await?;
        self.narrator.say("Ben coughs");
        self.api.speak(&ben, props::COUGH).await?;
        let resumed = self.line(started, "realtime audio playback resumed").await?;
        self.narrator.say("it was a cough: the agent goes on where it paused");
        let stopped = self.stopped(resumed, "player-idle").await?;
        Ok((asked, Answer { started, stopped }))
    }

    /// Ada asks again, Ben talks over the answer. Gives where the wait for the answer to Ben
    /// begins.
    async fn interruption(&mut self) -> Result<(Spoken, usize, Answer, usize), Failure> {
        let from = self.timeline.len();
        let Cast { ada, ben, .. } = self.cast.clone();
        let before = self.speech_heard(&ben).await?;
        self.narrator.say("Ada: “And what should I wear if I go outside tonight?”");
        self.api.speak(&ada, props::SECOND).await?;
        let started = self.line(from, "realtime audio playback started").await?;
        self.narrator.say("the agent answers");
        self.hears(&ben, before + BEFORE_INTERRUPTION).await?;
        self.narrator.say("Ben talks over it: “Stop, wait a moment please.”");
        let api = self.api.clone();
        let speech = async move { api.speak(&ben, props::INTERRUPT).await };
        let silence = async {
            let confirmed = self.line(started, CONFIRMED).await?;
            let stopped = self.stopped(confirmed, "barge-in").await?;
            let suspicions = self.timeline.lines().get(started..confirmed).unwrap_or_default();
            let decision = suspicions.iter().rposition(|line| line.line == SUSPECTED);
            let decision = started + decision.unwrap_or(confirmed - started);
            self.narrator.say("the agent is silent");
            Ok::<_, Failure>((decision, stopped))
        };
        let (interrupted, (decision, stopped)) = tokio::try_join!(speech, silence)?;
        Ok((interrupted, decision, Answer { started, stopped }, stopped + 1))
    }

    /// The agent answers Ben; meanwhile Ada leaves and comes back, which changes every key twice.
    /// She comes back with a loudspeaker instead of headphones. Gives what she had heard until she
    /// left.
    async fn leave_and_return(&mut self, from: usize) -> Result<(Answer, Ear), Failure> {
        let Cast { ada, ben, agent, voice_channel, .. } = self.cast.clone();
        let before = self.speech_heard(&ben).await?;
        let started = self.line(from, "realtime audio playback started").await?;
        self.hears(&ben, before + BEFORE_LEAVING).await?;
        self.narrator.say("the agent answers Ben; Ada leaves in the middle of it");
        self.api.voice(&ada, None).await?;
        let ear = self.ear(&ada).await?;
        self.line(started, "DAVE epoch ready").await?;
        self.api.echo(&ada, &agent).await?;
        self.api.voice(&ada, Some(&voice_channel)).await?;
        self.shares_epoch(&ada, &agent).await?;
        self.narrator.say("Ada is back: new keys for everybody, twice, and the agent talks on");
        self.narrator.say("she has a loudspeaker now: her microphone sends the agent's voice back");
        self.hears(&ada, AFTER_RETURN).await?;
        let stopped = self.stopped(started, "player-idle").await?;
        Ok((Answer { started, stopped }, ear))
    }

    async fn dismiss(&mut self) -> Result<(), Failure> {
        let from = self.timeline.len();
        let answer = self.vc("leave", json!([])).await?;
        expect_answer("/vc leave", &answer, &format!("Left <#{}>.", self.cast.voice_channel))?;
        self.line(from, "left").await?;
        self.narrator.say("Ada types /vc leave: the agent has left");
        Ok(())
    }

    async fn vc(&self, subcommand: &str, options: serde_json::Value) -> Result<String, Failure> {
        let subcommand = json!({ "name": subcommand, "type": 1, "options": options });
        let body = json!({
            "name": "vc",
            "channel_id": self.cast.text_channel,
            "options": [subcommand],
        });
        self.api.command(&self.cast.ada, &body).await
    }

    /// Waits for a record of this name.
    async fn line(&mut self, from: usize, name: &str) -> Result<usize, Failure> {
        self.timeline.wait_for(from, name, |line| line.line == name).await
    }

    /// Waits for the end of the answer that began at `started`; another reason is a failure.
    async fn stopped(&mut self, started: usize, reason: &str) -> Result<usize, Failure> {
        let stopped = self.line(started, "realtime audio playback stopped").await?;
        let told = self.timeline.lines().get(stopped).map_or("", |line: &Line| line.text("reason"));
        if told == reason {
            return Ok(stopped);
        }
        Err(Failure::unexpected(format_args!(
            "an answer stopped because of `{told}`, not of `{reason}`"
        )))
    }

    async fn ear(&self, human: &str) -> Result<Ear, Failure> {
        let agent = &self.cast.agent;
        Ok(Ear {
            heard: self.api.heard(human, agent).await?,
            wav: self.api.heard_wav(human, agent).await?,
            stats: self.api.stats(human).await?,
        })
    }

    /// How many frames of speech a human has heard of the agent on this connection.
    async fn speech_heard(&self, human: &str) -> Result<usize, Failure> {
        let heard = self.api.heard(human, &self.cast.agent).await?;
        Ok(heard.frames.iter().filter(|frame| !frame.silence).count())
    }

    /// Waits until it is so many.
    async fn hears(&self, human: &str, frames: usize) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while self.speech_heard(human).await? < frames {
            ask_again(deadline, "a human does not hear the agent").await?;
        }
        Ok(())
    }

    /// Waits until a human is in one epoch with a user.
    async fn shares_epoch(&self, human: &str, with: &String) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while !self.api.stats(human).await?.members.contains(with) {
            ask_again(deadline, "a human is in no epoch with the agent").await?;
        }
        Ok(())
    }

    async fn journal_says(
        &self,
        what: &str,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut since = 0;
        while Instant::now() < deadline {
            let news = self.api.journal(since).await?;
            if news.iter().any(&wanted) {
                return Ok(());
            }
            since = news.last().map_or(since, |entry| entry.seq);
        }
        Err(Failure::unexpected(format_args!("localcord's journal never said: {what}")))
    }
}

async fn ask_again(deadline: Instant, what: &str) -> Result<(), Failure> {
    if Instant::now() >= deadline {
        return Err(Failure::unexpected(format_args!("{what}, {} s later", PATIENCE.as_secs())));
    }
    sleep(ASK_EVERY).await;
    Ok(())
}

fn expect_answer(command: &str, answer: &str, expected: &str) -> Result<(), Failure> {
    if answer == expected {
        return Ok(());
    }
    Err(Failure::unexpected(format_args!("{command} was answered with “{answer}”")))
}
