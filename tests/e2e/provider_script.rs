//! An agent whose realtime provider plays a script: scenarios, faults and refusals.

use std::time::{Duration, Instant};

use localcord::{
    human::Human,
    world::default::{ADA, BOT_USER},
};
use serde_json::Value;

use crate::{
    agent::Agent,
    audio::INTERRUPT,
    scene::{Scene, hears_frames, local_realtime, meet, speech_frames},
    soon,
};

/// Ada and the agent in a channel.
pub(crate) struct Scripted {
    pub(crate) scene: Scene,
    pub(crate) ada: Human,
    pub(crate) agent: Agent,
}

impl Scripted {
    /// An agent with this script; see `realtime::local::Script` for its form.
    pub(crate) async fn start(script: &str) -> Self {
        let scene = Scene::new().await;
        std::fs::write(scene.folder.path().join("script.json5"), script).unwrap();
        let ada = scene.joins(ADA).await;
        let settings = "behaviour: 'script', script: 'script.json5', speed: 50";
        // The scripts answer in the middle of a speech, which would end the answer by the other rule.
        let agent = scene.agent(&local_realtime("bargeInRule: 'documented',", settings));
        Self { scene, ada, agent }
    }

    /// The same, when Ada and the agent hear each other.
    pub(crate) async fn met(script: &str) -> Self {
        let scripted = Self::start(script).await;
        meet(&scripted.ada, &scripted.agent).await;
        scripted
    }

    /// Ada speaks for 1.8 s.
    pub(crate) async fn speaks(&self) {
        soon("a speech", self.ada.speak(INTERRUPT)).await.unwrap();
    }

    /// Ada has heard so many ms more of the agent than `already` frames.
    pub(crate) async fn hears(&self, already: u64, ms: u64) {
        hears_frames(&self.ada, already, ms / 20).await;
    }

    /// Frames of the agent's voice that Ada has heard.
    pub(crate) fn heard(&self) -> u64 {
        speech_frames(&self.ada)
    }

    /// Ada hears the agent out.
    pub(crate) async fn hears_out(&self, since: Instant) {
        let pause = Duration::from_millis(600);
        soon("an answer", self.ada.hears_end_of(BOT_USER, since, pause)).await.unwrap();
    }

    /// Stops the agent. Every scenario must have been played to its end; gives the session's
    /// statistics and what the provider wrote down.
    pub(crate) async fn ends(mut self) -> (Value, Vec<Value>) {
        self.agent.stop().await;
        let index = std::fs::read_to_string(self.scene.recordings().join("provider.jsonl"));
        let index = index.unwrap();
        let events: Vec<Value> =
            index.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let unmet: Vec<&Value> = events
            .iter()
            .filter(|event| {
                event["event"] == "script.unmet" || event["event"] == "script.unfinished"
            })
            .collect();
        assert!(unmet.is_empty(), "{unmet:?}");
        let statistics = self.agent.records().into_iter().rev();
        let statistics = statistics.filter(|record| record.line == "voice session statistics");
        (statistics.map(|record| record.fields).next().unwrap_or_default(), events)
    }
}

/// How many of the recorded events have this name.
pub(crate) fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["event"] == name).count()
}
