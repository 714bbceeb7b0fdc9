//! What the agent's voice is doing, for whoever watches.

use std::time::Duration;

use clawvoice_session::SessionTime;
use serde::Serialize;

use super::playback::{Pause, Playback};

/// What the agent's voice is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentVoice {
    /// Nothing is played.
    #[default]
    Silent,
    /// An answer is heard.
    Speaking,
    /// An answer waits until it is known whether a sound was meant to stop it.
    Paused,
}

/// How long people waited for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerDelay {
    /// When its first sound was played.
    pub at: SessionTime,
    /// Since the turn it answers was over.
    pub delay: Duration,
}

impl From<&Playback> for AgentVoice {
    fn from(playback: &Playback) -> Self {
        match playback.pause_state() {
            _ if !playback.is_playing() => Self::Silent,
            Pause::None | Pause::Ended => Self::Speaking,
            Pause::Wanted | Pause::Silent => Self::Paused,
        }
    }
}
