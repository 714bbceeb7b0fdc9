//! What the floor decides, why, and by what.

use clawvoice_session::UserId;
use serde::{Deserialize, Serialize};

/// Why a suspicion was dismissed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dismissal {
    /// Nothing audible came.
    Inaudible,
    /// A sound without voice: a cough, a key.
    Noise,
    /// A held pitch: music, or hum.
    Tone,
    /// Our own voice, back through an open microphone.
    Echo,
    /// "mm-hmm".
    Backchannel,
    /// A little voice, and no words of it in time.
    NoWords,
    /// The speaker left.
    Left,
    /// The answer was over.
    OutputEnded,
}

impl Dismissal {
    /// The reason as it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inaudible => "inaudible",
            Self::Noise => "noise",
            Self::Tone => "tone",
            Self::Echo => "echo",
            Self::Backchannel => "backchannel",
            Self::NoWords => "no-words",
            Self::Left => "left",
            Self::OutputEnded => "output-ended",
        }
    }
}

/// Why one was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirmation {
    /// Enough voice.
    Speech,
    /// Words that are no backchannel.
    Words,
    /// A short sound with voice, where no transcript will come.
    LoneWord,
}

impl Confirmation {
    /// The reason as it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Words => "words",
            Self::LoneWord => "lone-word",
        }
    }
}

/// What a suspicion has to go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Since the suspicion, in ms.
    pub held_ms: u64,
    /// Audible sound, in ms.
    pub sound_ms: u32,
    /// Voice in it, in ms.
    pub voice_ms: u32,
    /// Of it with a pitch, in ms.
    pub pitch_ms: u32,
    /// Of it with a pitch that glides, in ms.
    pub glide_ms: u32,
    /// Of it with a pitch that is held, in ms.
    pub tone_ms: u32,
    /// Echo in it, in ms.
    pub echo_ms: u32,
}

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
pub enum Decision {
    /// Somebody may want the floor: the output stops, and is kept.
    Suspected {
        /// Who.
        user: UserId,
    },
    /// A little voice and a pause: the words will tell.
    Waiting {
        /// Who.
        user: UserId,
        /// What it goes by.
        inputs: Evidence,
    },
    /// They do not want it: the output goes on unless somebody else is suspected.
    Dismissed {
        /// Who.
        user: UserId,
        /// Why.
        reason: Dismissal,
        /// What it goes by.
        inputs: Evidence,
    },
    /// They want it: the answer ends.
    Confirmed {
        /// Who.
        user: UserId,
        /// Why.
        reason: Confirmation,
        /// What it goes by.
        inputs: Evidence,
    },
}
