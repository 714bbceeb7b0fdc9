//! What the floor is told, and the thresholds that it goes by.

use clawvoice_session::UserId;
use serde::{Deserialize, Serialize};

/// The thresholds of the decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FloorRules {
    /// What is quieter than this is not heard as a sound, in tenths of a dBFS.
    pub audible_ddbfs: i16,
    /// Probability of speech from which a frame is voice, in thousandths.
    pub speech_permille: u16,
    /// Periodicity from which voice has a pitch, in thousandths.
    pub pitch_permille: u16,
    /// Periodicity from which that pitch is exact enough to tell whether it glides, in thousandths.
    pub exact_permille: u16,
    /// By how much the period changes within 20 ms where a pitch glides, in thousandths: less is a
    /// held tone, more another sound.
    pub glide_permille: (u16, u16),
    /// Gliding voice that confirms an interruption, in ms. Speech has a third of a second of it in
    /// every second.
    pub confirm_ms: u32,
    /// Voice with a pitch below which a sound was noise, in ms. Every word has a vowel in it.
    pub pitch_ms: u32,
    /// Time without a voice after which a sound is judged, in ms.
    pub settle_ms: u32,
    /// Time after which a sound that seems a voice and has no pitch is judged, in ms.
    pub hoarse_ms: u32,
    /// How long the words of a short sound are waited for, and how long a suspicion lasts, in ms.
    pub window_ms: u32,
    /// Voice from which a short sound interrupts where no transcript will tell its words, in ms.
    pub lone_word_ms: u32,
    /// Whether transcripts may tell. They are relied on once one has come.
    pub has_words: bool,
}

impl Default for FloorRules {
    fn default() -> Self {
        Self {
            audible_ddbfs: -600,
            speech_permille: 500,
            pitch_permille: 500,
            exact_permille: 750,
            glide_permille: (6, 100),
            confirm_ms: 560,
            pitch_ms: 40,
            settle_ms: 240,
            hoarse_ms: 600,
            window_ms: 2_000,
            lone_word_ms: 340,
            has_words: true,
        }
    }
}

/// What a frame of 20 ms was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Level, in tenths of a dBFS.
    pub level_ddbfs: i16,
    /// Probability of speech, in thousandths.
    pub speech_permille: u16,
    /// How periodic it is, in thousandths.
    pub pitch_permille: u16,
    /// By how much its period differs from that of the frame before, in thousandths.
    pub drift_permille: u16,
    /// Share of the energy that is echo of what was played, in thousandths.
    pub echo_permille: u16,
    /// Whether it is nothing but echo.
    pub is_echo: bool,
    /// Whether the way of the echo is known.
    pub echo_known: bool,
}

/// What a transcript said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Words {
    /// "mm-hmm": goes on listening.
    Backchannel,
    /// No words.
    None,
    /// Anything else.
    Speech,
}

/// Something the floor is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "lowercase")]
pub enum Input {
    /// The answer that plays or will play next; `None`: there is none.
    Output {
        /// Counts answers.
        answer: Option<u64>,
    },
    /// Somebody's packets begin.
    Start {
        /// Whose.
        user: UserId,
    },
    /// A frame of their sound.
    Frame {
        /// Whose.
        user: UserId,
        /// What it was like.
        #[serde(flatten)]
        features: Features,
    },
    /// Their packets ended.
    Quiet {
        /// Whose.
        user: UserId,
    },
    /// A transcript of the sound that is waited for.
    Transcript {
        /// Whose.
        user: UserId,
        /// What it said.
        words: Words,
    },
    /// The provider has told somebody's words, so it will tell others'.
    Transcribes,
    /// They left.
    Gone {
        /// Who.
        user: UserId,
    },
    /// Time passed.
    Timeout,
}
