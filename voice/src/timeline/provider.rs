//! Lines about the provider's bill.

use clawvoice_session::{
    SessionTime,
    timeline::{Level, Record},
};

use super::{Parts as _, Place};
use crate::realtime::Usage;

/// Ours: what an answer of the front end cost.
#[must_use]
pub fn realtime_usage(at: SessionTime, place: Place, usage: &Usage) -> Record {
    Record::new(at, Level::Verbose, "realtime usage")
        .place(place)
        .with("inputTextTokens", usage.input_text)
        .with("inputAudioTokens", usage.input_audio)
        .with("cachedTokens", usage.input_cached)
        .with("outputTextTokens", usage.output_text)
        .with("outputAudioTokens", usage.output_audio)
        .with("totalTokens", usage.total)
}
