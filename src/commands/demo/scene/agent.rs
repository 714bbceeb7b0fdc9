//! The second act: the agent answers, and is told to stop.

use serde::Serialize;

use super::{Scene, expect_answer, props};
use crate::printer::Failure;

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::commands::demo) struct AgentAct {
    /// What the front end understood of Ada's question.
    pub(in crate::commands::demo) question: String,
    /// What the agent answered.
    pub(in crate::commands::demo) answer: String,
    /// What the front end said then.
    pub(in crate::commands::demo) spoken: String,
    /// The share of the spoken answer's frames that Ada heard.
    pub(in crate::commands::demo) heard: f64,
    /// What was said when the second question was taken back.
    pub(in crate::commands::demo) outcome: String,
    /// Answers of the agent in all: the second question has none.
    pub(in crate::commands::demo) answers: u64,
}

impl Scene<'_> {
    /// Plays it.
    pub(in crate::commands::demo) async fn play_agent(mut self) -> Result<AgentAct, Failure> {
        self.agent_online().await?;
        self.gather().await?;
        let mut act = self.answered().await?;
        act.outcome = self.taken_back().await?;
        let answers = self.timeline.lines().iter();
        act.answers =
            answers.filter(|line| line.line.starts_with("agent turn answer")).count() as u64;
        let from = self.timeline.len();
        let left = self.vc("leave", serde_json::json!([])).await?;
        expect_answer("/vc leave", &left, &format!("Left <#{}>.", self.cast.voice_channel))?;
        self.line(from, "left").await?;
        Ok(act)
    }

    async fn answered(&mut self) -> Result<AgentAct, Failure> {
        let from = self.timeline.len();
        let ada = self.cast.ada.clone();
        let before = self.speech_heard(&ada).await?;
        self.narrator.say("Ada: “Could you tell me what the weather is like today?”");
        self.api.speak(&ada, props::ASK).await?;
        let asked = self.begins(from, "realtime user transcript").await?;
        self.line(asked, "realtime forced agent consult starting").await?;
        self.narrator.say("her words go to the agent, which thinks");
        let answered = self.begins(asked, "agent turn answer").await?;
        let spoken = self.begins(answered, "realtime assistant transcript").await?;
        self.narrator.say("the agent has answered, the front end says it word for word");
        let started = self.line(answered, "realtime audio playback started").await?;
        let stopped = self.stopped(started, "player-idle").await?;
        let lines = self.timeline.lines();
        let frames = lines.get(stopped).map_or(0, |line| line.number("audioMs")) / 20;
        let act = AgentAct {
            question: words(&lines[asked].line),
            answer: lines[answered].text("preview").to_owned(),
            spoken: words(&lines[spoken].line),
            ..AgentAct::default()
        };
        self.hears(&ada, before + usize::try_from(frames * 9 / 10).unwrap_or(0)).await?;
        let heard = self.speech_heard(&ada).await?.saturating_sub(before);
        Ok(AgentAct { heard: (heard as f64 / frames.max(1) as f64).min(1.0), ..act })
    }

    /// Ada asks again and takes it back while the agent thinks.
    async fn taken_back(&mut self) -> Result<String, Failure> {
        let from = self.timeline.len();
        let ada = self.cast.ada.clone();
        self.narrator.say("Ada: “And what should I wear if I go outside tonight?”");
        self.api.speak(&ada, props::SECOND).await?;
        let started = self.line(from, "agent turn start").await?;
        self.narrator.say("the agent thinks; Ada: “Cancel that.”");
        self.api.speak(&ada, props::INTERRUPT).await?;
        let handled = self.line(started, "realtime active-run control handled").await?;
        let said = self.begins(handled, "realtime assistant transcript").await?;
        let playing = self.line(handled, "realtime audio playback started").await?;
        self.stopped(playing, "player-idle").await?;
        self.narrator.say("the run is cancelled, and she is told so");
        Ok(words(&self.timeline.lines()[said].line))
    }

    /// Waits for a record whose name begins like this.
    async fn begins(&mut self, from: usize, name: &str) -> Result<usize, Failure> {
        self.timeline.wait_for(from, name, |line| line.line.starts_with(name)).await
    }
}

/// The words of a transcript's line.
fn words(line: &str) -> String {
    line.split_once("): ").map(|(_, words)| words.to_owned()).unwrap_or_default()
}
