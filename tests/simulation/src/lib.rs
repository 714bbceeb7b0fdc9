//! A voice channel in virtual time: members come, go, recover and speak at random around one real
//! [`clawvoice_voice::call::Call`], and an oracle that knows nothing of the call's code decides
//! for every frame whether the DAVE protocol promises that it is heard.
//!
//! ```text
//! churn ──what happens──► channel ◄─ agenda (delays, order)
//!                         │  │  └── server (who is told what; localcord's DAVE group)
//!                         │  └── members (davey) ── tone, packet (speech that says what it is)
//!                         └── seat: the call under test ── ledger + oracle ──► report
//! ```
//!
//! [`talk`] does the same for conversations: who said what, and what is heard of the answers.
//! [`disturbance`] makes what microphones pick up besides: coughs, keys, music, echo, agreement;
//! [`interruption`] plays it to a conversation that is answering.
//!
//! Protocol code is shared with neither `clawvoice-voice` nor localcord's humans.

mod agenda;
mod channel;
mod churn;
pub mod disturbance;
pub mod interruption;
mod ledger;
mod member;
mod oracle;
mod packet;
mod report;
mod seat;
mod server;
pub mod talk;
pub mod tone;

use localcord::voice::dave::DaveError;

pub use self::{
    member::MemberError,
    packet::SealError,
    report::{Counts, Report, Unpromised},
};

/// A run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Where everything random comes from, MLS apart.
    pub seed: u64,
    /// Membership and transition events until the end.
    pub events: u64,
    /// The share of voice packets that the network loses, 0 to 1.
    pub loss: f64,
    /// The share that comes twice, 0 to 1.
    pub duplicates: f64,
    /// Whether the call is taken down to transport encryption and back up now and then.
    pub plaintext: bool,
    /// Whether op 5 may name the wrong user: no encrypted speech may be lost or moved by it.
    pub misnaming: bool,
}

impl Settings {
    /// All kinds of events, a network that loses and repeats a little.
    #[must_use]
    pub const fn new(seed: u64, events: u64) -> Self {
        Self { seed, events, loss: 0.003, duplicates: 0.01, plaintext: true, misnaming: true }
    }
}

/// Why a run could not go on; never what the call under test did.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The server's DAVE group.
    #[error("server: {0}")]
    Server(#[from] DaveError),
    /// A member's DAVE session.
    #[error("member: {0}")]
    Member(#[from] MemberError),
    /// Speech.
    #[error(transparent)]
    Tone(#[from] tone::ToneError),
    /// Transport encryption.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Runs a channel until everything has happened and settled.
///
/// # Errors
/// When the channel itself breaks.
pub fn run(settings: Settings) -> Result<Report, SimulationError> {
    channel::Channel::new(settings)?.run()
}
