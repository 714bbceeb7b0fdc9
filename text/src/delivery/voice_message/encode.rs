//! PCM at 48 kHz to Opus in Ogg.

use super::{
    failure::PrepareFailure,
    ogg_opus::OggWriter,
    opus::{FRAME, OpusEncoder},
    source::Planar,
};

/// Takes PCM piece by piece.
pub(super) struct OggEncoder {
    encoder: OpusEncoder,
    writer: OggWriter,
    channels: usize,
    /// Samples per channel by which the decoder's output is late.
    pre_skip: u16,
    /// Interleaved samples that are less than a frame.
    waiting: Vec<f32>,
    taken: u64,
}

impl OggEncoder {
    /// For two channels, or for one.
    pub(super) fn new(channels: usize) -> Result<Self, PrepareFailure> {
        let encoder = OpusEncoder::new(channels)?;
        let pre_skip = encoder.lookahead()?;
        let writer = OggWriter::new(if channels == 2 { 2 } else { 1 }, pre_skip)?;
        Ok(Self { encoder, writer, channels, pre_skip, waiting: Vec::new(), taken: 0 })
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &Planar) -> Result<(), PrepareFailure> {
        let frames = piece.first().map_or(0, Vec::len);
        self.taken += frames as u64;
        self.waiting.reserve(frames * self.channels);
        for at in 0..frames {
            self.waiting.extend(piece.iter().filter_map(|channel| channel.get(at)));
        }
        let frame = FRAME * self.channels;
        let whole = self.waiting.len() / frame * frame;
        for frame in self.waiting[..whole].chunks_exact(frame) {
            self.writer.push(self.encoder.encode(frame)?)?;
        }
        self.waiting.drain(..whole);
        Ok(())
    }

    /// The file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, PrepareFailure> {
        if self.taken == 0 {
            return Err(PrepareFailure::Empty);
        }
        // The last samples come out only after as many again as the encoder looks ahead.
        let whole = self.taken + u64::from(self.pre_skip);
        let frame = FRAME * self.channels;
        while self.writer.frames() < whole {
            self.waiting.resize(frame, 0.0);
            self.writer.push(self.encoder.encode(&self.waiting)?)?;
            self.waiting.clear();
        }
        self.writer.finish(self.taken)
    }
}
