//! From the bytes of a synthesizer to 24 kHz mono samples, as they come.

mod resample;
mod silence;
mod stream;

pub use silence::SilenceTrim;
pub use stream::{PcmStream, UnusableAudio};
