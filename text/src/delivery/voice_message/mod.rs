//! Voice messages: any audio file as the recording that Discord's clients show with a play button
//! and a curve.
//!
//! ```text
//! path ─ request ─ source ─ resample ─┬─ encode ── ogg_opus ──┐
//!        (URL,     (any     (48 kHz)  │  (Opus)   (RFC 7845)  ├─ VoiceMessage ─ wire ─→ shell
//!        text:     format)            └─ waveform (8 kHz) ────┘
//!        refused)
//! ```
//!
//! Everything here is computation over a byte source; it takes a while, so it belongs on a thread
//! that may block. The three calls to Discord are in `shell/voice_message.rs`.
//!
//! Sources: Discord, "Voice Messages" and "Uploading Files"; RFC 7845 (Ogg Opus).

mod convert;
mod encode;
mod failure;
mod ogg_opus;
mod opus;
mod request;
mod resample;
mod source;
mod waveform;
mod wire;

use std::io::Cursor;

pub(crate) use self::{
    convert::convert,
    wire::{CONTENT_TYPE, Slots, message, slot_request},
};
pub use self::{
    convert::{MOST_INPUT_BYTES, MOST_OGG_BYTES, MOST_SECONDS},
    failure::PrepareFailure,
    request::{Refusal, local_file},
    waveform::Waveform,
};

/// A recording as Discord takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceMessage {
    /// Opus at 48 kHz in Ogg.
    pub ogg: Vec<u8>,
    /// Its length in hundredths of a second, at least 1.
    pub duration_centis: u32,
    /// Its curve.
    pub waveform: Waveform,
}

impl VoiceMessage {
    /// Makes one of the bytes of an audio file. `extension`: that of the file's name, without its
    /// dot; only a `.ogg` can go out as it is.
    ///
    /// # Errors
    /// The bytes are no audio that can be read, or too much of it.
    pub fn from_bytes(bytes: Vec<u8>, extension: Option<&str>) -> Result<Self, PrepareFailure> {
        convert(Box::new(Cursor::new(bytes)), extension)
    }

    /// Its length in seconds, to two decimals.
    #[must_use]
    pub fn duration_secs(&self) -> f64 {
        f64::from(self.duration_centis) / 100.0
    }
}
